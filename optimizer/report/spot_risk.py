"""How much spot capacity may be interrupted at once, and what is left then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from models.plan import Plan
from optimizer.report.wording import number

MOST_ROWS = 60


@dataclass(frozen=True, slots=True)
class Risk:
    """One service under one rule; every number as it is shown."""

    rule: str
    service: str
    pools: str
    at_once: str
    chance: str
    granted: str


@dataclass(frozen=True, slots=True)
class SpotRisk:
    risks: tuple[Risk, ...]
    left_out: int


def spot_risk(plan: Plan) -> SpotRisk:
    """Services under spot risk rules, in the order of the rules."""
    rows: Iterable[Any] = plan.placement.spot_risk.head(MOST_ROWS).itertuples(index=False)
    return SpotRisk(
        risks=tuple(
            Risk(
                rule=str(row.rule),
                service=str(row.service),
                pools=f"{row.pools_used:,} of {row.pools:,}",
                at_once=f"{row.at_once:,}",
                chance=number(float(row.chance_in_plan)),
                granted=number(float(row.chance_at_most)),
            )
            for row in rows
        ),
        left_out=max(0, len(plan.placement.spot_risk) - MOST_ROWS),
    )
