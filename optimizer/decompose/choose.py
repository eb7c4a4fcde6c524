"""One of several ways for every cell, such that quotas hold and commitments are filled.

A *way* is a fleet in which every cell has been asked what it would do at certain prices of quotas
and of covered usage. Cells of large fleets differ, so that some answer each price this way and
some that way; together they meet limits almost to the dollar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.calls import cost_of_each
from optimizer.decompose.dual import Case, quota_use
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.split import split_cells
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
    """[cell]: cells that may choose alone; those that share a minimum go together."""
    asks = case.cells.asks
    tied = asks.group_extra[case.cells.cell_group] > 0
    new = np.ones(len(tied), np.bool_)
    new[1:] = ~(tied[1:] & (case.cells.cell_group[1:] == case.cells.cell_group[:-1]))
    return np.cumsum(new) - 1


def tied_units(case: Case) -> Ints:
    """[cell]: cells of services that call each other, directly or through others, span by span."""
    asks, cells = case.cells.asks, case.cells
    key = case.unit_of_group * len(cells.spans) + asks.group_span
    return np.unique(key[cells.cell_group], return_inverse=True)[1].ravel().astype(np.int64)


def choose(
    ways: Ways,
    prices: Prices,
    routes: Floats,
    room: Floats,
    liked_usd: Floats,
    barred_usd: Floats,
    before: Ints | None = None,
    may_move: Bools | None = None,
    may_split: Bools | None = None,
) -> tuple[Fleet, Ints] | None:
    """One way for every unit: who gains most per scarce thing it uses chooses first.

    ``room`` [class, hour]: usage at list price up to which commitments cover it, for what
    ``prices`` say it is worth; ``before`` [unit]: ways to improve on, within quotas, for units that
    ``may_move``.
    ``liked_usd`` and ``barred_usd`` [candidate, span]: prices for cells that put some replicas into
    a quota and some elsewhere, if their unit ``may_split`` [unit] (None: all). Returns the fleet
    and the way of each unit; None: quotas cannot be kept.
    """
    case, limits = ways.case, ways.case.limits
    units = len(ways.first_cell)
    scarce = _charge(ways, prices.quota)
    saved = _saved(ways, prices.covered)
    usd = ways.usd(prices)
    charged = usd + scarce - saved
    best = charged.argmin(axis=0)
    every = np.arange(units)
    stake = np.maximum((scarce + saved)[best, every], 1e-9)
    regret = (charged[-1] - charged[best, every]) / stake
    order = np.argsort(-regret, kind="stable")
    if may_move is not None:
        order = order[may_move[order]]
    left = np.repeat(limits.quota_limit[:, None], case.periods, axis=1)
    rounds = 3 if before is None else 1
    if before is None:
        before = np.full(units, len(ways.fleets) - 1)
    else:
        scarce = np.zeros_like(scarce)
    room = room.copy()
    chosen, value = pick(
        usd, scarce, ways.use, ways.own_start, ways.own_class, ways.own_usd, prices.covered,
        ways.start, ways.end, left, room, order, before, rounds,
    )  # fmt: skip
    fleet = _fleet_of(ways, chosen)
    if not len(limits.quota_limit) or (may_split is not None and not may_split.any()):
        over = quota_use(case, fleet.used) > limits.quota_limit[:, None] * (1 + 1e-9)
        return None if over.any() else (fleet, chosen)
    gain = value - (usd - saved).min(axis=0)
    wanting = np.flatnonzero((gain > 1e-9) & (np.bincount(ways.unit_of_cell) == 1))
    if may_split is not None:
        wanting = wanting[may_split[wanting]]
    wanting = wanting[np.argsort(-gain[wanting], kind="stable")]
    fleet = _split(
        ways, fleet, prices.covered, routes, wanting, chosen, value, left, room, liked_usd,
        barred_usd,
    )  # fmt: skip
    over = quota_use(case, fleet.used) > limits.quota_limit[:, None] * (1 + 1e-9)
    return None if over.any() else (fleet, chosen)


def _fleet_of(ways: Ways, chosen: Ints) -> Fleet:
    """The fleet in which every unit goes its way."""
    asks = ways.case.cells.asks
    picked = chosen[ways.unit_of_cell]
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    cell_of_slot = np.repeat(np.arange(len(asks.need)), np.diff(asks.slot_start))
    rows = [np.flatnonzero(picked[fleet.cell] == i) for i, fleet in enumerate(ways.fleets)]
    held, share = ways.fleets[0].held.copy(), ways.fleets[0].share.copy()
    for i, fleet in enumerate(ways.fleets):
        slots, lanes = picked[cell_of_slot] == i, picked[cell_of_lane] == i
        held[slots], share[lanes] = fleet.held[slots], fleet.share[lanes]
    chosen_rows = list(zip(ways.fleets, rows, strict=True))
    return Fleet(
        ways.case,
        np.concatenate([way.cell[own] for way, own in chosen_rows]),
        np.concatenate([way.candidate[own] for way, own in chosen_rows]),
        np.concatenate([way.count[own] for way, own in chosen_rows]),
        held,
        share,
    )


def _charge(ways: Ways, quota: Floats) -> Floats:
    """What quotas charge [way, unit]."""
    so_far = np.concatenate([np.zeros((len(quota), 1)), quota.cumsum(axis=1)], axis=1)
    price = (so_far[:, ways.end] - so_far[:, ways.start]).T
    charge: Floats = np.einsum("vuq,uq->vu", ways.use, price)
    return charge


def _saved(ways: Ways, worth: Floats) -> Floats:
    """What commitments would save if they covered all [way, unit]."""
    so_far = np.concatenate([np.zeros((len(worth), 1)), worth.cumsum(axis=1)], axis=1)
    owner = np.repeat(np.arange(ways.compute_usd.size), np.diff(ways.own_start))
    unit = owner % ways.compute_usd.shape[1]
    each = so_far[ways.own_class, ways.end[unit]] - so_far[ways.own_class, ways.start[unit]]
    shape = ways.compute_usd.shape
    saved = np.bincount(owner, each * ways.own_usd, shape[0] * shape[1]).reshape(shape)
    return np.asarray(saved, np.float64)


def _split(
    ways: Ways,
    fleet: Fleet,
    worth: Floats,
    routes: Floats,
    wanting: Ints,
    way: Ints,
    value: Floats,
    left: Floats,
    room: Floats,
    liked_usd: Floats,
    barred_usd: Floats,
) -> Fleet:
    """Let cells that did not fit into a quota put as many of their replicas there as do fit."""
    case, cells, asks = ways.case, ways.case.cells, ways.case.cells.asks
    goods, limits = cells.goods, case.limits
    simple = np.diff(asks.entry_start) == 1
    simple &= np.maximum(np.maximum(asks.share_zone, asks.share_region), asks.share_cloud) <= 0
    chosen = ways.first_cell[wanting]
    keep = simple[chosen] & (asks.need[chosen] > 1)
    wanting, chosen = wanting[keep], chosen[keep]
    span = asks.group_span[cells.cell_group[chosen]]
    use = limits.quota_use.toarray()
    own = np.zeros((len(chosen), len(limits.quota_limit)))
    position = np.full(len(asks.need), -1)
    position[chosen] = np.arange(len(chosen))
    mine = position[fleet.cell] >= 0
    np.add.at(own, position[fleet.cell[mine]], use[fleet.candidate[mine]] * fleet.count[mine, None])
    at = way[wanting] * len(ways.first_cell) + wanting
    changed, cell, candidate, count = split_cells(
        case.stock, case.asks, liked_usd, barred_usd, goods.cost_usd_per_hour,
        goods.price_usd_per_hour, case.covered.class_of, cells.hours, routes, chosen,
        asks.group_assortment[cells.cell_group[chosen]], span, ways.start[wanting],
        ways.end[wanting], value[wanting], own, use, left, ways.own_start[at],
        ways.own_start[at + 1], ways.own_class, ways.own_usd, worth, room, fleet.held, fleet.share,
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
    usd: Floats,
    scarce: Floats,
    use: Floats,
    own_start: Ints,
    own_class: Ints,
    own_usd: Floats,
    worth: Floats,
    first: Ints,
    last: Ints,
    left: Floats,
    room: Floats,
    order: Ints,
    before: Ints,
    rounds: int,
) -> tuple[Ints, Floats]:
    """The way of every unit, and what it costs: first the cheapest at the prices of quotas
    (``scarce``) that fits, then what is cheaper.

    All start from ``before``. ``left`` [quota row, hour] and ``room`` [class, hour] are used up;
    usage beyond the room is not covered.
    """
    ways, units, quotas = len(usd), usd.shape[1], len(left)
    chosen, paid = before.copy(), np.empty(units)
    for g in range(units):  # who has no other way uses what quotas count all the same
        now = chosen[g]
        for q in range(quotas):
            for t in range(first[g], last[g]):
                left[q, t] -= use[now, g, q]
        for j in range(own_start[now * units + g], own_start[now * units + g + 1]):
            for t in range(first[g], last[g]):
                room[own_class[j], t] -= own_usd[j]
    for again in range(rounds):
        for g in order:
            now = chosen[g]
            for j in range(own_start[now * units + g], own_start[now * units + g + 1]):
                for t in range(first[g], last[g]):
                    room[own_class[j], t] += own_usd[j]
            best, at = np.inf, now
            for v in range(ways):
                value = usd[v, g] + (scarce[v, g] if again == 0 else 0.0)
                for j in range(own_start[v * units + g], own_start[v * units + g + 1]):
                    e = own_class[j]
                    for t in range(first[g], last[g]):
                        value -= worth[e, t] * min(own_usd[j], max(room[e, t], 0.0))
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
            for j in range(own_start[at * units + g], own_start[at * units + g + 1]):
                for t in range(first[g], last[g]):
                    room[own_class[j], t] -= own_usd[j]
            chosen[g], paid[g] = at, best
    moved = np.zeros(units, np.bool_)
    moved[order] = True
    for g in range(units):
        if not moved[g]:
            now = chosen[g]
            paid[g] = usd[now, g]
            for j in range(own_start[now * units + g], own_start[now * units + g + 1]):
                e = own_class[j]
                for t in range(first[g], last[g]):
                    have = max(room[e, t] + own_usd[j], 0.0)
                    paid[g] -= worth[e, t] * min(own_usd[j], have)
    return chosen, paid
