"""Forecasts two days ahead against the models of statsforecast, on the same series, in one run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.registry import Case, Metric, benchmark

STARTS = datetime(2025, 3, 3, tzinfo=UTC)
HOURS = 48
DAY, WEEK = 24, 168
LEVELS = tuple(level / 100 for level in range(5, 100, 5))
CUTS = 120
CUT_HOURS = 6 * WEEK
"""Long traces are cut into so many stretches of so many hours, evenly spread."""

EVERY_VARIABLE = "TRIMTAB_ARIMA_EVERY"
EVERY = 25
"""AutoARIMA takes minutes for one series: it is measured on every 25th, and all others on these
once more; the variable says otherwise, and 0 leaves it out."""

Values = NDArray[np.float64]
Quantiles = NDArray[np.float64]


@benchmark(
    "forecast",
    "two days ahead, against the best of five models of statsforecast in the same run",
    needs=("traces/m4_hourly.parquet", "traces/appserver_hourly.parquet"),
)
def forecasts(data: Path | None) -> Iterator[Case]:
    if data is None:
        return
    every = int(os.environ.get(EVERY_VARIABLE, EVERY))
    for name in ("m4_hourly", "appserver_hourly"):
        path = data / "traces" / f"{name}.parquet"
        yield Case(name, partial(compare, path, 1, arima=False))
        if every > 0:
            about = f"{name}, every {every}th series, AutoARIMA too"
            yield Case(about, partial(compare, path, every, arima=True))


def compare(path: Path, every: int, folder: Path, *, arima: bool) -> Iterator[Metric]:
    """Errors, weighted quantile losses and coverage of ours and of every rival."""
    del folder
    cuts = dict(list(traces(path).items())[::every])
    yield Metric("series", len(cuts), "1")
    figures = {"ours": judged(cuts, *ours(cuts))}
    for name, make in rivals(arima=arima).items():
        figures[name] = judged(cuts, *rival(cuts, make))
    for measure, unit in (("mase", "MASE"), ("wql", "1"), ("wql_of_mean_series", "1")):
        best = min(value[measure] for name, value in figures.items() if name != "ours")
        for name, value in figures.items():
            baseline = best if name == "ours" else None
            yield Metric(f"{measure} {name}", value[measure], unit, baseline=baseline)
    for name, value in figures.items():
        yield Metric(f"coverage_90 {name}", value["coverage_90"], "1", baseline=0.9)
    for name, value in figures.items():
        yield Metric(f"processor_time {name}", value["processor_s"] / len(cuts), "s/series")


def traces(path: Path) -> dict[str, Values]:
    """Stretches of hourly values by name, the last ``HOURS`` of which are to be foreseen."""
    found = {}
    for name, trace in pd.read_parquet(path).groupby("series_id", observed=True):
        values = trace.set_index("ts")["value"].resample("1h").sum(min_count=1).to_numpy(float)
        if len(values) <= 2 * CUT_HOURS:
            found[str(name)] = values
            continue
        for i, end in enumerate(np.linspace(CUT_HOURS + HOURS, len(values), CUTS).astype(int)):
            found[f"{name} {i:03d}"] = values[end - CUT_HOURS - HOURS : end]
    return dict(sorted(found.items()))


def ours(cuts: dict[str, Values]) -> tuple[Values, Quantiles, float]:
    """Points (medians), quantiles and seconds of processor time."""
    from benchmarks.forecast_coverage import long_table
    from models.demand import History
    from optimizer.forecast.demand import forecast

    history = History(long_table({name: values[:-HOURS] for name, values in cuts.items()}))
    began = process_time()
    made = forecast(history, STARTS, HOURS, LEVELS)
    took_s = process_time() - began
    order = [[name for name, _ in made.series].index(name) for name in cuts]
    quantiles = made.quantiles_rps[order]
    return made.at_level(0.5)[order], quantiles, took_s


def rivals(*, arima: bool) -> dict[str, Callable[[], Any]]:
    """The models of statsforecast with their usual settings for hours."""
    from statsforecast import models

    return {
        "SeasonalNaive": lambda: models.SeasonalNaive(DAY),
        "AutoETS": lambda: models.AutoETS(season_length=DAY),
        "MSTL": lambda: models.MSTL(season_length=[DAY, WEEK]),
        "AutoTheta": lambda: models.AutoTheta(season_length=DAY),
    } | ({"AutoARIMA": lambda: models.AutoARIMA(season_length=DAY)} if arima else {})


def rival(cuts: dict[str, Values], make: Callable[[], Any]) -> tuple[Values, Quantiles, float]:
    """The same of a model of statsforecast; gaps, of which it takes none, are interpolated."""
    widths = sorted({round(abs(2 * level - 1) * 100) for level in LEVELS})
    points, quantiles = [], []
    began = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for values in cuts.values():
            known = pd.Series(values[:-HOURS]).interpolate(limit_direction="both").to_numpy()
            made = make().forecast(y=known, h=HOURS, level=widths)
            points.append(made["mean"])
            sides = [("lo" if level < 0.5 else "hi", level) for level in LEVELS]
            quantiles.append(
                np.stack(
                    [made[f"{side}-{round(abs(2 * level - 1) * 100)}"] for side, level in sides], 1
                )
            )
    return np.stack(points), np.stack(quantiles), process_time() - began


def judged(
    cuts: dict[str, Values], point: Values, quantiles: Quantiles, took_s: float
) -> dict[str, float]:
    """Mean MASE as M4 defines it (season 24 h); quantile loss over all demand, and the mean of
    each series' own; share of hours within the 5 % and 95 % quantiles.
    """
    actual = np.stack([values[-HOURS:] for values in cuts.values()])
    scale = [np.nanmean(np.abs(v[DAY:-HOURS] - v[: -HOURS - DAY])) for v in cuts.values()]
    error = actual[:, :, None] - quantiles
    level = np.asarray(LEVELS)
    loss = 2 * np.maximum(level * error, (level - 1) * error).mean(axis=2)
    seen = ~np.isnan(actual)
    inside = (actual >= quantiles[:, :, 0]) & (actual <= quantiles[:, :, -1])
    of_series = np.nansum(loss, axis=1) / np.nansum(np.abs(actual), axis=1)
    return {
        "mase": float(np.mean(np.nanmean(np.abs(actual - point), axis=1) / scale)),
        "wql": float(np.nansum(loss) / np.nansum(np.abs(actual))),
        "wql_of_mean_series": float(np.mean(of_series)),
        "coverage_90": float(inside[seen].mean()),
        "processor_s": took_s,
    }
