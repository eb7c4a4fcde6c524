"""Spans of a request as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from providers.otlp.names import NOTHING, Names
from providers.otlp.sampling import weight_of

INTERNAL: Final = Span.SPAN_KIND_INTERNAL
SERVER: Final = Span.SPAN_KIND_SERVER
CLIENT: Final = Span.SPAN_KIND_CLIENT
PRODUCER: Final = Span.SPAN_KIND_PRODUCER
CONSUMER: Final = Span.SPAN_KIND_CONSUMER

SPAN: Final = np.dtype(
    [
        ("key", "u8"),  # of the span, from its trace and its id
        ("parent", "u8"),  # the key of its parent; 0: it has none
        ("ended", "i8"),  # ns since 1970
        ("ms", "f8"),
        ("weight", "f8"),  # how many spans it stands for
        ("service", "i4"),
        ("instance", "i4"),
        ("peer", "i4"),  # whom a client says that it calls
        ("kind", "u1"),
        ("failed", "?"),
    ]
)
LINK: Final = np.dtype([("key", "u8"), ("to", "u8")])
"""Keys of a span and of one that it is linked to."""

UNNAMED: Final = "unknown_service"
"""The service of spans that name none, as OpenTelemetry's own SDKs call it."""
MOST_LINKS: Final = 128
"""Links of one span that are read, the SDKs' own limit."""
_INSTANCES: Final = ("service.instance.id", "k8s.pod.name", "container.id", "host.name")
"""What tells instances apart, the best first."""
PEERS: Final = {
    name: rank
    for rank, name in enumerate(
        ("peer.service", "server.address", "net.peer.name", "db.system.name", "db.system",
         "rpc.service", "network.peer.address", "net.peer.ip")
    )
}  # fmt: skip
"""What tells whom a client calls, the best first."""
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_LAST_NS: Final = 2**63 - 1
EARLIEST_S: Final = 631_152_000
"""1990: nothing sent by OTLP is older, whatever its clock says."""


@dataclass(frozen=True, slots=True)
class Registers:
    """The names in use. A peer is what a client calls its server; an address, most times."""

    services: Names = field(default_factory=lambda: Names(1_000))
    instances: Names = field(default_factory=lambda: Names(5_000))
    peers: Names = field(default_factory=lambda: Names(5_000))


@dataclass(frozen=True, eq=False)
class Spans:
    """``rows`` of dtype ``SPAN``, ``links`` of dtype ``LINK``; ``rejected`` spans by reason."""

    rows: NDArray[Any]
    links: NDArray[Any]
    rejected: Counter[str]


def read_spans(request: ExportTraceServiceRequest, names: Registers, now: float) -> Spans:
    """The spans of a request; those that break the format are counted and left out."""
    rows: list[NDArray[Any]] = []
    links: list[NDArray[Any]] = []
    rejected: Counter[str] = Counter()
    for part in request.resource_spans:
        service, instance = resource_of(part.resource.attributes, names, now)
        for scope in part.scope_spans:
            if not len(scope.spans):
                continue
            read = _rows(scope.spans, names, now, rejected)
            read["service"], read["instance"] = service, instance
            rows.append(read)
            links.extend(_links(scope.spans))
    return Spans(
        np.concatenate(rows) if rows else np.empty(0, SPAN),
        np.concatenate(links) if links else np.empty(0, LINK),
        rejected,
    )


def fate_of(at: float, since: float, until: float) -> str:
    """What becomes of what happened at a time [s since 1970], between two others or not."""
    if at < EARLIEST_S:
        return "rejected"
    return "late" if at < since else "ahead" if at > until else "accepted"


def resource_of(attributes: Sequence[Any], names: Registers, now: float) -> tuple[int, int]:
    """Numbers of the service and of the instance that telemetry is of."""
    given = {one.key: one.value.string_value for one in attributes}
    service = given.get("service.name") or UNNAMED
    instance = next((given[name] for name in _INSTANCES if given.get(name)), "")
    return names.services.number(service, now), names.instances.number(instance, now)


