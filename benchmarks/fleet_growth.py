"""How the time to plan grows with the number of services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.fleet_worlds import LIMIT_S, Stopwatch, compile_first, strict_world
from benchmarks.registry import Case, Metric, benchmark

HOURS = 24
SERVICES = (100, 316, 1_000, 3_162, 10_000)
"""Half a power of ten apart."""


@benchmark("fleet-growth", "time to plan against services, 100 to 10,000, and the fitted exponent")
def fleet_growth(data: Path | None) -> Iterator[Case]:
    del data
    yield Case(f"{SERVICES[0]:,} to {SERVICES[-1]:,} services x {HOURS} h", measure)


def measure(folder: Path) -> Iterator[Metric]:
    """Plan worlds of all sizes in one process.

    The exponent is the slope of a line through log time against log services, by least squares;
    there is none for fewer than three sizes. Plans that time cut short do not count, since they
    took as long as they were given; a second exponent is for those that met their gap target.
    """
    from models.placement import Proof
    from models.plan import Plan
    from optimizer.plan import Method, make_plan

    compile_first(folder / "first")
    ended: list[tuple[int, float]] = []
    met: list[tuple[int, float]] = []
    for services in SERVICES:
        world = strict_world(services, HOURS, folder / f"{services}")
        watch = Stopwatch()
        outcome = make_plan(world, method=Method.DECOMPOSITION)
        took, worked = watch.metrics()
        found = outcome.placement.certificate if isinstance(outcome, Plan) else None
        for metric in (took, worked, Metric("gap", found.gap if found else None, "1")):
            yield Metric(f"{metric.name}_{services}", metric.value, metric.unit)
        if found is not None and took.value is not None:
            within = found.proof is not Proof.TIME_LIMIT
            met += [(services, took.value)] * within
            ended += [(services, took.value)] * (within or found.solve_s < LIMIT_S)
    yield Metric("sizes_ended", len(ended), "1")
    yield Metric("exponent", exponent(ended), "1")
    yield Metric("sizes_within_target", len(met), "1")
    yield Metric("exponent_within_target", exponent(met), "1")


def exponent(times: list[tuple[int, float]]) -> float | None:
    """Of services, such that seconds are in proportion to it; None for fewer than three."""
    if len(times) < 3:
        return None
    services, seconds = np.log(np.array(times, np.float64)).T
    return float(np.polyfit(services, seconds, 1)[0])
