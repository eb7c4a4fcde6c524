"""How many spans, lines or metrics a body holds, before anything is made of them.

An empty span is two bytes, and two hundred once it is read: a body of few bytes could take all
memory. Requests of the three kinds of telemetry nest alike, so that one walk counts them all.
"""

from __future__ import annotations

from typing import Any, Final

MOST: Final = 50_000
"""Items of a request: resources, scopes, and spans, lines or metrics together."""
_PATH: Final = (1, 2, 2)  # numbers of fields: resource_…, scope_…, and what they hold
_NAMES: Final = (
    ("resourceSpans", "scopeSpans", "spans"),
    ("resourceLogs", "scopeLogs", "logRecords"),
    ("resourceMetrics", "scopeMetrics", "metrics"),
)
_LONGEST_SHIFT: Final = 56  # of the ninth byte
_VARINT, _EIGHT, _SIZED, _FOUR = 0, 1, 2, 5  # wire types


def has_too_many(body: bytes) -> bool:
    """Whether protobuf holds more than ``MOST`` items; what breaks off is left to its reader.

    Raises ``ValueError`` for what no exporter writes and the walk would not see through.
    """
    try:
        return _count(body, 0, len(body), 0, 0) > MOST
    except IndexError:
        return False


def has_too_many_in(document: dict[str, Any]) -> bool:
    """The same of a document read from JSON."""
    count = 0
    for names in _NAMES:
        holders: list[Any] = [document]
        for name in names:
            held = [one.get(name) for one in holders if isinstance(one, dict)]
            holders = [one for some in held if isinstance(some, list) for one in some]
            count += len(holders)
    return count > MOST


def _count(body: bytes, at: int, end: int, level: int, count: int) -> int:
    """Items from ``at`` to ``end``, which lie ``level`` deep; stops once there are too many."""
    wanted = _PATH[level]
    while at < end and count <= MOST:
        tag, at = _varint(body, at)
        kind = tag & 7
        if kind == _SIZED:
            size, at = _varint(body, at)
            if tag >> 3 == wanted:
                count += 1
                if level + 1 < len(_PATH):
                    count = _count(body, at, min(at + size, end), level + 1, count)
            at += size
        elif kind == _VARINT:
            _, at = _varint(body, at)
        elif kind in (_EIGHT, _FOUR):
            at += 8 if kind == _EIGHT else 4
        else:
            raise ValueError("a group, or no wire type at all")
    return count


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends; raises ``IndexError`` where the body breaks off."""
    value, shift = body[at] & 0x7F, 0
    while body[at] & 0x80:
        if shift > _LONGEST_SHIFT:
            raise ValueError("a number of more than ten bytes")
        at += 1
        shift += 7
        value |= (body[at] & 0x7F) << shift
    return value, at + 1
