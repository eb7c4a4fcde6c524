"""How long many forecasts take, on one core and on two, and what statsforecast takes for them."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from benchmarks.forecast import HOURS, STARTS, WEEK, rival, rivals
from benchmarks.registry import Case, Metric, benchmark

SERIES = 10_000
LEARNT_HOURS = 4 * WEEK
SAMPLE = 40
RIVALS = ("MSTL", "AutoETS")


@benchmark("forecast-scale", "10,000 hourly series of four weeks, two days ahead with quantiles")
def many_forecasts(data: Path | None) -> Iterator[Case]:
    del data
    for workers in (1, 2):
        yield Case(f"{SERIES:,} series, {workers} workers", partial(measure, workers))
    yield Case(f"statsforecast, {SAMPLE} of them", measure_rivals)


def made_up(series: int) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Days that swing, quiet weekends, noise in proportion that lasts for hours; levels apart."""
    chance = np.random.default_rng(1)
    hour = np.arange(LEARNT_HOURS + HOURS)
    swing = 1 + 0.5 * np.sin(2 * np.pi * hour / 24) - 0.3 * (hour // 24 % 7 > 4)
    noise = 0.1 * chance.normal(size=(series, hour.size))
    for t in range(1, hour.size):
        noise[:, t] += 0.7 * noise[:, t - 1]
    level = np.exp(chance.normal(3, 1, size=(series, 1)))
    rows = level * swing * np.exp(noise)
    return {f"s{i:05d}": row for i, row in enumerate(rows)}


def measure(workers: int, folder: Path) -> Iterator[Metric]:
    """One forecast of all; the processor time is that of all processes."""
    del folder
    from benchmarks.forecast_coverage import long_table
    from models.demand import History
    from optimizer import late
    from optimizer.forecast.demand import forecast

    history = History(long_table({n: v[:-HOURS] for n, v in made_up(SERIES).items()}))
    own = process_time()
    with late.executor(workers) as executor:
        began = perf_counter()
        made = forecast(history, STARTS, HOURS, executor=executor)
        took_s = perf_counter() - began
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield Metric("series", len(made.series), "1")
    yield Metric("time", took_s, "s", baseline=60.0)
    used_s = process_time() - own + children.ru_utime + children.ru_stime
    yield Metric("processor_time", used_s, "s")
    yield Metric("processor_time_of_one", used_s / SERIES, "s/series")


def measure_rivals(folder: Path) -> Iterator[Metric]:
    """Processor time of one series, compilation left out."""
    del folder
    cuts = dict(list(made_up(SAMPLE).items()))
    for name in RIVALS:
        make = rivals(arima=False)[name]
        rival(dict(list(cuts.items())[:1]), make)
        yield Metric(f"processor_time_of_one {name}", rival(cuts, make)[2] / SAMPLE, "s/series")
