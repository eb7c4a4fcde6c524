"""Cells are asked what they do at given prices, and answer lawfully: places, counts and routes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.rules import MaxPlacesRule
from optimizer.decompose.calls import cost_of_each, given_other_end
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.dual import Case
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.lacking import unmet_usd
from optimizer.decompose.sweep import list_counts, sweep
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OUT_OF_THE_QUESTION = 1e4
"""Factor on the price of what a full quota counts."""
WORTH_TWO_THREADS = 10_000
"""Groups from which two threads are worth starting: some ten milliseconds of work."""
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

    def solve(part: Ints) -> None:
        sweep(
            case.stock, case.asks, usd, route_usd, rooms, part, True, True, used, held, alive,
            share, value,
        )  # fmt: skip

    parts = _halves(case, groups)
    if len(parts) > 1:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(solve, parts))
    else:
        solve(groups)
    return bool(value[groups].max(initial=0.0) < INFINITE)


def _halves(case: Case, groups: Ints) -> list[Ints]:
    """Groups in two parts of whole assortments, which write to different candidates; few in one."""
    if len(groups) < WORTH_TWO_THREADS:
        return [groups]
    assortment = case.cells.asks.group_assortment[groups]
    cut = int(np.searchsorted(assortment, assortment[len(groups) // 2]))
    return [part for part in (groups[:cut], groups[cut:]) if len(part)]


def given_ends(case: Case, own: Floats, share: Floats) -> Floats:
    """Prices of routes [lane] when the other ends of all calls stay where they are."""
    links, routes = case.links, own.copy()
    for end in (0, 1):
        given_other_end(links.lane, links.places, links.gb, links.usd_per_gb,
                        links.region_of_lane, share, end, routes)  # fmt: skip
    return routes


def priced_at(case: Case, prices: Prices, level: float | None, worth: float = 1.0) -> Floats:
    """Candidates with the prices of quotas times ``level``; None: what quotas count is barred."""
    most = most_counted(case, prices)
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


def most_counted(case: Case, prices: Prices) -> float:
    """What a dollar that commitments cover counts, at the most."""
    return float(1.0 + (prices.budget @ case.covered.counts).max(initial=0.0))


def settled(
    case: Case, prices: Prices, usd: Floats, own: Floats, detour: Floats
) -> Answering | None:
    """What cells do at prices, once those that call each other have found their places."""
    asks = case.cells.asks
    held, alive = np.zeros(len(asks.place), np.int64), np.zeros(len(asks.place), np.int64)
    share = np.zeros(len(asks.may))
    everything = np.arange(len(asks.group_span))
    routes = case.tariff.routes(prices) + detour
    if not answer_groups(case, usd, routes, prices.rooms, everything, held, alive, share):
        return None
    state = Answering(case, usd, own, prices.rooms, held, alive, share)
    if len(case.links):
        state.settle()
    return state


@dataclass(eq=False)
class Answering:
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

    def fleet(self, prices: Prices) -> Fleet:
        """Services are in no more places than they may use, if that can be had."""
        everything = np.arange(len(self.case.cells.asks.group_span))
        rows = list_counts(
            self.case.stock, self.case.asks, self.usd, everything, self.held, self.alive
        )
        fleet = Fleet(self.case, *rows, self.held, self.share)
        return within_places(fleet, prices, self.usd, self.routes()) or fleet

    def settle(self, units: Bools | None = None) -> None:
        """Let callers and callees answer each other, once; a second time hardly moves anybody.

        ``units`` [unit]: of which services, hour by hour; None: of all.
        """
        for half in self.case.halves:
            groups = half if units is None else half[units[self.case.unit_of_group[half]]]
            answer_groups(
                self.case, self.usd, self.routes(), self.rooms, groups, self.held, self.alive,
                self.share,
            )  # fmt: skip

    def gather(self) -> None:
        """Let all that call each other move to a region together, where that pays."""
        linked = np.sort(np.concatenate(self.case.halves))
        usd = self._usd_of_units(linked)
        for region in range(len(self.case.cells.world.regions)):
            usd = self._gather(region, linked, usd)

    def _gather(self, region: int, linked: Ints, before: Floats) -> Floats:
        """Try one region, for those that have calls both ends of which may be there.

        ``before`` [unit] is what their groups, ``linked``, cost; returns what they cost then.
        """
        case, cells, asks = self.case, self.case.cells, self.case.cells.asks
        meets = _may_meet(case, region)
        groups = linked[meets[case.unit_of_group[linked]]]
        if not len(groups):
            return before
        kept = self.held.copy(), self.alive.copy(), self.share.copy()
        away = self.own + case.pull * (case.links.region_of_lane != region)
        answer_groups(case, self.usd, away, self.rooms, groups, self.held, self.alive, self.share)
        self.settle(meets)
        after = self._usd_of_units(groups)
        worse = ~meets | (after > before - 1e-9)
        back = worse[case.unit_of_group]
        cell_back = back[cells.cell_group]
        slots = np.repeat(cell_back, np.diff(asks.slot_start))
        lanes = np.repeat(cell_back, np.diff(asks.lane_start))
        self.held[slots], self.alive[slots] = kept[0][slots], kept[1][slots]
        self.share[lanes] = kept[2][lanes]
        return np.where(worse, before, after)

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
        lacking = unmet_usd(case.asks, self.held.astype(np.float64), self.share)
        total += np.bincount(unit[cells.cell_group], lacking, case.units)
        between = cost_of_each(
            links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane, self.share
        )
        total += np.bincount(unit[lane_group[links.lane[:, 0]]], between, case.units)
        return np.asarray(total, np.float64)


def _may_meet(case: Case, region: int) -> Bools:
    """Whether any call of a unit may start and end in a region [unit]."""
    links = case.links
    there = (links.region_of_lane == region) & links.may
    so_far = np.concatenate([[0], np.cumsum(there[links.lane_of])])
    ends = so_far[links.start[1:]] > so_far[links.start[:-1]]
    both = ends.reshape(-1, 2).all(axis=1)
    found = np.zeros(case.units, np.bool_)
    found[case.unit_of_link[both]] = True
    return found


def within_places(fleet: Fleet, prices: Prices, usd: Floats, routes: Floats) -> Fleet | None:
    """The same fleet with services in no more places than they may use; None: one cannot.

    Closes the place with the fewest instances that the service can do without, and lets it find
    another way at ``usd`` [candidate, span] and ``routes`` [lane].
    """
    cells = fleet.case.cells
    world = cells.world
    used_by = np.zeros((len(world.services), len(world.regions)), np.bool_)
    service = cells.group_service[cells.cell_group[fleet.cell]]
    used_by[service, cells.goods.region[fleet.candidate]] = True
    places = used_by.sum(axis=1)
    for rule in world.rules:
        if not isinstance(rule, MaxPlacesRule):
            continue
        s = world.service_index[rule.service]
        if places[s] <= rule.at_most:
            continue
        groups = np.flatnonzero(cells.group_service == s)
        closed = usd
        while len(used := _places_of(fleet, groups)) > rule.at_most:
            for region in sorted(used, key=lambda r: used[r]):
                shut = cells.assortment_of[s] == cells.goods.assortment
                shut &= cells.goods.region == region
                fewer = np.where(shut[:, None], closed * OUT_OF_THE_QUESTION, closed)
                moved = other_way(fleet, prices, fewer, routes, groups)
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


def other_way(
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
