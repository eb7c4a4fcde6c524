"""How well quantiles of forecasts cover what came, and how long forecasting takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.registry import Case, Metric, benchmark

TRACES = ("appserver_hourly", "m4_hourly", "web_minute")
STARTS = datetime(2025, 3, 3, tzinfo=UTC)
LEARNT_HOURS = 672
CUTS_PER_LONG_TRACE = 60
HORIZONS = (24, 48, 168)
SERIES = (12, 1_000)


@benchmark(
    "forecast-coverage",
    "coverage and error of forecasts on public traces; time for made-up traffic",
    needs=tuple(f"traces/{name}.parquet" for name in TRACES),
)
def forecasts(data: Path | None) -> Iterator[Case]:
    for series in SERIES:
        yield Case(f"{series} series", partial(measure_time, series))
    if data is not None:
        for name in TRACES:
            for hours in HORIZONS:
                path = data / "traces" / f"{name}.parquet"
                yield Case(f"{name}, {hours} h", partial(measure_error, path, hours))


def measure_time(series: int, folder: Path) -> Iterator[Metric]:
    """Forecast a day of four weeks' made-up traffic, in a fresh process and once more."""
    del folder
    from models.demand import History
    from optimizer.forecast.demand import forecast

    chance = np.random.default_rng(1)
    hour = np.arange(LEARNT_HOURS)
    swing = 1 + 0.5 * np.sin(2 * np.pi * hour / 24) - 0.3 * (hour // 24 % 7 > 4)
    noise = np.exp(0.1 * chance.normal(size=(series, hour.size)))
    history = History(long_table({f"s{i:05d}": swing * row for i, row in enumerate(noise)}))
    for name in ("first", "again"):
        began = perf_counter()
        forecast(history, STARTS, 24)
        yield Metric(name, perf_counter() - began, "s")


def measure_error(path: Path, hours: int, folder: Path) -> Iterator[Metric]:
    """Forecast the end of every trace of a file, and of cuts of the long ones."""
    del folder
    from models.demand import History
    from optimizer.forecast.demand import forecast

    found = dict(cuts(path, LEARNT_HOURS + hours))
    history = History(long_table({name: rps[:-hours] for name, rps in found.items()}))
    made = forecast(history, STARTS, hours)
    actual = np.stack([found[name][-hours:] for name, _ in made.series])
    learnt = np.stack([found[name][:-hours] for name, _ in made.series])
    scale = np.nanmean(np.abs(learnt[:, 168:] - learnt[:, :-168]), axis=1)
    yield Metric("series", len(made.series), "1")
    for level in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99):
        covered = (actual <= made.at_level(level)).mean()
        yield Metric(f"below_{level}", float(covered), "1", baseline=level)
    naive = np.abs(actual - learnt[:, -168:][:, np.arange(hours) % 168])
    for name, error, baseline in (
        ("error_of_median", np.abs(actual - made.at_level(0.5)), naive),
        ("error_of_mean", np.abs(actual - made.mean_rps), naive),
    ):
        yield Metric(name, _scaled(error, scale), "MASE", baseline=_scaled(baseline, scale))


def _scaled(error: NDArray[np.float64], scale: NDArray[np.float64]) -> float:
    return float(np.nanmean(np.nanmean(error, axis=1) / scale))


def cuts(path: Path, length: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Stretches of ``length`` hours without a gap at their end; long traces give many."""
    for name, trace in pd.read_parquet(path).groupby("series_id", observed=True):
        hourly = trace.set_index("ts")["value"].resample("1h").sum(min_count=1).to_numpy(float)
        step = max((len(hourly) - length) // CUTS_PER_LONG_TRACE, 29)
        for i, end in enumerate(range(len(hourly), length - 1, -step)):
            cut = np.maximum(hourly[end - length : end], 0)
            whole = np.isfinite(cut[-168:]).all() and np.isfinite(cut).mean() > 0.8
            if whole and np.ptp(cut[np.isfinite(cut)]) > 0:
                yield f"{name} {i:03d}", cut


def long_table(series: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    frames = []
    for name, rps in sorted(series.items()):
        ts = pd.date_range(end=STARTS, periods=len(rps) + 1, freq="h")[:-1]
        frames.append(pd.DataFrame({"ts": ts, "service": name, "origin": "all", "rps": rps}))
    return pd.concat(frames, ignore_index=True).dropna(ignore_index=True)
