"""One of several ways for every cell, such that quotas hold and commitments are filled.

A *way* is a fleet in which every cell has been asked what it would do at certain prices of quotas
and of covered usage. Cells of large fleets differ, so that some answer each price this way and
some that way; together they meet limits almost to the dollar.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.dual import quota_use
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.relaxed import Relaxed
from optimizer.decompose.split import split_cells
from optimizer.decompose.tariff import Prices
from optimizer.decompose.ways import Ways

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
    scarce = ways.charged(prices.quota)
    saved = ways.saved(prices.covered)
    usd = ways.usd(prices)
    charged = usd + scarce - saved
    best = charged.argmin(axis=0)
    every = np.arange(units)
    stake = np.maximum((scarce + saved)[best, every], 1e-9)
    regret = (charged[-1] - charged[best, every]) / stake
    cheapest = (usd - saved).min(axis=0)
    del charged, saved  # as large as all ways of all units
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
    fleet = fleet_of(ways, chosen)
    if not len(limits.quota_limit) or (may_split is not None and not may_split.any()):
        over = quota_use(case, fleet.used) > limits.quota_limit[:, None] * (1 + 1e-9)
        return None if over.any() else (fleet, chosen)
    gain = value - cheapest
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


def made_whole(ways: Ways, mixed: Relaxed, prices: Prices) -> Ints:
    """The way of each unit when the few that the mix divides choose one by one."""
    limit = ways.case.limits.quota_limit
    thrifty = ways.use.sum(axis=2).argmin(axis=0)
    before = np.where(mixed.divided, thrifty, mixed.heaviest)
    usd = ways.usd(prices)
    return pick(
        usd, np.zeros_like(usd), ways.use, ways.own_start, ways.own_class, ways.own_usd,
        mixed.prices.covered, ways.start, ways.end,
        np.repeat(limit[:, None], ways.case.periods, axis=1), mixed.covered.copy(),
        np.flatnonzero(mixed.divided), before, 1,
    )[0]  # fmt: skip


def fleet_of(ways: Ways, chosen: Ints) -> Fleet:
    """The fleet in which every unit goes its way."""
    asks = ways.case.cells.asks
    picked = chosen[ways.unit_of_cell]
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    cell_of_slot = np.repeat(np.arange(len(asks.need)), np.diff(asks.slot_start))
    held, share = np.zeros(len(asks.place), np.int64), np.zeros(len(asks.may))
    rows = []
    for i, way in enumerate(ways.fleets):
        own = np.flatnonzero(picked[way.cell] == i)
        rows.append([way.cell[own], way.candidate[own], way.count[own]])
        for thin, whose, values in (
            (way.held, cell_of_slot, held),
            (way.share, cell_of_lane, share),
        ):
            mine = picked[whose[thin.at]] == i
            values[thin.at[mine]] = thin.values[mine]
    cell, candidate, count = (np.concatenate(row) for row in zip(*rows, strict=True))
    return Fleet(ways.case, cell, candidate, count, held, share)


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
    use: NDArray[np.float32],
    own_start: NDArray[np.int32],
    own_class: NDArray[np.int16],
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
