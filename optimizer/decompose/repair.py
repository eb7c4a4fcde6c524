"""From prices to a plan: lawful cells, routes that know where calls go, limits that are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.rules import MaxPlacesRule
from optimizer.compiled import compiled
from optimizer.decompose.calls import cost_of_each, given_other_end, link_cost, pay_links
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.dual import (
    Case,
    Prices,
    priced_candidates,
    priced_routes,
    quota_use,
    spending,
)
from optimizer.decompose.split import split_cells
from optimizer.decompose.sweep import list_counts, sweep

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OUT_OF_THE_QUESTION = 1e4
"""Factor on the price of what a full quota counts."""


@dataclass(eq=False)
class Fleet:
    """What every cell runs, and who is served from where."""

    case: Case
    cell: Ints  # [row]
    candidate: Ints  # [row]
    count: Ints  # [row]
    held: Ints  # [slot]
    share: Floats  # [lane]

    @property
    def used(self) -> Floats:
        """[candidate, span]"""
        cells = self.case.cells
        used = np.zeros((len(cells.stock.size), len(cells.spans)))
        span = cells.asks.group_span[cells.cell_group[self.cell]]
        np.add.at(used, (self.candidate, span), self.count)
        return used

    @property
    def spending(self) -> Floats:
        """USD per budget over the horizon, calls between services included."""
        case, world = self.case, self.case.cells.world
        links, limits = case.links, case.limits
        spent = spending(case, self.used, self.share)
        if len(links) and len(spent):
            bill = np.zeros((len(world.services), len(world.regions)))
            index = world.service_index
            ends = np.array([(index[d.caller], index[d.callee]) for d in world.dependencies])
            pay_links(
                links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane,
                self.share, ends[links.dependency], np.zeros(len(world.regions), np.int64), bill,
                bill,
            )  # fmt: skip
            for b in range(len(spent)):
                spent[b] += bill[np.ix_(limits.counts_service[b], limits.counts_region[b])].sum()
        return spent

    @property
    def usd(self) -> float:
        case, cells = self.case, self.case.cells
        compute = (self.used @ cells.hours) @ cells.goods.cost_usd_per_hour
        links = case.links
        between = link_cost(
            links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane, self.share
        )
        return float(compute + case.route_usd @ self.share + between)


def _solve(
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


def make_fleet(case: Case, prices: Prices, rounds: int = 3) -> Fleet | None:
    """A plan that keeps quotas; None: none was found."""
    cells, asks, links = case.cells, case.cells.asks, case.links
    usd = priced_candidates(case, prices)
    held, alive = np.zeros(len(asks.place), np.int64), np.zeros(len(asks.place), np.int64)
    share = np.zeros(len(asks.may))
    everything = np.arange(len(asks.group_span))
    routes = priced_routes(case, prices)
    if not _solve(case, usd, routes, prices.rooms, everything, held, alive, share):
        return None
    own = priced_routes(case, Prices(prices.quota, prices.budget, prices.ends * 0, prices.rooms))
    state = _State(case, usd, own, prices.rooms, held, alive, share)
    if len(links):
        state.settle(rounds)
        for region in range(len(cells.world.regions)):
            state.gather(region)
        state.settle(1)
    routes = state.routes()
    if not len(case.limits.quota_limit):
        rows = list_counts(case.stock, case.asks, usd, everything, held, alive)
        return within_places(Fleet(case, *rows, held, share), prices, routes)
    ways = []
    for level in (*LEVELS, None):
        usd = _priced_at(case, prices, level)
        held, alive, lanes = np.zeros_like(held), np.zeros_like(alive), share.copy()
        _solve(case, usd, routes, prices.rooms, everything, held, alive, lanes)
        rows = list_counts(case.stock, case.asks, usd, everything, held, alive)
        ways.append(Fleet(case, *rows, held, lanes))
    fleet = _choose(case, prices, ways, routes)
    return None if fleet is None else within_places(fleet, prices, routes)


def _priced_at(case: Case, prices: Prices, level: float | None) -> Floats:
    """Candidates with the prices of quotas times ``level``; None: what quotas count is barred."""
    usd = priced_candidates(case, replace(prices, quota=prices.quota * (level or 0.0)))
    if level is None:
        counted = np.asarray(case.limits.quota_use.sum(axis=1)).ravel() > 0
        usd[counted] *= OUT_OF_THE_QUESTION
    return usd


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
        links, routes = self.case.links, self.own.copy()
        for end in (0, 1):
            given_other_end(links.lane, links.places, links.gb, links.usd_per_gb,
                            links.region_of_lane, self.share, end, routes)  # fmt: skip
        return routes

    def settle(self, rounds: int) -> None:
        """Let callers and callees answer each other."""
        for _ in range(rounds):
            for half in self.case.halves:
                _solve(self.case, self.usd, self.routes(), self.rooms, half, self.held,
                       self.alive, self.share)  # fmt: skip

    def gather(self, region: int) -> None:
        """Let all that call each other move to a region together, where that pays."""
        case, cells, asks = self.case, self.case.cells, self.case.cells.asks
        linked = np.sort(np.concatenate(case.halves))
        before = self._usd_of_units(linked)
        kept = self.held.copy(), self.alive.copy(), self.share.copy()
        away = self.own + case.pull * (case.links.region_of_lane != region)
        _solve(case, self.usd, away, self.rooms, linked, self.held, self.alive, self.share)
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
        between = cost_of_each(
            links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane, self.share
        )
        total += np.bincount(unit[lane_group[links.lane[:, 0]]], between, case.units)
        return np.asarray(total, np.float64)


def _choose(case: Case, prices: Prices, ways: list[Fleet], routes: Floats) -> Fleet | None:
    """One way for every unit, such that quotas hold: who gains most per unit chooses first."""
    cells, asks, limits = case.cells, case.cells.asks, case.limits
    unit_of_cell, unit_cell = _units(case)
    units = len(unit_cell)
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    cell_of_slot = np.repeat(np.arange(len(asks.need)), np.diff(asks.slot_start))
    span = asks.group_span[cells.cell_group[unit_cell]]
    usd = np.empty((len(ways), units))
    use = np.zeros((len(ways), units, len(limits.quota_limit)))
    for i, way in enumerate(ways):
        unit = unit_of_cell[way.cell]
        paid = cells.goods.cost_usd_per_hour[way.candidate] * way.count
        usd[i] = np.bincount(unit, paid * cells.hours[span[unit]], units)
        usd[i] += np.bincount(unit_of_cell[cell_of_lane], routes * way.share, units)
        np.add.at(use[i], unit, limits.quota_use[way.candidate].toarray() * way.count[:, None])
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    so_far = np.concatenate([np.zeros((len(prices.quota), 1)), prices.quota.cumsum(axis=1)], axis=1)
    price = (so_far[:, ends[span]] - so_far[:, starts[span]]).T
    charged = usd + np.einsum("vuq,uq->vu", use, price)
    best = charged.argmin(axis=0)
    every = np.arange(units)
    paid_for_quota = (use[best, every] * price).sum(axis=1)
    regret = (charged[-1] - charged[best, every]) / np.maximum(paid_for_quota, 1e-9)
    order = np.argsort(-regret, kind="stable")
    left = np.repeat(limits.quota_limit[:, None], case.periods, axis=1)
    chosen = pick(charged, usd, use, starts[span], ends[span], left, order)
    picked = chosen[unit_of_cell]
    rows = [np.flatnonzero(picked[way.cell] == i) for i, way in enumerate(ways)]
    fleet = Fleet(
        case,
        np.concatenate([way.cell[own] for way, own in zip(ways, rows, strict=True)]),
        np.concatenate([way.candidate[own] for way, own in zip(ways, rows, strict=True)]),
        np.concatenate([way.count[own] for way, own in zip(ways, rows, strict=True)]),
        np.choose(picked[cell_of_slot], [way.held for way in ways]),
        np.choose(picked[cell_of_lane], [way.share for way in ways]),
    )
    now = usd[chosen, every]
    gain = now - usd.min(axis=0)
    wanting = np.flatnonzero((gain > 1e-9) & (np.bincount(unit_of_cell) == 1))
    wanting = wanting[np.argsort(-gain[wanting], kind="stable")]
    fleet = _split(fleet, prices, routes, wanting, unit_cell, now, left)
    over = quota_use(case, fleet.used) > limits.quota_limit[:, None] * (1 + 1e-9)
    return None if over.any() else fleet


def _units(case: Case) -> tuple[Ints, Ints]:
    """Cells that may choose alone; those that share a minimum go together. First cell of each."""
    asks = case.cells.asks
    tied = asks.group_extra[case.cells.cell_group] > 0
    new = np.ones(len(tied), np.bool_)
    new[1:] = ~(tied[1:] & (case.cells.cell_group[1:] == case.cells.cell_group[:-1]))
    return np.cumsum(new) - 1, np.flatnonzero(new)


def _split(
    fleet: Fleet,
    prices: Prices,
    routes: Floats,
    wanting: Ints,
    unit_cell: Ints,
    now: Floats,
    left: Floats,
) -> Fleet:
    """Let cells that did not fit into a quota put as many of their replicas there as do fit."""
    case, cells, asks = fleet.case, fleet.case.cells, fleet.case.cells.asks
    simple = np.diff(asks.entry_start) == 1
    simple &= np.maximum(np.maximum(asks.share_zone, asks.share_region), asks.share_cloud) <= 0
    chosen = unit_cell[wanting]
    keep = simple[chosen] & (asks.need[chosen] > 1)
    wanting, chosen = wanting[keep], chosen[keep]
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    span = asks.group_span[cells.cell_group[chosen]]
    use = case.limits.quota_use.toarray()
    own = np.zeros((len(chosen), len(case.limits.quota_limit)))
    position = np.full(len(asks.need), -1)
    position[chosen] = np.arange(len(chosen))
    mine = position[fleet.cell] >= 0
    np.add.at(own, position[fleet.cell[mine]], use[fleet.candidate[mine]] * fleet.count[mine, None])
    changed, cell, candidate, count = split_cells(
        case.stock, case.asks, _priced_at(case, prices, 0.6), _priced_at(case, prices, None),
        cells.goods.cost_usd_per_hour * 1.0, cells.hours, routes, chosen,
        asks.group_assortment[cells.cell_group[chosen]], span, starts[span], ends[span],
        now[wanting], own, use, left, fleet.held, fleet.share,
    )  # fmt: skip
    gone = np.zeros(len(asks.need), np.bool_)
    gone[chosen[changed]] = True
    stay = ~gone[fleet.cell]
    return Fleet(
        case,
        np.concatenate([fleet.cell[stay], cell]),
        np.concatenate([fleet.candidate[stay], candidate]),
        np.concatenate([fleet.count[stay], count]),
        fleet.held,
        fleet.share,
    )


@compiled
def pick(
    charged: Floats,
    usd: Floats,
    use: Floats,
    first: Ints,
    last: Ints,
    left: Floats,
    order: Ints,
) -> Ints:
    """The way of every group: first the cheapest at prices that still fits, then what is cheaper.

    All start from the last way, which uses quotas only where there is no other. ``left``
    [quota row, hour] is used up.
    """
    ways, quotas = len(charged), len(left)
    chosen = np.full(len(order), ways - 1)
    for g in range(len(order)):  # who has no other way uses what quotas count all the same
        for q in range(quotas):
            for t in range(first[g], last[g]):
                left[q, t] -= use[ways - 1, g, q]
    for again in range(3):
        for g in order:
            best, at = np.inf, ways - 1
            now = chosen[g]
            for v in range(ways):
                value = charged[v, g] if again == 0 else usd[v, g]
                if value >= best:
                    continue
                fits = True
                for q in range(quotas):
                    more = use[v, g, q] - use[now, g, q]
                    if more > 0:
                        for t in range(first[g], last[g]):
                            if more > left[q, t] + 1e-9:
                                fits = False
                                break
                if fits:
                    best, at = value, v
            if at != now:
                for q in range(quotas):
                    more = use[at, g, q] - use[now, g, q]
                    if more != 0.0:
                        for t in range(first[g], last[g]):
                            left[q, t] -= more
                chosen[g] = at
    return chosen


def within_places(fleet: Fleet, prices: Prices, routes: Floats) -> Fleet | None:
    """The same fleet with services in no more places than they may use; None: one cannot.

    Closes the place with the fewest replicas and lets the service find another way, which uses
    no quota that others may need.
    """
    case, cells = fleet.case, fleet.case.cells
    world = cells.world
    usd = _priced_at(case, prices, None)
    for rule in world.rules:
        if not isinstance(rule, MaxPlacesRule):
            continue
        s = world.service_index[rule.service]
        groups = np.flatnonzero(cells.group_service == s)
        closed = usd
        while len(used := _places_of(fleet, groups)) > rule.at_most:
            shut = cells.assortment_of[s] == cells.goods.assortment
            shut &= cells.goods.region == min(used, key=lambda r: used[r])
            closed = np.where(shut[:, None], closed * OUT_OF_THE_QUESTION, closed)
            moved = _other_way(fleet, prices, closed, routes, groups)
            if moved is None or _places_of(moved, groups).keys() == used.keys():
                return None
            fleet = moved
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
    if not _solve(case, usd, routes, prices.rooms, groups, held, alive, share):
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
