"""Bodies of requests and answers, as OTLP over HTTP writes them: protobuf or JSON, plain or gzip.

JSON follows protobuf's own mapping but for this: ids of traces and spans are hexadecimal, not
base64; enumerations are integers; unknown fields are ignored (OTLP specification, "JSON Protobuf
Encoding").
"""

from __future__ import annotations

import base64
import json
import zlib
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from providers.otlp.items import has_too_many, has_too_many_in
from providers.otlp.trace_json import trace_request

LARGEST: Final = 8 * 2**20
"""Bytes of a body, packed or not."""
_GZIP: Final = 31  # window bits of zlib that ask for gzip's header and check sum
_PIECE: Final = 4096
"""Bytes unpacked at once: zlib copies what follows a member, so that it must never be much."""
_IDS: Final = frozenset(
    {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
)
_Kind = TypeVar("_Kind", bound=Message)


class Form(StrEnum):
    """How messages are written; the values are those of Content-Type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


class Malformed(Exception):
    """A body is not what it claims to be. The text holds nothing of the body."""


class TooLarge(Exception):
    """A body has more than ``LARGEST`` bytes once it is unpacked, or too many items."""


def form_of(content_type: str) -> Form | None:
    """The form that a Content-Type names, whatever its parameters; None for any other."""
    bare = content_type.partition(";")[0].strip().lower()
    return Form(bare) if bare in tuple(Form) else None


def unpacked(body: bytes) -> bytes:
    """The contents of a gzip body, however many members it has."""
    parts, size, at = [], 0, 0
    unpacker = zlib.decompressobj(_GZIP)
    while at < len(body):
        if unpacker.eof:
            unpacker = zlib.decompressobj(_GZIP)
        piece = body[at : at + _PIECE]
        try:
            part = unpacker.decompress(piece, LARGEST - size + 1)
        except zlib.error:
            raise Malformed("the body is no gzip") from None
        size += len(part)
        if size > LARGEST:
            raise TooLarge
        parts.append(part)
        at += len(piece) - len(unpacker.unused_data)
    if body and not unpacker.eof:
        raise Malformed("the gzip body breaks off")
    return b"".join(parts)


def read(body: bytes, form: Form, kind: type[_Kind]) -> _Kind:
    """The message in a body; raises ``Malformed`` or ``TooLarge``."""
    if form is Form.PROTOBUF:
        try:
            if has_too_many(body):
                raise TooLarge
            message: _Kind = kind.FromString(body)
            return message
        except (DecodeError, ValueError):
            raise Malformed(f"the body is no {kind.DESCRIPTOR.name} in protobuf") from None
    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise Malformed("the body is no JSON object")
        if has_too_many_in(document):
            raise TooLarge
        if kind is ExportTraceServiceRequest:
            return cast("_Kind", trace_request(document))
        return cast(
            "_Kind", ParseDict(_with_base64_ids(document), kind(), ignore_unknown_fields=True)
        )
    except (ValueError, ParseError, RecursionError, TypeError, AttributeError, KeyError):
        raise Malformed(f"the body is no {kind.DESCRIPTOR.name} in JSON") from None


def _with_base64_ids(value: Any) -> Any:
    """The same document with its ids as protobuf's mapping wants them.

    Attributes are lists of ``{"key": ..., "value": ...}``, so that no name from outside is a key.
    """
    if isinstance(value, list):
        return [_with_base64_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(one)).decode()
        if key in _IDS and isinstance(one, str)
        else _with_base64_ids(one)
        for key, one in value.items()
    }


def written(message: Message, form: Form) -> bytes:
    """An answer's body."""
    if form is Form.PROTOBUF:
        return bytes(message.SerializeToString())
    return str(MessageToJson(message, indent=None)).encode()


def status(code: int, said: str) -> Status:
    """What answers of failed requests say; ``code`` is one of gRPC's."""
    return Status(code=code, message=said)
