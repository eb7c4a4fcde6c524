"""What every part of a fleet may do: its answers to several prices, and what they cost and use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from models.rules import MaxPlacesRule
from optimizer.decompose.calls import cost_of_each
from optimizer.decompose.dual import Case
from optimizer.decompose.fleet import Fleet, ThinFleet
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
    fleets: tuple[ThinFleet, ...]
    unit_of_cell: Ints
    first_cell: Ints  # [unit]
    start: Ints  # [unit] first hour
    end: Ints
    unit_of_lane: Ints
    compute_usd: Floats  # [way, unit] at list prices
    routes_usd: Floats  # [way, unit]
    use: NDArray[np.float32]  # [way, unit, quota row], no less than it is
    own_start: NDArray[np.int32]  # [way · unit + 1]
    own_class: NDArray[np.int16]
    own_usd: Floats  # USD/h at list price
    paid: dict[int, Floats] = field(default_factory=dict)
    """What budgets count [way, unit], of those that have been asked for."""

    def usd(self, prices: Prices) -> Floats:
        """[way, unit], budgets priced; nothing is covered and quotas are free."""
        usd: Floats = self.compute_usd + self.routes_usd
        for budget in np.flatnonzero(prices.budget > 0).tolist():
            usd = usd + prices.budget[budget] * self._paid(budget)
        return usd

    def _paid(self, budget: int) -> Floats:
        """What a budget counts [way, unit]; few budgets have a price."""
        if budget not in self.paid:
            case, cells, limits = self.case, self.case.cells, self.case.limits
            units = len(self.first_cell)
            each = cells.goods.price_usd_per_hour * limits.counts_candidate[budget]
            hours = (self.end - self.start).astype(np.float64)
            to_users = case.route_usd * case.tariff.counts_lane(budget)
            paid = np.empty((len(self.fleets), units))
            for i, fleet in enumerate(self.fleets):
                unit = self.unit_of_cell[fleet.cell]
                usd = each[fleet.candidate] * (fleet.count * hours[unit])
                lane, share = fleet.share.at, fleet.share.values
                paid[i] = np.bincount(unit, usd, units)
                paid[i] += np.bincount(self.unit_of_lane[lane], to_users[lane] * share, units)
            self.paid[budget] = paid
        return self.paid[budget]

    def charged(self, quota: Floats) -> Floats:
        """What quotas charge [way, unit] at prices ``quota`` [quota row, hour]."""
        so_far = np.concatenate([np.zeros((len(quota), 1)), quota.cumsum(axis=1)], axis=1)
        price = (so_far[:, self.end] - so_far[:, self.start]).T
        charge: Floats = np.einsum("vuq,uq->vu", self.use, price)
        return charge

    def saved(self, worth: Floats) -> Floats:
        """What commitments save [way, unit] if all usage is covered, at ``worth`` [class, hour]."""
        so_far = np.concatenate([np.zeros((len(worth), 1)), worth.cumsum(axis=1)], axis=1)
        saved, units = np.empty_like(self.compute_usd), len(self.first_cell)
        for i in range(len(saved)):
            starts = self.own_start[i * units : (i + 1) * units + 1]
            unit, own = np.repeat(np.arange(units), np.diff(starts)), slice(starts[0], starts[-1])
            of = self.own_class[own]
            each = so_far[of, self.end[unit]] - so_far[of, self.start[unit]]
            saved[i] = np.bincount(unit, each * self.own_usd[own], units)
        return saved

    def with_routes(self, routes: Floats) -> Ways:
        """The same ways at other prices of routes [lane]."""
        units = len(self.first_cell)
        shares = [fleet.share for fleet in self.fleets]
        routes_usd = [
            np.bincount(self.unit_of_lane[share.at], routes[share.at] * share.values, units)
            for share in shares
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
                fleet.share.dense(len(self.unit_of_lane)),
            )  # fmt: skip
            found.routes_usd[i] += np.bincount(caller, usd, len(self.first_cell))
        return found


def find_ways(case: Case, fleets: Sequence[ThinFleet], unit_of_cell: Ints) -> Ways:
    """What units of ``fleets`` cost and use, but for routes."""
    cells, asks, limits = case.cells, case.cells.asks, case.limits
    _, first_cell = np.unique(unit_of_cell, return_index=True)
    units = len(first_cell)
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    unit_of_lane = unit_of_cell[cell_of_lane]
    span = asks.group_span[cells.cell_group[first_cell]]
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    usd = np.empty((len(fleets), units))
    use = np.zeros((len(fleets), units, len(limits.quota_limit)), np.float32)
    counted = limits.quota_use.toarray()
    lengths, own_class, own_usd = [], [], []
    for i, thin in enumerate(fleets):
        fleet = thin.fleet(case)
        unit = unit_of_cell[fleet.cell]
        cost = cells.goods.cost_usd_per_hour[fleet.candidate]
        usd[i] = np.bincount(unit, cost * (fleet.count * cells.hours[span[unit]]), units)
        usd[i] += np.bincount(unit_of_cell, fleet.unmet_usd, units)
        for q in range(use.shape[2]):
            used = np.bincount(unit, counted[fleet.candidate, q] * fleet.count, units)
            use[i, :, q] = no_less(used.astype(np.float64))
        length, *own = _usage(case, fleet, unit, units)
        lengths.append(length)
        own_class.append(own[0])
        own_usd.append(own[1])
    own_start = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int32)
    return Ways(
        case, tuple(fleets), unit_of_cell, first_cell, starts[span], ends[span], unit_of_lane, usd,
        np.zeros_like(usd), use, own_start,
        np.concatenate(own_class), np.concatenate(own_usd).astype(np.float64),
    )  # fmt: skip


def no_less(values: Floats) -> NDArray[np.float32]:
    """``values`` in half the memory, rounded up: what quotas count is mostly exact in it."""
    near = values.astype(np.float32)
    return np.where(near < values, np.nextafter(near, np.float32(np.inf)), near)


def _usage(case: Case, fleet: Fleet, unit: Ints, units: int) -> tuple[Any, ...]:
    """What of a fleet's usage commitments may cover: entries of each unit; class and USD/h."""
    covered, goods = case.covered, case.cells.goods
    mine = np.flatnonzero(covered.class_of[fleet.candidate] >= 0)
    good = fleet.candidate[mine]
    classes = max(covered.classes, 1)
    key, at = np.unique(unit[mine] * classes + covered.class_of[good], return_inverse=True)
    usd = np.bincount(at.ravel(), goods.price_usd_per_hour[good] * fleet.count[mine], len(key))
    length = np.bincount(key // classes, minlength=units)
    return length, (key % classes).astype(np.int16), usd


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
