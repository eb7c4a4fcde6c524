"""Shared nodes as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from models.nodes import NoNodes, SharedNodes
from models.placement import Proof
from optimizer.report.page import render


def render_nodes(found: Sequence[SharedNodes | NoNodes]) -> str:
    """The nodes of every place, the cheapest first: a whole HTML document."""
    packed = [one for one in found if isinstance(one, SharedNodes)]
    return render(
        "nodes.html.j2",
        packed=[(one, _verdict(one)) for one in packed],
        refused=[one for one in found if isinstance(one, NoNodes)],
    )


def _verdict(one: SharedNodes) -> str:
    if one.proof is Proof.OPTIMAL:
        return "Proven optimal: no nodes that hold these pods cost less."
    missed = " The gap target was missed." if one.proof is Proof.TIME_LIMIT else ""
    return (
        f"Proven within {one.gap:.3%}: no nodes that hold these pods cost less than "
        f"{one.bound_usd_per_hour:,.4f} USD an hour.{missed}"
    )
