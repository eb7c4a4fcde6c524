"""Cost against requests not served: policies of autoscaling on public traces, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from benchmarks.registry import Case, Metric, benchmark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from optimizer.simulate.replay import Replayed, Replica

_Key = TypeVar("_Key")

TRACES = {"World Cup 98": "web/worldcup98", "NASA": "web/nasa_http_1995"}
NEEDS = "traces/web_minute.parquet"
DAY_STEPS = 1440
REPLICAS_AT_P99 = 40
BOOT_STEPS = 3
SHARES = (1e-2, 1e-3, 1e-4)
WORTHS = (3.0, 5.0, 8.0, 15.0, 30.0, 60.0, 150.0, 400.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)
TARGETS = tuple(round(0.5 + 0.01 * i, 2) for i in range(51))
STABILISATIONS = tuple(range(1, 16))
SPANS = (5, 10, 20)
ROOMS = tuple(round(0.05 * i, 2) for i in range(-10, 161))
MINIMA = (8, 12, 16, 20, 25, 30)
"""Least replicas of reaction, where without them it reaches no share."""

GUARDS = (0.0, 0.8, 0.85, 0.9, 0.95, 1.0)
POWERS = (0.5, 1.0)


@benchmark("frontier", "autoscaling policies against foresight, cost by unserved share", (NEEDS,))
def frontiers(data: Path | None) -> Iterator[Case]:
    if data is None:
        return
    for name, series in TRACES.items():
        yield Case(name, partial(measure, data / NEEDS, series))


def trace(path: Path, series: str) -> NDArray[np.float64]:
    """Requests in every minute; NaN where the log has none."""
    rows = pd.read_parquet(path, filters=[("series_id", "==", series)])
    minutes = rows.set_index("ts")["value"].resample("1min").mean()
    return minutes.to_numpy(np.float64)


def measure(path: Path, series: str, folder: Path) -> Iterator[Metric]:
    """Parameters by the first half, figures of the second."""
    from optimizer.simulate.policies import (
        Foresight,
        Policy,
        Reactive,
        Static,
        Yesterday,
        enough,
    )
    from optimizer.simulate.replay import Replica, replay
    from optimizer.simulate.tuning import cost_at

    del folder
    demand = trace(path, series)
    replica = Replica(float(np.nanquantile(demand, 0.99)) / REPLICAS_AT_P99, BOOT_STEPS)
    half = demand.size // 2
    first, second = slice(0, half), slice(half, None)
    perfect = replay(Foresight().wanted(demand, replica), demand, replica)

    def point(played: Replayed) -> tuple[float, float]:
        return played.cost(second) / perfect.cost(second), played.unserved_share(second)

    def of(wanted: NDArray[np.int64]) -> Replayed:
        return replay(wanted, demand, replica)

    peak = int(enough(np.nanmax(demand[first], keepdims=True), replica)[0])
    fixed: dict[str, Policy] = {
        "static_peak": Static(peak), "yesterday": Yesterday(DAY_STEPS, 60, 1.1),
        "foresight_hourly": Foresight(60), "reactive_70": Reactive(0.7, 10),
        "reactive_90": Reactive(0.9, 10),
    }  # fmt: skip
    for name, policy in fixed.items():
        cost, share = point(of(policy.wanted(demand, replica)))
        yield Metric(f"{name}_cost", cost, "1")
        yield Metric(f"{name}_unserved", share, "1")
    reactive = {
        (target, steps): of(Reactive(target, steps).wanted(demand, replica))
        for target in TARGETS
        for steps in STABILISATIONS
    }
    hindsight = np.array([point(played) for played in reactive.values()])
    tuned = np.array(
        [point(one) for one in _chosen(dict.fromkeys(WORTHS, reactive), first, replica)]
    )
    ours = np.array([point(one) for one in _chosen(_hedged(demand, replica), first, replica)])
    held = np.concatenate(
        [
            hindsight,
            [
                point(replay(np.maximum(one.billed, least), demand, replica))
                for one in reactive.values()
                for least in MINIMA
            ],
        ]
    )
    around = np.array([point(played) for played in _around(demand, replica)])
    ways = {
        "reactive_by_hindsight": hindsight,
        "reactive_with_a_minimum_by_hindsight": held,
        "reactive_tuned": tuned,
        "level_around_by_hindsight": around,
        "hedged": ours,
    }
    for share in SHARES:
        costs = {name: cost_at(points, share) for name, points in ways.items()}
        for name, cost in costs.items():
            yield Metric(f"{name}_at_{share:g}", None if isnan(cost) else cost, "1")
        for name in ("reactive_by_hindsight", "reactive_with_a_minimum_by_hindsight"):
            ratio = costs["hedged"] / costs[name]
            metric = f"hedged_over_{name.removeprefix('reactive_')}_at_{share:g}"
            yield Metric(metric, None if isnan(ratio) else ratio, "1")


def _around(demand: NDArray[np.float64], replica: Replica) -> Iterator[Replayed]:
    """Replicas that serve at once and know the mean of the minutes before *and after*, but not the
    minute itself: what is left to foresee when the level is known better than anybody can.
    """
    from optimizer.simulate.policies import enough, known
    from optimizer.simulate.replay import Replica, replay

    filled = known(demand)
    for span in SPANS:
        others = np.ones(2 * span + 1)
        others[span] = 0.0
        level = np.convolve(filled, others / others.sum(), mode="same")
        for power in (0.5, 0.75, 1.0):
            stray = replica.serves * np.maximum(level / replica.serves, 1.0) ** power
            for room in ROOMS:
                at_once = Replica(replica.serves, 0)
                yield replay(enough(level + room * stray, at_once), demand, at_once)


def _chosen(
    tried: Mapping[float, Mapping[_Key, Replayed]], first: slice, replica: Replica
) -> list[Replayed]:
    """For every worth of a request what did best in the ``first`` part."""
    from optimizer.simulate.tuning import cheapest

    return [
        played[cheapest(played, first, replica.serves, worth)] for worth, played in tried.items()
    ]


def _hedged(
    demand: NDArray[np.float64], replica: Replica
) -> dict[float, dict[tuple[float, float], Replayed]]:
    """Every hedge for every worth."""
    from optimizer.simulate.hedged import Hedged, outlook
    from optimizer.simulate.policies import Reactive
    from optimizer.simulate.replay import replay

    guards = {guard: Reactive(guard).wanted(demand, replica) if guard else None for guard in GUARDS}
    found: dict[float, dict[tuple[float, float], Replayed]] = {worth: {} for worth in WORTHS}
    for power in POWERS:
        seen = outlook(demand, replica, DAY_STEPS, power)
        for worth in WORTHS:
            bare = Hedged(worth, DAY_STEPS, power).decided(seen, replica)
            for guard, least in guards.items():
                wanted = bare if least is None else np.maximum(bare, least)
                found[worth][power, guard] = replay(wanted, demand, replica)
    return found
