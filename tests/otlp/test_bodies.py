"""Bodies of requests: both forms, packed and plain, and hostile ones."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from contextlib import suppress

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_spans import T0, Kept, Seen, called, request_of

from providers.otlp import items
from providers.otlp.bodies import LARGEST, Form, Malformed, TooLarge, form_of, read, unpacked
from providers.otlp.intake import Intake
from providers.otlp.spans import Registers, read_spans

# As the specification's own example of a trace, with what the SDK for JavaScript adds:
# enumerations and times as numbers or texts, and fields that a later version may bring.
AS_SENT = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}],
                "droppedAttributesCount": 0,
                "entityRefs": [],
                "notYetInvented": {"traceId": 3},
            },
            "scopeSpans": [
                {
                    "scope": {"name": "my.library", "version": "1.0.0"},
                    "spans": [
                        {
                            "traceId": "5B8EFFF798038103D269B633813FC60C",
                            "spanId": "eee19b7ec3c1b174",
                            "parentSpanId": "EEE19B7EC3C1B173",
                            "name": "I'm a server span",
                            "startTimeUnixNano": "1544712660000000000",
                            "endTimeUnixNano": 1544712661000000000,
                            "kind": 2,
                            "attributes": [
                                {"key": "traceId", "value": {"stringValue": "not an id"}},
                                {"key": "bytes", "value": {"bytesValue": "AAEC"}},
                            ],
                            "status": {"code": 2},
                            "flags": 257,
                        }
                    ],
                }
            ],
        }
    ]
}


def test_json_has_hexadecimal_ids_and_unknown_fields() -> None:
    request = read(json.dumps(AS_SENT).encode(), Form.JSON, ExportTraceServiceRequest)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert span.parent_span_id.hex() == "eee19b7ec3c1b173"
    assert (span.kind, span.status.code) == (2, 2)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 10**9
    (named,) = request.resource_spans[0].resource.attributes
    assert (named.key, named.value.string_value) == ("service.name", "my.service")


def test_a_kind_that_is_not_invented_yet_is_read() -> None:
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": 77}]}]}]}
    request = read(json.dumps(document).encode(), Form.JSON, ExportTraceServiceRequest)
    assert request.resource_spans[0].scope_spans[0].spans[0].kind == 77


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"resourceSpans": 3}',
        b'{"resourceSpans": [null]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}',
        b"[" * 100_000,
        b'{"resourceSpans": [{"scopeSpans": {"spans": []}}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": {}}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": "NO_SUCH_KIND"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": "soon"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": -1}]}]}]}',
        b'{"resourceSpans": [{"resource": {"attributes": [{"value": {"stringValue": 3}}]}}]}',
    ],
    ids=range(14),
)  # fmt: skip
def test_malformed_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="JSON"):
        read(body, Form.JSON, ExportTraceServiceRequest)


def test_json_nested_too_deeply_is_refused() -> None:
    deep = b'{"arrayValue": {"values": [' * 300 + b"]}}" * 300
    body = b'{"resourceLogs": [{"resource": {"attributes": [{"value": ' + deep + b"}]}}]}"
    with pytest.raises(Malformed, match="JSON"):
        read(body, Form.JSON, ExportLogsServiceRequest)


def test_json_and_protobuf_give_the_same_columns() -> None:
    """What is left out of JSON is missed by nobody; protobuf's own writer is the judge."""
    web = Seen("web", instance="w1", state="ot=th:8")
    sent = Seen("web", "producer", web)
    spans = [
        web,
        *called(web, "cart", failed=True),
        sent,
        Seen("mailer", "consumer", links=(sent,)),
    ]
    request = request_of(spans)
    document = MessageToDict(request)
    for part in document["resourceSpans"]:
        for span in part["scopeSpans"][0]["spans"]:
            for one in (span, *span.get("links", ())):
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in one:
                        one[name] = base64.b64decode(one[name]).hex()
    again = read(json.dumps(document).encode(), Form.JSON, ExportTraceServiceRequest)
    ours, theirs = (read_spans(one, Registers(), 0) for one in (again, request))
    np.testing.assert_array_equal(ours.rows, theirs.rows)
    np.testing.assert_array_equal(ours.links, theirs.links)
    assert len(ours.links) == 1


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, 400), st.binary(max_size=4), st.integers(0, 400))
def test_damaged_protobuf_is_read_or_refused(at: int, junk: bytes, cut: int) -> None:
    web = Seen("web")
    whole = request_of([web, *called(web, "cart")]).SerializeToString()
    damaged = whole[:at] + junk + whole[at + len(junk) : len(whole) - cut]
    with suppress(Malformed):
        request = read(damaged, Form.PROTOBUF, ExportTraceServiceRequest)
        intake = Intake(Kept(), T0)
        intake.take_spans(request, T0 + 20)
        intake.close(T0 + 90)


