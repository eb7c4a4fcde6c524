"""Cells of several origins, exactly: all ways to hold replicas that may be the best.

With k_p replicas in place p given, routes are a transport problem. For any multipliers y ≥ 0 of
what places hold (``several``)

    Σ_g min_p (route_usd_gp + d_g y_p) + Σ_p cost_p(k_p) - y_p k_p

is no more than what k costs with its best routes, so that only those k need a look for which it is
less than the best so far. With y near their best that are few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE, OPEN_USD
from optimizer.decompose.single import left_of
from optimizer.decompose.tables import Asks, Tables
from optimizer.decompose.transport import cheapest_routes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_NODES = 20_000
"""Beginnings of ways that are looked at, per cell."""
MOST_ROUTED = 1_000
"""Ways whose routes are looked for, per cell."""


@compiled
def may_be_exact(asks: Asks, cell: int) -> bool:
    """Whether a cell has several origins, one hour, and no loss to survive."""
    low, high = asks.entry_start[cell], asks.entry_start[cell + 1]
    losses = asks.share_zone[cell] + asks.share_region[cell] + asks.share_cloud[cell]
    return high - low > 1 and asks.hour_start[low] == asks.hour_start[high] and losses <= 0.0


@compiled
def most_held(asks: Asks, cell: int) -> int:
    """Replicas with which every origin may have its own."""
    most = 0
    for e in range(asks.entry_start[cell], asks.entry_start[cell + 1]):
        most += left_of(1.0, asks.peak[e])
    return max(most, asks.need[cell])


@compiled
def try_totals(
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    cell: int,
    plan: bool,
    alone: bool,
    first_try: Ints,
    usd: Floats,
    missing: Floats,
    held_at: Ints,
) -> bool:
    """``usd[q]``: the least for q replicas in all, held as in ``held_at[q]``; True: surely.

    ``missing`` [q, pair]: replicas that are missing then (in a bound: at least), all of the
    group's cap being this cell's. Only what is cheaper than the best with which nothing is missing
    is looked at; if the cell is ``alone`` with the cap, only the cheapest. Bounds take all other
    totals for as cheap as that. ``first_try`` [place] is some way with enough replicas.
    """
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    places, top = last - first, len(usd) - 1
    prices, may = lanes_of(asks, route_usd, cell)
    cap, cap_usd = cap_of(asks, cell)
    busy = asks.busy[asks.entry_start[cell] : asks.entry_start[cell + 1]]
    reduced, limit = np.empty((places, top + 1)), np.zeros(places, np.int64)
    rest = np.zeros(places + 1)
    toll = np.zeros(places)
    for p in range(places):
        toll[p] = min(y[first + p], cap_usd) if cap > 0.0 else y[first + p]
        reached = 0.0
        for e in range(len(busy)):
            if may[e, p]:
                reached += busy[e]
        if tables.kind[asks.place[first + p]] > 0:
            # More than asks for it only where a minimum wants replicas anywhere.
            limit[p] = top if asks.least_of_group[cell] > 0 else min(left_of(1.0, reached), top)
        for q in range(limit[p] + 1):
            reduced[p, q] = tables.cost[asks.place[first + p], q] - toll[p] * q
        reduced[p, 0] = 0.0
    for p in range(places - 1, -1, -1):
        rest[p] = rest[p + 1] + reduced[p, : limit[p] + 1].min()
    routed = 0.0
    for e in range(len(busy)):
        least = INFINITE
        for p in range(places):
            if may[e, p]:
                least = min(least, prices[e, p] + busy[e] * toll[p])
        routed += least
    best = _look(asks, tables, prices, may, 0.0, cell, plan, first_try, usd, missing, held_at)
    of_best = first_try.copy()
    here, spent = np.full(places, -1), np.zeros(places + 1)
    total, p, nodes, looks = 0, 0, 0, 0
    while p >= 0:
        if here[p] >= 0:
            total -= here[p]
        here[p] += 1
        if here[p] > limit[p] or total + here[p] > top:
            here[p] = -1
            p -= 1
            continue
        total += here[p]
        spent[p + 1] = spent[p] + reduced[p, here[p]]
        nodes += 1
        if nodes > MOST_NODES or looks > MOST_ROUTED:
            return False
        if routed + spent[p + 1] + rest[p + 1] >= best:
            continue
        if p < places - 1:
            p += 1
            continue
        if total < asks.low_bound[cell] or routed + spent[places] >= usd[total]:
            continue
        looks += 1
        found = _look(asks, tables, prices, may, cap, cell, plan, here, usd, missing, held_at)
        if found < best and (alone or missing[total].sum() <= 0.0):
            best = found
            of_best[:] = here
    for q in range(top + 1):
        if usd[q] > best and not plan:
            usd[q], missing[q], held_at[q, :places] = best, 0.0, of_best
    return True


@compiled
def lanes_of(asks: Asks, route_usd: Floats, cell: int) -> tuple[Floats, Bools]:
    """Prices of the routes [entry, place] of a cell, and which of them may be used."""
    places = asks.slot_start[cell + 1] - asks.slot_start[cell]
    lane = slice(asks.lane_start[cell], asks.lane_start[cell + 1])
    prices = route_usd[lane].copy().reshape(-1, places)
    may = asks.may[lane].copy().reshape(-1, places) & (prices < OPEN_USD)
    return prices, may


@compiled
def cap_of(asks: Asks, cell: int) -> tuple[float, float]:
    """Replicas that may be missing in the hour and scenario of highest demand, and their price."""
    start, end = asks.unmet_start[cell], asks.unmet_start[cell + 1]
    if start == end or asks.unmet_most[cell] <= 0.0:
        return 0.0, 0.0
    top = start + int(np.argmax(asks.unmet_busy[start:end]))
    return asks.unmet_cap[top], asks.unmet_top[cell]


@compiled
def _look(
    asks: Asks,
    tables: Tables,
    prices: Floats,
    may: Bools,
    cap: float,
    cell: int,
    plan: bool,
    held: Ints,
    usd: Floats,
    missing: Floats,
    held_at: Ints,
) -> float:
    """What ``held`` costs with its best routes; kept if nothing cheaper holds as many."""
    first, places = asks.slot_start[cell], len(held)
    share = np.zeros(prices.shape)
    busy = asks.busy[asks.entry_start[cell] : asks.entry_start[cell + 1]]
    cap_usd = cap_of(asks, cell)[1]
    found = cheapest_routes(held.astype(np.float64), busy, prices, may, cap, cap_usd, share)
    total = held.sum()
    if found >= INFINITE or total >= len(usd):
        return INFINITE
    pairs = asks.unmet_start[cell + 1] - asks.unmet_start[cell]
    lost = np.zeros(pairs)
    if plan:
        found = (prices * share).sum()
    top = (
        int(np.argmax(asks.unmet_busy[asks.unmet_start[cell] : asks.unmet_start[cell + 1]]))
        if (pairs > 0)
        else -1
    )
    for i in range(pairs):
        at = asks.unmet_start[cell] + i
        if plan:
            lost[i] = missing_at(asks, cell, i, held, share)
        else:
            lost[i] = max(asks.unmet_busy[at] - total, 0.0)
        if plan or i != top:
            found += asks.unmet_usd[at] * lost[i]
    for p in range(places):
        if held[p] > 0:
            found += tables.cost[asks.place[first + p], held[p]]
    if found < usd[total]:
        usd[total] = found
        missing[total, :pairs] = lost
        held_at[total, :places] = held
    return float(found)


@compiled
def missing_at(asks: Asks, cell: int, pair: int, held: Ints, share: Floats) -> float:
    """Replicas that places of a cell of several origins lack in an hour of a scenario."""
    entries, places = share.shape
    start = asks.part_start[cell] + pair * entries
    lacking = 0.0
    for p in range(places):
        asked = 0.0
        for e in range(entries):
            asked += asks.unmet_part[start + e] * share[e, p]
        if asked > held[p] + 1e-9:
            lacking += asked - held[p]
    return lacking


@compiled
def write_total(
    asks: Asks, route_usd: Floats, cell: int, cap: float, way: Ints, held: Ints, share: Floats
) -> None:
    """Write the replicas of ``way`` [place] and their best routes to slots and lanes."""
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    prices, may = lanes_of(asks, route_usd, cell)
    busy = asks.busy[asks.entry_start[cell] : asks.entry_start[cell + 1]]
    served = np.zeros(prices.shape)
    held[first:last] = way[: last - first]
    room = held[first:last].astype(np.float64)
    cheapest_routes(room, busy, prices, may, cap, cap_of(asks, cell)[1], served)
    share[asks.lane_start[cell] : asks.lane_start[cell + 1]] = served.ravel()
