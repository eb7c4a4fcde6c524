"""The report shows what counts beside the bill, apart from every total of what is paid."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from models.placement import ScenarioBill, ShadowLine, ShadowTerm
from models.plan import Plan
from models.risk import CvarPolicy
from models.world import DemandScenario
from optimizer.report.page import render_comparison, render_plan


@pytest.fixture(scope="module")
def clean(plan: Plan) -> Plan:
    """Carbon counts 100 USD a tonne: twice as much is emitted today."""

    def line(kg: str) -> ShadowLine:
        usd = Decimal(kg) / 10
        return ShadowLine(ShadowTerm.CARBON, "aws", "aws/us-east-1", "cart", Decimal(kg), usd)

    placement, today = plan.placement, plan.today
    world = replace(plan.world, policy=replace(plan.world.policy, carbon_usd_per_tonne=100.0))
    return replace(
        plan,
        world=world,
        placement=replace(placement, bill=replace(placement.bill, shadow=(line("50"),))),
        today=replace(today, bill=replace(today.bill, shadow=(line("100"),))),
    )


def words(page: str) -> str:
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def test_carbon_stands_beside_the_bill(plan: Plan, clean: Plan) -> None:
    hours = plan.placement.bill.hours
    month = 50 * 730 / hours
    said = words(render_plan(clean))
    row = f"Carbon kg CO2e {2 * month:,.0f} {month:,.0f} 100 USD per tonne"
    assert f"{row} {2 * month / 10:,.2f} {month / 10:,.2f}" in said
    assert f"aws/us-east-1 343 {month:,.0f}" in said
    assert "Here cost counts carbon at the policy's price" in said
    without = words(render_plan(plan))
    assert "Counted beside the bill" not in without
    assert "policy's price" not in without
    total = f"{plan.placement.bill.total_usd * 730 / hours:,.2f}"
    assert said.count(total) == without.count(total) + 1  # the certificate's objective


def test_what_ifs_say_what_counts_beside_their_bills(plan: Plan, clean: Plan) -> None:
    month = 50 * 730 / plan.placement.bill.hours
    said = words(render_comparison(plan, [("priced", clean)]))
    assert f"Beside the bill: carbon, {month:,.0f} kg CO2e a month at 100 USD per tonne" in said
    assert said.count("Beside the bill") == 1


def test_scenarios_of_demand_are_listed_with_their_tail(plan: Plan) -> None:
    scenarios = (DemandScenario(0.5, 0.75), DemandScenario(0.99, 0.25))
    policy = replace(
        plan.world.policy,
        demand_scenarios=scenarios,
        unmet_at_most=0.1,
        unmet_usd_per_million_requests=50.0,
        cvar=CvarPolicy(0.9, 0.5),
    )
    usual = plan.placement.bill
    line = ShadowLine(ShadowTerm.UNMET_DEMAND, "aws", "aws/us-east-1", "cart",
                      Decimal(4_000_000), Decimal(200))  # fmt: skip
    placement = replace(
        plan.placement,
        scenarios=(
            ScenarioBill("q0.5", 0.5, 0.75, usual),
            ScenarioBill("q0.99", 0.99, 0.25, replace(usual, shadow=(line,))),
        ),
    )
    said = words(
        render_plan(replace(plan, world=replace(plan.world, policy=policy), placement=placement))
    )
    paid = f"{usual.total_usd * 730 / usual.hours:,.2f}"
    rush = f"{(usual.total_usd + 200) * 730 / usual.hours:,.2f}"
    assert f"0.5 quantile 75.0 % {paid} 0 {paid}" in said
    unmet = f"{4_000_000 * 730 / usual.hours:,.0f}"
    assert f"0.99 quantile 25.0 % {paid} {unmet} {rush}" in said
    assert f"The dearest 10.0 % of what may come counts {rush} USD a month" in said
    assert "the 0.99 quantile with probability 25.0 %; after losses, the 0.9 quantile" in said
    without = words(render_plan(plan))
    assert "Scenarios of demand" not in without
    assert "with probability" not in without
