"""Telemetry of invented services, with trouble planted in it, and with what only looks like it.

Everything follows from a seed. Levels are shares of the limit, by the hour, for 60 days.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.signals import SignalKey, Signals

Values = NDArray[np.float64]
Chance = np.random.Generator

STARTS: Final = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAY: Final = 24
DAYS: Final = 60
STEPS: Final = DAY * DAYS
FULL: Final = 1.0


@dataclass(frozen=True, slots=True)
class Planted:
    """What happens to ``key``: growth begins at step ``begins``, and the limit is reached at
    ``happens``. ``lead`` is by how many steps before it has to be foreseen.
    """

    case: str
    key: SignalKey
    begins: int
    happens: int

    @property
    def lead(self) -> int:
        """Three days, or 30 % of the time since the growth began, whichever is less."""
        return int(min(3 * DAY, 0.3 * (self.happens - self.begins)))


@dataclass(frozen=True, eq=False)
class PlantedWorld:
    """``cases`` [series]: what each series of ``signals`` is an example of."""

    signals: Signals
    cases: tuple[str, ...]
    trouble: tuple[Planted, ...]


def planted_world(seed: int, cases: tuple[str, ...] | None = None) -> PlantedWorld:
    """One service for every case of ``HARMFUL`` and ``HARMLESS``, with a series of its own."""
    names = cases or (*HARMFUL, *HARMLESS)
    keys, rows, trouble = [], [], []
    for number, name in enumerate(names):
        chance = np.random.default_rng([seed, number])
        signal = "memory_share" if name.startswith(("leak", "cache", "deploy")) else "disk_share"
        key = SignalKey(signal, f"{name}-{number:02d}", instance="i-0" if "leak" in name else "")
        made = (HARMFUL | HARMLESS)[name](chance)
        values, begins = made if isinstance(made, tuple) else (made, None)
        values = _noisy(values, chance)
        full = np.flatnonzero(values >= FULL)
        if begins is not None:
            assert full.size, (name, seed)
            for first in _firsts(full):
                since = _life_start(values, begins, first)
                trouble.append(Planted(name, key, since, first))
            values = np.minimum(values, FULL)
        else:
            values = np.minimum(values, 0.985)
        keys.append(key)
        rows.append(_with_gaps(values, chance))
    order = sorted(range(len(keys)), key=lambda i: keys[i])
    return PlantedWorld(
        Signals(STARTS, 3600, tuple(keys[i] for i in order), np.stack([rows[i] for i in order])),
        tuple(names[i] for i in order),
        tuple(trouble),
    )


def _firsts(full: NDArray[np.int64]) -> list[int]:
    """The first step of every time that it is full, half a day apart."""
    return [int(full[0]), *(int(b) for a, b in itertools.pairwise(full) if b - a > 12)]


def _life_start(values: Values, begins: int, happens: int) -> int:
    """Growth counts from its beginning, or from the last time that it was emptied."""
    drops = np.flatnonzero(np.diff(values[begins:happens]) < -0.12)
    return begins + int(drops[-1]) + 1 if drops.size else begins


def _noisy(values: Values, chance: Chance) -> Values:
    size = chance.choice([0.002, 0.005, 0.01])
    white = chance.normal(0.0, size, STEPS)
    red = _red(chance, 0.9, size)
    wave = chance.uniform(0.0, 0.03) * np.sin(2 * np.pi * (_hours() - chance.uniform(0, 24)) / 24)
    held = values < 0
    noisy: Values = np.where(held, 0.0, values + white + red + wave)
    return np.maximum(noisy, 0.0)


def _red(chance: Chance, phi: float, size: float) -> Values:
    """Noise that is alike from step to step, with standard deviation ``size``."""
    shocks = chance.normal(0.0, size * np.sqrt(1 - phi**2), STEPS)
    red = np.empty(STEPS)
    red[0] = chance.normal(0.0, size)
    for t in range(1, STEPS):
        red[t] = phi * red[t - 1] + shocks[t]
    return red


def _with_gaps(values: Values, chance: Chance) -> Values:
    gappy = np.where(chance.random(STEPS) < 0.02, np.nan, values)
    for _ in range(2):
        first = int(chance.integers(STEPS))
        gappy[first : first + int(chance.integers(4, 24))] = np.nan
    return gappy


def _hours() -> Values:
    return np.arange(STEPS, dtype=np.float64)


def _onset(chance: Chance) -> int:
    return int(chance.integers(14 * DAY, 30 * DAY))


def _grown(chance: Chance, begins: int, hours: float, power: float, base: float) -> Values:
    """Up from ``base``, full ``hours`` after it began, and cleared a few hours later."""
    z = np.maximum(_hours() - begins, 0.0) / hours
    values = base + (FULL + 0.01 - base) * z**power
    full = int(np.flatnonzero(z >= 1.0)[0]) if (z >= 1.0).any() else STEPS
    mended = full + int(chance.integers(4, 10))
    values[mended:] = base
    return values


# ---- what runs out


def _disk_linear(chance: Chance) -> tuple[Values, int]:
    begins = _onset(chance)
    hours = chance.uniform(4, 28) * DAY
    return _grown(chance, begins, hours, 1.0, chance.uniform(0.2, 0.6)), begins


def _disk_fast(chance: Chance) -> tuple[Values, int]:
    begins = _onset(chance)
    return _grown(
        chance, begins, chance.uniform(1.5, 4) * DAY, 1.0, chance.uniform(0.1, 0.5)
    ), begins


def _disk_accelerating(chance: Chance) -> tuple[Values, int]:
    begins = _onset(chance)
    hours = chance.uniform(8, 25) * DAY
    return _grown(chance, begins, hours, chance.uniform(1.5, 2.5), chance.uniform(0.2, 0.5)), begins


def _disk_bursty(chance: Chance) -> tuple[Values, int]:
    """Uploads of random size at random times, some a day."""
    begins = _onset(chance)
    hours = chance.uniform(7, 25) * DAY
    base = chance.uniform(0.2, 0.5)
    per_hour = chance.uniform(2, 6) / DAY
    size = (1.15 - base) / (per_hour * hours)
    bursts = (chance.random(STEPS) < per_hour) * chance.exponential(size, STEPS)
    bursts[:begins] = 0.0
    values = base + np.cumsum(bursts)
    # Enough of it to fill the disk before the record ends.
    values = base + (values - base) * max(1.0, (FULL + 0.05 - base) / (values[-1] - base))
    full = int(np.flatnonzero(values >= FULL + 0.02)[0])
    values[full + int(chance.integers(4, 10)) :] = base
    return values, begins


def _disk_workdays(chance: Chance) -> tuple[Values, int]:
    """It grows while people work."""
    begins = _onset(chance)
    hour = _hours()
    works = (hour // DAY % 7 < 5) & (hour % DAY >= 8) & (hour % DAY < 19) & (hour >= begins)
    base = chance.uniform(0.2, 0.5)
    total = chance.uniform(8, 20) * 11 * 5 / 7
    values: Values = base + (FULL + 0.01 - base) * np.cumsum(works).astype(float) / total
    past = np.flatnonzero(values >= FULL + 0.02)
    if past.size:
        values[int(past[0]) + 5 :] = base
    return values, begins


def _leak(chance: Chance) -> tuple[Values, int]:
    """Memory leaks until the instance is killed, again and again; nobody restarts it."""
    begins = _onset(chance)
    hours, base = chance.uniform(3, 10) * DAY, chance.uniform(0.2, 0.45)
    age = np.maximum(_hours() - begins, 0.0) % (hours + 4)
    return base + (FULL + 0.02 - base) * age / hours, begins


def _leak_with_restarts(chance: Chance) -> tuple[Values, int]:
    """Weekly deploys restart it; a version leaks so fast that it no longer lasts the week."""
    deploy = int(chance.integers(0, 5)) * DAY + 10
    first = int(chance.integers(2, 4))
    begins = deploy + first * 7 * DAY
    slow = chance.uniform(0.0, 0.2) / (7 * DAY)
    hours, base = chance.uniform(3.5, 6) * DAY, chance.uniform(0.25, 0.45)
    hour = _hours()
    age = (hour - deploy) % (7 * DAY)
    values = base + slow * age
    bad = hour >= begins
    fast = np.where(age > hours + 3, age - hours - 4, age)
    values[bad] = (base + (FULL + 0.02 - base) * fast / hours)[bad]
    mended = begins + 14 * DAY
    values[mended:] = base + slow * age[mended:]
    return values, begins


HARMFUL: Final[dict[str, Callable[[Chance], tuple[Values, int]]]] = {
    "disk-linear": _disk_linear,
    "disk-fast": _disk_fast,
    "disk-accelerating": _disk_accelerating,
    "disk-bursty": _disk_bursty,
    "disk-workdays": _disk_workdays,
    "leak": _leak,
    "leak-with-restarts": _leak_with_restarts,
}


# ---- what only looks like it


def _steady(chance: Chance) -> Values:
    return np.full(STEPS, chance.uniform(0.2, 0.9))


def _backups(chance: Chance) -> Values:
    """Every night, or every Sunday, room for some hours."""
    hour, base = _hours(), chance.uniform(0.2, 0.5)
    late = chance.normal(0.0, 0.5, STEPS // DAY).repeat(DAY)
    night = np.abs(hour % DAY - 3 - late) < chance.uniform(1.0, 2.5)
    if chance.random() < 0.4:
        night &= hour // DAY % 7 == 6
    high = chance.uniform(0.2, 0.45)
    return np.where(night, base + high, base)


def _rotation(chance: Chance) -> Values:
    """Logs grow, and go at a set time, or when they are large."""
    base, top = chance.uniform(0.1, 0.3), chance.uniform(0.55, 0.85)
    if chance.random() < 0.5:
        every = int(chance.choice([1, 2, 3, 7])) * DAY
        level = (_hours() + chance.integers(every)) % every / every
        return base + (top - base) * level
    pace = (top - base) / (chance.uniform(1.5, 6) * DAY)
    values, now = np.empty(STEPS), base
    for t in range(STEPS):
        now += pace * chance.gamma(1.0)
        if now > top:
            now = base
        values[t] = now
    return values


def _cache(chance: Chance) -> Values:
    """It fills and stays, after every restart."""
    base, top = chance.uniform(0.15, 0.35), chance.uniform(0.6, 0.92)
    theta = chance.uniform(0.5, 5) * DAY
    begins = _onset(chance)
    age = _hours() - np.where(_hours() >= begins, begins, -20 * DAY)
    return top - (top - base) * np.exp(-age / theta)


def _bulk(chance: Chance) -> Values:
    """One or two loads of some hours each, and then nothing."""
    values = np.full(STEPS, chance.uniform(0.15, 0.35))
    for _ in range(int(chance.integers(1, 3))):
        first, hours = _onset(chance), chance.uniform(2, 16)
        values += chance.uniform(0.1, 0.28) * np.clip((_hours() - first) / hours, 0.0, 1.0)
    return values


def _weekly(chance: Chance) -> Values:
    """It follows demand: up to the middle of the week, down at its end."""
    week = 2 * np.pi * (_hours() / (7 * DAY) - chance.uniform(0, 1))
    day = 2 * np.pi * (_hours() - 14) / DAY
    high = chance.uniform(0.05, 0.15)
    return chance.uniform(0.4, 0.65) + high * np.sin(week) + chance.uniform(0, 0.08) * np.cos(day)


def _slow(chance: Chance) -> Values:
    """It grows, but would not be full for months."""
    base = chance.uniform(0.2, 0.5)
    return base + chance.uniform(0.02, 0.2) * _hours() / STEPS


def _stops(chance: Chance) -> Values:
    """Growth for a week or two that ends well below the limit."""
    begins, hours = _onset(chance), chance.uniform(5, 14) * DAY
    base, top = chance.uniform(0.1, 0.3), chance.uniform(0.4, 0.6)
    return base + (top - base) * np.clip((_hours() - begins) / hours, 0.0, 1.0)


def _restless(chance: Chance) -> Values:
    """Up and down without aim, within bounds."""
    return chance.uniform(0.4, 0.65) + np.clip(_red(chance, 0.98, 0.07), -0.25, 0.25)


def _deploys(chance: Chance) -> Values:
    """Every version takes a little more or less; a mild leak ends with each deploy."""
    deploys = chance.random(STEPS) < 1 / (4 * DAY)
    version = np.cumsum(deploys)
    level = chance.uniform(0.3, 0.55, version[-1] + 1)[version]
    last = np.maximum.accumulate(np.where(deploys, _hours(), 0.0))
    leaked: Values = level + chance.uniform(0.0, 0.02) / DAY * (_hours() - last)
    return leaked


HARMLESS: Final[dict[str, Callable[[Chance], Values]]] = {
    "steady": _steady,
    "backups": _backups,
    "rotation": _rotation,
    "cache": _cache,
    "bulk-load": _bulk,
    "weekly-wave": _weekly,
    "slow-growth": _slow,
    "growth-that-stops": _stops,
    "restless": _restless,
    "deploys": _deploys,
}


# ---- latency against load


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
    hour = _hours()
    workday = np.where(hour // DAY % 7 < 5, 1.0, chance.uniform(0.6, 1.0))
    shape = 0.62 + 0.38 * np.sin(2 * np.pi * (hour - 8) / DAY)
    noise = np.exp(_red(chance, 0.7, 0.04) + chance.normal(0, 0.02, STEPS))
    usual = shape * workday * noise * breaks
    begins = _onset(chance)
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
        case, _with_gaps(load, chance), _with_gaps(latency, chance), objective, breaks,
        begins if harmful else None, happens,
    )  # fmt: skip


def _factor(chance: Chance, case: str, begins: int) -> tuple[Values, bool]:
    """Peaks as a share of what breaks the objective [step], and whether they break it."""
    hour, start = _hours(), chance.uniform(0.45, 0.7)
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
