"""Anomalies: the score of the Numenta benchmark, false alarms on ordinary series, and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.nab import (
    Labelled,
    Result,
    best_result,
    by_group,
    leave_one_group_out,
    result_at,
)
from benchmarks.registry import Case, Metric, benchmark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Series = tuple[NDArray[np.float64], NDArray[np.float64]]

TRACES = "traces/nab.parquet"
LABELS = "traces/labels.parquet"
STEP_S = 300.0
DAY_STEPS = 288
WEEK_STEPS = 7 * DAY_STEPS
ORDINARY_SERIES = 20
ORDINARY_WEEKS = 8
TIMED_SERIES = 10_000
TIMED_STEPS = 5
WARM_STEPS = 1_000
LEAST = (3.5, 4.0, 4.5)  # besides the one that is used unless asked for otherwise
PUBLISHED = 70.5  # Numenta HTM on the whole corpus


@benchmark("anomalies", "score on the Numenta corpus, false alarms, time", (TRACES, LABELS))
def anomalies(data: Path | None) -> Iterator[Case]:
    if data is not None:
        yield Case("numenta", partial(measure_score, data))
    for name in ORDINARY:
        yield Case(f"ordinary, {name}", partial(measure_false_alarms, name))
    yield Case(f"{TIMED_SERIES} series", measure_time)


def corpus(data: Path) -> tuple[dict[str, Labelled], dict[str, Series]]:
    """Windows, and times (seconds) with values, of every series."""
    rows = pd.read_parquet(data / TRACES)
    labels = pd.read_parquet(data / LABELS)
    windows = labels[labels["kind"] == "window"].sort_values("start")
    labelled, series = {}, {}
    for name, trace in rows.groupby("series_id", observed=True):
        times = trace["ts"].to_numpy("datetime64[s]")
        of_series = windows[windows["series_id"] == name]
        spans = tuple(
            (_first(times, start), _first(times, end))
            for start, end in zip(of_series["start"], of_series["end"], strict=True)
        )
        group = str(name).split("/")[1]
        labelled[str(name)] = Labelled(group, len(times), spans)
        series[str(name)] = times.astype(np.float64), trace["value"].to_numpy(np.float64)
    return labelled, series


def _first(times: NDArray[np.datetime64], time: pd.Timestamp) -> int:
    """The first step at that time; the benchmark's windows begin and end at such."""
    return int(np.flatnonzero(times == time.to_datetime64())[0])


def alarm_scores(
    times: NDArray[np.float64], values: NDArray[np.float64], least: float
) -> NDArray[np.float64]:
    """0 where there is no alarm, else how rare the step is; usual steps are those of the probation.

    ``least``: the rarity that an alarm is raised for.
    """
    from optimizer.anomalies.follow import ALARM, RARITY, follow
    from optimizer.anomalies.state import new_state

    usual = float(np.median(np.diff(times[: max(2, int(0.15 * len(times)))])))
    facts = follow(new_state(), times, values, usual, least)
    return facts[:, ALARM] * facts[:, RARITY]


def measure_score(data: Path, folder: Path) -> Iterator[Metric]:
    """One setting for all series. Thresholds: the best for all, as the benchmark does it; for every
    group the one that is best for the others; some that were fixed beforehand.
    """
    del folder
    from optimizer.anomalies.follow import ALARM_RARITY

    labelled, series = corpus(data)
    scores = {name: alarm_scores(*trace, ALARM_RARITY) for name, trace in series.items()}
    best = best_result(labelled, scores)
    yield Metric("series", len(series), "1")
    yield from _figures("", best, PUBLISHED)
    yield Metric("threshold", best.threshold, "-log10")
    yield from _figures("group_left_out_", leave_one_group_out(labelled, scores), PUBLISHED)
    for least in (ALARM_RARITY, *LEAST):
        fixed = {name: alarm_scores(*trace, least) for name, trace in series.items()}
        yield from _figures(f"rarity_{least}_", result_at(labelled, fixed, least), PUBLISHED)
    for group, inside in by_group(labelled).items():
        yield from _figures(f"{group}_", result_at(inside, scores, best.threshold))


