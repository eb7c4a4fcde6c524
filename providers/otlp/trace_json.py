"""Traces in JSON, read for what is needed of them.

protobuf's own reader of JSON takes five times as long. What is left out here is left out of
columns as well: events, attributes that name no peer, links of all but consumers.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from providers.otlp.spans import CLIENT, CONSUMER, MOST_LINKS, PEERS


def trace_request(document: dict[str, Any]) -> ExportTraceServiceRequest:
    """The spans of a request; raises ``ValueError``, ``TypeError``, ``KeyError`` or
    ``AttributeError`` where it is not what it should be."""
    request = ExportTraceServiceRequest()
    for part in _list(document, "resourceSpans"):
        made = request.resource_spans.add()
        for one in _list(part.get("resource") or {}, "attributes"):
            _add_text(made.resource.attributes, one)
        for scope in _list(part, "scopeSpans"):
            made.scope_spans.add().spans.extend([_span(one) for one in _list(scope, "spans")])
    return request


def _span(given: dict[str, Any]) -> Span:
    kind = _enum(given.get("kind"), Span.SpanKind)
    status = given.get("status")
    parent = given.get("parentSpanId")
    span = Span(
        trace_id=bytes.fromhex(given.get("traceId") or ""),
        span_id=bytes.fromhex(given.get("spanId") or ""),
        parent_span_id=bytes.fromhex(parent) if parent else b"",
        kind=kind,  # type: ignore[arg-type]
        start_time_unix_nano=int(given.get("startTimeUnixNano") or 0),
        end_time_unix_nano=int(given.get("endTimeUnixNano") or 0),
        trace_state=given.get("traceState") or "",
    )
    if status:
        span.status.code = _enum(status.get("code"), Status.StatusCode)  # type: ignore[assignment]
    if kind == CLIENT:
        for one in _list(given, "attributes"):
            if one.get("key") in PEERS:
                _add_text(span.attributes, one)
    if kind == CONSUMER:
        for link in _list(given, "links")[:MOST_LINKS]:
            span.links.add(
                trace_id=bytes.fromhex(link.get("traceId") or ""),
                span_id=bytes.fromhex(link.get("spanId") or ""),
            )
    return span


def _add_text(attributes: Any, given: dict[str, Any]) -> None:
    text = (given.get("value") or {}).get("stringValue")
    if text is not None:
        attributes.add(key=given.get("key") or "").value.string_value = text


def _enum(given: object, kind: Any) -> int:
    """Numbers, as the specification wants them, and names, as protobuf's own mapping writes."""
    if isinstance(given, str):
        return int(given) if given.isdecimal() else int(kind.Value(given))
    if given is None or isinstance(given, int):
        return given or 0
    raise TypeError


def _list(given: dict[str, Any], name: str) -> list[Any]:
    found = given.get(name) or []
    if not isinstance(found, list):
        raise TypeError
    return found
