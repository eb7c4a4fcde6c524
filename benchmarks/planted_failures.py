"""Services that fail, with signs before it, and signs that nothing follows.

By the hour, for 60 days: requests, errors, latency, memory, and restarts of two instances. A
service fails when at least 5 % of its requests do, or when an instance restarts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.planted import DAY, STARTS, STEPS, Chance, Values, every_hour, red_noise, with_gaps
from models.signals import SignalKey, Signals

FAILS_AT: Final = 0.05
TROUBLES: Final = 3
LEAD: Final = 3
_APART: Final = 12 * DAY
_DOWN: Final = 0.4


@dataclass(eq=False)
class Life:
    """What is drawn of one service, changed as trouble is planted in it.

    ``share`` of requests that fail; ``slower``: latency as a multiple; ``memory``; ``restarts``
    [instance, step]; ``troubles``: (begins, happens).
    """

    share: Values
    slower: Values
    memory: Values
    restarts: Values
    troubles: list[tuple[int, int]]

    def crashes(self, at: int, lasts: int) -> None:
        self.share[at : at + lasts] = _DOWN
        self.restarts[0, at] += 1


@dataclass(frozen=True, eq=False)
class PlantedFailures:
    """``troubles``: (begins, happens) of each; ``failed``: all steps in which the service did."""

    case: str
    signals: Signals
    troubles: tuple[tuple[int, int], ...]
    failed: tuple[int, ...]


def planted_failures(seed: int, case: str) -> PlantedFailures:
    """One service; everything follows from the seed."""
    chance = np.random.default_rng([seed, 2000 + FAILURES.index(case)])
    wave = 1.0 + chance.uniform(0.1, 0.5) * np.sin(2 * np.pi * (every_hour() - 9) / DAY)
    rps = chance.lognormal(3.5, 0.8) * wave * np.exp(red_noise(chance, 0.7, 0.05))
    usual = 10.0 ** chance.uniform(-3.5, -2.5)
    life = Life(
        usual * np.exp(red_noise(chance, 0.5, chance.choice([0.1, 0.3]))),
        np.ones(STEPS),
        chance.uniform(0.3, 0.6) + 0.02 * (wave - 1.0) + red_noise(chance, 0.8, 0.006),
        np.zeros((2, STEPS)),
        [],
    )
    for k in range(TROUBLES):
        at = 20 * DAY + k * _APART + int(chance.integers(0, 6 * DAY))
        _PLANTED[case](chance, life, at)
    requests = np.round(rps * 3600)
    errors = chance.binomial(requests.astype(np.int64), np.clip(life.share, 0.0, 1.0)) / 3600
    latency = chance.uniform(20, 200) * wave**0.5 * life.slower
    rows = {
        SignalKey("requests_rps", case): requests / 3600,
        SignalKey("errors_rps", case): errors,
        SignalKey("latency_p95_ms", case): latency * np.exp(chance.normal(0, 0.05, STEPS)),
        SignalKey("memory_share", case): np.clip(life.memory, 0.0, 0.99),
    }
    rows = {key: with_gaps(values, chance) for key, values in rows.items()}
    for i, counts in enumerate(life.restarts):
        rows[SignalKey("restarts_per_hour", case, instance=f"i-{i}")] = counts
    keys = tuple(sorted(rows))
    failed = np.flatnonzero((life.share >= FAILS_AT) | life.restarts.any(axis=0))
    return PlantedFailures(
        case,
        Signals(STARTS, 3600, keys, np.stack([rows[key] for key in keys])),
        tuple(life.troubles),
        tuple(failed.tolist()),
    )


# ---- what fails


def _errors_grow(chance: Chance, life: Life, at: int) -> None:
    """Ever more requests fail, for one to four days, until most do."""
    lasts = int(chance.integers(DAY, 4 * DAY))
    now = life.share[at]
    grown = now * (0.07 / now) ** (np.arange(lasts + 1) / lasts)
    life.share[at : at + lasts + 1] = np.maximum(life.share[at : at + lasts + 1], grown)
    happens = at + int((life.share[at : at + lasts + 1] >= FAILS_AT).argmax())
    life.crashes(at + lasts, int(chance.integers(1, 5)))
    life.troubles.append((at, happens))


def _error_bursts(chance: Chance, life: Life, at: int) -> None:
    """Hours in which some requests fail, closer and closer together, and then most do."""
    happens = at + int(chance.integers(18, 2 * DAY))
    before = happens - np.unique(np.geomspace(2, happens - at, int(chance.integers(4, 9))).round())
    for hour in before.astype(int):
        life.share[hour] = max(life.share[hour], chance.uniform(0.005, 0.035))
    life.crashes(happens, int(chance.integers(1, 5)))
    life.troubles.append((at, happens))


def _flapping(chance: Chance, life: Life, at: int) -> None:
    """An instance restarts every few hours, for a day or two."""
    every = chance.uniform(1.5, 6)
    gaps = chance.exponential(every, 40)
    when = at + np.cumsum(np.maximum(gaps, 1.0)).astype(int)
    when = when[when < at + int(chance.integers(DAY, 3 * DAY))]
    when = when if when.size > 3 else at + 4 * np.arange(1, 6)
    life.restarts[0, when] += 1
    life.troubles.append((int(when[1]), int(when[3])))


def _memory_strays(chance: Chance, life: Life, at: int) -> None:
    """Memory jumps, or answers become slow; six to thirty hours later it crashes."""
    happens = at + int(chance.integers(6, 30))
    if chance.random() < 0.5:
        life.memory[at:happens] += chance.uniform(0.1, 0.3)
    else:
        life.slower[at:happens] *= chance.uniform(1.4, 2.5)
    life.crashes(happens, int(chance.integers(1, 4)))
    life.troubles.append((at, happens))


# ---- what only looks like it


def _calm(chance: Chance, life: Life, at: int) -> None:
    """Nothing."""


def _deploys(chance: Chance, life: Life, at: int) -> None:
    """Both instances restart once, as of a new version."""
    life.restarts[:, at] += 1


def _lone_anomaly(chance: Chance, life: Life, at: int) -> None:
    """Some odd hours of memory, latency or errors, and that is all."""
    lasts = int(chance.integers(2, 10))
    which = chance.integers(3)
    if which == 0:
        life.memory[at : at + lasts] += chance.uniform(0.1, 0.3)
    elif which == 1:
        life.slower[at : at + lasts] *= chance.uniform(1.4, 2.5)
    else:
        life.share[at : at + lasts] = chance.uniform(0.005, 0.03)


def _new_level(chance: Chance, life: Life, at: int) -> None:
    """A version with more errors, or slower, that stays so."""
    if chance.random() < 0.5:
        life.share[at:] = np.minimum(life.share[at:] * chance.uniform(1.5, 3.0), 0.02)
    else:
        life.slower[at:] *= chance.uniform(1.1, 1.5)


_PLANTED: Final[dict[str, Callable[[Chance, Life, int], None]]] = {
    "errors-grow": _errors_grow,
    "error-bursts": _error_bursts,
    "flapping": _flapping,
    "memory-strays": _memory_strays,
    "calm": _calm,
    "deploys": _deploys,
    "lone-anomaly": _lone_anomaly,
    "new-level": _new_level,
}
FAILURES: Final = tuple(_PLANTED)
