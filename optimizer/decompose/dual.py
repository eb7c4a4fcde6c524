"""The dual: what is cheapest for every cell at given prices, and the bound that follows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.demand import Outlook
from optimizer.decompose.calls import Links, cheapest_pairs, find_links, halves, tied_groups
from optimizer.decompose.cells import Cells
from optimizer.decompose.covered import Covered, find_covered, full_discount, levels_usd
from optimizer.decompose.limits import Limits, find_limits
from optimizer.decompose.packed import pack_asks, pack_stock
from optimizer.decompose.sweep import sweep
from optimizer.decompose.tables import Asks
from optimizer.decompose.users import origin_of, to_users
from optimizer.formulate.commitments import Cover

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Case:
    """Everything about a fleet that does not change while prices do."""

    cells: Cells
    outlook: Outlook
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
    lane_origin: Ints
    blocks: Blocks
    several: Ints  # slots of cells with several origins
    replica_usd: Floats  # [slot]: about what one replica costs
    halves: tuple[Ints, ...]  # groups that call or are called, in two sets
    unit_of_group: Ints  # groups whose calls tie them together share a unit
    unit_of_link: Ints
    unit_of_end: Ints  # [price of a link's end]
    unit_of_slot: Ints
    units: int
    pull: float  # USD that outweigh all other reasons for a route
    rooms_most: Floats  # [slot]: more than it costs to go without a replica

    @property
    def has_own(self) -> bool:
        """Whether any unit has prices of its own."""
        return bool(len(self.links) or len(self.several))

    @property
    def shares(self) -> bool:
        """Whether services share anything but calls."""
        limits = self.limits
        return bool(len(limits.quota_limit) or len(limits.budget_limit) or self.covered.classes)


BLOCKS = 1
"""Parts of the fleet that answer the restricted master apart, span by span."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Cells of one span whose assortments are in one part of the fleet make a block."""

    spans: tuple[tuple[int, int], ...]  # [block]
    of_group: Ints
    of_lane: Ints
    part_of_candidate: Ints


def _blocks(cells: Cells, group_of_lane: Ints) -> Blocks:
    asks, spans = cells.asks, len(cells.spans)
    work = np.bincount(asks.group_assortment, minlength=len(cells.stock.most)).cumsum()
    part = np.minimum(work * BLOCKS // (work[-1] + 1), BLOCKS - 1)
    of_group = part[asks.group_assortment] * spans + asks.group_span
    return Blocks(
        cells.spans * BLOCKS, of_group, of_group[group_of_lane], part[cells.goods.assortment]
    )


def make_case(cells: Cells, cover: Cover, outlook: Outlook, workers: int = 2) -> Case:
    asks = cells.asks
    periods = outlook.scenario_rps.shape[3]
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
    links = find_links(cells, outlook.expected_rps)
    unit_of_group, units = tied_groups(cells)
    unit_of_link = unit_of_group[cells.cell_group[cell_of_lane[links.lane[:, 0]]]]
    return Case(
        cells,
        outlook,
        pack_stock(*cells.stock),
        pack_asks(*asks),
        find_limits(cells, periods),
        find_covered(cells.world, cells, cover, periods),
        links,
        to_users(cells, outlook.expected_direct_rps, slot, service, entry),
        periods,
        _parts(asks, workers),
        slot,
        entry,
        service,
        origin_of(cells, entry),
        _blocks(cells, cells.cell_group[cell_of_lane]),
        np.flatnonzero(several[slot_cell]),
        unit[assortment, asks.place] * hours,
        halves(cells),
        unit_of_group,
        unit_of_link,
        np.repeat(np.repeat(unit_of_link, 2), np.diff(links.start)),
        unit_of_group[cells.cell_group[slot_cell]],
        units,
        float(10.0 * links.largest.max(initial=1.0)),
        np.where(asks.unmet_most > 0, asks.unmet_top, np.inf)[slot_cell],
    )


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


def first_prices(case: Case) -> Prices:
    """Nothing costs anything, but for usage that commitments would cover if all of it were flat."""
    return Prices(
        np.zeros((len(case.limits.quota_limit), case.periods)),
        np.zeros(len(case.limits.budget_limit)),
        full_discount(case.covered),
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
    between: Floats  # [link] value of calls
    units: Floats  # [unit] value of cells and calls that hang together
    bound: float
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


def run(case: Case, prices: Prices) -> Pass:
    """What is cheapest for all at these prices, and the bound that follows."""
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
    between = np.zeros(len(links))
    cheapest_pairs(
        links.lane, links.places, links.start, links.gb, links.usd_per_gb, links.region_of_lane,
        links.may, prices.ends, chosen, between,
    )  # fmt: skip
    pairs = np.zeros(len(links.lane_of))
    pairs[links.start[:-1] + chosen] = 1.0
    limits = case.limits
    units = np.bincount(case.unit_of_group, value, case.units).astype(np.float64)
    units += np.bincount(case.unit_of_link, between, case.units)
    bound = float(units.sum())
    bound -= float((prices.quota * limits.quota_limit[:, None]).sum())
    bound -= float(prices.budget @ limits.budget_limit)
    bound += levels_usd(case.covered, prices.covered, prices.budget)
    return Pass(used, held, alive, share, value, between, units, bound, pairs)


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
