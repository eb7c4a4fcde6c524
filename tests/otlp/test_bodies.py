"""Bodies of requests: both forms, packed and plain, and hostile ones."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_spans import T0, Kept, Seen, called, request_of

from providers.otlp.bodies import LARGEST, Form, Malformed, TooLarge, form_of, read, unpacked
from providers.otlp.intake import Intake

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
    assert [one.value.WhichOneof("value") for one in span.attributes] == [
        "string_value",
        "bytes_value",
    ]


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
        b'{"resourceSpans": [{"resource": {"attributes": [{"value": '
        + b'{"arrayValue": {"values": [' * 300 + b"]}}" * 300 + b"}]}}]}",
    ],
    ids=range(9),
)  # fmt: skip
def test_malformed_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="JSON"):
        read(body, Form.JSON, ExportTraceServiceRequest)


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


def test_bombs_are_not_unpacked() -> None:
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(bytes(LARGEST + 1)))
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(bytes(LARGEST)) * 1_000)
    assert len(unpacked(gzip.compress(bytes(LARGEST)))) == LARGEST


@pytest.mark.parametrize("body", [b"plain", gzip.compress(b"cut off")[:-4], b"\x1f\x8b"])
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="gzip"):
        unpacked(body)


def test_content_types_have_parameters() -> None:
    assert form_of("application/JSON; charset=utf-8") is Form.JSON
    assert form_of("application/x-protobuf") is Form.PROTOBUF
    assert form_of("text/plain") is None
