"""What a hand-made fleet costs, to the cent, and how it breaks each kind of rule."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from small_worlds import Asked, asked, book, world

from models.fleet import Fleet, Group
from models.latency import RoundTrips
from models.offerings import Purchase
from models.placement import Term
from models.places import Cloud, PlaceFilter
from models.plan import Today
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    Extent,
    InterruptionRate,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    ResidencyRule,
    Rule,
    SpotRiskRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from models.services import Dependency, Replica, Service, Step, Workflow
from models.world import Policy
from optimizer.today import look_at_today

EAST, EU, AZURE = "aws/east", "aws/eu", "azure/eu"
TRIPS = {
    ("america", EAST): 10.0, ("america", EU): 90.0, ("america", AZURE): 85.0,
    ("europe", EAST): 92.0, ("europe", EU): 8.0, ("europe", AZURE): 12.0,
    (EAST, EU): 80.0, (EAST, AZURE): 82.0, (EU, AZURE): 11.0, (EU, EU): 1.0,
}  # fmt: skip
OFFERS = book([
    *((place, "m.4", "on_demand", 0.2, 4, 16) for place in (EAST, EU, AZURE)),
    (EU, "m.4", "spot", 0.07, 4, 16),
])  # fmt: skip
WEB = Service("web", Replica(1, 2, 100, service_time_ms=20), team="shop", response_kib=50)
DB = Service("db", Replica(2, 8, 50, service_time_ms=5), team="data")
ON_DEMAND, SPOT = Purchase.ON_DEMAND, Purchase.SPOT
FLEET = (
    Group("web", EAST, "m.4", ON_DEMAND, 2),  # 8 replicas
    Group("web", EU, "m.4", ON_DEMAND, 1),  # 4
    Group("web", EU, "m.4", SPOT, 3),  # 12
    Group("db", AZURE, "m.4", ON_DEMAND, 5),  # 10
)


def fleet(*rules: Rule, groups: tuple[Group, ...] = FLEET) -> Asked:
    """Two hours: 300 and 100 rps from America, 500 and 500 from Europe; each calls db once."""
    of = world(
        [WEB, DB],
        OFFERS,
        places=[EAST, EU, AZURE],
        rules=rules,
        dependencies=[Dependency("web", "db", 1.0, request_kib=10, response_kib=20)],
        workflows=[Workflow("buy", (Step("web"), Step("db", ("web",))), 100.0)],
        policy=Policy(horizon_hours=2, headroom=1.0),
        fleet=Fleet(groups),
        round_trips=RoundTrips(TRIPS),
    )
    return asked(of, {("web", "america"): [300.0, 100.0], ("web", "europe"): [500.0, 500.0]})


def today(*rules: Rule, groups: tuple[Group, ...] = FLEET) -> Today:
    question = fleet(*rules, groups=groups)
    return look_at_today(question.world, question.demand_rps, question.direct_rps)


def test_compute_is_counted_exactly() -> None:
    lines = [line for line in today().bill.lines if line.term is Term.COMPUTE]
    assert {(line.place, line.service, line.purchase): line.usd for line in lines} == {
        (EAST, "web", "on_demand"): Decimal("0.8"),  # 2 instances, 2 h, 0.20 USD
        (EU, "web", "on_demand"): Decimal("0.4"),
        (EU, "web", "spot"): Decimal("0.42"),
        (AZURE, "db", "on_demand"): Decimal("2.0"),
    }


def test_data_leaves_from_the_nearest_place() -> None:
    """400 and 1,000 rps hours, 3,600 s each, 50 KiB to users, 10 KiB to db, 20 KiB back."""
    lines = [line for line in today().bill.lines if line.term is not Term.COMPUTE]
    gb_per_kib = Decimal(3600) * 1024 / 10**9
    east, europe = 400 * gb_per_kib, 1000 * gb_per_kib
    expected = {
        (EAST, "web"): east * (50 + 10) * Decimal("0.09"),
        (EU, "web"): europe * (50 + 10) * Decimal("0.09"),
        (AZURE, "db"): (east + europe) * 20 * Decimal("0.087"),
    }
    found = {(line.place, line.service): line.usd for line in lines}
    assert found == {key: usd.quantize(Decimal("0.0001")) for key, usd in expected.items()}
    assert {line.term for line in lines} == {Term.EGRESS_INTERNET}


def test_calls_inside_a_cloud_cost_less() -> None:
    """db stands in aws/eu: Americans' calls cross the ocean inside AWS, 0.04 USD per GB."""
    groups = (*FLEET[:3], Group("db", EU, "m.4", ON_DEMAND, 5))
    lines = today(groups=groups).bill.lines
    inside = {(x.place, x.service): x.usd for x in lines if x.term is Term.EGRESS_INTER_REGION}
    gb = Decimal(400 * 3600) * 1024 / 10**9
    assert inside == {
        (EAST, "web"): (gb * 10 * Decimal("0.04")).quantize(Decimal("0.0001")),
        (EU, "db"): (gb * 20 * Decimal("0.04")).quantize(Decimal("0.0001")),
    }


