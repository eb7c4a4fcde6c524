"""What a cell may hold, place by place, wherever that may be part of its unit's best way.

A *holding* says how many replicas each place of a cell holds. At the prices α of its calls a cell
costs at least what a shortest path over its places costs (``sharing``); a path may be told to pass
through a given holding. Only holdings for which that stays below a limit are listed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.exact import cap_of, lanes_of
from optimizer.decompose.sharing import by_price
from optimizer.decompose.single import beyond_usd, left_of, loose_share, lost_usd
from optimizer.decompose.tables import Asks, Stock, Tables, Unmet, unmet_of, zone_cost

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_NODES = 20_000
"""Beginnings of holdings that are looked at, per cell."""


class Path(NamedTuple):
    """Lower bounds on what places still to come cost a cell.

    ``ahead[i, q]``: the least that all but the first i places in ``order`` cost when these hold q
    replicas, or at least as many as ``ahead`` tells apart; ``cost[p, k]``: of k replicas in place
    p; ``slope`` [place]: USD of routes per replica that is busy, of ``strict`` in all.
    """

    order: Ints
    cost: Floats
    slope: Floats
    strict: float
    ahead: Floats
    base: float


@compiled
def left_after(asks: Asks, cell: int) -> Ints:
    """Replicas of a cell that must be left after the loss of any zone, region or cloud."""
    outlive = np.zeros(3, np.int64)
    if asks.entry_start[cell] < asks.entry_start[cell + 1]:
        ruled = asks.ruled[asks.entry_start[cell]]
        outlive[0] = left_of(asks.share_zone[cell], ruled)
        outlive[1] = left_of(asks.share_region[cell], ruled)
        outlive[2] = left_of(asks.share_cloud[cell], ruled)
    return outlive


@compiled
def most_in_place(asks: Asks, cell: int, minimum: int) -> int:
    """Replicas in one place beyond which one could always go."""
    return max(asks.need[cell], minimum) + left_after(asks, cell).max()


@compiled
def find_path(
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    cell: int,
    low: int,
    top: int,
    toll: float,
) -> Path:
    """Bounds for at least ``low`` replicas, at most ``top`` in a place.

    ``toll``: USD for each that is missing when demand is highest, besides what that costs anyway.
    """
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    places, entries = last - first, asks.entry_start[cell + 1] - asks.entry_start[cell]
    enough = max(asks.need[cell], low)
    cost, slope = np.full((places, top + 1), INFINITE), np.zeros(places)
    for p in range(places):
        r = asks.place[first + p]
        if tables.kind[r] > 0:
            cost[p] = tables.cost[r, : top + 1]
        cost[p, 0] = 0.0
    end, order, strict, base = np.zeros(enough + 1), np.arange(places), 0.0, 0.0
    if entries == 1:
        prices = route_usd[asks.lane_start[cell] : asks.lane_start[cell + 1]]
        order, busy = by_price(prices), asks.peak[asks.entry_start[cell]]
        given = unmet_of(asks, cell)
        unmet = Unmet(given.most, given.top + toll, given.busy, given.usd)
        loose, least = loose_share(unmet, prices, order, busy), prices[order[0]]
        strict = (1.0 - loose) * busy
        highest = given.busy.max() if len(given.busy) > 0 else 0.0
        for q in range(enough + 1):
            end[q] = lost_usd(unmet, q) + toll * max(highest - q, 0.0)
            end[q] += least if busy <= 0.0 else beyond_usd(least, loose, strict, float(q))
        if strict > 0.0:
            slope = (1.0 - loose) * prices / strict
    elif entries > 1:
        base = _relaxed_routes(asks, y, route_usd, cell, toll, cost)
    end[:low] = INFINITE
    ahead = np.full((places + 1, enough + 1), INFINITE)
    ahead[places] = end
    for i in range(places - 1, -1, -1):
        p = order[i]
        for q in range(enough + 1):
            for k in range(top + 1):
                usd = cost[p, k] + ahead[i + 1, min(q + k, enough)]
                usd += slope[p] * (min(float(q + k), strict) - min(float(q), strict))
                ahead[i, q] = min(ahead[i, q], usd)
    return Path(order, cost, slope, strict, ahead, base)


@compiled
def _relaxed_routes(
    asks: Asks, y: Floats, route_usd: Floats, cell: int, toll: float, cost: Floats
) -> float:
    """The least for routes of several origins where replicas have prices, taken off ``cost``."""
    first = asks.slot_start[cell]
    prices, may = lanes_of(asks, route_usd, cell)
    cap, cap_usd = cap_of(asks, cell)
    busy = asks.busy[asks.entry_start[cell] : asks.entry_start[cell + 1]]
    price = np.empty(len(cost))
    for p in range(len(cost)):
        price[p] = min(y[first + p], cap_usd + toll) if cap > 0.0 else y[first + p]
        for k in range(1, cost.shape[1]):
            cost[p, k] -= price[p] * k
    routed = 0.0
    for e in range(len(busy)):
        least = INFINITE
        for p in range(len(cost)):
            if may[e, p]:
                least = min(least, prices[e, p] + busy[e] * price[p])
        routed += least
    return routed


@compiled
def list_holdings(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    assortment: int,
    cell: int,
    path: Path,
    limit: float,
    held: Ints,
    usd: Floats,
) -> int:
    """Write all holdings that cost no more than ``limit``, bounded by ``path``; how many they are.

    ``held`` [holding, place] and ``usd`` [holding], of replicas alone. -1: there is no room.
    """
    places, top = path.cost.shape[0], path.cost.shape[1] - 1
    enough = path.ahead.shape[1] - 1
    here, count = np.full(places + 1, -1), np.zeros(places + 1, np.int64)
    spent = np.zeros(places + 1)
    found, i, nodes = 0, 0, 0
    way = np.zeros(places, np.int64)
    while i >= 0:
        here[i] += 1
        k = here[i]
        if k > top:
            here[i] = -1
            i -= 1
            continue
        nodes += 1
        if nodes > MOST_NODES:
            return -1
        p, q = path.order[i], count[i]
        so_far = spent[i] + path.cost[p, k]
        so_far += path.slope[p] * (min(float(q + k), path.strict) - min(float(q), path.strict))
        if path.base + so_far + path.ahead[i + 1, min(q + k, enough)] > limit:
            continue
        spent[i + 1], count[i + 1], way[p] = so_far, q + k, k
        if i < places - 1:
            i += 1
            continue
        paid = holding_usd(stock, asks, tables, assortment, cell, way)
        more = paid - holding_usd(stock, asks, tables, assortment, cell, way, False)
        if path.base + so_far + more + path.ahead[places, min(q + k, enough)] > limit:
            continue
        if found == len(usd):
            return -1
        held[found, :places], usd[found] = way, paid
        found += 1
    return found


@compiled
def holding_usd(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    assortment: int,
    cell: int,
    way: Ints,
    losses: bool = True,
) -> float:
    """What the replicas of ``way`` [place] cost; INFINITE: some loss leaves too few of them."""
    first, total = asks.slot_start[cell], way.sum()
    outlive = left_after(asks, cell) if losses else np.zeros(3, np.int64)
    if total < outlive.max():
        return INFINITE
    usd = 0.0
    for p in range(len(way)):
        if way[p] == 0:
            continue
        r = asks.place[first + p]
        alive = max(way[p] - (total - outlive[0]), 0) if outlive[0] > 0 else 0
        if tables.kind[r] == 0 or (outlive[1] > 0 and total - way[p] < outlive[1]):
            return INFINITE
        beside = total
        for other in range(len(way)):
            if stock.cloud[asks.place[first + other]] == stock.cloud[r]:
                beside -= way[other]
        if outlive[2] > 0 and beside < outlive[2]:
            return INFINITE
        usd += zone_cost(stock, assortment, tables, r, way[p], alive, False)
    return usd
