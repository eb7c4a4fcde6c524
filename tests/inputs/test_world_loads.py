"""A good world loads to exact values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from models.errors import Location
from models.fleet import Group
from models.latency import RoundTrips
from models.offerings import Architecture, Purchase
from models.places import Cloud, Coordinates, PlaceFilter
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    Extent,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    ResidencyRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from models.services import Dependency, Origin, Replica, Service, Step, Workflow
from models.world import Catalogue, Policy, World
from scenarios.build import build_world
from scenarios.documents import read_world

if TYPE_CHECKING:
    from collections.abc import Callable


def test_heading_and_policy(world: World) -> None:
    assert (world.name, world.description) == ("corner shop", "Sells newspapers.")
    assert world.at.line == 1
    assert world.policy == Policy(horizon_hours=48, headroom=0.8)
    assert (world.policy.count_hours, world.policy.route_hours) == (1, 1)
    assert world.starts == datetime(2026, 3, 1, 3, tzinfo=UTC)


def test_services(world: World) -> None:
    file = world.at.file
    assert world.services == (
        Service(
            name="web",
            replica=Replica(1, 2, 100, 20),
            team="front",
            architectures=frozenset(Architecture),
            min_replicas=3,
            spot_tolerant=True,
            max_places=2,
            response_kib=40,
            at=Location(file, 18),
        ),
        Service(
            name="stock",
            replica=Replica(2, 8, 50.5),
            team="back",
            stateful=True,
            state_gib=100,
            at=Location(file, 27),
        ),
    )


def test_origins_and_calls(world: World) -> None:
    file = world.at.file
    assert world.origins == (
        Origin("europe", Coordinates(53.4, -6.3), "IE", "Europe", Location(file, 11)),
        Origin("america", Coordinates(40.7, -74), "US", "North America", Location(file, 12)),
    )
    assert world.dependencies == (Dependency("web", "stock", 1.5, 1, 8, Location(file, 36)),)
    steps = (Step("web"), Step("stock", ("web",)))
    assert world.workflows == (Workflow("buy", steps, 400, ("europe",), Location(file, 38)),)


def test_rules(world: World) -> None:
    def at(line: int) -> Location:
        return Location(world.at.file, line)

    both = ("web", "stock")
    azure = PlaceFilter(clouds=frozenset({Cloud.AZURE}))
    aws = PlaceFilter(clouds=frozenset({Cloud.AWS}))
    assert world.rules == (
        LatencyRule(name="latency:web", at=at(26), service="web", within_ms=150),
        MinReplicasRule(name="min_replicas:web", at=at(22), service="web", at_least=3),
        MaxPlacesRule(name="max_places:web", at=at(23), service="web", at_most=2),
        MinReplicasRule(name="min_replicas:stock", at=at(27), service="stock", at_least=1),
        WorkflowRule(name="workflow:buy", at=at(39), workflow="buy", within_ms=400),
        ResidencyRule(
            name="eu-stock", at=at(45), why="law", services=("stock",),
            jurisdictions=frozenset({"EU"}), origins=("europe",),
        ),
        CertificationRule(
            name="certification-1", at=at(46), services=("web",),
            certificates=frozenset({"iso-27001"}),
        ),
        AllowedPlacesRule(name="allowed_places-1", at=at(47), services=both, forbid=azure),
        SpreadRule(
            name="spread-1", at=at(48), services=("web",), survives=Extent.ZONE, share=0.5
        ),
        SpotShareRule(name="spot_share-1", at=at(49), services=both, at_most=0.5),
        QuotaRule(
            name="quota-1", at=at(50), where=aws, families=("m5",), spot=False, vcpus_at_most=512
        ),
        BudgetRule(name="total", at=at(51), usd_per_month=5000),
        BudgetRule(name="front", at=at(52), usd_per_month=900, team="front", cloud=Cloud.AWS),
    )  # fmt: skip


def test_fleet(world: World) -> None:
    file = world.at.file
    on_demand, spot = Purchase.ON_DEMAND, Purchase.SPOT
    assert world.fleet.groups == (
        Group("web", "aws/us-east-1", "m5.xlarge", on_demand, 2, Location(file, 54)),
        Group("stock", "aws/eu-west-1", "m5.xlarge", spot, 1, Location(file, 55)),
    )


def test_candidates_and_their_prices(world: World, catalogue: Catalogue) -> None:
    assert [r.place for r in world.regions] == [
        "aws/eu-west-1",
        "aws/us-east-1",
        "gcp/europe-west1",
    ]
    assert len(world.book) == len(catalogue.book)
    assert world.egress is catalogue.egress
    held = {r.place: r.certifications for r in world.regions}
    assert held["gcp/europe-west1"] == {"iso-27001", "pci-dss", "own-audit"}
    assert held["aws/eu-west-1"] == {"iso-27001", "pci-dss"}


def test_places_cut_the_book(write: Callable[..., Path], catalogue: Catalogue) -> None:
    path = write(
        {
            "{continents: [Europe, North America]}": "{clouds: [gcp]}",
            "prices: {book: embedded}": "prices: {unpriced: report}",
        }
    )
    world = build_world(read_world(path), catalogue)
    assert [region.place for region in world.regions] == ["gcp/europe-west1"]
    assert world.book.places == ("gcp/europe-west1",)
    assert len(world.fleet.groups) == 2


def test_history(world: World) -> None:
    frame = world.history.frame
    assert world.history.note == "counted by hand"
    assert list(frame.columns) == ["ts", "service", "origin", "rps"]
    assert str(frame["ts"].dtype) == "datetime64[us, UTC]"
    assert frame["origin"].tolist() == ["america"] * 3 + ["europe"] * 3
    assert frame["service"].tolist() == ["web"] * 6
    assert frame["rps"].tolist() == [5, 6, 7, 10, 12.5, 0]
    first = pd.Timestamp("2026-03-01", tz="UTC")
    assert frame["ts"].tolist() == [first + pd.Timedelta(hours=h) for h in (0, 1, 2)] * 2


def test_a_folder_is_read_by_its_world_file(
    write: Callable[..., Path], catalogue: Catalogue
) -> None:
    path = write()
    assert build_world(read_world(path.parent), catalogue).name == "corner shop"


def test_sources_of_prices_and_latency(write: Callable[..., Path], catalogue: Catalogue) -> None:
    prices = (
        "prices: {file: ../offers.parquet, unpriced: report}\nlatency: {measured: r.csv, factor: 2}"
    )
    document = read_world(write({"prices: {book: embedded}": prices}))
    assert document.prices.file == document.folder / ".." / "offers.parquet"
    assert document.prices.report_unpriced
    assert document.prices.at.line == 5
    assert document.latency.measured == document.folder / "r.csv"
    assert document.latency.factor == 2
    measured = RoundTrips({("europe", "aws/eu-west-1"): 12.0})
    world = build_world(document, replace(catalogue, round_trips=measured))
    assert world.round_trips == RoundTrips(measured.measured_ms, 2)


def test_sources_by_default(write: Callable[..., Path]) -> None:
    document = read_world(write())
    assert document.prices.file is None
    assert not document.prices.report_unpriced
    assert document.latency.measured is None
    assert document.latency.factor is None


def test_names_may_hold_markup_and_formulas(
    write: Callable[..., Path], catalogue: Catalogue
) -> None:
    name = "=HYPERLINK(1) <b>Kiosk</b> 東京"
    path = write({"world: corner shop": f"world: '{name}'"})
    assert build_world(read_world(path), catalogue).name == name
