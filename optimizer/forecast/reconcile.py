"""Forecasts that add up: per service, per origin and overall, coherent with their parts.

Totals are foreseen like any series, and all forecasts are then moved, as little as their errors
allow, until they add up: minimum trace reconciliation (MinT: Wickramasuriya, Athanasopoulos and
Hyndman 2019), with errors of the backtest and their covariance shrunk towards its diagonal
(Schäfer and Strimmer 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.demand import Forecast, History
from models.events import DemandEvent
from optimizer.executor.seam import IN_PROCESS, Executor
from optimizer.forecast.demand import LEVELS, forecast_of
from optimizer.forecast.events import with_events, without_events
from optimizer.forecast.grid import Grid, hourly_grid
from optimizer.watch import SILENT, Watch

Values = NDArray[np.float64]

MOST_CORRELATED: Final = 400
"""With more series than that, a covariance costs more than it tells: variances alone are used."""

FINELY: Final = (0.005, 0.01, 0.02, *(level / 20 for level in range(1, 20)), 0.98, 0.99, 0.995)
"""Levels between which the distribution of a part is taken to be even."""

_ALL: Final = ""


@dataclass(frozen=True, eq=False)
class Totals:
    """``parts``: the forecast of every series; ``services``, ``origins`` and ``overall`` have
    series with "" for what is added up. Means add up. Quantiles do not, since not everything is
    high at once.
    """

    parts: Forecast
    services: Forecast
    origins: Forecast
    overall: Forecast


def reconciled(
    history: History,
    starts: datetime,
    hours: int,
    levels: tuple[float, ...] = LEVELS,
    *,
    events: Sequence[DemandEvent] = (),
    executor: Executor = IN_PROCESS,
    watch: Watch = SILENT,
) -> Totals:
    """Foresee every series and every total, and make them add up.

    Events to come move the parts, and totals follow. Raises as ``demand.forecast``.
    """
    grid = without_events(hourly_grid(history, starts), starts, events)
    names, adds = _totals_of(grid.series)
    whole = Grid((*names, *grid.series), np.concatenate([_added(grid, adds), grid.rps]))
    fine = tuple(sorted({*levels, *FINELY}))
    made, errors = forecast_of(whole, starts, hours, fine, executor=executor, watch=watch)
    means = _coherent(made.mean_rps, errors, adds)
    parts = _moved(_only(made, np.arange(len(names), len(whole.series))), means)
    parts = with_events(parts, history, events)
    joint = _sums(parts, adds, _ranks(errors[len(names) :]), np.asarray(levels))
    at = [fine.index(level) for level in levels]
    sums = Forecast(starts, levels, tuple(names), adds @ parts.mean_rps, joint)
    told = replace(parts, levels=levels, quantiles_rps=parts.quantiles_rps[:, :, at])
    services = sum(service != _ALL for service, _ in names)
    order = np.arange(len(names))
    return Totals(
        parts=told,
        services=_only(sums, order[:services]),
        origins=_only(sums, order[services:-1]),
        overall=_only(sums, order[-1:]),
    )


def _totals_of(
    series: Sequence[tuple[str, str]],
) -> tuple[list[tuple[str, str]], Values]:
    """Names of all totals, and which series each adds up: 1 or 0 [total, series]."""
    of_service = np.array([service for service, _ in series], dtype=object)
    of_origin = np.array([origin for _, origin in series], dtype=object)
    services, origins = sorted(set(of_service)), sorted(set(of_origin))
    names = [*((s, _ALL) for s in services), *((_ALL, o) for o in origins), (_ALL, _ALL)]
    rows = [of_service == service for service in services]
    rows += [of_origin == origin for origin in origins]
    return names, np.array([*rows, np.ones(len(series), np.bool_)], dtype=np.float64)


def _added(grid: Grid, adds: Values) -> Values:
    """Totals [total, hour]; gaps of a part are gaps of its totals, but not what was before it."""
    begun = np.arange(grid.rps.shape[1]) >= grid.lead_hours[:, None]
    gaps = np.isnan(grid.rps) & begun
    total = adds @ np.nan_to_num(grid.rps)
    missing = (adds @ gaps > 0) | (adds @ begun == 0)
    with_gaps: Values = np.where(missing, np.nan, total)
    return with_gaps


def _coherent(means: Values, errors: Values, adds: Values) -> Values:
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
    spread = _covariance(errors[rows])
    crossed = spread @ constraint.T if spread.ndim == 2 else spread[:, None] * constraint.T
    inner = constraint @ crossed
    inner[np.diag_indices_from(inner)] += 1e-9 * np.trace(inner) / len(inner) + 1e-300
    apart = constraint @ means[rows]
    moved = means[rows] - crossed @ np.linalg.solve(inner, apart)
    coherent: Values = np.maximum(moved[kept.size :], 0.0)
    return coherent


def _covariance(errors: Values) -> Values:
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


def _moved(forecast: Forecast, means: Values) -> Forecast:
    """The forecast with other means, and quantiles as far from them as they were."""
    shift = (means - forecast.mean_rps)[:, :, None]
    quantiles = np.maximum(forecast.quantiles_rps + shift, 0.0)
    return replace(forecast, mean_rps=means, quantiles_rps=quantiles)


def _ranks(errors: Values) -> NDArray[np.int64]:
    """Rank of every sample among its series' [series, sample]."""
    ranks: NDArray[np.int64] = np.argsort(np.argsort(errors, axis=1, kind="stable"), axis=1)
    return ranks


def _sums(parts: Forecast, adds: Values, ranks: NDArray[np.int64], levels: Values) -> Values:
    """Quantiles [total, hour, level] of sums of parts that stray as together as their errors did.

    Ensemble copula coupling (Schefzik, Thorarinsdottir and Gneiting 2013): evenly spread samples of
    every part's own distribution, put in the order of its errors in the backtest.
    """
    count = ranks.shape[1]
    even = (np.arange(count) + 0.5) / count
    known = np.asarray(parts.levels)
    # Each sample lies between two levels: [level, sample] of weights.
    share = np.stack([np.interp(even, known, row) for row in np.eye(known.size)])
    sums = np.empty((len(adds), parts.periods, levels.size))
    for hour in range(parts.periods):
        samples = np.take_along_axis(parts.quantiles_rps[:, hour] @ share, ranks, axis=1)
        sums[:, hour] = np.quantile(adds @ samples, levels, axis=1).T
    return sums


def _only(forecast: Forecast, rows: NDArray[np.int64]) -> Forecast:
    return replace(
        forecast,
        series=tuple(forecast.series[i] for i in rows),
        mean_rps=forecast.mean_rps[rows],
        quantiles_rps=forecast.quantiles_rps[rows],
        choices=tuple(forecast.choices[i] for i in rows) if forecast.choices else (),
    )
