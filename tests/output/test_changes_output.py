"""Where a reader finds what changes, what stays and why."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import jsonschema
import pandas as pd
import pytest

from models.placement import CHANGE_COLUMNS, BillLine, Term
from models.plan import Plan
from optimizer.output.plan_json import outcome_document
from optimizer.output.plan_schema import plan_schema
from optimizer.output.plan_text import outcome_text
from optimizer.output.sheets import sheets

STAYS = ("cart", "no", 0, 0, 0.0, Decimal(0), Decimal("3.00"), Decimal("10.00"),
         "would save 3.00 USD/month, below the minimum of 10.00")  # fmt: skip
LEAVES = ("web", "yes", 2, 3, 40.0, Decimal("1.20"), None, Decimal("10.00"), "saves enough")


@pytest.fixture
def changing(plan: Plan) -> Plan:
    table = pd.DataFrame([STAYS, LEAVES], columns=list(CHANGE_COLUMNS), dtype=object)
    place = ("aws", "aws/eu-central-1", "web", "one_off", Decimal("0.005"))
    lines = (*plan.placement.bill.lines, BillLine(Term.MOVES, *place))
    bill = replace(plan.placement.bill, lines=lines)
    return replace(plan, placement=replace(plan.placement, bill=bill, changes=table))


def test_the_document_has_it(changing: Plan) -> None:
    document = outcome_document(changing)
    jsonschema.Draft202012Validator(plan_schema()).validate(document)
    stays, leaves = document["changes"]
    assert stays["why"] == STAYS[-1]
    assert (stays["changes"], stays["saving_usd_per_month"]) == ("no", "3.00")
    assert (leaves["started"], leaves["stopped"], leaves["moved_gib"]) == (2, 3, 40.0)
    assert leaves["saving_usd_per_month"] is None
    assert document["bill"]["by_term_usd"]["moves"] == "0.005"


def test_a_sheet_has_it_only_where_changes_count(changing: Plan, plan: Plan) -> None:
    head, stays, leaves = sheets(changing)["changes.csv"].decode().splitlines()
    assert head == ",".join(CHANGE_COLUMNS)
    assert (
        stays
        == 'cart,no,0,0,0.0,0,3.00,10.00,"would save 3.00 USD/month, below the minimum of 10.00"'
    )
    assert leaves == "web,yes,2,3,40.0,1.20,,10.00,saves enough"
    assert "changes.csv" not in sheets(plan)
    assert b"moves" not in sheets(plan)["bill.csv"]


def test_a_terminal_shows_it(changing: Plan, plan: Plan) -> None:
    text = outcome_text(changing, 100, colour=False)
    assert "stays: would save 3.00 USD/month, below the minimum of 10.00" in text
    assert "changes: saves enough" in text
    assert "Changes of what runs today" not in outcome_text(plan, 100, colour=False)