def _figures(prefix: str, result: Result, published: float | None = None) -> Iterator[Metric]:
    if result.windows:
        yield Metric(f"{prefix}score", result.score, "1", baseline=published)
    yield Metric(f"{prefix}windows", result.windows, "1")
    yield Metric(f"{prefix}missed", result.missed, "1")
    yield Metric(f"{prefix}false_alarms", result.false, "1")


def _noise(chance: np.random.Generator, steps: int) -> NDArray[np.float64]:
    return chance.normal(50.0, 2.0, steps)


def _wander(chance: np.random.Generator, steps: int) -> NDArray[np.float64]:
    kicks = chance.normal(0.0, 1.0, steps)
    level = np.empty(steps)
    level[0] = 0.0
    for i in range(1, steps):
        level[i] = 0.95 * level[i - 1] + kicks[i]
    return 50.0 + level


def _daily(chance: np.random.Generator, steps: int) -> NDArray[np.float64]:
    swing = 1.0 + 0.5 * np.sin(2.0 * np.pi * np.arange(steps) / DAY_STEPS)
    return 100.0 * swing * np.exp(0.05 * chance.normal(size=steps))


def _weekly(chance: np.random.Generator, steps: int) -> NDArray[np.float64]:
    weekend = np.arange(steps) // DAY_STEPS % 7 > 4
    return _daily(chance, steps) * np.where(weekend, 0.6, 1.0)


def _counts(chance: np.random.Generator, steps: int) -> NDArray[np.float64]:
    return chance.poisson(_daily(chance, steps) / 50.0).astype(np.float64)


def _heavy(chance: np.random.Generator, steps: int) -> NDArray[np.float64]:
    return np.exp(chance.normal(0.0, 1.0, steps))


ORDINARY: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "noise": _noise,
    "wandering": _wander,
    "daily": _daily,
    "weekly": _weekly,
    "counts": _counts,
    "heavy-tailed": _heavy,
}


def measure_false_alarms(name: str, folder: Path) -> Iterator[Metric]:
    """Made-up series in which nothing happens, at 5 minutes; every alarm is false."""
    del folder
    from optimizer.anomalies.follow import ALARM_RARITY

    chance = np.random.default_rng(7)
    times = STEP_S * np.arange(ORDINARY_WEEKS * WEEK_STEPS, dtype=np.float64)
    many = [ORDINARY[name](chance, len(times)) for _ in range(ORDINARY_SERIES)]
    for least in (ALARM_RARITY, *LEAST):
        alarms = np.stack([alarm_scores(times, values, least) > 0 for values in many])
        first = alarms[:, :WEEK_STEPS].sum() / ORDINARY_SERIES
        later = alarms[:, WEEK_STEPS:].sum() / ORDINARY_SERIES / (ORDINARY_WEEKS - 1)
        yield Metric(f"rarity_{least}_first_week", float(first), "alarms per series")
        yield Metric(f"rarity_{least}_later_weeks", float(later), "alarms per series and week")


def measure_time(folder: Path) -> Iterator[Metric]:
    """One value of every series at a time, as they come in; ten of them share their memory."""
    del folder
    from optimizer.anomalies.follow import follow
    from optimizer.anomalies.state import new_state

    chance = np.random.default_rng(7)
    times = STEP_S * np.arange(WARM_STEPS + TIMED_STEPS, dtype=np.float64)
    values = _daily(chance, len(times))
    warm = new_state()
    follow(warm, times[:WARM_STEPS], values[:WARM_STEPS], STEP_S)
    states = [deepcopy(warm) for _ in range(TIMED_SERIES // 10)]
    began = perf_counter()
    for i in range(WARM_STEPS, WARM_STEPS + TIMED_STEPS):
        for _ in range(TIMED_SERIES // len(states)):
            for state in states:
                follow(state, times[i : i + 1], values[i : i + 1], STEP_S)
    took = perf_counter() - began
    yield Metric("one_value_each", took / TIMED_STEPS, "s")
    kept = sum(array.nbytes for array in warm)
    yield Metric("memory_per_series", kept / 1024.0, "KiB")
