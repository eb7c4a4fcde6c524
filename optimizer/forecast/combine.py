"""Forecasts of several models as one, each with a weight that its backtest has earned.

Combinations of forecasts beat the choice of one (Bates and Granger 1969; the second of the M4
competition, Montero-Manso et al. 2020, was one). Weights in inverse proportion to a power of the
error need no fitting, so that ten windows suffice for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.backtest import Trials
from optimizer.forecast.spread import POWERS, error_quantiles, error_unit, quantile_loss, widening

POWER = 5.0
"""A model with half the error counts 32 times as much. From 3 to 8 results differ by 1 %."""

TIE = 1e-4
"""Below this score a model is right: the simplest, which stands first, is taken alone."""

LEAST_WEIGHT = 0.02
"""Models that count for less are left out: they say little, and make a forecast hard to explain."""

ALONE = 0.95
"""A model that counts for so much is taken alone."""


@dataclass(frozen=True, eq=False)
class Combined:
    """``weight`` [model, series], adding up to 1, 0 for all where no model is scored.

    ``ahead_rps`` [series, hour] is what the models together foresee; ``errors`` [series, sample]
    how far what came strayed from what they foresaw together earlier, each window with weights
    learnt from the others, in units of level ** ``power`` [series], NaN where unobserved; see
    ``spread.error_unit``. ``lost_rps`` are the same errors in rps; ``score`` [series] is their mean
    without sign, in units of the seasonal naive error. ``stretch`` [series]: how much wider the
    future is than the past.
    """

    weight: NDArray[np.float64]
    ahead_rps: NDArray[np.float64]
    lost_rps: NDArray[np.float64]
    score: NDArray[np.float64]
    power: NDArray[np.float64]
    errors: NDArray[np.float64]
    stretch: NDArray[np.float64]


def combined(
    trials: Trials, mean_rps: NDArray[np.float64], levels: NDArray[np.float64]
) -> Combined:
    """Weigh the models of every series, and find how far they stray together.

    ``mean_rps`` [series] is the level that relative errors are relative to.
    """
    lost = trials.lost_rps
    total = lost.sum(axis=1)
    weight = _weights(total, trials)
    point = np.full_like(trials.actual_rps, np.nan)
    for window in range(len(point)):
        others = _weights(total - lost[:, window], trials)
        point[window] = _weighed(others, trials.point_rps[:, window])
    return _straying(trials, weight, point, mean_rps, levels)


def one_alone(
    trials: Trials, model: int, mean_rps: NDArray[np.float64], levels: NDArray[np.float64]
) -> Combined:
    """One model with all the weight where it is scored, and how far it strays by itself."""
    weight = np.zeros(trials.scored.shape)
    weight[model] = trials.scored[model]
    point = np.where(trials.scored[model][:, None], trials.point_rps[model], np.nan)
    return _straying(trials, weight, point, mean_rps, levels)


def _straying(
    trials: Trials,
    weight: NDArray[np.float64],
    point: NDArray[np.float64],
    mean_rps: NDArray[np.float64],
    levels: NDArray[np.float64],
) -> Combined:
    """Forecasts of ``weight`` [model, series], of which ``point`` [window, series, hour] is what
    they said in the backtest.
    """
    point, actual = point.swapaxes(0, 1), trials.actual_rps.swapaxes(0, 1)
    stretch = widening(trials.windows, point.shape[2])
    losses = np.zeros((len(POWERS), len(point)))
    for k, power in enumerate(POWERS):
        unit = error_unit(point, mean_rps, np.full(len(point), power))
        losses[k] = _left_out_loss(point, actual, unit, levels, stretch)
    power = np.asarray(POWERS)[np.argmin(losses, axis=0)]
    errors = actual - point
    hours = np.maximum((~np.isnan(errors)).sum(axis=(1, 2)), 1)
    scored = weight.any(axis=0)
    score = np.nansum(np.abs(errors), axis=(1, 2)) / hours / trials.naive_rps
    errors = errors.reshape(len(point), errors.shape[1] * errors.shape[2])
    unit = error_unit(point, mean_rps, power).reshape(errors.shape)
    return Combined(
        weight=weight,
        ahead_rps=_weighed(weight, trials.ahead_rps),
        score=np.where(scored, score, np.nan),
        power=power,
        lost_rps=errors,
        errors=errors / unit,
        stretch=stretch,
    )


def _weights(lost_rps: NDArray[np.float64], trials: Trials) -> NDArray[np.float64]:
    """Weights [model, series] from sums of absolute errors."""
    hours = np.maximum((~np.isnan(trials.actual_rps)).sum(axis=(0, 2)), 1)
    score = np.where(trials.scored, lost_rps / hours / trials.naive_rps, np.inf)
    score = np.maximum(score, TIE)
    best = score.min(axis=0)
    relative = np.where(np.isfinite(best), best, 1.0) / score
    weight = relative**POWER
    weight = np.where(weight >= LEAST_WEIGHT * weight.sum(axis=0), weight, 0.0)
    first = np.arange(len(score))[:, None] == np.argmin(score, axis=0)
    alone = (best <= TIE) | (weight.max(axis=0) >= ALONE * weight.sum(axis=0))
    weight = np.where(alone & np.isfinite(best), first, weight)
    total: NDArray[np.float64] = weight.sum(axis=0)
    return np.where(total > 0, weight / np.maximum(total, np.finfo(np.float64).tiny), 0.0)


def _weighed(weight: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted mean [series, hour] of [model, series, hour]; models without weight may be NaN."""
    together = np.zeros(point.shape[1:])
    for of_model, answer in zip(weight, point, strict=True):
        together += np.where(of_model > 0, of_model, 0.0)[:, None] * np.where(
            of_model[:, None] > 0, answer, 0.0
        )
    together[~weight.any(axis=0)] = np.nan
    return together


def _left_out_loss(
    point: NDArray[np.float64],
    actual: NDArray[np.float64],
    unit: NDArray[np.float64],
    levels: NDArray[np.float64],
    stretch: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean quantile loss [series], rps, of windows whose spread is learnt from the others."""
    series, windows, hours = point.shape
    samples = (actual - point) / unit
    total = np.zeros(series)
    for window in range(windows if windows > 1 else 0):
        others = np.delete(samples, window, axis=1).reshape(series, (windows - 1) * hours)
        stray = error_quantiles(others, levels, stretch)[:, None, :]
        foreseen = point[:, window, :, None] + unit[:, window, :, None] * stray
        loss = quantile_loss(actual[:, window], np.maximum(foreseen, 0.0), levels)
        total += np.nansum(loss, axis=1)
    count: NDArray[np.int64] = np.sum(~np.isnan(samples), axis=(1, 2))
    return total / np.maximum(count, 1)
