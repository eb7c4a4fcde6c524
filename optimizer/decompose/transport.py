"""The cheapest routes of several origins to places of given capacity.

A transport problem, solved by shortest augmenting paths (Edmonds and Karp 1972); it has a handful
of origins and places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOTHING = 1e-9


@compiled
def cheapest_routes(
    room: Floats,
    busy: Floats,
    prices: Floats,
    may: Bools,
    spare: float,
    spare_usd: float,
    share: Floats,
) -> float:
    """USD of the cheapest shares [origin, place]; INFINITE when there is not enough room.

    ``room`` [place] and ``busy`` [origin] in replicas, ``prices`` [origin, place] in USD if all of
    the origin's traffic goes there. Beyond their room all places together take ``spare`` replicas'
    traffic, at ``spare_usd`` each.
    """
    origins, places = prices.shape
    flow, over = np.zeros((origins, places)), np.zeros(places)
    left = np.append(room, spare)
    for e in range(origins):
        todo = busy[e]
        while todo > NOTHING:
            pushed = _augment(e, todo, left, busy, prices, may, spare_usd, flow, over)
            if pushed <= 0.0:
                return INFINITE
            todo -= pushed
    usd = spare_usd * over.sum()
    for e in range(origins):
        whole = flow[e].sum()
        if busy[e] <= NOTHING:
            best, chosen = INFINITE, 0
            for p in range(places):
                if may[e, p] and prices[e, p] - NOTHING * room[p] < best:
                    best, chosen = prices[e, p] - NOTHING * room[p], p
            flow[e, chosen], whole = 1.0, 1.0
        for p in range(places):
            share[e, p] = flow[e, p] / whole
            usd += prices[e, p] * share[e, p]
    return usd


@compiled
def _augment(
    origin: int,
    todo: float,
    left: Floats,
    busy: Floats,
    prices: Floats,
    may: Bools,
    spare_usd: float,
    flow: Floats,
    over: Floats,
) -> float:
    """Push as much as one shortest path of the residual network takes; 0: there is none.

    The node after all places is what they take beyond their room, ``over`` [place].
    """
    origins, places = prices.shape
    beyond = places
    spills = left[beyond] > NOTHING or over.max() > NOTHING
    distance = np.full(places + 1, INFINITE)
    through = np.full(places + 1, -1)  # the origin whose traffic moves away from ``before``
    before = np.full(places + 1, -1)
    noise = 1e-12
    for e in range(origins):
        for p in range(places):
            if may[e, p] and busy[e] > NOTHING:
                noise = max(noise, 1e-12 * abs(prices[e, p]) / busy[e])
    for p in range(places):
        if may[origin, p]:
            distance[p] = prices[origin, p] / busy[origin]
    for _ in range(places + 1):
        changed = False
        for p in range(places):
            if distance[p] >= INFINITE:
                continue
            for e in range(origins):
                if flow[e, p] <= NOTHING:
                    continue
                for to in range(places):
                    if not may[e, to]:
                        continue
                    new = distance[p] + (prices[e, to] - prices[e, p]) / busy[e]
                    if new < distance[to] - noise:
                        distance[to], through[to], before[to] = new, e, p
                        changed = True
            if spills and distance[p] + spare_usd < distance[beyond] - noise:
                distance[beyond], before[beyond] = distance[p] + spare_usd, p
                changed = True
        for p in range(places):
            if over[p] > NOTHING and distance[beyond] - spare_usd < distance[p] - noise:
                distance[p], before[p] = distance[beyond] - spare_usd, beyond
                changed = True
        if not changed:
            break
    end = -1
    for p in range(places + 1):
        if (
            left[p] > NOTHING
            and distance[p] < INFINITE
            and (end < 0 or distance[p] < distance[end])
        ):
            end = p
    if end < 0:
        return 0.0
    pushed = min(todo, left[end])
    p = end
    while before[p] >= 0:
        if before[p] == beyond:
            pushed = min(pushed, over[p])
        elif p != beyond:
            pushed = min(pushed, flow[through[p], before[p]])
        p = before[p]
    left[end] -= pushed
    p = end
    while before[p] >= 0:
        if before[p] == beyond:
            over[p] -= pushed
        elif p == beyond:
            over[before[p]] += pushed
        else:
            flow[through[p], p] += pushed
            flow[through[p], before[p]] -= pushed
        p = before[p]
    flow[origin, p] += pushed
    return pushed


@compiled
def constant_routes(held: Ints, busy: Floats, prices: Floats, may: Bools, share: Floats) -> float:
    """USD of shares [origin, place] that stay the same in all hours; ``busy`` [origin, hour].

    Starts from shares in proportion to what places hold and moves traffic away from the fullest,
    multiplicatively. Where that ends above what is held, ``held`` is raised.
    """
    origins, places = prices.shape
    hours = busy.shape[1]
    for e in range(origins):
        whole = 0.0
        for p in range(places):
            share[e, p] = float(held[p]) if may[e, p] else 0.0
            whole += share[e, p]
        if whole <= 0.0:
            return INFINITE
        for p in range(places):
            share[e, p] /= whole
    load = np.zeros(places)
    for _ in range(200):
        fullest = 0.0
        for p in range(places):
            load[p] = 0.0
            for t in range(hours):
                now = 0.0
                for e in range(origins):
                    now += busy[e, t] * share[e, p]
                load[p] = max(load[p], now)
            if held[p] > 0:
                fullest = max(fullest, load[p] / held[p])
        if fullest <= 1.0 + 1e-9:
            break
        for e in range(origins):
            whole = 0.0
            for p in range(places):
                if share[e, p] > 0.0:
                    share[e, p] /= max(load[p] / held[p], 1e-3) ** 0.5
                    whole += share[e, p]
            for p in range(places):
                share[e, p] /= whole
    usd = 0.0
    for p in range(places):
        load[p] = 0.0
        for t in range(hours):
            now = 0.0
            for e in range(origins):
                now += busy[e, t] * share[e, p]
            load[p] = max(load[p], now)
        held[p] = max(held[p], int(np.ceil(load[p] - 1e-7)))
        for e in range(origins):
            usd += prices[e, p] * share[e, p]
    return usd
