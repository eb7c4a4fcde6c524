"""A small plan, made by hand: two services in two clouds for three hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from models.demand import Forecast, History, ModelChoice
from models.errors import Location
from models.fleet import Fleet, Group
from models.latency import RoundTrips
from models.offerings import BOOK_COLUMNS, UNPRICED_COLUMNS, PriceBook, Purchase
from models.placement import (
    BINDING_COLUMNS,
    COUNT_COLUMNS,
    EXCLUSION_COLUMNS,
    ROUTE_COLUMNS,
    Bill,
    BillLine,
    Certificate,
    Placement,
    Proof,
    ScenarioBill,
    ShadowLine,
    ShadowTerm,
    Term,
)
from models.places import Cloud, Coordinates, PlaceFilter, Region
from models.plan import BrokenRule, Plan, Today
from models.risk import CvarPolicy
from models.rules import AllowedPlacesRule, BudgetRule
from models.services import Origin, Replica, Service
from models.world import DemandScenario, Policy, World

STARTS = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 3
SOURCE = ("price list", "2026-02-01")


def region(cloud: Cloud, name: str) -> Region:
    return Region(cloud, name, name, Coordinates(50, 8), "DE", "Europe", frozenset({"EU"}), 3)


def counts(web: str) -> pd.DataFrame:
    rows = [
        *((web, "aws", "eu-central-1", "m6g.large", "spot", t, n, 0.0361, 1, n * 100.5, *SOURCE)
          for t, n in enumerate([2, 3, 2])),
        (web, "gcp", "europe-west1", "e2-standard-2", "on_demand", 1, 1, 0.07, 1, 90.0, *SOURCE),
        *(("cart", "aws", "eu-central-1", "r5.large", "on_demand", t, 1, 0.152, 3, 300.0, *SOURCE)
          for t in range(HOURS)),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COUNT_COLUMNS))


def routes(web: str) -> pd.DataFrame:
    rows = [
        (web, "europe", "aws", "eu-central-1", 0, 3, 2 / 3, 4.25),
        (web, "europe", "gcp", "europe-west1", 0, 3, 1 / 3, 9.0),
        ("cart", "europe", "aws", "eu-central-1", 0, 3, 1.0, 4.25),
    ]
    return pd.DataFrame(rows, columns=list(ROUTE_COLUMNS))


def bill(web: str) -> Bill:
    here, there = ("aws", "aws/eu-central-1"), ("gcp", "gcp/europe-west1")
    return Bill(
        HOURS,
        (
            BillLine(Term.COMPUTE, *here, web, "spot", Decimal("0.2527")),
            BillLine(Term.COMPUTE, *there, web, "on_demand", Decimal("0.07")),
            BillLine(Term.COMPUTE, *here, "cart", "on_demand", Decimal("0.456")),
            BillLine(Term.EGRESS_INTERNET, *here, web, "", Decimal("0.0000004")),
        ),
    )


def make_world(web: str) -> World:
    written = Location("world.yaml", 7)
    replica = Replica(1, 2, 100.5, 20)
    return World(
        name="corner-shop",
        description="a shop at the corner",
        at=Location("world.yaml", 1),
        starts=STARTS,
        services=(
            Service(web, replica, team="front"),
            Service("cart", replica, team="[bold]back[/bold]"),
        ),
        origins=(Origin("europe", Coordinates(50, 8), "DE", "Europe"),),
        dependencies=(),
        workflows=(),
        rules=(
            BudgetRule(name="total", usd_per_month=400, at=written),
            AllowedPlacesRule(
                name="no-azure",
                services=("cart",),
                forbid=PlaceFilter(clouds=frozenset({Cloud.AZURE})),
                at=Location("world.yaml", 9),
                why="contract",
            ),
        ),
        policy=Policy(horizon_hours=HOURS),
        fleet=Fleet(
            (
                Group(web, "aws/eu-central-1", "m5.large", Purchase.ON_DEMAND, 6),
                Group("cart", "aws/eu-central-1", "x1e.odd", Purchase.ON_DEMAND, 1, written),
            )
        ),
        history=History(pd.DataFrame(), "counted by hand"),
        regions=(region(Cloud.AWS, "eu-central-1"), region(Cloud.GCP, "europe-west1")),
        book=PriceBook(
            "hand-made",
            date(2026, 2, 1),
            pd.DataFrame(columns=list(BOOK_COLUMNS)),
            pd.DataFrame(columns=list(UNPRICED_COLUMNS)),
        ),
        egress={},
        round_trips=RoundTrips(),
    )


def make_plan(web: str) -> Plan:
    world = make_world(web)
    levels = (0.5, 0.9)
    mean = np.array([[150.0, 250.125, 150.0], [100.0, 1 / 3, 0.0]])
    bands = np.stack([mean, mean * 1.2], axis=2)
    choice = ModelChoice(
        web, "europe", "seasonal", (("naive", 1.0), ("seasonal", 0.8), ("fancy", float("nan"))),
        "lowest error",
    )  # fmt: skip
    binding = [("total", "everything costs at most 400 USD per month", "world.yaml:7", 1, 1),
               ("no-azure", "cart never runs in Azure", "world.yaml:9", 0, 0)]  # fmt: skip
    excluded = [("cart", "azure/eastus", "no-azure", "contract"),
                ("cart", "azure/westus", "no-azure", "contract"),
                (web, "azure/eastus", "offerings", "nothing, not one type, holds it")]  # fmt: skip
    today = Bill(
        HOURS,
        (BillLine(Term.COMPUTE, "aws", "aws/eu-central-1", web, "on_demand", Decimal("2.07")),),
    )
    return Plan(
        world=world,
        forecast=Forecast(
            STARTS, levels, ((web, "europe"),), mean[:1], bands[:1], (choice,)
        ),
        demand_rps=bands[:, None, :, 1],
        mean_rps=mean,
        bands_rps=bands,
        placement=Placement(
            starts=STARTS,
            hours=HOURS,
            counts=counts(web),
            routes=routes(web),
            bill=bill(web),
            certificate=Certificate(
                Proof.WITHIN_GAP, 0.7787004, 0.7779, 0.00102786, "ortools", "highs",
                120, 340, 90, 1200, 0.05, 0.4,
            ),
            binding=pd.DataFrame(binding, columns=list(BINDING_COLUMNS)),
            exclusions=pd.DataFrame(excluded, columns=list(EXCLUSION_COLUMNS)),
        ),
        today=Today(
            bill=today,
            capacity_rps=np.array([603.0, float("inf")]),
            unpriced=(world.fleet.groups[1],),
            broken=(BrokenRule(world.rules[0], "costs 503.70 USD per month"),),
        ),
    )  # fmt: skip


@pytest.fixture
def plan() -> Plan:
    return make_plan("web")


@pytest.fixture
def plan_for() -> Callable[[str], Plan]:
    """The same plan, with a name of one's choice for the service ``web``."""
    return make_plan


