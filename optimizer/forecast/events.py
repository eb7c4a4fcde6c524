"""What events did to demand, and what the next ones will do.

The effect of an event is a factor: mean demand while it lasted over mean demand in the same hours
of the nearest weeks without any event. Its logarithm is pooled over series and occurrences, and
every series leans on the pool the more, the noisier its own ratio is (a random-effects mean, as in
DerSimonian and Laird 1986).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.demand import Forecast, History
from models.errors import UnusableData
from models.events import DemandEvent
from optimizer.forecast.grid import Grid

WEEKS_AROUND: Final = (-1, 1, -2, 2, -3, 3)
"""Where the usual demand of an event's hours is looked for."""

LEAST_OBSERVED: Final = 0.75
"""Share of hours that a mean needs."""

CHANGING: Final = 0.25
"""Until several occurrences tell: the logarithm of a factor changes by this share of itself from
one occurrence to the next, and by ``AT_LEAST`` at least (standard deviations)."""

AT_LEAST: Final = 0.1

_HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(weeks=1)


@dataclass(frozen=True, eq=False)
class Effect:
    """Logarithm of the factor of one kind of event: ``mean`` and ``deviation`` [series], and from
    how many ``occurrences`` it was learnt (0: somebody gave it).
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    occurrences: int


def without_events(grid: Grid, starts: datetime, events: Sequence[DemandEvent]) -> Grid:
    """The grid with the hours of events as gaps, so that no season learns from them.

    Series of which less than half would be left stay whole: for them, events are the usual.
    """
    hours = grid.rps.shape[1]
    marked = _marked(grid.series, starts - hours * _HOUR, hours, events)
    left = np.where(marked, np.nan, grid.rps)
    enough = 2 * (~np.isnan(left)).sum(axis=1) >= grid.observed.sum(axis=1)
    return Grid(grid.series, np.where(enough[:, None], left, grid.rps))


def with_events(forecast: Forecast, history: History, events: Sequence[DemandEvent]) -> Forecast:
    """The forecast of usual days, with what events to come add to or take from it.

    The deviation of an effect, independent of how demand strays by itself, widens quantiles:
    distances from the median on a logarithmic scale are added as squares.
    """
    starts, hours = forecast.starts, forecast.periods
    coming = [e for e in events if e.ends > starts and e.starts < starts + hours * _HOUR]
    if not coming:
        return forecast
    mean = np.zeros(forecast.mean_rps.shape)
    variance = np.zeros(mean.shape)
    said: list[list[str]] = [[] for _ in forecast.series]
    for event in coming:
        effect = learnt(forecast.series, history, starts, event, events)
        marked = _marked(forecast.series, starts, hours, [event])
        mean += np.where(marked, effect.mean[:, None], 0.0)
        variance += np.where(marked, effect.deviation[:, None] ** 2, 0.0)
        for row in np.flatnonzero(marked.any(axis=1)):
            said[row].append(_in_words(event, effect, int(row)))
    choices = tuple(
        replace(choice, why="; ".join([choice.why, *words]))
        for choice, words in zip(forecast.choices, said, strict=True)
    )
    return replace(
        forecast,
        mean_rps=forecast.mean_rps * np.exp(mean + variance / 2),
        quantiles_rps=_widened(forecast, mean, variance),
        choices=choices,
    )


def told_by_then(
    events: Sequence[DemandEvent],
    series: Sequence[tuple[str, str]],
    history: History,
    starts: datetime,
) -> tuple[DemandEvent, ...]:
    """``events`` less those to come of which nobody could tell at ``starts`` what they would do.

    For replays: the first of a kind teaches, but was not foreseen.
    """
    kept = []
    for event in events:
        if event.ends > starts:
            try:
                learnt(series, history, starts, event, events)
            except UnusableData:
                continue
        kept.append(event)
    return tuple(kept)


def learnt(
    series: Sequence[tuple[str, str]],
    history: History,
    starts: datetime,
    event: DemandEvent,
    events: Sequence[DemandEvent],
) -> Effect:
    """The effect of ``event``: its factor if it has one, else that of its kind before ``starts``.

    An event that has begun is learnt from, too. Raises ``UnusableData`` when the history holds
    none with a usual week beside it.
    """
    if event.factor is not None:
        return Effect(
            np.full(len(series), np.log(event.factor)), np.zeros(len(series)), occurrences=0
        )
    past = [e for e in events if e.kind == event.kind and e.starts < starts]
    ratios, noises = [], []
    for occurrence in past:
        ratio, noise = _ratio(series, history, starts, occurrence, events)
        if np.isfinite(ratio).any():
            ratios.append(ratio)
            noises.append(noise)
    if not ratios:
        raise UnusableData(
            f"the demand history does not tell what {event.name!r} does: it holds no earlier one"
            " with an ordinary week beside it; give the event a factor"
        )
    return _pooled(np.stack(ratios), np.stack(noises))


def _ratio(
    series: Sequence[tuple[str, str]],
    history: History,
    starts: datetime,
    occurrence: DemandEvent,
    events: Sequence[DemandEvent],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithm of what an occurrence did [series] and the variance of its noise [series].

    The noise is how much the usual weeks differ among each other. NaN where demand was zero, was
    not observed, or does not answer to the event.
    """
    ends = min(occurrence.ends, starts)
    usual = []
    for weeks in WEEKS_AROUND:
        first, last = occurrence.starts + weeks * _WEEK, ends + weeks * _WEEK
        clear = all(last <= e.starts or first >= e.ends for e in events)
        if clear and last <= starts:
            usual.append(_mean_logarithm(series, history, first, last))
    during = _mean_logarithm(series, history, occurrence.starts, ends)
    answers = [occurrence.moves(service, origin) for service, origin in series]
    if not usual:
        return np.full(len(series), np.nan), np.full(len(series), np.nan)
    weeks_seen = np.stack(usual)
    known = ~np.isnan(weeks_seen)
    count = known.sum(axis=0)
    some = np.maximum(count, 1)
    mean = np.where(known, weeks_seen, 0.0).sum(axis=0) / some
    square = np.where(known, (weeks_seen - mean) ** 2, 0.0).sum(axis=0)
    noise = np.where(count > 1, square / np.maximum(count - 1, 1), AT_LEAST**2)
    ratio = np.where((count > 0) & np.asarray(answers), during - mean, np.nan)
    return ratio, noise * (1 + 1 / some)


