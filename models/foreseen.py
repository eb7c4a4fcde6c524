"""What strays from the usual, what is going to happen, and what belongs together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.signals import SignalKey


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A stretch of a series that strays from what was expected of it.

    ``starts``: the first step that strays; ``ends``: the end of the last one. ``score``: how sure,
    0 to 1, at its rarest. ``value`` and ``expected`` are those of the step that raised the alarm,
    in the signal's unit. ``why`` says in words what strayed then, and by how much.
    """

    key: SignalKey
    starts: datetime
    ends: datetime
    score: float
    value: float
    expected: float
    why: str


class Kind(StrEnum):
    """What is going to happen."""

    SURGE = "surge"
    DROP = "drop"
    BOTTLENECK = "bottleneck"
    EXHAUSTION = "exhaustion"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Prediction:
    """Something that is going to happen, unless somebody acts.

    ``made_at``: what was known then. ``expected_at``: when it is most likely to happen;
    ``earliest_at``: not before that, with nine chances in ten. ``probability``: that it happens
    within the horizon that was looked at. ``evidence``: what speaks for it, in words with figures.
    ``of`` is the service, ``what`` what breaks or runs out: a signal, quota, budget, instance.
    ``since``: it is so already, since then; None: it is still to come.
    """

    kind: Kind
    of: str
    what: str
    made_at: datetime
    earliest_at: datetime
    expected_at: datetime
    probability: float
    evidence: tuple[str, ...]
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Anomalies that have one cause.

    ``root``: the one that the others follow from, as far as calls and times tell; ``why`` says so.
    """

    root: Anomaly
    anomalies: tuple[Anomaly, ...]
    why: str
