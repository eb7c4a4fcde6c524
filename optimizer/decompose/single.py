"""Cells of one origin: replicas in several places that serve the same traffic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE, OPEN_USD
from optimizer.decompose.sharing import by_price, clouds_within, routes, shortest, unwind
from optimizer.decompose.tables import Stock, Tables, Unmet, zone_cost

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OUT_OF_THE_WAY_USD = 1e5
"""What a replica seems to cost where no traffic may go: only losses can make it worth having."""


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
    low: int,
    need: int,
    unmet: Unmet,
    wz: int,
    wr: int,
    wc: int,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The least for ``need`` replicas in some places, ``busy`` of them serving traffic.

    ``prices`` [place]: USD if all traffic goes there. ``wz``, ``wr``, ``wc``: replicas left after
    the loss of any zone, region or cloud. ``low`` replicas are enough where ``unmet`` is paid for
    what they leave unserved. Writes, per place, ``held`` replicas, of which ``alive`` must outlive
    a zone, and the share of the traffic.
    """
    places = len(place)
    order = by_price(prices)
    left = max(wz, wr, wc)
    total = max(need, left) + left
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
    loose = 0.0 if plan else loose_share(unmet, prices, order, busy)
    strict = (1.0 - loose) * busy
    shortest(cost, (1.0 - loose) * prices, strict, total, free, order, value, back)
    beside, cheapest = np.empty(total + 1), prices[order[0]] if places > 0 else 0.0
    for q in range(total + 1):
        beside[q] = lost_usd(unmet, q) + beyond_usd(cheapest, loose, strict, float(q))
    if left > 0:
        return _under_loss(
            stock, tables, assortment, plan, place, prices, busy, max(low, left), need, loose,
            beside, wz, wr, wc, cost, value, order, held, alive, share,
        )  # fmt: skip
    trial, served = np.zeros(places, np.int64), np.zeros(places)
    best = INFINITE
    for q in range(low, need + 1):
        if value[q] + beside[q] >= best:
            continue
        unwind(back, order, q, trial)
        found = value[q] + beside[q]
        found += _routed(prices, trial, order, busy, loose, q, plan, served)
        if found < best:
            best = found
            held[:], share[:] = trial, served
    return best


@compiled
def lost_usd(unmet: Unmet, replicas: int) -> float:
    """What it costs to serve with so few replicas."""
    usd = 0.0
    for i in range(len(unmet.busy)):
        usd += unmet.usd[i] * max(unmet.busy[i] - replicas, 0.0)
    return usd


@compiled
def loose_share(unmet: Unmet, prices: Floats, order: Ints, busy: float) -> float:
    """The share of the traffic that a bound must let go past replicas that could serve it.

    None where cheaper routes never make up for an hour without a replica.
    """
    spread = prices[order[-1]] - prices[order[0]] if len(order) > 0 else 0.0
    if unmet.most <= 0.0 or busy <= 0.0 or spread <= unmet.top * busy:
        return 0.0
    return min(unmet.most / busy, 1.0)


@compiled
def beyond_usd(cheapest: float, loose: float, strict: float, replicas: float) -> float:
    """USD of routes of the traffic that no replica serves, at the least."""
    past = loose
    if replicas < strict:
        past += (1.0 - loose) * (1.0 - replicas / strict)
    return past * cheapest


@compiled
def _routed(
    prices: Floats,
    held: Ints,
    order: Ints,
    busy: float,
    loose: float,
    total: int,
    plan: bool,
    share: Floats,
) -> float:
    """Write the share of each place; USD of routes that the shortest path does not know of."""
    strict = (1.0 - loose) * busy
    if busy <= 0.0:
        routes(held, order, busy, share)
        return _usd_of(prices, share)
    if strict <= 0.0:
        share[:] = 0.0
        share[order[0]] = 1.0
        return 0.0
    if total >= strict and loose == 0.0:
        routes(held, order, busy, share)
        return 0.0
    routes(held, order, strict, share)
    served = min(float(total) / strict, 1.0) * (1.0 - loose)
    share *= 1.0 - loose
    known = _usd_of(prices, share) + (1.0 - served) * prices[order[0]]
    if plan:
        routes(held, order, min(busy, float(total)), share)
        return _usd_of(prices, share) - known
    share[order[0]] += 1.0 - served
    return 0.0


@compiled
def _usd_of(prices: Floats, share: Floats) -> float:
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
    low: int,
    need: int,
    loose: float,
    beside: Floats,
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
    top = max(need, wz, wr, wc) + max(wz, wr, wc)
    value, back = np.empty(top + 1), np.empty((places, top + 1), np.int64)
    here, most = np.empty((places, top + 1)), np.empty(places, np.int64)
    trial, served = np.zeros(places, np.int64), np.zeros(places)
    best = INFINITE
    unbound += beside
    for total in range(low, top + 1):
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
            liked = here.copy()  # the search over clouds does not see what routes cost
            for p in range(places):
                for q in range(top + 1):
                    liked[p, q] += q * OUT_OF_THE_WAY_USD if prices[p] >= OPEN_USD else 0.0
            if not clouds_within(liked, trial, cloud, total, wc, most):
                continue
            routes(trial, order, min(busy, float(total)), served)
            found = beside[total] - beyond_usd(prices[order[0]], loose, busy, float(total))
            for p in range(places):
                found += here[p, trial[p]] + prices[p] * served[p]
        else:
            shortest(
                here, (1.0 - loose) * prices, (1.0 - loose) * busy, total, most, order, value, back
            )
            found = value[total] + beside[total]
            if found >= best:
                continue
            unwind(back, order, total, trial)
            found += _routed(prices, trial, order, busy, loose, total, plan, served)
        if found < best:
            best = found
            for p in range(places):
                held[p] = trial[p]
                share[p] = served[p]
                alive[p] = max(0, trial[p] - (total - wz)) if wz > 0 else 0
    return best
