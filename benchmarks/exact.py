"""One mixed-integer problem for a whole world, solved to a proven gap."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.registry import Case, Metric, benchmark

SERVICES = (10, 30, 100)
HOURS = 24
SEED = 20_240
TIME_LIMIT_S = 60.0
BASELINE = "ortools"
BACKENDS = (BASELINE, "cbc")


@benchmark("exact", "size, times, memory and proven gap of one problem for a whole world")
def exact(data: Path | None) -> Iterator[Case]:
    del data
    for services in SERVICES:
        for backend in BACKENDS:
            yield Case(
                f"{services} services, {backend}",
                partial(measure, services, backend),
                None if backend == BASELINE else f"{services} services, {BASELINE}",
            )


def measure(services: int, backend: str, folder: Path) -> Iterator[Metric]:
    """Generate a world, plan it, and say what it took."""
    from dataclasses import replace

    from models.plan import Infeasible, Unfinished
    from optimizer.gather import gather
    from optimizer.plan import make_plan
    from scenarios.generator import generate_world

    generate_world(services, HOURS, SEED, folder)
    world, _ = gather(folder)
    world = replace(world, policy=replace(world.policy, time_limit_s=TIME_LIMIT_S))
    outcome = make_plan(world, backend=backend)
    if isinstance(outcome, Infeasible):
        raise RuntimeError(f"the generated world has no plan: {outcome.reasons or outcome.clash}")
    if isinstance(outcome, Unfinished):
        yield Metric("solve_time", outcome.seconds, "s")
        yield Metric("gap", None, "1")
        return
    proof = outcome.placement.certificate
    yield Metric("rows", proof.rows, "1")
    yield Metric("columns", proof.columns, "1")
    yield Metric("integer_columns", proof.integer_columns, "1")
    yield Metric("nonzeros", proof.nonzeros, "1")
    yield Metric("build_time", proof.build_s, "s")
    yield Metric("solve_time", proof.solve_s, "s")
    yield Metric("objective", proof.objective_usd, "USD")
    yield Metric("gap", proof.gap, "1")
