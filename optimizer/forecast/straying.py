"""How far demand strays from what was foreseen a few steps before, in one pass.

Errors are taken in units of a scale that follows calm and stormy times; the shape of what is left,
tails and all, is that of the last weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled

GRID: Final = np.linspace(-6.0, 14.0, 401)
"""Where expected excesses are kept, in scales above what was foreseen."""

FAST_STEPS: Final = 15
SLOW_TIMES: Final = 8
REFRESH_STEPS: Final = 360
WINDOW_DAYS: Final = 14
_LEAST_SAMPLES: Final = 600
_FIRST_MEAN: Final = 0.2


@dataclass(frozen=True, eq=False)
class Straying:
    """Of every step [step]: ``expected`` demand and the ``scale`` of its errors, in requests; and
    ``excess`` [block of ``REFRESH_STEPS``, ``GRID``]: mean of max(error / scale - z, 0).
    """

    expected: NDArray[np.float64]
    scale: NDArray[np.float64]
    excess: NDArray[np.float64]


def straying(
    demand: NDArray[np.float64],
    known: NDArray[np.bool_],
    expected: NDArray[np.float64],
    ahead: int,
    day_steps: int,
    unit: float,
    power: float,
) -> Straying:
    """How ``demand`` strays from ``expected`` [step], that of ``ahead`` steps later.

    Errors grow with demand to the ``power``: 0.5 like those of counts, 1 in proportion. ``unit``
    is an amount of demand below which nothing matters: that of one replica.
    """
    then = np.minimum(np.arange(demand.size) + ahead, demand.size - 1)
    told = known & known[then]
    told[demand.size - ahead :] = False
    error = demand[then] - expected
    grown = unit * (np.maximum(expected, unit) / unit) ** power
    scale = grown * _storms(np.abs(error) / grown, told, ahead, float(day_steps))
    excess = _excesses(
        error / scale, told, ahead, REFRESH_STEPS, WINDOW_DAYS * day_steps, GRID, _LEAST_SAMPLES
    )
    return Straying(expected, scale, excess)


@compiled
def _storms(
    size: NDArray[np.float64], told: NDArray[np.bool_], ahead: int, day_steps: float
) -> NDArray[np.float64]:
    """Mean ``size`` of errors as known at each step: of late, of the last hours, of the week."""
    fast, slow = 2.0 / (FAST_STEPS + 1.0), 2.0 / (SLOW_TIMES * FAST_STEPS + 1.0)
    weekly = 2.0 / (7.0 * day_steps)
    late = hours = week = _FIRST_MEAN
    mean = np.empty(size.size)
    for t in range(size.size):
        past = t - ahead
        if past >= 0 and told[past]:
            capped = min(size[past], 20.0 * week)
            late += fast * (capped - late)
            hours += slow * (capped - hours)
            week += weekly * (size[past] - week)
        mean[t] = max(0.3 * late + 0.4 * hours + 0.3 * week, 1e-3)
    return mean


@compiled
def _excesses(
    relative: NDArray[np.float64],
    told: NDArray[np.bool_],
    ahead: int,
    every: int,
    window: int,
    grid: NDArray[np.float64],
    least: int,
) -> NDArray[np.float64]:
    blocks, width = relative.size // every + 1, grid[1] - grid[0]
    excess = np.empty((blocks, grid.size))
    for block in range(blocks):
        last = max(block * every - ahead, 0)
        first = max(last - window, 0)
        # Of the errors between two points of the grid, the number and the sum are enough.
        count, total = np.zeros(grid.size), np.zeros(grid.size)
        samples = 0
        for t in range(first, last):
            if told[t]:
                samples += 1
                place = (relative[t] - grid[0]) / width
                if place >= 0.0:
                    j = int(min(place, grid.size - 1.0))
                    count[j] += 1.0
                    total[j] += relative[t]
        if samples < least:
            # Until enough is known: Student's t with two degrees of freedom, whose tails are heavy.
            for j in range(grid.size):
                excess[block, j] = 0.5 * (np.sqrt(grid[j] * grid[j] + 1.0) - grid[j])
            continue
        beyond, above = 0.0, 0.0
        for j in range(grid.size - 1, -1, -1):
            beyond += count[j]
            above += total[j]
            excess[block, j] = max(above - grid[j] * beyond, 0.0) / samples
    return excess