def test_capacity_is_what_whole_replicas_serve() -> None:
    assert today().capacity_rps.tolist() == [24 * 100, 10 * 50]


def test_what_has_no_price_is_named_and_not_billed() -> None:
    unknown = Group("web", EU, "x.9", ON_DEMAND, 7)
    found = today(groups=(*FLEET, unknown))
    assert found.unpriced == (unknown,)
    assert found.bill == today().bill


def test_an_empty_fleet_costs_nothing() -> None:
    found = today(MinReplicasRule(name="min", service="web", at_least=1), groups=())
    assert found.bill.total_usd == 0
    assert [broken.how for broken in found.broken] == ["runs 0"]


AWS = PlaceFilter(clouds=frozenset({Cloud.AWS}))
CASES: list[tuple[Rule, str, Rule]] = [
    (
        ResidencyRule(name="r", services=("web", "db"), jurisdictions=frozenset({"EU"})),
        "web runs in aws/east",
        ResidencyRule(
            name="r", services=("web",), jurisdictions=frozenset({"EU"}), origins=("europe",)
        ),
    ),
    (
        CertificationRule(name="r", services=("web", "db"), certificates=frozenset({"soc2"})),
        "db runs in azure/eu; web runs in aws/east; web runs in aws/eu",
        CertificationRule(name="r", services=("web",), certificates=frozenset({"pci-dss"})),
    ),
    (
        AllowedPlacesRule(name="r", services=("db",), allow=AWS),
        "db runs in azure/eu",
        AllowedPlacesRule(name="r", services=("db",), forbid=AWS),
    ),
    (
        LatencyRule(name="r", service="web", within_ms=29),
        "takes 30 ms for users of america",
        LatencyRule(name="r", service="web", within_ms=30),
    ),
    (  # America 10 + 20 + 82 + 5, Europe 8 + 20 + 11 + 5
        WorkflowRule(name="r", workflow="buy", within_ms=44),
        "takes 117 ms for users of america",
        WorkflowRule(name="r", workflow="buy", within_ms=117),
    ),
    (
        MinReplicasRule(name="r", service="db", at_least=11),
        "runs 10",
        MinReplicasRule(name="r", service="db", at_least=10),
    ),
    (
        MaxPlacesRule(name="r", service="web", at_most=1),
        "runs in 2 places",
        MaxPlacesRule(name="r", service="web", at_most=2),
    ),
    (  # 24 replicas less 16 in aws/eu serve 800 rps at the peak, exactly
        SpreadRule(name="r", services=("web", "db"), survives=Extent.REGION),
        "db keeps 0% of demand without azure/eu",
        SpreadRule(name="r", services=("web",), survives=Extent.REGION),
    ),
    (
        SpreadRule(name="r", services=("web",), survives=Extent.CLOUD, share=0.5),
        "web keeps 0% of demand without aws",
        SpreadRule(name="r", services=("web",), survives=Extent.ZONE),
    ),
    (
        SpotShareRule(name="r", services=("web",), at_most=0.7),
        "web runs 75% on spot in aws/eu",
        SpotShareRule(name="r", services=("web",), at_most=0.75),
    ),
    (
        QuotaRule(name="r", where=AWS, families=("m",), vcpus_at_most=15, instances_at_most=3),
        "16 vCPUs in aws/eu; 4 instances in aws/eu",
        QuotaRule(name="r", where=AWS, spot=True, vcpus_at_most=12, instances_at_most=3),
    ),
    (  # 2.00 USD in two hours is 730 a month, and what db sends costs more
        BudgetRule(name="r", usd_per_month=730, team="data"),
        "costs",
        BudgetRule(name="r", usd_per_month=1e6),
    ),
]


