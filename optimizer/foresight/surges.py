"""Surges and drops: demand far from the usual of its hour, or above what runs.

Two views, of which the surer counts. *Days ahead*: the quantiles of the hourly forecast, and how
often it happened before. *Hours ahead*: a regression of what demand will be, against the usual of
its hour, on what it is now, on how it has changed, and on the same of the services that call this
one: a surge arrives at callers first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

FACTOR: Final = 1.5
"""Demand this many times the usual of its hour is a surge; its inverse a drop."""

DAY_HOURS: Final = 24
USUAL_WEEKS: Final = 4
"""The usual of an hour is the median of the same hour in so many weeks before."""

SOON_HOURS: Final = (1, 2, 3, 6, 12)
LEAST_LEARNT: Final = 72
"""Hours from which early signs are learnt."""

BEFORE: Final = 0.4
"""Weight of how often it happened before, against the forecast."""

BACK_HOURS: Final = 3
_RIDGE: Final = 1.0


@dataclass(frozen=True, eq=False)
class Crossing:
    """The chance [hour ahead] that demand has crossed a bound by the end of each hour."""

    reached: Values

    @property
    def probability(self) -> float:
        return float(self.reached[-1])

    def hour(self, share: float) -> float:
        """Hours ahead by which that share of the chances is used up."""
        return float(np.searchsorted(self.reached, share * self.reached[-1]) + 1)


def usual(rps: Values, week: int, ahead: int) -> Values:
    """The usual of each hour [series, hour + ahead] of ``rps`` [series, hour]; NaN: not known.

    Of hours ahead, those that fell into the same hour of the last ``USUAL_WEEKS`` weeks count;
    nothing at or after an hour has a part in its usual.
    """
    series, hours = rps.shape
    padded = np.concatenate([rps, np.full((series, ahead), np.nan)], axis=1)
    before = [np.full((series, hours + ahead), np.nan) for _ in range(USUAL_WEEKS)]
    for k, one in enumerate(before):
        back = (k + 1) * week
        if back < hours + ahead:
            one[:, back:] = padded[:, : hours + ahead - back]
    ordered = np.sort(np.stack(before, axis=-1), axis=-1)  # NaN comes last
    count = (~np.isnan(ordered)).sum(axis=-1)
    pair = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, USUAL_WEEKS - 1)], -1)
    median: Values = np.take_along_axis(ordered, pair, axis=-1).mean(axis=-1)
    return np.where(count > 0, median, np.nan)


def over_usual(rps: Values, expected: Values) -> Values:
    """rps / expected; NaN where the usual is not known or nothing."""
    ratio: Values = np.full(rps.shape, np.nan)
    np.divide(rps, expected, out=ratio, where=expected > 0)
    return ratio


def chance_over(bound: Values, quantiles: Values, levels: Sequence[float]) -> Values:
    """The chance [hour] that demand is above ``bound`` [hour], from its ``quantiles``
    [hour, level].

    Between quantiles linear. Above the highest, and below the lowest, the tail is exponential as
    it is between the two outer ones. A bound that is NaN is not crossed.
    """
    chance = np.zeros(len(bound))
    known = np.asarray(levels, np.float64)
    for hour, (limit, one) in enumerate(zip(bound, quantiles, strict=True)):
        if np.isnan(limit):
            continue
        if limit > one[-1]:
            pace = np.log((1 - known[-2]) / (1 - known[-1]))
            width = one[-1] - one[-2]
            far = (limit - one[-1]) / width if width > 0 else np.inf
            chance[hour] = (1 - known[-1]) * np.exp(-pace * far)
        elif limit < one[0]:
            pace, width = np.log(known[1] / known[0]), one[1] - one[0]
            far = (one[0] - limit) / width if width > 0 else np.inf
            chance[hour] = 1 - known[0] * np.exp(-pace * far)
        else:
            chance[hour] = 1 - np.interp(limit, one, known)
    return chance


def over_days(chance: Values, day: int) -> Crossing:
    """Chances of single hours [hour] as one of having crossed.

    Within a day hours go together, so that the highest chance counts; days are taken as
    independent. That lies between the highest of all and the sum of all.
    """
    reached = np.empty(len(chance))
    none = 1.0
    for first in range(0, len(chance), day):
        so_far = np.maximum.accumulate(chance[first : first + day])
        reached[first : first + day] = 1.0 - none * (1.0 - so_far)
        none *= 1.0 - so_far[-1]
    return Crossing(reached)


def often(crossed: NDArray[np.bool_], hours: int) -> float:
    """In what share of all stretches of so many hours it happened [hour]; ½ of a stretch more
    either way, so that what never did may.
    """
    size = min(hours, crossed.size)
    total = np.concatenate([[0], np.cumsum(crossed)])
    happened = total[size:] - total[:-size] > 0 if size else np.zeros(1, np.bool_)
    return float((happened.sum() + 0.5) / (happened.size + 1.0))


def pooled(foretold: Crossing, share: float) -> Crossing:
    """Chances by a forecast, and that it happens as often as it did: a linear opinion pool (Stone
    1961). A forecast that is far from the usual is often wrong in just that.
    """
    hours = foretold.reached.size
    before = share * np.arange(1, hours + 1) / hours
    return Crossing((1.0 - BEFORE) * foretold.reached + BEFORE * before)


def crossings(
    rps: Values,
    expected: Values,
    quantiles: Values,
    levels: Sequence[float],
    callers: Values | None,
    factor: float,
) -> tuple[Crossing, Crossing]:
    """The chance that demand gets above ``factor`` times its usual (below, for less than 1): by
    the forecast, ``quantiles`` [hour ahead, level], and by early signs.

    ``rps``, ``expected`` and ``callers`` as of ``soon``.
    """
    ahead = expected[rps.size :]
    over = chance_over(factor * ahead, quantiles, levels)
    ratio = over_usual(rps, expected[: rps.size])
    crossed = ratio > factor
    if factor < 1.0:
        over, crossed = np.where(np.isnan(ahead), 0.0, 1.0 - over), ratio < factor
    before = often(crossed[np.isfinite(ratio)], len(quantiles))
    near = soon(rps, expected, callers, factor)
    return pooled(over_days(over, DAY_HOURS), before), Crossing(near.reached[: len(quantiles)])


def soon(rps: Values, expected: Values, callers: Values | None, bound: float) -> Crossing:
    """The chance that demand over its usual gets above ``bound`` (below, if that is less than 1).

    ``rps`` and ``expected`` [hour] end now, and ``expected`` goes on for the hours ahead;
    ``callers`` [hour] is the ratio to the usual of those who call. Each hour of ``SOON_HOURS`` has
    a ridge regression of the logarithm of its ratio, on what was known by then, and the spread of
    its residuals as they were. Without ``LEAST_LEARNT`` hours nothing is said.
    """
    hours = rps.size
    reached = np.zeros(SOON_HOURS[-1])
    ratio = logarithm(rps, expected[:hours])
    earlier = np.full(hours, np.nan)
    earlier[BACK_HOURS:] = ratio[BACK_HOURS:] - ratio[:-BACK_HOURS]
    columns = [ratio, earlier] + ([] if callers is None else [logarithm(callers, None)])
    signs = np.stack(columns, axis=1)
    if np.isnan(signs[-1]).any():
        return Crossing(reached)
    up = bound >= 1.0
    limit = np.log(bound) if up else -np.log(bound)
    for ahead in SOON_HOURS:
        past, later = signs[:-ahead], ratio[ahead:]
        usable = ~np.isnan(past).any(axis=1) & ~np.isnan(later)
        if usable.sum() < LEAST_LEARNT:
            continue
        x, y = past[usable], later[usable]
        weights = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ y)
        rest = y - x @ weights
        said = float(signs[-1] @ weights)
        stray = np.sort(rest if up else -rest)
        gap = limit - (said if up else -said)
        over = rest.size - np.searchsorted(stray, gap, side="right")
        chance = (over + 0.5) / (rest.size + 1.0)
        reached[ahead - 1 :] = np.maximum(reached[ahead - 1 :], chance)
    return Crossing(reached)


def logarithm(rps: Values, expected: Values | None) -> Values:
    """log(rps / expected), or of ratios as they are; NaN where either is not above zero."""
    base = np.ones(rps.shape) if expected is None else expected
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Values = np.log(rps) - np.log(base)
    return np.where(np.isfinite(ratio), ratio, np.nan)
