"""Planning again after a small change, against planning anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from benchmarks.fleet_worlds import compile_first, strict_world
from benchmarks.registry import Case, Metric, benchmark

SERVICES = 1_000
HOURS = 24
SHARE = 0.01
GROWTH = 1.1


@benchmark("warm", "1,000 services: planned again after 1 % of them changed, and planned anew")
def warm(data: Path | None) -> Iterator[Case]:
    del data
    yield Case("demand of 1 % of services grows", partial(measure, False))
    yield Case("prices of 1 % of offerings rise", partial(measure, True))


def measure(dearer: bool, folder: Path) -> Iterator[Metric]:
    """The same change planned from the last plan and from nothing, one after the other.

    From the expected demand to the fleet and its bound: forecasts are the same for both.
    """
    from optimizer.decompose.answer import Decomposed, decompose
    from optimizer.formulate.market import survey
    from optimizer.formulate.reach import measure as measure_distances
    from optimizer.plan import foresee

    compile_first(folder / "first")
    world = strict_world(SERVICES, HOURS, folder / "world")
    expected, distances = foresee(world), measure_distances(world)
    demand, direct = expected.demand_rps, expected.direct_rps
    outlook = expected.outlook
    first = decompose(world, survey(world), distances, demand, direct, outlook)
    assert isinstance(first, Decomposed)
    last = first.left_behind()
    chance = np.random.default_rng(0)
    if dearer:
        offerings = world.book.offerings.copy()
        rows = chance.random(len(offerings)) < SHARE
        prices = offerings["price_usd_per_hour"]
        offerings["price_usd_per_hour"] = prices.where(~rows, prices * GROWTH)
        world = replace(world, book=replace(world.book, offerings=offerings))
    else:
        grown = chance.choice(SERVICES, int(SERVICES * SHARE), replace=False)
        factor = np.ones((SERVICES, 1, 1))
        factor[grown] = GROWTH
        demand, direct = demand * factor, direct * factor
        outlook = replace(
            outlook,
            scenario_rps=outlook.scenario_rps * factor,
            direct_rps=outlook.direct_rps * factor,
        )
    market = survey(world)
    times = []
    for name, left in (("warm", last), ("cold", None)):
        started, worked = perf_counter(), process_time()
        found = decompose(world, market, distances, demand, direct, outlook, left)
        times.append(perf_counter() - started)
        assert isinstance(found, Decomposed)
        yield Metric(f"{name}_time", times[-1], "s")
        yield Metric(f"{name}_processor_time", process_time() - worked, "s")
        yield Metric(f"{name}_objective", found.usd, "USD")
        yield Metric(f"{name}_gap", found.gap, "1")
        yield Metric(f"{name}_changed_cells", found.changed, "cells")
    yield Metric("speed_up", times[1] / times[0], "times")
