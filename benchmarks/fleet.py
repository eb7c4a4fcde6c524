"""Large fleets from the parsed world to the plan: time, memory and the proven gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.registry import Case, Metric, benchmark

HOURS = 24
WEEK = 168
SEED = 1
TIME_LIMIT_S = 60.0
LONG_S = 900.0


def _cases(services: int, hours: int, baseline: bool, limit_s: float) -> Iterator[Case]:
    name = f"{services:,} services x {hours} h"
    yield Case(name, partial(measure, services, hours, "decomposition", True, limit_s), None)
    if baseline:
        yield Case(
            f"{name}, one problem, HiGHS",
            partial(measure, services, hours, "exact", True, limit_s),
            name,
        )
    yield Case(
        f"{name}, calls carry data",
        partial(measure, services, hours, "decomposition", False, limit_s),
        name,
    )


@benchmark("fleet-100", "100 services by decomposition, beside one problem in HiGHS")
def fleet_100(data: Path | None) -> Iterator[Case]:
    del data
    yield from _cases(100, HOURS, True, 300.0)


@benchmark("fleet-1000", "1,000 services from the parsed world to the plan")
def fleet_1000(data: Path | None) -> Iterator[Case]:
    del data
    yield from _cases(1_000, HOURS, False, TIME_LIMIT_S)


@benchmark("fleet-10000", "10,000 services from the parsed world to the plan")
def fleet_10000(data: Path | None) -> Iterator[Case]:
    del data
    yield from _cases(10_000, HOURS, False, TIME_LIMIT_S)


@benchmark("fleet-week", "1,000 services, hourly for a week")
def fleet_week(data: Path | None) -> Iterator[Case]:
    del data
    yield from _cases(1_000, WEEK, False, TIME_LIMIT_S)


def measure(
    services: int, hours: int, method: str, silent_calls: bool, limit_s: float, folder: Path
) -> Iterator[Metric]:
    """Generate a world, plan it hour by hour, and say what it took.

    ``silent_calls``: calls between services carry no data worth counting.
    """
    from models.plan import Plan
    from optimizer.gather import gather
    from optimizer.plan import Method, make_plan
    from scenarios.generator import generate_world

    _compile(folder.with_name(folder.name + "-first"))
    generate_world(services, hours, SEED, folder)
    world, _ = gather(folder)
    policy = replace(world.policy, count_hours=1, route_hours=1, time_limit_s=limit_s)
    calls = world.dependencies
    if silent_calls:
        calls = tuple(replace(call, request_kib=0.0, response_kib=0.0) for call in calls)
    world = replace(world, policy=policy, dependencies=calls)
    started, worked = perf_counter(), process_time()
    outcome = make_plan(world, method=Method(method))
    yield Metric("total_time", perf_counter() - started, "s")
    yield Metric("processor_time", process_time() - worked, "s")
    found = outcome.placement.certificate if isinstance(outcome, Plan) else None
    yield Metric("solve_time", found.solve_s if found else None, "s")
    yield Metric("objective", found.objective_usd if found else None, "USD")
    yield Metric("bound", found.bound_usd if found else None, "USD")
    yield Metric("gap", found.gap if found else None, "1")


def _compile(folder: Path) -> None:
    """Load what is compiled, or compile it: once per machine, and not part of the figures."""
    from optimizer.gather import gather
    from optimizer.plan import Method, make_plan
    from scenarios.generator import generate_world

    generate_world(20, 2, SEED, folder)
    world, _ = gather(folder)
    make_plan(world, method=Method.DECOMPOSITION)
