"""All anomalies of many signals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.foreseen import Anomaly
from models.signals import SignalKey, Signals
from optimizer.anomalies.follow import ALARM, ALARM_RARITY, EXPECTED, RARITY, VALUE, follow
from optimizer.anomalies.state import REST_STEPS, new_state
from optimizer.anomalies.stream import sureness
from optimizer.anomalies.words import why


@dataclass(frozen=True, slots=True)
class Known:
    """A stretch that is known to be unusual, such as maintenance: no alarm, and nothing is learnt.

    Of one service, or of all without one.
    """

    starts: datetime
    ends: datetime
    service: str = ""

    def covers(self, key: SignalKey) -> bool:
        return self.service in ("", key.service)


def detect(
    signals: Signals, known: Sequence[Known] = (), least: float = ALARM_RARITY
) -> tuple[Anomaly, ...]:
    """By key, then by time; every value is judged by those before it only.

    ``least``: as rare as once in 10^least steps, or no anomaly.
    """
    at_s = signals.starts.timestamp() + signals.step_s * np.arange(signals.steps, dtype=np.float64)
    found: list[Anomaly] = []
    for key, measured in zip(signals.keys, signals.values, strict=True):
        values = measured
        for stretch in known:
            if stretch.covers(key):
                began = at_s + signals.step_s > stretch.starts.timestamp()
                values = np.where(began & (at_s < stretch.ends.timestamp()), np.nan, values)
        facts = follow(new_state(), at_s, values, float(signals.step_s), float(least))
        found += _events(signals, key, facts, least)
    return tuple(found)


def _events(
    signals: Signals, key: SignalKey, facts: NDArray[np.float64], least: float
) -> Iterator[Anomaly]:
    """From an alarm to the last step that strays with less than ``REST_STEPS`` of peace before.

    Figures and words are those of the alarm, where a spike is a spike: later on, means that still
    hold it are often rarer than it was. The score is that of the rarest step.
    """
    stray = np.flatnonzero(facts[:, RARITY] >= least)
    alarms = np.flatnonzero(facts[:, ALARM] == 1.0)
    for alarm, following in pairwise([*alarms, signals.steps]):
        steps = stray[(stray >= alarm) & (stray < following)]
        ended = np.flatnonzero(np.diff(steps) > REST_STEPS)
        steps = steps[: ended[0] + 1] if ended.size else steps
        yield Anomaly(
            key=key,
            starts=signals.at(int(alarm)),
            ends=signals.at(int(steps[-1]) + 1),
            score=sureness(facts[steps, RARITY].max()),
            value=float(facts[alarm, VALUE]),
            expected=float(facts[alarm, EXPECTED]),
            why=why(facts[alarm]),
        )