def _rows(spans: Sequence[Span], names: Registers, now: float, rejected: Counter[str]) -> Any:
    """Rows of spans without their resource."""
    sound = [span for span in spans if len(span.trace_id) == 16 and len(span.span_id) == 8]
    if len(sound) < len(spans):
        rejected["an id of a wrong length"] += len(spans) - len(sound)
    rows = np.zeros(len(sound), SPAN)
    traces = np.frombuffer(b"".join([span.trace_id for span in sound]), ">u8").reshape(-1, 2)
    ids = np.frombuffer(b"".join([span.span_id for span in sound]), ">u8")
    none = bytes(8)
    parents = np.frombuffer(
        b"".join([p if len(p := span.parent_span_id) == 8 else none for span in sound]), ">u8"
    )
    salt = _salt(traces)
    rows["key"] = ids ^ salt
    rows["parent"] = np.where(parents != 0, parents ^ salt, 0)
    starts = np.array([span.start_time_unix_nano for span in sound], np.uint64)
    ends = np.array([span.end_time_unix_nano for span in sound], np.uint64)
    rows["kind"] = [min(max(span.kind, 0), 255) for span in sound]
    rows["failed"] = [span.status.code == Status.STATUS_CODE_ERROR for span in sound]
    rows["weight"] = [weight_of(state) if (state := span.trace_state) else 1.0 for span in sound]
    rows["peer"] = [
        _peer(span.attributes, names, now) if span.kind == CLIENT else NOTHING for span in sound
    ]
    nameless = (ids == 0) | ((traces[:, 0] | traces[:, 1]) == 0)
    timeless = (starts == 0) | (ends == 0) | (ends > _LAST_NS)
    backwards = ~timeless & (ends < starts)
    for why, these in (
        ("an id of zeros only", nameless),
        ("no time of its own", timeless & ~nameless),
        ("it ends before it starts", backwards & ~nameless),
    ):
        if these.any():
            rejected[why] += int(these.sum())
    good = ~(nameless | timeless | backwards)
    rows, starts, ends = rows[good], starts[good], ends[good]
    rows["ended"] = ends.astype(np.int64)
    rows["ms"] = (ends - starts).astype(np.float64) / 1e6
    return rows


def _peer(attributes: Sequence[Any], names: Registers, now: float) -> int:
    best, found = len(PEERS), ""
    for one in attributes:
        rank = PEERS.get(one.key)
        if rank is not None and rank < best and (value := one.value.string_value):
            best, found = rank, value
    return names.peers.number(found, now) if found else NOTHING


def _links(spans: Sequence[Span]) -> Iterator[NDArray[Any]]:
    for span in spans:
        if span.kind != CONSUMER or not len(span.links):
            continue
        ids = (span.trace_id, span.span_id)
        to = [(link.trace_id, link.span_id) for link in span.links[:MOST_LINKS]]
        sound = [pair for pair in [ids, *to] if tuple(map(len, pair)) == (16, 8)]
        keys = _keys(sound)
        if sound and sound[0] == ids:
            linked = np.empty(len(keys) - 1, LINK)
            linked["key"], linked["to"] = keys[0], keys[1:]
            yield linked


def _keys(ids: Sequence[tuple[bytes, bytes]]) -> NDArray[np.uint64]:
    traces = np.frombuffer(b"".join([trace for trace, _ in ids]), ">u8").reshape(-1, 2)
    return np.frombuffer(b"".join([span for _, span in ids]), ">u8") ^ _salt(traces)


def _salt(traces: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Tells spans of different traces apart whose ids are alike. Ids are random: of a million
    spans two have one key with a probability of 3e-8."""
    native = traces.astype(np.uint64)
    mixed = (native[:, 0] * _MIX ^ native[:, 1]) * _MIX
    return mixed ^ (mixed >> np.uint64(32))
