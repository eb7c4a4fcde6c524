"""What a second Dask worker brings: forecasts and what-ifs by one worker, and by two.

Scheduler and workers are processes of this machine. Every figure is of a second round, when the
workers have imported what they need.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.registry import Case, Metric, benchmark

if TYPE_CHECKING:
    from optimizer.executor.seam import Executor

SERVICES = 10_000
SEED = 20_240
SHOP = Path(__file__).parents[1] / "scenarios" / "shop"
WHAT_IFS = (
    "budget-cut-20",
    "cloud-forbidden",
    "flash-sale",
    "loss-of-cloud",
    "loss-of-region",
    "price-rise",
    "spot-withdrawn",
    "stricter-residency",
    "traffic-doubled",
)


@benchmark("dask", "forecasts and what-ifs by two Dask workers against one")
def spread_out(data: Path | None) -> Iterator[Case]:
    del data
    for name, measure in (("forecast", measure_forecast), ("what-ifs", measure_what_ifs)):
        one = f"{name}, 1 worker"
        yield Case(one, partial(measure, 1))
        yield Case(f"{name}, 2 workers", partial(measure, 2), baseline=one)


def measure_forecast(workers: int, folder: Path) -> Iterator[Metric]:
    """Forecast the demand of a large generated world, a day ahead."""
    from optimizer.forecast.demand import forecast
    from optimizer.gather import gather
    from scenarios.generator import generate_world

    generate_world(SERVICES, 24, SEED, folder / "world")
    world, _ = gather(folder / "world")

    def work(executor: Executor) -> int:
        return len(forecast(world.history, world.starts, 24, executor=executor).series)

    yield from _rate("series", workers, folder, work)


def measure_what_ifs(workers: int, folder: Path) -> Iterator[Metric]:
    """Plan the bundled shop as it is and under its what-ifs."""
    from optimizer.gather import gather
    from optimizer.whatifs import plan_whatifs
    from scenarios.whatif import read_scenario

    world, catalogue = gather(SHOP)
    whatifs = [read_scenario(SHOP / "whatifs" / f"{name}.yaml") for name in WHAT_IFS]

    def work(executor: Executor) -> int:
        return len(list(plan_whatifs(world, catalogue, whatifs, "ortools", executor)))

    yield from _rate("plans", workers, folder, work)


def _rate(
    what: str, workers: int, folder: Path, work: Callable[[Executor], int]
) -> Iterator[Metric]:
    from optimizer import late

    with _cluster(folder, workers) as address, late.executor(dask=address) as executor:
        work(executor)
        began = perf_counter()
        done = work(executor)
        took_s = perf_counter() - began
    yield Metric(what, done, "1")
    yield Metric("time", took_s, "s")
    yield Metric("rate", done / took_s, f"{what}/s")


@contextmanager
def _cluster(folder: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler with so many workers, each a process with one thread."""
    from distributed import Client

    with ExitStack() as running:

        def start(module: str, *arguments: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--no-dashboard"],
                stderr=subprocess.PIPE,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            return process

        scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show")
        found = (re.search(r"tcp://\S+", line) for line in scheduler.stderr or ())
        address = next(match[0] for match in found if match)
        options = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        for _ in range(workers):
            start("dask_worker", address, *options)
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers)
        yield address
