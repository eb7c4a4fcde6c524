"""Daily and weekly seasons that change slowly, of all series at once.

The multiple seasonal-trend decomposition of Bandara, Hyndman and Bergmeir (2021), MSTL, with its
LOESS smoothers of degree 0 written as matrices: the value of a season on one day is a tricube-
weighted mean over the same hour of the nearest days. As matrix products over [series, day, hour]
it costs microseconds per series; smoothing series by series costs a tenth of a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.grid import DAY, WEEK

PASSES = 2


@dataclass(frozen=True, slots=True)
class Windows:
    """Hours of the day are smoothed over so many days, hours of the week over so many weeks."""

    days: int
    weeks: int


QUICK = Windows(11, 5)
"""Days as MSTL takes them for its first season; weeks older than a month mislead on web traffic."""

SLOW = Windows(31, 15)
"""Seasons that hardly change in what is kept: for what is left, an autoregression."""


@dataclass(frozen=True, eq=False)
class Seasons:
    """``past`` [series, hour] and ``ahead`` [series, hour ahead] add up the seasons' swings."""

    past: NDArray[np.float64]
    ahead: NDArray[np.float64]


def seasons_of(
    values: NDArray[np.float64], weekly: NDArray[np.bool_], hours_ahead: int, windows: Windows
) -> Seasons:
    """Split the seasons off ``values`` [series, hour], NaN where unobserved.

    ``weekly`` [series] tells which series are long enough for a weekly season. Seasons ahead
    repeat the last day and week.
    """
    hours = values.shape[1]
    pad = -hours % WEEK
    padded = np.pad(values, ((0, 0), (pad, 0)), constant_values=np.nan)
    weight = (~np.isnan(padded)).astype(np.float64)
    known = np.where(weight > 0, padded, 0.0)
    if (weight == weight[0]).all():
        weight = weight[:1]  # mostly all series miss the same hours, or none
    days = _Cycles(weight, DAY, windows.days)
    weeks = _Cycles(weight, WEEK, windows.weeks)
    count = np.maximum(_weekly_sums(weight), 1.0)
    daily_part = np.zeros_like(known)
    weekly_part = np.zeros_like(known)
    for _ in range(PASSES):
        level = _weekly_sums((known - daily_part - weekly_part) * weight) / count
        known_less_level = known - level
        daily_part = days.season(known_less_level - weekly_part)
        weekly_part = weeks.season(known_less_level - daily_part)
        weekly_part *= weekly[:, None]
    ahead = np.arange(hours_ahead)
    return Seasons(
        past=(daily_part + weekly_part)[:, pad:],
        ahead=daily_part[:, -DAY:][:, ahead % DAY] + weekly_part[:, -WEEK:][:, ahead % WEEK],
    )


class _Cycles:
    """Smooths each phase of a period over its cycles, where ``weight`` [series, hour] is 1."""

    def __init__(self, weight: NDArray[np.float64], period: int, window: int) -> None:
        self._shape = (-1, weight.shape[1] // period, period)
        self._smoother = _tricube(weight.shape[1] // period, window)
        self._weight = weight.reshape(self._shape)
        mass = self._smoother @ self._weight
        self._share = np.where(mass > 1e-9, 1 / np.maximum(mass, 1e-9), 0.0)

    def season(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The season in ``values`` [series, hour]; every cycle of it sums to zero."""
        season: NDArray[np.float64] = self._smoother @ (values.reshape(self._shape) * self._weight)
        season *= self._share
        season -= season.mean(axis=2, keepdims=True)
        return season.reshape(values.shape)


def _tricube(cycles: int, window: int) -> NDArray[np.float64]:
    """LOESS weights of degree 0 [cycle, cycle] over the ``window`` nearest cycles.

    As in Cleveland's STL, a window longer than the data widens the kernel instead.
    """
    at = np.arange(cycles)
    distance = np.abs(at[:, None] - at[None, :]).astype(np.float64)
    reach = np.sort(distance, axis=1)[:, min(window, cycles) - 1] + max(window - cycles, 0) / 2
    relative = distance / np.maximum(reach, 1.0)[:, None] * 0.999  # the farthest still counts
    weights: NDArray[np.float64] = np.clip(1 - relative**3, 0.0, None) ** 3
    return weights


def _weekly_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the week around every hour; of what there is of it at the ends."""
    hours = values.shape[1]
    sums = np.zeros((len(values), hours + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    first = np.maximum(np.arange(hours) - WEEK // 2, 0)
    last = np.minimum(np.arange(hours) + WEEK // 2, hours)
    around: NDArray[np.float64] = sums[:, last] - sums[:, first]
    return around
