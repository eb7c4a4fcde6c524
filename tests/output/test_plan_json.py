"""The JSON document says what the plan says, exactly, and keeps to its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError

from models.plan import Infeasible, Outcome, Plan, Unfinished
from optimizer.output.json_values import json_text, significant
from optimizer.output.plan_json import outcome_document
from optimizer.output.plan_schema import plan_schema


def written(outcome: Outcome) -> dict[str, Any]:
    """The document as a reader sees it: strict JSON, valid under the schema."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    document: dict[str, Any] = json.loads(
        json_text(outcome_document(outcome)), parse_constant=refuse
    )
    Draft202012Validator(plan_schema()).validate(document)
    return document


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(plan_schema())


def test_counts_stand_by_offering_with_price_and_capacity(plan: Plan) -> None:
    instances = written(plan)["instances"]
    assert [(row["service"], row["instance_type"], row["count_per_hour"]) for row in instances] == [
        ("cart", "r5.large", [1, 1, 1]),
        ("web", "m6g.large", [2, 3, 2]),
        ("web", "e2-standard-2", [0, 1, 0]),
    ]
    assert instances[1] == {
        "service": "web",
        "place": "aws/eu-central-1",
        "instance_type": "m6g.large",
        "purchase": "spot",
        "price_usd_per_hour": "0.0361",
        "price_source": "price list",
        "price_date": "2026-02-01",
        "replicas_per_instance": 1,
        "capacity_rps_per_instance": 100.5,
        "count_per_hour": [2, 3, 2],
    }


def test_the_bill_can_be_recomputed_from_the_document_to_the_last_digit(plan: Plan) -> None:
    document = written(plan)
    compute = sum(
        Decimal(row["price_usd_per_hour"]) * sum(row["count_per_hour"])
        for row in document["instances"]
    )
    bill = document["bill"]
    assert Decimal(bill["by_term_usd"]["compute"]) == compute
    assert sum(Decimal(line["usd"]) for line in bill["lines"]) == Decimal(bill["total_usd"])
    assert bill["by_term_usd"]["egress_internet"] == "0.0000004"
    assert bill["usd_per_month"] == "189.48"  # 0.7787004 USD in 3 h, 730 h a month


def test_before_and_after_are_per_month(plan: Plan) -> None:
    cost = written(plan)["cost"]
    assert cost["today_usd_per_month"] == "503.70"
    assert cost["saving_usd_per_month"] == "314.22"
    assert cost["saved_share"] == pytest.approx(314.22 / 503.70)


def test_nothing_is_saved_when_nothing_runs(plan: Plan) -> None:
    bare = replace(plan, world=replace(plan.world, fleet=replace(plan.world.fleet, groups=())))
    cost = written(bare)["cost"]
    assert (
        cost["today_usd_per_month"] is cost["saving_usd_per_month"] is cost["saved_share"] is None
    )


def test_demand_stands_beside_capacity(plan: Plan) -> None:
    web, cart = written(plan)["demand"]
    assert web["planned_rps"] == [180, 300.15, 180]
    assert web["capacity_rps"] == [201, 391.5, 201]
    assert cart["mean_rps"] == [100, 0.333333333, 0]
    assert list(cart["quantiles_rps"]) == ["0.5", "0.9"]


def test_what_is_not_finite_is_null(proven: Callable[..., Plan]) -> None:
    document = written(proven(bound_usd=float("-inf"), gap=float("inf")))
    assert document["proof"]["bound_usd"] is document["proof"]["gap"] is None
    assert document["forecast"]["series"][0]["scores"]["fancy"] is None
    assert document["today"]["capacity_rps"]["cart"] is None


def test_exclusions_are_counted_by_rule(plan: Plan) -> None:
    assert written(plan)["exclusions"] == [
        {"rule": "no-azure", "pairs": 2},
        {"rule": "offerings", "pairs": 1},
    ]


def test_the_same_plan_makes_the_same_bytes_in_any_order_of_rows(plan: Plan) -> None:
    placement = plan.placement
    shuffled = replace(
        placement, counts=placement.counts.iloc[::-1], routes=placement.routes.iloc[::-1]
    )
    texts = {json_text(outcome_document(replace(plan, placement=p))) for p in (placement, shuffled)}
    assert len(texts) == 1


def test_a_plan_without_instances_is_a_document_too(plan: Plan) -> None:
    placement = replace(
        plan.placement, counts=plan.placement.counts[:0], routes=plan.placement.routes[:0]
    )
    assert written(replace(plan, placement=placement))["instances"] == []


def test_a_clash_names_its_rules_and_where_they_stand(plan: Plan) -> None:
    document = written(Infeasible(plan.world, plan.world.rules, smallest=True, reasons=("so",)))
    assert document["outcome"] == "infeasible"
    assert document["clash"][1] == {
        "rule": "no-azure",
        "in_words": "cart never runs in Azure",
        "where": "world.yaml:9",
        "why": "contract",
    }


def test_an_unfinished_run_says_what_is_known(plan: Plan) -> None:
    document = written(Unfinished(plan.world, float("-inf"), 60.0))
    assert document["outcome"] == "unfinished"
    assert (document["bound_usd"], document["seconds"]) == (None, 60.0)


def test_the_schema_refuses_what_is_not_a_plan(plan: Plan) -> None:
    document = written(plan)
    document["bill"]["total_usd"] = 0.78
    with pytest.raises(ValidationError):
        Draft202012Validator(plan_schema()).validate(document)


def test_names_reach_no_terminal_raw(plan_for: Callable[[str], Plan]) -> None:
    name = "\x1b[31m\u202eevil\x9b"
    text = json_text(outcome_document(plan_for(name)))
    assert text.isascii()
    assert not any(ord(character) < 32 for character in text if character != "\n")
    assert json.loads(text)["services"][0]["service"] == name


def test_significant_digits() -> None:
    values = np.array([0, 1 / 3, 123456.789, 9.996e-7, 9.996e12, -2.5e-9, np.inf, np.nan])
    expected = [0, 0.333, 123000, 1e-6, 1e13, -2.5e-9, np.inf, np.nan]
    assert significant(values, 3).tolist() == pytest.approx(expected, rel=1e-12, nan_ok=True)
