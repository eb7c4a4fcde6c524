"""From prices to a plan: lawful cells, routes that know where calls go, limits that are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.rules import MaxPlacesRule
from optimizer.decompose.calls import cost_of_each, given_other_end
from optimizer.decompose.choose import Ways, choose, find_ways, single_units, tied_units
from optimizer.decompose.covered import room_of
from optimizer.decompose.covering import BARRED_USD, INFINITE
from optimizer.decompose.dual import Case
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.lacking import unmet_usd
from optimizer.decompose.master import Mix
from optimizer.decompose.sweep import list_counts, sweep
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OUT_OF_THE_QUESTION = 1e4
"""Factor on the price of what a full quota counts."""
ALMOST_FREE = 0.999
"""Most of the list price that covered usage may be spared: what is free would run idle."""


def answer_groups(
    case: Case,
    usd: Floats,
    route_usd: Floats,
    rooms: Floats,
    groups: Ints,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> bool:
    """Solve groups at prices; False when one of them has no lawful way."""
    cells = case.cells
    used, value = np.zeros_like(usd), np.zeros(len(cells.asks.group_span))
    sweep(
        case.stock, case.asks, usd, route_usd, rooms, groups, True, used, held, alive, share, value
    )
    return bool(value[groups].max(initial=0.0) < INFINITE)


LEVELS = (0.0, 0.6, 0.9, 1.0, 1.1, 1.5)
"""Factors on the prices of quotas at which groups are asked what they would do."""
NEAR = 0.05
"""How much more than its price covered usage is worth to cells until levels are full."""
FILLS = 4
"""How often cells look again at what is left of levels, and at where calls go."""
DEARER = (0.02, 0.05, 0.15, 0.4, 1.0, 2.0)
"""By how much prices of budgets that are overdrawn rise from one attempt to the next."""


def make_fleet(
    case: Case,
    prices: Prices,
    mix: Mix | None = None,
    recent: Sequence[Prices] = (),
    barred: Bools | None = None,
) -> Fleet | None:
    """A plan that keeps quotas; None: none was found.

    ``mix``: what would be best for the fleet if cells could do several things in part; ``recent``:
    prices to which cells' answers make up that mix; ``barred`` [lane]: lanes that must not be used.
    """
    detour = np.zeros(len(case.lane_slot))
    if barred is not None:
        detour[barred] = BARRED_USD
    own = case.tariff.routes(replace(prices, ends=prices.ends * 0)) + detour
    state = _settled(case, prices, case.tariff.candidates(prices), own, detour)
    if state is None:
        return None
    if len(case.links):
        for region in range(len(case.cells.world.regions)):
            state.gather(region)
        state.settle(1)
    answers = [state.fleet()]

    def answer(asked: tuple[Prices, Floats]) -> Fleet | None:
        found = _settled(case, *asked, own, detour)
        return None if found is None else found.fleet()

    with ThreadPoolExecutor(2) as pool:
        answers += [a for a in pool.map(answer, _questions(case, prices, recent)) if a is not None]
    ways = find_ways(case, answers, single_units(case))
    tied = find_ways(case, answers, tied_units(case)).with_calls(own) if len(case.links) else None
    for dearer in DEARER:
        fleet = _filling(ways, tied, prices, own, mix)
        if fleet is not None:
            fleet = within_places(fleet, prices, given_ends(case, own, fleet.share))
        if fleet is None or (barred is not None and fleet.share[barred].max(initial=0.0) > 0.0):
            return None
        over = fleet.spending > case.limits.budget_limit * (1 + 1e-9)
        if not over.any():
            return fleet
        raised = prices.budget + dearer * np.maximum(prices.budget, 0.05)
        prices = replace(prices, budget=np.where(over, raised, prices.budget))
    return None


def _filling(
    ways: Ways, tied: Ways | None, prices: Prices, own: Floats, mix: Mix | None
) -> Fleet | None:
    """One way for each, first for the levels that would suit the mix, then to fill what is bought.

    Usage within a level that is paid for anyway costs next to nothing. Services that call each
    other choose together first (``tied``), and then look again, one half at a time, at where the
    other ends of their calls are now; ``own`` are prices of routes without calls.
    """
    case, of = ways.case, ways.case.covered
    liked, barred = priced_at(case, prices, 0.6), priced_at(case, prices, None)
    most = _counted(case, prices)
    nothing = np.zeros_like(prices.covered)
    starts = [(prices, nothing)]
    if mix is not None and of.classes:
        eager = replace(prices, covered=np.minimum(prices.covered + NEAR, most))
        starts = [(eager, mix.covered), (prices, room_of(of, ways.fleets[-1].levels))]
    full = replace(prices, covered=np.full_like(nothing, most * ALMOST_FREE))
    halves = _may_move(ways)
    best: Fleet | None = None
    whole = None if tied is None else np.zeros(len(tied.first_cell), np.bool_)
    for worth, room in starts:
        if tied is None:
            chosen = choose(ways.with_routes(own), worth, own, room, liked, barred)
        else:
            chosen = choose(
                tied,
                worth,
                own,
                room,
                liked,
                barred,
                may_split=whole,
            )
            if chosen is not None:
                of_cell = chosen[1][tied.unit_of_cell]
                chosen = chosen[0], of_cell[ways.first_cell]
        for _ in range(FILLS):
            if chosen is None or (
                best is not None and _counts(chosen[0], prices) >= _counts(best, prices)
            ):
                break
            best = chosen[0]
            for half in halves:
                if chosen is None:
                    break
                fleet, way = chosen
                here = given_ends(case, own, fleet.share)
                chosen = choose(
                    ways.with_routes(here), full, here, room_of(of, fleet.levels), liked, barred,
                    way, half,
                )  # fmt: skip
    return best


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


def given_ends(case: Case, own: Floats, share: Floats) -> Floats:
    """Prices of routes [lane] when the other ends of all calls stay where they are."""
    links, routes = case.links, own.copy()
    for end in (0, 1):
        given_other_end(links.lane, links.places, links.gb, links.usd_per_gb,
                        links.region_of_lane, share, end, routes)  # fmt: skip
    return routes


def _questions(
    case: Case, prices: Prices, recent: Sequence[Prices]
) -> Iterator[tuple[Prices, Floats]]:
    """Prices, and USD of candidates [candidate, span], at which cells are asked what they do."""
    if not case.shares:
        return
    for level in LEVELS if len(case.limits.quota_limit) else ():
        yield prices, priced_at(case, prices, level)
    for others in recent:
        yield others, priced_at(case, others, 1.0)
    yield prices, priced_at(case, prices, None)
    yield prices, priced_at(case, prices, None, 0.0)


def priced_at(case: Case, prices: Prices, level: float | None, worth: float = 1.0) -> Floats:
    """Candidates with the prices of quotas times ``level``; None: what quotas count is barred."""
    most = _counted(case, prices)
    usd = case.tariff.candidates(
        replace(
            prices,
            quota=prices.quota * (level or 0.0),
            covered=np.minimum(prices.covered * worth, most * ALMOST_FREE),
        )
    )
    if level is None:
        counted = np.asarray(case.limits.quota_use.sum(axis=1)).ravel() > 0
        usd[counted] *= OUT_OF_THE_QUESTION
    return usd


def _counted(case: Case, prices: Prices) -> float:
    """What a dollar that commitments cover counts, at the most."""
    return float(1.0 + (prices.budget @ case.covered.counts).max(initial=0.0))


def _settled(
    case: Case, prices: Prices, usd: Floats, own: Floats, detour: Floats, rounds: int = 2
) -> _State | None:
    """What cells do at prices, once those that call each other have found their places."""
    asks = case.cells.asks
    held, alive = np.zeros(len(asks.place), np.int64), np.zeros(len(asks.place), np.int64)
    share = np.zeros(len(asks.may))
    everything = np.arange(len(asks.group_span))
    routes = case.tariff.routes(prices) + detour
    if not answer_groups(case, usd, routes, prices.rooms, everything, held, alive, share):
        return None
    state = _State(case, usd, own, prices.rooms, held, alive, share)
    if len(case.links):
        state.settle(rounds)
    return state


@dataclass(eq=False)
class _State:
    """What cells do while services that call each other find their places."""

    case: Case
    usd: Floats
    own: Floats  # [lane] routes without calls
    rooms: Floats
    held: Ints
    alive: Ints
    share: Floats

    def routes(self) -> Floats:
        """Prices of routes when the other ends of all calls stay where they are."""
        return given_ends(self.case, self.own, self.share)

    def fleet(self) -> Fleet:
        everything = np.arange(len(self.case.cells.asks.group_span))
        rows = list_counts(
            self.case.stock, self.case.asks, self.usd, everything, self.held, self.alive
        )
        return Fleet(self.case, *rows, self.held, self.share)

    def settle(self, rounds: int) -> None:
        """Let callers and callees answer each other."""
        for _ in range(rounds):
            for half in self.case.halves:
                answer_groups(self.case, self.usd, self.routes(), self.rooms, half, self.held,
                       self.alive, self.share)  # fmt: skip

    def gather(self, region: int) -> None:
        """Let all that call each other move to a region together, where that pays."""
        case, cells, asks = self.case, self.case.cells, self.case.cells.asks
        linked = np.sort(np.concatenate(case.halves))
        before = self._usd_of_units(linked)
        kept = self.held.copy(), self.alive.copy(), self.share.copy()
        away = self.own + case.pull * (case.links.region_of_lane != region)
        answer_groups(case, self.usd, away, self.rooms, linked, self.held, self.alive, self.share)
        self.settle(1)
        worse = self._usd_of_units(linked) > before - 1e-9
        back = worse[case.unit_of_group]
        cell_back = back[cells.cell_group]
        slots = np.repeat(cell_back, np.diff(asks.slot_start))
        lanes = np.repeat(cell_back, np.diff(asks.lane_start))
        self.held[slots], self.alive[slots] = kept[0][slots], kept[1][slots]
        self.share[lanes] = kept[2][lanes]

    def _usd_of_units(self, groups: Ints) -> Floats:
        """USD at prices of each set of services that call each other, hour by hour."""
        case, cells, asks, links = self.case, self.case.cells, self.case.cells.asks, self.case.links
        cell, good, count = list_counts(
            case.stock, case.asks, self.usd, groups, self.held, self.alive
        )
        group = cells.cell_group[cell]
        unit = case.unit_of_group
        total = np.bincount(unit[group], self.usd[good, asks.group_span[group]] * count, case.units)
        lane_group = cells.cell_group[
            np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
        ]
        total += np.bincount(unit[lane_group], self.own * self.share, case.units)
        lacking = unmet_usd(asks, self.held.astype(np.float64), self.share)
        total += np.bincount(unit[cells.cell_group], lacking, case.units)
        between = cost_of_each(
            links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane, self.share
        )
        total += np.bincount(unit[lane_group[links.lane[:, 0]]], between, case.units)
        return np.asarray(total, np.float64)


def within_places(fleet: Fleet, prices: Prices, routes: Floats) -> Fleet | None:
    """The same fleet with services in no more places than they may use; None: one cannot.

    Closes the place with the fewest instances that the service can do without, and lets it find
    another way, which uses no quota that others may need.
    """
    cells = fleet.case.cells
    world = cells.world
    usd = priced_at(fleet.case, prices, None)
    for rule in world.rules:
        if not isinstance(rule, MaxPlacesRule):
            continue
        s = world.service_index[rule.service]
        groups = np.flatnonzero(cells.group_service == s)
        closed = usd
        while len(used := _places_of(fleet, groups)) > rule.at_most:
            for region in sorted(used, key=lambda r: used[r]):
                shut = cells.assortment_of[s] == cells.goods.assortment
                shut &= cells.goods.region == region
                fewer = np.where(shut[:, None], closed * OUT_OF_THE_QUESTION, closed)
                moved = _other_way(fleet, prices, fewer, routes, groups)
                if moved is not None and len(_places_of(moved, groups)) < len(used):
                    fleet, closed = moved, fewer
                    break
            else:
                return None
    return fleet


def _places_of(fleet: Fleet, groups: Ints) -> dict[int, int]:
    """Regions that groups use, and how many instances run there."""
    cells = fleet.case.cells
    mine = np.isin(cells.cell_group[fleet.cell], groups)
    used: dict[int, int] = {}
    for region, count in zip(
        cells.goods.region[fleet.candidate[mine]].tolist(), fleet.count[mine].tolist(), strict=True
    ):
        used[region] = used.get(region, 0) + count
    return used


def _other_way(
    fleet: Fleet, prices: Prices, usd: Floats, routes: Floats, groups: Ints
) -> Fleet | None:
    """The fleet with ``groups`` solved anew at other prices of candidates; None: no lawful way."""
    case, cells = fleet.case, fleet.case.cells
    held, share = fleet.held.copy(), fleet.share.copy()
    alive = np.zeros_like(held)
    if not answer_groups(case, usd, routes, prices.rooms, groups, held, alive, share):
        return None
    cell, candidate, count = list_counts(case.stock, case.asks, usd, groups, held, alive)
    stay = ~np.isin(cells.cell_group[fleet.cell], groups)
    return Fleet(
        case,
        np.concatenate([fleet.cell[stay], cell]),
        np.concatenate([fleet.candidate[stay], candidate]),
        np.concatenate([fleet.count[stay], count]),
        held,
        share,
    )
