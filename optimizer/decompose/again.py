"""Planning again after a small change: what is the same stays, the rest is answered anew.

The bound costs one pass at the last prices and is as valid as any. The plan keeps every cell that
asks for the same as before; cells that changed choose among their answers at the last prices,
within what the others leave of quotas and levels. So a plan does not jump.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.decompose.choose import choose, find_ways, single_units
from optimizer.decompose.covered import room_of
from optimizer.decompose.covering import BARRED_USD
from optimizer.decompose.dual import Case
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.last import Last, Match, kept_rows
from optimizer.decompose.repair import (
    answer_groups,
    given_ends,
    priced_at,
    within_places,
)
from optimizer.decompose.sweep import list_counts
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FACTORS = (0.6, 1.5)
"""Factors on prices of quotas at which changed cells are asked, beside what they are."""


def last_weight(last: Last, case: Case, found: Match) -> Floats:
    """[lane]: the share of its traffic that went there in the last plan."""
    share: Floats = np.where(found.lane >= 0, last.share[found.lane], 0.0)
    return share


def patched(
    case: Case, prices: Prices, last: Last, found: Match, barred: Bools
) -> tuple[Fleet, int] | None:
    """The last plan with new answers for what has changed, and how many cells that are.

    None where the rules cannot be kept like that.
    """
    cells, asks = case.cells, case.cells.asks
    cell, candidate, count, same = kept_rows(last, case, found)
    changed = np.unique(cells.cell_group[~same])
    slot_kept = np.repeat(same, np.diff(asks.slot_start))
    lane_kept = np.repeat(same, np.diff(asks.lane_start))
    held = np.where(slot_kept, last.held[found.slot], 0)
    share = np.where(lane_kept, last.share[found.lane], 0.0)
    alive = np.zeros_like(held)
    detour = barred * BARRED_USD
    own = case.tariff.routes(_without_ends(prices)) + detour
    routes = case.tariff.routes(prices) + detour

    def fleet_at(usd: Floats, routes: Floats) -> Fleet | None:
        if not answer_groups(case, usd, routes, prices.rooms, changed, held, alive, share):
            return None
        rows = list_counts(case.stock, case.asks, usd, changed, held, alive)
        return Fleet(
            case,
            np.concatenate([cell, rows[0]]),
            np.concatenate([candidate, rows[1]]),
            np.concatenate([count, rows[2]]),
            held.copy(),
            share.copy(),
        )

    first = fleet_at(case.tariff.candidates(prices), routes)
    if first is None:
        return None
    routes = given_ends(case, own, first.share)
    questions = [priced_at(case, prices, 1.0)]
    if len(case.limits.quota_limit):
        questions += [priced_at(case, prices, factor) for factor in FACTORS]
    questions.append(priced_at(case, prices, None, 0.0))
    fleets = [fleet for usd in questions if (fleet := fleet_at(usd, routes)) is not None]
    ways = find_ways(case, fleets, single_units(case)).with_routes(routes)
    room = room_of(case.covered, fleets[0].levels)
    liked, shut = priced_at(case, prices, 0.6), priced_at(case, prices, None)
    before = np.full(len(ways.first_cell), len(fleets) - 1)
    moves = ~same[ways.first_cell]
    chosen = choose(ways, prices, routes, room, liked, shut, before, moves, moves)
    if chosen is None:
        return None
    fleet = within_places(chosen[0], prices, routes)
    if fleet is None or fleet.share[barred].max(initial=0.0) > 0.0:
        return None
    if (fleet.spending > case.limits.budget_limit * (1 + 1e-9)).any():
        return None
    return fleet, int((~same).sum())


def _without_ends(prices: Prices) -> Prices:
    return Prices(
        prices.quota, prices.budget, prices.covered, np.zeros_like(prices.ends), prices.rooms
    )
