"""Snapshots, their differences and a doctor's findings as text for terminals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from models.places import Cloud
from optimizer.differences import KEYS, Change, Differences
from optimizer.output.plain import plain
from optimizer.output.terminal import WIDE, plural, rendered, table, words
from providers.seam import Finding, Severity
from providers.snapshots.manifest import Manifest, Part, Status
from providers.snapshots.writing import counts_of

SHOWN: Final = 20
"""Lines of a list that are printed before the rest is counted."""
_STYLES: Final = {Severity.FINE: "green", Severity.WARNING: "yellow", Severity.FAILED: "red"}


def snapshot_text(manifest: Manifest, width: int, colour: bool) -> str:
    """What was collected where, and what was not."""
    parts: list[RenderableType] = [_places(manifest, width)]
    if manifest.faulty:
        parts.append(_what_is_missing(manifest.faulty))
    return rendered(parts, width, colour)


def _what_is_missing(faulty: Sequence[Part]) -> RenderableType:
    """A line for each scope and reason."""
    title = plural(len(faulty), "part is", "parts are") + " not complete"
    made = table(title, ["Where", "What", "How", "Why"])
    by_reason: dict[tuple[str, Status, str], list[str]] = {}
    for part in faulty:
        key = (str(part.scope), part.status, part.why)
        by_reason.setdefault(key, []).append(part.reading.replace("_", " "))
    for (where, status, why), what in list(by_reason.items())[:SHOWN]:
        style = "yellow" if status is Status.PARTIAL else "red"
        made.add_row(words(where), words(", ".join(what)), words(status, style), words(why))
    if len(by_reason) > SHOWN:
        made.caption = words(f"... and {len(by_reason) - SHOWN:,} more in snapshot.json")
    return made


def _places(manifest: Manifest, width: int) -> RenderableType:
    counted = _COUNTED if width >= WIDE else _COUNTED_FIRST
    made = table(
        f"{manifest.name}, {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC",
        ["Place", *counted, "Parts"], counted,
    )  # fmt: skip
    by_place: dict[str, list[Part]] = {}
    for part in manifest.parts:
        by_place.setdefault(part.scope.place, []).append(part)
    for place, own in sorted(by_place.items()):
        counts = counts_of(own)
        bad = sum(part.status is not Status.COMPLETE for part in own)
        kept = sum(part.reused for part in own)
        how = f"{bad} of {len(own)} incomplete" if bad else "complete"
        how += f", {kept} from before" if kept else ""
        made.add_row(
            words(place),
            *(f"{counts.get(name, 0):,}" for name in counted.values()),
            words(how, "red" if bad else ""),
        )
    return made


_COUNTED_FIRST: Final = {"Instances": "instances", "Prices": "prices"}
_COUNTED: Final = {
    "Instances": "instances", "Groups": "groups", "Types": "instance_types", "Prices": "prices",
    "Quotas": "quotas", "Samples": "samples",
}  # fmt: skip


def differences_text(
    found: Differences, before: datetime, after: datetime, width: int, colour: bool
) -> str:
    """What came, went and changed, table by table."""
    numbers = ["Added", "Removed", "Changed"]
    made = table(f"{before:%Y-%m-%d %H:%M} to {after:%Y-%m-%d %H:%M} UTC", ["What", *numbers],
                 numbers)  # fmt: skip
    for name in KEYS:
        counts = [found.count(name, what.lower()) for what in numbers]
        made.add_row(words(name.replace("_", " ")), *(f"{count:,}" for count in counts))
    parts: list[RenderableType] = [made]
    if found.changes:
        listed = table("", ["", "What", "Which", "How"])
        for change in found.changes[:SHOWN]:
            listed.add_row(*map(words, _line(change)))
        parts.append(listed)
        if len(found.changes) > SHOWN:
            more = f"... and {len(found.changes) - SHOWN:,} more: --format json lists all"
            parts.append(words(more))
    if found.unknown:
        text = plural(len(found.unknown), "part was", "parts were")
        parts.append(words(f"{text} not compared: not whole in both snapshots", "yellow"))
    return rendered(parts, width, colour)


_SIGNS: Final = {"added": "+", "removed": "−", "changed": "~"}


def _line(change: Change) -> tuple[str, str, str, str]:
    how = "; ".join(f"{name}: {old} → {new}" for name, old, new in change.fields)
    return _SIGNS[change.what], change.table.replace("_", " "), " ".join(change.key), how


def finding_text(one: Finding, width: int, colour: bool) -> str:
    """One thing that a doctor found, and what to do."""
    made = Table.grid(padding=(0, 1))
    made.add_column(width=max(map(len, Severity)))
    made.add_column(width=max(map(len, Cloud)))
    made.add_column(overflow="fold")
    remedy = f"\n→ {plain(one.remedy)}" if one.remedy else ""
    said = Text(f"{plain(one.about)}: {plain(one.said)}{remedy}")
    made.add_row(words(one.severity, _STYLES[one.severity]), words(one.cloud), said)
    return rendered([made], width, colour).rstrip("\n")
