"""Which anomaly may follow from which, and how likely it looks.

Harm (latency, errors) spreads from a service to those that call it; load spreads from callers to
whom they call, so that services with a caller in common tell of the same surge; what a service runs
on harms the service. A rule speaks of kinds of signals and of
where they are measured; times and the series themselves say how well a pair fits it.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.foreseen import Anomaly
from models.signals import SignalKey, Signals
from optimizer.incidents.places import Calls, Place, place_of

LOOK_BACK: Final = timedelta(hours=1)
"""What series are compared over, before the earlier one strays."""
LEAST_CORRELATION: Final = 0.3
_LEAST_POINTS: Final = 8
_LAGS: Final = range(-3, 4)
"""Steps by which one series may be behind the other."""


class Group(Enum):
    """What kind of thing a signal tells of."""

    LOAD = "load"
    RESOURCE = "resource"
    HARM = "harm"


class Way(Enum):
    """Where an effect is, seen from its cause."""

    HERE = "here"
    UP = "up"
    DOWN = "down"
    BESIDE = "beside"  # below a common caller


_RESOURCES: Final = frozenset(
    {"cpu_share", "memory_share", "disk_share", "replicas", "restarts_per_hour"}
)
_RULES: Final = {
    (Group.HARM, Group.HARM): {Way.HERE, Way.UP},
    (Group.RESOURCE, Group.HARM): {Way.HERE, Way.UP},
    (Group.RESOURCE, Group.RESOURCE): {Way.HERE},
    (Group.LOAD, Group.LOAD): {Way.HERE, Way.DOWN, Way.BESIDE},
    (Group.LOAD, Group.RESOURCE): {Way.HERE, Way.DOWN},  # more load only
    (Group.LOAD, Group.HARM): {Way.HERE, Way.DOWN},  # more load only
    (Group.HARM, Group.LOAD): {Way.HERE, Way.UP, Way.DOWN},  # less load only
    (Group.RESOURCE, Group.LOAD): {Way.HERE, Way.DOWN},  # less load only
}


def group_of(key: SignalKey) -> Group:
    if key.signal == "requests_rps":
        return Group.LOAD
    return Group.RESOURCE if key.signal in _RESOURCES else Group.HARM


class Causes:
    """Judges pairs of anomalies.

    ``signals``, where given, tell whether two series move together; ``lag`` is the time that an
    effect, or its detection, may take.
    """

    def __init__(self, calls: Calls, signals: Signals | None, lag: timedelta) -> None:
        self._calls = calls
        self._signals = signals
        self._rows = {key: i for i, key in enumerate(signals.keys)} if signals else {}
        self._lag_s = lag.total_seconds()
        self._reach: dict[Place, dict[Place, dict[Way, float]]] = {}
        self._alike: dict[frozenset[Anomaly], float] = {}

    def weight(self, cause: Anomaly, effect: Anomaly) -> float:
        """How well ``cause`` explains ``effect``: 0 not at all, 1 as well as can be."""
        weight = self._by_rule(cause, effect)
        if weight:
            weight *= self._by_time(cause, effect)
        return weight * self._by_series(cause, effect) if weight else 0.0

    def while_felt(self, cause: Anomaly) -> tuple[datetime, datetime]:
        """When an effect of it may start."""
        lag = timedelta(seconds=self._lag_s)
        return cause.starts - lag, cause.ends + lag

    def near(self, place: Place) -> dict[Place, dict[Way, float]]:
        """Places that a cause may act on from ``place``, and how far off they are."""
        found = self._reach.get(place)
        if found is None:
            found = self._reach[place] = {place: {Way.HERE: 1.0}}
            for way, places in (
                (Way.UP, self._calls.above(place)),
                (Way.DOWN, self._calls.below(place)),
                (Way.BESIDE, self._calls.beside(place)),
            ):
                for other, weight in places.items():
                    found.setdefault(other, {})[way] = weight
        return found

    def _by_rule(self, cause: Anomaly, effect: Anomaly) -> float:
        groups = (group_of(cause.key), group_of(effect.key))
        ways = _RULES.get(groups)
        if ways is None:
            return 0.0
        more, less = cause.value > cause.expected, effect.value < effect.expected
        if groups[0] is Group.LOAD and groups[1] is not Group.LOAD and not more:
            return 0.0
        if groups[1] is Group.LOAD and groups[0] is not Group.LOAD and not less:
            return 0.0
        if groups == (Group.LOAD, Group.LOAD) and more is less:
            return 0.0
        reach = self.near(place_of(cause.key)).get(place_of(effect.key), {})
        weight = max((reach[way] for way in ways if way in reach), default=0.0)
        if not weight and cause.key.instance and cause.key.instance == effect.key.instance:
            weight = 1.0 if groups == (Group.RESOURCE, Group.HARM) else 0.0
        return weight

    def _by_time(self, cause: Anomaly, effect: Anomaly) -> float:
        """Falls with the time between their starts, and where the cause ends long before."""
        ahead_s = (effect.starts - cause.starts).total_seconds()
        after_s = (effect.starts - cause.ends).total_seconds()
        if ahead_s < -self._lag_s or after_s > self._lag_s:
            return 0.0
        lasts_s = max((effect.ends - effect.starts).total_seconds(), 1.0)
        both_s = (min(cause.ends, effect.ends) - max(cause.starts, effect.starts)).total_seconds()
        covered = min(1.0, max(both_s + self._lag_s, 0.0) / lasts_s)
        return covered * math.exp(-abs(ahead_s) / (3 * self._lag_s))

    def _by_series(self, cause: Anomaly, effect: Anomaly) -> float:
        """The correlation of both series; 1 where too little is known to say."""
        if self._signals is None or not {cause.key, effect.key} <= self._rows.keys():
            return 1.0
        pair = frozenset((cause, effect))
        if pair not in self._alike:  # it is the same the other way round
            self._alike[pair] = self._likeness(cause, effect)
        return self._alike[pair]

    def _likeness(self, cause: Anomaly, effect: Anomaly) -> float:
        since = min(cause.starts, effect.starts) - LOOK_BACK
        until = max(cause.ends, effect.ends)
        found = _correlation(
            *(self._part(one.key, since, until) for one in (cause, effect))
        )  # fmt: skip
        if found is None:
            return 1.0
        return found if found >= LEAST_CORRELATION else 0.0

    def _part(self, key: SignalKey, since: datetime, until: datetime) -> NDArray[np.float64]:
        signals = self._signals
        assert signals is not None  # noqa: S101 - asked for by _by_series only
        first, last = (
            math.floor((at - signals.starts).total_seconds() / signals.step_s)
            for at in (since, until)
        )
        part: NDArray[np.float64] = signals.values[self._rows[key], max(first, 0) : max(last, 0)]
        return part


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """The largest absolute correlation of ranks over ``_LAGS``; None with too few points.

    Ranks, so that one extreme value does not stand for all.
    """
    best = None
    for lag in _LAGS:
        x, y = (a[lag:], b[: len(b) - lag]) if lag >= 0 else (a[:lag], b[-lag:])
        known = ~(np.isnan(x) | np.isnan(y))
        if known.sum() < _LEAST_POINTS:
            continue
        x, y = (_ranks(one[known]) for one in (x, y))
        spread = x.std() * y.std()
        found = abs(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else 0.0
        best = found if best is None else max(best, found)
    return best


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks; those of equal values are their mean."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[where], np.float64)
