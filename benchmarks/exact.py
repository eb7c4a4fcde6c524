"""One mixed-integer problem for a whole world, solved to a proven gap."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

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
    """Generate a world, formulate and solve it, and say what it took."""
    from optimizer import late
    from optimizer.formulate.assemble import formulate
    from optimizer.formulate.market import survey
    from optimizer.formulate.reach import measure as measure_distances
    from optimizer.gather import gather
    from optimizer.plan import foresee
    from optimizer.solve.answers import ProvenInfeasible, Solved
    from scenarios.generator import generate_world

    generate_world(services, HOURS, SEED, folder)
    world, _ = gather(folder)
    expected = foresee(world)
    solver = late.backend(backend)
    started = perf_counter()
    distances = measure_distances(world)
    demands = (expected.demand_rps, expected.direct_rps)
    problem = formulate(world, survey(world), distances, *demands).problem
    build_s = perf_counter() - started
    answer = solver.solve(problem, gap=world.policy.gap_target, time_limit_s=TIME_LIMIT_S)
    if isinstance(answer, ProvenInfeasible):
        raise RuntimeError("generated worlds are feasible, and this one is not")
    found = (answer.objective, answer.gap) if isinstance(answer, Solved) else (None, None)
    rows, columns = problem.matrix.shape
    yield Metric("rows", rows, "1")
    yield Metric("columns", columns, "1")
    yield Metric("integer_columns", int(problem.integer.sum()), "1")
    yield Metric("nonzeros", problem.matrix.nnz, "1")
    yield Metric("build_time", build_s, "s")
    yield Metric("solve_time", answer.seconds, "s")
    yield Metric("objective", found[0], "USD")
    yield Metric("gap", found[1], "1")
