"""Single hours far outside of what the week before held."""

from __future__ import annotations

from typing import Final

import numpy as np

from optimizer.forecast.grid import DAY, WEEK, Grid

BEYOND: Final = 3.0
"""An hour may stray so many times the usual range beyond that range. A new level passes: after a
day it is part of the range."""

USUAL: Final = (0.05, 0.95)


def without_outliers(grid: Grid) -> Grid:
    """The grid with every day clipped to the usual range of the seven days before it, and
    ``BEYOND`` times its width.

    For fitting only: one hour at fifty times its usual demand would otherwise rule every least
    squares fit, and every mean error. A day that fewer than two days went before is left as it is.
    As days are clipped by what came before them, no later hour changes an earlier one.
    """
    series, hours = grid.rps.shape
    clipped = grid.rps.copy()
    for day in range(2 * DAY, hours, DAY):
        before = grid.rps[:, max(day - WEEK, 0) : day]
        known = (~np.isnan(before)).sum(axis=1)
        if not known.any():
            continue
        ordered = np.sort(before, axis=1)  # NaN last
        rows, last = np.arange(series), np.maximum(known - 1, 0)
        low, high = (ordered[rows, np.floor(share * last).astype(np.int64)] for share in USUAL)
        room = BEYOND * (high - low)
        # A range of nothing is no range: calm weeks say nothing about how far an hour may go.
        bound = (known >= 2 * DAY) & (room > 0)
        lowest = np.where(bound, low - room, -np.inf)[:, None]
        highest = np.where(bound, high + room, np.inf)[:, None]
        clipped[:, day : day + DAY] = np.clip(grid.rps[:, day : day + DAY], lowest, highest)
    return Grid(grid.series, clipped)
