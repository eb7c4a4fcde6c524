"""The report says what changes, what stays and why, and what moves cost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pandas as pd

from models.placement import CHANGE_COLUMNS, BillLine, Term
from models.plan import Plan
from optimizer.report.page import render_plan

ROW = ("<web>", "no", 0, 0, 0.0, Decimal(0), Decimal("3.00"), Decimal("10.00"),
       "would save 3.00 USD/month, below the minimum of 10.00")  # fmt: skip


def test_what_stays_says_why(plan: Plan) -> None:
    assert "What changes, and what stays" not in render_plan(plan)
    table = pd.DataFrame([ROW], columns=list(CHANGE_COLUMNS), dtype=object)
    page = render_plan(replace(plan, placement=replace(plan.placement, changes=table)))
    assert "What changes, and what stays" in page
    assert "&lt;web&gt;" in page
    assert "would save 3.00 USD/month, below the minimum of 10.00" in page


def test_moves_stand_beside_compute_and_transfer(plan: Plan) -> None:
    bill = plan.placement.bill
    service, place = plan.world.services[0].name, plan.placement.bill.lines[0].place
    usd = Decimal(bill.hours) / 730 * 12
    line = BillLine(Term.MOVES, place.split("/")[0], place, service, "one_off", usd)
    moved = replace(plan.placement, bill=replace(bill, lines=(*bill.lines, line)))
    page = render_plan(replace(plan, placement=moved))
    assert "+ moves 12.00 =" in page
    assert '<td colspan="7" class="soft">Moves</td><td class="num">12.00</td>' in page
    assert "+ moves" not in render_plan(plan)
