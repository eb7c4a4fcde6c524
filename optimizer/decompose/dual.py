"""The dual: what is cheapest for every cell at given prices, and the bound that follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.demand import Outlook
from optimizer.decompose.calls import Links, cheapest_pairs, find_links, halves, tied_groups
from optimizer.decompose.cells import Cells
from optimizer.decompose.covered import Covered, find_covered, full_discount, levels_usd
from optimizer.decompose.limits import Limits, find_limits
from optimizer.decompose.shards import Effort, Shard, Subproblems
from optimizer.decompose.tables import Asks
from optimizer.decompose.tariff import Prices, Tariff
from optimizer.decompose.users import origin_of, to_users
from optimizer.formulate.commitments import Cover

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Case:
    """Everything about a fleet that does not change while prices do."""

    cells: Cells
    outlook: Outlook
    whole: Shard
    limits: Limits
    covered: Covered
    links: Links
    periods: int
    parts: tuple[Ints, ...]  # groups, cut into parts of about equal work
    lane_slot: Rows
    lane_entry: Rows
    lane_service: Rows
    lane_origin: Rows
    blocks: Blocks
    replica_usd: Floats  # [room]: about what one replica costs; rooms: ``Shard.several``
    halves: tuple[Ints, ...]  # groups that call or are called, in two sets
    unit_of_group: Ints  # groups whose calls tie them together share a unit
    unit_of_link: Ints
    unit_of_end: Ints  # [price of a link's end]
    unit_of_room: Ints
    units: int
    pull: float  # USD that outweigh all other reasons for a route
    rooms_most: Floats  # [room]: more than it costs to go without a replica

    @property
    def has_own(self) -> bool:
        """Whether any unit has prices of its own."""
        return bool(len(self.links) or len(self.whole.several))

    @property
    def stock(self) -> Any:
        """``Stock`` for compiled code."""
        return self.whole.packed[0]

    @property
    def asks(self) -> Any:
        """``Asks`` for compiled code."""
        return self.whole.packed[1]

    @property
    def tariff(self) -> Tariff:
        return self.whole.tariff

    @property
    def route_usd(self) -> Floats:
        """USD of data to users [lane]."""
        return self.tariff.route_usd

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
    of_lane: Rows
    part_of_candidate: Ints


def _blocks(cells: Cells, group_of_lane: Ints) -> Blocks:
    asks, spans = cells.asks, len(cells.spans)
    work = np.bincount(asks.group_assortment, minlength=len(cells.stock.most)).cumsum()
    part = np.minimum(work * BLOCKS // (work[-1] + 1), BLOCKS - 1)
    of_group = part[asks.group_assortment] * spans + asks.group_span
    return Blocks(
        cells.spans * BLOCKS,
        of_group,
        of_group[group_of_lane].astype(np.int32),
        part[cells.goods.assortment],
    )


def make_case(cells: Cells, cover: Cover, outlook: Outlook) -> Case:
    asks = cells.asks
    periods = outlook.scenario_rps.shape[3]
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    places = np.diff(asks.slot_start)[cell_of_lane]
    within = np.arange(len(asks.may)) - asks.lane_start[cell_of_lane]
    slot = (asks.slot_start[cell_of_lane] + within % places).astype(np.int32)
    entry = (asks.entry_start[cell_of_lane] + within // places).astype(np.int32)
    service = cells.group_service[cells.cell_group[cell_of_lane]].astype(np.int32)
    several = np.diff(asks.entry_start) > 1
    slot_cell = np.repeat(np.arange(len(asks.need)), np.diff(asks.slot_start))
    rooms = np.flatnonzero(several[slot_cell])
    room_cell = slot_cell[rooms]
    assortment = asks.group_assortment[cells.cell_group[room_cell]]
    goods = cells.goods
    unit = np.full((len(cells.stock.most), len(cells.world.regions)), np.inf)
    np.minimum.at(
        unit,
        (goods.assortment, goods.region),
        goods.cost_usd_per_hour / cells.stock.size,
    )
    hours = cells.hours[asks.group_span[cells.cell_group[room_cell]]]
    links = find_links(cells, outlook.expected_rps)
    unit_of_group, units = tied_groups(cells)
    unit_of_link = unit_of_group[cells.cell_group[cell_of_lane[links.lane[:, 0]]]]
    limits = find_limits(cells, periods)
    covered = find_covered(cells.world, cells, cover, periods)
    users = to_users(cells, outlook.expected_direct_rps, slot, service, entry)
    tariff = Tariff(
        cells.spans, goods.cost_usd_per_hour, goods.price_usd_per_hour, limits.counts_candidate,
        limits.quota_use, covered.list_usd, users, service, links.region_of_lane,
        limits.counts_service, limits.counts_region, links.lane_of,
    )  # fmt: skip
    return Case(
        cells,
        outlook,
        Shard(cells.stock, asks, tariff, rooms),
        limits,
        covered,
        links,
        periods,
        _parts(asks),
        slot,
        entry,
        service,
        origin_of(cells, entry).astype(np.int32),
        _blocks(cells, cells.cell_group[cell_of_lane]),
        unit[assortment, asks.place[rooms]] * hours,
        halves(cells),
        unit_of_group,
        unit_of_link,
        np.repeat(np.repeat(unit_of_link, 2), np.diff(links.start)),
        unit_of_group[cells.cell_group[room_cell]],
        units,
        float(10.0 * links.largest.max(initial=1.0)),
        np.where(asks.unmet_most > 0, asks.unmet_top, np.inf)[room_cell],
    )


PARTS = 8
"""Into which fleets are cut: enough for some workers to be done at about the same time."""


def _parts(asks: Asks) -> tuple[Ints, ...]:
    """Whole assortments per part, so that parts write to different candidates."""
    assortment = asks.group_assortment
    cuts = [0]
    for i in range(1, PARTS):
        at = assortment[min(i * len(assortment) // PARTS, len(assortment) - 1)]
        cuts.append(int(np.searchsorted(assortment, at)))
    cuts = sorted({*cuts, len(assortment)})
    return tuple(np.arange(a, b) for a, b in pairwise(cuts) if b > a)


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
    share: Floats
    value: Floats
    between: Floats  # [link] value of calls
    units: Floats  # [unit] value of cells and calls that hang together
    bound: float
    pairs: Floats  # [price of a link's end]: 1 where the link's cheapest pair stands


def run(
    case: Case,
    prices: Prices,
    solve: Subproblems,
    effort: Effort = Effort.QUICK,
    known: Floats | None = None,
) -> Pass:
    """What is cheapest for all at these prices, and the bound that follows.

    ``known``: what groups without prices of their own cost [group], where ``effort`` leaves them
    out; what these use and where they are served from is left out then, too.
    """
    swept, links = solve(prices, effort), case.links
    if known is not None:
        swept = replace(swept, value=np.where(case.whole.owned, swept.value, known))
    chosen = np.zeros(2 * len(links), np.int64)
    between = np.zeros(len(links))
    cheapest_pairs(
        links.lane, links.places, links.start, links.gb, links.usd_per_gb, links.region_of_lane,
        links.may, prices.ends, chosen, between,
    )  # fmt: skip
    pairs = np.zeros(len(links.lane_of))
    pairs[links.start[:-1] + chosen] = 1.0
    limits = case.limits
    units = np.bincount(case.unit_of_group, swept.value, case.units).astype(np.float64)
    units += np.bincount(case.unit_of_link, between, case.units)
    bound = float(units.sum())
    bound -= float((prices.quota * limits.quota_limit[:, None]).sum())
    bound -= float(prices.budget @ limits.budget_limit)
    bound += levels_usd(case.covered, prices.covered, prices.budget)
    return Pass(swept.used, swept.held, swept.share, swept.value, between, units, bound, pairs)


def quota_use(case: Case, used: Floats) -> Floats:
    """[quota row, hour]"""
    per_span = case.limits.quota_use.T @ used
    hourly = np.zeros((len(case.limits.quota_limit), case.periods))
    for i, (start, end) in enumerate(case.cells.spans):
        hourly[:, start:end] += per_span[:, i : i + 1]
    return hourly


def spending(case: Case, used: Floats, share: Floats) -> Floats:
    """USD per budget at list prices, without calls between services."""
    limits = case.limits
    compute = (used @ case.cells.hours) * case.cells.goods.price_usd_per_hour
    spent = limits.counts_candidate @ compute
    routes = case.route_usd * share
    for b in range(len(limits.budget_limit)):
        counts = case.tariff.counts_lane(b)
        spent[b] += routes[counts].sum()
    return spent
