"""Demand scenarios are shown one by one, with what they leave unmet and their dearest share."""

from __future__ import annotations

import csv
import io
import json

import jsonschema

from models.plan import Plan
from optimizer.output.json_values import json_text
from optimizer.output.plan_json import outcome_document
from optimizer.output.plan_schema import plan_schema
from optimizer.output.plan_text import outcome_text
from optimizer.output.sheets import sheets


def test_json_has_the_bill_of_each(plan: Plan, uncertain: Plan) -> None:
    document = json.loads(json_text(outcome_document(uncertain)))
    jsonschema.validate(document, plan_schema())
    assert document["policy"]["cvar"] == {"level": 0.9, "weight": 0.5}
    usual, rush = document["scenarios"]
    assert (usual["scenario"], usual["quantile"], usual["probability"]) == ("q0.5", 0.5, 0.75)
    assert (usual["counted_usd"], rush["counted_usd"]) == ("0.7787004", "0.9787004")
    assert rush["bill"]["shadow"][0]["unit"] == "requests"
    assert document["cvar_usd"] == "0.978700"
    certain = outcome_document(plan)
    assert (certain["scenarios"], certain["cvar_usd"]) == ([], None)


def test_a_sheet_with_a_row_for_each(plan: Plan, uncertain: Plan) -> None:
    assert "scenarios.csv" not in sheets(plan)
    text = sheets(uncertain)["scenarios.csv"].decode()
    usual, rush = csv.DictReader(io.StringIO(text, newline=""))
    assert usual == {
        "scenario": "q0.5", "quantile": "0.5", "probability": "0.75", "paid_usd": "0.7787004",
        "unmet_requests": "0", "unmet_usd": "0", "counted_usd": "0.7787004",
    }  # fmt: skip
    assert (rush["unmet_requests"], rush["unmet_usd"]) == ("4000", "0.2")


def test_the_terminal_lists_them(plan: Plan, uncertain: Plan) -> None:
    text = " ".join(outcome_text(uncertain, width=120, colour=False).split())
    assert "0.5 quantile 75.0 % 189.48 0 189.48" in text
    assert "0.99 quantile 25.0 % 189.48 973,333 238.15" in text
    assert "the dearest 10.0 % 238.15" in text
    assert "Unmet demand: 243,333 requests/month, counted as 12.17 USD/month" in text
    assert "quantile" not in outcome_text(plan, width=120, colour=False)
