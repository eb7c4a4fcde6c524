"""The dual: prices on what services share, raised until the bound stops rising.

Subgradient steps on averaged directions (Barahona and Anbil 2000, the volume algorithm). Every
price is measured in units of its own size, so that one step length fits all.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.egress import GB_PER_KIB, SECONDS_PER_HOUR
from optimizer.decompose.calls import Links, cheapest_pairs, find_links, halves, tied_groups
from optimizer.decompose.cells import Cells
from optimizer.decompose.covered import (
    Cheapest,
    Covered,
    cheapest_levels,
    find_covered,
)
from optimizer.decompose.limits import Limits, find_limits
from optimizer.decompose.packed import pack_asks, pack_stock
from optimizer.decompose.sweep import sweep
from optimizer.decompose.tables import Asks
from optimizer.formulate.commitments import Cover
from optimizer.formulate.egress import price_levels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Case:
    """Everything about a fleet that does not change while prices do."""

    cells: Cells
    stock: Any  # packed
    asks: Any  # packed
    limits: Limits
    covered: Covered
    links: Links
    route_usd: Floats  # [lane]: data to users
    periods: int
    parts: tuple[Ints, ...]  # groups, cut into parts of about equal work
    lane_slot: Ints
    lane_entry: Ints
    lane_service: Ints
    several: Ints  # slots of cells with several origins
    replica_usd: Floats  # [slot]: about what one replica costs
    halves: tuple[Ints, ...]  # groups that call or are called, in two sets
    unit_of_group: Ints  # groups whose calls tie them together share a unit
    units: int
    pull: float  # USD that outweigh all other reasons for a route


def make_case(
    cells: Cells, cover: Cover, demand_rps: Floats, direct_rps: Floats, workers: int = 2
) -> Case:
    asks = cells.asks
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    places = np.diff(asks.slot_start)[cell_of_lane]
    within = np.arange(len(asks.may)) - asks.lane_start[cell_of_lane]
    slot = asks.slot_start[cell_of_lane] + within % places
    entry = asks.entry_start[cell_of_lane] + within // places
    service = cells.group_service[cells.cell_group[cell_of_lane]]
    several = np.diff(asks.entry_start) > 1
    slot_cell = np.repeat(np.arange(len(asks.need)), np.diff(asks.slot_start))
    assortment = asks.group_assortment[cells.cell_group[slot_cell]]
    goods = cells.goods
    unit = np.full((len(cells.stock.most), len(cells.world.regions)), np.inf)
    np.minimum.at(
        unit,
        (goods.assortment, goods.region),
        goods.cost_usd_per_hour / cells.stock.size,
    )
    hours = cells.hours[asks.group_span[cells.cell_group[slot_cell]]]
    links = find_links(cells, demand_rps)
    unit_of_group, units = tied_groups(cells)
    return Case(
        cells,
        pack_stock(*cells.stock),
        pack_asks(*asks),
        find_limits(cells, demand_rps.shape[2]),
        find_covered(cells.world, cells, cover, demand_rps.shape[2]),
        links,
        _to_users(cells, direct_rps, slot, service, entry),
        demand_rps.shape[2],
        _parts(asks, workers),
        slot,
        entry,
        service,
        np.flatnonzero(several[slot_cell]),
        unit[assortment, asks.place] * hours,
        halves(cells),
        unit_of_group,
        units,
        float(10.0 * links.largest.max(initial=1.0)),
    )


def _to_users(cells: Cells, direct_rps: Floats, slot: Ints, service: Ints, entry: Ints) -> Floats:
    asks = cells.asks
    kib = np.array([s.response_kib for s in cells.world.services])
    internet = price_levels(cells.world)[:, 2]
    entry_cell = np.repeat(np.arange(len(asks.need)), np.diff(asks.entry_start))
    position = np.arange(len(entry_cell)) - asks.entry_start[entry_cell]
    widest = max((len(c.origins) for c in cells.clusters), default=1)
    origin_of = np.full((len(cells.clusters), max(widest, 1)), -1)
    for i, cluster in enumerate(cells.clusters):
        origin_of[i, : len(cluster.origins)] = cluster.origins
    origin = origin_of[asks.cluster[entry_cell], position]
    group = cells.cell_group[entry_cell]
    so_far = np.concatenate(
        [np.zeros((*direct_rps.shape[:2], 1)), np.cumsum(direct_rps, axis=2)], axis=2
    )
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    span = asks.group_span[group]
    served = cells.group_service[group]
    requests = so_far[served, origin, ends[span]] - so_far[served, origin, starts[span]]
    gb = requests * SECONDS_PER_HOUR * kib[served] * GB_PER_KIB
    usd: Floats = gb[entry] * internet[asks.place[slot]]
    return usd


def _parts(asks: Asks, workers: int) -> tuple[Ints, ...]:
    """Whole assortments per part, so that parts write to different candidates."""
    assortment = asks.group_assortment
    cuts = [0]
    for i in range(1, workers * 4):
        at = assortment[min(i * len(assortment) // (workers * 4), len(assortment) - 1)]
        cuts.append(int(np.searchsorted(assortment, at)))
    cuts = sorted({*cuts, len(assortment)})
    return tuple(np.arange(a, b) for a, b in pairwise(cuts) if b > a)


@dataclass(frozen=True, eq=False)
class Prices:
    """What is charged for shared things. All in USD of the horizon's bill."""

    quota: Floats  # [quota row, hour] per vCPU or instance
    budget: Floats  # [budget] per USD
    covered: Floats  # [commitment class, hour] per USD at list price
    ends: Floats  # [price of a link's end at a place]
    rooms: Floats  # [slot] per replica, cells of several origins


