"""How many spans a second trimtab receives on one core, over real HTTP."""

from __future__ import annotations

import gzip
import http.client
import json
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.registry import Case, Metric, benchmark

SPANS = 204_800
BATCH = 512  # what the SDKs send at once
SERVICES = 20
STARTS = 1_790_000_040
ATTRIBUTES = (
    "http.request.method", "url.full", "server.address", "server.port", "user_agent.original",
    "http.response.status_code", "network.protocol.version",
)  # fmt: skip


@benchmark("otlp", "spans per second received over HTTP, and per second of processor time")
def otlp(data: Path | None) -> Iterator[Case]:
    del data
    for form in ("protobuf", "protobuf, gzip", "JSON"):
        yield Case(form, partial(measure_receiving, form))


def measure_receiving(form: str, folder: Path) -> Iterator[Metric]:
    """Send the spans of a minute from another process, one request after the other."""
    del folder
    import uvicorn
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from models.signals import Signals
    from providers.otlp.intake import Intake
    from providers.otlp.logs import ErrorLines
    from providers.otlp.server import Server

    class Sink:
        def add(self, signals: Signals) -> None:
            self.keys = len(signals.keys)

        def tell(self, lines: Sequence[ErrorLines]) -> None:
            raise AssertionError("no line of a log was sent")

    spans = SPANS // 10 if form == "JSON" else SPANS
    bodies = _bodies(form, spans)
    intake, sink = Intake(made := Sink(), STARTS), made
    app = Server(intake, clock=lambda: STARTS + 60).app()
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        context = multiprocessing.get_context("fork")
        sender = context.Process(target=_send, args=(door.getsockname()[1], form, bodies))
        began, worked = time.perf_counter(), time.process_time()
        sender.start()
        sender.join()
        took, worked = time.perf_counter() - began, time.process_time() - worked
        server.should_exit = True
        thread.join()
    if sender.exitcode or intake.tally.spans["accepted"] != spans:
        raise RuntimeError(f"{intake.tally.spans['accepted']} of {spans} spans arrived")
    closing = Intake(sink, STARTS)
    for body in _bodies("protobuf", spans):
        closing.take_spans(ExportTraceServiceRequest.FromString(body), STARTS + 60)
    began_closing = time.process_time()
    closing.close(STARTS + 90)
    closed = time.process_time() - began_closing
    yield Metric("spans", spans, "1")
    yield Metric("bytes_per_span", sum(map(len, bodies)) / spans, "B")
    yield Metric("received", spans / took, "spans/s")
    yield Metric("received_per_cpu_s", spans / worked, "spans/s")
    yield Metric("close_step_cpu", closed, "s")
    yield Metric("with_closing", spans / (worked + closed), "spans/s")
    yield Metric("series", sink.keys, "1")


def _send(port: int, form: str, bodies: list[bytes]) -> None:
    kind = "application/json" if form == "JSON" else "application/x-protobuf"
    headers = {"Content-Type": kind, **({"Content-Encoding": "gzip"} if "gzip" in form else {})}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in bodies:
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"answered with {answer.status}")


def _bodies(form: str, spans: int) -> list[bytes]:
    """Requests with spans of calls among services, as the SDKs write them: pairs of a client's
    and a server's span, each with seven attributes."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    chance = np.random.default_rng(5)
    bodies = []
    for batch in range(spans // BATCH):
        service = batch % SERVICES
        ids = chance.bytes(BATCH * 24)
        ended = (STARTS + chance.uniform(0, 60, BATCH)) * 1e9
        took = chance.lognormal(17, 1, BATCH)
        request = ExportTraceServiceRequest()
        caller, callee = (request.resource_spans.add() for _ in range(2))
        for part, number in ((caller, service), (callee, (service * 3 + 1) % SERVICES)):
            names = {"service.name": f"service-{number}", "host.name": f"h{batch % 40}"}
            for key, value in names.items():
                part.resource.attributes.add(key=key).value.string_value = value
        made = [part.scope_spans.add().spans for part in (caller, callee)]
        before = (b"", b"")
        for i in range(BATCH):
            trace, own = ids[24 * i : 24 * i + 16], ids[24 * i + 16 : 24 * i + 24]
            server = i % 2 == 1
            span = made[server].add(
                trace_id=before[0] if server else trace, span_id=own,
                parent_span_id=before[1], kind=2 if server else 3, name="GET /orders",
                start_time_unix_nano=int(ended[i] - took[i]), end_time_unix_nano=int(ended[i]),
            )  # fmt: skip
            for key in ATTRIBUTES:
                span.attributes.add(key=key).value.string_value = f"{key}-value"
            before = (b"", b"") if server else (trace, own)
        bodies.append(_written(request, form))
    return bodies


def _written(request: object, form: str) -> bytes:
    from google.protobuf.json_format import MessageToDict

    if form != "JSON":
        plain: bytes = request.SerializeToString()  # type: ignore[attr-defined]
        return gzip.compress(plain, 6) if "gzip" in form else plain
    document = MessageToDict(request)
    for part in document["resourceSpans"]:
        for scope in part["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = _hexadecimal(span[key])
    return json.dumps(document).encode()


def _hexadecimal(text: str) -> str:
    import base64

    return base64.b64decode(text).hex()
