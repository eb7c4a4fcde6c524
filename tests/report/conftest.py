"""A plan small enough to read and whole enough to report: places and users are real, and the bill
is what its counts, prices and routes come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.demand import Forecast, History, ModelChoice
from models.egress import EgressPrice
from models.errors import Location
from models.fleet import Fleet, Group
from models.latency import RoundTrips
from models.offerings import BOOK_COLUMNS, UNPRICED_COLUMNS, PriceBook, Purchase
from models.placement import (
    COUNT_COLUMNS,
    EXCLUSION_COLUMNS,
    ROUTE_COLUMNS,
    Bill,
    BillLine,
    Certificate,
    Placement,
    Proof,
    Term,
)
from models.places import Coordinates
from models.plan import BrokenRule, Plan, Today
from models.rules import BudgetRule, LatencyRule, ResidencyRule, Rule, SpotShareRule
from models.services import Origin, Replica, Service
from models.world import Policy, World
from providers.geography.regions import load_regions

STARTS = datetime(2026, 3, 2, tzinfo=UTC)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95)
PLACES = {  # where a service may run, and the type it runs on there
    "aws/us-east-1": ("m5.xlarge", 0.192),
    "gcp/europe-west1": ("e2-standard-4", 0.147379),
    "azure/southeastasia": ("Standard_D4s_v5", 0.24),
    "aws/eu-central-1": ("m6g.xlarge", 0.184),
    "azure/eastus": ("Standard_D4s_v5", 0.192),
    "gcp/us-central1": ("e2-standard-4", 0.134012),
    "gcp/asia-northeast1": ("e2-standard-4", 0.17193),
    "azure/germanywestcentral": ("Standard_D4s_v5", 0.23),
    "aws/sa-east-1": ("m5.xlarge", 0.306),
}
SHOP = (
    "storefront", "search", "catalog", "cart", "checkout", "payments", "customers", "orders",
    "inventory", "recommendations", "pricing", "images", "reviews", "shipping", "fraud", "email",
    "loyalty", "analytics", "sessions", "gateway",
)  # fmt: skip
USERS = (
    ("europe", 50.11, 8.68, "DE", "europe"),
    ("north-america", 40.71, -74.01, "US", "north_america"),
    ("asia", 1.35, 103.82, "SG", "asia"),
    ("south-america", -23.55, -46.63, "BR", "south_america"),
)
REPLICAS_EACH, RPS_EACH = 3, 100.0

Name = Callable[[str], str]
BuildPlan = Callable[..., Plan]


def build_plan(
    *,
    services: int = 8,
    hours: int = 24,
    name: Name = str,
    proof: Proof = Proof.WITHIN_GAP,
    scale: float = 1.0,
    exclusions: int = 40,
    dearer: bool = False,
    fleet: bool = True,
) -> Plan:
    """A plan in which every text that a person could have written went through ``name``."""
    names = [name(SHOP[s % 20] + ("" if s < 20 else f"-{s // 20}")) for s in range(services)]
    origins = tuple(
        Origin(name(n), Coordinates(latitude, longitude), country, continent)
        for n, latitude, longitude, country, continent in USERS
    )
    mean = _mean_rps(services, hours) * scale
    planned = mean * 1.25
    whole = mean.sum(axis=1)
    bands = np.stack([whole * (0.75 + 0.6 * level) for level in LEVELS], axis=2)
    routes = _routes(names, [origin.name for origin in origins], hours)
    counts = _counts(names, planned, hours, name)
    bill = _bill(counts, names, hours)
    world = _world(names, origins, name, hours)
    if not fleet:
        world = replace(world, fleet=Fleet())
    series = tuple((service, origin.name) for service in names[:4] for origin in origins)
    forecast = Forecast(
        STARTS, LEVELS, series, np.ones((len(series), hours)),
        np.ones((len(series), hours, len(LEVELS))), _choices(series, name),
    )  # fmt: skip
    total = float(bill.total_usd)
    gap = {Proof.OPTIMAL: 0.0, Proof.WITHIN_GAP: 0.000342, Proof.TIME_LIMIT: 0.0317}[proof]
    certificate = Certificate(
        proof, total, total * (1 - gap), gap, name("or-tools"), name("HiGHS"), 48_211, 61_004,
        23_400, 402_117, 0.412, 6.87,
    )  # fmt: skip
    placement = Placement(
        STARTS, hours, counts, routes, bill, certificate, _binding(world),
        _exclusions(names, name, exclusions),
    )  # fmt: skip
    return Plan(
        world,
        forecast,
        planned,
        whole,
        bands,
        placement,
        _today(world, bill, planned, name, "0.02" if dearer else "0.4"),
    )


def _mean_rps(services: int, hours: int) -> NDArray[np.float64]:
    """Shape [service, origin, period]: a daily wave that follows each origin's sun."""
    hour = np.arange(hours)
    sun = np.array([13.0, 19.0, 6.0, 17.0])[:, None]
    wave = 1 + 0.75 * np.cos((hour - sun) * 2 * np.pi / 24)
    size = 2600.0 / np.arange(1, services + 1) ** 0.7
    share = np.array([0.4, 0.35, 0.18, 0.07])
    mean: NDArray[np.float64] = size[:, None, None] * share[:, None] * wave
    return mean


