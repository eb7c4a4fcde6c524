"""What a second Dask worker brings: forecasts, what-ifs and subproblems by one worker, and by two.

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
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from benchmarks.fleet_worlds import strict_world
from benchmarks.registry import Case, Metric, benchmark

if TYPE_CHECKING:
    from models.world import World
    from optimizer.decompose.dual import Case as FleetCase
    from optimizer.executor.seam import Executor

SERVICES = 10_000
SEED = 20_240
FLEET = 5_000
STEPS = 12
WITHOUT = ("transfer", "scenarios")
"""Kinds of rules that the fleet does without."""
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


@benchmark("dask", "forecasts, what-ifs and subproblems by two Dask workers against one")
def spread_out(data: Path | None) -> Iterator[Case]:
    del data
    for name, measure in (("forecast", measure_forecast), ("what-ifs", measure_what_ifs)):
        one = f"{name}, 1 worker"
        yield Case(one, partial(measure, 1))
        yield Case(f"{name}, 2 workers", partial(measure, 2), baseline=one)
    yield Case(f"subproblems of {FLEET:,} services x 24 h, 1 and 2 workers", measure_subproblems)


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


def measure_subproblems(folder: Path) -> Iterator[Metric]:
    """Solve all cells of a large fleet at a dozen prices, by one worker and by two in turns.

    ``speedup`` is of elapsed time. ``ceiling`` is what it can be at most: processor time of the
    one worker over that of the busier of two.
    """
    from distributed import Client

    from optimizer import late
    from optimizer.decompose.ascent import Ascent
    from optimizer.decompose.dual import first_prices
    from optimizer.decompose.shards import Effort, subproblems

    case = _fleet_case(strict_world(FLEET, 24, folder / "world", without=WITHOUT))
    climb, prices = Ascent(case, first_prices(case)), []
    for _ in range(STEPS):
        climb.climb(1)
        prices.append(climb.prices)
    with ExitStack() as running:
        solves, clients = [], []
        took_s: tuple[list[float], list[float]] = [], []
        for workers in (1, 2):
            address = running.enter_context(_cluster(folder, workers))
            executor = running.enter_context(late.executor(dask=address))
            clients.append(running.enter_context(Client(address, set_as_default=False)))
            solves.append(subproblems(case.whole, case.parts, executor))
            for each in prices[:2]:
                solves[-1](each, Effort.QUICK)
        before = [client.run(process_time) for client in clients]
        own_s = process_time()
        for each in prices:
            for solve, seconds in zip(solves, took_s, strict=True):
                began = perf_counter()
                solve(each, Effort.QUICK)
                seconds.append(perf_counter() - began)
        own_s = process_time() - own_s
        busiest = [
            max(end - then[worker] for worker, end in client.run(process_time).items())
            for client, then in zip(clients, before, strict=True)
        ]
    one_s, two_s = map(median, took_s)
    yield Metric("cells", len(case.cells.asks.need), "1")
    yield Metric("pass_1_worker", one_s, "s")
    yield Metric("pass_2_workers", two_s, "s")
    yield Metric("speedup", one_s / two_s, "1")
    yield Metric("processor_time_of_1", busiest[0] / STEPS, "s")
    yield Metric("processor_time_of_busier_of_2", busiest[1] / STEPS, "s")
    yield Metric("ceiling", busiest[0] / busiest[1], "1")
    yield Metric("processor_time_of_client", own_s / (2 * STEPS), "s")


def _fleet_case(world: World) -> FleetCase:
    from optimizer.decompose.cells import make_cells
    from optimizer.decompose.dual import make_case
    from optimizer.formulate.assemble import most_replicas_of
    from optimizer.formulate.candidates import find_candidates
    from optimizer.formulate.commitments import find_cover
    from optimizer.formulate.market import survey
    from optimizer.formulate.reach import find_reach, measure
    from optimizer.plan import foresee

    expected, market, cover = foresee(world), survey(world), find_cover(world)
    demand = expected.demand_rps
    reach = find_reach(world, measure(world), market.lacks.items(), demand.max(axis=2) > 0)
    candidates = find_candidates(market, world, most_replicas_of(world, demand), cover)
    cells = make_cells(world, demand, expected.outlook, reach.allowed, candidates)
    return make_case(cells, cover, expected.outlook)


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
