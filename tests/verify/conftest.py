"""A world with a rule of every kind, and its cheapest plan, to tamper with."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from planned import document_of, plan_of
from small_worlds import Asked, asked, book, world

from models.errors import Location
from models.fleet import Fleet, Group
from models.latency import RoundTrips
from models.offerings import Purchase
from models.places import Cloud, PlaceFilter
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    DisruptionRule,
    Extent,
    LatencyRule,
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
from models.world import Policy

EAST, WEST, EU, AZURE, GCP = "aws/east", "aws/west", "aws/eu", "azure/eu", "gcp/eu"
TRIPS = {
    ("america", EAST): 10.0, ("america", WEST): 60.0, ("america", EU): 90.0,
    ("america", AZURE): 85.0, ("america", GCP): 95.0,
    ("europe", EAST): 92.0, ("europe", WEST): 150.0, ("europe", EU): 8.0,
    ("europe", AZURE): 12.0, ("europe", GCP): 10.0,
    (EAST, EU): 80.0, (EAST, AZURE): 82.0, (EAST, WEST): 60.0, (EU, AZURE): 11.0,
}  # fmt: skip
OFFERS = book([
    *((place, "m.4", "on_demand", 0.2, 4, 16) for place in (EAST, WEST, EU, AZURE, GCP)),
    *((place, "m.4", "spot", 0.07, 4, 16) for place in (EAST, EU, AZURE)),
    (EU, "mg.4", "on_demand", 0.15, 4, 16),
    (EU, "m.1", "on_demand", 0.04, 0.5, 1),
])  # fmt: skip
WEB = Service("web", Replica(1, 2, 100, service_time_ms=20), team="shop", spot_tolerant=True,
              response_kib=5)  # fmt: skip
DB = Service("db", Replica(2, 8, 150, service_time_ms=5), team="data", stateful=True)
RULES = (
    LatencyRule(name="fast", service="web", within_ms=111, at=Location("world.yaml", 20)),
    ResidencyRule(name="eu-db", services=("db",), jurisdictions=frozenset({"EU"}),
                  origins=("europe",)),
    CertificationRule(name="cards", services=("db",), certificates=frozenset({"pci-dss"})),
    AllowedPlacesRule(name="no-west", services=("web", "db"),
                      forbid=PlaceFilter(places=frozenset({WEST}))),
    WorkflowRule(name="buy", workflow="buy", within_ms=140),
    MinReplicasRule(name="min-web", service="web", at_least=6),
    MinReplicasRule(name="min-db", service="db", at_least=3),
    MaxPlacesRule(name="few-dbs", service="db", at_most=2),
    SpreadRule(name="lose-a-region", services=("web",), survives=Extent.REGION, share=0.5),
    SpreadRule(name="lose-a-zone", services=("db",), survives=Extent.ZONE, share=0.5),
    SpreadRule(name="lose-a-cloud", services=("web",), survives=Extent.CLOUD, share=0.3),
    SpotShareRule(name="some-spot", services=("web",), at_most=0.5),
    SpotRiskRule(name="outages", services=("web",), chance_at_most=0.001, share=0.5,
                 interruptions_per_month=2.0),
    QuotaRule(name="quota", where=PlaceFilter(clouds=frozenset({Cloud.AWS})), families=("m",),
              vcpus_at_most=40, instances_at_most=10),
    DisruptionRule(name="slowly", services=("web",), at_most_per_day=40, in_all_per_day=50),
    BudgetRule(name="total", usd_per_month=4000),
    BudgetRule(name="data", usd_per_month=1500, team="data"),
)  # fmt: skip


def every_rule(policy: Policy | None = None) -> Asked:
    """Four hours; sizes and routes hold for two of them."""
    of = world(
        [WEB, DB],
        OFFERS,
        rules=RULES,
        dependencies=[Dependency("web", "db", 1.0, request_kib=1, response_kib=2)],
        workflows=[Workflow("buy", (Step("web"), Step("db", ("web",))), 140.0)],
        policy=policy or Policy(horizon_hours=4, headroom=1.0, count_hours=2, route_hours=2),
        fleet=Fleet((Group("web", EU, "m.4", Purchase.ON_DEMAND, 9),)),
        round_trips=RoundTrips(TRIPS),
    )
    return asked(
        of,
        {("web", "america"): [300.0, 250.0, 420.0, 400.0],
         ("web", "europe"): [500.0, 500.0, 610.0, 700.0]},
    )  # fmt: skip


@pytest.fixture(scope="session")
def case() -> Asked:
    return every_rule()


@pytest.fixture(scope="session")
def pristine(case: Asked) -> dict[str, Any]:
    plan = plan_of(case)
    assert plan is not None
    return document_of(plan)


@pytest.fixture
def document(pristine: dict[str, Any]) -> dict[str, Any]:
    """The plan's document, for one test to change."""
    return copy.deepcopy(pristine)
