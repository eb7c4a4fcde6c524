"""Every output tells what is owned, what to buy, how well it is used, and what it saves."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from small_worlds import asked, book, world

from models.commitments import Discount, ResourceCommitment, SpendCommitment
from models.demand import Forecast
from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.placement import Term
from models.places import Cloud, PlaceFilter
from models.plan import Plan
from models.rules import BudgetRule
from models.services import Replica, Service
from models.world import Policy
from optimizer.output.commitments import COMMITMENT_COLUMNS
from optimizer.output.comparison import (
    compare,
    comparison_document,
    comparison_table,
    comparison_text,
)
from optimizer.output.json_values import json_text
from optimizer.output.plan_json import outcome_document
from optimizer.output.plan_schema import plan_schema
from optimizer.output.plan_text import outcome_text
from optimizer.output.sheets import sheets
from optimizer.read import read_placement
from optimizer.report.page import render_comparison, render_plan
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend
from optimizer.today import look_at_today

EAST = "aws/east"
OFFERS = book([(EAST, "m.2", "on_demand", 0.1, 2, 8), (EAST, "c.2", "on_demand", 0.09, 2, 4)])
OWNED = ResourceCommitment(
    name="<m> reserved", cloud=Cloud.AWS, term_years=1, families=("m",), owned=4.0,
    where=PlaceFilter(places=frozenset({EAST})), usd_per_vcpu_hour=0.03,
    expires=date(2026, 12, 31), why="bought in spring",
)  # fmt: skip
OFFERED = SpendCommitment(
    name="savings", cloud=Cloud.AWS, term_years=3, at_most=9.0, discounts=(Discount(0.4),)
)
BUDGETS = (
    BudgetRule(name="all", usd_per_month=0.35 * 730),
    BudgetRule(name="aws", usd_per_month=0.37 * 730, cloud=Cloud.AWS),
    BudgetRule(name="shop", usd_per_month=0.39 * 730, team="shop"),
)


def planned(*commitments: ResourceCommitment | SpendCommitment) -> Plan:
    """800 rps of web; today four instances of m run around the clock."""
    today = Fleet((Group("web", EAST, "m.2", Purchase.ON_DEMAND, 4),))
    of = world(
        [Service("web", Replica(1, 2, 100), team="shop")],
        OFFERS,
        places=[EAST],
        fleet=today,
        commitments=commitments,
        policy=Policy(horizon_hours=2, headroom=1.0),
    )
    question = asked(of, {("web", "america"): [800.0, 800.0]})
    formulation = question.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=10.0)
    assert isinstance(answer, Solved)
    mean = question.demand_rps.sum(axis=1)
    bands = np.stack([mean, mean], axis=2)
    return Plan(
        of,
        Forecast(of.starts, (0.5, 0.9), (("web", "america"),), mean, bands),
        question.demand_rps,
        mean,
        bands,
        read_placement(formulation, answer, "ortools", 0.0),
        look_at_today(replace(of, rules=BUDGETS), question.demand_rps, question.direct_rps),
    )


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(OWNED, OFFERED)


@pytest.fixture(scope="module")
def plain() -> Plan:
    return planned()


def test_today_uses_what_is_owned_and_pays_for_it(plan: Plan) -> None:
    assert plan.today.bill.by("term") == {
        Term.COMPUTE: Decimal("0.8"),
        Term.COMMITMENTS: Decimal("0.24"),
        Term.COVERED: Decimal("-0.4"),
    }
    owned, offered = plan.today.commitments
    assert owned.used.tolist() == pytest.approx([4.0, 4.0])
    assert owned.coverage == pytest.approx(0.5)
    assert (offered.bought, offered.cost_usd) == (0.0, 0.0)


def test_budgets_of_all_and_of_clouds_see_commitments_and_those_of_teams_list_prices(
    plan: Plan,
) -> None:
    """0.32 an hour; the team's instances come to 0.40 at list price."""
    assert {broken.rule.name: broken.how for broken in plan.today.broken} == {
        "shop": "costs 292 USD per month"
    }


def test_json(plan: Plan, plain: Plan) -> None:
    document = json.loads(json_text(outcome_document(plan)))
    Draft202012Validator(plan_schema()).validate(document)
    owned, bought = document["commitments"]
    assert list(owned) == [*COMMITMENT_COLUMNS, "used_per_hour"]
    assert owned["unit"] == "vCPUs"
    assert (owned["owned"], owned["bought"], owned["expires"]) == (4.0, 0.0, "2026-12-31")
    assert Decimal(owned["cost_usd"]) == Decimal("0.24")
    assert owned["pays_back_after_months"] is None
    assert bought["bought"] == pytest.approx(0.6 * 0.18)
    assert bought["pays_back_after_months"] == pytest.approx(36 * 0.6)
    bill = document["bill"]
    assert sum(Decimal(line["usd"]) for line in bill["lines"]) == Decimal(bill["total_usd"])
    named = {line["commitment"] for line in bill["lines"]}
    assert named == {"", "<m> reserved", "savings"}
    assert json.loads(json_text(outcome_document(plain)))["commitments"] == []


def test_csv(plan: Plan, plain: Plan) -> None:
    rows = list(csv.DictReader(io.StringIO(sheets(plan)["commitments.csv"].decode())))
    assert [row["commitment"] for row in rows] == ["<m> reserved", "savings"]
    assert Decimal(rows[0]["saving_usd"]) == Decimal("0.16")
    assert Decimal(rows[0]["today_saving_usd"]) == Decimal("0.16")
    assert rows[0]["bought_utilisation"] == ""
    assert sheets(plain)["commitments.csv"].decode() == ",".join(COMMITMENT_COLUMNS) + "\n"


def test_terminal(plan: Plan, plain: Plan) -> None:
    text = outcome_text(plan, 120, colour=False)
    assert "Commitments, USD/month" in text
    assert "<m> reserved" in text
    assert "4.000 vCPUs" in text
    assert "What to buy is decided for 2 h, and holds for years" in text
    assert "ommitment" not in outcome_text(plain, 120, colour=False)
    longer = replace(plan.placement, hours=168)
    assert "before you sign" not in outcome_text(replace(plan, placement=longer), 80, colour=False)


def test_report(plan: Plan, plain: Plan) -> None:
    page = render_plan(plan)
    assert '<section id="commitments"' in page
    assert "&lt;m&gt; reserved" in page
    assert "<h3>What to buy</h3>" in page
    assert "m in aws/east; ends on 2026-12-31" in page
    assert "bought in spring" in page
    assert page.count("Commitments, less what they cover") >= 3  # option, service, running
    assert 'id="commitments"' not in render_plan(plain)
    assert "less what they cover" not in render_plan(plain)


def test_what_ifs_say_what_they_buy(plan: Plan, plain: Plan) -> None:
    alternatives = compare([("base", plain), ("deal", plan)])
    assert alternatives[0].bought == {}
    assert alternatives[1].bought == {"savings": "0.108 USD/h"}
    assert "deal buys 0.108 USD/h of savings" in comparison_text(alternatives, 80, colour=False)
    assert comparison_document(alternatives)["alternatives"][1]["bought"]
    assert comparison_table(alternatives)["bought"].tolist() == ["", "savings: 0.108 USD/h"]
    page = render_comparison(plain, [("deal", plan)])
    assert "What to buy" in page
    assert "Commitments, less what they cover" in page
