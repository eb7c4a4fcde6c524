"""A small world for rolling horizons: three services, two continents, days with a daily wave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from small_worlds import STARTS, book, world

from models.demand import History
from models.rules import LatencyRule, Rule
from models.services import Dependency, Replica, Service
from models.world import Policy, World
from optimizer.rolling.play import Trace

STEP_S = 300
STEPS_PER_HOUR = 3600 // STEP_S
HISTORY_DAYS = 15
SERIES = (("shop", "america"), ("shop", "europe"))

SHOP = Service("shop", Replica(1.0, 2.0, 20.0, 10.0), response_kib=4.0, spot_tolerant=True)
STOCK = Service("stock", Replica(1.0, 4.0, 50.0, 5.0))
STORE = Service("store", Replica(2.0, 8.0, 200.0, 5.0), stateful=True, state_gib=20.0)
OFFERS = [
    ("aws/east", "m.2", "on_demand", 0.10, 2, 8), ("aws/east", "m.8", "on_demand", 0.39, 8, 32),
    ("aws/east", "m.2", "spot", 0.06, 2, 8), ("aws/west", "m.2", "on_demand", 0.11, 2, 8),
    ("aws/eu", "m.2", "on_demand", 0.12, 2, 8), ("aws/eu", "m.8", "on_demand", 0.47, 8, 32),
    ("azure/eu", "d.2", "on_demand", 0.13, 2, 8), ("azure/eu", "d.8", "on_demand", 0.50, 8, 32),
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Days:
    """A world whose history, ``before`` [series, step] in steps, ends where ``trace`` begins."""

    world: World
    trace: Trace
    before: NDArray[np.float64]


def days(
    count: int = 2,
    *,
    seed: int = 5,
    noise: float = 0.04,
    rules: tuple[Rule, ...] = (),
) -> Days:
    """``count`` days to play after two weeks of history."""
    rng = np.random.default_rng(seed)
    steps = (HISTORY_DAYS + count) * 24 * STEPS_PER_HOUR
    hour = (np.arange(steps) + 0.5) / STEPS_PER_HOUR
    waves = [1 + 0.6 * np.sin(2 * np.pi * (hour - shift) / 24) for shift in (14.0, 8.0)]
    clean = np.stack([level * wave for level, wave in zip((300.0, 240.0), waves, strict=True)])
    rps = clean * rng.gamma(noise**-2, noise**2, clean.shape)
    first = HISTORY_DAYS * 24 * STEPS_PER_HOUR
    places = ["aws/east", "aws/west", "aws/eu", "azure/eu"]
    base = world(
        (SHOP, STOCK, STORE),
        book(OFFERS),
        places=places,
        dependencies=(
            Dependency("shop", "stock", 1.0, 1, 2),
            Dependency("stock", "store", 0.5, 1, 2),
        ),
        rules=(LatencyRule(name="near", service="shop", within_ms=80.0), *rules),
        policy=Policy(
            horizon_hours=24, route_hours=24, headroom=1.0, gap_target=0.05, time_limit_s=30
        ),
    )
    at = STARTS + timedelta(hours=24 * HISTORY_DAYS)
    made = replace(base, starts=at, history=hourly(rps[:, :first], STARTS))
    return Days(made, Trace(SERIES, at, STEP_S, rps[:, first:]), rps[:, :first])


def hourly(rps: NDArray[np.float64], starts: datetime) -> History:
    """Means over hours of ``rps`` [series, step], as an hourly history."""
    means = rps.reshape(len(rps), -1, STEPS_PER_HOUR).mean(axis=2)
    ts = pd.Timestamp(starts) + pd.to_timedelta(np.arange(means.shape[1]), unit="h")
    parts = [
        pd.DataFrame({"ts": ts, "service": service, "origin": origin, "rps": row})
        for (service, origin), row in zip(SERIES, means, strict=True)
    ]
    return History(pd.concat(parts, ignore_index=True))
