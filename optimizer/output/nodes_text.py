"""Shared nodes for terminals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from models.nodes import NoNodes, SharedNodes
from models.placement import Proof
from optimizer.output.money import decimal_text, saved_share
from optimizer.output.terminal import WIDE, percent, plural, rendered, table, usd, words

_SHOWN = 30
_SERVICES = 4


def nodes_text(found: Sequence[SharedNodes | NoNodes], width: int, colour: bool) -> str:
    """The nodes of the cheapest place, what is proven, and how the other places compare."""
    return rendered(_parts(found, width), width, colour)


def proof_line(one: SharedNodes) -> str:
    """What is known about anything cheaper, in words."""
    if one.proof is Proof.OPTIMAL:
        return "Proven optimal: no nodes that hold these pods cost less."
    line = (
        f"Proven within {percent(one.gap)}: no nodes that hold these pods cost less than "
        f"{usd(one.bound_usd_per_hour)} USD per hour"
    )
    return line + ("; the gap target was missed." if one.proof is Proof.TIME_LIMIT else ".")


def first_fit_line(one: SharedNodes) -> str:
    """How much less than first-fit decreasing it costs; empty when that is unknown."""
    if one.first_fit_usd_per_hour is None:
        return ""
    saved = saved_share(one.first_fit_usd_per_hour, one.usd_per_hour) or 0.0
    return (
        f"First-fit decreasing, as node autoscalers do it, would pay "
        f"{usd(one.first_fit_usd_per_hour)} USD per hour: {percent(saved)} saved."
    )


def _parts(found: Sequence[SharedNodes | NoNodes], width: int) -> Iterator[RenderableType]:
    first = found[0]
    if isinstance(first, SharedNodes):
        yield from _nodes(first, width)
    for one in found if isinstance(first, NoNodes) else ():
        assert isinstance(one, NoNodes)  # noqa: S101 - those without nodes come last
        yield words(f"No nodes in {one.place} hold all pods", "bold")
        for reason in one.reasons[:_SHOWN]:
            yield words(f"- {reason}")
    if isinstance(first, SharedNodes) and len(found) > 1:
        yield _places(found)


def _nodes(one: SharedNodes, width: int) -> Iterator[RenderableType]:
    heading = f"{one.place}: {plural(one.machines, 'node')}, {usd(one.usd_per_hour)} USD per hour"
    yield words(f"{heading}, {usd(one.usd_per_month)} USD per month", "bold")
    yield words(proof_line(one))
    if line := first_fit_line(one):
        yield words(line)
    zoned = any(node.zone for node in one.nodes)
    numbers = ["Nodes", "USD/hour", "Pods"]
    columns = ["Type", *(["Zone"] if zoned else []), *numbers]
    made = table("", [*columns, "On each"] if width >= WIDE else columns, numbers)
    for node in one.nodes[:_SHOWN]:
        parts = sorted(node.pods, key=lambda part: (-part[1], part[0]))
        said = ", ".join(f"{name} {count:,}" for name, count in parts[:_SERVICES])
        if len(parts) > _SERVICES:
            said += f" and {plural(len(parts) - _SERVICES, 'service')} more"
        made.add_row(
            words(node.instance_type),
            *([str(node.zone or "any")] if zoned else []),
            f"{node.copies:,}",
            decimal_text(node.price_usd_per_hour),
            f"{sum(count for _, count in node.pods):,}",
            *([words(said)] if width >= WIDE else []),
        )
    yield made
    if len(one.nodes) > _SHOWN:
        yield words(f"{_SHOWN} of {len(one.nodes):,} kinds of nodes; --format csv has all.", "dim")
    yield words(f"Prices: book {one.book}, as of {one.as_of}.", "dim")


def _places(found: Sequence[SharedNodes | NoNodes]) -> RenderableType:
    made = table("By place", ["Place", "Nodes", "USD/hour", "Gap"], ["Nodes", "USD/hour", "Gap"])
    for one in found:
        if isinstance(one, SharedNodes):
            made.add_row(
                words(one.place), f"{one.machines:,}", usd(one.usd_per_hour), percent(one.gap)
            )
        else:
            made.add_row(words(one.place), "none", "", "")
    return made
