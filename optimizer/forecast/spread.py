"""How far reality strays from a point forecast: quantiles from backtest errors.

Split-conformal in style (Vovk et al. 2005): the quantiles of a forecast are the point forecast
plus the empirical quantiles of earlier forecasts' errors, with no assumption on their shape.
Errors that grow with the level are compared, and put back, in units of level ** power.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POWERS = (0.0, 0.5, 1.0)
"""Errors the same at every level; growing like those of counts; growing in proportion."""

LEAST_LEVEL = 0.05
"""Levels below this share of the mean count as this share: no division by calm hours."""


def error_unit(
    point_rps: NDArray[np.float64], mean_rps: NDArray[np.float64], power: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Size of errors, up to a factor, where ``point_rps`` [series, ...] is expected.

    ``mean_rps`` and ``power`` [series] are each series' mean and growth of errors with the level;
    the result is dimensionless.
    """
    of_series = (-1, *[1] * (point_rps.ndim - 1))
    relative = np.maximum(point_rps / mean_rps.reshape(of_series), LEAST_LEVEL)
    unit: NDArray[np.float64] = relative ** power.reshape(of_series)
    return unit


def error_quantiles(
    errors: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Empirical quantiles [series, level] of ``errors`` [series, sample], NaN left out.

    Level q of n errors is their q·(n + 1)-th smallest, interpolated: a new error is below it with
    probability q if all are exchangeable. NaN where a series has no errors.
    """
    ordered = np.sort(errors, axis=1)  # NaN last
    count = (~np.isnan(errors)).sum(axis=1)[:, None]
    position = np.clip(levels[None, :] * (count + 1) - 1, 0, np.maximum(count - 1, 0))
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, above, axis=1)
    quantiles: NDArray[np.float64] = low + (position - below) * (high - low)
    return quantiles


def quantile_loss(
    actual: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean pinball loss over levels: max(q·e, (q - 1)·e) with e = actual - quantile.

    ``actual`` has the shape of ``quantiles`` less its last axis, which is the level.
    """
    error = actual[..., None] - quantiles
    loss: NDArray[np.float64] = np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
    return loss
