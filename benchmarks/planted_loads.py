"""Load of invented services that breaks objectives of latency, or only looks like it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from benchmarks.planted import DAY, STEPS, Chance, Values, every_hour, onset, red_noise, with_gaps


@dataclass(frozen=True, eq=False)
class PlantedLoad:
    """One service: ``load`` of a replica (rps) and ``latency`` (ms) by the hour, its objective,
    and when the objective breaks for good (None: it does not), with the load that broke it.
    """

    case: str
    load: Values
    latency: Values
    objective_ms: float
    breaking_load: float
    begins: int | None
    happens: int | None

    @property
    def lead(self) -> int:
        """A day, or 30 % of the time since the growth began, whichever is less."""
        if self.happens is None or self.begins is None:
            return 0
        return int(min(DAY, 0.3 * (self.happens - self.begins)))


LOADS: Final = ("load-grows", "load-grows-fast", "load-steps-up", "load-steady", "neighbours",
                "scaled-out", "new-version", "load-growth-stops")  # fmt: skip


def planted_load(seed: int, case: str) -> PlantedLoad:
    """Load in waves of day and week, latency by a queue of some servers and noise."""
    chance = np.random.default_rng([seed, 1000 + LOADS.index(case)])
    servers, base = float(chance.choice([1, 2, 4, 8])), chance.uniform(10, 80)
    ratio, most = chance.lognormal(0.0, 0.4), chance.lognormal(4.0, 0.8)
    objective = base * chance.uniform(1.8, 4.0)
    rho = np.linspace(0.0, 0.999, 4000)
    bend, wall = chance.uniform(1.0, 5.0), chance.uniform(0.7, 1.3)
    queue = _queue if chance.random() < 0.5 else partial(_no_queue, bend=bend, wall=wall)
    curve = base + ratio * base * queue(rho, servers)
    breaks = most * float(np.interp(objective, curve, rho))
    hour = every_hour()
    workday = np.where(hour // DAY % 7 < 5, 1.0, chance.uniform(0.6, 1.0))
    shape = 0.62 + 0.38 * np.sin(2 * np.pi * (hour - 8) / DAY)
    noise = np.exp(red_noise(chance, 0.7, 0.04) + chance.normal(0, 0.02, STEPS))
    usual = shape * workday * noise * breaks
    begins = onset(chance)
    factor, harmful = _factor(chance, case, begins)
    load = np.minimum(usual * factor, 0.985 * most)
    latency = base + ratio * base * queue(load / most, servers)
    if case == "neighbours":  # slow for hours, whatever the load
        slow = np.convolve(chance.random(STEPS) < 0.004, np.ones(8))[:STEPS] > 0
        latency = latency * np.where(slow, chance.uniform(1.5, 3.0), 1.0)
    if case == "new-version":
        latency = latency * np.where(hour >= begins, chance.uniform(1.05, 1.25), 1.0)
    latency *= np.exp(chance.normal(0, 0.06, STEPS))
    happens = None
    if harmful:
        broken = np.convolve(latency > objective, np.ones(4))[3 : 3 + STEPS] >= 3
        happens = int((broken & (hour >= begins)).argmax())
        assert broken[happens], (case, seed)
    return PlantedLoad(
        case, with_gaps(load, chance), with_gaps(latency, chance), objective, breaks,
        begins if harmful else None, happens,
    )  # fmt: skip


def _factor(chance: Chance, case: str, begins: int) -> tuple[Values, bool]:
    """Peaks as a share of what breaks the objective [step], and whether they break it."""
    hour, start = every_hour(), chance.uniform(0.45, 0.7)
    since = np.maximum(hour - begins, 0.0) / DAY
    if case == "load-grows":
        return start * (1.35 / start) ** (since / chance.uniform(14, 28)), True
    if case == "load-grows-fast":
        return start * (1.35 / start) ** (since / chance.uniform(5, 12)), True
    if case == "load-steps-up":  # a first customer, then growth
        first = chance.uniform(0.05, 0.12) * (hour >= begins - 5 * DAY)
        return start + first + since * (1.35 - start) / chance.uniform(10, 25), True
    if case == "load-growth-stops":
        top = chance.uniform(0.72, 0.8)
        return start * (top / start) ** np.minimum(since / chance.uniform(4, 12), 1.0), False
    if case == "scaled-out":  # load grows, and replicas with it
        grown = 1.0 + since * chance.uniform(0.02, 0.08)
        return start * grown / np.ceil(grown * 8) * 8, False
    return np.full(STEPS, chance.uniform(0.45, 0.78)), False


def _queue(rho: Values, servers: float) -> Values:
    rho = np.minimum(rho, 0.999)
    waited: Values = rho ** (np.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - rho))
    return waited


def _no_queue(rho: Values, servers: float, *, bend: float, wall: float) -> Values:
    """Another curve than that which is fitted."""
    rho = np.minimum(rho, 0.999)
    waited: Values = rho**bend / (1 - rho) ** wall / servers**0.5
    return waited
