"""Lines of logs that tell of errors, counted by service, template and step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from models.signals import SignalKey
from providers.otlp.spans import Registers, fate_of, resource_of
from providers.otlp.templates import Line, Miner, Template

_ERROR: Final = SeverityNumber.SEVERITY_NUMBER_ERROR
_ERROR_TEXTS: Final = frozenset(
    {"ERROR", "ERR", "SEVERE", "FATAL", "CRITICAL", "CRIT", "ALERT", "EMERG", "EMERGENCY", "PANIC"}
)
_MESSAGES: Final = ("message", "msg", "event", "error")
_LONGEST: Final = 10_000


@dataclass(frozen=True, slots=True)
class ErrorLines:
    """Lines of one template in one step: ``starts`` [s since 1970], ``lines`` of them.

    ``example`` is the first, without secrets.
    """

    starts: int
    step_s: int
    service: str
    template: str
    identity: str
    lines: int
    example: str


@dataclass(slots=True)
class _Step:
    seen: set[int] = field(default_factory=set)  # services that sent any line
    lines: Counter[tuple[int, str]] = field(default_factory=Counter)
    firsts: dict[tuple[int, str], Line] = field(default_factory=dict)


class Logs:
    """Counts lines of open steps. Lines have no ids: one that is sent twice counts twice."""

    def __init__(self, names: Registers, step_s: int, known: Iterable[Template] = ()) -> None:
        self._names, self._step_s = names, step_s
        self._miner = Miner(known)
        self._steps: dict[int, _Step] = {}

    def take(
        self, request: ExportLogsServiceRequest, now: float, since: int, until: float
    ) -> Counter[str]:
        """Count the lines of a request between two moments [s]; returns what became of them."""
        fates: Counter[str] = Counter()
        for part in request.resource_logs:
            service, _ = resource_of(part.resource.attributes, self._names, now)
            name = self._names.services.name(service)
            for scope in part.scope_logs:
                for record in scope.log_records:
                    ns = record.time_unix_nano or record.observed_time_unix_nano
                    at = ns / 1e9 if ns else now
                    fate = fate_of(at, since, until)
                    fates[fate] += 1
                    if fate == "accepted":
                        self._count(int(at // self._step_s) * self._step_s, service, name, record)
        return fates

    def _count(self, starts: int, service: int, name: str, record: LogRecord) -> None:
        step = self._steps.setdefault(starts, _Step())
        step.seen.add(service)
        if not _tells_of_an_error(record):
            return
        line = self._miner.line(name, _text_of(record))
        key = (service, line.template.identity)
        step.lines[key] += 1
        step.firsts.setdefault(key, line)

    @property
    def open(self) -> int:
        """Steps that hold lines."""
        return len(self._steps)

    def close(self, starts: int) -> tuple[dict[SignalKey, float], list[ErrorLines]]:
        """The signals and the lines of a step, which is forgotten."""
        step = self._steps.pop(starts, None) or _Step()
        totals = dict.fromkeys(step.seen, 0)
        told = []
        for (service, identity), count in sorted(step.lines.items()):
            totals[service] += count
            first = step.firsts[service, identity]
            told.append(
                ErrorLines(
                    starts, self._step_s, self._names.services.name(service),
                    first.template.text, identity, count, first.example,
                )
            )  # fmt: skip
        values = {
            SignalKey("log_errors_rps", self._names.services.name(service)): total / self._step_s
            for service, total in totals.items()
        }
        return values, told


def _tells_of_an_error(record: LogRecord) -> bool:
    if record.severity_number:
        return record.severity_number >= _ERROR
    return record.severity_text.strip().upper() in _ERROR_TEXTS


def _text_of(record: LogRecord) -> str:
    """The message, with the exception that comes with it."""
    text = _message(record.body)
    for one in record.attributes:
        if one.key in ("exception.type", "exception.message"):
            told = one.value.string_value
            if told and told not in text:
                text = f"{text} {told}" if text else told
    return text[:_LONGEST]


def _message(body: AnyValue) -> str:
    kind = body.WhichOneof("value")
    if kind == "string_value":
        return body.string_value
    if kind == "kvlist_value":
        given: dict[str, Any] = {one.key: one.value for one in body.kvlist_value.values}
        for name in _MESSAGES:
            if name in given and given[name].string_value:
                return str(given[name].string_value)
        return " ".join(sorted(given))
    return "" if kind is None else str(getattr(body, kind))
