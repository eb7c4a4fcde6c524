"""What every part of a fleet may do: its answers to several prices, and what they cost and use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from models.rules import MaxPlacesRule
from optimizer.decompose.calls import cost_of_each
from optimizer.decompose.dual import Case
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ways:
    """What every unit may do. A *unit* is a cell, or all cells of a span that go together.

    The last way uses quotas only where there is no other. ``own`` lists, per way and unit, usage
    that commitments may cover: entries ``start[w, u]:start[w, u] + length``.
    """

    case: Case
    fleets: tuple[Fleet, ...]
    unit_of_cell: Ints
    first_cell: Ints  # [unit]
    start: Ints  # [unit] first hour
    end: Ints
    unit_of_lane: Ints
    compute_usd: Floats  # [way, unit] at list prices
    routes_usd: Floats  # [way, unit]
    paid: Floats  # [budget, way, unit]
    use: Floats  # [way, unit, quota row]
    own_start: Ints  # [way · unit + 1]
    own_class: Ints
    own_usd: Floats  # USD/h at list price

    def usd(self, prices: Prices) -> Floats:
        """[way, unit], budgets priced; nothing is covered and quotas are free."""
        usd: Floats = self.compute_usd + self.routes_usd
        for price, paid in zip(prices.budget, self.paid, strict=True):
            if price > 0:
                usd = usd + price * paid
        return usd

    def charged(self, quota: Floats) -> Floats:
        """What quotas charge [way, unit] at prices ``quota`` [quota row, hour]."""
        so_far = np.concatenate([np.zeros((len(quota), 1)), quota.cumsum(axis=1)], axis=1)
        price = (so_far[:, self.end] - so_far[:, self.start]).T
        charge: Floats = np.einsum("vuq,uq->vu", self.use, price)
        return charge

    def saved(self, worth: Floats) -> Floats:
        """What commitments save [way, unit] if all usage is covered, at ``worth`` [class, hour]."""
        so_far = np.concatenate([np.zeros((len(worth), 1)), worth.cumsum(axis=1)], axis=1)
        shape = self.compute_usd.shape
        owner = np.repeat(np.arange(self.compute_usd.size), np.diff(self.own_start))
        unit = owner % shape[1]
        each = so_far[self.own_class, self.end[unit]] - so_far[self.own_class, self.start[unit]]
        saved = np.bincount(owner, each * self.own_usd, shape[0] * shape[1]).reshape(shape)
        return np.asarray(saved, np.float64)

    def with_routes(self, routes: Floats) -> Ways:
        """The same ways at other prices of routes [lane]."""
        units = len(self.first_cell)
        routes_usd = [
            np.bincount(self.unit_of_lane, routes * fleet.share, units) for fleet in self.fleets
        ]
        return replace(self, routes_usd=np.array(routes_usd, np.float64))

    def with_calls(self, own: Floats) -> Ways:
        """The same ways with routes at prices ``own`` [lane] and what calls cost in each way.

        What calls cost is the caller's.
        """
        links = self.case.links
        caller = self.unit_of_lane[links.lane[:, 0]]
        found = self.with_routes(own)
        for i, fleet in enumerate(self.fleets):
            usd = cost_of_each(
                links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane,
                fleet.share,
            )  # fmt: skip
            found.routes_usd[i] += np.bincount(caller, usd, len(self.first_cell))
        return found


def find_ways(case: Case, fleets: Sequence[Fleet], unit_of_cell: Ints) -> Ways:
    """What units of ``fleets`` cost and use, but for routes."""
    cells, asks, limits = case.cells, case.cells.asks, case.limits
    _, first_cell = np.unique(unit_of_cell, return_index=True)
    units = len(first_cell)
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    unit_of_lane = unit_of_cell[cell_of_lane]
    span = asks.group_span[cells.cell_group[first_cell]]
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    usd = np.empty((len(fleets), units))
    budgets = len(limits.budget_limit)
    paid = np.zeros((budgets, len(fleets), units))
    counts_lane = [
        limits.counts_service[b, case.lane_service]
        & limits.counts_region[b, asks.place[case.lane_slot]]
        for b in range(budgets)
    ]
    use = np.zeros((len(fleets), units, len(limits.quota_limit)))
    covered, keys = case.covered, []
    for i, fleet in enumerate(fleets):
        unit = unit_of_cell[fleet.cell]
        instance_hours = fleet.count * cells.hours[span[unit]]
        cost = cells.goods.cost_usd_per_hour[fleet.candidate] * instance_hours
        usd[i] = np.bincount(unit, cost, units)
        cost = cells.goods.price_usd_per_hour[fleet.candidate] * instance_hours
        for b in range(budgets):
            counts = limits.counts_candidate[b, fleet.candidate]
            paid[b, i] = np.bincount(unit[counts], cost[counts], units)
            lanes = counts_lane[b]
            to_users = case.route_usd[lanes] * fleet.share[lanes]
            paid[b, i] += np.bincount(unit_of_lane[lanes], to_users, units)
        usd[i] += np.bincount(unit_of_cell, fleet.unmet_usd, units)
        for q in range(use.shape[2]):
            column = limits.quota_use[:, [q]].toarray().ravel()
            use[i, :, q] = np.bincount(unit, column[fleet.candidate] * fleet.count, units)
        mine = np.flatnonzero(covered.class_of[fleet.candidate] >= 0)
        good = fleet.candidate[mine]
        keys.append(
            (
                (i * units + unit[mine]) * max(covered.classes, 1) + covered.class_of[good],
                cells.goods.price_usd_per_hour[good] * fleet.count[mine],
            )
        )
    key, at = np.unique(np.concatenate([key for key, _ in keys]), return_inverse=True)
    own_usd = np.bincount(at.ravel(), np.concatenate([usd for _, usd in keys]), len(key))
    owner, own_class = np.divmod(key, max(covered.classes, 1))
    own_start = np.searchsorted(owner, np.arange(len(fleets) * units + 1))
    return Ways(
        case, tuple(fleets), unit_of_cell, first_cell, starts[span], ends[span], unit_of_lane, usd,
        np.zeros_like(usd), paid, use, own_start.astype(np.int64), own_class.astype(np.int64),
        own_usd.astype(np.float64),
    )  # fmt: skip


def single_units(case: Case) -> Ints:
    """[cell]: cells that may choose alone.

    Those that share a minimum or what may go unmet go together, and those that share the places a
    rule allows them.
    """
    asks, cells = case.cells.asks, case.cells
    few = np.zeros(len(cells.world.services), np.bool_)
    few[[cells.world.service_index[rule.service] for rule in cells.world.rules
         if isinstance(rule, MaxPlacesRule)]] = True  # fmt: skip
    tied = ((asks.group_extra > 0) | few[cells.group_service])[cells.cell_group]
    tied |= asks.unmet_most > 0
    new = np.ones(len(tied), np.bool_)
    new[1:] = ~(tied[1:] & (case.cells.cell_group[1:] == case.cells.cell_group[:-1]))
    return np.cumsum(new) - 1


def tied_units(case: Case) -> Ints:
    """[cell]: cells that calls tie together, directly or through others, span by span.

    Origins of a service that share no places are cells of their own, and so are their calls.
    """
    asks, cells = case.cells.asks, case.cells
    single = single_units(case)
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    ends = cell_of_lane[case.links.lane]
    span = asks.group_span[cells.cell_group]
    caller, callee = single[ends[span[ends[:, 0]] == span[ends[:, 1]]]].T
    count = int(single[-1]) + 1 if len(single) else 0
    graph = sparse.coo_array((np.ones(len(caller)), (caller, callee)), shape=(count, count))
    tied = connected_components(graph, directed=False)[1][single]
    return np.asarray(tied, np.int64)
