"""Planning again after a small change: what is as good as it was stays, the rest is answered anew.

The bound costs one pass at the last prices and is as valid as any. The plan keeps every cell that
asks for the same and may still do what it did, unless that has become too dear beside what is best
now; all others choose among their answers at the last prices, within what the kept ones leave of
quotas and levels. Where that leaves levels of commitments idle, few cells move to fill them. So a
plan does not jump, and changes that save little are not made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from optimizer.decompose.ascent import Ascent
from optimizer.decompose.asking import (
    answer_groups,
    given_ends,
    priced_at,
    within_places,
)
from optimizer.decompose.choose import choose
from optimizer.decompose.covered import room_of
from optimizer.decompose.covering import BARRED_USD
from optimizer.decompose.dual import Case, quota_use
from optimizer.decompose.fleet import Fleet, ThinFleet
from optimizer.decompose.last import Last
from optimizer.decompose.matching import Kept, Match, kept_rows
from optimizer.decompose.mending import few_moves, many_moves
from optimizer.decompose.sweep import list_counts
from optimizer.decompose.tariff import Prices
from optimizer.decompose.ways import find_ways, single_units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FACTORS = (0.6, 1.5)
"""Factors on prices of quotas at which changed cells are asked, beside what they are."""

LEAST_SAVING = 0.01
"""What moving must save at least, as a share of what a group costs at list prices."""


WITHIN_REACH = 2.0
"""Times the gap that is asked for from which few moves may lead to it."""


@dataclass(frozen=True, eq=False)
class Again:
    """A plan that keeps most of the last one.

    ``since`` as in ``Stays``; ``changed``: cells that were answered anew; ``gap``: of the plan that
    most has been kept of.
    """

    fleet: Fleet
    since: Floats
    changed: int
    gap: float


@dataclass(frozen=True, eq=False)
class Former:
    """What the last plan left behind for a case, and what a plan that keeps most of it must reach.

    ``regret`` [group of the last plan] is what its rows cost above the least of then; ``barred``
    [lane]: lanes that plans must not use; ``within``: the relative gap that is good enough.
    """

    case: Case
    kept: Kept
    regret: Floats
    barred: Bools
    gap: float
    within: float

    @classmethod
    def find(
        cls,
        case: Case,
        last: Last,
        found: Match,
        within: float,
        barred: Callable[[Floats], Bools | None],
    ) -> Self | None:
        """None: no way was found on which workflows are fast enough.

        ``barred``: lanes that plans must not use, from the share of its traffic that each lane
        would like to have [lane].
        """
        closed = barred(np.where(found.lane >= 0, last.share[found.lane], 0.0))
        if closed is None:
            return None
        kept = kept_rows(last, case, found)
        return cls(case, kept, last.regret, closed, float(last.gap), within)

    def plan(self, climb: Ascent, anew: bool) -> Again | None:
        """Keep most at the prices that were proven last; None: not near enough to the bound.

        What is kept as it is comes first. If that is not enough, levels are filled by few moves;
        ``anew``: of all cells, to what they would do at prices found since.
        """
        case, prices = self.case, climb.centre or climb.prices
        stays = staying(case, self.regret, prices, self.kept, climb.least, self.barred)
        fleet = patched(case, prices, stays.kept, self.barred)
        if fleet is None:
            return None
        nobody = np.zeros(len(stays.kept.same), np.bool_)
        gap = (fleet.usd - climb.proven) / fleet.usd
        if gap <= self.within:
            return self._again(stays, fleet, nobody)
        shared = len(case.limits.quota_limit) or len(case.covered.cover)
        if not shared or (not anew and gap > WITHIN_REACH * self.within):
            return None
        detour = np.where(self.barred, BARRED_USD, 0.0)
        own = case.tariff.routes(replace(prices, ends=np.zeros_like(prices.ends))) + detour
        found = few_moves(fleet, prices, own)
        if anew:
            found = many_moves(fleet, prices, climb.likely(), own, detour)
        for mended, moved in found:
            if climb.proven < (1.0 - self.within) * mended.usd:
                continue
            settled = lawful(mended, prices, given_ends(case, own, mended.share), self.barred)
            if settled is not None and climb.proven >= (1.0 - self.within) * settled.usd:
                return self._again(stays, settled, moved)
        return None

    def _again(self, stays: Stays, fleet: Fleet, moved: Bools) -> Again:
        """``moved`` [cell]: beside those that do not stay."""
        since = stays.since.copy()
        since[self.case.cells.cell_group[moved]] = 0.0
        changed = int((moved | ~stays.kept.same).sum())
        return Again(fleet, since, changed, self.gap)


@dataclass(frozen=True, eq=False)
class Stays:
    """What stays of the last plan.

    ``since`` [group]: by how much what the group runs has got dearer than the best answer has,
    since it chose that, USD; 0 where it chooses now.
    """

    kept: Kept
    since: Floats


def staying(
    case: Case, regret: Floats, prices: Prices, kept: Kept, least: Floats, barred: Bools
) -> Stays:
    """What of ``kept`` stays: groups that would save less than ``LEAST_SAVING`` by moving.

    ``least`` [group] is what the best answers cost at ``prices``, ``regret`` as in ``Former``. Rows
    are rarely the best answer, for the sake of quotas, levels of commitments and calls. At the same
    prices these are as they were: whatever is added to the regret is that offerings got dearer
    which the group uses, or cheaper which it does not use.
    """
    asks, group = case.cells.asks, case.cells.cell_group
    stood = np.zeros(len(least), np.bool_)
    stood[group] = kept.same
    fleet = kept.fleet(case)
    dearer = fleet.at_prices(prices) - least - regret[kept.group]
    since = np.where(stood, np.maximum(dearer, 0.0), 0.0)
    leaves = since > LEAST_SAVING * fleet.at_prices(_nothing(prices))
    group_of_lane = group[np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))]
    leaves[group_of_lane[barred & (kept.share > 0)]] = True
    return Stays(kept.without(case, leaves), np.where(leaves, 0.0, since))


def patched(case: Case, prices: Prices, kept: Kept, barred: Bools) -> Fleet | None:
    """What is kept of the last plan, with new answers for all other cells.

    None where the rules cannot be kept like that.
    """
    changed = np.unique(case.cells.cell_group[~kept.same])
    held, share = kept.held.copy(), kept.share.copy()
    alive = np.zeros_like(held)
    detour = barred * BARRED_USD
    own = case.tariff.routes(replace(prices, ends=np.zeros_like(prices.ends))) + detour
    routes = case.tariff.routes(prices) + detour

    def fleet_at(usd: Floats, routes: Floats) -> Fleet | None:
        if not answer_groups(case, usd, routes, prices.rooms, changed, held, alive, share):
            return None
        rows = list_counts(case.stock, case.asks, usd, changed, held, alive)
        return Fleet(
            case,
            np.concatenate([kept.cell, rows[0]]),
            np.concatenate([kept.candidate, rows[1]]),
            np.concatenate([kept.count, rows[2]]),
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
    answers = [ThinFleet.of(fleet) for fleet in fleets]
    ways = find_ways(case, answers, single_units(case)).with_routes(routes)
    room = room_of(case.covered, fleets[0].levels)
    liked, shut = priced_at(case, prices, 0.6), priced_at(case, prices, None)
    before = np.full(len(ways.first_cell), len(fleets) - 1)
    moves = ~kept.same[ways.first_cell]
    chosen = choose(ways, prices, routes, room, liked, shut, before, moves, moves)
    if chosen is None:
        return None
    return lawful(chosen[0], prices, routes, barred)


def lawful(fleet: Fleet, prices: Prices, routes: Floats, barred: Bools) -> Fleet | None:
    """The fleet with services in no more places than they may use; None: it breaks other rules.

    ``routes`` [lane]: prices of routes for who must find another place.
    """
    case, limits = fleet.case, fleet.case.limits
    found = within_places(fleet, prices, priced_at(case, prices, None), routes)
    if found is None or found.share[barred].max(initial=0.0) > 0.0:
        return None
    over = (quota_use(case, found.used) > limits.quota_limit[:, None] * (1 + 1e-9)).any()
    over |= (found.spending > limits.budget_limit * (1 + 1e-9)).any()
    return None if over else found


def _nothing(prices: Prices) -> Prices:
    """Prices at which everything costs what is on its list."""
    return Prices(*(np.zeros_like(getattr(prices, field.name)) for field in fields(Prices)))
