"""What replicas in one place cost at given prices: integer covering by dynamic programming.

All functions work on the candidates of one assortment in one place. With a spot share a < 1 the
replicas on spot are at most the share a of all replicas held there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

INFINITE = 1e30
"""Cost of what cannot be had."""
BARRED_USD = 1e7
"""Price of a route that a plan must not use; small enough for differences of prices to count."""
OPEN_USD = 0.5 * BARRED_USD
"""Routes that cost less may be used; prices of calls make barred ones a little cheaper, too."""


@compiled
def at_least(sizes: Ints, usd: Floats, most: int, cost: Floats, choice: Ints) -> None:
    """``cost[q]``: the least for instances that hold at least q replicas, q = 0 … most.

    ``choice[q]`` is the last instance taken; what is left to hold is q - sizes[choice[q]].
    """
    cost[0] = 0.0
    choice[0] = -1
    for q in range(1, most + 1):
        best, taken = INFINITE, -1
        for i in range(len(sizes)):
            left = q - sizes[i]
            value = usd[i] + (cost[left] if left > 0 else 0.0)
            if value < best:
                best, taken = value, i
        cost[q] = best
        choice[q] = taken


@compiled
def exactly(sizes: Ints, usd: Floats, most: int, cost: Floats, choice: Ints) -> None:
    """``cost[q]``: the least for instances that hold exactly q replicas; INFINITE: impossible."""
    cost[0] = 0.0
    choice[0] = -1
    for q in range(1, most + 1):
        best, taken = INFINITE, -1
        for i in range(len(sizes)):
            if sizes[i] <= q:
                value = usd[i] + cost[q - sizes[i]]
                if value < best:
                    best, taken = value, i
        cost[q] = best
        choice[q] = taken


@compiled
def reserve(sizes: Ints, spot: Bools, share: float, most: int) -> int:
    """How long the tables of a place must be to hold ``most`` replicas under a spot share."""
    largest = 0
    for i in range(len(sizes)):
        if spot[i]:
            largest = max(largest, sizes[i])
    if largest == 0 or share >= 1.0:
        return most
    if share <= 0.0:
        return most
    reach = most + largest
    beside = int(np.ceil(((1.0 - share) / share) * (share * most + largest))) + 1
    return max(reach, beside)


@compiled
def mix(
    steady: Floats, spot: Floats, share: float, most: int, largest: int, cost: Floats, on_spot: Ints
) -> None:
    """``cost[q]``: the least for at least q replicas with at most ``share`` of them on spot.

    ``steady[j]``: at least j replicas on demand; ``spot[i]``: exactly i replicas on spot. More
    than share · q + largest replicas on spot never pay: one instance less still holds enough.
    """
    for q in range(most + 1):
        best, taken = steady[q], 0
        if share > 0.0:
            top = int(share * q + largest)
            for i in range(1, min(top, len(spot) - 1) + 1):
                if spot[i] >= best:
                    continue
                beside = int(np.ceil(i * (1.0 - share) / share - 1e-9))
                beside = max(beside, q - i)
                if beside >= len(steady):
                    continue
                value = spot[i] + steady[beside]
                if value < best:
                    best, taken = value, i
        cost[q] = best
        on_spot[q] = taken
