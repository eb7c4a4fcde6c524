"""What repeats every day and every week in series, told apart from what grows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_TIMES: Final = 3
"""A wave is one when so many of its periods were seen."""

LEAST_WEEKS: Final = 2
_LEAST_PHASES: Final = 2

_BLOCKS_OF_DAY: Final = 4  # what repeats by the hour is the daily wave
_TREND_DAYS: Final = 6
_ROUNDS: Final = 3


def daily_wave(values: NDArray[np.float64], day_steps: int, ahead: int) -> NDArray[np.float64]:
    """The daily wave [series, step + ahead] of ``values`` [series, step], NaN for gaps.

    A wave is the median, over its periods, of how far values lie above the mean of the period
    around them; it is shrunk by the share of it that chance alone would make, as James and Stein
    (1961) do, and has mean 0. It is 0 where fewer than ``LEAST_TIMES`` periods were seen.
    """
    if day_steps < _LEAST_PHASES:
        return np.zeros((len(values), values.shape[1] + ahead))
    wave = _wave(values, day_steps, day_steps)
    return wave[:, np.arange(values.shape[1] + ahead) % day_steps]


def weekly_wave(values: NDArray[np.float64], day_steps: int, ahead: int) -> NDArray[np.float64]:
    """The same of the week, of what has no daily wave left, from two weeks on.

    In means of ``_BLOCKS_OF_DAY`` parts of a day. Trend and wave are found in turn, as STL does
    (Cleveland et al. 1990): the trend of what has no wave by local lines, the wave as medians of
    what has no trend.
    """
    block = max(day_steps // _BLOCKS_OF_DAY, 1)
    phases = 7 * day_steps // block
    series, steps = values.shape
    kept = steps // block * block
    if kept < LEAST_WEEKS * 7 * day_steps or day_steps % block:
        return np.zeros((series, steps + ahead))
    means = _means(values[:, steps - kept :].reshape(series, -1, block))
    count = means.shape[1]
    smoother = _local_lines(count, _TREND_DAYS * day_steps // block)
    known = ~np.isnan(means)
    phase = np.arange(count) % phases
    wave = np.zeros((series, phases))
    padded = np.full((series, -(-count // phases) * phases), np.nan)
    for _ in range(_ROUNDS):
        trend = _bridged(means - wave[:, phase]) @ smoother.T
        padded[:, :count] = np.where(known, means - trend, np.nan)
        folded = padded.reshape(series, -1, phases)
        wave = _median(folded.transpose(0, 2, 1))
        wave -= wave.mean(axis=1, keepdims=True)
    wave *= _trust(folded[..., None], wave)[:, None]
    at = (np.arange(steps + ahead) - (steps - kept)) // block
    return wave[:, at % phases]


def _local_lines(count: int, window: int) -> NDArray[np.float64]:
    """Matrix [step, step] that smooths by lines through the steps around each (Cleveland 1979)."""
    apart = np.arange(count)[None] - np.arange(count)[:, None]
    weight = np.clip(1 - np.abs(apart / (window + 1.0)) ** 3, 0.0, None) ** 3
    ones, first, second = (((weight * apart**k).sum(axis=1)) for k in range(3))
    det = ones * second - first**2
    lines: NDArray[np.float64] = weight * (second[:, None] - first[:, None] * apart) / det[:, None]
    return lines


def _means(folded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of the last axis of what is known; NaN where nothing is."""
    count = (~np.isnan(folded)).sum(axis=-1)
    total = np.nansum(folded, axis=-1)
    means: NDArray[np.float64] = np.full(count.shape, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def _bridged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaps bridged by straight lines [series, step]; 0 where nothing is known."""
    filled = np.zeros(values.shape)
    step = np.arange(values.shape[1])
    for row, one in enumerate(values):
        known = np.flatnonzero(~np.isnan(one))
        if known.size:
            filled[row] = np.interp(step, known, one[known])
    return filled


def _wave(values: NDArray[np.float64], period: int, phases: int) -> NDArray[np.float64]:
    """[series, phase], where phase 0 is at step 0 of each period."""
    series, steps = values.shape
    above = values - moving_mean(values, period)
    whole = steps // period
    if whole < LEAST_TIMES or period < phases:
        return np.zeros((series, phases))
    folded = above[:, : whole * period].reshape(series, whole, period)
    known = ~np.isnan(folded)
    by_phase = folded.reshape(series, whole, phases, period // phases)
    told = known.reshape(by_phase.shape)
    times = told.any(axis=3).sum(axis=1)
    flat = by_phase.transpose(0, 2, 1, 3).reshape(series, phases, -1)
    wave = np.where(times >= LEAST_TIMES, _median(flat), 0.0)
    wave -= wave.mean(axis=1, keepdims=True)
    trusted: NDArray[np.float64] = wave * _trust(by_phase, wave)[:, None]
    return trusted


def _trust(by_phase: NDArray[np.float64], wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of a wave is no chance [series], 0 to 1.

    Chance: medians of ``times`` periods that differ by this much from each other.
    """
    stray = np.abs(by_phase - wave[:, None, :, None])
    spread = 1.4826 * _median(stray.reshape(len(wave), 1, -1))[:, 0]
    times = np.maximum((~np.isnan(by_phase)).any(axis=3).sum(axis=1).mean(axis=1), 1.0)
    chance = np.pi / 2 * spread**2 / times
    height = (wave**2).mean(axis=1)
    sure = 1.0 - chance / np.maximum(height, np.finfo(np.float64).tiny)
    trust: NDArray[np.float64] = np.clip(sure, 0.0, 1.0)
    return trust


def moving_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Means of the ``window`` steps around each; NaN at the ends and where half are gaps.

    An even window has half a step more at either side, so that it holds each phase once.
    """
    known = ~np.isnan(values)
    weight = np.ones(window + 1 - window % 2)
    if window % 2 == 0:
        weight[[0, -1]] = 0.5
    half = weight.size // 2
    mean = np.full(values.shape, np.nan)
    if values.shape[1] < weight.size:
        return mean
    sums = _windowed(np.where(known, values, 0.0), weight)
    count = _windowed(known.astype(np.float64), weight)
    inner = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count >= window / 2)
    mean[:, half : values.shape[1] - half] = inner
    return mean


def _windowed(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums over windows that lie inside, where all weights but the outer two are 1."""
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    size = weight.size
    sums = total[:, size:] - total[:, :-size]
    outer = values[:, : -size + 1] + values[:, size - 1 :]
    windowed: NDArray[np.float64] = sums - (1.0 - weight[0]) * outer
    return windowed


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians of the last axis without NaN; 0 where there is nothing else."""
    ordered = np.sort(values, axis=-1)  # NaN comes last
    count = (~np.isnan(values)).sum(axis=-1)
    low, high = np.maximum(count - 1, 0) // 2, np.maximum(count // 2, 0)
    high = np.minimum(high, values.shape[-1] - 1)
    pair = np.stack([low, high], axis=-1)
    middle = np.take_along_axis(ordered, pair, axis=-1).mean(axis=-1)
    found: NDArray[np.float64] = np.where(count > 0, middle, 0.0)
    return found
