"""Planning again after a small change, against planning anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.fleet_worlds import compile_first, strict_world
from benchmarks.registry import Case, Metric, benchmark
from models.rules import (
    BudgetRule,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    Rule,
    WorkflowRule,
)

if TYPE_CHECKING:
    from models.demand import Outlook
    from models.world import World
    from optimizer.decompose.answer import Decomposed, Last

Floats = NDArray[np.float64]

SERVICES = 1_000
HOURS = 24
SHARE = 0.01
GROWTH = 1.1
FEW = 30


@dataclass(frozen=True)
class Asked:
    """A world and the demand that it expects."""

    world: World
    outlook: Outlook
    demand_rps: Floats
    direct_rps: Floats


Change = Callable[[Asked, np.random.Generator], Asked]


@benchmark("warm", "1,000 services: planned again after 1 % of them changed, and planned anew")
def warm(data: Path | None) -> Iterator[Case]:
    del data
    yield Case("demand of 1 % of services grows", partial(measure, _grown))
    yield Case("prices of 1 % of offerings rise", partial(measure, partial(_priced, GROWTH, None)))
    yield Case("prices of 1 % of offerings fall", partial(measure, partial(_priced, 0.9, None)))
    yield Case("prices of 30 offerings rise", partial(measure, partial(_priced, GROWTH, FEW)))
    yield Case("1 % of services go", partial(measure, _fewer))
    yield Case("1 % of services come", partial(measure, _fewer, back=True))
    yield Case("a region is lost", partial(measure, _without_region))


def measure(change: Change, folder: Path, back: bool = False) -> Iterator[Metric]:
    """The same change planned from the last plan and from nothing, one after the other.

    From the expected demand to the fleet and its bound: forecasts are the same for both. ``back``:
    from the changed world to the one before.
    """
    from optimizer.plan import foresee

    compile_first(folder / "first")
    world = strict_world(SERVICES, HOURS, folder / "world")
    expected = foresee(world)
    before = Asked(world, expected.outlook, expected.demand_rps, expected.direct_rps)
    after = change(before, np.random.default_rng(0))
    if back:
        before, after = after, before
    last = _planned(before, None)[1].left_behind()
    times = []
    for name, left in (("warm", last), ("cold", None)):
        worked = process_time()
        elapsed, found = _planned(after, left)
        times.append(elapsed)
        yield Metric(f"{name}_time", elapsed, "s")
        yield Metric(f"{name}_processor_time", process_time() - worked, "s")
        yield Metric(f"{name}_objective", found.usd, "USD")
        yield Metric(f"{name}_gap", found.gap, "1")
        yield Metric(f"{name}_rounds", found.rounds, "rounds")
        yield Metric(f"{name}_changed_cells", found.changed, "cells")
    yield Metric("speed_up", times[1] / times[0], "times")


def _planned(asked: Asked, last: Last | None) -> tuple[float, Decomposed]:
    """Seconds, and the plan."""
    from optimizer.decompose.answer import Decomposed, decompose
    from optimizer.formulate.market import survey
    from optimizer.formulate.reach import measure as measure_distances

    market, distances = survey(asked.world), measure_distances(asked.world)
    started = perf_counter()
    found = decompose(
        asked.world, market, distances, asked.demand_rps, asked.direct_rps, asked.outlook, last
    )
    assert isinstance(found, Decomposed)
    return perf_counter() - started, found


def _grown(asked: Asked, chance: np.random.Generator) -> Asked:
    factor = np.ones((SERVICES, 1, 1))
    factor[chance.choice(SERVICES, int(SERVICES * SHARE), replace=False)] = GROWTH
    return _times(asked, factor)


def _times(asked: Asked, factor: Floats) -> Asked:
    """The same world with demand times ``factor`` [service, 1, 1]."""
    outlook = replace(
        asked.outlook,
        scenario_rps=asked.outlook.scenario_rps * factor,
        direct_rps=asked.outlook.direct_rps * factor,
    )
    return Asked(asked.world, outlook, asked.demand_rps * factor, asked.direct_rps * factor)


def _priced(factor: float, few: int | None, asked: Asked, chance: np.random.Generator) -> Asked:
    """Prices of ``few`` offerings, or of a share of them all, times ``factor``."""
    book = asked.world.book
    count = few or int(SHARE * len(book))
    rows = np.isin(np.arange(len(book)), chance.choice(len(book), count, replace=False))
    prices = book.offerings["price_usd_per_hour"]
    offerings = book.offerings.assign(
        price_usd_per_hour=prices.where(~rows, (prices * factor).astype(prices.dtype))
    )
    return replace(asked, world=replace(asked.world, book=replace(book, offerings=offerings)))


def _fewer(asked: Asked, chance: np.random.Generator) -> Asked:
    """Without 1 % of the services, which no workflow names; the others' demand stays as it is."""
    world = asked.world
    bound = {step.service for workflow in world.workflows for step in workflow.steps}
    free = [s for s, service in enumerate(world.services) if service.name not in bound]
    gone = set(chance.choice(free, int(SERVICES * SHARE), replace=False).tolist())
    names = {world.services[s].name for s in gone}
    stay = [s for s in range(len(world.services)) if s not in gone]
    rules = [left for rule in world.rules if (left := _bound_without(rule, names)) is not None]
    world = replace(
        world,
        services=tuple(world.services[s] for s in stay),
        dependencies=tuple(
            d for d in world.dependencies if d.caller not in names and d.callee not in names
        ),
        rules=tuple(rules),
    )
    outlook = replace(
        asked.outlook,
        scenario_rps=asked.outlook.scenario_rps[:, stay],
        direct_rps=asked.outlook.direct_rps[:, stay],
    )
    return Asked(world, outlook, asked.demand_rps[stay], asked.direct_rps[stay])


def _bound_without(rule: Rule, names: set[str]) -> Rule | None:
    """The rule for all services but those of some ``names``; None: it binds no other."""
    if isinstance(rule, LatencyRule | MinReplicasRule | MaxPlacesRule):
        return None if rule.service in names else rule
    if isinstance(rule, WorkflowRule | QuotaRule | BudgetRule):
        return rule
    left = tuple(name for name in rule.services if name not in names)
    return replace(rule, services=left) if left else None


def _without_region(asked: Asked, chance: np.random.Generator) -> Asked:
    """Without the offerings of the region that comes last by name."""
    del chance
    world = asked.world
    gone = max(range(len(world.regions)), key=lambda r: world.regions[r].place)
    offerings = world.book.offerings
    left = offerings[world.region_of_offerings != gone].reset_index(drop=True)
    return replace(asked, world=replace(world, book=replace(world.book, offerings=left)))
