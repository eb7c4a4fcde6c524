"""What every model would have foreseen, had it been asked on each of the last days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.candidates import Candidate
from optimizer.forecast.grid import DAY, WEEK, Grid
from optimizer.forecast.spread import (
    POWERS,
    error_quantiles,
    error_unit,
    quantile_loss,
)

WINDOWS = 10
"""With seven, weekends seen once mislead; more cost time and gain nothing (on public traces)."""

LEAST_KNOWN_HOURS = 2 * DAY

LONGEST_TEST_HOURS = WEEK
"""Longer horizons are tested, and their errors measured, on their first week."""


@dataclass(frozen=True, eq=False)
class Trial:
    """How one model did on every series, and what it foresees.

    ``ahead_rps`` [series, hour] is its point forecast from the end of the history.
    ``score`` [series] is its mean quantile loss over ``windows`` [series] forecasts, each with
    the errors of the other windows as its spread, in units of the seasonal naive error; NaN where
    fewer than two windows could be scored. ``errors`` [series, sample] are actual - point, in
    units of level ** ``power`` [series], NaN where unobserved; see ``spread.error_unit``.
    """

    name: str
    ahead_rps: NDArray[np.float64]
    score: NDArray[np.float64]
    windows: NDArray[np.int64]
    power: NDArray[np.float64]
    errors: NDArray[np.float64]


def backtest(
    grid: Grid, candidates: tuple[Candidate, ...], hours: int, levels: NDArray[np.float64]
) -> tuple[Trial, ...]:
    """Try every candidate on rolling origins, a day apart, then have it foresee ``hours``.

    Each forecast sees only what was observed before its origin; hours that were not observed are
    never scored. An origin counts when two days and half of the history were known before it; a
    candidate without an answer to each of them, and to what comes, is not scored: all scores of a
    series are of the same hours.
    """
    tested_hours = min(hours, LONGEST_TEST_HOURS)
    actual = np.full((len(grid.series), WINDOWS, tested_hours), np.nan)
    origins = [grid.until(tested_hours + window * DAY) for window in range(WINDOWS)]
    origins = [known for known in origins if known.rps.shape[1] >= LEAST_KNOWN_HOURS]
    for window, known in enumerate(origins):
        end = known.rps.shape[1]
        rows = known.span_hours >= np.maximum(LEAST_KNOWN_HOURS, grid.span_hours / 2)
        actual[rows, window] = grid.rps[rows, end : end + tested_hours]
    scale, mean = naive_error(grid), mean_level(grid)
    trials = []
    for candidate in candidates:
        ahead = candidate.ahead(grid, hours)
        point = np.full_like(actual, np.nan)
        for window, known in enumerate(origins):
            point[:, window] = candidate.ahead(known, tested_hours)
        trials.append(_trial(candidate.name, ahead, point, actual, mean, scale, levels))
    return tuple(trials)


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


def _trial(
    name: str,
    ahead: NDArray[np.float64],
    point: NDArray[np.float64],
    actual: NDArray[np.float64],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    levels: NDArray[np.float64],
) -> Trial:
    errors = actual - point
    windows = np.any(~np.isnan(actual), axis=2)
    unanswered = np.any(windows & np.any(np.isnan(point), axis=2), axis=1)
    unanswered |= np.any(np.isnan(ahead), axis=1)
    scored = (windows.sum(axis=1) >= 2) & ~unanswered
    losses = np.empty((len(POWERS), len(point)))
    for k, power in enumerate(POWERS):
        unit = error_unit(point, mean, np.full(len(point), power))
        loss = _left_out_loss(point, actual, unit, levels)
        losses[k] = np.where(scored, loss / scale, np.nan)
    best = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=0)
    power = np.asarray(POWERS)[best]
    return Trial(
        name=name,
        ahead_rps=ahead,
        score=np.take_along_axis(losses, best[None], axis=0)[0],
        windows=windows.sum(axis=1),
        power=power,
        errors=(errors / error_unit(point, mean, power)).reshape(
            len(point), errors.shape[1] * errors.shape[2]
        ),
    )


def _left_out_loss(
    point: NDArray[np.float64],
    actual: NDArray[np.float64],
    unit: NDArray[np.float64],
    levels: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean quantile loss [series], rps, of windows whose spread is learnt from the others."""
    series, windows, hours = point.shape
    samples = (actual - point) / unit
    total = np.zeros(series)
    for window in range(windows):
        others = np.delete(samples, window, axis=1).reshape(series, (windows - 1) * hours)
        stray = error_quantiles(others, levels)[:, None, :]
        foreseen = point[:, window, :, None] + unit[:, window, :, None] * stray
        loss = quantile_loss(actual[:, window], np.maximum(foreseen, 0.0), levels)
        total += np.nansum(loss, axis=1)
    count: NDArray[np.int64] = np.sum(~np.isnan(samples), axis=(1, 2))
    return total / np.maximum(count, 1)
