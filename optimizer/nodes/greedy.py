"""Fills node by node with what fits its room best: packings to start from, and to end with."""

from __future__ import annotations

import numpy as np

from optimizer.compiled import compiled
from optimizer.nodes.knapsack import Flags, Floats, Ints, best_filling, fits, take

MEASURES = 4
"""Ways to say which pod fits best (``fits_best``)."""


@compiled
def fits_best(measure: int, size: Ints, room: Ints, capacity: Ints, weight: Floats) -> float:
    """How well a pod fits the room left: the dot products and norms of Panigrahy et al. 2011."""
    total, distance = 0.0, 0.0
    for d in range(len(size)):
        if capacity[d] == 0:
            continue
        a, r = size[d] / capacity[d], room[d] / capacity[d]
        if measure == 0:
            total += weight[d] * a * r
        elif measure == 1:
            distance += weight[d] * (r - a) ** 2
        elif measure == 2:
            total += weight[d] * a
        else:
            total = max(total, a)
    return -distance if measure == 1 else total


@compiled
def filled_one_by_one(
    sizes: Ints,
    demand: Ints,
    capacities: Ints,
    holds: Ints,
    apart: Flags,
    order: Ints,
    measure: int,
    noise: Floats,
) -> tuple[Ints, Ints, Ints]:
    """Types, pods by item and copies of nodes that hold the demand.

    Each node is of the first type in ``order`` that holds any pod left. ``noise`` (per item) is
    multiplied into the measure. A filling is repeated while pods for it are left.
    """
    left = demand.copy()
    rows = 16
    types = np.zeros(rows, np.int64)
    copies = np.zeros(rows, np.int64)
    pods = np.zeros((rows, len(demand)), np.int64)
    n = 0
    while left.sum() > 0:
        kind = _first_that_holds(left, holds, order)
        if kind < 0:
            break
        x = _filled(sizes, left, capacities[kind], holds[kind], apart, measure, noise)
        times = _repeats(x, left)
        left -= times * x
        if n == rows:
            types = np.concatenate((types, np.zeros(rows, np.int64)))
            copies = np.concatenate((copies, np.zeros(rows, np.int64)))
            pods = np.concatenate((pods, np.zeros_like(pods)))
            rows *= 2
        types[n], pods[n], copies[n] = kind, x, times
        n += 1
    return types[:n], pods[:n], copies[:n]


@compiled
def _first_that_holds(left: Ints, holds: Ints, order: Ints) -> int:
    """The first type in ``order`` that may hold a pod that is left; -1 when none does."""
    for kind in order:
        for i in range(len(left)):
            if left[i] > 0 and holds[kind, i] > 0:
                return int(kind)
    return -1


@compiled
def _repeats(x: Ints, left: Ints) -> int:
    """How many nodes with pods ``x`` can be made of what is left."""
    times = np.int64(1 << 62)
    for i in range(len(x)):
        if x[i] > 0:
            times = min(times, left[i] // x[i])
    return int(times)


@compiled
def _filled(
    sizes: Ints,
    left: Ints,
    capacity: Ints,
    holds: Ints,
    apart: Flags,
    measure: int,
    noise: Floats,
) -> Ints:
    """One node, filled with one pod after the other that fits best."""
    items, resources = sizes.shape
    weight = np.zeros(resources)
    for d in range(resources):
        for i in range(items):
            weight[d] += left[i] * sizes[i, d]
        weight[d] /= max(capacity[d], 1)
    most = np.minimum(left, holds)
    room = capacity.copy()
    x = np.zeros(items, np.int64)
    while True:
        best, best_score = -1, -np.inf
        for i in range(items):
            if x[i] >= most[i] or not fits(sizes[i], room):
                continue
            score = fits_best(measure, sizes[i], room, capacity, weight)
            score = score * noise[i] if score >= 0 else score / noise[i]
            if score > best_score:
                best, best_score = i, score
        if best < 0:
            return x
        x[best] += 1
        take(room, sizes[best], 1)
        if apart.size > 0:
            most[apart[best]] = 0


@compiled
def filled_by_search(
    sizes: Ints,
    demand: Ints,
    capacity: Ints,
    holds: Ints,
    apart: Flags,
    noise: Floats,
    budget: int,
) -> Ints:
    """Nodes of one type, a row each, filled in turn with as much as can be (Gupta and Ho 1999).

    Each takes the largest pod left, and the rest of its room is filled by branch and bound.
    """
    items, resources = sizes.shape
    left = demand.copy()
    rows = np.zeros((16, items), np.int64)
    n = 0
    value = np.ones(items, np.int64)
    for i in range(items):
        for d in range(resources):
            value[i] += int(noise[i] * 1e6 * sizes[i, d] / max(capacity[d], 1))
    while left.sum() > 0:
        largest = np.argmax(np.where(left > 0, value, 0))
        room = capacity - sizes[largest]
        most = np.minimum(holds, left)
        most[largest] -= 1
        for i in range(items):
            if not fits(sizes[i], room) or (apart.size > 0 and apart[largest, i]):
                most[i] = 0
        x, _, _ = best_filling(value, sizes, room, most, apart, 0, budget)
        x[largest] += 1
        left -= x
        if n == len(rows):
            rows = np.concatenate((rows, np.zeros_like(rows)))
        rows[n] = x
        n += 1
    return rows[:n]
