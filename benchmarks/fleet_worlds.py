"""The worlds of the fleet benchmarks, and the figures by which ways to plan them are compared."""

from __future__ import annotations

import os
import resource
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.registry import Metric
from optimizer.solve.answers import relative_gap

if TYPE_CHECKING:
    from models.world import World

SEED = 1
LIMIT_S = float(os.environ.get("FLEET_LIMIT_S", "300"))
"""Most seconds for one plan."""


def strict_world(
    services: int, hours: int, folder: Path, *, without: Collection[str] = (), seed: int = SEED
) -> World:
    """A company with every kind of rule but some, to be planned hour by hour."""
    from optimizer.gather import gather
    from providers.geography.regions import load_regions
    from providers.pricebook.embedded import load_embedded_book
    from scenarios.generate.kinds import Kind, Strict
    from scenarios.generator import generate_world

    offerings = load_embedded_book(load_regions()).offerings
    kinds = frozenset(Kind) - frozenset(map(Kind, without))
    generate_world(services, hours, seed, folder, Strict(offerings, kinds), hourly=True)
    world, _ = gather(folder)
    return replace(world, policy=replace(world.policy, time_limit_s=LIMIT_S))


def compile_first(folder: Path) -> None:
    """Load what is compiled, or compile it: once per machine, and not part of the figures."""
    from optimizer.gather import gather
    from optimizer.plan import Method, make_plan
    from scenarios.generator import generate_world

    generate_world(20, 2, SEED, folder)
    world, _ = gather(folder)
    make_plan(world, method=Method.DECOMPOSITION)


class Stopwatch:
    """Elapsed time and processor time of this process and those that it has waited for."""

    def __init__(self) -> None:
        self.began, self.worked = perf_counter(), _processor_s()

    def metrics(self) -> Iterator[Metric]:
        yield Metric("total_time", perf_counter() - self.began, "s")
        yield Metric("processor_time", _processor_s() - self.worked, "s")


def _processor_s() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def proven(objective: float | None, bound: float | None, target: float) -> Iterator[Metric]:
    """What was found and what is proven; an objective of None: no plan, after so many seconds."""
    if objective is None:
        yield Metric("no_plan_in", LIMIT_S, "s")
    known = bound is not None and np.isfinite(bound)
    gap = relative_gap(objective, bound) if objective is not None and bound is not None else None
    yield Metric("objective", objective, "USD")
    yield Metric("bound", bound if known else None, "USD")
    yield Metric("gap", gap if known else None, "1")
    yield Metric("gap_target", target, "1")