def _places_of(s: int) -> list[tuple[str, float]]:
    """Places of the s-th service and their share of its traffic."""
    known = list(PLACES)
    return [[(known[s % 9], 0.55), (known[(s + 2) % 9], 0.3), (known[(s + 4) % 9], 0.15)],
            [(known[s % 9], 0.7), (known[(s + 4) % 9], 0.3)],
            [(known[s % 9], 1.0)]][s % 3]  # fmt: skip


def _routes(names: list[str], origins: list[str], hours: int) -> pd.DataFrame:
    rows = [
        (service, origin, *place.split("/"), 0, hours, share, 12.5 + 10 * g)
        for s, service in enumerate(names)
        for g, origin in enumerate(origins)
        for place, share in _places_of(s)
    ]
    return pd.DataFrame(rows, columns=list(ROUTE_COLUMNS))


def _counts(names: list[str], planned: NDArray[np.float64], hours: int, name: Name) -> pd.DataFrame:
    rows = []
    for s, service in enumerate(names):
        for place, share in _places_of(s):
            wanted = np.ceil(planned[s].sum(axis=0) * share / (REPLICAS_EACH * RPS_EACH))
            steady = wanted.min() if s % 2 == 0 else wanted
            kind, price = PLACES[place]
            for purchase, number, paid in (
                ("on_demand", np.broadcast_to(steady, hours), price),
                ("spot", wanted - steady, round(price * 0.31, 6)),
            ):
                rows += [
                    (service, *place.split("/"), name(kind), purchase, period, int(number[period]),
                     paid, REPLICAS_EACH, number[period] * REPLICAS_EACH * RPS_EACH,
                     name("list prices"), "2026-01-15")
                    for period in np.flatnonzero(number)
                ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COUNT_COLUMNS))


def _bill(counts: pd.DataFrame, names: list[str], hours: int) -> Bill:
    lines = []
    keys = ["service", "cloud", "region", "purchase", "price_usd_per_hour"]
    sums = counts.groupby(keys, as_index=False)["count"].sum()
    for service, cloud, region, purchase, price, number in sums.itertuples(index=False, name=None):
        usd = Decimal(repr(float(price))) * int(number)
        lines.append(BillLine(Term.COMPUTE, cloud, f"{cloud}/{region}", service, purchase, usd))
    for s, service in enumerate(names):
        place = _places_of(s)[0][0]
        cloud = place.split("/")[0]
        for term, rate in (
            (Term.EGRESS_INTERNET, "1.238471"),
            (Term.EGRESS_INTER_REGION, "0.3300019"),
        ):
            amount = Decimal(rate) * hours / (s + 1)
            lines.append(BillLine(term, cloud, place, service, "", amount))
    return Bill(hours, tuple(lines))


