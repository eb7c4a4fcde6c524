"""How far reality strays from a point forecast: quantiles from backtest errors.

Split-conformal in style (Vovk et al. 2005): the quantiles of a forecast are the point forecast
plus the empirical quantiles of earlier forecasts' errors, with no assumption on their shape.
Errors that grow with the level and with the hours ahead are compared, and put back, in units that
grow alike.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

POWERS = (0.0, 0.5, 1.0)
"""Errors the same at every level; growing like those of counts; growing in proportion."""

OUTLYING = 0.05
"""Share of errors at either end that count for the mean only as much as their neighbours."""

LEAST_LEVEL = 0.05
"""Levels below this share of the mean count as this share: no division by calm hours."""

DAILY_GROWTH = 1.0
"""Variance of errors after a day, less that at once, over that at once: levels wander."""

CHANCE = 0.8
"""Hours of one backtest stray together, and models were weighed for straying little there: bare
quantiles of its errors are too narrow by about this, over how many stretches of the length of the
forecast it has (measured on public traces, a day to a week ahead)."""


def widening(windows: NDArray[np.int64], hours: int) -> NDArray[np.float64]:
    """How far quantiles [series] are stretched that rest on ``windows``, a day apart, of ``hours``.

    1 + ``CHANCE`` / stretches, with 1 + 24·(windows - 1) / hours stretches that do not overlap.
    """
    stretches: NDArray[np.float64] = 1 + 24 * np.maximum(windows - 1, 0) / hours
    return 1 + CHANCE / stretches


def error_unit(
    point_rps: NDArray[np.float64], mean_rps: NDArray[np.float64], power: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Size of errors, up to a factor, where ``point_rps`` [series, ..., hour ahead] is expected.

    (point / mean) ** power · √(1 + hours ahead / 24), with ``mean_rps`` and ``power`` [series] of
    each series; dimensionless.
    """
    of_series = (-1, *[1] * (point_rps.ndim - 1))
    relative = np.maximum(point_rps / mean_rps.reshape(of_series), LEAST_LEVEL)
    wandering = np.sqrt(1 + DAILY_GROWTH * np.arange(point_rps.shape[-1]) / 24)
    unit: NDArray[np.float64] = relative ** power.reshape(of_series) * wandering
    return unit


def error_quantiles(
    errors: NDArray[np.float64], levels: NDArray[np.float64], stretch: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles [series, level] of future errors, from past ``errors`` [series, sample].

    Level q of n errors is their q·(n + 1)-th smallest, interpolated: a new error is below it with
    probability q if all are exchangeable. The distance from the median is then multiplied by
    ``stretch`` [series]. NaN samples are left out; NaN where a series has none.
    """
    ordered = np.sort(errors, axis=1)  # NaN last
    count = (~np.isnan(errors)).sum(axis=1)[:, None]
    last = np.maximum(count - 1, 0)
    position = np.clip(np.append(levels, 0.5) * (count + 1) - 1, 0, last)
    below = np.floor(position).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=1)
    quantiles = low + (position - below) * (high - low)
    median = quantiles[:, -1:]
    stretched: NDArray[np.float64] = median + stretch[:, None] * (quantiles[:, :-1] - median)
    return stretched


def mean_error(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Winsorised mean [series] of ``errors`` [series, sample], of which each series has some.

    One bad hour in a backtest would otherwise shift the forecast for good.
    """
    lowest, highest = np.nanquantile(errors, (OUTLYING, 1 - OUTLYING), axis=1)
    mean: NDArray[np.float64] = np.nanmean(
        np.clip(errors, lowest[:, None], highest[:, None]), axis=1
    )
    return mean


def quantile_loss(
    actual: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean pinball loss over levels: max(q·e, (q - 1)·e) with e = actual - quantile.

    ``actual`` has the shape of ``quantiles`` less its last axis, which is the level.
    """
    error = actual[..., None] - quantiles
    loss: NDArray[np.float64] = np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
    return loss


def normal_scores(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a standard normal distribution has its quantiles of ``levels``, within (0, 1)."""
    normal = NormalDist()
    scores = [normal.inv_cdf(level) for level in levels.ravel()]
    return np.array(scores).reshape(levels.shape)