def test_gzip_of_several_members_is_one_body() -> None:
    assert unpacked(gzip.compress(b"ab") + gzip.compress(b"cd")) == b"abcd"


def test_what_follows_a_member_is_not_copied_again_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handed = 0
    real = zlib.decompressobj

    class Counting:
        def __init__(self, window: int) -> None:
            self._inner = real(window)

        def decompress(self, data: bytes, most: int) -> bytes:
            nonlocal handed
            handed += len(data)
            return self._inner.decompress(data, most)

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    members = 2_000
    assert unpacked(gzip.compress(b"") * members + gzip.compress(b"ab")) == b"ab"
    assert handed <= (members + 2) * 4_096


def test_bombs_are_not_unpacked() -> None:
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(bytes(LARGEST + 1)))
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(bytes(LARGEST)) * 1_000)
    assert len(unpacked(gzip.compress(bytes(LARGEST)))) == LARGEST


def _message(field: int, body: bytes) -> bytes:
    size, written = len(body), b""
    while size >= 0x80:
        written += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([field << 3 | 2]) + written + bytes([size]) + body


@pytest.mark.parametrize(
    "kind", [ExportTraceServiceRequest, ExportLogsServiceRequest, ExportMetricsServiceRequest]
)
def test_too_many_items_are_not_made(kind: type[Message]) -> None:
    spans = _message(1, _message(2, _message(2, b"") * items.MOST))
    scopes = _message(1, _message(2, b"") * (items.MOST + 1))
    for body in (spans, scopes, _message(1, b"") * (items.MOST + 1)):
        with pytest.raises(TooLarge):
            read(body, Form.PROTOBUF, kind)
    fine = read(_message(1, _message(2, _message(2, b"") * 99)), Form.PROTOBUF, kind)
    assert fine.ByteSize() == len(_message(1, _message(2, _message(2, b"") * 99)))


@pytest.mark.parametrize(
    ("names", "kind"),
    [(("resourceSpans", "scopeSpans", "spans"), ExportTraceServiceRequest),
     (("resourceLogs", "scopeLogs", "logRecords"), ExportLogsServiceRequest)],
)  # fmt: skip
def test_too_many_items_of_json_are_not_made(
    names: tuple[str, str, str], kind: type[Message]
) -> None:
    resource, scope, item = names
    document: dict[str, object] = {resource: [{scope: [{item: [{}] * items.MOST}]}]}
    with pytest.raises(TooLarge):
        read(json.dumps(document).encode(), Form.JSON, kind)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary(max_size=60), st.lists(st.integers(0, 5), max_size=4))
def test_items_are_counted_as_protobuf_reads_them(junk: bytes, sizes: list[int]) -> None:
    request = request_of([Seen("web") for _ in range(3)])
    for size in sizes:
        request.resource_spans.add().scope_spans.add().spans.extend([Span(name="x")] * size)
    body = request.SerializeToString()
    counted = sum(
        1 + sum(1 + len(scope.spans) for scope in part.scope_spans)
        for part in request.resource_spans
    )
    assert items._count(body, 0, len(body), 0, 0) == counted
    with suppress(ValueError):
        items.has_too_many(junk)  # whatever it is, it ends


@pytest.mark.parametrize("start", [b"\x0b\x0c", b"\xff" * 1_000_000, b"\x0a" + b"\xff" * 12])
def test_items_do_not_hide_behind_what_nobody_writes(start: bytes) -> None:
    with pytest.raises(Malformed):
        read(start + _message(1, b"") * (items.MOST + 1), Form.PROTOBUF, ExportTraceServiceRequest)


@pytest.mark.parametrize(
    "body",
    [
        b"plain",
        gzip.compress(b"cut off", mtime=0)[:-4],
        b"\x1f\x8b",
        gzip.compress(b"whole", mtime=0) + b"\x1f\x8b",
    ],
    ids=["plain", "cut off", "two bytes", "half a member more"],
)
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="gzip"):
        unpacked(body)


def test_content_types_have_parameters() -> None:
    assert form_of("application/JSON; charset=utf-8") is Form.JSON
    assert form_of("application/x-protobuf") is Form.PROTOBUF
    assert form_of("text/plain") is None
