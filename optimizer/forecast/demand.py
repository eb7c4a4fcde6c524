"""Foresee the demand of every service and origin, with the models that serve each series best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models.demand import Forecast, History, ModelChoice
from models.events import DemandEvent
from optimizer.executor.seam import IN_PROCESS, Executor
from optimizer.forecast.backtest import backtest, mean_level, windows_of
from optimizer.forecast.candidates import CANDIDATES, SeasonalNaive
from optimizer.forecast.choice import unscored, why_chosen, with_remarks, with_shift
from optimizer.forecast.combine import Combined, combined, one_alone
from optimizer.forecast.events import with_events, without_events
from optimizer.forecast.grid import DAY, KEPT_HOURS, Grid, hourly_grid
from optimizer.forecast.shifts import last_shifts
from optimizer.forecast.spread import error_quantiles, error_unit, mean_error
from optimizer.watch import SILENT, Watch

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

BLOCK_SERIES = 250
"""So many series are foreseen at once: enough for arrays to pay, few enough to stay in cache.
Who does the work has no say in it, so that forecasts are the same to the last bit."""


def forecast(
    history: History,
    starts: datetime,
    hours: int,
    levels: tuple[float, ...] = LEVELS,
    *,
    events: Sequence[DemandEvent] = (),
    executor: Executor = IN_PROCESS,
    watch: Watch = SILENT,
) -> Forecast:
    """Foresee every series of ``history`` for ``hours`` hours from ``starts``.

    Nothing observed at or after ``starts`` is looked at. Every series gets the models that did
    well in its backtest, weighted by how well, and seasonal naive where it is too short to score;
    ``Forecast.choices`` says which and why. ``levels`` are strictly increasing, within (0, 1).
    Past ``events`` are left out of what is learnt, those to come are counted in.
    The mean is the point forecast less its usual bias in the backtest.

    Raises ``UnusableData`` if nothing was observed before ``starts``.
    """
    return forecast_and_errors(
        history, starts, hours, levels, events=events, executor=executor, watch=watch
    )[0]


def forecast_and_errors(
    history: History,
    starts: datetime,
    hours: int,
    levels: tuple[float, ...] = LEVELS,
    *,
    events: Sequence[DemandEvent] = (),
    executor: Executor = IN_PROCESS,
    watch: Watch = SILENT,
) -> tuple[Forecast, NDArray[np.float64]]:
    """``forecast``, and the errors of its backtests as ``forecast_of`` gives them."""
    level = np.asarray(levels, dtype=np.float64)
    if not (level.size and level[0] > 0 and level[-1] < 1 and (np.diff(level) > 0).all()):
        raise ValueError(f"quantile levels {levels} are not increasing within (0, 1)")
    grid = without_events(hourly_grid(history, starts), starts, events)
    usual, errors = forecast_of(grid, starts, hours, levels, executor=executor, watch=watch)
    return with_events(usual, history, events), errors


def forecast_of(
    grid: Grid,
    starts: datetime,
    hours: int,
    levels: tuple[float, ...],
    *,
    executor: Executor,
    watch: Watch,
) -> tuple[Forecast, NDArray[np.float64]]:
    """Foresee a grid; also the errors [series, sample] that its backtests made, rps.

    A sample is one hour of one window, the same for all series. Where a series has none, one of
    its own is drawn, always the same.
    """
    level = np.asarray(levels, dtype=np.float64)
    blocks = [
        grid.only(np.arange(first, min(first + BLOCK_SERIES, len(grid.series))))
        for first in range(0, len(grid.series), BLOCK_SERIES)
    ]
    parts = []
    with watch.stage("forecast demand", len(blocks)) as stage:
        for part in executor.map(_foresee, [(block, hours, level) for block in blocks]):
            parts.append(part)
            stage.advance()
    made = Forecast(
        starts=starts,
        levels=tuple(levels),
        series=grid.series,
        mean_rps=np.concatenate([part.mean_rps for part in parts]),
        quantiles_rps=np.concatenate([part.quantiles_rps for part in parts]),
        choices=tuple(choice for part in parts for choice in part.choices),
    )
    errors = np.concatenate([part.errors_rps for part in parts])
    return made, errors


DRAWN = 240
"""So many samples stand for the errors of a series that no backtest has tried."""

SAFELY = 1.1
"""How far quantiles are stretched that no backtest has tried."""


@dataclass(frozen=True, eq=False)
class Part:
    """``errors_rps`` [series, sample], ``mean_rps`` [series, hour] and ``quantiles_rps`` [series,
    hour, level] of some series.
    """

    errors_rps: NDArray[np.float64]
    mean_rps: NDArray[np.float64]
    quantiles_rps: NDArray[np.float64]
    choices: tuple[ModelChoice, ...]


def _foresee(grid: Grid, hours: int, level: NDArray[np.float64]) -> Part:
    return _foreseen(grid, hours, level, None)


def foresee_apart(
    grid: Grid, hours: int, level: NDArray[np.float64]
) -> tuple[Part, NDArray[np.float64]]:
    """Foresee some series at once; also by each of ``CANDIDATES`` alone: quantiles [model, series,
    hour, level], NaN where it is not scored.
    """
    apart = np.full((len(CANDIDATES), len(grid.series), hours, level.size), np.nan)
    return _foreseen(grid, hours, level, apart), apart


def _foreseen(
    grid: Grid, hours: int, level: NDArray[np.float64], apart: NDArray[np.float64] | None
) -> Part:
    """Foresee some series; ``apart`` is filled with what models foresee alone."""
    mean = np.zeros((len(grid.series), hours))
    quantiles = np.zeros((len(grid.series), hours, level.size))
    errors = np.full((len(grid.series), _samples(grid, hours)), np.nan)
    choices: dict[int, ModelChoice] = {}
    varying = np.flatnonzero(grid.varies)
    if varying.size:
        seen = grid.only(varying)
        shifts = last_shifts(seen)
        tested = shifts.undone(seen)
        trials = backtest(tested, CANDIDATES, hours)
        usual = mean_level(tested)
        together = combined(trials, usual, level)
        scored = np.flatnonzero(together.weight.any(axis=0))
        if scored.size:
            spread = _spread(together, scored, usual, level)
            mean[varying[scored]], quantiles[varying[scored]] = spread
            errors[varying[scored]] = together.lost_rps[scored]
        if apart is not None:
            for model, rows in enumerate(map(np.flatnonzero, trials.scored)):
                if rows.size:
                    by_itself = one_alone(trials, model, usual, level)
                    apart[model, varying[rows]] = _spread(by_itself, rows, usual, level)[1]
        for i in scored.tolist():
            choice = why_chosen(tested, trials, together, i)
            choices[int(varying[i])] = with_shift(choice, shifts, i, grid.rps.shape[1])
    for i in sorted(set(range(len(grid.series))) - choices.keys()):
        mean[i], quantiles[i], choices[i] = _unscored(grid.only(np.array([i])), hours, level)
    reasons = tuple(with_remarks(choices[i], grid.rps[i]) for i in range(len(grid.series)))
    _complete(errors, grid.series, quantiles, level)
    return Part(errors, mean, quantiles, reasons)


def _samples(grid: Grid, hours: int) -> int:
    """Hours in the windows of a backtest; ``DRAWN`` where there is none."""
    origins, tested = windows_of(grid, hours)
    return len(origins) * tested or DRAWN


def _complete(
    errors: NDArray[np.float64],
    series: tuple[tuple[str, str], ...],
    quantiles: NDArray[np.float64],
    levels: NDArray[np.float64],
) -> None:
    """Fill NaN of ``errors`` [series, sample], by the others or by the forecast's distribution."""
    for row in np.flatnonzero(np.isnan(errors).any(axis=1)):
        missing = np.isnan(errors[row])
        known = errors[row][~missing]
        # Chance that depends on the name alone: who is foreseen beside it has no say.
        chance = np.random.default_rng(crc32("\0".join(series[row]).encode()))
        if not known.size:
            middle = quantiles[row].mean(axis=0)
            known = np.interp(chance.random(DRAWN), levels, middle - middle.mean())
        errors[row, missing] = chance.choice(known, int(missing.sum()))


