"""What every model would have foreseen, had it been asked on each of the last days."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.candidates import Candidate
from optimizer.forecast.grid import DAY, WEEK, Grid
from optimizer.forecast.outliers import without_outliers

WINDOWS = 10
"""With seven, weekends seen once mislead; more cost time and gain nothing (on public traces)."""

LEAST_KNOWN_HOURS = 2 * DAY

LONGEST_TEST_HOURS = WEEK
"""Longer horizons are tested, and their errors measured, on their first week."""


@dataclass(frozen=True, eq=False)
class Trials:
    """How every model did on every series, and what it foresees.

    ``ahead_rps`` [model, series, hour] are point forecasts from the end of the history;
    ``point_rps`` [model, window, series, hour] those of earlier days and ``actual_rps`` [window,
    series, hour] what came: NaN where it was not observed, or the window does not count;
    ``usual_rps`` is that without outliers.
    ``naive_rps`` [series] is the seasonal naive error of the history, the unit of scores.
    """

    names: tuple[str, ...]
    ahead_rps: NDArray[np.float64]
    point_rps: NDArray[np.float64]
    actual_rps: NDArray[np.float64]
    usual_rps: NDArray[np.float64]
    naive_rps: NDArray[np.float64]

    @cached_property
    def windows(self) -> NDArray[np.int64]:
        """How many windows count [series]."""
        counted: NDArray[np.int64] = np.any(~np.isnan(self.actual_rps), axis=2).sum(axis=0)
        return counted

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """Which models [model, series] answer in at least two windows, in all that count, and for
        what comes: all scores of a series are of the same hours.
        """
        counts = np.any(~np.isnan(self.actual_rps), axis=2)
        silent = np.any(counts & np.any(np.isnan(self.point_rps), axis=3), axis=1)
        silent |= np.any(np.isnan(self.ahead_rps), axis=2) | (self.windows < 2)
        scored: NDArray[np.bool_] = ~silent
        return scored

    @cached_property
    def lost_rps(self) -> NDArray[np.float64]:
        """Sums of absolute errors [model, window, series], outliers clipped."""
        lost: NDArray[np.float64] = np.nansum(np.abs(self.point_rps - self.usual_rps), axis=3)
        return lost

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """Mean absolute error [model, series], in units of ``naive_rps``; NaN if not scored."""
        hours = np.maximum((~np.isnan(self.actual_rps)).sum(axis=(0, 2)), 1)
        score = self.lost_rps.sum(axis=1) / hours / self.naive_rps
        return np.where(self.scored, score, np.nan)


def backtest(grid: Grid, candidates: tuple[Candidate, ...], hours: int) -> Trials:
    """Try every candidate on rolling origins, a day apart, then have it foresee ``hours``.

    Each forecast sees only what was observed before its origin; hours that were not observed are
    never scored. An origin counts when two days and half of the history were known before it.
    """
    origins, tested = windows_of(grid, hours)
    end = grid.rps.shape[1]
    actual = np.full((len(origins), len(grid.series), tested), np.nan)
    usual = actual.copy()
    learnt = without_outliers(grid)
    for window, origin in enumerate(origins):
        rows = origin - grid.lead_hours >= np.maximum(LEAST_KNOWN_HOURS, grid.span_hours / 2)
        actual[window, rows] = grid.rps[rows, origin : origin + tested]
        usual[window, rows] = learnt.rps[rows, origin : origin + tested]
    made = np.stack([candidate.foresee(learnt, (*origins, end), hours) for candidate in candidates])
    return Trials(
        names=tuple(candidate.name for candidate in candidates),
        ahead_rps=made[:, -1],
        point_rps=made[:, :-1, :, :tested],
        actual_rps=actual,
        usual_rps=usual,
        naive_rps=naive_error(grid),
    )


def windows_of(grid: Grid, hours: int) -> tuple[list[int], int]:
    """Origins of the windows, as hours known, and how many hours each is foreseen."""
    tested, end = min(hours, LONGEST_TEST_HOURS), grid.rps.shape[1]
    origins = [end - tested - window * DAY for window in range(WINDOWS)]
    return [origin for origin in origins if origin >= LEAST_KNOWN_HOURS], tested


def naive_error(grid: Grid) -> NDArray[np.float64]:
    """In-sample mean absolute error of seasonal naive [series], rps, as in MASE.

    The season is a week where two weeks are known, else a day (Hyndman and Koehler 2006). A series
    that repeats exactly has no such error: a billionth of its mean stands in, so that scores stay
    finite.
    """
    weekly = _lagged_error(grid.rps, WEEK)
    daily = _lagged_error(grid.rps, DAY)
    error = np.where((grid.span_hours >= 2 * WEEK) & ~np.isnan(weekly), weekly, daily)
    floor = 1e-9 * mean_level(grid)
    return np.where(np.isnan(error), floor, np.maximum(error, floor))


def mean_level(grid: Grid) -> NDArray[np.float64]:
    """Mean observed rps [series], NaN where nothing was observed."""
    seen = grid.observed
    count = seen.sum(axis=1)
    total = np.where(seen, grid.rps, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _lagged_error(rps: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    change = np.abs(rps[:, lag:] - rps[:, :-lag])
    seen = ~np.isnan(change)
    count = seen.sum(axis=1)
    total = np.where(seen, change, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
