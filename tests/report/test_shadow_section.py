"""The report shows what counts beside the bill, apart from every total of what is paid."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from models.placement import ShadowLine, ShadowTerm
from models.plan import Plan
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