def _world(names: list[str], origins: tuple[Origin, ...], name: Name, hours: int) -> World:
    at = Location("world.yaml", 31)
    rules: tuple[Rule, ...] = (
        BudgetRule(name=name("monthly-budget"), at=at, why=name("board"), usd_per_month=90_000),
        LatencyRule(name=name("fast-pages"), at=at, service=names[0], within_ms=150.0),
        ResidencyRule(name=name("eu-customers"), at=at, why=name("GDPR"), services=(names[-1],),
                      jurisdictions=frozenset({"EU"}), origins=(origins[0].name,)),
        SpotShareRule(name=name("little-spot"), services=tuple(names), at_most=0.5),
    )  # fmt: skip
    fleet = Fleet(
        tuple(
            Group(service, "aws/us-east-1", name("m4.2xlarge"), Purchase.ON_DEMAND,
                  30 // (1 + s // 3) + 4)
            for s, service in enumerate(names)
        )
    )  # fmt: skip
    regions = load_regions()
    book = PriceBook(
        name("embedded"), date(2026, 1, 15), _offerings(),
        pd.DataFrame(columns=list(UNPRICED_COLUMNS)), {name("rows_read"): 15_023},
    )  # fmt: skip
    return World(
        name=name("shop"),
        description=name("An online shop with customers on four continents."),
        at=Location("world.yaml", 1),
        starts=STARTS,
        services=tuple(
            Service(n, Replica(1, 2, RPS_EACH, 20), team=name(("web", "data", "core")[s % 3]))
            for s, n in enumerate(names)
        ),
        origins=origins,
        dependencies=(),
        workflows=(),
        rules=rules,
        policy=Policy(horizon_hours=hours),
        fleet=fleet,
        history=History(pd.DataFrame(columns=["ts", "service", "origin", "rps"]),
                        name("Demand is generated by a seeded model of daily and weekly waves.")),
        regions=tuple(regions[place] for place in sorted(PLACES)),
        book=book,
        egress={place: EgressPrice(0.01, 0.02, 0.09, name("list prices"), date(2026, 1, 10))
                for place in PLACES},
        round_trips=RoundTrips({("europe", "aws/eu-central-1"): 9.0}),
    )  # fmt: skip


def _offerings() -> pd.DataFrame:
    rows = [
        (*place.split("/"), kind, purchase, price, 4.0, 4.0, 16.0, "x86_64", "general", 0.0, "",
         False, "list prices", "2026-01-15")
        for place, (kind, price) in PLACES.items()
        for purchase in ("on_demand", "spot")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(BOOK_COLUMNS))


def _choices(series: tuple[tuple[str, str], ...], name: Name) -> tuple[ModelChoice, ...]:
    return tuple(
        ModelChoice(
            service, origin, name("MSTL"),
            ((name("MSTL"), 0.41 + 0.01 * i), (name("SeasonalNaive"), 1.0),
             (name("AutoETS"), float("nan"))),
            name("lowest backtest error"),
        )
        for i, (service, origin) in enumerate(series)
    )  # fmt: skip


def _binding(world: World) -> pd.DataFrame:
    rows = [
        (rule.name, rule.in_words, str(rule.at), 24 * (i + 1), 7 * (3 - i))
        for i, rule in enumerate(world.rules)
        if i < 4
    ]
    return pd.DataFrame(rows, columns=["rule", "in_words", "where", "rows", "binding_rows"])


def _exclusions(names: list[str], name: Name, number: int) -> pd.DataFrame:
    rows = [
        (names[i % len(names)], list(PLACES)[i % 9],
         name(("fast-pages", "eu-customers", "offerings")[i % 3]),
         name(f"round trip of {150 + i // 4} ms is above 130 ms"))
        for i in range(number)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(EXCLUSION_COLUMNS))


def _today(world: World, bill: Bill, planned: NDArray[np.float64], name: Name, price: str) -> Today:
    lines = [
        BillLine(Term.COMPUTE, "aws", "aws/us-east-1", group.service, "on_demand",
                 Decimal(price) * group.count * bill.hours)
        for group in world.fleet.groups
    ]  # fmt: skip
    lines += [replace(line, usd=line.usd) for line in bill.lines if not line.purchase]
    peak = planned.sum(axis=1).max(axis=1)
    return Today(
        bill=Bill(bill.hours, tuple(lines)),
        capacity_rps=peak * np.where(np.arange(len(peak)) == 1, 0.8, 1.5),
        unpriced=(Group(world.services[0].name, "aws/us-east-1", name("m1.huge"),
                        Purchase.ON_DEMAND, 3),),
        broken=(BrokenRule(world.rules[2], name("customers runs in the United States")),),
    )  # fmt: skip


@pytest.fixture(scope="session")
def plan_of() -> BuildPlan:
    return build_plan


@pytest.fixture(scope="session")
def plan() -> Plan:
    return build_plan()
