"""Companies of twenty services whose failures are planted, and what strays then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.foreseen import Anomaly
from models.signals import SignalKey, Signals

STARTS = datetime(2026, 3, 2, tzinfo=UTC)
STEPS = 480
SERVICES = 20
STEP_S = 60
SIGNALS = ("requests_rps", "errors_rps", "latency_p95_ms", "cpu_share")
LEARNT = 240  # steps in which nothing is planted
SURE = 6.0  # deviations from the usual at which a value strays


class Fault(StrEnum):
    """What is planted."""

    SLOW = "slow"
    FAILING = "failing"
    SATURATED = "saturated"
    SURGE = "surge"


@dataclass(frozen=True)
class Planted:
    """``steps`` from ``at`` on, ``service`` suffers ``fault``."""

    service: int
    fault: Fault
    at: int
    steps: int


@dataclass(frozen=True, eq=False)
class Company:
    """``calls`` [caller, callee] per request; services are numbered from the users inwards."""

    calls: NDArray[np.float64]
    signals: Signals
    planted: tuple[Planted, ...]
    anomalies: tuple[Anomaly, ...]

    def edges(self) -> list[tuple[str, str]]:
        return [(name(int(a)), name(int(b))) for a, b in np.argwhere(self.calls > 0)]


def name(service: int) -> str:
    return f"s{service:02d}"


def company(seed: int, causes: int = 1, missed: float = 0.0, false_alarms: int = 0) -> Company:
    """A company in which ``causes`` fail at about the same time.

    ``missed``: share of anomalies that a detector overlooks; ``false_alarms``: anomalies of
    anything, at about that time, that nothing causes.
    """
    chance = np.random.default_rng(seed)
    calls = _calls(chance)
    reach = _reaches(calls)
    planted = tuple(_plant(chance, calls, reach, causes))
    series = _series(chance, calls, planted)
    keys = tuple(sorted(SignalKey(signal, name(s)) for signal in SIGNALS for s in range(SERVICES)))
    values = np.array([series[key.signal][int(key.service[1:])] for key in keys])
    signals = Signals(STARTS, STEP_S, keys, values)
    found = [one for one in _straying(signals) if chance.random() >= missed]
    found += [_false_alarm(chance, signals, planted) for _ in range(false_alarms)]
    return Company(calls, signals, planted, tuple(found))


def _calls(chance: np.random.Generator) -> NDArray[np.float64]:
    """Every service but the first is called by one or two of those before it."""
    calls = np.zeros((SERVICES, SERVICES))
    for callee in range(1, SERVICES):
        near = np.arange(max(0, callee - 7), callee)
        for caller in chance.choice(near, min(len(near), int(chance.integers(1, 3))), False):
            calls[caller, callee] = chance.choice([0.5, 1.0, 2.0])
    return calls


def _reaches(calls: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether [service] calls [other], however far."""
    reach = calls > 0
    for _ in range(SERVICES):
        reach = reach | (reach @ reach)
    return reach


def _plant(
    chance: np.random.Generator,
    calls: NDArray[np.float64],
    reach: NDArray[np.bool_],
    causes: int,
) -> Iterator[Planted]:
    """Faults in services that others call, none of which reaches another; surges at the door."""
    begins = int(chance.integers(LEARNT + 10, STEPS - 90))
    chosen: list[int] = []
    for service in chance.permutation(np.arange(1, SERVICES)).tolist():
        if len(chosen) == causes:
            break
        if any(reach[service, other] or reach[other, service] for other in chosen):
            continue
        chosen.append(service)
        surge = causes == 1 and chance.random() < 0.2
        fault = Fault.SURGE if surge else Fault(
            chance.choice([Fault.SLOW, Fault.FAILING, Fault.SATURATED])
        )  # fmt: skip
        yield Planted(
            0 if surge else service, fault, begins + int(chance.integers(0, 4)),
            int(chance.integers(15, 45)),
        )  # fmt: skip


