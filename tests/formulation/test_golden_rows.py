"""Every family of rows, written out for a tiny world and read by a person.

``GOLDEN=write pytest tests/formulation`` rewrites the files under ``golden/``; read the
difference before you keep it.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from small_worlds import Asked, asked, book, random_asked, world

from models.changes import ChangeCosts
from models.commitments import Discount, ResourceCommitment, SpendCommitment
from models.fleet import Fleet, Group
from models.latency import RoundTrips
from models.offerings import Purchase
from models.places import Cloud, PlaceFilter
from models.risk import CvarPolicy
from models.rules import (
    BudgetRule,
    DisruptionRule,
    Extent,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    ResidencyRule,
    SpotRiskRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from models.services import Dependency, Replica, Service, Step, Workflow
from models.world import DemandScenario, Policy
from optimizer.problem import to_lp

GOLDEN = Path(__file__).parent / "golden"
FORMULATION = Path(__file__).parents[2] / "optimizer" / "formulate"

EAST, WEST, EU, AZURE = "aws/east", "aws/west", "aws/eu", "azure/eu"
WEB = Service("web", Replica(1, 2, 100, service_time_ms=20), team="shop")
DB = Service("db", Replica(2, 8, 50, service_time_ms=5), team="data", stateful=True)
TWO_HOURS = Policy(horizon_hours=2, headroom=1.0)
ONE_HOUR = Policy(horizon_hours=1, headroom=1.0)
BOTH = {("web", "america"): [300.0, 120.0], ("web", "europe"): [50.0, 150.0]}


def two_places() -> Asked:
    """Web (100 rps a replica) in two places, instances of 2 and 4 replicas, for two hours."""
    offers = book([(EAST, "m.2", "on_demand", 0.1, 2, 8), (EU, "m.4", "on_demand", 0.21, 4, 16)])
    return asked(world([WEB], offers, places=[EAST, EU], policy=TWO_HOURS), BOTH)


def europe_stays() -> Asked:
    """Europeans may be served in the EU only: 50 and 150 rps of 350 and 270 in all."""
    rule = ResidencyRule(
        name="law", services=("web",), jurisdictions=frozenset({"EU"}), origins=("europe",)
    )
    offers = book([(EAST, "m.2", "on_demand", 0.1, 2, 8), (EU, "m.4", "on_demand", 0.21, 4, 16)])
    return asked(world([WEB], offers, places=[EAST, EU], rules=[rule], policy=TWO_HOURS), BOTH)


def minimum() -> Asked:
    """Three replicas of web wherever they are, and two of db in each place that it is open in."""
    rules = [
        MinReplicasRule(name="some web", service="web", at_least=3),
        MinReplicasRule(name="some db", service="db", at_least=2),
    ]
    offers = book([(EAST, "m.4", "on_demand", 0.2, 4, 16), (EU, "m.4", "on_demand", 0.21, 4, 16)])
    of = world([WEB, DB], offers, places=[EAST, EU], rules=rules, policy=TWO_HOURS)
    return asked(of, {("web", "europe"): [90.0, 40.0], ("db", "europe"): [20.0, 20.0]})


def kept_in_one_place() -> Asked:
    """db asks for at most 6 replicas, instances hold 2 and 4: K = 6 + 4. One place at most."""
    rule = MaxPlacesRule(name="one", service="db", at_most=1)
    offers = book([
        (EAST, "m.4", "on_demand", 0.2, 4, 16),
        (EAST, "m.8", "on_demand", 0.39, 8, 32),
        (EU, "m.8", "on_demand", 0.4, 8, 32),
    ])  # fmt: skip
    of = world([DB], offers, places=[EAST, EU], rules=[rule], policy=TWO_HOURS)
    return asked(of, {("db", "america"): [150.0, 80.0], ("db", "europe"): [100.0, 200.0]})


def spread(extent: Extent) -> Callable[[], Asked]:
    def build() -> Asked:
        rule = SpreadRule(name="safe", services=("web",), survives=extent, share=0.5)
        law = ResidencyRule(
            name="law", services=("web",), jurisdictions=frozenset({"EU"}), origins=("europe",)
        )
        offers = book([
            (WEST, "m.2", "on_demand", 0.1, 2, 8),
            (EU, "m.4", "on_demand", 0.2, 4, 16),
            (AZURE, "m.4", "on_demand", 0.2, 4, 16),
        ])  # fmt: skip
        of = world([WEB], offers, places=[WEST, EU, AZURE], rules=[rule, law], policy=ONE_HOUR)
        return asked(of, {("web", "america"): [700.0], ("web", "europe"): [300.0]})

    build.__doc__ = (
        f"Half of 1,000 rps survives the loss of a {extent.value}, and half of Europe's 300 in the "
        "EU. aws/west has 2 zones, aws/eu 3, azure/eu 1."
    )
    return build


def spot() -> Asked:
    """At most 40 % of the replicas in a place on spot."""
    rule = SpotShareRule(name="spot", services=("web",), at_most=0.4)
    offers = book([
        (EAST, "m.2", "on_demand", 0.1, 2, 8),
        (EAST, "m.2", "spot", 0.03, 2, 8),
        (EU, "m.2", "on_demand", 0.1, 2, 8),
        (EU, "m.4", "spot", 0.05, 4, 16),
    ])  # fmt: skip
    service = Service("web", Replica(1, 2, 100), spot_tolerant=True)
    return asked(world([service], offers, places=[EAST, EU], rules=[rule], policy=TWO_HOURS), BOTH)


def spot_risk() -> Asked:
    """Pools m and c in aws/east, c in aws/eu: each gone with a chance of
    1 - exp(-10/730), or 1.4 %.

    More than one of three is gone with a chance of 0.06 %, more than none with 4.1 %: under 1 %,
    one pool may go. Half of 350 rps is still served, and half of Europe's 50 in the EU.
    """
    rule = SpotRiskRule(
        name="risk",
        services=("web",),
        chance_at_most=0.01,
        share=0.5,
        interruptions_per_month=10,
    )
    law = ResidencyRule(
        name="law", services=("web",), jurisdictions=frozenset({"EU"}), origins=("europe",)
    )
    offers = book([
        (EAST, "m.2", "spot", 0.03, 2, 8),
        (EAST, "m.4", "spot", 0.05, 4, 16),
        (EAST, "c.2", "spot", 0.04, 2, 4),
        (EU, "c.2", "spot", 0.03, 2, 4),
        (EU, "m.4", "on_demand", 0.21, 4, 16),
    ])  # fmt: skip
    service = Service("web", Replica(1, 2, 100), spot_tolerant=True)
    of = world([service], offers, places=[EAST, EU], rules=[rule, law], policy=ONE_HOUR)
    return asked(of, {("web", "america"): [300.0], ("web", "europe"): [50.0]})


def changes() -> Asked:
    """web runs two m.2 of two replicas in aws/east, and needs 4 and 2 replicas: no more than 4 / k
    instances are of use, or what runs. A move costs 0.072 USD per instance and 720 hours, so 0.0002
    for two of them; a change must save 7.3 USD a month, 0.02 in two hours.
    """
    offers = book([(EAST, "m.2", "on_demand", 0.1, 2, 8), (EU, "m.4", "on_demand", 0.15, 4, 16)])
    costs = ChangeCosts(usd_per_started_instance=0.072, minimum_saving_usd_per_month=7.3)
    of = world(
        [WEB],
        offers,
        places=[EAST, EU],
        policy=replace(TWO_HOURS, changes=costs),
        fleet=Fleet((Group("web", EAST, "m.2", Purchase.ON_DEMAND, 2),)),
    )
    return asked(of, {("web", "america"): [300.0, 100.0], ("web", "europe"): [50.0, 50.0]})


def disruption() -> Asked:
    """Two days in blocks of eight hours. web runs three instances, one of which nobody may use
    any more: of 4 starts and stops on the first day, one is its stop. 5 a day with db, which runs
    two.
    """
    rule = DisruptionRule(
        name="slowly", services=("web", "db"), at_most_per_day=4, in_all_per_day=5
    )
    offers = book([(EAST, "m.4", "on_demand", 0.2, 4, 16)])
    of = world(
        [WEB, DB],
        offers,
        places=[EAST],
        origins=["america"],
        rules=[rule],
        policy=Policy(horizon_hours=48, count_hours=8, route_hours=48, headroom=1.0),
        fleet=Fleet(
            (
                Group("web", EAST, "m.4", Purchase.RESERVED_1Y, 2),
                Group("web", EAST, "m.old", Purchase.ON_DEMAND, 1),
                Group("db", EAST, "m.4", Purchase.ON_DEMAND, 2),
            )
        ),
    )
    return asked(of, {("web", "america"): [100.0] * 48, ("db", "america"): [50.0] * 48})


def sustained() -> Asked:
    """Four hours. Instances of web run for three hours at least; of two that run now, both may
    stop any time.
    """
    offers = book([(EAST, "m.4", "on_demand", 0.2, 4, 16)])
    of = world(
        [WEB],
        offers,
        places=[EAST],
        origins=["america"],
        policy=Policy(horizon_hours=4, headroom=1.0, minimum_run_hours=3),
        fleet=Fleet((Group("web", EAST, "m.4", Purchase.ON_DEMAND, 2),)),
    )
    return asked(of, {("web", "america"): [100.0, 500.0, 100.0, 100.0]})


def quota() -> Asked:
    """At most 16 vCPUs and 5 instances of family m in each region of AWS; c is not counted."""
    rule = QuotaRule(
        name="limit",
        where=PlaceFilter(clouds=frozenset({Cloud.AWS})),
        families=("m",),
        vcpus_at_most=16,
        instances_at_most=5,
    )
    offers = book([
        (EAST, "m.4", "on_demand", 0.2, 4, 16),
        (EAST, "c.4", "on_demand", 0.25, 4, 16),
        (EU, "m.8", "on_demand", 0.4, 8, 32),
        (AZURE, "m.4", "on_demand", 0.2, 4, 16),
    ])  # fmt: skip
    of = world([WEB, DB], offers, places=[EAST, EU, AZURE], rules=[rule], policy=TWO_HOURS)
    return asked(of, {**BOTH, ("db", "europe"): [20.0, 20.0]})


def slow_workflow() -> Asked:
    """web (20 ms), then db (5 ms), within 100 ms, for Europe.

    Round trips: Europe to eu 10, azure 15, east 70; eu to azure 12, east 60; azure to east 64.
    Web in eu may call db in east: 10 + 20 + 60 + 5 = 95. Web in azure may not: 15 + 20 + 64 + 5 =
    104. Web in east leaves 100 - 70 - 20 - 5 = 5 ms for the trip: db must be in east, too.
    """
    trips = {
        ("europe", EU): 10.0, ("europe", AZURE): 15.0, ("europe", EAST): 70.0,
        (EU, AZURE): 12.0, (EU, EAST): 60.0, (AZURE, EAST): 64.0,
        (EU, EU): 1.0, (AZURE, AZURE): 1.0, (EAST, EAST): 1.0,
    }  # fmt: skip
    workflow = Workflow("buy", (Step("web"), Step("db", ("web",))), 100.0)
    offers = book([(place, "m.4", "on_demand", 0.2, 4, 16) for place in (EAST, EU, AZURE)])
    of = world(
        [WEB, DB],
        offers,
        places=[EAST, EU, AZURE],
        origins=["europe"],
        rules=[WorkflowRule(name="buy", workflow="buy", within_ms=100.0)],
        workflows=[workflow],
        policy=TWO_HOURS,
        round_trips=RoundTrips(trips),
    )
    return asked(of, {("web", "europe"): [90.0, 40.0], ("db", "europe"): [20.0, 20.0]})


def calls() -> Asked:
    """web calls db. east and west share a continent (level 0), eu only the cloud (level 1)."""
    offers = book([
        *((place, "m.4", "on_demand", 0.2, 4, 16) for place in (EAST, WEST, EU)),
        (AZURE, "m.1", "on_demand", 0.2, 1, 2),  # holds web, not db
    ])  # fmt: skip
    of = world(
        [WEB, DB],
        offers,
        places=[EAST, WEST, EU, AZURE],
        origins=["europe"],
        dependencies=[Dependency("web", "db", 2.0, request_kib=10, response_kib=100)],
        policy=ONE_HOUR,
    )
    return asked(of, {("web", "europe"): [90.0]})


def budget() -> Asked:
    """All spend, that of team shop, and that on Azure; 730 h a month, two hours planned."""
    rules = [
        BudgetRule(name="all", usd_per_month=500),
        BudgetRule(name="shop", usd_per_month=300, team="shop"),
        BudgetRule(name="azure", usd_per_month=100, cloud=Cloud.AZURE),
    ]
    web = Service("web", Replica(1, 2, 100), team="shop", response_kib=100)
    offers = book([(EU, "m.4", "on_demand", 0.2, 4, 16), (AZURE, "m.4", "on_demand", 0.3, 4, 16)])
    of = world(
        [web, DB],
        offers,
        places=[EU, AZURE],
        origins=["europe"],
        rules=rules,
        dependencies=[Dependency("web", "db", 1.0, request_kib=10, response_kib=100)],
        policy=TWO_HOURS,
    )
    return asked(of, {("web", "europe"): [100.0, 200.0]})


def uncertain() -> Asked:
    """Demand at its 0.5 (70 %) or 0.99 quantile (30 %, 3 times as much). A tenth of an hour's
    demand may go unmet at 1 USD per million requests: 0.36 USD for an hour of one replica's
    100 rps. Half of the decision is the dearest fifth of the bill; answers of 40 KiB leave.
    """
    policy = Policy(
        horizon_hours=2,
        headroom=1.0,
        demand_scenarios=(DemandScenario(0.5, 0.7), DemandScenario(0.99, 0.3)),
        unmet_at_most=0.1,
        unmet_usd_per_million_requests=1.0,
        cvar=CvarPolicy(0.8, 0.5),
    )
    service = Service("web", Replica(1, 2, 100), response_kib=40.0)
    offers = book([(EAST, "m.2", "on_demand", 0.1, 2, 8), (EU, "m.4", "on_demand", 0.21, 4, 16)])
    of = world([service], offers, places=[EAST, EU], policy=policy)
    return asked(of, BOTH, [dict.fromkeys(("america", "europe"), times) for times in (1.0, 3.0)])


def commitments() -> Asked:
    """Two hours. `any` takes 30 % off in all of AWS: 0.4 USD/h
    are owned until the second hour starts, up to 2 may be bought. `m` is up to 8 vCPUs at 0.03 USD
    an hour in aws/east, where a vCPU costs 0.05 on demand. What is owned costs 0.4 in any case."""
    everywhere = SpendCommitment(
        name="any",
        cloud=Cloud.AWS,
        term_years=1,
        owned=0.4,
        at_most=2.0,
        expires=date(2026, 3, 3),
        discounts=(Discount(0.3),),
    )
    east = ResourceCommitment(
        name="m",
        cloud=Cloud.AWS,
        term_years=3,
        where=PlaceFilter(places=frozenset({EAST})),
        families=("m",),
        at_most=8.0,
        usd_per_vcpu_hour=0.03,
    )
    offers = book([
        (EAST, "m.2", "on_demand", 0.1, 2, 8),
        (EAST, "m.2", "spot", 0.03, 2, 8),
        (EU, "c.4", "on_demand", 0.21, 4, 16),
        (AZURE, "m.4", "on_demand", 0.2, 4, 16),
    ])  # fmt: skip
    service = Service("web", Replica(1, 2, 100), spot_tolerant=True)
    of = world(
        [service],
        offers,
        places=[EAST, EU, AZURE],
        policy=TWO_HOURS,
        commitments=[everywhere, east],
    )
    late = datetime(2026, 3, 2, 23, tzinfo=UTC)  # the last hour of what is owned
    return asked(replace(of, starts=late), BOTH)


WORLDS: dict[str, Callable[[], Asked]] = {
    "routes_add_up": two_places,
    "replicas_are_held": two_places,
    "demand_is_met": two_places,
    "replicas_come_whole": europe_stays,
    "min_replicas": minimum,
    "runs_only_where_open": kept_in_one_place,
    "served_only_where_open": kept_in_one_place,
    "open_somewhere": kept_in_one_place,
    "places_within": kept_in_one_place,
    "zones_are_even": spread(Extent.ZONE),
    "survivors_are_held": spread(Extent.ZONE),
    "spread_survives_zone": spread(Extent.ZONE),
    "spread_survives_region": spread(Extent.REGION),
    "spread_survives_cloud": spread(Extent.CLOUD),
    "spot_within_share": spot,
    "spot_losses_are_counted": spot_risk,
    "spot_risk_within": spot_risk,
    "moves_are_counted": changes,
    "changes_only_if_worth_it": changes,
    "changes_are_counted": disruption,
    "disruption_within": disruption,
    "runs_long_enough": sustained,
    "quota_holds_vcpus": quota,
    "quota_holds_instances": quota,
    "goes_only_where_used": slow_workflow,
    "workflow_starts": slow_workflow,
    "workflow_within_latency": slow_workflow,
    "too_far_apart": slow_workflow,
    "calls_leave": calls,
    "calls_arrive": calls,
    "calls_balance_0": calls,
    "calls_balance_1": calls,
    "spend_within_budget": budget,
    "unmet_within": uncertain,
    "scenario_is_spent": uncertain,
    "tail_of_the_bill": uncertain,
    "commitment_covers": commitments,
    "covered_at_most_used": commitments,
}


def excerpt(lp: str, family: str, about: str) -> str:
    """The rows of one family, and what is said about the columns that stand in them."""
    words = " ".join(about.split())
    kept = [f"\\ {line}" for line in re.findall(r"(?:\S.{0,95})(?:\s|$)", words)]
    section, used = "", set[str]()
    for line in lp.splitlines():
        if not line.startswith(" "):
            section = line
            kept.append(line)
        elif section == "Subject To" and line.startswith(f" {family}("):
            kept.append(line)
            used |= {word for word in line.split() if "(" in word}
        elif section in ("Bounds", "General") and used & set(line.split()):
            kept.append(line)
    kept = [line.rstrip() for line in kept if line != "Minimize"]
    return "\n".join(kept) + "\n"


def compare(path: Path, text: str) -> None:
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("family", WORLDS)
def test_rows_are_as_a_person_has_read_them(family: str) -> None:
    build = WORLDS[family]
    text = excerpt(to_lp(build().formulate().problem), family, build.__doc__ or "")
    assert f" {family}(" in text
    assert len(text.splitlines()) <= 60
    compare(GOLDEN / f"{family}.lp", text)


def test_a_whole_problem_is_as_a_person_has_read_it() -> None:
    compare(GOLDEN.parent / "whole_problem.lp", to_lp(two_places().formulate().problem))


def test_a_whole_uncertain_problem_is_as_a_person_has_read_it() -> None:
    compare(GOLDEN.parent / "whole_uncertain_problem.lp", to_lp(uncertain().formulate().problem))


def test_every_family_has_a_golden_file_and_every_file_a_family() -> None:
    files = {path.stem for path in GOLDEN.glob("*.lp")}
    seen = {
        family.name
        for question in (*(build() for build in WORLDS.values()), *map(random_asked, range(40)))
        for family in question.formulate().problem.rows
    }
    assert files == seen == set(WORLDS)


def test_no_family_in_the_source_goes_without_a_golden_file() -> None:
    """Names are the first argument of ``add_rows`` and ``_rows``, constant or with a field."""
    patterns = []
    for path in FORMULATION.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in {"add_rows", "_rows"}:
                assert isinstance(node, ast.Call)
                if node.args:
                    patterns.append(_pattern(node.args[0]))
    assert len(patterns) >= 18
    unmatched = [p for p in patterns if not any(re.fullmatch(p, name) for name in WORLDS)]
    assert unmatched == []


def _pattern(name: ast.expr) -> str:
    match name:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z0-9]+"
                for part in parts
            )
        case _:
            return ".+"  # a variable: what the worlds write is compared with the files
