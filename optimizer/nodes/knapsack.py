"""The best filling of one node: a bounded knapsack with a capacity per resource, compiled.

.. math:: \\max \\sum_i v_i x_i \\quad \\sum_i a_{id} x_i \\le W_d, \\; 0 \\le x_i \\le b_i

with whole v, a, W, b. Its continuous relaxation is solved by the simplex method on as many rows as
there are resources; its multipliers u give an upper bound by weak duality, whatever their rounding,
and make one resource out of all for the branch and bound (the surrogate relaxation of Glover 1975).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_EPSILON = 1e-9
_FEW = 24.0  # pods on a node: from here on a rounded relaxation is where the search starts
_SLACK = 1e-3  # in units of value, which are whole: more than floating point can err


@compiled
def relaxed(values: Ints, sizes: Ints, capacity: Ints, most: Ints) -> tuple[Floats, Floats]:
    """A basic optimum x of the continuous relaxation, and multipliers u >= 0 of the resources.

    The primal simplex method with bounded variables, on a dense table of one row per resource; the
    slack variables come behind the items.
    """
    items, resources = sizes.shape
    columns = items + resources
    table = np.zeros((resources, columns))
    upper = np.full(columns, np.inf)
    profit = np.zeros(columns)
    largest = max(values.max(), 1)
    scale = 1.0 / np.maximum(capacity, 1)
    level = np.minimum(capacity, 1).astype(np.float64)  # of the basic variables
    basis = np.arange(items, columns)
    for d in range(resources):
        table[d, items + d] = 1.0
    for i in range(items):
        upper[i] = most[i]
        if most[i] > 0:
            profit[i] = values[i] / largest
            for d in range(resources):
                table[d, i] = sizes[i, d] * scale[d]
    full = np.zeros(columns, np.bool_)  # nonbasic at the upper bound
    basic = np.zeros(columns, np.bool_)
    basic[items:] = True
    patience = 30 * resources + 2 * items
    for step in range(2 * patience):
        entering = _entering(profit, upper, basic, full, step > patience)
        if entering < 0:
            break
        sign = -1.0 if full[entering] else 1.0
        room, leaving = _leaving(table[:, entering] * sign, level, upper, basis, upper[entering])
        level -= sign * room * table[:, entering]
        if leaving < 0:
            full[entering] = not full[entering]
            continue
        left = basis[leaving]
        full[left] = sign * table[leaving, entering] < 0
        basic[left], basic[entering] = False, True
        level[leaving] = upper[entering] - room if full[entering] else room
        full[entering] = False
        basis[leaving] = entering
        table[leaving] /= table[leaving, entering]
        for d in range(resources):
            if d != leaving and table[d, entering] != 0.0:
                table[d] -= table[d, entering] * table[leaving]
        profit -= profit[entering] * table[leaving]
    x = np.where(full, upper, 0.0)
    for d in range(resources):
        x[basis[d]] = min(max(level[d], 0.0), upper[basis[d]])
    return x[:items], np.maximum(0.0, -profit[items:]) * scale * largest


@compiled
def _entering(profit: Floats, upper: Floats, basic: Flags, full: Flags, first: bool) -> int:
    """The nonbasic variable whose move gains most; the ``first`` one that gains avoids cycles."""
    entering, gain = -1, _EPSILON
    for j in range(len(profit)):
        if not basic[j] and upper[j] > 0.0:
            improves = -profit[j] if full[j] else profit[j]
            if improves > gain:
                entering = j
                if first:
                    break
                gain = improves
    return entering


@compiled
def _leaving(
    change: Floats, level: Floats, upper: Floats, basis: Ints, room: float
) -> tuple[float, int]:
    """How far the entering variable moves, and the row that stops it (-1: its own bound)."""
    leaving = -1
    for d in range(len(change)):
        if change[d] > _EPSILON:
            reach = max(level[d], 0.0) / change[d]
        elif change[d] < -_EPSILON:
            reach = (upper[basis[d]] - level[d]) / -change[d]
        else:
            continue
        if reach < room:
            room, leaving = reach, d
    return room, leaving


@compiled
def above(values: Ints, sizes: Ints, capacity: Ints, most: Ints, u: Floats) -> float:
    """No filling is worth more: u W + sum of b max(0, v - u a), for any u >= 0."""
    bound = 0.0
    for d in range(len(capacity)):
        bound += u[d] * capacity[d]
    for i in range(len(values)):
        if most[i] > 0 and values[i] > 0:
            left = float(values[i])
            for d in range(len(capacity)):
                left -= u[d] * sizes[i, d]
            if left > 0.0:
                bound += left * most[i]
    return bound * (1.0 + 1e-12) + _SLACK


@compiled
def searched(
    values: Ints,
    sizes: Ints,
    capacity: Ints,
    most: Ints,
    apart: Flags,
    u: Floats,
    floor: int,
    budget: int,
) -> tuple[Ints, int, bool]:
    """The best filling worth more than ``floor``, its value, and whether none is worth more.

    Depth first, the items of most value per surrogate size first, as many of each as fit. ``apart``
    tells items that may not share a node (empty: all may). ``budget`` bounds the visited nodes.
    Without a filling worth more than ``floor``, the value is ``floor`` and the filling empty.
    """
    best_x, best = np.zeros(len(values), np.int64), floor
    kept, weight = _worth_a_look(values, sizes, capacity, most, u, floor)
    n = len(kept)
    size, value_of, can = sizes[kept], values[kept], most[kept]
    conflicts = apart.size > 0
    barred = np.zeros(n, np.int64)
    x = np.zeros(n, np.int64)
    room = capacity.copy()
    value, k = 0, 0
    while True:
        while k < n:
            fit = _fit(size[k], room, can[k]) if barred[k] == 0 else 0
            if fit == 0:
                k += 1
                continue
            budget -= 1
            bound = value + _at_most(size, value_of, can, weight, barred, room, u, k)
            if bound < best + 1 - _SLACK or budget <= 0:
                break
            x[k] = fit
            value += fit * value_of[k]
            take(room, size[k], fit)
            if conflicts:
                _bar(barred, apart, kept, k, 1)
            k += 1
        if value > best:
            best = value
            best_x[kept] = x
        if budget <= 0:
            return best_x, best, False
        k -= 1
        while k >= 0 and x[k] == 0:
            k -= 1
        if k < 0:
            return best_x, best, True
        x[k] -= 1
        value -= value_of[k]
        take(room, size[k], -1)
        if conflicts and x[k] == 0:
            _bar(barred, apart, kept, k, -1)
        k += 1


@compiled
def take(room: Ints, size: Ints, times: int) -> None:
    """Take the room of so many pods away."""
    for d in range(len(room)):
        room[d] -= times * size[d]


@compiled
def fits(size: Ints, room: Ints) -> bool:
    """Whether one pod fits."""
    for d in range(len(room)):  # noqa: SIM110 - compiled
        if size[d] > room[d]:
            return False
    return True


@compiled
def _bar(barred: Ints, apart: Flags, kept: Ints, k: int, by: int) -> None:
    """Count one pod more (or less) of ``k`` on the node for the items that it keeps away."""
    for j in range(len(kept)):
        if apart[kept[k], kept[j]]:
            barred[j] += by


@compiled
def _worth_a_look(
    values: Ints, sizes: Ints, capacity: Ints, most: Ints, u: Floats, floor: int
) -> tuple[Ints, Floats]:
    """Items that fillings worth more than ``floor`` may hold, most value per weight first.

    One pod of an item whose weight u a exceeds its value lowers the bound by the difference.
    """
    items, resources = sizes.shape
    bound = above(values, sizes, capacity, most, u)
    weight = np.zeros(items)
    rank = np.full(items, np.inf)
    n = 0
    for i in range(items):
        for d in range(resources):
            weight[i] += u[d] * sizes[i, d]
        if values[i] > 0 and most[i] > 0 and bound - (weight[i] - values[i]) >= floor + 1 - _SLACK:
            rank[i] = -values[i] / max(weight[i], 1e-12)
            n += 1
    kept = np.argsort(rank)[:n]
    return kept, weight[kept]


@compiled
def _fit(size: Ints, room: Ints, most: int) -> int:
    """How many pods of that size the room holds, ``most`` of them at most."""
    for d in range(len(room)):
        if size[d] > room[d]:
            return 0
        if most > 1 and size[d] > 0:
            most = min(most, room[d] // size[d])
    return most


@compiled
def _at_most(
    size: Ints,
    values: Ints,
    can: Ints,
    weight: Floats,
    barred: Ints,
    room: Ints,
    u: Floats,
    first: int,
) -> float:
    """No filling of the room with items from ``first`` on is worth more (surrogate relaxation)."""
    left = 0.0
    for d in range(len(room)):
        left += u[d] * room[d]
    bound = 0.0
    for j in range(first, len(values)):
        if barred[j] > 0:
            continue
        fit = _fit(size[j], room, can[j])
        if fit == 0:
            continue
        taken = fit * weight[j]
        if taken >= left:
            return bound + float(values[j]) * (left / weight[j] if weight[j] > 0 else fit)
        bound += float(values[j] * fit)
        left -= taken
    return bound


@compiled
def best_filling(
    values: Ints,
    sizes: Ints,
    capacity: Ints,
    most: Ints,
    apart: Flags,
    floor: int,
    budget: int,
) -> tuple[Ints, int, int]:
    """A good filling worth more than ``floor``, its value, and a value that none exceeds.

    Without one, the filling is empty and the value ``floor``. The last two agree when proven best.
    """
    x, u = relaxed(values, sizes, capacity, most)
    bound = int(np.floor(above(values, sizes, capacity, most, u)))
    items, resources = sizes.shape
    found, value = np.zeros(items, np.int64), floor
    if bound <= floor:
        return found, floor, max(bound, 0)
    if x.sum() > _FEW and apart.size == 0:
        start = np.zeros(items, np.int64)
        room = capacity.copy()
        worth = 0
        for i in range(items):
            start[i] = max(0, int(x[i] + _EPSILON) - (0 if x[i] >= most[i] - _EPSILON else 2))
            worth += start[i] * values[i]
            for d in range(resources):
                room[d] -= start[i] * sizes[i, d]
        if room.min() >= 0:
            more, added, _ = searched(
                values, sizes, room, most - start, apart, u, max(floor - worth, 0), budget
            )
            if worth + added > floor:
                found, value = start + more, worth + added
    if value < bound:
        other, worth, proven = searched(values, sizes, capacity, most, apart, u, value, budget)
        if worth > value:
            found, value = other, worth
        if proven:
            bound = value
    return found, value, bound
