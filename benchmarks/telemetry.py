"""Telemetry: samples laid on the grid, kept, read again, and asked of a real Prometheus.

Times are those of the processor: what they cost on a machine that has nothing else to do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.registry import Case, Metric, benchmark

if TYPE_CHECKING:
    from models.measured import Grid, Samples

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
SUPPORT: Final = Path(__file__).parents[1] / "tests" / "support"
MINUTE_S: Final = 60
SCRAPE_S: Final = 15


@benchmark("telemetry", "Samples on the grid, in the store and out of it; a real Prometheus asked")
def telemetry_cases(data: Path | None) -> Iterator[Case]:
    del data
    yield Case("1,000 series, a week of minutes", partial(measure, 1_000, 7))
    yield Case("10,000 series, a day of minutes", partial(measure, 10_000, 1))
    yield Case("Prometheus, 200 counters, a day", partial(ask, 200))


def measure(series: int, days: int, folder: Path) -> Iterator[Metric]:
    """Levels and counters on the grid, all of it to the store, a minute more, and all out again."""
    from models.measured import COUNTERS, Grid, gridded
    from providers.telemetry.store import Store
    from providers.telemetry.writing import StoreWriter

    grid = Grid.over(START, START + timedelta(days=days), MINUTE_S)
    samples = _samples(series, grid)
    now = START + timedelta(days=days + 1)
    began = process_time()
    signals, _ = gridded(samples, grid, now)
    took_s = process_time() - began
    yield Metric("samples", float(samples.value.size), "samples")
    yield Metric("levels_on_the_grid", took_s, "s")
    totals = replace(
        samples, value=np.cumsum(samples.value.reshape(series, -1), axis=1).ravel(),
        counter=COUNTERS["requests_total"],
    )  # fmt: skip
    began = process_time()
    gridded(totals, grid, now)
    yield Metric("counters_on_the_grid", process_time() - began, "s")
    began = process_time()
    with StoreWriter(folder / "kept", "bench", MINUTE_S) as writer:
        writer.write(signals)
    yield Metric("written", process_time() - began, "s")
    size = sum(path.stat().st_size for path in (folder / "kept").rglob("*.parquet"))
    yield Metric("bytes_per_value", size / samples.value.size, "B")
    last = Grid(grid.first + grid.steps - 1, MINUTE_S, 1)
    minute, _ = gridded(replace(samples, value=samples.value + 1.0), last, now)
    with StoreWriter(folder / "kept", "bench", MINUTE_S) as writer:
        writer.write(minute)
        writer.flush()  # what follows is a round of a daemon, which knows the day already
        began = process_time()
        writer.write(replace(minute, values=minute.values + 1.0))
        writer.flush()
        yield Metric("one_minute_more", process_time() - began, "s")
    store = Store(folder / "kept")
    began = process_time()
    store.read(grid.starts, grid.ends)
    yield Metric("all_read", process_time() - began, "s")
    began = process_time()
    store.read(grid.starts, grid.ends, step_s=3600, services={"service-7"})
    yield Metric("one_service_read_by_the_hour", process_time() - began, "s")


def _samples(series: int, grid: Grid) -> Samples:
    """A minute of each series after the other, at odd moments within it, as scrapes are."""
    from models.measured import Samples
    from models.signals import SignalKey

    chance = np.random.default_rng(7)
    keys = tuple(
        SignalKey("requests_rps", f"service-{i // 10}", instance=f"i-{i % 10}")
        for i in range(series)
    )
    step = np.tile(np.arange(grid.first, grid.first + grid.steps), series)
    at_ms = step * MINUTE_S * 1000 + chance.integers(0, 60_000, step.size)
    value = np.round(chance.gamma(4.0, 25.0, step.size), 3)
    return Samples(keys, np.repeat(np.arange(series), grid.steps), at_ms, value)


def ask(counters: int, folder: Path) -> Iterator[Metric]:
    """A day of counters, as rates of the server by the minute, and as they were scraped."""
    sys.path.insert(0, str(SUPPORT))
    from prometheus_host import prometheus

    from models.measured import Grid, gridded
    from optimizer.sources import parts_of
    from providers.telemetry.seam import Listener
    from scenarios.observing import read_telemetry

    moments = range(0, 86_400, SCRAPE_S)
    start = int(START.timestamp())
    lines = ["# TYPE shop_requests counter"]
    for i in range(counters):
        lines += [
            f'shop_requests_total{{service="s{i}"}} {(i + 1) * at} {start + at}' for at in moments
        ]
    with prometheus(folder, "\n".join([*lines, "# EOF\n"]), {}) as server:
        path = folder / "telemetry.yaml"
        path.write_text(
            "trimtab: 1\ntelemetry: bench\nsources:\n  - name: main\n    prometheus:\n"
            f"      url: {server.url}\n      queries:\n"
            "        - {signal: requests_rps, query: 'rate(shop_requests_total[$window])'}\n"
            "        - {signal: requests_total, query: shop_requests_total}\n"
        )
        grid = Grid.over(START, START + timedelta(days=1), MINUTE_S)
        for name, part in zip(("rates", "raw"), parts_of(read_telemetry(path)), strict=True):
            began, count, known = process_time(), 0, 0
            for chunk in part.read(grid, Listener(print)):
                signals, _ = gridded(chunk.samples, chunk.grid, START + timedelta(days=2))
                count += chunk.samples.value.size
                known += int((~np.isnan(signals.values)).sum())
            yield Metric(f"{name}_time", process_time() - began, "s")
            yield Metric(f"{name}_samples", float(count), "samples")
            yield Metric(f"{name}_steps_known", float(known), "steps")
