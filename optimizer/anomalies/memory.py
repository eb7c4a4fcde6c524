"""How rare a value is, judged by those remembered: ranks, and beyond them a tail.

A memory holds its last values twice, in order of size and of age, so that one more costs a shift
and no sort.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled

TAIL_SHARE = 0.08  # of what is remembered makes the tail
TAIL_LEAST = 8  # values that a tail is fitted to
MOST = 30.0  # rarities end here, where figures mean nothing any more
NO_LESS = 1e-9  # of its threshold: as narrow as a tail may be, so that equal values leave room
LEAST_SCALE = 1e-300


@compiled
def remember(
    ordered: NDArray[np.float64], aged: NDArray[np.float64], held: int, oldest: int, value: float
) -> tuple[int, int]:
    """Put ``value`` into a memory of ``held`` values, in place of the oldest if it is full.

    Returns how many it holds now, and where the next one goes in order of age.
    """
    place = np.searchsorted(ordered[:held], value)
    if held == len(aged):  # only what lies between the oldest and the new one moves
        gap = np.searchsorted(ordered[:held], aged[oldest])
        if place > gap:
            place -= 1
            for i in range(gap, place):
                ordered[i] = ordered[i + 1]
    else:
        gap = held
        held += 1
    for i in range(gap, place, -1):
        ordered[i] = ordered[i - 1]
    ordered[place] = value
    aged[oldest] = value
    return held, (oldest + 1) % len(aged)


@compiled
def rarity(ordered: NDArray[np.float64], held: int, value: float, above: bool) -> float:
    """-log10 of the chance of a value as high (``above``) or as low as this one.

    Up to the k-th most extreme of m values, k = ``TAIL_SHARE`` m, the chance is the share of those
    as extreme, (n + 1) / (m + 1). Beyond it, by peaks over threshold (Pickands 1975), k / (m + 1)
    times that of an exponential tail with the mean of the k.
    """
    many = max(TAIL_LEAST, int(TAIL_SHARE * held))
    if held <= many:
        return 0.0
    if above:
        extreme = held - np.searchsorted(ordered[:held], value, side="left")
    else:
        extreme = np.searchsorted(ordered[:held], value, side="right")
    if extreme >= many:
        return -math.log10((extreme + 1.0) / (held + 1.0))
    if above:
        threshold = ordered[held - many - 1]
        mean = np.mean(ordered[held - many : held]) - threshold
        beyond = value - threshold
    else:
        threshold = ordered[many]
        mean = threshold - np.mean(ordered[:many])
        beyond = threshold - value
    scale = max(mean, NO_LESS * abs(threshold), LEAST_SCALE)
    fall = float(beyond / scale) / math.log(10.0)
    return min(MOST, fall - math.log10(many / (held + 1.0)))
