"""Demand that has moved to another level, from one day to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.grid import DAY, Grid

LEAST_LOGARITHM: Final = float(np.log(1.5))
"""Smaller shifts are followed by the models themselves."""

LEAST_DEVIATIONS: Final = 3.0
"""A shift is so many times the usual change from one week to the next."""

LEAST_DEVIATION: Final = 0.05

LEAST_DAYS: Final = 2
"""A single day is an event, not a level."""

_DAYS_OF_WEEK: Final = 7
_LEAST_HOURS: Final = DAY // 2


@dataclass(frozen=True, eq=False)
class Shifts:
    """Of each series: ``since_hour`` [series], hours of the grid before the last shift (0: there
    was none), and ``factor`` [series], the new level over the old.
    """

    since_hour: NDArray[np.int64]
    factor: NDArray[np.float64]

    def undone(self, grid: Grid) -> Grid:
        """The grid as though the last level had always been."""
        before = np.arange(grid.rps.shape[1]) < self.since_hour[:, None]
        return Grid(grid.series, np.where(before, grid.rps * self.factor[:, None], grid.rps))


def last_shifts(grid: Grid) -> Shifts:
    """The last day on which each series moved to a level where it has stayed.

    Every day since then is compared with the same day of the last week before. All of them must
    have moved the same way, by half the mean at least; that mean must be large, in itself and
    beside the usual change over a week (median of absolute logarithms, as of normal errors); and
    neither the day before nor the days since may have moved on, so that growth is no shift. Shifts
    of the last day and of the first week are not seen.
    """
    series, hours = grid.rps.shape
    days = hours // DAY
    lead = hours - days * DAY
    logarithm = _daily(grid.rps[:, lead:].reshape(series, days, DAY))
    weekly = np.full((series, days), np.nan)
    weekly[:, _DAYS_OF_WEEK:] = logarithm[:, _DAYS_OF_WEEK:] - logarithm[:, :-_DAYS_OF_WEEK]
    since: NDArray[np.int64] = np.zeros(series, dtype=np.int64)
    factor, surest = np.ones(series), np.zeros(series)
    for day in range(_DAYS_OF_WEEK, days - LEAST_DAYS + 1):
        after = np.arange(day, days)
        weeks_back = (after - day) // _DAYS_OF_WEEK + 1
        moved = logarithm[:, after] - logarithm[:, after - _DAYS_OF_WEEK * weeks_back]
        told = ~np.isnan(moved)
        count = told.sum(axis=1)
        mean = np.where(told, moved, 0.0).sum(axis=1) / np.maximum(count, 1)
        alike = np.where(told, moved * np.sign(mean)[:, None], np.inf).min(axis=1)
        large = (count >= LEAST_DAYS) & (np.abs(mean) >= LEAST_LOGARITHM)
        large &= alike >= np.abs(mean) / 2
        rows = np.flatnonzero(large)
        if not rows.size:
            continue
        half = np.abs(mean[rows]) / 2
        sudden = np.abs(weekly[rows, day - 1]) < half  # never true for NaN
        ends = [_mean(moved[rows][:, part]) for part in (slice(0, 7), slice(-7, None))]
        sudden &= ~(np.abs(ends[1] - ends[0]) >= half)
        deviation = _deviation(weekly[rows, :day])
        sureness = np.abs(mean[rows]) / deviation
        better = sudden & (sureness >= LEAST_DEVIATIONS) & (sureness > surest[rows])
        chosen = rows[better]
        since[chosen], factor[chosen] = lead + day * DAY, np.exp(mean[chosen])
        surest[chosen] = sureness[better]
    return Shifts(since, factor)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean [series] of what is known of [series, day]; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _daily(rps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of mean demand of every day, of [series, day, hour]; NaN where little was seen."""
    known = ~np.isnan(rps)
    count = known.sum(axis=2)
    mean = np.where(known, rps, 0.0).sum(axis=2) / np.maximum(count, 1)
    enough = (count >= _LEAST_HOURS) & (mean > 0)
    return np.where(enough, np.log(np.where(enough, mean, 1.0)), np.nan)


def _deviation(weekly: NDArray[np.float64]) -> NDArray[np.float64]:
    """Usual change over a week [series]; ``LEAST_DEVIATION`` times three where nothing tells."""
    size = np.sort(np.abs(weekly), axis=1)  # NaN last
    count = (~np.isnan(size)).sum(axis=1)
    median = size[np.arange(len(size)), np.maximum(count - 1, 0) // 2]
    return np.where(count > 0, np.maximum(1.4826 * median, LEAST_DEVIATION), 3 * LEAST_DEVIATION)
