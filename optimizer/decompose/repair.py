"""From prices to a plan: lawful cells, routes that know where calls go, limits that are kept.

Cells are asked what they would do at several prices, which makes their *ways*. Of these the best
mix is made whole; what levels of commitments and quotas still have room for is filled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from optimizer.decompose.asking import (
    ALMOST_FREE,
    given_ends,
    most_counted,
    priced_at,
    settled,
    within_places,
)
from optimizer.decompose.choose import choose, fleet_of, made_whole
from optimizer.decompose.covered import room_of
from optimizer.decompose.covering import BARRED_USD
from optimizer.decompose.dual import Case, quota_use
from optimizer.decompose.fleet import Fleet, ThinFleet
from optimizer.decompose.relaxed import Relaxed, relax, relax_near
from optimizer.decompose.swaps import swapped
from optimizer.decompose.tariff import Prices
from optimizer.decompose.ways import Ways, find_ways, single_units, tied_units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


LEVELS = (0.6, 1.5)
"""Factors on the prices of quotas at which groups are asked what they would do."""
REFITS = 2
"""How often units swap ways, and levels are fitted to what they choose."""
FILLS = 4
"""How often cells look again at what is left of levels, and at where calls go, at most."""
WORTHWHILE = 1e-4
"""What of its cost a plan must gain for cells to look again."""
DEARER = (0.2, 0.4, 1.0, 2.0)
"""By how much prices of budgets that are overdrawn rise from one attempt to the next."""


def make_fleet(
    case: Case, prices: Prices, recent: Sequence[Prices] = (), barred: Bools | None = None
) -> tuple[Fleet, tuple[ThinFleet, ...]] | None:
    """A plan that keeps quotas, and what cells answered on the way; None: none was found.

    ``recent``: prices to which cells' answers make up the best mix so far, the heaviest first;
    ``barred`` [lane]: lanes that must not be used.
    """
    detour = np.zeros(len(case.lane_slot))
    if barred is not None:
        detour[barred] = BARRED_USD
    own = case.tariff.routes(replace(prices, ends=prices.ends * 0)) + detour
    answers = cell_answers(case, prices, recent, own, detour)
    if answers is None:
        return None
    near = _refined(case, prices, answers, own, detour) if _mixes(case) else None
    ways = find_ways(case, answers, single_units(case)).with_routes(own)
    tied = find_ways(case, answers, tied_units(case)).with_calls(own) if len(case.links) else ways
    for dearer in DEARER:
        fleet = _filling(ways, tied, prices, own, near)
        if fleet is not None:
            # Others may need what quotas count.
            shut = priced_at(case, prices, None)
            fleet = within_places(fleet, prices, shut, given_ends(case, own, fleet.share))
        if fleet is None or (barred is not None and fleet.share[barred].max(initial=0.0) > 0.0):
            return None
        over = fleet.spending > case.limits.budget_limit * (1 + 1e-9)
        if not over.any():
            return fleet, tuple(answers)
        raised = prices.budget + dearer * np.maximum(prices.budget, 0.05)
        prices = replace(prices, budget=np.where(over, raised, prices.budget))
    return None


def cell_answers(
    case: Case, prices: Prices, recent: Sequence[Prices], own: Floats, detour: Floats
) -> list[ThinFleet] | None:
    """What cells do at several prices; None: some have no lawful way.

    The last answer uses quotas only where there is no other.
    """
    state = settled(case, prices, case.tariff.candidates(prices), own, detour)
    if state is None:
        return None
    if len(case.links):
        state.gather()
        state.settle()
    answers = [ThinFleet.of(state.fleet(prices))]
    del state  # as large as some answers

    def answer(asked: tuple[Prices, float | None, float]) -> ThinFleet | None:
        found = settled(case, asked[0], priced_at(case, *asked), own, detour)
        return None if found is None else ThinFleet.of(found.fleet(asked[0]))

    with ThreadPoolExecutor(2) as pool:
        questions = _questions(case, prices, recent)
        answers += [a for a in pool.map(answer, questions) if a is not None]
    return answers


def _refined(
    case: Case, prices: Prices, answers: list[ThinFleet], own: Floats, detour: Floats
) -> tuple[Prices, Ints]:
    """Add what cells do at the prices of the best mix of their answers; these prices, and the ways
    of units that tied cells make in that mix.
    """
    mixed = relax(find_ways(case, answers, tied_units(case)).with_calls(own), prices)
    state = settled(case, mixed.prices, case.tariff.candidates(mixed.prices), own, detour)
    if state is None:
        return mixed.prices, mixed.heaviest
    answers.insert(0, ThinFleet.of(state.fleet(mixed.prices)))
    return mixed.prices, mixed.heaviest + 1


def _filling(
    ways: Ways, tied: Ways, prices: Prices, own: Floats, near: tuple[Prices, Ints] | None
) -> Fleet | None:
    """One way for each, from the best mix of ways, or whoever gains most per scarce thing first.

    Then cells look again, one half at a time, at what is left of levels, whose usage costs next to
    nothing, and at where the other ends of their calls are now; ``own`` are prices of routes
    without calls.
    """
    case, of = ways.case, ways.case.covered
    liked, barred = priced_at(case, prices, 0.6), priced_at(case, prices, None)
    full = replace(prices, covered=np.full_like(prices.covered, most_counted(case, prices)))
    full = replace(full, covered=full.covered * ALMOST_FREE)

    def starts() -> Iterator[tuple[Fleet, Ints] | None]:
        if near is not None:
            mixed = relax_near(tied, replace(near[0], budget=prices.budget), near[1])
            yield _rounded(tied, mixed, prices)
        whole = np.zeros(len(tied.first_cell), np.bool_) if len(case.links) else None
        nothing = np.zeros_like(prices.covered)
        yield choose(tied, prices, own, nothing, liked, barred, may_split=whole)

    best: Fleet | None = None
    for start in starts():
        if start is None:
            continue
        fleet, way = start[0], start[1][tied.unit_of_cell][ways.first_cell]
        worth = _counts(fleet, prices)
        if best is not None and worth >= _counts(best, prices):
            continue
        best = fleet
        for _ in range(FILLS):
            for half in _may_move(ways):
                here = given_ends(case, own, fleet.share)
                room = room_of(of, fleet.levels)
                found = choose(
                    ways.with_routes(here), full, here, room, liked, barred, way, half
                )  # fmt: skip
                if found is not None:
                    fleet, way = found
            before, worth = worth, _counts(fleet, prices)
            if worth < _counts(best, prices):
                best = fleet
            if worth > before * (1.0 - WORTHWHILE):
                break
    return best


def _rounded(tied: Ways, mixed: Relaxed, prices: Prices) -> tuple[Fleet, Ints] | None:
    """The best mix of ways, made whole: fleet and way of each unit; None: it lacks quotas.

    The few units that the mix divides choose one by one; then units swap ways.
    """
    case = tied.case
    chosen = made_whole(tied, mixed, prices)
    fleet = fleet_of(tied, chosen)
    bought = (mixed.level - case.covered.cover.owned).max(axis=1, initial=0.0)
    for _ in range(REFITS):
        chosen = swapped(tied, mixed, prices, fleet, bought, chosen)
        fleet = fleet_of(tied, chosen)
        bought = fleet.levels.bought
    over = quota_use(case, fleet.used) > case.limits.quota_limit[:, None] * (1 + 1e-9)
    return None if over.any() else (fleet, chosen)


def with_other_ways(
    fleet: Fleet, others: Sequence[ThinFleet], prices: Prices, barred: Bools | None
) -> Fleet:
    """The best fleet in which every unit does what it does in one of them; ``fleet`` is lawful.

    The last of ``others`` uses quotas only where there is no other way; ``barred`` as above.
    """
    case, limits = fleet.case, fleet.case.limits
    own = case.tariff.routes(replace(prices, ends=prices.ends * 0))
    closed = np.zeros(len(own), np.bool_) if barred is None else barred
    own[closed] += BARRED_USD
    tied = find_ways(case, (ThinFleet.of(fleet), *others), tied_units(case)).with_calls(own)
    found: list[Fleet] = []
    if _mixes(case):
        as_is = np.zeros(len(tied.first_cell), np.int64)
        mixed = relax_near(tied, prices, as_is)
        chosen = swapped(tied, mixed, prices, fleet, fleet.levels.bought, as_is)
        rounded = _rounded(tied, mixed, prices)
        found += [fleet_of(tied, chosen), *(rounded[:1] if rounded is not None else ())]
    else:
        found.append(fleet_of(tied, tied.usd(prices).argmin(axis=0)))
    best = fleet
    shut = priced_at(case, prices, None)
    for other in found:
        kept = within_places(other, prices, shut, given_ends(case, own, other.share))
        if kept is None or kept.usd >= best.usd or (kept.share[closed] > 0.0).any():
            continue
        over = quota_use(case, kept.used) > limits.quota_limit[:, None] * (1 + 1e-9)
        if not over.any() and not (kept.spending > limits.budget_limit * (1 + 1e-9)).any():
            best = kept
    return best


def _mixes(case: Case) -> bool:
    """Whether which ways units go matters to others."""
    return bool(len(case.limits.quota_limit) or len(case.covered.cover))


def _counts(fleet: Fleet, prices: Prices) -> float:
    """What a fleet costs where budgets have prices."""
    return fleet.usd + float(prices.budget @ fleet.spending)


def _may_move(ways: Ways) -> list[Bools]:
    """Units that may move at once [unit]: callers do not move while callees do."""
    case = ways.case
    if not len(case.links):
        return [np.ones(len(ways.first_cell), np.bool_)]
    group = case.cells.cell_group[ways.first_cell]
    return [~np.isin(group, other) for other in case.halves]


def _questions(
    case: Case, prices: Prices, recent: Sequence[Prices]
) -> Iterator[tuple[Prices, float | None, float]]:
    """What ``priced_at`` makes prices of candidates from at which cells are asked what they do."""
    if not case.shares:
        return
    for level in LEVELS if len(case.limits.quota_limit) else ():
        yield prices, level, 1.0
    for others in recent:
        yield others, 1.0, 1.0
    yield prices, None, 1.0
    yield prices, None, 0.0
