"""Means that are moved until they add up, to be compared with means that are added up.

Totals are foreseen like any series, and all forecasts are then moved, as little as their errors
allow, until they add up: minimum trace reconciliation (MinT: Wickramasuriya, Athanasopoulos and
Hyndman 2019), with errors of the backtest and their covariance shrunk towards its diagonal
(Schäfer and Strimmer 2005).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

MOST_CORRELATED: Final = 400
"""With more series than that, a covariance costs more than it tells: variances alone are used."""


def coherent(means: Values, errors: Values, adds: Values) -> Values:
    """Means of the parts [series, hour] from means of totals and parts [total and series, hour].

    With y the forecasts, W the covariance of their errors, and C = [I, -A] the rows that are zero
    when totals equal the sums A of their parts: y - W Cᵀ (C W Cᵀ)⁻¹ C y, the nearest coherent
    forecasts in the metric of W⁻¹. Totals of one part say nothing new and are left out.
    """
    kept = np.flatnonzero(adds.sum(axis=1) > 1)
    parts = np.arange(len(adds), len(means))
    if not kept.size:
        return means[parts]
    rows = np.concatenate([kept, parts])
    constraint = np.concatenate([np.eye(kept.size), -adds[kept]], axis=1)
    spread = covariance(errors[rows])
    crossed = spread @ constraint.T if spread.ndim == 2 else spread[:, None] * constraint.T
    inner = constraint @ crossed
    inner[np.diag_indices_from(inner)] += 1e-9 * np.trace(inner) / len(inner) + 1e-300
    apart = constraint @ means[rows]
    moved = means[rows] - crossed @ np.linalg.solve(inner, apart)
    coherent: Values = np.maximum(moved[kept.size :], 0.0)
    return coherent


def covariance(errors: Values) -> Values:
    """Covariance of ``errors`` [series, sample] about zero, shrunk; variances [series] of many.

    The intensity is the sum of the variances of correlations over that of their squares (Schäfer
    and Strimmer 2005), within [0, 1].
    """
    count = errors.shape[1]
    variance: Values = (errors**2).mean(axis=1)
    if len(errors) > MOST_CORRELATED:
        return variance
    scale = np.sqrt(np.where(variance > 0, variance, 1.0))
    relative = errors / scale[:, None]
    correlation = relative @ relative.T / count
    squares = (relative**2) @ (relative**2).T / count
    doubt = (squares - correlation**2) / max(count - 1, 1)
    apart = ~np.eye(len(errors), dtype=np.bool_)
    total = float((correlation[apart] ** 2).sum())
    shrunk = min(1.0, float(doubt[apart].sum()) / total) if total > 0 else 1.0
    correlation = np.where(apart, (1 - shrunk) * correlation, correlation)
    covariance: Values = correlation * scale[:, None] * scale
    return covariance
