"""The server, over real loopback HTTP, with OpenTelemetry's own SDK and exporter."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, StatusCode, set_span_in_context
from otlp_spans import T0, Kept, Seen, called, request_of, serving

from models.signals import SignalKey, Signals
from providers.otlp.bodies import LARGEST
from providers.otlp.intake import Intake, Pace
from providers.otlp.server import Server

PROTOBUF = {"Content-Type": "application/x-protobuf"}


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Run:
    """A server under test."""

    def __init__(self, url: str, kept: Kept, clock: Clock, intake: Intake) -> None:
        self.url, self.kept, self.clock, self.intake = url, kept, clock, intake

    def post(
        self, body: bytes, headers: dict[str, str] | None = None, path: str = "/v1/traces"
    ) -> requests.Response:
        return requests.post(self.url + path, data=body, headers=headers or PROTOBUF, timeout=30)

    def wait_for_steps(self, count: int) -> None:
        with self.kept.arrived:
            assert self.kept.arrived.wait_for(lambda: len(self.kept.steps) >= count, 30)


@pytest.fixture
def run() -> Iterator[Run]:
    kept, clock = Kept(), Clock(T0 + 20)
    intake = Intake(kept, T0)
    with serving(lambda: Server(intake, clock=clock)) as url:
        yield Run(url, kept, clock, intake)


def tracer_of(service: str, url: str, compression: Compression) -> TracerProvider:
    exporter = OTLPSpanExporter(f"{url}/v1/traces", compression=compression)
    resource = Resource.create({"service.name": service, "service.instance.id": f"{service}-1"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=50))
    return provider


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_services_under_the_real_sdk_become_signals(compression: Compression) -> None:
    kept, began = Kept(), time.time() - 120
    clock = Clock(began + 120)
    intake = Intake(kept, began)
    with serving(lambda: Server(intake, clock=clock)) as url:
        web, cart, mailer = (tracer_of(n, url, compression) for n in ("web", "cart", "mailer"))
        for i in range(20):
            request = web.get_tracer("t").start_span("GET /", kind=SpanKind.SERVER)
            for _ in range(2):
                client = web.get_tracer("t").start_span(
                    "POST", set_span_in_context(request), SpanKind.CLIENT,
                    {"server.address": "cart.shop"},
                )  # fmt: skip
                server = cart.get_tracer("t").start_span(
                    "POST", set_span_in_context(client), SpanKind.SERVER
                )
                if i % 4 == 0:
                    server.set_status(StatusCode.ERROR)
                    client.set_status(StatusCode.ERROR)
                server.end()
                client.end()
            sent = web.get_tracer("t").start_span("send", kind=SpanKind.PRODUCER)
            mailer.get_tracer("t").start_span(
                "work", kind=SpanKind.CONSUMER, links=[Link(sent.get_span_context())]
            ).end()
            sent.end()
            request.end()
        for provider in (web, cart, mailer):
            assert provider.force_flush()
            provider.shutdown()
        clock.now = time.time() + 200
    totals: dict[SignalKey, float] = {}
    for step in range(len(kept.steps)):
        for key, value in kept.values(step).items():
            totals[key] = totals.get(key, 0) + value * 60
    assert totals[SignalKey("requests_rps", "web")] == pytest.approx(20)
    assert totals[SignalKey("requests_rps", "cart", instance="cart-1")] == pytest.approx(40)
    assert totals[SignalKey("requests_rps", "web", callee="cart")] == pytest.approx(40)
    assert totals[SignalKey("errors_rps", "web", callee="cart")] == pytest.approx(10)
    assert totals[SignalKey("requests_rps", "web", callee="mailer")] == pytest.approx(20)
    assert {key.callee for key in totals} == {"", "cart", "mailer"}


def test_steps_close_while_the_server_runs(run: Run) -> None:
    body = request_of([Seen("web")]).SerializeToString()
    assert run.post(body).status_code == 200
    run.clock.now = T0 + 90
    run.wait_for_steps(1)


def test_answers_come_in_the_form_of_the_question(run: Run) -> None:
    request = request_of([Seen("web"), Seen("web")])
    request.resource_spans[1].scope_spans[0].spans[0].span_id = b""
    answer = run.post(request.SerializeToString())
    assert answer.headers["Content-Type"] == "application/x-protobuf"
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (partial.rejected_spans, partial.error_message) == (1, "1: an id of a wrong length")
    answer = run.post(b'{"resourceSpans": []}', {"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\x0a\xff", PROTOBUF, 400),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"x", {**PROTOBUF, "Content-Encoding": "gzip"}, 400),
        (b"", {"Content-Type": "text/plain"}, 415),
        (b"", {**PROTOBUF, "Content-Encoding": "br"}, 415),
        (bytes(LARGEST + 1), PROTOBUF, 413),
        pytest.param(
            gzip.compress(bytes(8 * LARGEST), mtime=0),
            {**PROTOBUF, "Content-Encoding": "gzip"},
            413,
            id="unpacks to too much",
        ),
    ],
)
def test_what_cannot_be_read_is_answered_with_a_status(
    run: Run, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = run.post(body, headers)
    assert answer.status_code == status
    if answer.headers["Content-Type"] == "application/json":
        assert answer.json()["message"]
    else:
        assert Status.FromString(answer.content).message
    assert run.intake.held == 0


def test_other_paths_and_methods_are_not_served(run: Run) -> None:
    assert run.post(b"", path="/v2/traces").status_code == 404
    assert requests.get(f"{run.url}/v1/traces", timeout=30).status_code == 405


def test_no_room_is_said_with_a_time_to_come_back() -> None:
    intake = Intake(Kept(), T0, Pace(most_spans=1))
    body = request_of([Seen("web")]).SerializeToString()
    with serving(lambda: Server(intake, clock=Clock(T0 + 20))) as url:
        first, second = (
            requests.post(f"{url}/v1/traces", data=body, headers=PROTOBUF, timeout=30)
            for _ in range(2)
        )
    assert first.status_code == 200
    assert (second.status_code, second.headers["Retry-After"]) == (503, "70")


@pytest.mark.parametrize(
    ("given", "status"),
    [("Bearer right", 200), ("Bearer wrong", 401), ("right", 401), ("", 401), ("Bearer ", 401)],
)
def test_a_token_is_asked_for(given: str, status: int) -> None:
    headers = {**PROTOBUF, **({"Authorization": given} if given else {})}
    intake = Intake(Kept(), T0)
    with serving(lambda: Server(intake, token="right", clock=Clock(T0))) as url:
        answer = requests.post(f"{url}/v1/traces", data=b"", headers=headers, timeout=30)
    assert answer.status_code == status
    assert answer.headers.get("WWW-Authenticate") == (None if status == 200 else "Bearer")


def test_many_exporters_at_once_lose_nothing(run: Run) -> None:
    def send(number: int) -> int:
        web = Seen("web", instance=f"i{number}")
        spans = [web, *(s for _ in range(50) for s in called(web, "cart"))]
        return run.post(request_of(spans).SerializeToString()).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(40))) == {200}
    run.clock.now = T0 + 90
    run.wait_for_steps(1)
    values = run.kept.values()
    assert values[SignalKey("requests_rps", "cart")] * 60 == pytest.approx(2_000)
    assert values[SignalKey("requests_rps", "web")] * 60 == pytest.approx(40)


def test_the_server_tells_prometheus_of_itself(run: Run) -> None:
    run.post(request_of([Seen("web")]).SerializeToString())
    run.post(b"\xff")
    text = requests.get(f"{run.url}/metrics", timeout=30).text
    assert 'trimtab_otlp_requests_total{path="/v1/traces",status="200"} 1.0' in text
    assert 'trimtab_otlp_requests_total{path="/v1/traces",status="400"} 1.0' in text
    assert 'trimtab_otlp_spans_total{fate="accepted"} 1.0' in text
    assert "trimtab_otlp_spans_held 1.0" in text


def test_a_sink_that_fails_is_told_to_whoever_runs_the_server() -> None:
    class Broken(Kept):
        def add(self, signals: Signals) -> None:
            raise OSError("no space left")

    told: list[Exception] = []
    intake = Intake(Broken(), T0)
    with serving(lambda: Server(intake, clock=Clock(T0 + 70), failed=told.append)) as url:
        body = request_of([Seen("web")]).SerializeToString()
        requests.post(f"{url}/v1/traces", data=body, headers=PROTOBUF, timeout=30)
    assert [str(error) for error in told] == ["no space left"]


def test_json_as_collectors_send_it(run: Run) -> None:
    spans = [
        {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "kind": 2,
         "name": "a", "startTimeUnixNano": str((T0 + 9) * 10**9),
         "endTimeUnixNano": str((T0 + 10) * 10**9), "status": {}},
    ]  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]}
    document = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    body = gzip.compress(json.dumps(document).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert run.post(body, headers).status_code == 200
    run.clock.now = T0 + 90
    run.wait_for_steps(1)
    assert run.kept.values()[SignalKey("latency_p99_ms", "web")] == pytest.approx(1_000)
