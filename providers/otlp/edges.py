"""The values of services, instances and edges in a step."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.signals import SignalKey
from providers.otlp.calls import Calls
from providers.otlp.measures import Measures, measure
from providers.otlp.names import FORGET_AFTER_S, NOTHING, OTHER
from providers.otlp.spans import Registers

MOST_EDGES: Final = 10_000
Values = dict[SignalKey, float]
_OF_INSTANCES: Final = ("requests_rps", "errors_rps", "latency_p95_ms")


def values_of_services(calls: Calls, names: Registers, step_s: int) -> Values:
    """What services and their instances served in a step; 0 where they sent spans of something
    else only."""
    values: Values = {}
    for number in calls.seen.tolist():
        _nothing(values, names.services.name(number))
    whole = _measured(calls.requests, "service")
    for i, number in enumerate(whole.groups.tolist()):
        _fill(values, whole, i, step_s, service=names.services.name(number))
    parts = _measured(calls.requests, "service", "instance")
    for i, pair in enumerate(parts.groups.tolist()):
        service, instance = _split(pair)
        if instance != NOTHING:
            ends = (names.services.name(service), names.instances.name(instance))
            _fill(values, parts, i, step_s, _OF_INSTANCES, service=ends[0], instance=ends[1])
    return values


class Edges:
    """The calls between services that are known, and whom peers turned out to be."""

    def __init__(self, most: int) -> None:
        self.folded = 0
        self._most = most
        self._seen_at: dict[tuple[str, str], float] = {}
        self._reached: dict[tuple[str, str], tuple[str, float]] = {}

    def put(self, values: Values, calls: Calls, names: Registers,
            step_s: int, at: float) -> None:  # fmt: skip
        """Add the values of all edges in a step that starts at ``at``.

        An edge without a call is 0 when its caller sent spans of the step, and a gap otherwise.
        """
        self._learn(calls.calls, names, at)
        ends: dict[tuple[str, str], int] = {}
        numbers = np.concatenate([
            self._numbers(calls.calls, names, ends, "callee", at),
            self._numbers(calls.unanswered, names, ends, "peer", at),
        ])  # fmt: skip
        both = np.concatenate([calls.calls, calls.unanswered])
        found = measure(numbers, both["ms"], both["failed"], both["weight"])
        edges = list(ends)
        present = set(map(names.services.name, calls.seen.tolist()))
        for caller, callee in self._seen_at:
            if caller in present:
                _nothing(values, caller, callee)
        for i, number in enumerate(found.groups):
            caller, callee = edges[int(number)]
            _fill(values, found, i, step_s, service=caller, callee=callee)
        self._forget(at)

    def _learn(self, calls: NDArray[Any], names: Registers, at: float) -> None:
        told = calls[calls["peer"] != NOTHING]
        _, first = np.unique(
            np.stack([told[name] for name in ("service", "peer", "callee")]).astype(np.int64).T
            @ (1 << 42, 1 << 21, 1),  # numbers of names are below 2²¹
            return_index=True,
        )
        for service, peer, callee in told[first][["service", "peer", "callee"]].tolist():
            key = (names.services.name(service), names.peers.name(peer))
            self._reached[key] = (names.services.name(callee), at)

    def _numbers(self, rows: NDArray[Any], names: Registers, ends: dict[tuple[str, str], int],
                 column: str, at: float) -> NDArray[np.int64]:  # fmt: skip
        """The number of the edge of every row; ``ends`` are the edges, by number."""
        pairs = _pairs(rows, "service", column)
        distinct, back = np.unique(pairs, return_inverse=True)
        made = np.empty(len(distinct), np.int64)
        for i, pair in enumerate(distinct.tolist()):
            service, other = _split(pair)
            caller = names.services.name(service)
            if column == "callee":
                callee = names.services.name(other)
            else:
                peer = names.peers.name(other)
                callee = self._reached.get((caller, peer), (peer, at))[0]
            made[i] = ends.setdefault(self._known(caller, callee, at), len(ends))
        return np.asarray(made[back])

    def _known(self, caller: str, callee: str, at: float) -> tuple[str, str]:
        edge = (caller, callee)
        if edge not in self._seen_at and len(self._seen_at) >= self._most:
            self.folded += 1
            return (OTHER, OTHER)
        self._seen_at[edge] = at
        return edge

    def _forget(self, at: float) -> None:
        old = at - FORGET_AFTER_S
        self._seen_at = {edge: t for edge, t in self._seen_at.items() if t >= old}
        self._reached = {key: one for key, one in self._reached.items() if one[1] >= old}


def _nothing(values: Values, service: str, callee: str = "") -> None:
    for name in ("requests_rps", "errors_rps"):
        values[SignalKey(name, service, callee=callee)] = 0.0


def _pairs(rows: NDArray[Any], one: str, other: str) -> NDArray[np.int64]:
    return np.asarray((rows[one].astype(np.int64) << 32) | rows[other])


def _split(pair: int) -> tuple[int, int]:
    return pair >> 32, pair & 0xFFFFFFFF


def _measured(rows: NDArray[Any], one: str, other: str | None = None) -> Measures:
    groups = rows[one].astype(np.int64) if other is None else _pairs(rows, one, other)
    return measure(groups, rows["ms"], rows["failed"], rows["weight"])


def _fill(values: Values, found: Measures, i: int, step_s: int,
          only: tuple[str, ...] = (), *, service: str, instance: str = "",
          callee: str = "") -> None:  # fmt: skip
    """Write the measures of group ``i``."""
    measured = {
        "requests_rps": found.calls[i] / step_s,
        "errors_rps": found.errors[i] / step_s,
        **{name: row[i] for name, row in found.latency_ms.items()},
    }
    for name, value in measured.items():
        if not only or name in only:
            key = SignalKey(name, service, instance=instance, callee=callee)
            values[key] = float(value)
