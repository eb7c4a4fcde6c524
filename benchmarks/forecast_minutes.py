"""Forecasts of the next three hours, minute by minute, against what is simplest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.frontier import NEEDS, TRACES, trace
from benchmarks.registry import Case, Metric, benchmark

STEPS = 180
ORIGINS = 24
"""So many forecasts, evenly spread over the second half."""

DAY = 1440
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
STARTS = datetime(2026, 1, 1, tzinfo=UTC)


@benchmark(
    "forecast-minutes",
    "three hours ahead by the minute, against last value and yesterday",
    (NEEDS,),
)
def forecasts(data: Path | None) -> Iterator[Case]:
    if data is None:
        return
    for name, series in TRACES.items():
        yield Case(name, partial(compare, data / NEEDS, series))


def compare(path: Path, series: str, folder: Path) -> Iterator[Metric]:
    """Mean error over mean demand, and the share of minutes below each quantile."""
    from optimizer.forecast.short import foresee_short

    del folder
    demand = trace(path, series)
    ends = np.linspace(demand.size // 2, demand.size - STEPS, ORIGINS).astype(int)
    known = [demand[:end] for end in ends]
    actual = np.stack([demand[end : end + STEPS] for end in ends])
    last = np.stack([np.full(STEPS, past[~np.isnan(past)][-1]) for past in known])
    yesterday = np.stack([past[-DAY : STEPS - DAY] for past in known])
    made = [foresee_short([("a", "")], past[None], STARTS, 60, STEPS, LEVELS) for past in known]
    quantiles = np.stack([one.quantiles_rps[0] for one in made])
    ways = {"ours": quantiles[:, :, LEVELS.index(0.5)], "last_value": last, "yesterday": yesterday}
    told = ~np.isnan(actual) & ~np.isnan(yesterday)
    for name, said in ways.items():
        error = np.abs(said - actual)[told].mean() / actual[told].mean()
        yield Metric(f"error {name}", float(error), "1")
    for k, level in enumerate(LEVELS):
        below = float((actual <= quantiles[:, :, k])[told].mean())
        yield Metric(f"below {level:g}", below, "1", baseline=level)
