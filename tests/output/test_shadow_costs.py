"""What counts beside the bill is shown, and is in no total of what is paid."""

from __future__ import annotations

import csv
import io

import jsonschema

from models.plan import Plan
from optimizer.output.comparison import (
    compare,
    comparison_document,
    comparison_table,
    comparison_text,
)
from optimizer.output.plan_json import outcome_document
from optimizer.output.plan_schema import plan_schema
from optimizer.output.plan_text import outcome_text
from optimizer.output.sheets import sheets


def test_json_keeps_it_apart_from_the_bill(plan: Plan, clean: Plan) -> None:
    document = outcome_document(clean)
    jsonschema.validate(document, plan_schema())
    assert document["policy"]["carbon_usd_per_tonne"] == 100
    without, with_it = outcome_document(plan)["bill"], document["bill"]
    assert (with_it["shadow_usd"], without["shadow_usd"]) == ("0.20", "0")
    first = {
        "term": "carbon", "cloud": "aws", "place": "aws/eu-central-1", "service": "web",
        "quantity": "1.5", "unit": "kg CO2e", "usd": "0.15",
    }  # fmt: skip
    assert with_it["shadow"][0] == first
    apart = {"shadow", "shadow_usd"}
    assert {k: v for k, v in with_it.items() if k not in apart} == {
        k: v for k, v in without.items() if k not in apart
    }
    assert document["cost"] == outcome_document(plan)["cost"]


def test_a_sheet_of_its_own_and_only_when_something_counts(plan: Plan, clean: Plan) -> None:
    assert "shadow.csv" not in sheets(plan)
    written = sheets(clean)
    first, second = csv.DictReader(io.StringIO(written["shadow.csv"].decode(), newline=""))
    assert first["quantity"] == "1.5"
    assert first["unit"] == "kg CO2e"
    assert second["service"] == "'=cart"
    assert written["bill.csv"] == sheets(plan)["bill.csv"]


def test_the_terminal_says_before_and_after(plan: Plan, clean: Plan) -> None:
    text = outcome_text(clean, width=120, colour=False)
    assert "Carbon: 973 → 487 kg CO2e/month, counted as 48.67 USD/month beside the bill." in text
    assert "carbon included" in text
    without = outcome_text(plan, width=120, colour=False)
    assert "Carbon" not in without
    assert "included" not in without


def test_what_ifs_compare_it(plan: Plan, clean: Plan) -> None:
    alternatives = compare([("base", plan), ("priced", clean)])
    base, priced = comparison_document(alternatives)["alternatives"]
    assert base["shadow_per_month"] == []
    assert priced["shadow_per_month"] == [
        {"term": "carbon", "quantity": "486.67", "unit": "kg CO2e", "usd": "48.67"}
    ]
    assert priced["usd_per_month"] == base["usd_per_month"]
    table = comparison_table(alternatives)
    assert str(table["carbon_quantity_per_month"][1]) == "486.67"
    assert "kg CO2e/month" in comparison_text(alternatives, 120, False)
    assert "kg CO2e" not in comparison_text(alternatives[:1], 120, False)
    assert "carbon_quantity_per_month" not in comparison_table(alternatives[:1])
