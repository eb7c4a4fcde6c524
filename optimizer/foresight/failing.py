"""One prediction that a service fails, made of all that speaks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.foreseen import Anomaly, Kind, Prediction
from models.signals import SignalKey, Signals
from optimizer.foresight.failures import FAILS_AT
from optimizer.foresight.saying import EARLIEST, Moment

Values = NDArray[np.float64]

FRESH: Final = timedelta(hours=24)
"""An anomaly that began no longer ago speaks for a failure within as long."""

FOLLOWS: Final[Mapping[str, float]] = {
    "latency_p95_ms": 6.0, "memory_share": 5.0, "errors_rps": 3.0, "requests_rps": 1.7,
}  # fmt: skip
"""By how much an anomaly of a signal raises the odds to fail within a day, where nothing else
speaks for it: measured on planted failures of the benchmark, seeds 0 to 11. Of other signals
nothing was measured that tells more than their own predictions do: 1.
"""

TOLD: Final = 0.05
"""Parts of at least this chance are named."""

_POINTS: Final = 400
_APART_STEPS: Final = 6
_MOST_ANOMALIES: Final = 3


def failing(
    parts: Sequence[Prediction], signals: Signals, moment: Moment, anomalies: Sequence[Anomaly]
) -> tuple[Prediction, ...]:
    """For every service of ``parts`` or with a fresh anomaly: the chance that any of it happens,

        P(t) = 1 − Π (1 − Pᵢ(t)),

    parts taken as independent, each with its chance and evidence. What an anomaly of a signal adds
    is a part of its own (``_after_anomalies``).
    """
    by_service: dict[str, list[Prediction]] = {}
    for one in (*parts, *_after_anomalies(signals, moment, anomalies)):
        by_service.setdefault(one.of, []).append(one)
    return tuple(_together(own, moment) for _, own in sorted(by_service.items()))


def _together(parts: Sequence[Prediction], moment: Moment) -> Prediction:
    parts = sorted(parts, key=lambda one: -one.probability)
    hours = np.linspace(0.0, moment.horizon / timedelta(hours=1), _POINTS)
    none = np.prod([1.0 - _reached(one, hours) for one in parts], axis=0)
    reached = 1.0 - none
    chance = float(reached[-1])
    first, middle = (
        timedelta(hours=float(hours[(reached >= share * chance).argmax()]))
        for share in (EARLIEST, 0.5)
    )
    told = [one for one in parts if one.probability >= TOLD] or parts[:1]
    evidence: list[str] = []
    for one in told:
        evidence += [f"{one.what}: {100 * one.probability:.2g} %", *one.evidence]
    begun = [one.since for one in parts if one.since is not None]
    return Prediction(
        Kind.FAILURE, parts[0].of, "; ".join(one.what for one in told), moment.made_at,
        moment.made_at + first, moment.made_at + middle, chance, tuple(evidence),
        min(begun, default=None),
    )  # fmt: skip


def _reached(one: Prediction, hours: Values) -> Values:
    """The chance [hour] that it has happened, by straight lines between what is said of it."""
    if one.since is not None:
        return np.ones(hours.shape)
    early, middle = (
        (at - one.made_at) / timedelta(hours=1) for at in (one.earliest_at, one.expected_at)
    )
    last = max(2.0 * middle - early, middle + 1e-6)  # as far behind the middle as that is wide
    at = np.maximum.accumulate([0.0, early, middle, min(last, hours[-1])])
    reached: Values = one.probability * np.interp(hours, at, [0.0, EARLIEST, 0.5, 1.0])
    reached[-1] = one.probability
    return reached


@dataclass(frozen=True, slots=True)
class _Stray:
    follows: float
    anomaly: Anomaly


def _after_anomalies(
    signals: Signals, moment: Moment, anomalies: Sequence[Anomaly]
) -> Iterator[Prediction]:
    """The chance to fail within ``FRESH`` of services with fresh anomalies.

    Odds are those of any day of the service, times ``FOLLOWS`` of the signal that tells most:
    signals stray together, so that they do not count twice.
    """
    by_service: dict[str, list[_Stray]] = {}
    for one in anomalies:
        if one.starts <= moment.made_at and moment.made_at - one.starts <= FRESH:
            stray = _Stray(FOLLOWS.get(one.key.signal, 1.0), one)
            by_service.setdefault(one.key.service, []).append(stray)
    within = min(FRESH, moment.horizon) / FRESH
    for service, strays in by_service.items():
        strays.sort(key=lambda one: (-one.follows, -one.anomaly.score))
        usual = fails_a_day(signals, service, moment.day_steps)
        odds = usual / (1.0 - usual) * strays[0].follows
        chance = 1.0 - (1.0 - odds / (1.0 + odds)) ** within
        span = min(FRESH, moment.horizon)
        more = strays[0].follows
        yield Prediction(
            Kind.FAILURE, service, "failure after an anomaly", moment.made_at,
            moment.made_at + EARLIEST * span, moment.made_at + 0.5 * span, chance,
            (
                f"it fails on {100 * usual:.2g} % of days; now with {more:.2g} times the odds",
                *(f"anomaly: {one.anomaly.key.in_words}: {one.anomaly.why}"
                  for one in strays[:_MOST_ANOMALIES]),
            ),
        )  # fmt: skip


def fails_a_day(signals: Signals, service: str, day_steps: int) -> float:
    """On what share of days at least ``FAILS_AT`` of a service's requests fail in some step; half
    a day more either way, so that what never did may.
    """
    failed = np.zeros(signals.steps, np.bool_)
    for key, values in zip(signals.keys, signals.values, strict=True):
        asked = SignalKey("requests_rps", service, key.origin, key.instance, key.callee)
        if key.signal == "errors_rps" and key.service == service and asked in signals:
            failed |= values >= FAILS_AT * np.maximum(signals.of(asked), 1e-9)
    days = -(-signals.steps // day_steps)
    bad = np.unique(np.flatnonzero(failed) // day_steps).size
    return (bad + 0.5) / (days + 1.0)
