"""Cost against requests not served: policies of autoscaling on public traces, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
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
    for share in SHARES:
        best = cost_at(hindsight, share)
        yield Metric(f"reactive_by_hindsight_at_{share:g}", best, "1")
        yield Metric(f"reactive_tuned_at_{share:g}", cost_at(tuned, share), "1")
        cost = cost_at(ours, share)
        yield Metric(f"hedged_at_{share:g}", cost, "1")
        yield Metric(f"hedged_over_hindsight_at_{share:g}", cost / best, "1")


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