def _series(
    chance: np.random.Generator, calls: NDArray[np.float64], planted: tuple[Planted, ...]
) -> dict[str, NDArray[np.float64]]:
    """Signals [service, step]. Harm goes up against the calls, load down with them."""
    step = np.arange(STEPS)
    users = 50 * (1 + 0.2 * np.sin(2 * np.pi * step / 1440)) * np.ones(STEPS)
    own_ms = chance.uniform(5, 40, SERVICES)[:, None] * np.ones(STEPS)
    own_errors = np.full((SERVICES, STEPS), 0.002)
    cpu_each = chance.uniform(0.2, 0.5, SERVICES)[:, None]
    cpu_more = np.zeros((SERVICES, STEPS))
    for one in planted:
        during = slice(one.at, one.at + one.steps)
        if one.fault is Fault.SURGE:
            users[during] *= chance.uniform(2, 3)
        if one.fault in (Fault.SLOW, Fault.SATURATED):
            own_ms[one.service, during] += chance.uniform(200, 800)
        if one.fault is Fault.SATURATED:
            cpu_more[one.service, during] = 0.45
        if one.fault is Fault.FAILING:
            own_errors[one.service, during] += chance.uniform(0.1, 0.5)
    load = np.zeros((SERVICES, STEPS))
    load[0] = users
    for s in range(1, SERVICES):
        load[s] = calls[:, s] @ load
    latency, failing = own_ms.copy(), own_errors.copy()
    for s in reversed(range(SERVICES)):
        for callee in np.flatnonzero(calls[s]):
            delay = int(chance.integers(0, 2))
            below_ms, below = (_later(one[callee], delay) for one in (latency, failing))
            latency[s] += calls[s, callee] * below_ms
            kept = 1 - np.minimum(calls[s, callee], 1) * chance.uniform(0.5, 1) * below
            failing[s] = 1 - (1 - failing[s]) * kept
    noise = np.exp(chance.normal(0, 0.08, (4, SERVICES, STEPS)))
    requests = load * noise[0]
    usual = load[:, :LEARNT].mean(axis=1, keepdims=True)
    return {
        "requests_rps": requests,
        "errors_rps": chance.poisson(requests * failing * STEP_S) / STEP_S,
        "latency_p95_ms": latency * noise[2],
        "cpu_share": np.minimum(cpu_each * load / usual + cpu_more, 1) * noise[3],
    }


def _later(values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    return np.concatenate([values[:steps], values[: len(values) - steps]])


def _straying(signals: Signals) -> Iterator[Anomaly]:
    """Stretches of two steps and more that are far from the median of what was learnt."""
    usual = np.median(signals.values[:, :LEARNT], axis=1, keepdims=True)
    spread = 1.4826 * np.median(np.abs(signals.values[:, :LEARNT] - usual), axis=1, keepdims=True)
    deviations = np.abs(signals.values - usual) / np.maximum(spread, 0.02 * usual + 1e-9)
    for i, key in enumerate(signals.keys):
        straying = np.flatnonzero(deviations[i] >= SURE)
        for stretch in np.split(straying, np.flatnonzero(np.diff(straying) > 3) + 1):
            if len(stretch) < 2:
                continue
            most = stretch[deviations[i, stretch].argmax()]
            yield Anomaly(
                key, signals.at(int(stretch[0])), signals.at(int(stretch[-1]) + 1),
                float(1 - np.exp(-deviations[i, most] / SURE)), float(signals.values[i, most]),
                float(usual[i, 0]), "far from the median",
            )  # fmt: skip


def _false_alarm(
    chance: np.random.Generator, signals: Signals, planted: tuple[Planted, ...]
) -> Anomaly:
    """A short stretch of any series, near the first fault."""
    i = int(chance.integers(len(signals.keys)))
    at = planted[0].at + int(chance.integers(-10, 20))
    value = float(signals.values[i, at])
    return Anomaly(
        signals.keys[i], signals.at(at), signals.at(at + int(chance.integers(1, 6))),
        float(chance.uniform(0.5, 0.8)), value * float(chance.choice([0.5, 2.0])), value,
        "a false alarm",
    )  # fmt: skip
