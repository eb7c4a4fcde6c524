"""Anomalies as a table of a terminal, and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from rich.console import RenderableType

from models.foreseen import Anomaly
from optimizer.output.incidents_text import anomaly_entry
from optimizer.output.terminal import plural, rendered, table, words

MOST_ANOMALIES: Final = 40
_UNITS: Final = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m"))


def anomalies_text(found: Sequence[Anomaly], width: int, colour: bool) -> str:
    """By time; when there are many, the surest of them."""
    if not found:
        return "Nothing strays."
    surest = sorted(found, key=lambda one: -one.score)[:MOST_ANOMALIES]
    listed = table("", ["Since (UTC)", "For", "What strays", "How"])
    for one in _by_time(surest):
        listed.add_row(
            f"{one.starts:%Y-%m-%d %H:%M}",
            _lasting(one.ends - one.starts),
            words(one.key.in_words),
            words(one.why),
        )
    parts: list[RenderableType] = [listed]
    if len(found) > len(surest):
        more = plural(len(found) - len(surest), "less sure anomaly", "less sure anomalies")
        parts.append(words(f"{more}: --format json lists all", "dim"))
    return rendered(parts, width, colour)


def _by_time(found: Sequence[Anomaly]) -> list[Anomaly]:
    return sorted(found, key=lambda one: (one.starts, one.key))


def _lasting(time: timedelta) -> str:
    for unit, name in _UNITS:
        if time >= unit:
            return f"{time / unit:.3g} {name}"
    return f"{time.total_seconds():.0f} s"


def anomalies_document(found: Sequence[Anomaly]) -> dict[str, Any]:
    """All anomalies by time."""
    return {
        "format": "trimtab-anomalies",
        "anomalies": [anomaly_entry(one) for one in _by_time(found)],
    }