def _mean_logarithm(
    series: Sequence[tuple[str, str]], history: History, first: datetime, last: datetime
) -> NDArray[np.float64]:
    """Logarithm of mean demand [series] between two instants; NaN where that is not known."""
    frame = history.frame
    rows = frame[(frame["ts"] > pd.Timestamp(first - _HOUR)) & (frame["ts"] < pd.Timestamp(last))]
    told = rows.groupby(["service", "origin"], observed=True)["rps"].agg(["mean", "count"])
    told = told.reindex(pd.MultiIndex.from_tuples(series, names=["service", "origin"]))
    hours = max((last - first) / _HOUR, 1)
    mean = told["mean"].to_numpy(np.float64)
    enough = (told["count"].to_numpy(np.float64) >= LEAST_OBSERVED * hours) & (mean > 0)
    return np.where(enough, np.log(np.where(enough, mean, 1.0)), np.nan)


def _pooled(ratios: NDArray[np.float64], noises: NDArray[np.float64]) -> Effect:
    """The effect of ratios [occurrence, series], NaN where unknown; noises are variances."""
    known = ~np.isnan(ratios)
    weight = np.where(known, 1 / np.maximum(noises, AT_LEAST**2), 0.0)
    total = weight.sum(axis=0)
    own = np.where(known, weight * np.where(known, ratios, 0.0), 0.0).sum(axis=0)
    own = np.where(total > 0, own / np.where(total > 0, total, 1.0), np.nan)
    told = total > 0
    pool = float(np.average(own[told], weights=total[told]))
    # Moments: what series differ by, less what their noise explains.
    between = float(max(np.mean((own[told] - pool) ** 2) - np.mean(1 / total[told]), 0.0))
    lean = np.where(told, between / (between + 1 / np.where(told, total, 1.0)), 0.0)
    mean = pool + lean * (np.where(told, own, pool) - pool)
    count = len(ratios)
    each = [float(np.nanmean(row)) for row in ratios]
    guess = max(CHANGING * abs(pool), AT_LEAST) ** 2
    changing = (float(np.sum((np.array(each) - np.mean(each)) ** 2)) + guess) / count
    variance = (1 - lean) * between + changing * (1 + 1 / count)
    return Effect(mean, np.sqrt(variance), count)


def _marked(
    series: Sequence[tuple[str, str]],
    first: datetime,
    hours: int,
    events: Sequence[DemandEvent],
) -> NDArray[np.bool_]:
    """Which hours [series, hour] from ``first`` any of ``events`` touches."""
    marked = np.zeros((len(series), hours), dtype=np.bool_)
    for event in events:
        begin = int((event.starts - first) // _HOUR)
        end = -int((first - event.ends) // _HOUR)  # an hour that has begun counts
        if end <= 0 or begin >= hours:
            continue
        rows = np.array([event.moves(service, origin) for service, origin in series], np.bool_)
        marked[rows, max(begin, 0) : end] = True
    return marked


def _widened(
    forecast: Forecast, mean: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles [series, hour, level] of demand times an independent lognormal factor."""
    usual = forecast.quantiles_rps
    least = np.finfo(np.float64).tiny
    median = np.maximum(forecast.at_level(0.5), least)[:, :, None]
    # A quantile of nothing stays nothing: no factor makes requests of none.
    away = np.log(np.maximum(usual, least) / median)
    normal = np.array([NormalDist().inv_cdf(level) for level in forecast.levels])
    effect = np.sqrt(variance)[:, :, None] * normal
    upwards = normal >= 0
    # On its own side of the median, each is as far as both together.
    together = np.where(upwards, 1.0, -1.0) * np.hypot(away, effect)
    moved = median * np.exp(together + mean[:, :, None])
    touched = (variance > 0)[:, :, None] & (usual > 0)
    plain = usual * np.exp(mean)[:, :, None]
    return np.maximum.accumulate(np.where(touched, moved, plain), axis=2)


def _in_words(event: DemandEvent, effect: Effect, row: int) -> str:
    factor = float(np.exp(effect.mean[row]))
    if not effect.occurrences:
        return f"{event.name}: times {factor:.3g}, as given"
    low, high = (
        float(np.exp(effect.mean[row] + side * 1.645 * effect.deviation[row])) for side in (-1, 1)
    )
    times = "1 occurrence" if effect.occurrences == 1 else f"{effect.occurrences} occurrences"
    return f"{event.name}: times {factor:.3g} ({low:.3g} to {high:.3g}), learnt from {times}"
