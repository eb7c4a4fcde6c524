"""Usage brought back to levels of commitments, by few moves.

After a change, what cells run overflows levels in some hours and leaves them idle in others, though
prices have hardly moved: a level is bought for all hours, and who came or went did not ask for the
same in each. Some units are asked for other ways, and a linear programme picks from these, near to
what all do now (``relax_near``): its basic solutions move hardly more than shared rows ask for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.rules import MaxPlacesRule
from optimizer.decompose.asking import other_way, priced_at, settled
from optimizer.decompose.choose import fleet_of, made_whole
from optimizer.decompose.dual import Case
from optimizer.decompose.fleet import Fleet, ThinFleet
from optimizer.decompose.relaxed import OPEN, Relaxed, relax_near
from optimizer.decompose.swaps import swapped
from optimizer.decompose.tariff import Prices
from optimizer.decompose.ways import Ways, find_ways, single_units, tied_units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEW = 200
"""Ways of a span's units that are tried beside the present ones where little is to be moved."""
MIXES = 2
"""How often all cells' answers are mixed, at most."""
REFITS = 2
"""How often units swap ways, and levels are fitted to what they choose."""
LEAN = 0.2
"""By how much usage is dearer, relatively, where it overflows levels, and cheaper elsewhere."""


def few_moves(fleet: Fleet, prices: Prices, own: Floats) -> Iterator[tuple[Fleet, Bools]]:
    """Better and better fleets, and which cells do something else than in ``fleet`` [cell].

    Cells of one hour without calls are asked what they would do to fill levels; ``own`` [lane] are
    prices of routes without calls. Quotas may be overdrawn.
    """
    case, groups = fleet.case, _free_groups(fleet.case)
    usage = case.covered.at_list(fleet.used, case.cells.spans)
    over = usage > fleet.levels.covered.sum(axis=0) * (1 + 1e-9)
    asked = replace(prices, covered=prices.covered * np.where(over, 1.0 - LEAN, 1.0 + LEAN))
    other = other_way(fleet, prices, priced_at(case, asked, 1.0), own, groups)
    if other is not None:
        both = [ThinFleet.of(fleet), ThinFleet.of(other)]
        ways = find_ways(case, both, single_units(case)).with_routes(own)
        yield from _mended(ways, prices, _mixed(ways, prices, FEW))


def many_moves(
    fleet: Fleet, prices: Prices, likely: Sequence[Prices], own: Floats, detour: Floats
) -> Iterator[tuple[Fleet, Bools]]:
    """The same, but all cells are asked: at ``likely`` prices, and at those of the best mix."""
    case, unit = fleet.case, tied_units(fleet.case)
    before = np.zeros(len(unit), np.bool_)

    def answer(asked: Prices) -> ThinFleet | None:
        found = settled(case, asked, priced_at(case, asked, 1.0), own, detour)
        return None if found is None else ThinFleet.of(found.fleet(asked))

    with ThreadPoolExecutor(2) as pool:
        answers = [a for a in pool.map(answer, likely) if a is not None]
    for _ in range(MIXES):
        ways = find_ways(case, [ThinFleet.of(fleet), *answers], unit).with_calls(own)
        mixed = _mixed(ways, prices, OPEN)
        for fleet, moved in _mended(ways, prices, mixed):
            yield fleet, before | moved
        before |= moved
        asked = replace(mixed.prices, budget=prices.budget)
        answers += [a for a in (answer(asked),) if a is not None]


def _mixed(ways: Ways, prices: Prices, most: int) -> Relaxed:
    """The best mix near the first way, with ``most`` others of a span."""
    return relax_near(ways, prices, np.zeros(len(ways.first_cell), np.int64), most)


def _mended(ways: Ways, prices: Prices, mixed: Relaxed) -> Iterator[tuple[Fleet, Bools]]:
    """A mix made whole, with more and more swaps, and which cells leave the first way [cell]."""
    chosen = made_whole(ways, mixed, prices)
    fleet = fleet_of(ways, chosen)
    yield fleet, chosen[ways.unit_of_cell] > 0
    bought = (mixed.level - ways.case.covered.cover.owned).max(axis=1, initial=0.0)
    for _ in range(REFITS):
        chosen = swapped(ways, mixed, prices, fleet, bought, chosen)
        fleet = fleet_of(ways, chosen)
        yield fleet, chosen[ways.unit_of_cell] > 0
        bought = fleet.levels.bought


def _free_groups(case: Case) -> Ints:
    """Groups of one block of hours whose choice binds no others."""
    cells, asks = case.cells, case.cells.asks
    bound = (cells.hours[asks.group_span] == case.periods) & (case.periods > 1)
    for half in case.halves:
        bound[half] = True
    few = [r.service for r in cells.world.rules if isinstance(r, MaxPlacesRule)]
    named = [cells.world.service_index[name] for name in few]
    return np.flatnonzero(~bound & ~np.isin(cells.group_service, named))