@pytest.fixture
def clean() -> Plan:
    """The same plan where a tonne of carbon counts 100 USD."""
    plan = make_plan("web")
    world = replace(plan.world, policy=replace(plan.world.policy, carbon_usd_per_tonne=100.0))
    lines = (
        ShadowLine(ShadowTerm.CARBON, "aws", "aws/eu-central-1", "web", Decimal("1.5"),
                   Decimal("0.15")),
        ShadowLine(ShadowTerm.CARBON, "gcp", "gcp/europe-west1", "=cart", Decimal("0.5"),
                   Decimal("0.05")),
    )  # fmt: skip
    before = ShadowLine(
        ShadowTerm.CARBON, "aws", "aws/eu-central-1", "web", Decimal(4), Decimal("0.4")
    )
    bill = replace(plan.placement.bill, shadow=lines)
    today = replace(plan.today, bill=replace(plan.today.bill, shadow=(before,)))
    placement = replace(plan.placement, bill=bill)
    return replace(plan, world=world, placement=placement, today=today)


@pytest.fixture
def uncertain() -> Plan:
    """The same plan under two demand scenarios, the dearer of which leaves requests unmet."""
    plan = make_plan("web")
    scenarios = (DemandScenario(0.5, 0.75), DemandScenario(0.99, 0.25))
    policy = replace(
        plan.world.policy,
        demand_scenarios=scenarios,
        unmet_at_most=0.1,
        unmet_usd_per_million_requests=50.0,
        cvar=CvarPolicy(0.9, 0.5),
    )
    line = ShadowLine(ShadowTerm.UNMET_DEMAND, "aws", "aws/eu-central-1", "web", Decimal(4000),
                      Decimal("0.2"))  # fmt: skip
    usual = plan.placement.bill
    expected = replace(line, quantity=Decimal(1000), usd=Decimal("0.05"))
    bills = (usual, replace(usual, shadow=(line,)))
    placement = replace(
        plan.placement,
        bill=replace(usual, shadow=(expected,)),
        scenarios=tuple(
            ScenarioBill(f"q{s.quantile:g}", s.quantile, s.probability, bill)
            for s, bill in zip(scenarios, bills, strict=True)
        ),
    )
    return replace(plan, world=replace(plan.world, policy=policy), placement=placement)


@pytest.fixture
def proven() -> Callable[..., Plan]:
    """The same plan under a changed certificate."""

    def change(**fields: object) -> Plan:
        plan = make_plan("web")
        certificate = replace(plan.placement.certificate, **fields)  # type: ignore[arg-type]
        return replace(plan, placement=replace(plan.placement, certificate=certificate))

    return change
