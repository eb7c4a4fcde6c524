"""Forecasts of totals from those of their parts, against other ways to make them add up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.registry import Case, Metric, benchmark

HOURS = 24
ORIGINS = 7
"""So many forecasts, a day apart, the last of which ends with the data."""

TRACES = ("appserver_hourly", "azure_v1_vms", "m4_hourly")
PLACES = 4
STRETCHES = 24
STRETCH_HOURS = 6 * 168
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

WAYS = ("quantiles added up", "totals foreseen apart", "minimum trace", "ours")
"""Plans of a service with several series add up quantiles: on the safe side."""

Values = NDArray[np.float64]


@benchmark(
    "forecast-totals",
    "parts, and totals of services, of origins and of all, by several ways to add up",
    needs=tuple(f"traces/{name}.parquet" for name in TRACES),
)
def forecasts(data: Path | None) -> Iterator[Case]:
    yield Case("the bundled shop", partial(compare, shop))
    if data is not None:
        for name, make in zip(TRACES, (stretches, machines, competition), strict=True):
            yield Case(name, partial(compare, partial(make, data / "traces" / f"{name}.parquet")))


def shop() -> pd.DataFrame:
    """Demand [(service, origin), hour] of the world that ships with the product."""
    from optimizer.cli.finding import find_world

    frame = pd.read_csv(find_world("shop").parent / "demand.csv", parse_dates=["ts"])
    return frame.pivot(index=["service", "origin"], columns="ts", values="rps")


def stretches(path: Path) -> pd.DataFrame:
    """Weeks of one trace that do not overlap much, as if they were of one time."""
    trace = pd.read_parquet(path).set_index("ts")["value"].resample("1h").sum(min_count=1)
    values = trace.to_numpy(np.float64)
    lasts = np.linspace(STRETCH_HOURS, len(values), STRETCHES) // 168 * 168
    return _world(np.stack([values[end - STRETCH_HOURS : end] for end in lasts.astype(int)]))


def machines(path: Path) -> pd.DataFrame:
    """Processor time of machines of one cloud over the same four weeks."""
    frame = pd.read_parquet(path)
    frame = frame[frame["series_id"].astype(str).str.endswith("/avg_cpu")]
    frame = frame.assign(ts=frame["ts"].dt.floor("h"))
    table = frame.pivot_table(
        index="series_id", columns="ts", values="value", observed=True, dropna=False
    )
    return _world(table.to_numpy(np.float64))


def competition(path: Path) -> pd.DataFrame:
    """The series of M4 hourly that end together; what they count differs."""
    frame = pd.read_parquet(path)
    table = frame.pivot(index="series_id", columns="ts", values="value")
    return _world(table[table.iloc[:, -1].notna()].to_numpy(np.float64))


def _world(values: Values) -> pd.DataFrame:
    """Series [series, hour] as demand of services at ``PLACES`` origins."""
    services = len(values) // PLACES
    index = pd.MultiIndex.from_product(
        [[f"s{i:03d}" for i in range(services)], [f"o{i}" for i in range(PLACES)]],
        names=["service", "origin"],
    )
    hours = pd.date_range("2025-01-06", periods=values.shape[1], freq="h", tz="UTC")
    return pd.DataFrame(values[: services * PLACES], index, hours)


def compare(make: Callable[[], pd.DataFrame], folder: Path) -> Iterator[Metric]:
    """Errors in MASE and weighted quantile losses of parts and totals, by way of adding up."""
    del folder
    world = make().sort_index()
    yield Metric("series", len(world), "1")
    found: dict[str, list[Values]] = {}
    for origin in range(ORIGINS):
        known = world.iloc[:, : world.shape[1] - HOURS * (ORIGINS - origin)]
        came = world.iloc[:, known.shape[1] : known.shape[1] + HOURS]
        for name, figures in _judged(known, came):
            found.setdefault(name, []).append(figures)
    for name, rows in found.items():
        for way, value in zip(WAYS, np.mean(rows, axis=0), strict=True):
            yield Metric(f"{name}, {way}", value, "1")


def _judged(known: pd.DataFrame, came: pd.DataFrame) -> Iterator[tuple[str, Values]]:
    """Figures [way] of forecasts from ``came`` [series, hour] on."""
    from benchmarks.minimum_trace import coherent
    from models.demand import History
    from optimizer.executor.seam import IN_PROCESS
    from optimizer.forecast.demand import forecast_and_errors, forecast_of
    from optimizer.forecast.grid import Grid, hourly_grid
    from optimizer.forecast.totals import Totals
    from optimizer.watch import SILENT

    table = known.reset_index().melt(["service", "origin"], var_name="ts", value_name="rps")
    table = table.assign(ts=pd.to_datetime(table["ts"], utc=True)).dropna(ignore_index=True)
    history, starts = History(table), pd.DatetimeIndex(known.columns)[-1] + timedelta(hours=1)
    parts, errors = forecast_and_errors(history, starts, HOURS, LEVELS)
    past, actual = (of.loc[list(parts.series)].to_numpy(np.float64) for of in (known, came))
    totals = Totals.of(parts.series)
    adds = np.stack([np.isin(np.arange(len(past)), rows) for rows in totals.members]).astype(float)
    grid = hourly_grid(history, starts)
    sums = Grid(totals.names, totals.added(grid.rps))
    apart, strayed = forecast_of(sums, starts, HOURS, LEVELS, executor=IN_PROCESS, watch=SILENT)
    means = coherent(
        np.concatenate([apart.mean_rps, parts.mean_rps]), np.concatenate([strayed, errors]), adds
    )
    shift = (means - parts.mean_rps)[:, :, None]
    moved = replace(
        parts, mean_rps=means, quantiles_rps=np.maximum(parts.quantiles_rps + shift, 0.0)
    )
    added = [totals.foreseen(each, errors) for each in (parts, moved)]
    summed = np.einsum("gs,shl->ghl", adds, parts.quantiles_rps)
    ways = [
        (added[0].mean_rps, summed),
        (apart.mean_rps, apart.quantiles_rps),
        (added[1].mean_rps, added[1].quantiles_rps),
        (added[0].mean_rps, added[0].quantiles_rps),
    ]
    alone = (parts.mean_rps, parts.quantiles_rps)
    of_parts = [alone, alone, (moved.mean_rps, moved.quantiles_rps), alone]
    yield from _figures("parts", past, actual, of_parts)
    kinds = np.array(["all" if n == ("", "") else "origins" if not n[0] else "services"
                      for n in totals.names])  # fmt: skip
    for kind in ("services", "origins", "all"):
        at = np.flatnonzero(kinds == kind)
        chosen = [(mean[at], quantiles[at]) for mean, quantiles in ways]
        yield from _figures(kind, adds[at] @ past, adds[at] @ actual, chosen)


def _figures(
    name: str, past: Values, actual: Values, ways: Sequence[tuple[Values, Values]]
) -> Iterator[tuple[str, Values]]:
    scored = [_scored(past, actual, *way) for way in ways]
    for k, measure in enumerate(("MASE", "quantile loss", "below 0.9")):
        yield f"{measure} of {name}", np.array([row[k] for row in scored])


def _scored(
    past: Values, actual: Values, mean: Values, quantiles: Values
) -> tuple[float, float, float]:
    """MASE (season a week), weighted quantile loss, share not above the 0.9 quantile."""
    scale = np.nanmean(np.abs(past[:, 168:] - past[:, :-168]), axis=1)
    error = actual[:, :, None] - quantiles
    level = np.asarray(LEVELS)
    loss = 2 * np.maximum(level * error, (level - 1) * error).mean(axis=2)
    varied = scale > 0
    strayed = np.nanmean(np.abs(actual - mean), axis=1)
    return (
        float(np.nanmean(strayed[varied] / scale[varied])),
        float(np.nansum(loss) / np.nansum(np.abs(actual))),
        float(np.nanmean(actual <= quantiles[:, :, LEVELS.index(0.9)])),
    )
