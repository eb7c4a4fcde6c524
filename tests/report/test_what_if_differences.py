"""What differs between two plans, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from models.plan import Plan
from optimizer.report.comparison import Move, comparison, instance_moves


def with_counts(plan: Plan, rows: list[tuple[str, str, str, str, int, int]]) -> Plan:
    columns = ["service", "cloud", "instance_type", "purchase", "period", "count"]
    counts = pd.DataFrame(rows, columns=columns).assign(region="r1")
    return replace(plan, placement=replace(plan.placement, counts=counts))


def test_moves_compare_each_group_at_its_busiest_hour(plan: Plan) -> None:
    base = with_counts(
        plan,
        [("cart", "aws", "m5", "on_demand", 0, 2), ("cart", "aws", "m5", "on_demand", 1, 5),
         ("cart", "aws", "m5", "spot", 0, 1), ("search", "gcp", "e2", "spot", 0, 4)],
    )  # fmt: skip
    other = with_counts(
        plan,
        [("cart", "aws", "m5", "on_demand", 0, 3), ("cart", "aws", "m6", "on_demand", 0, 6),
         ("cart", "aws", "m5", "spot", 1, 1), ("images", "gcp", "e2", "spot", 0, 1)],
    )  # fmt: skip
    assert instance_moves(base, other) == [
        Move("cart", "aws/r1", started=6, stopped=2),
        Move("search", "gcp/r1", started=0, stopped=4),
        Move("images", "gcp/r1", started=1, stopped=0),
    ]


def test_rules_that_start_and_stop_binding(plan: Plan) -> None:
    binding = plan.placement.binding.assign(binding_rows=[0, 3, 7, 1])
    other = replace(plan, placement=replace(plan.placement, binding=binding))
    scenario = comparison(plan, [("other", other)], {}).scenarios[1]
    assert [rule.name for rule in scenario.became_binding] == ["little-spot"]
    assert [rule.name for rule in scenario.no_longer_binding] == ["monthly-budget"]


def test_a_horizon_of_another_length_is_compared_by_the_month(plan_of: Callable[..., Plan]) -> None:
    day, two_days = plan_of(hours=24), plan_of(hours=48)
    scenario = comparison(day, [("longer", two_days)], {}).scenarios[1]
    assert scenario.change == "0.00"