@pytest.mark.parametrize(
    ("broken", "how", "kept"), CASES, ids=[type(rule).__name__ for rule, _, _ in CASES]
)
def test_each_kind_of_rule_is_kept_or_broken(broken: Rule, how: str, kept: Rule) -> None:
    found = today(broken).broken
    assert [item.rule for item in found] == [broken]
    assert found[0].how.startswith(how)
    assert today(kept).broken == ()


@pytest.mark.parametrize(
    ("chance_at_most", "rates", "how"),
    [
        (0.01, (), "web keeps 50% of demand without 1 of its 1 spot pools"),
        (0.02, (), None),  # 1.4 % of hours are granted
        (0.01, (InterruptionRate(1.0, AWS, ("m",)),), None),
        (0.01, (InterruptionRate(1.0, AWS, ("c",)),), "web keeps 50%"),
    ],
)
def test_the_loss_of_spot_pools_is_counted(
    chance_at_most: float, rates: tuple[InterruptionRate, ...], how: str | None
) -> None:
    """4 of 16 replicas are on demand, and 8 are asked for."""
    rule = SpotRiskRule(
        name="r",
        services=("web",),
        chance_at_most=chance_at_most,
        interruptions_per_month=10,
        rates=rates,
    )
    found = today(rule, groups=FLEET[1:]).broken
    assert [item.rule for item in found] == ([] if how is None else [rule])
    assert all(item.how.startswith(str(how)) for item in found)


def test_budgets_count_the_exact_bill() -> None:
    bill = today().bill
    monthly = float(bill.total_usd) * 730 / 2
    exact = BudgetRule(name="exact", usd_per_month=monthly * (1 + 1e-9))
    short = replace(exact, name="short", usd_per_month=monthly - 0.01)
    on_azure = BudgetRule(name="azure", usd_per_month=1.0, cloud=Cloud.AZURE)
    on_gcp = BudgetRule(name="gcp", usd_per_month=1.0, cloud=Cloud.GCP)
    found = today(exact, short, on_azure, on_gcp).broken
    assert [item.rule.name for item in found] == ["short", "azure"]
    azure = float(bill.by("cloud")["azure"]) * 365
    assert found[1].how == f"costs {azure:,.0f} USD per month"


def test_what_runs_without_a_price_still_runs() -> None:
    """Its size is unknown, so no rule about sizes is called broken; its place is known."""
    unpriced = Group("db", EAST, "m.unheard-of", ON_DEMAND, 1)
    found = today(
        MinReplicasRule(name="many", service="db", at_least=3),
        SpreadRule(name="spread", services=("db",), survives=Extent.REGION),
        ResidencyRule(name="eu", services=("db",), jurisdictions=frozenset({"EU"})),
        groups=(*FLEET[:3], unpriced),
    )
    assert found.unpriced == (unpriced,)
    assert [(broken.rule.name, broken.how) for broken in found.broken] == [
        ("eu", "db runs in aws/east")
    ]
    assert any(line.service == "db" and line.place == EAST for line in found.bill.lines)
