"""Incidents in the words and tables of a terminal, and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import RenderableType

from models.foreseen import Anomaly, Incident
from optimizer.output.json_values import finite_or_null, utc_text
from optimizer.output.terminal import plural, rendered, table, words

MOST_INCIDENTS: Final = 20
MOST_ANOMALIES: Final = 8


def incidents_text(found: Sequence[Incident], width: int, colour: bool) -> str:
    """Each incident: its root, why it is, and what belongs to it, the first to stray first."""
    if not found:
        return "Nothing strays."
    parts: list[RenderableType] = []
    for number, incident in enumerate(found[:MOST_INCIDENTS], 1):
        root = incident.root
        parts.append(words(f"{number}. {root.key.in_words}", "bold"))
        parts.append(words(f"   {_when(root)}: {root.why}"))
        parts.append(words(f"   Why this: {incident.why}."))
        others = sorted(
            (one for one in incident.anomalies if one is not root), key=lambda a: (a.starts, a.key)
        )
        if others:
            listed = table("", ["Since", "What follows", "How"])
            for one in others[:MOST_ANOMALIES]:
                listed.add_row(f"{one.starts:%H:%M}", words(one.key.in_words), words(one.why))
            parts.append(listed)
            if len(others) > MOST_ANOMALIES:
                parts.append(words(f"   ... and {len(others) - MOST_ANOMALIES:,} more", "dim"))
        else:
            parts.append("")
    if len(found) > MOST_INCIDENTS:
        more = plural(len(found) - MOST_INCIDENTS, "more incident", "more incidents")
        parts.append(words(f"{more}: --format json lists all", "dim"))
    return rendered(parts, width, colour)


def _when(one: Anomaly) -> str:
    same_day = one.starts.date() == one.ends.date()
    until = f"{one.ends:%H:%M}" if same_day else f"{one.ends:%Y-%m-%d %H:%M}"
    return f"{one.starts:%Y-%m-%d %H:%M} to {until} UTC"


def incidents_document(found: Sequence[Incident]) -> dict[str, Any]:
    """All incidents; the anomalies of each by time."""
    return {
        "format": "trimtab-incidents",
        "incidents": [
            {
                "root": anomaly_entry(one.root),
                "why": one.why,
                "anomalies": [
                    anomaly_entry(a) for a in sorted(one.anomalies, key=lambda a: (a.starts, a.key))
                ],
            }
            for one in found
        ],
    }


def anomaly_entry(one: Anomaly) -> dict[str, Any]:
    """One anomaly in a document."""
    return {
        **asdict(one.key),
        "starts": utc_text(one.starts),
        "ends": utc_text(one.ends),
        "score": finite_or_null(one.score),
        "value": finite_or_null(one.value),
        "expected": finite_or_null(one.expected),
        "why": one.why,
    }