def no_prices(case: Case) -> Prices:
    return Prices(
        np.zeros((len(case.limits.quota_limit), case.periods)),
        np.zeros(len(case.limits.budget_limit)),
        np.zeros((case.covered.classes, case.periods)),
        np.zeros(len(case.links.lane_of)),
        np.zeros(len(case.cells.asks.place)),
    )


@dataclass(frozen=True, eq=False)
class Pass:
    """What all do at some prices; cells as in ``sweep``. ``bound``: of the whole problem, USD."""

    used: Floats
    held: Ints
    alive: Ints
    share: Floats
    value: Floats
    bound: float
    at_list: Floats  # [commitment class, hour] usage, USD/h
    levels: Cheapest
    pairs: Floats  # [price of a link's end]: 1 where the link's cheapest pair stands


def priced_candidates(case: Case, prices: Prices) -> Floats:
    """USD of each candidate over each span [candidate, span]."""
    goods, limits = case.cells.goods, case.limits
    base = goods.cost_usd_per_hour + goods.price_usd_per_hour * (
        prices.budget @ limits.counts_candidate
    )
    hourly = limits.quota_use @ prices.quota if len(limits.quota_limit) else None
    less = case.covered.list_usd.T @ prices.covered if case.covered.classes else None
    usd = np.empty((len(base), len(case.cells.spans)))
    for i, (start, end) in enumerate(case.cells.spans):
        usd[:, i] = base * (end - start)
        if hourly is not None:
            usd[:, i] += hourly[:, start:end].sum(axis=1)
        if less is not None:
            usd[:, i] -= less[:, start:end].sum(axis=1)
    return np.maximum(usd, 0.0)


def priced_routes(case: Case, prices: Prices) -> Floats:
    limits, asks = case.limits, case.cells.asks
    usd = case.route_usd.copy()
    for b in np.flatnonzero(prices.budget > 0).tolist():
        counts = limits.counts_service[b, case.lane_service]
        counts &= limits.counts_region[b, asks.place[case.lane_slot]]
        usd += prices.budget[b] * case.route_usd * counts
    np.add.at(usd, case.links.lane_of, prices.ends)
    return usd


def run(case: Case, prices: Prices, enough: Floats | None = None) -> Pass:
    """What is cheapest for all at these prices, and the bound that follows.

    ``enough`` [commitment]: see ``cheapest_levels``.
    """
    asks, links = case.cells.asks, case.links
    usd, route_usd = priced_candidates(case, prices), priced_routes(case, prices)
    used = np.zeros_like(usd)
    held, alive = np.zeros(len(asks.place), np.int64), np.zeros(len(asks.place), np.int64)
    share, value = np.zeros(len(asks.may)), np.zeros(len(asks.group_span))

    def one(groups: Ints) -> None:
        sweep(case.stock, case.asks, usd, route_usd, prices.rooms, groups, False, used, held, alive,
              share, value)  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, case.parts))
    chosen = np.zeros(2 * len(links), np.int64)
    between = cheapest_pairs(
        links.lane, links.places, links.start, links.gb, links.usd_per_gb, links.region_of_lane,
        links.may, prices.ends, chosen,
    )  # fmt: skip
    pairs = np.zeros(len(links.lane_of))
    pairs[links.start[:-1] + chosen] = 1.0
    limits = case.limits
    bound = float(value.sum()) + between
    bound -= float((prices.quota * limits.quota_limit[:, None]).sum())
    bound -= float(prices.budget @ limits.budget_limit)
    if enough is None:
        enough = case.covered.cover.at_most
    levels = cheapest_levels(case.covered, prices.covered, prices.budget, enough)
    bound += levels.usd
    at_list = case.covered.at_list(used, case.cells.spans)
    return Pass(used, held, alive, share, value, bound, at_list, levels, pairs)


