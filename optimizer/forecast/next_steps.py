"""Foresee the next few steps of one series, again after every step, in one pass.

For autoscaling: minutes ahead, from what the last minutes, yesterday and a week ago looked like.
Nothing that is observed after a forecast is made has a part in it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled

SPANS: Final = (3, 7, 15, 45, 120)
"""Exponentially weighted means of so many steps tell level and trend."""

LEVEL_SPAN: Final = 15
"""Everything is in proportion to the mean of this span."""

WINDOWS: Final = (7, 21, 61)
"""Former periods are smoothed over so many steps, in the middle of which a step stands."""

LEAST_LEVEL: Final = 0.01
"""A level below this share of the mean so far counts as this share."""

MEMORY_DAYS: Final = 10.0
"""Weights forget what is so much older, by a factor e."""

OUTLYING: Final = 5.0
"""Errors beyond this multiple of the usual move the weights no more than one of that size."""

_DAYS: Final = (1, 7)
_MOST_CHANGE: Final = (0.3, 3.0)
_HIGHEST: Final = 5.0


def foreseen(
    demand: NDArray[np.float64], known: NDArray[np.bool_], ahead: int, day_steps: int
) -> NDArray[np.float64]:
    """Demand expected ``ahead`` steps after each step [step], as seen when that step has ended.

    ``demand`` has the last known value where it is not ``known``; a day has ``day_steps``.
    Recursive least squares with a Huber weight and exponential forgetting (Ljung & Söderström
    1983), on ratios to the level: the last steps, means of ``SPANS``, and how demand changed over
    the same steps a day and a week ago.
    """
    level = np.maximum(_mean_of(demand, LEVEL_SPAN), LEAST_LEVEL * _mean_so_far(demand))
    level = np.maximum(level, np.finfo(np.float64).tiny ** 0.5)
    signs = _signs(demand, level, ahead, day_steps)
    later = _later(demand, ahead) / level
    told = known & _later(known.astype(np.float64), ahead).astype(bool)
    weight = np.clip(level / _mean_so_far(level), 0.05, 20.0)
    forgetting = 1.0 - 1.0 / (day_steps * MEMORY_DAYS)
    ratio = _learn(signs, np.clip(later, 0.0, 2 * _HIGHEST), told, weight, ahead, forgetting)
    expected: NDArray[np.float64] = np.maximum(ratio, 0.0) * level
    return expected


def _signs(
    demand: NDArray[np.float64], level: NDArray[np.float64], ahead: int, day_steps: int
) -> NDArray[np.float64]:
    """What forecasts are made of [step, sign]: 0 where all is as it was."""
    recent = [_earlier(demand, back) for back in range(3)]
    recent += [_mean_of(demand, span) for span in SPANS if span != LEVEL_SPAN]
    columns = [np.ones(demand.size)]
    columns += [np.clip(value / level, 0.0, _HIGHEST) - 1.0 for value in recent]
    for window in WINDOWS:
        smooth = _centred_mean(demand, window)
        for days in _DAYS:
            period = days * day_steps
            if period - ahead < window:
                continue
            then, later = _earlier(smooth, period), _earlier(smooth, period - ahead)
            change = np.divide(later, then, out=np.ones(demand.size), where=then > 0)
            change[:period] = 1.0
            columns.append(np.clip(change, *_MOST_CHANGE) - 1.0)
    return np.stack(columns, axis=1)


def _earlier(values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """The value ``steps`` before; the first one before there is any."""
    return values[np.maximum(np.arange(values.size) - steps, 0)]


def _later(values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """The value ``steps`` after; NaN is not made: the end repeats itself and is never learnt."""
    return values[np.minimum(np.arange(values.size) + steps, values.size - 1)]


def _mean_of(values: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    return _smoothed(values, 2.0 / (span + 1.0))


def _mean_so_far(values: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.cumsum(values) / np.arange(1, values.size + 1)
    return mean


def _centred_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Means of ``window`` steps, half of them after the step: for steps that are long past."""
    half = window // 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    step = np.arange(values.size)
    first, last = np.maximum(step - half, 0), np.minimum(step + half + 1, values.size)
    mean: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)
    return mean


@compiled
def _smoothed(values: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    smooth = np.empty_like(values)
    mean = values[0]
    for t in range(values.size):
        mean += rate * (values[t] - mean)
        smooth[t] = mean
    return smooth


@compiled
def _learn(
    signs: NDArray[np.float64],
    later: NDArray[np.float64],
    told: NDArray[np.bool_],
    weight: NDArray[np.float64],
    ahead: int,
    forgetting: float,
) -> NDArray[np.float64]:
    """Predictions [step] of ``later`` by weights learnt from what was known by then.

    Starts from "as it is": the first sign, which is always 1, has weight 1.
    """
    steps, count = signs.shape
    spread = np.eye(count)
    widest = 10.0 * count
    weights = np.zeros(count)
    weights[0] = 1.0
    usual = 0.05
    said = np.empty(steps)
    for t in range(steps):
        said[t] = np.dot(weights, signs[t])
        past = t - ahead
        if past < 0 or not told[past]:
            continue
        sign = signs[past]
        error = later[past] - np.dot(weights, sign)
        size = abs(error) * np.sqrt(weight[past])
        counts = weight[past]
        if size > OUTLYING * usual:
            counts *= OUTLYING * usual / size
        usual += 0.002 * (min(size, OUTLYING * usual) - usual)
        seen = spread @ sign
        gain = seen * (counts / (forgetting + counts * np.dot(sign, seen)))
        weights += gain * error
        spread = (spread - np.outer(gain, seen)) / forgetting
        if past % 1000 == 0:
            # Rounding makes it crooked, and forgetting lets it grow where nothing is learnt.
            spread = (spread + spread.T) / 2.0
            width = np.trace(spread)
            if width > widest:
                spread *= widest / width
    return said
