"""What every cell of a fleet runs, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.decompose.calls import link_cost, pay_links
from optimizer.decompose.covered import Levels, best_levels
from optimizer.decompose.dual import Case, spending
from optimizer.decompose.lacking import unmet_usd
from optimizer.decompose.tariff import Prices
from optimizer.decompose.thin import Thin

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.int32]


@dataclass(eq=False)
class Fleet:
    """What every cell runs, and who is served from where."""

    case: Case
    cell: Ints | Rows  # [row]
    candidate: Ints | Rows  # [row]
    count: Ints | Rows  # [row]
    held: Ints  # [slot]
    share: Floats  # [lane]

    @cached_property
    def used(self) -> Floats:
        """[candidate, span]"""
        cells = self.case.cells
        used = np.zeros((len(cells.stock.size), len(cells.spans)))
        span = cells.asks.group_span[cells.cell_group[self.cell]]
        np.add.at(used, (self.candidate, span), self.count)
        return used

    @property
    def capacity(self) -> Floats:
        """Replicas that what runs in a place of a cell holds [slot]."""
        cells = self.case.cells
        place = cells.place_at[cells.asks.cluster[self.cell], cells.goods.region[self.candidate]]
        slot = cells.asks.slot_start[self.cell] + place
        held = cells.goods.replicas[self.candidate] * self.count
        return np.bincount(slot, held, len(cells.asks.place)).astype(np.float64)

    @property
    def unmet_usd(self) -> Floats:
        """What the demand that cells leave unmet costs [cell]; nobody is paid it."""
        return unmet_usd(self.case.asks, self.capacity, self.share)

    def at_prices(self, prices: Prices) -> Floats:
        """What groups cost where shared things have prices, and the ends of calls [group], USD."""
        case, asks, group = self.case, self.case.cells.asks, self.case.cells.cell_group
        of_lane = group[np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))]
        of_row = group[self.cell]
        candidates = case.tariff.candidates(prices)[self.candidate, asks.group_span[of_row]]
        usd = np.zeros(len(asks.group_span))
        for owner, cost in (
            (of_row, candidates * self.count),
            (of_lane, case.tariff.routes(prices) * self.share),
            (group, self.unmet_usd),
        ):
            usd += np.bincount(owner, cost, len(usd))
        return usd

    @cached_property
    def levels(self) -> Levels:
        """What commitments cover, and the levels to buy."""
        covered = self.case.covered
        return best_levels(covered, covered.at_list(self.used, self.case.cells.spans))

    @cached_property
    def spending(self) -> Floats:
        """USD per budget over the horizon, calls between services and commitments included."""
        case, world = self.case, self.case.cells.world
        links, limits = case.links, case.limits
        spent = spending(case, self.used, self.share) + self.levels.paid
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

    @cached_property
    def usd(self) -> float:
        case, cells = self.case, self.case.cells
        compute = (self.used @ cells.hours) @ cells.goods.cost_usd_per_hour
        links = case.links
        between = link_cost(
            links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane, self.share
        )
        besides = self.unmet_usd.sum() + self.levels.usd
        return float(compute + case.route_usd @ self.share + between + besides)


@dataclass(frozen=True, eq=False)
class ThinFleet:
    """A fleet as it waits among others, in a third of the memory."""

    cell: Rows
    candidate: Rows
    count: Rows
    held: Thin[np.int32]
    share: Thin[np.float64]

    @classmethod
    def of(cls, fleet: Fleet) -> ThinFleet:
        cell, candidate, count, held = (
            array.astype(np.int32, copy=False)
            for array in (fleet.cell, fleet.candidate, fleet.count, fleet.held)
        )
        return cls(cell, candidate, count, Thin.of(held), Thin.of(fleet.share))

    def fleet(self, case: Case) -> Fleet:
        """The fleet itself, to the last bit."""
        asks = case.cells.asks
        held = self.held.dense(len(asks.place)).astype(np.int64)
        share = self.share.dense(len(asks.may))
        return Fleet(case, self.cell, self.candidate, self.count, held, share)
