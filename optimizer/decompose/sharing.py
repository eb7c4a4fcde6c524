"""How one service's replicas are shared out among places: exact dynamic programmes.

A *cell* asks for N replicas in P places that may all serve the same origins, d ≤ N of them busy.
Place p holds k_p replicas for cost_p(k_p) and serves a share x_p ≤ k_p / d of the traffic, at
route_usd_p · x_p. Cheapest routes fill up first, so places in the order of their routes' cost
make a shortest path over the replicas placed so far:

    value(q + k) = min over k of value(q) + cost_p(k) + route_usd_p (min(q + k, d) - min(q, d)) / d

Losses that must be survived bound what may stand in one place or cloud once the total T is given:
T - lost ≥ M. T between N and N + M is enough: with more, a replica of the fullest place can go.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def by_price(usd: Floats) -> Ints:
    """Positions from the cheapest to the dearest: a handful, sorted by insertion."""
    order = np.arange(len(usd))
    for i in range(1, len(usd)):
        here, j = order[i], i
        while j > 0 and usd[order[j - 1]] > usd[here]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = here
    return order


@compiled
def shortest(
    cost: Floats,
    route_usd: Floats,
    busy: float,
    total: int,
    most: Ints,
    order: Ints,
    value: Floats,
    back: Ints,
) -> None:
    """``value[q]``: the least for exactly q replicas, at most ``most[p]`` of them in place p.

    ``back[i, q]`` is what the i-th place in ``order`` holds of them.
    """
    before = np.empty(total + 1)
    for q in range(total + 1):
        value[q] = INFINITE
    value[0] = 0.0
    for i in range(len(order)):
        p = order[i]
        per_replica = route_usd[p] / busy if busy > 0 else 0.0
        top = min(most[p], total)
        for q in range(total + 1):
            before[q] = value[q]
            back[i, q] = 0
        for q in range(total + 1):
            start = before[q]
            if start >= INFINITE:
                continue
            served = min(float(q), busy)
            for k in range(1, min(top, total - q) + 1):
                new = start + cost[p, k] + per_replica * (min(float(q + k), busy) - served)
                if new < value[q + k]:
                    value[q + k] = new
                    back[i, q + k] = k


@compiled
def unwind(back: Ints, order: Ints, total: int, held: Ints) -> None:
    """What each place holds of ``total`` replicas."""
    q = total
    for i in range(len(order) - 1, -1, -1):
        k = back[i, q]
        held[order[i]] = k
        q -= k


@compiled
def routes(held: Ints, order: Ints, busy: float, share: Floats) -> None:
    """Share of the traffic that each place serves, cheapest routes first."""
    if busy <= 0.0:
        chosen = order[0]
        for p in order:
            if held[p] > 0:
                chosen = p
                break
        for p in order:
            share[p] = 1.0 if p == chosen else 0.0
        return
    left = busy
    for p in order:
        served = min(float(held[p]), left)
        share[p] = served / busy
        left -= served


@compiled
def clouds_within(cost: Floats, held: Ints, cloud: Ints, total: int, left: int, most: Ints) -> bool:
    """The cheapest ``total`` replicas of which ``left`` survive the loss of any one cloud.

    Routes are not priced here. Writes ``held``; False when there is no way.
    """
    places = len(cloud)
    cap = total - left
    clouds = cloud.max() + 1
    whole = np.full((clouds + 1, total + 1), INFINITE)
    whole[0, 0] = 0.0
    taken = np.zeros((clouds, total + 1), np.int64)
    inside = np.full((clouds, places + 1, cap + 1), INFINITE)
    for c in range(clouds):
        inside[c, 0, 0] = 0.0
        for p in range(places):
            for q in range(cap + 1):
                best = inside[c, p, q]
                if cloud[p] == c:
                    for k in range(1, min(q, most[p]) + 1):
                        best = min(best, inside[c, p, q - k] + cost[p, k])
                inside[c, p + 1, q] = best
        for q in range(total + 1):
            for k in range(min(q, cap) + 1):
                new = whole[c, q - k] + inside[c, places, k]
                if new < whole[c + 1, q]:
                    whole[c + 1, q] = new
                    taken[c, q] = k
    if whole[clouds, total] >= INFINITE:
        return False
    q = total
    for c in range(clouds - 1, -1, -1):
        k = taken[c, q]
        q -= k
        for p in range(places - 1, -1, -1):
            if cloud[p] != c:
                continue
            here = 0
            while here < k and inside[c, p, k - here] + cost[p, here] > inside[c, p + 1, k] * (
                1 + 1e-12
            ):
                here += 1
            held[p] = here
            k -= here
    return True
