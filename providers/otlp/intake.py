"""Telemetry comes in, and leaves as signals, step by step."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from models.signals import Signals
from providers.otlp.calls import calls_between
from providers.otlp.edges import MOST_EDGES, Edges, values_of_services
from providers.otlp.gauges import Gauges
from providers.otlp.logs import ErrorLines, Logs
from providers.otlp.names import FORGET_AFTER_S
from providers.otlp.spans import EARLIEST_S, LINK, SPAN, Registers, read_spans
from providers.otlp.templates import Template

NS: Final = 1_000_000_000


class Sink(Protocol):
    """Where signals go."""

    def add(self, signals: Signals) -> None: ...

    def tell(self, lines: Sequence[ErrorLines]) -> None:
        """Lines of one step that tell of errors."""


class Full(Exception):
    """There is no room before the open step is closed; ``retry_after_s`` says when that is."""

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"full for {retry_after_s:.0f} s")


@dataclass(frozen=True, slots=True)
class Pace:
    """How time is cut.

    A step of ``step_s`` is closed ``wait_s`` after its end: what comes later is late. Spans are
    remembered for ``remember_s`` after their end, for the sake of those that they called.
    ``most_spans`` are held at once.
    """

    step_s: int = 60
    wait_s: float = 30.0
    remember_s: float = 600.0
    most_spans: int = 2_000_000

    def __post_init__(self) -> None:
        if self.remember_s >= FORGET_AFTER_S:
            raise ValueError("names are forgotten before the spans that they are of")


@dataclass(slots=True)
class Tally:
    """What became of what came: counts since the start."""

    spans: Counter[str] = field(default_factory=Counter)
    log_lines: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    orphans: int = 0
    edges_folded: int = 0


class Intake:
    """Holds spans until their step closes, and hands its signals to ``sink``.

    For one thread. Times are seconds since 1970; ``began`` is when listening began: the step that
    was under way then is not whole, and left out. ``now`` never decides what a span counts for but
    by closing steps: a span belongs to the step in which it ended by the clock of its service.
    """

    def __init__(
        self,
        sink: Sink,
        began: float,
        pace: Pace = Pace(),
        known: Iterable[Template] = (),
    ) -> None:
        """``known``: templates of lines of logs that are not new."""
        self.pace = pace
        self.names = Registers()
        self.tally = Tally()
        self._sink = sink
        self._next = math.ceil(began / pace.step_s) * pace.step_s  # start of the oldest open step
        self._spans: list[NDArray[Any]] = []
        self._links: list[NDArray[Any]] = []
        self.held = 0  # spans
        self._edges = Edges(MOST_EDGES)
        self._logs = Logs(self.names, pace.step_s, known)
        self._gauges = Gauges(self.names, pace.step_s)

    def take_spans(self, request: ExportTraceServiceRequest, now: float) -> Counter[str]:
        """Keep the spans of a request; those rejected are returned, by reason.

        Raises ``Full``, and then has taken nothing.
        """
        if self.held >= self.pace.most_spans:
            self._forget(closed_only=True)
            if self.held >= self.pace.most_spans:
                raise Full(max(1.0, self._next + self.pace.step_s + self.pace.wait_s - now))
        read = read_spans(request, self.names, now)
        ancient = read.rows["ended"] - read.rows["ms"] * (NS / 1000) < EARLIEST_S * NS  # begun
        rows = read.rows[~ancient]
        late = rows["ended"] < self._next * NS
        ahead = rows["ended"] > (now + self.pace.wait_s) * NS
        self.tally.spans["late"] += int(late.sum())
        self.tally.spans["ahead"] += int(ahead.sum())
        self.tally.spans["rejected"] += read.rejected.total() + int(ancient.sum())
        self.tally.spans["accepted"] += len(rows) - int(late.sum() + ahead.sum())
        # A late one is still the parent of others; one from the future would stay for ever.
        self._spans.append(rows[~ahead])
        self.held += len(self._spans[-1])
        self._links.append(read.links)
        return read.rejected + _of_no_time(
            Counter(rejected=int(ancient.sum()), ahead=int(ahead.sum()))
        )

    def take_logs(self, request: ExportLogsServiceRequest, now: float) -> Counter[str]:
        """Count the lines of a request; those of impossible times are returned, by reason."""
        fates = self._logs.take(request, now, self._next, now + self.pace.wait_s)
        self.tally.log_lines.update(fates)
        return _of_no_time(fates)

    def take_metrics(self, request: ExportMetricsServiceRequest, now: float) -> Counter[str]:
        """Keep the points of a request that are understood; those of impossible times are returned,
        by reason.
        """
        fates = self._gauges.take(request, now, self._next, now + self.pace.wait_s)
        self.tally.points.update(fates)
        return _of_no_time(fates)

    def close(self, now: float) -> None:
        """Hand over the steps that ended ``wait_s`` ago."""
        self._close_until(now - self.pace.wait_s)

    def finish(self, now: float) -> None:
        """Hand over all steps that are whole. The one under way is not."""
        self._close_until(now)

    def _close_until(self, until: float) -> None:
        while self._next + self.pace.step_s <= until:
            if self.held or self._logs.open or self._gauges.open:
                self._close_step()
            else:  # nothing came for as long as spans are remembered
                self._next = math.floor(until / self.pace.step_s) * self.pace.step_s

    def _close_step(self) -> None:
        starts, step = self._next, self.pace.step_s
        held = _joined(self._spans, SPAN)
        links = _joined(self._links, LINK)
        calls = calls_between(held, links, starts * NS, (starts + step) * NS)
        self._spans, self._links = [held], [links]
        self.tally.orphans += calls.orphans
        self.tally.spans["duplicate"] += calls.twice
        values = values_of_services(calls, self.names, step)
        self._edges.put(values, calls, self.names, step, float(starts))
        self.tally.edges_folded = self._edges.folded
        of_logs, told = self._logs.close(starts)
        values.update(of_logs)
        values.update(self._gauges.close(starts))
        self._next += step
        self._forget(closed_only=False)
        if values:
            keys = tuple(sorted(values))
            table = np.array([[values[key]] for key in keys])
            self._sink.add(Signals(datetime.fromtimestamp(starts, UTC), step, keys, table))
        if told:
            self._sink.tell(told)
        self.tally.steps += 1

    def _forget(self, *, closed_only: bool) -> None:
        """Drop spans of closed steps: those not remembered any more, or all of them."""
        held, links = _joined(self._spans, SPAN), _joined(self._links, LINK)
        until = self._next if closed_only else self._next - self.pace.remember_s
        held = held[held["ended"] >= until * NS]
        self._spans, self.held = [held], len(held)
        self._links = [links[np.isin(links["key"], held["key"])] if len(links) else links]


def _of_no_time(fates: Counter[str]) -> Counter[str]:
    """What is told to the sender: what is late may be nobody's fault, these are of wrong clocks."""
    return +Counter({why: fates[fate] for fate, why in _NO_TIME.items()})


_NO_TIME: Final = {
    "rejected": "a time before 1990",
    "ahead": "a time that has not come yet: is a clock wrong?",
}


def _joined(parts: list[NDArray[Any]], kind: np.dtype[Any]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, kind)
