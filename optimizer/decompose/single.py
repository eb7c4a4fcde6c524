"""Cells of one origin: replicas in several places that serve the same traffic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.sharing import by_price, clouds_within, routes, shortest, unwind
from optimizer.decompose.tables import Stock, Tables, zone_cost

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@compiled
def left_of(share: float, busy: float) -> int:
    """Replicas that must be left to serve a share of what keeps ``busy`` replicas busy."""
    return int(np.ceil(share * busy - 1e-7)) if share > 0.0 else 0


@compiled
def solve_single(
    stock: Stock,
    tables: Tables,
    assortment: int,
    plan: bool,
    place: Ints,
    prices: Floats,
    busy: float,
    need: int,
    wz: int,
    wr: int,
    wc: int,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The least for ``need`` replicas in some places, ``busy`` of them serving traffic.

    ``prices`` [place]: USD if all traffic goes there. ``wz``, ``wr``, ``wc``: replicas left after
    the loss of any zone, region or cloud. Writes, per place, ``held`` replicas, of which ``alive``
    must outlive a zone, and the share of the traffic.
    """
    places = len(place)
    order = by_price(prices)
    left = max(wz, wr, wc)
    total = need + left
    cost = np.empty((places, total + 1))
    for p in range(places):
        r = place[p]
        cost[p, 0] = 0.0
        for q in range(1, total + 1):
            cost[p, q] = tables.cost[r, q] if tables.kind[r] > 0 else INFINITE
        alive[p] = 0
        held[p] = 0
    value, back = np.empty(total + 1), np.empty((places, total + 1), np.int64)
    free = np.full(places, total, np.int64)
    shortest(cost, prices, busy, total, free, order, value, back)
    if left > 0:
        return _under_loss(
            stock, tables, assortment, plan, place, prices, busy, need, wz, wr, wc, cost, value,
            order, held, alive, share,
        )  # fmt: skip
    if value[need] >= INFINITE:
        return INFINITE
    unwind(back, order, need, held)
    routes(held, order, busy, share)
    return value[need] + (_idle_routes(prices, share) if busy <= 0.0 else 0.0)


@compiled
def _idle_routes(prices: Floats, share: Floats) -> float:
    usd = 0.0
    for p in range(len(prices)):
        usd += prices[p] * share[p]
    return usd


@compiled
def _under_loss(
    stock: Stock,
    tables: Tables,
    assortment: int,
    plan: bool,
    place: Ints,
    prices: Floats,
    busy: float,
    need: int,
    wz: int,
    wr: int,
    wc: int,
    cost: Floats,
    unbound: Floats,
    order: Ints,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """``solve_single`` where losses must be survived: the best of all totals that may pay."""
    places = len(place)
    cloud = np.empty(places, np.int64)
    for p in range(places):
        cloud[p] = stock.cloud[place[p]]
    grouped = False
    for p in range(places):
        for q in range(p):
            grouped = grouped or (wc > 0 and cloud[p] == cloud[q])
    top = need + max(wz, wr, wc)
    value, back = np.empty(top + 1), np.empty((places, top + 1), np.int64)
    here, most = np.empty((places, top + 1)), np.empty(places, np.int64)
    trial, served = np.zeros(places, np.int64), np.zeros(places)
    best = INFINITE
    for total in range(need, top + 1):
        if unbound[total:].min() >= best:
            break
        if unbound[total] >= best:
            continue
        cap = total
        if wr > 0:
            cap = min(cap, total - wr)
        if wc > 0:
            cap = min(cap, total - wc)
        for p in range(places):
            most[p] = cap
            r = place[p]
            for q in range(total + 1):
                here[p, q] = cost[p, q]
                if wz > 0 and q > 0 and tables.kind[r] > 0:
                    here[p, q] = zone_cost(stock, assortment, tables, r, q, q - (total - wz), plan)
        if grouped and plan:
            if not clouds_within(here, trial, cloud, total, wc, most):
                continue
            routes(trial, order, busy, served)
            found = 0.0
            for p in range(places):
                found += here[p, trial[p]] + prices[p] * served[p]
        else:
            shortest(here, prices, busy, total, most, order, value, back)
            found = value[total]
            if found >= best:
                continue
            unwind(back, order, total, trial)
            routes(trial, order, busy, served)
            if busy <= 0.0:
                found += _idle_routes(prices, served)
        if found < best:
            best = found
            for p in range(places):
                held[p] = trial[p]
                share[p] = served[p]
                alive[p] = max(0, trial[p] - (total - wz)) if wz > 0 else 0
    return best
