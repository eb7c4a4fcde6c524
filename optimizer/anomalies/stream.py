"""Watch one series, value by value."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from optimizer.anomalies.follow import ALARM, ALARM_RARITY, EXPECTED, RARITY, VALUE, follow
from optimizer.anomalies.state import State, from_bytes, new_state, to_bytes
from optimizer.anomalies.words import why


@dataclass(frozen=True, slots=True)
class Score:
    """What is said of one value.

    ``rarity``: as rare once in 10^rarity steps. ``alarm``: the first step of an event. ``value``
    and ``expected``: the mean that strays most and what it usually is, in the series' unit; NaN
    while nothing is known. ``why``: the same in words.
    """

    rarity: float
    alarm: bool
    value: float
    expected: float
    why: str

    @property
    def sure(self) -> float:
        """The chance that an ordinary step is not as rare, 0 to 1."""
        return sureness(self.rarity)


def sureness(rarity: float) -> float:
    """1 - 10^-rarity."""
    return float(1.0 - 10.0**-rarity)


@dataclass(frozen=True, slots=True)
class Detector:
    """``step_s``: usual seconds between values. ``least``: the rarity that an alarm is raised for.
    The state changes with every value.
    """

    step_s: float
    least: float = ALARM_RARITY
    state: State = field(default_factory=new_state)

    def update(self, at: datetime, value: float) -> Score:
        """Judge a value by those before it, and learn it. NaN is a gap and never an alarm.

        Raises ``ValueError`` for a time without a zone.
        """
        if at.tzinfo is None:
            raise ValueError(f"{at} lacks a time zone")
        at_s = np.array([at.astimezone(UTC).timestamp()])
        values = np.array([value], dtype=np.float64)
        fact = follow(self.state, at_s, values, float(self.step_s), float(self.least))[0]
        return Score(
            rarity=float(fact[RARITY]),
            alarm=bool(fact[ALARM]),
            value=float(fact[VALUE]),
            expected=float(fact[EXPECTED]),
            why=why(fact),
        )

    def to_bytes(self) -> bytes:
        """The state, to be kept."""
        return to_bytes(self.state)

    @classmethod
    def from_bytes(cls, kept: bytes, step_s: float, least: float = ALARM_RARITY) -> Detector:
        """Go on where ``to_bytes`` was called; raises ``ValueError`` if that cannot be."""
        return cls(step_s, least, from_bytes(kept))
