"""Where a reader finds how many spot pools may go at once."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import pandas as pd
import pytest

from models.placement import SPOT_RISK_COLUMNS
from models.plan import Plan
from optimizer.output.plan_json import outcome_document
from optimizer.output.plan_schema import plan_schema
from optimizer.output.plan_text import outcome_text
from optimizer.output.sheets import sheets

ROW = ("risk", "web", 0.0001, 40, 2, 0.00008, 5, 1.5e-6)


@pytest.fixture
def at_risk(plan: Plan) -> Plan:
    table = pd.DataFrame([ROW], columns=list(SPOT_RISK_COLUMNS))
    return replace(plan, placement=replace(plan.placement, spot_risk=table))


def test_the_document_has_it(at_risk: Plan) -> None:
    document = outcome_document(at_risk)
    jsonschema.Draft202012Validator(plan_schema()).validate(document)
    assert document["spot_risk"] == [dict(zip(SPOT_RISK_COLUMNS, ROW, strict=True))]


def test_a_sheet_has_it_only_where_a_rule_asks(at_risk: Plan, plan: Plan) -> None:
    head, row = sheets(at_risk)["spot_risk.csv"].decode().splitlines()
    assert head == ",".join(SPOT_RISK_COLUMNS)
    assert row.startswith("risk,web,0.0001,40,2,")
    assert "spot_risk.csv" not in sheets(plan)


def test_a_terminal_shows_it(at_risk: Plan, plan: Plan) -> None:
    text = outcome_text(at_risk, 100, colour=False)
    assert "5 of 40" in text
    assert "1.5e-06 (granted: 0.0001)" in text
    assert "Spot pools" not in outcome_text(plan, 100, colour=False)
