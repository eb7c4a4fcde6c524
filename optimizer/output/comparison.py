"""What-ifs beside the world as it is: a table, CSV and JSON.

``names`` and ``outcomes`` below stand in the order given; the first is the base, the world as it
is, and has a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import pandas as pd
from rich.table import Table

from models.placement import SHADOW_UNITS, ShadowTerm, Term
from models.places import Cloud
from models.plan import Infeasible, Outcome, Plan
from optimizer.output.commitments_text import level_words
from optimizer.output.json_values import Document, finite_or_null
from optimizer.output.money import decimal_text, saved_share, usd_per_month
from optimizer.output.plan_json import outcome_kind
from optimizer.output.summary import monthly, shadow_per_month, whole_peak
from optimizer.output.terminal import WIDE, percent, rendered, signed_usd, table, usd, words

COMPARISON_FORMAT: Final = "trimtab-comparison"
COMPARISON_VERSION: Final = 1


BASE: Final = "base"
"""What the world without a what-if is called."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One scenario's outcome in figures; those of a plan are None when there is no plan."""

    scenario: str
    outcome: str
    usd_per_month: Decimal | None
    change_usd_per_month: Decimal | None
    change_share: float | None
    proof: str
    gap: float | None
    peak_instances: int | None
    places: int | None
    by_cloud_usd_per_month: dict[str, Decimal]
    by_term_usd_per_month: dict[str, Decimal]
    shadow_per_month: dict[ShadowTerm, tuple[Decimal, Decimal]]
    bought: dict[str, str]
    """Levels of commitments that the plan buys, with their units."""
    clash: tuple[str, ...]


def compare(named: Sequence[tuple[str, Outcome]]) -> tuple[Alternative, ...]:
    """Figures of every outcome; changes are against the first, which must be a ``Plan``."""
    base = named[0][1]
    if not isinstance(base, Plan):
        raise TypeError("without a plan of the base there is nothing to compare with")
    cost = _usd_per_month(base)
    return tuple(
        _planned(name, outcome, cost) if isinstance(outcome, Plan) else _unplanned(name, outcome)
        for name, outcome in named
    )


def comparison_document(alternatives: Sequence[Alternative]) -> Document:
    """The comparison as JSON values, with exact decimal text for money."""
    return {
        "format": COMPARISON_FORMAT,
        "version": COMPARISON_VERSION,
        "alternatives": [
            {
                "scenario": one.scenario,
                "outcome": one.outcome,
                "usd_per_month": _text(one.usd_per_month),
                "change_usd_per_month": _text(one.change_usd_per_month),
                "change_share": one.change_share,
                "proof": one.proof,
                "gap": one.gap,
                "peak_instances": one.peak_instances,
                "places": one.places,
                "by_cloud_usd_per_month": _texts(one.by_cloud_usd_per_month),
                "by_term_usd_per_month": _texts(one.by_term_usd_per_month),
                "shadow_per_month": [
                    {
                        "term": term.value,
                        "quantity": decimal_text(quantity),
                        "unit": SHADOW_UNITS[term],
                        "usd": decimal_text(amount),
                    }
                    for term, (quantity, amount) in one.shadow_per_month.items()
                ],
                "bought": one.bought,
                "clash": list(one.clash),
            }
            for one in alternatives
        ],
    }


def comparison_table(alternatives: Sequence[Alternative]) -> pd.DataFrame:
    """One row per scenario, one column per figure; of shadow costs, those that somebody counts."""
    counted = {term for one in alternatives for term in one.shadow_per_month}
    paid = {term for one in alternatives for term in one.by_term_usd_per_month}
    rows = [
        {
            "scenario": one.scenario,
            "outcome": one.outcome,
            "usd_per_month": one.usd_per_month,
            "change_usd_per_month": one.change_usd_per_month,
            "change_share": one.change_share,
            "proof": one.proof,
            "gap": one.gap,
            "peak_instances": one.peak_instances,
            "places": one.places,
            **{
                f"{cloud.value}_usd_per_month": one.by_cloud_usd_per_month.get(cloud.value)
                for cloud in Cloud
            },
            **{
                f"{term.value}_usd_per_month": one.by_term_usd_per_month.get(term.value)
                for term in Term
                if term is not Term.MOVES or term.value in paid
            },
            **{
                f"{term.value}_{what}": one.shadow_per_month.get(term, (None, None))[i]
                for term in ShadowTerm
                if term in counted
                for i, what in enumerate(("quantity_per_month", "shadow_usd_per_month"))
            },
            "bought": "; ".join(f"{name}: {level}" for name, level in one.bought.items()),
            "clash": " ".join(one.clash),
        }
        for one in alternatives
    ]
    return pd.DataFrame(rows).astype({"peak_instances": "Int64", "places": "Int64"})