def quota_use(case: Case, used: Floats) -> Floats:
    """[quota row, hour]"""
    per_span = case.limits.quota_use.T @ used
    hourly = np.zeros((len(case.limits.quota_limit), case.periods))
    for i, (start, end) in enumerate(case.cells.spans):
        hourly[:, start:end] += per_span[:, i : i + 1]
    return hourly


def spending(case: Case, used: Floats, share: Floats) -> Floats:
    """USD per budget at list prices, without calls between services."""
    limits, asks = case.limits, case.cells.asks
    compute = (used @ case.cells.hours) * case.cells.goods.price_usd_per_hour
    spent = limits.counts_candidate @ compute
    routes = case.route_usd * share
    for b in range(len(limits.budget_limit)):
        counts = limits.counts_service[b, case.lane_service]
        counts &= limits.counts_region[b, asks.place[case.lane_slot]]
        spent[b] += routes[counts].sum()
    return spent


@dataclass(eq=False)
class Ascent:
    """The state of the volume algorithm."""

    case: Case
    prices: Prices
    best: float = -np.inf
    step: float = 0.3
    since: int = 0
    mean: dict[str, Floats] = field(default_factory=dict)
    centre: Prices | None = None

    def climb(self, rounds: int) -> None:
        """Take some steps; ``best`` and ``centre`` are the best bound so far and its prices."""
        for _ in range(rounds):
            found = run(self.case, self.prices, self._enough())
            self._judge(found)
            self._move(found)

    def _enough(self) -> Floats | None:
        """About twice the levels that usage so far could fill."""
        if "at_list" not in self.mean:
            return None
        cover = self.case.covered.cover
        takes = np.where(cover.covers, cover.level_per_usd, 0.0)
        enough: Floats = 2.0 * (takes @ self.mean["at_list"]).max(axis=1, initial=0.0)
        return enough

    def _judge(self, found: Pass) -> None:
        if found.bound > self.best + 1e-9 * abs(found.bound):
            self.best, self.centre, self.since = found.bound, self.prices, 0
            self.step = min(self.step * 1.02, 1.0)
        else:
            self.since += 1
            if self.since >= 4:
                self.step, self.since = self.step * 0.66, 0

    def _move(self, found: Pass) -> None:
        case, prices = self.case, self.prices
        limits = case.limits
        violated = {
            "quota": (quota_use(case, found.used) - limits.quota_limit[:, None]),
            "budget": spending(case, found.used, found.share)
            + found.levels.paid
            - limits.budget_limit,
            "covered": found.levels.covered - found.at_list,
            "at_list": found.at_list,
            "ends": found.share[case.links.lane_of] - found.pairs,
            "rooms": self._rooms(found),
        }
        for name, value in violated.items():
            old = self.mean.get(name)
            self.mean[name] = value if old is None else 0.8 * old + 0.2 * value
        mean = self.mean
        # Every price moves in units of its own size: a vCPU's price, the whole of what is spent.
        unit = case.cells.goods.cost_usd_per_hour / np.maximum(case.cells.goods.vcpus, 1e-9)
        quota = mean["quota"] / np.maximum(limits.quota_limit, 1.0)[:, None]
        budget = mean["budget"] / np.maximum(limits.budget_limit, 1e-9)
        scale = np.maximum(mean["at_list"], found.levels.covered) + 1e-9
        most = 1.0 + (prices.budget @ case.covered.counts).max(initial=0.0)
        step = self.step
        self.prices = Prices(
            np.maximum(prices.quota + step * np.median(unit) * np.clip(quota, -1, 1), 0.0),
            np.maximum(prices.budget + step * np.clip(budget, -1, 1), 0.0),
            np.clip(prices.covered + 0.3 * step * mean["covered"] / scale, 0.0, most),
            prices.ends + step * case.links.largest * mean["ends"],
            np.maximum(prices.rooms + step * mean["rooms"], 0.0),
        )

    def _rooms(self, found: Pass) -> Floats:
        case, asks = self.case, self.case.cells.asks
        load = np.bincount(
            case.lane_slot, found.share * asks.busy[case.lane_entry], len(asks.place)
        )
        excess = np.zeros(len(asks.place))
        several = case.several
        cell = np.searchsorted(asks.slot_start, several, side="right") - 1
        excess[several] = (load[several] - found.held[several]) / np.maximum(asks.need[cell], 1)
        excess[several] *= case.replica_usd[several]
        return excess
