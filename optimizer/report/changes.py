"""What becomes of today's services: what changes, what stays, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from models.plan import Plan
from optimizer.report.wording import usd

MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One service that runs today; amounts in USD a month, empty where unknown or nothing."""

    service: str
    what: str
    started: str
    stopped: str
    moves: str
    saving: str
    minimum: str
    why: str


@dataclass(frozen=True, slots=True)
class Changes:
    rows: tuple[Change, ...]
    left_out: int


def changes(plan: Plan) -> Changes:
    """Services in the order of the world; none where changes cost nothing."""
    table = plan.placement.changes
    rows: Iterable[Any] = table.head(MOST_ROWS).itertuples(index=False)
    words = {"yes": "changes", "no": "stays", "must": "must change"}
    return Changes(
        rows=tuple(
            Change(
                service=str(row.service),
                what=words[str(row.changes)],
                started=f"{row.started:,}",
                stopped=f"{row.stopped:,}",
                moves=_amount(row.moves_usd_per_month),
                saving="" if row.saving_usd_per_month is None else usd(row.saving_usd_per_month),
                minimum=_amount(row.minimum_usd_per_month),
                why=str(row.why),
            )
            for row in rows
        ),
        left_out=max(0, len(table) - MOST_ROWS),
    )


def _amount(amount: Decimal) -> str:
    return usd(amount) if amount else ""
