"""The report says how much spot capacity may be interrupted at once."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from models.placement import SPOT_RISK_COLUMNS
from models.plan import Plan
from optimizer.report.page import render_plan

ROW = ("risk", "<web>", 0.0001, 40, 2, 0.00008, 5, 1.5e-6)


def test_pools_and_chances_are_shown_where_a_rule_asks(plan: Plan) -> None:
    assert "Spot pools" not in render_plan(plan)
    table = pd.DataFrame([ROW], columns=list(SPOT_RISK_COLUMNS))
    page = render_plan(replace(plan, placement=replace(plan.placement, spot_risk=table)))
    assert "Spot pools: what may be interrupted at once" in page
    assert "&lt;web&gt;" in page
    assert '<td class="num">5 of 40</td>' in page
    assert "1.5e-06" in page
