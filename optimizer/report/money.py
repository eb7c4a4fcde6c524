"""Where the money goes: two bills side by side, by each of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from models.placement import COMMITMENT_PURCHASE, Bill
from models.plan import Plan
from optimizer.report.wording import (
    CLOUD_WORDS,
    PURCHASE_WORDS,
    TERM_WORDS,
    change_percent,
    change_usd,
    per_month,
    plural,
    usd,
)

MOST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One bar pair. Widths are percent of the longest bar of the whole section."""

    label: str
    tint: str
    today: str
    plan: str
    change: str
    change_share: str
    today_width: float
    plan_width: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One way to cut the bill, dearest first, and its exact total. Amounts in USD a month."""

    title: str
    head: str
    rows: tuple[Row, ...]
    total: Row


def breakdowns(plan: Plan) -> tuple[Breakdown, ...]:
    """The plan's bill against today's by term, cloud, purchase option, team and service."""
    today, bill = plan.today.bill, plan.placement.bill
    teams = {service.name: service.team or "(no team)" for service in plan.world.services}
    nobodys = {"": PURCHASE_WORDS[COMMITMENT_PURCHASE]}
    cuts = [
        ("By kind of cost", "Kind", _named(today.by("term"), TERM_WORDS),
         _named(bill.by("term"), TERM_WORDS)),
        ("By cloud", "Cloud", today.by("cloud"), bill.by("cloud")),
        ("By purchase option", "Option", _named(today.by("purchase"), PURCHASE_WORDS),
         _named(bill.by("purchase"), PURCHASE_WORDS)),
    ]  # fmt: skip
    if len(set(teams.values())) > 1:
        cuts.append(("By team", "Team", _named(today.by("service"), teams | nobodys),
                     _named(bill.by("service"), teams | nobodys)))  # fmt: skip
    cuts.append(("By service", "Service", _named(today.by("service"), nobodys),
                 _named(bill.by("service"), nobodys)))  # fmt: skip
    return tuple(
        _breakdown(title, head, before, after, today, bill) for title, head, before, after in cuts
    )


def _named(amounts: Mapping[str, Decimal], names: Mapping[str, str]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for key, amount in amounts.items():
        name = names.get(key, key)
        totals[name] = totals.get(name, Decimal(0)) + amount
    return totals


def _breakdown(
    title: str,
    head: str,
    before: Mapping[str, Decimal],
    after: Mapping[str, Decimal],
    today: Bill,
    bill: Bill,
) -> Breakdown:
    zero = Decimal(0)
    keys = sorted(
        before.keys() | after.keys(),
        key=lambda k: (-max(before.get(k, zero), after.get(k, zero)), k),
    )
    pairs = [(key, before.get(key, zero), after.get(key, zero)) for key in keys]
    if len(pairs) > MOST_ROWS:
        rest = pairs[MOST_ROWS:]
        both = (sum((p[1] for p in rest), zero), sum((p[2] for p in rest), zero))
        pairs = [*pairs[:MOST_ROWS], (plural(len(rest), "more"), *both)]
    longest = max((max(then, now) for _, now, then in pairs), default=zero) or Decimal(1)
    by_cloud = head == "Cloud"
    rows = tuple(
        _row(CLOUD_WORDS.get(key, key) if by_cloud else key, key if by_cloud else "plan",
             now, then, longest, bill.hours)
        for key, now, then in pairs
    )  # fmt: skip
    total = _row("Total", "plan", today.total_usd, bill.total_usd, longest, bill.hours)
    return Breakdown(title, head, rows, total)


def _row(label: str, tint: str, now: Decimal, then: Decimal, longest: Decimal, hours: int) -> Row:
    return Row(
        label=label,
        tint=tint,
        today=usd(per_month(now, hours)),
        plan=usd(per_month(then, hours)),
        change=change_usd(per_month(then - now, hours)),
        change_share=change_percent(then - now, now),
        today_width=_width(now, longest),
        plan_width=_width(then, longest),
    )


def _width(amount: Decimal, longest: Decimal) -> float:
    return round(float(amount / longest * 100), 2) if amount > 0 else 0.0
