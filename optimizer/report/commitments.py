"""What commitments cost, cover and save, and which to buy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from models.commitments import HOURS_PER_WEEK, CommitmentUse
from models.placement import Term
from models.plan import Plan
from optimizer.report.wording import (
    CLOUD_WORDS,
    NBSP,
    change_usd,
    exact,
    per_month,
    percent,
    plural,
    usd,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One commitment. Amounts in USD a month; empty where there is nothing to say."""

    name: str
    cloud: str
    words: str
    why: str
    owned: str
    bought: str
    used: str
    used_today: str
    break_even: str
    coverage: str
    cost: str
    covered: str
    saving: str
    pays: bool


@dataclass(frozen=True, slots=True)
class Purchase:
    """What to buy, in words."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Commitments:
    rows: tuple[Row, ...]
    cost: str
    covered: str
    saving: str
    purchases: tuple[Purchase, ...]
    caution: str


def commitments(plan: Plan) -> Commitments | None:
    """Every commitment of the plan in the order of the world; None when there are none."""
    uses = plan.placement.commitments
    if not uses:
        return None
    bill = plan.placement.bill
    today = {use.commitment.name: use for use in plan.today.commitments}
    by_term = bill.by("term")
    cost = by_term.get(Term.COMMITMENTS.value, Decimal(0))
    covered = -by_term.get(Term.COVERED.value, Decimal(0))
    short = plan.placement.hours < HOURS_PER_WEEK and any(use.bought > 0 for use in uses)
    return Commitments(
        rows=tuple(_row(plan, use, today.get(use.commitment.name)) for use in uses),
        cost=usd(per_month(cost, bill.hours)),
        covered=usd(per_month(covered, bill.hours)),
        saving=change_usd(per_month(covered - cost, bill.hours)),
        purchases=tuple(_purchase(use) for use in uses if use.bought > 0),
        caution=(
            f"What to buy is decided for {plural(plan.placement.hours, 'hour')}, and holds for "
            "years. Plan a longer horizon, and compare what-ifs of less demand, before you sign."
        )
        if short
        else "",
    )


def _row(plan: Plan, use: CommitmentUse, before: CommitmentUse | None) -> Row:
    deal, bill = use.commitment, plan.placement.bill
    cost = bill.of_commitment(deal.name, Term.COMMITMENTS)
    covered = -bill.of_commitment(deal.name, Term.COVERED)
    term = f"{plural(deal.term_years, 'year')}, {deal.kind.value}: {deal.scope_in_words}"
    ends = f"; ends on {deal.expires.isoformat()}" if deal.expires is not None else ""
    return Row(
        name=deal.name,
        cloud=CLOUD_WORDS[deal.cloud.value],
        words=f"{term}{ends}",
        why=deal.why,
        owned=_level(deal.owned, deal.unit),
        bought=_level(use.bought, deal.unit),
        used=_share(use.utilisation),
        used_today=_share(before.utilisation) if before is not None else "–",
        break_even=_share(use.break_even_utilisation),
        coverage=_share(use.coverage),
        cost=usd(per_month(cost, bill.hours)),
        covered=usd(per_month(covered, bill.hours)),
        saving=change_usd(per_month(covered - cost, bill.hours)),
        pays=covered >= cost,
    )


def _purchase(use: CommitmentUse) -> Purchase:
    deal = use.commitment
    hourly = exact(round(use.bought * deal.usd_per_level_hour, 6))
    months = use.pays_back_after_months
    back = (
        f"pays for its whole term after {months:,.1f} months of such use"
        if math.isfinite(months)
        else "never pays for its term"
    )
    return Purchase(
        deal.name,
        f"{_level(use.bought, deal.unit)} for {plural(deal.term_years, 'year')}, "
        f"{usd(per_month(hourly, 1))}{NBSP}USD a month: "
        f"{_share(use.bought_utilisation)} of it is used; {back}.",
    )


def _level(level: float, unit: str) -> str:
    if level <= 0:
        return "–"
    return f"{level:,.3f}{NBSP}{unit}" if level < 10 else f"{level:,.1f}{NBSP}{unit}"


def _share(value: float) -> str:
    return percent(exact(value)) if math.isfinite(value) else "–"
