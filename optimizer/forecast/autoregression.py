"""Linear autoregressions of many series at once, as each would have been fitted at every origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.grid import Grid

RIDGE: Final = 1e-5
"""Added to the diagonal of the normal equations, as a share of its mean: enough for lags that say
the same, too little to flatten seasons (1e-2 does: by a tenth more error on public series)."""

ROWS_PER_WEIGHT: Final = 3
"""Fewer observed hours than that for each weight fit chance, and give no answer."""

_TOGETHER: Final = 25
"""Series whose lagged values are held at once: those of a whole block would not stay in cache."""


@dataclass(frozen=True, slots=True)
class Autoregression:
    """Demand, or its change over ``difference`` hours, from its values ``lags`` hours before.

    Fitted by ridge regression and repeated hour by hour. Forecasts stay within what was seen, and
    its standard deviation around it: an unstable fit does no worse than that.
    """

    name: str
    lags: tuple[int, ...]
    difference: int = 0

    def foresee(self, grid: Grid, origins: Sequence[int], hours: int) -> NDArray[np.float64]:
        apart = self.difference
        usable = [i for i, origin in enumerate(origins) if origin > apart + max(self.lags)]
        forecast = np.full((len(origins), len(grid.series), hours), np.nan)
        if not usable:
            return forecast
        values, seen = grid.carried(), grid.observed
        ends = [origins[i] for i in usable]
        if not apart:
            ahead = autoregressed(values, seen, np.array(self.lags), ends, hours)
        else:
            change = values[:, apart:] - values[:, :-apart]
            both = seen[:, apart:] & seen[:, :-apart]
            shifted = [end - apart for end in ends]
            ahead = autoregressed(change, both, np.array(self.lags), shifted, hours)
            for i, end in enumerate(ends):
                ahead[i] = _added_up(values[:, end - apart : end], ahead[i])
        lowest, highest = _bounds(values, ends)
        forecast[usable] = np.maximum(np.clip(ahead, lowest, highest), 0.0)
        return forecast


def autoregressed(
    values: NDArray[np.float64],
    seen: NDArray[np.bool_],
    lags: NDArray[np.int64],
    origins: Sequence[int],
    hours: int,
) -> NDArray[np.float64]:
    """Forecasts [origin, series, hour] of ``values`` [series, hour] by ridge autoregression.

    Values that were not ``seen`` serve as lags, never as what is fitted; NaN before a series
    begins. Each origin, the number of hours known, has weights of its own: normal equations of one
    origin are those of the one before and the hours between. The constant is left out of the
    penalty, so that the fit does not depend on where zero is.
    """
    forecast = np.empty((len(origins), len(values), hours))
    for first in range(0, len(values), _TOGETHER):
        part = slice(first, first + _TOGETHER)
        forecast[:, part] = _some(values[part], seen[part], lags, origins, hours)
    return forecast


def _some(
    values: NDArray[np.float64],
    seen: NDArray[np.bool_],
    lags: NDArray[np.int64],
    origins: Sequence[int],
    hours: int,
) -> NDArray[np.float64]:
    series, last = len(values), int(lags.max())
    centre, size = _centre_and_size(values[:, : min(origins)])
    scaled = (values - centre) / size
    begun = np.isnan(scaled).sum(axis=1)  # NaN stand in front only
    scaled = np.nan_to_num(scaled)
    columns = np.empty((series, lags.size + 2, max(max(origins) - last, 0)))
    for k, lag in enumerate(lags):
        columns[:, k] = scaled[:, last - lag : last - lag + columns.shape[2]]
    columns[:, -2] = 1.0
    columns[:, -1] = scaled[:, last : last + columns.shape[2]]
    at = np.arange(last, last + columns.shape[2])
    columns *= (seen[:, at] & (at >= begun[:, None] + last))[:, None, :]

    weights = np.full((len(origins), series, lags.size + 1), np.nan)
    products = np.zeros((series, lags.size + 2, lags.size + 2))
    done = 0
    for i in np.argsort(origins):
        until = max(origins[i] - last, 0)
        block = columns[:, :, done:until]
        products += block @ block.swapaxes(1, 2)
        done = until
        weights[i] = _ridge(products, lags.size)
    return _repeated(scaled, weights, lags, origins, hours) * size[:, :1] + centre


def _centre_and_size(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation [series, 1]: for sums that do not cancel, not for the result."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centre = np.where(known, values, 0.0).sum(axis=1, keepdims=True) / count
    square = np.where(known, (values - centre) ** 2, 0.0).sum(axis=1, keepdims=True) / count
    size = np.sqrt(square)
    return centre, np.where(size > 0, size, 1.0)


def _ridge(products: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Weights [series, lag and constant] from sums of products of lags, 1 and what they foretell.

    NaN where too few hours were observed.
    """
    count = products[:, lags, lags]
    weights = np.full((len(products), lags + 1), np.nan)
    enough = np.flatnonzero(count >= ROWS_PER_WEIGHT * (lags + 1))
    if not enough.size:
        return weights
    some = products[enough]
    total = some[:, :, lags]
    # Less the part of the constant (Schur complement): covariances, times the number of hours.
    spread = some - total[:, :, None] * total[:, None, :] / count[enough, None, None]
    inner = spread[:, :lags, :lags].copy()
    diagonal = np.einsum("sii->si", inner)
    penalty = RIDGE * diagonal.mean(axis=1, keepdims=True)
    diagonal += np.where(penalty > 0, penalty, 1.0)  # written into ``inner``; all alike: weights 0
    slope = np.linalg.solve(inner, spread[:, :lags, -1:])[:, :, 0]
    constant = (total[:, -1] - (slope * total[:, :lags]).sum(axis=1)) / count[enough]
    weights[enough] = np.concatenate([slope, constant[:, None]], axis=1)
    return weights


