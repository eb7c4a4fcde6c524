"""What commitments do in a plan, in the words and tables that a terminal shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from rich.console import RenderableType

from models.commitments import HOURS_PER_WEEK, CommitmentUse
from models.placement import Term
from models.plan import Plan
from optimizer.output.money import usd_per_month
from optimizer.output.terminal import WIDE, percent, signed_usd, table, words

MOST_COMMITMENTS: Final = 20


def commitments_text(plan: Plan, width: int) -> Iterator[RenderableType]:
    """A table of the plan's commitments, and what to mind; nothing when there are none."""
    uses = plan.placement.commitments
    if not uses:
        return
    wide = width >= WIDE
    more = ["Break-even", "Coverage", "Pays back"] if wide else []
    numbers = ["Owned", "Buy", "Used", *more, "Saves"]
    made = table("Commitments, USD/month", ["Commitment", *numbers], numbers)
    for use in uses[:MOST_COMMITMENTS]:
        extra = [
            _share(use.break_even_utilisation),
            _share(use.coverage),
            pays_back_words(use.pays_back_after_months),
        ]
        made.add_row(
            words(use.commitment.name),
            level_words(use.commitment.owned, use.commitment.unit),
            level_words(use.bought, use.commitment.unit),
            _share(use.utilisation),
            *(extra if wide else []),
            signed_usd(_saving(plan, use)),
        )
    yield made
    if len(uses) > MOST_COMMITMENTS:
        yield words(f"and {len(uses) - MOST_COMMITMENTS:,} more", "dim")
    if is_a_rash_purchase(plan):
        yield words(rash_words(plan), "yellow")


def is_a_rash_purchase(plan: Plan) -> bool:
    """Whether something is bought for years on the strength of less than a week."""
    bought = any(use.bought > 0 for use in plan.placement.commitments)
    return bought and plan.placement.hours < HOURS_PER_WEEK


def rash_words(plan: Plan) -> str:
    """Why a purchase should be looked at again."""
    return (
        f"What to buy is decided for {plan.placement.hours} h, and holds for years: plan a longer "
        "horizon, and compare what-ifs, before you sign."
    )


def level_words(level: float, unit: str) -> str:
    """``12.4 USD/h``; nothing for nothing."""
    if level <= 0:
        return "–"
    return f"{level:,.3f} {unit}" if level < 10 else f"{level:,.1f} {unit}"


def pays_back_words(months: float) -> str:
    """``after 7.2 months``, ``never``, or nothing when nothing is bought."""
    if math.isnan(months):
        return ""
    return f"{months:,.1f} months" if math.isfinite(months) else "never"


def _share(value: float) -> str:
    return percent(value) if math.isfinite(value) else "–"


def _saving(plan: Plan, use: CommitmentUse) -> Decimal:
    bill, name = plan.placement.bill, use.commitment.name
    net = bill.of_commitment(name, Term.COMMITMENTS) + bill.of_commitment(name, Term.COVERED)
    return usd_per_month(-net, bill.hours)
