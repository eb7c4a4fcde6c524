"""Telemetry of invented services, with trouble planted in it, and with what only looks like it.

Everything follows from a seed. Levels are shares of the limit, by the hour, for 60 days.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
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
        rows.append(with_gaps(values, chance))
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
    red = red_noise(chance, 0.9, size)
    wave = chance.uniform(0.0, 0.03) * np.sin(
        2 * np.pi * (every_hour() - chance.uniform(0, 24)) / 24
    )
    held = values < 0
    noisy: Values = np.where(held, 0.0, values + white + red + wave)
    return np.maximum(noisy, 0.0)


def red_noise(chance: Chance, phi: float, size: float) -> Values:
    """Noise that is alike from step to step, with standard deviation ``size``."""
    shocks = chance.normal(0.0, size * np.sqrt(1 - phi**2), STEPS)
    red = np.empty(STEPS)
    red[0] = chance.normal(0.0, size)
    for t in range(1, STEPS):
        red[t] = phi * red[t - 1] + shocks[t]
    return red


def with_gaps(values: Values, chance: Chance) -> Values:
    gappy = np.where(chance.random(STEPS) < 0.02, np.nan, values)
    for _ in range(2):
        first = int(chance.integers(STEPS))
        gappy[first : first + int(chance.integers(4, 24))] = np.nan
    return gappy


def every_hour() -> Values:
    return np.arange(STEPS, dtype=np.float64)


def onset(chance: Chance) -> int:
    return int(chance.integers(14 * DAY, 30 * DAY))


def _grown(chance: Chance, begins: int, hours: float, power: float, base: float) -> Values:
    """Up from ``base``, full ``hours`` after it began, and cleared a few hours later."""
    z = np.maximum(every_hour() - begins, 0.0) / hours
    values = base + (FULL + 0.01 - base) * z**power
    full = int(np.flatnonzero(z >= 1.0)[0]) if (z >= 1.0).any() else STEPS
    mended = full + int(chance.integers(4, 10))
    values[mended:] = base
    return values


# ---- what runs out


def _disk_linear(chance: Chance) -> tuple[Values, int]:
    begins = onset(chance)
    hours = chance.uniform(4, 28) * DAY
    return _grown(chance, begins, hours, 1.0, chance.uniform(0.2, 0.6)), begins


def _disk_fast(chance: Chance) -> tuple[Values, int]:
    begins = onset(chance)
    return _grown(
        chance, begins, chance.uniform(1.5, 4) * DAY, 1.0, chance.uniform(0.1, 0.5)
    ), begins


def _disk_accelerating(chance: Chance) -> tuple[Values, int]:
    begins = onset(chance)
    hours = chance.uniform(8, 25) * DAY
    return _grown(chance, begins, hours, chance.uniform(1.5, 2.5), chance.uniform(0.2, 0.5)), begins


def _disk_bursty(chance: Chance) -> tuple[Values, int]:
    """Uploads of random size at random times, some a day."""
    begins = onset(chance)
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
    begins = onset(chance)
    hour = every_hour()
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
    begins = onset(chance)
    hours, base = chance.uniform(3, 10) * DAY, chance.uniform(0.2, 0.45)
    age = np.maximum(every_hour() - begins, 0.0) % (hours + 4)
    return base + (FULL + 0.02 - base) * age / hours, begins


def _leak_with_restarts(chance: Chance) -> tuple[Values, int]:
    """Weekly deploys restart it; a version leaks so fast that it no longer lasts the week."""
    deploy = int(chance.integers(0, 5)) * DAY + 10
    first = int(chance.integers(2, 4))
    begins = deploy + first * 7 * DAY
    slow = chance.uniform(0.0, 0.2) / (7 * DAY)
    hours, base = chance.uniform(3.5, 6) * DAY, chance.uniform(0.25, 0.45)
    hour = every_hour()
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
    hour, base = every_hour(), chance.uniform(0.2, 0.5)
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
        level = (every_hour() + chance.integers(every)) % every / every
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
    begins = onset(chance)
    age = every_hour() - np.where(every_hour() >= begins, begins, -20 * DAY)
    return top - (top - base) * np.exp(-age / theta)


def _bulk(chance: Chance) -> Values:
    """One or two loads of some hours each, and then nothing."""
    values = np.full(STEPS, chance.uniform(0.15, 0.35))
    for _ in range(int(chance.integers(1, 3))):
        first, hours = onset(chance), chance.uniform(2, 16)
        values += chance.uniform(0.1, 0.28) * np.clip((every_hour() - first) / hours, 0.0, 1.0)
    return values


def _weekly(chance: Chance) -> Values:
    """It follows demand: up to the middle of the week, down at its end."""
    week = 2 * np.pi * (every_hour() / (7 * DAY) - chance.uniform(0, 1))
    day = 2 * np.pi * (every_hour() - 14) / DAY
    high = chance.uniform(0.05, 0.15)
    return chance.uniform(0.4, 0.65) + high * np.sin(week) + chance.uniform(0, 0.08) * np.cos(day)


def _slow(chance: Chance) -> Values:
    """It grows, but would not be full for months."""
    base = chance.uniform(0.2, 0.5)
    return base + chance.uniform(0.02, 0.2) * every_hour() / STEPS


def _stops(chance: Chance) -> Values:
    """Growth for a week or two that ends well below the limit."""
    begins, hours = onset(chance), chance.uniform(5, 14) * DAY
    base, top = chance.uniform(0.1, 0.3), chance.uniform(0.4, 0.6)
    return base + (top - base) * np.clip((every_hour() - begins) / hours, 0.0, 1.0)


def _restless(chance: Chance) -> Values:
    """Up and down without aim, within bounds."""
    return chance.uniform(0.4, 0.65) + np.clip(red_noise(chance, 0.98, 0.07), -0.25, 0.25)


def _deploys(chance: Chance) -> Values:
    """Every version takes a little more or less; a mild leak ends with each deploy."""
    deploys = chance.random(STEPS) < 1 / (4 * DAY)
    version = np.cumsum(deploys)
    level = chance.uniform(0.3, 0.55, version[-1] + 1)[version]
    last = np.maximum.accumulate(np.where(deploys, every_hour(), 0.0))
    leaked: Values = level + chance.uniform(0.0, 0.02) / DAY * (every_hour() - last)
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