def _repeated(
    scaled: NDArray[np.float64],
    weights: NDArray[np.float64],
    lags: NDArray[np.int64],
    origins: Sequence[int],
    hours: int,
) -> NDArray[np.float64]:
    """Forecasts [origin, series, hour], each hour from those before it."""
    last = int(lags.max())
    run = np.zeros((len(origins), len(scaled), last + hours))
    lowest, highest = np.empty((2, len(origins), len(scaled)))
    for i, origin in enumerate(origins):
        run[i, :, max(last - origin, 0) : last] = scaled[:, max(origin - last, 0) : origin]
        known = scaled[:, :origin]
        room = known.std(axis=1)
        lowest[i], highest[i] = known.min(axis=1) - room, known.max(axis=1) + room
    slope, constant = weights[:, :, :-1], weights[:, :, -1]
    for hour in range(hours):
        foreseen = (run[:, :, last + hour - lags] * slope).sum(axis=2) + constant
        run[:, :, last + hour] = np.clip(foreseen, lowest, highest)
    return run[:, :, last:]


def _added_up(before: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values [series, hour] from their changes over as many hours as ``before`` [series, hour]."""
    apart, hours = before.shape[1], change.shape[1]
    padded = np.pad(change, ((0, 0), (0, -hours % apart)))
    periods = padded.reshape(len(change), -1, apart).cumsum(axis=1) + before[:, None, :]
    added: NDArray[np.float64] = periods.reshape(len(change), -1)[:, :hours]
    return added


def _bounds(
    values: NDArray[np.float64], origins: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest [origin, series, 1] that is believed: a deviation beyond what was seen."""
    bounds = np.empty((2, len(origins), len(values), 1))
    for i, origin in enumerate(origins):
        known = values[:, :origin]
        seen = ~np.isnan(known)
        lowest = np.where(seen, known, np.inf).min(axis=1)
        highest = np.where(seen, known, -np.inf).max(axis=1)
        room = _centre_and_size(known)[1][:, 0]
        bounds[0, i, :, 0], bounds[1, i, :, 0] = lowest - room, highest + room
    return bounds[0], bounds[1]
