"""What was observed, as text for terminals and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.console import RenderableType

from optimizer.observe import Coverage, Observed, PartRead
from optimizer.output.json_values import Document, utc_text
from optimizer.output.terminal import plural, rendered, table, words

SHOWN: Final = 40
"""Rows of a table that are printed before the rest is counted."""


def observed_text(
    name: str, observed: Observed, measured: Sequence[Coverage], width: int, colour: bool
) -> str:
    """What is known in the window, what was odd, and what could not be read."""
    numbers = ["Series", "Steps", "Gaps"]
    made = table(name, ["Signal", "Service", *numbers, "Newest (UTC)"], numbers)
    for one in measured[:SHOWN]:
        made.add_row(
            words(one.signal), words(one.service), f"{one.series:,}", f"{one.steps:,}",
            f"{one.gaps:,}", words(f"{one.newest:%Y-%m-%d %H:%M:%S}"),
        )  # fmt: skip
    if len(measured) > SHOWN:
        made.caption = words(f"... and {len(measured) - SHOWN:,} more: --format json lists all")
    parts: list[RenderableType] = [made]
    if not measured:
        text = "Nothing was measured in this time. Other times: --last 28d, or --from."
        parts.append(words(text, "yellow"))
    if observed.cut:
        parts.append(words(f"{observed.cut[:1].upper()}{observed.cut[1:]}.", "yellow"))
    for part in observed.parts:
        parts += [words(f"{part.title}: {text}", "yellow") for text in _said(part)]
    failed = [part for part in observed.parts if part.why]
    if failed:
        title = plural(len(failed), "part was", "parts were") + " not read to the end"
        listed = table(title, ["Part", "Why"])
        for said, why in _failures(observed):
            listed.add_row(words(said), words(why, "red"))
        parts.append(listed)
    return rendered(parts, width, colour)


def _failures(observed: Observed) -> list[tuple[str, str]]:
    """What was not read, and why: parts of a source that failed for the same reason together."""
    found: dict[tuple[str, str], list[str]] = {}
    for part in observed.parts:
        if part.why:
            found.setdefault((part.source, part.why), []).append(part.title)
    return [
        (titles[0] if len(titles) == 1 else f"{source}: {len(titles):,} queries or files", why)
        for (source, why), titles in found.items()
    ]


def _said(one: PartRead) -> list[str]:
    found = [notice.in_words for notice in one.notices]
    if one.too_late:
        found.append(f"{one.too_late:,} steps are of days that are kept by the hour: left out")
    return [*found, *one.notes]


def round_text(observed: Observed, at: datetime, told: set[str]) -> str:
    """A round in a line, and a line for each reason why parts failed, and for what was odd.

    What is in ``told`` was told before, and is not repeated; what is new is added to it. Failures
    are told each time.
    """
    samples = sum(one.samples for one in observed.parts)
    changed = sum(one.changed for one in observed.parts)
    failed = sum(bool(one.why) for one in observed.parts)
    line = f"{at:%Y-%m-%d %H:%M:%S} UTC: {samples:,} samples, {changed:,} steps new, "
    line += f"{plural(failed, 'part')} failed, {observed.took_s:.1f} s"
    more = [f"{what}: {why}" for what, why in _failures(observed)]
    odd = [f"{one.title}: {text}" for one in observed.parts for text in _said(one)]
    odd += [observed.cut] if observed.cut else []
    more += [text for text in odd if text not in told]
    told.update(odd)
    return rendered(map(words, [line, *more]), 10_000, False).rstrip("\n")


def observed_document(
    name: str, observed: Observed, measured: Sequence[Coverage], starts: datetime, ends: datetime
) -> Document:
    """All of it."""
    return {
        "format": "trimtab-observed",
        "telemetry": name,
        "from": utc_text(starts),
        "to": utc_text(ends),
        "took_s": round(observed.took_s, 3),
        "days_retired": observed.retired,
        "cut": observed.cut,
        "signals": [
            {
                "signal": one.signal, "service": one.service, "series": one.series,
                "steps": one.steps, "gaps": one.gaps, "newest": utc_text(one.newest),
            }
            for one in measured
        ],
        "parts": [_part_document(one) for one in observed.parts],
    }  # fmt: skip


def _part_document(one: PartRead) -> Document:
    return {
        "source": one.source, "part": one.name, "samples": one.samples, "series": len(one.keys),
        "steps": one.steps, "gaps": one.gaps, "changed": one.changed, "too_late": one.too_late,
        "newest": None if one.newest is None else utc_text(one.newest),
        "took_s": round(one.took_s, 3), "why": one.why, "said": _said(one),
    }  # fmt: skip
