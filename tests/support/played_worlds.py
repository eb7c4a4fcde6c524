"""A world of two services of which one calls the other, with a day's history, to be played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from small_worlds import STARTS, book, world

from models.demand import History
from models.rules import LatencyRule, Rule
from models.services import Dependency, Replica, Service
from models.signals import SignalKey, Signals
from models.world import World
from optimizer.simulate.asked import asked_directly
from optimizer.simulate.choosing import read_specs
from optimizer.simulate.compare import Compared
from optimizer.simulate.study import Figures, study
from optimizer.simulate.sweep import Point, Sweep

OFFERS = (
    ("aws/eu", "m5.large", "on_demand", 0.10, 2.0, 8.0),
    ("aws/eu", "m5.large", "spot", 0.04, 2.0, 8.0),
    ("aws/east", "m5.large", "on_demand", 0.08, 2.0, 8.0),
    ("aws/east", "m5.huge", "on_demand", 1.00, 100.0, 400.0),
)


def played_world(rules: Sequence[Rule] = (), *, spot: bool = False) -> World:
    """``front`` for users of europe, within 60 ms, and ``back``, called twice for each request."""
    front = Service("front", Replica(1.0, 2.0, 10.0, 20.0, boot_s=60.0), spot_tolerant=spot)
    back = Service("back", Replica(1.0, 2.0, 40.0, 5.0))
    near = LatencyRule(name="near", service="front", within_ms=60.0)
    made = world(
        (front, back), book(OFFERS), places=("aws/eu", "aws/east"),
        rules=(near, *rules), dependencies=(Dependency("front", "back", 2.0),),
    )  # fmt: skip
    hours = pd.date_range(STARTS - timedelta(days=1), periods=24, freq="h")
    rps = 50.0 + 2.0 * np.arange(24)
    columns = {"ts": hours, "service": "front", "origin": "europe", "rps": rps}
    return replace(made, history=History(pd.DataFrame(columns), "made up"))


def wave(days: int, seed: int) -> NDArray[np.float64]:
    """Requests per second by the minute: a daily wave, noise and a burst every day."""
    rng = np.random.default_rng(seed)
    minute = np.arange(days * 1440)
    level = 60.0 + 40.0 * np.sin(2 * np.pi * minute / 1440)
    level[minute % 1440 < 7] *= 2.0
    return rng.gamma(200.0, level / 200.0)


def wave_signals(days: int = 4, seed: int = 5) -> Signals:
    """Of what users of europe ask of ``front``."""
    key = SignalKey("requests_rps", "front", "europe")
    return Signals(STARTS, 60, (key,), wave(days, seed)[None])


def setting(family: str, over: float, share: float) -> Point:
    """A setting that costs so many times foresight and leaves that share unserved."""
    return Point(family, f"{over:g}", Figures(over, 1e9, share * 1e9), over)


def compared_policies(source: str) -> Compared:
    """Three policies in the world above, and frontiers that are made up."""
    world = played_world()
    asked = asked_directly(world, wave_signals(2))
    made = study(world, asked, source, read_specs("reactive:0.7:5m,static,foresight"))
    points = (
        setting("ours", 1.05, 1e-2), setting("ours", 1.2, 5e-4), setting("ours", 1.3, 1e-3),
        setting("static", 2.0, 0.0), setting("static", 9.0, 0.0),
    )  # fmt: skip
    return Compared(made, Sweep(points))
