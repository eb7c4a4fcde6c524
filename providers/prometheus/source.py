"""What a telemetry file asks of a server, chunk by chunk, as samples."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from models.measured import COUNTERS, LONGEST_INTERVAL_S, Grid, Samples
from models.secrets import without_secrets
from models.signals import SignalKey
from providers.prometheus.client import Answer, Series, Server
from providers.prometheus.errors import TooMuch
from providers.prometheus.presets import PRESETS, filled, window_s
from providers.telemetry.seam import ONE_DAY, Chunk, Listener, Part
from scenarios.observing import Telemetry, named_by, secret_of
from scenarios.telemetry_entries import NamesEntry, PresetEntry, PrometheusEntry, QueryEntry

STEPS_AT_ONCE: Final = 4_320
"""Steps of a query: Prometheus answers at most 11,000, and answers should stay small."""
_FEWEST_STEPS: Final = 15
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Question:
    """``signal``: of ``SIGNALS`` or ``COUNTERS``. ``service``: of all series, whatever their labels
    say; empty: as they say. The labels of the preset come last.
    """

    name: str
    signal: str
    query: str
    service: str = ""
    service_label: str = ""
    instance_label: str = ""


def parts_of(
    telemetry: Telemetry, name: str, entry: PrometheusEntry, retry_s: float = 0.5
) -> list[Part]:
    """Everything that is asked of a server, each question by itself."""
    server = server_of(telemetry, name, entry, retry_s)
    window = window_s(telemetry.content.step_s, entry.scrape_s)
    values = {"window": f"{window}s", "step": f"{telemetry.content.step_s}s"}
    questions = [
        *(one for preset in entry.presets for one in _of_preset(preset, values)),
        *(_of_query(query, values) for query in entry.queries),
    ]
    names = telemetry.content.services
    parts, seen = [], Count[str]()
    for question in questions:
        seen[question.name] += 1
        again = f" {seen[question.name]}" if seen[question.name] > 1 else ""
        asked = repr((question, names.model_dump_json(), entry.url))
        version = sha256(asked.encode("utf-8", "replace")).hexdigest()[:12]
        reading = _Reading(server, question, names)
        parts.append(Part(name, question.name + again, version, reading.chunks, ONE_DAY))
    return parts


def server_of(telemetry: Telemetry, name: str, entry: PrometheusEntry, retry_s: float) -> Server:
    """The server, with its secrets looked up whenever they are needed."""
    folder = telemetry.folder

    def headers() -> Mapping[str, str]:
        found = {
            header: secret_of(place, folder, f"headers_from.{header}", name)
            for header, place in entry.headers_from.items()
        }
        if entry.bearer_from is not None:
            token = secret_of(entry.bearer_from, folder, "bearer_from", name)
            found["Authorization"] = f"Bearer {token}"
        return found

    def user() -> tuple[str, str] | None:
        if entry.basic is None:
            return None
        place = entry.basic.password_from
        return entry.basic.user, secret_of(place, folder, "basic.password_from", name)

    trust = True if entry.ca_file is None else str(folder / entry.ca_file)
    return Server(name, entry.url, headers, user, trust, entry.timeout_s, retry_s)


def _of_preset(entry: PresetEntry, values: Mapping[str, str]) -> Iterator[Question]:
    preset = PRESETS[entry.preset]
    service = entry.service_label or preset.service
    own = {**values, "by": ", ".join((service, *entry.by)), "match": entry.match,
           "metrics": entry.metrics}  # fmt: skip
    for ask in preset.asks:
        query = filled(ask.query, own)
        yield Question(f"{entry.preset}: {ask.name}", ask.signal, query, "", service, ask.instances)


def _of_query(entry: QueryEntry, values: Mapping[str, str]) -> Question:
    query = filled(entry.query, values)
    return Question(f"query: {entry.signal}", entry.signal, query, entry.service or "")


@dataclass(frozen=True, eq=False)
class _Reading:
    server: Server
    question: Question
    names: NamesEntry

    def chunks(self, grid: Grid, listener: Listener) -> Iterator[Chunk]:
        """The answers, stretch by stretch; shorter stretches where an answer is too large."""
        notes = _Notes(listener)
        steps, at = STEPS_AT_ONCE, 0
        while at < grid.steps and not listener.stopping():
            part = Grid(grid.first + at, grid.step_s, min(steps, grid.steps - at))
            try:
                answer = self._answer(part)
            except TooMuch:
                if part.steps <= _FEWEST_STEPS:
                    raise
                steps = max(part.steps // 2, _FEWEST_STEPS)
                continue
            yield Chunk(part, self._samples(answer, part, notes))
            at += part.steps
        notes.tell()

    def _answer(self, grid: Grid) -> Answer:
        first_s, last_s = grid.first * grid.step_s, (grid.first + grid.steps) * grid.step_s
        if self.question.signal in COUNTERS:
            around_s = max(LONGEST_INTERVAL_S, 2 * grid.step_s)
            return self.server.raw(self.question.query, first_s - around_s, last_s + around_s)
        return self.server.over(self.question.query, first_s + grid.step_s, last_s, grid.step_s)

    def _samples(self, answer: Answer, grid: Grid, notes: _Notes) -> Samples:
        """Samples of the series that name a service.

        A query is evaluated at the end of each step, over what came before: its values are those
        of the step that ends then.
        """
        counter = COUNTERS.get(self.question.signal)
        signal = self.question.signal if counter is None else counter.signal
        keys: list[SignalKey] = []
        known: list[Series] = []
        for one in answer.series:
            key = self._key(signal, one.labels)
            if key is None:
                notes.nameless(one.labels)
            else:
                keys.append(key)
                known.append(one)
        notes.add(answer)
        series = np.repeat(
            np.arange(len(known)), np.array([len(one.value) for one in known], np.int64)
        )
        at_ms = np.concatenate([np.zeros(0, np.int64), *(one.at_ms for one in known)])
        value = np.concatenate([np.zeros(0), *(one.value for one in known)])
        if counter is not None:
            return Samples(tuple(keys), series, at_ms, value, counter=counter)
        step_ms = grid.step_s * 1000
        return Samples(tuple(keys), series, at_ms - step_ms, value, covers_ms=step_ms)

    def _key(self, signal: str, labels: Mapping[str, str]) -> SignalKey | None:
        found = named_by(
            self.names, labels, self.question.service_label, self.question.instance_label
        )
        service = self.question.service or found.service
        if not service:
            return None
        return SignalKey(signal, service, found.origin, found.instance, found.callee)


class _Notes:
    """What is said of all answers to a question, once."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._nameless: set[tuple[tuple[str, str], ...]] = set()
        self._warned: dict[str, None] = {}
        self._unread = 0

    def nameless(self, labels: Mapping[str, str]) -> None:
        self._nameless.add(tuple(sorted(labels.items())))

    def add(self, answer: Answer) -> None:
        self._warned.update(dict.fromkeys(map(without_secrets, answer.warned)))
        self._unread = max(self._unread, answer.unread)

    def tell(self) -> None:
        if self._nameless:
            some = sorted(self._nameless)[:_SHOWN]
            shown = without_secrets(
                "; ".join(
                    "{" + ", ".join(f"{name}={value}" for name, value in labels) + "}"
                    for labels in some
                )
            )
            count = len(self._nameless)
            self._listener.note(f"{count:,} series name no service and are left out: {shown}")
        if self._unread:
            self._listener.note(
                f"{self._unread:,} series are native histograms: ask for histogram_quantile()"
            )
        for said in list(self._warned)[:_SHOWN]:
            self._listener.note(f"the server says: {said}")
