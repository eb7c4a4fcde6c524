"""The calls between services: a table, and dependencies as a world file has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import yaml
from rich.console import RenderableType

from models.services import Dependency
from optimizer.call_graph import Compared, SeenCall, Verdict
from optimizer.output.terminal import WIDE, rendered, table, words

_STYLES: Final = {
    Verdict.OFF: "yellow", Verdict.NEVER_SEEN: "yellow", Verdict.MISSING: "yellow",
    Verdict.AS_STATED: "green",
}  # fmt: skip


def calls_text(found: Sequence[Compared], with_world: bool, width: int, colour: bool) -> str:
    """Every call with rate, errors, latency and calls per request; what the world says of it."""
    wide = width >= WIDE
    numbers = ["rps", "errors", *(["p95, ms"] if wide else []), "per request"]
    further = ["stated", "verdict"] if with_world else []
    made = table("Calls", ["Caller", "Callee", *numbers, *further], [*numbers, "stated"])
    for one in found:
        cells: list[RenderableType] = [words(one.caller), words(one.callee)]
        cells += map(words, _figures(one.seen, wide))
        if with_world:
            stated = "" if one.stated is None else f"{one.stated:.3g}"
            cells += [words(stated), words(one.verdict, _STYLES.get(one.verdict, "dim"))]
        made.add_row(*cells)
    return rendered([made], width, colour)


def _figures(seen: SeenCall | None, wide: bool) -> list[str]:
    if seen is None:
        return ["–"] * (4 if wide else 3)
    per_request = "–"
    if math.isfinite(seen.per_request):
        per_request = f"{seen.per_request:.3g} ± {seen.per_request_error:.1g}"
    latency = [f"{seen.p95_ms:,.0f}" if math.isfinite(seen.p95_ms) else "–"] if wide else []
    return [f"{seen.rps:,.3g}", f"{100 * seen.error_share:.2g} %", *latency, per_request]


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
