"""Spans as services would send them, a sink that keeps signals, and a real server on loopback."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from models.signals import SignalKey, Signals
from providers.otlp.logs import ErrorLines
from providers.otlp.server import Server

T0 = 1_790_000_040  # a whole minute, seconds since 1970
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Seen:
    """A span; times are seconds after ``T0``."""

    service: str | None
    kind: str = "server"
    parent: Seen | None = None
    at: float = 10.0
    ms: float = 100.0
    failed: bool = False
    instance: str = ""
    peer: str = ""
    state: str = ""
    links: tuple[Seen, ...] = ()
    id: int = field(default_factory=lambda: next(_numbers))
    trace: int = 0

    @property
    def trace_id(self) -> bytes:
        root = self.parent.trace_id if self.parent else None
        return root or (self.trace or self.id).to_bytes(16)

    @property
    def span_id(self) -> bytes:
        return self.id.to_bytes(8)

    def proto(self) -> Span:
        ends = round((T0 + self.at) * 1e9)
        return Span(
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_span_id=self.parent.span_id if self.parent else b"",
            name="GET /",
            kind=KINDS[self.kind],  # type: ignore[arg-type]
            start_time_unix_nano=ends - round(self.ms * 1e6),
            end_time_unix_nano=ends,
            attributes=[_text("server.address", self.peer)] if self.peer else [],
            status=Status(code=2 if self.failed else 0),  # type: ignore[arg-type]
            trace_state=self.state,
            links=[Span.Link(trace_id=to.trace_id, span_id=to.span_id) for to in self.links],
        )


def request_of(spans: Sequence[Seen]) -> ExportTraceServiceRequest:
    """One request, a resource per span."""
    request = ExportTraceServiceRequest()
    for span in spans:
        part = request.resource_spans.add()
        if span.service is not None:
            part.resource.attributes.append(_text("service.name", span.service))
        if span.instance:
            part.resource.attributes.append(_text("service.instance.id", span.instance))
        part.scope_spans.add().spans.append(span.proto())
    return request


def called(caller: Seen, service: str, at: float = 9.5, **more: object) -> tuple[Seen, Seen]:
    """The client's span of a call below ``caller``, and the server's."""
    client = Seen(caller.service, "client", caller, at=at + 0.01, ms=80, peer=f"{service}.internal")
    server = Seen(service, parent=client, at=at, ms=60)
    return client, replace(server, **more)  # type: ignore[arg-type]


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


class Kept:
    """A sink that keeps what it is given, step by step."""

    def __init__(self) -> None:
        self.steps: list[Signals] = []
        self.lines: list[ErrorLines] = []
        self.arrived = threading.Condition()

    def add(self, signals: Signals) -> None:
        with self.arrived:
            self.steps.append(signals)
            self.arrived.notify_all()

    def tell(self, lines: Sequence[ErrorLines]) -> None:
        self.lines.extend(lines)

    def values(self, step: int = 0) -> dict[SignalKey, float]:
        """The values of a step."""
        signals = self.steps[step]
        return {key: float(signals.values[i, 0]) for i, key in enumerate(signals.keys)}


def listening(address: str = "127.0.0.1") -> socket.socket:
    """A socket on a free port; who connects before the server runs waits for it."""
    made = socket.socket()
    made.bind((address, 0))
    made.listen(128)
    return made


@contextmanager
def serving(make: Callable[[], Server]) -> Iterator[str]:
    """The URL of a real server in a thread, until the block ends; all steps are closed then."""
    with listening() as bound:
        config = uvicorn.Config(make().app(), log_config=None, lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