def comparison_text(alternatives: Sequence[Alternative], width: int, colour: bool) -> str:
    """The comparison for a terminal of ``width`` columns."""
    bought = [
        words(f"{one.scenario} buys {level} of {name}")
        for one in alternatives
        for name, level in one.bought.items()
    ]
    return rendered([_table(alternatives, width), *bought], width, colour)


def _table(alternatives: Sequence[Alternative], width: int) -> Table:
    wide = width >= WIDE
    counted = [t for t in ShadowTerm if any(t in one.shadow_per_month for one in alternatives)]
    numbers = [
        "USD/month",
        "Change",
        "Share",
        *(f"{SHADOW_UNITS[term]}/month" for term in counted),
        *(["Peak instances", "Places", "Gap"] if wide else []),
    ]
    made = table("What if", ["Scenario", *numbers], numbers)
    for one in alternatives:
        if one.usd_per_month is None or one.change_usd_per_month is None:
            made.add_row(words(f"{one.scenario}: {_why_no_plan(one)}", "red"))
            continue
        is_base = one is alternatives[0]
        share = "" if is_base or one.change_share is None else _signed_percent(one.change_share)
        made.add_row(
            words(one.scenario),
            usd(one.usd_per_month),
            "" if is_base else signed_usd(one.change_usd_per_month),
            share,
            *(_quantity(one, term) for term in counted),
            *(
                [f"{one.peak_instances:,}", str(one.places), percent(one.gap or 0.0)]
                if wide
                else []
            ),
        )
    return made


def _quantity(one: Alternative, term: ShadowTerm) -> str:
    return f"{one.shadow_per_month[term][0]:,.0f}" if term in one.shadow_per_month else ""


def _why_no_plan(one: Alternative) -> str:
    if one.clash:
        return f"{one.outcome} ({', '.join(one.clash)})"
    if one.outcome == "infeasible":
        return "infeasible, whatever the rules"
    return one.outcome


def _signed_percent(share: float) -> str:
    sign = "+" if share > 0 else "−" if share < 0 else ""
    return sign + percent(abs(share))


def _planned(name: str, plan: Plan, base: Decimal) -> Alternative:
    cost, bill = _usd_per_month(plan), plan.placement.bill
    saved = saved_share(base, cost)
    counts = plan.placement.counts
    return Alternative(
        scenario=name,
        outcome=outcome_kind(plan),
        usd_per_month=cost,
        change_usd_per_month=cost - base,
        change_share=None if saved is None else 0.0 - saved,
        proof=plan.placement.certificate.proof.value,
        gap=finite_or_null(plan.placement.certificate.gap),
        peak_instances=whole_peak(plan.placement),
        places=len(counts[["cloud", "region"]].drop_duplicates()),
        by_cloud_usd_per_month=monthly(bill, "cloud"),
        by_term_usd_per_month=monthly(bill, "term"),
        shadow_per_month=shadow_per_month(bill),
        bought={
            use.commitment.name: level_words(use.bought, use.commitment.unit)
            for use in plan.placement.commitments
            if use.bought > 0
        },
        clash=(),
    )


def _unplanned(name: str, outcome: Outcome) -> Alternative:
    clash = outcome.clash if isinstance(outcome, Infeasible) else ()
    return Alternative(
        scenario=name,
        outcome=outcome_kind(outcome),
        usd_per_month=None,
        change_usd_per_month=None,
        change_share=None,
        proof="",
        gap=None,
        peak_instances=None,
        places=None,
        by_cloud_usd_per_month={},
        by_term_usd_per_month={},
        shadow_per_month={},
        bought={},
        clash=tuple(rule.name for rule in clash),
    )


def _usd_per_month(plan: Plan) -> Decimal:
    return usd_per_month(plan.placement.bill.total_usd, plan.placement.hours)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else decimal_text(amount)


def _texts(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {key: decimal_text(amount) for key, amount in sorted(amounts.items())}
