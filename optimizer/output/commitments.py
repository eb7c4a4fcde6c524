"""What commitments do in a plan, one record each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import pandas as pd

from models.commitments import CommitmentUse
from models.placement import Bill, Term
from models.plan import Plan
from optimizer.output.json_values import Document, finite_or_null, rates, significant
from optimizer.output.money import decimal_text

COMMITMENT_COLUMNS: Final[dict[str, str]] = {
    "commitment": "name of the commitment",
    "cloud": "aws, azure or gcp",
    "kind": "spend or resource",
    "covers": "families and places, in words",
    "term_years": "length of the contract",
    "unit": "of levels: USD/h at discounted rates, or vCPUs",
    "owned": "level that is owned",
    "bought": "level that the plan buys",
    "utilisation": "share of the level that is used",
    "break_even_utilisation": "utilisation below which list price is cheaper",
    "coverage": "share of the usage that it could cover that it covers, by list price",
    "bought_utilisation": "share of what is bought that is used; what is owned is used first",
    "pays_back_after_months": "of such usage, what is bought has paid for its whole term",
    "cost_usd": "over the hours of the plan, used or not",
    "covered_usd": "list price of the usage that it covers",
    "saving_usd": "covered_usd - cost_usd",
    "today_utilisation": "share of the owned level that today's fleet uses at best",
    "today_saving_usd": "covered_usd - cost_usd today",
    "expires": "day on which what is owned ends; empty when not in sight",
    "why": "as the world file says",
}


def commitment_records(plan: Plan) -> list[dict[str, Any]]:
    """One record per commitment, with the keys of ``COMMITMENT_COLUMNS``.

    Amounts of money are exact decimals over the horizon; what has no finite value is None.
    """
    placement, today = plan.placement, plan.today
    before = {use.commitment.name: use for use in today.commitments}
    return [
        _record(use, placement.bill, before.get(use.commitment.name), today.bill)
        for use in placement.commitments
    ]


def _record(
    use: CommitmentUse, bill: Bill, before: CommitmentUse | None, today: Bill
) -> dict[str, Any]:
    deal = use.commitment
    cost = bill.of_commitment(deal.name, Term.COMMITMENTS)
    covered = -bill.of_commitment(deal.name, Term.COVERED)
    before_usd = sum(
        (-today.of_commitment(deal.name, term) for term in (Term.COMMITMENTS, Term.COVERED)),
        Decimal(0),
    )
    return {
        "commitment": deal.name,
        "cloud": deal.cloud.value,
        "kind": deal.kind.value,
        "covers": deal.scope_in_words,
        "term_years": deal.term_years,
        "unit": deal.unit,
        "owned": deal.owned,
        "bought": use.bought,
        "utilisation": finite_or_null(use.utilisation),
        "break_even_utilisation": finite_or_null(use.break_even_utilisation),
        "coverage": finite_or_null(use.coverage),
        "bought_utilisation": finite_or_null(use.bought_utilisation),
        "pays_back_after_months": finite_or_null(use.pays_back_after_months),
        "cost_usd": cost,
        "covered_usd": covered,
        "saving_usd": covered - cost,
        "today_utilisation": None if before is None else finite_or_null(before.utilisation),
        "today_saving_usd": before_usd,
        "expires": "" if deal.expires is None else deal.expires.isoformat(),
        "why": deal.why,
    }


def commitment_documents(plan: Plan) -> list[Document]:
    """The records as JSON values, with what is used in every hour."""
    return [
        {
            **{
                key: decimal_text(value) if isinstance(value, Decimal) else value
                for key, value in record.items()
            },
            "used_per_hour": rates(significant(use.used)),
        }
        for record, use in zip(commitment_records(plan), plan.placement.commitments, strict=True)
    ]


def commitment_table(plan: Plan) -> pd.DataFrame:
    """The records as a table."""
    return pd.DataFrame(commitment_records(plan), columns=list(COMMITMENT_COLUMNS))
