"""The calls between services: a table, and dependencies as a world file has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import yaml

from models.services import Dependency
from optimizer.call_graph import Compared, SeenCall, Verdict
from optimizer.output.terminal import Column, figure, narrow_table, percent, rendered, words

_STYLES: Final = {
    Verdict.OFF: "yellow", Verdict.NEVER_SEEN: "yellow", Verdict.MISSING: "yellow",
    Verdict.AS_STATED: "green",
}  # fmt: skip


_SEEN: Final = (
    Column("Caller"), Column("Callee"), Column("rps", 2, right=True),
    Column("errors", 3, right=True), Column("p95, ms", 5, right=True),
    Column("per request", 4, right=True),
)  # fmt: skip
_STATED: Final = (Column("stated", 6, right=True), Column("verdict", 1))


def calls_text(found: Sequence[Compared], with_world: bool, width: int, colour: bool) -> str:
    """Every call with rate, errors, latency and calls per request; what the world says of it."""
    rows = []
    for one in found:
        row = [words(one.caller), words(one.callee), *map(words, _figures(one.seen))]
        if with_world:
            row.append(words("" if one.stated is None else figure(one.stated)))
            row.append(words(one.verdict, _STYLES.get(one.verdict, "dim")))
        rows.append(row)
    columns = (*_SEEN, *_STATED) if with_world else _SEEN
    return rendered(narrow_table("Calls", columns, rows, width), width, colour)


def _figures(seen: SeenCall | None) -> list[str]:
    if seen is None:
        return ["–"] * 4
    per_request = "–"
    if math.isfinite(seen.per_request):
        per_request = f"{figure(seen.per_request)} ± {seen.per_request_error:.1g}"
    latency = figure(seen.p95_ms) if math.isfinite(seen.p95_ms) else "–"
    return [figure(seen.rps), percent(seen.error_share), latency, per_request]


def dependencies_yaml(dependencies: Sequence[Dependency], circle: str) -> str:
    """The part ``dependencies`` of a world file, each on a line."""
    lines = ["dependencies:"] if dependencies else ["dependencies: []"]
    if circle:
        said = "".join(c if c.isprintable() else " " for c in circle)
        lines.insert(0, f"# A world knows no circles; break this one: {said}")
    for one in dependencies:
        entry: dict[str, Any] = {
            "caller": one.caller, "callee": one.callee, "calls_per_request": one.calls_per_request,
        }  # fmt: skip
        if one.request_kib or one.response_kib:
            entry |= {"request_kib": one.request_kib, "response_kib": one.response_kib}
        text = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=10**6)
        lines.append(f"  - {text.strip()}")
    return "\n".join(lines)


def calls_document(found: Sequence[Compared]) -> dict[str, Any]:
    """The same as a document; figures that are not known are null."""
    return {"format": "trimtab-calls", "calls": [_entry(one) for one in found]}


CALL_COLUMNS: Final = (
    "caller", "callee", "verdict", "stated", "calls", "requests", "rps", "error_share", "p95_ms",
    "per_request", "per_request_error",
)  # fmt: skip


def _entry(one: Compared) -> dict[str, Any]:
    entry: dict[str, Any] = dict.fromkeys(CALL_COLUMNS)
    entry |= {"caller": one.caller, "callee": one.callee, "verdict": str(one.verdict),
              "stated": one.stated}  # fmt: skip
    if one.seen is not None:
        for name in CALL_COLUMNS[4:]:
            value = float(getattr(one.seen, name))
            entry[name] = value if math.isfinite(value) else None
    return entry
