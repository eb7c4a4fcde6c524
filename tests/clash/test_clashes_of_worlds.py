"""Worlds that nothing can satisfy say why, in their author's words and lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corner_shop import corner_shop_catalogue

from models.offerings import Purchase
from models.plan import Infeasible, Plan
from optimizer.exclusions import serves, why_not
from optimizer.plan import make_plan
from scenarios.build import build_world
from scenarios.documents import read_world

WORLD = """\
trimtab: 1
world: corner shop
places: {continents: [Europe, North America]}
prices: {book: embedded}
policy: {horizon_hours: 2, headroom: 1.0, purchases: [on_demand]}
demand: {history: demand.csv, note: counted by hand}
origins:
  - {name: europe, near: aws/eu-west-1}
services:
  - name: web
    team: front
    replica: {vcpus: 1, memory_gib: 2, throughput_rps: 10, service_time_ms: 20}
"""
FIRST_RULE = WORLD.count("\n") + 2
"""The line of the first rule; each rule takes one line."""
DEMAND = "ts,service,origin,rps\n" + "\n".join(
    f"2026-03-01T{hour:02d}:00:00Z,web,europe,{100 + hour}" for hour in range(6)
)


def plan(folder: Path, *rules: str, more: str = "", backend: str = "ortools") -> Plan | Infeasible:
    written = "rules:\n" + "".join(f"  - {rule}\n" for rule in rules) if rules else ""
    (folder / "world.yaml").write_text(WORLD + more + written, encoding="utf-8")
    (folder / "demand.csv").write_text(DEMAND, encoding="utf-8")
    world = build_world(read_world(folder / "world.yaml"), corner_shop_catalogue())
    outcome = make_plan(world, backend=backend)
    assert isinstance(outcome, Plan | Infeasible)
    return outcome


def clash(folder: Path, *rules: str, more: str = "", backend: str = "ortools") -> Infeasible:
    outcome = plan(folder, *rules, more=more, backend=backend)
    assert isinstance(outcome, Infeasible)
    assert outcome.smallest
    assert outcome.irreducible
    return outcome


def names(outcome: Infeasible) -> list[str]:
    return [rule.name for rule in outcome.clash]


LAW = "{kind: residency, name: law, services: [web], within: [EU], why: GDPR}"
AWAY = "{kind: allowed_places, name: away, services: all, forbid: {continents: [Europe]}}"
CHEAP = "{kind: budget, name: pennies, usd_per_month: 10}"
AUDIT = "{kind: certification, name: audit, services: [web], certificates: [iso-27001]}"
FEW = "{kind: quota, name: few, where: {clouds: [aws]}, vcpus_at_most: 4}"
APART = "{kind: spread, name: apart, services: [web], survives: cloud}"


@pytest.mark.parametrize("backend", ["ortools", "cbc"])
def test_two_rules_that_leave_no_place(tmp_path: Path, backend: str) -> None:
    outcome = clash(tmp_path, AUDIT, LAW, AWAY, backend=backend)
    assert names(outcome) == ["law", "away"]
    lines = [rule.at.line for rule in outcome.clash]
    assert lines == [FIRST_RULE + 1, FIRST_RULE + 2]
    assert {Path(rule.at.file).name for rule in outcome.clash} == {"world.yaml"}
    assert any("web in aws/us-east-1" in reason and "law of US" in reason
               for reason in outcome.reasons)  # fmt: skip


def test_a_rule_that_cannot_be_kept_alone(tmp_path: Path) -> None:
    assert names(clash(tmp_path, LAW, AUDIT, CHEAP)) == ["pennies"]


def test_a_latency_objective_that_light_cannot_keep(tmp_path: Path) -> None:
    outcome = clash(tmp_path, LAW, AUDIT, more="    latency_objective_ms: 20\n")
    assert len(outcome.clash) == 1
    assert "within 20 ms" in outcome.clash[0].in_words
    assert any("answers users of europe in" in reason for reason in outcome.reasons)


def test_limits_that_are_too_low_together(tmp_path: Path) -> None:
    """Without Google's cloud all of eleven replicas must run on AWS, where few allows eight."""
    assert names(clash(tmp_path, LAW, FEW, AUDIT, APART)) == ["few", "apart"]
    for kept in ((LAW, FEW, AUDIT), (LAW, AUDIT, APART)):
        assert isinstance(plan(tmp_path, *kept), Plan)


def test_demand_that_nothing_can_hold_is_no_clash_of_rules(tmp_path: Path) -> None:
    """As when a what-if withdraws instances on demand from a service that bears no spot."""
    world = plan(tmp_path, LAW, AUDIT).world
    only_spot = replace(world.policy, purchases=frozenset({Purchase.SPOT}))
    outcome = make_plan(replace(world, policy=only_spot))
    assert isinstance(outcome, Infeasible)
    assert outcome.clash == ()
    assert outcome.smallest
    assert any("no x86_64 instance type is priced on demand" in why for why in outcome.reasons)


def test_a_world_without_rules_is_planned(tmp_path: Path) -> None:
    assert isinstance(plan(tmp_path, LAW, AUDIT), Plan)


def test_why_not_gives_every_reason(tmp_path: Path) -> None:
    outcome = plan(tmp_path, LAW, AWAY, AUDIT)
    here = why_not(outcome.world, "web", "aws/us-east-1")
    assert [(e.rule, e.reason) for e in here] == [("law", "stands under the law of US, not of EU")]
    there = why_not(outcome.world, "web", "aws/eu-west-1")
    assert [(e.rule, e.reason) for e in there] == [("away", "is forbidden (Europe)")]
    assert serves(outcome.world, "web", "aws/us-east-1") == ()
    allowed = plan(tmp_path, LAW).world
    assert why_not(allowed, "web", "aws/eu-west-1") == ()
    assert serves(allowed, "web", "aws/eu-west-1") == ("europe",)