def _spread(
    together: Combined,
    rows: NDArray[np.int64],
    mean_rps: NDArray[np.float64],
    levels: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean [row, hour] and quantiles [row, hour, level] around a point forecast."""
    point, errors = together.ahead_rps[rows], together.errors[rows]
    unit = error_unit(point, mean_rps[rows], together.power[rows])
    stray = error_quantiles(errors, levels, together.stretch[rows])
    mean = point + unit * mean_error(errors)[:, None]
    quantiles = point[:, :, None] + unit[:, :, None] * stray[:, None, :]
    return np.maximum(mean, 0.0), np.maximum(quantiles, 0.0)


def _unscored(
    one: Grid, hours: int, levels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], ModelChoice]:
    """Mean [hour], quantiles [hour, level] and reason for a series that no backtest can score."""
    known = one.rps[0][one.observed[0]]
    span = int(one.span_hours[0])
    if not known.size:
        model, why = "none", f"no demand was observed in the last {KEPT_HOURS // DAY} days"
        point, errors = np.zeros(hours), np.zeros(1)
    elif known.size > 1 and not np.ptp(known):
        model, why = "constant", f"every observed hour has {known[0]:g} rps"
        point, errors = np.full(hours, known[0]), np.zeros(1)
    elif span < DAY:
        model, why = "mean", f"{_hours(span)} of history are less than a day: no season to repeat"
        point, errors = np.full(hours, known.mean()), known - known.mean()
    else:
        naive, seen = SeasonalNaive(DAY), _hours(known.size)
        model, why = (
            naive.name,
            f"{seen} observed of the last {span} are too few to score any model",
        )
        point = naive.foresee(one, (one.rps.shape[1],), hours)[0, 0]
        changes = one.rps[0, DAY:] - one.rps[0, :-DAY]
        changes = changes[~np.isnan(changes)]
        # Under a day of changes says little; the spread of demand itself is wider and safe.
        errors = changes if changes.size >= DAY else known - known.mean()
    stray = error_quantiles(errors[None, :], levels, np.full(1, SAFELY))[0]
    service, origin = one.series[0]
    return (
        point,
        np.maximum(point[:, None] + stray, 0.0),
        ModelChoice(service, origin, model, unscored(), why),
    )


def _hours(count: int) -> str:
    return "1 hour" if count == 1 else f"{count} hours"
