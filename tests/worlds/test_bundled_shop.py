"""The bundled shop is a world without faults, and is what its description says."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from models.demand import service_demand_rps
from models.offerings import Architecture, Purchase
from models.rules import (
    BudgetRule,
    CertificationRule,
    LatencyRule,
    QuotaRule,
    ResidencyRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from models.world import World
from optimizer.gather import gather

SHOP = Path(__file__).parents[2] / "scenarios" / "shop"


@pytest.fixture(scope="module")
def shop() -> World:
    return gather(SHOP)[0]


def test_it_is_a_shop_of_believable_size(shop: World) -> None:
    assert len(shop.services) == 16
    assert [origin.continent for origin in shop.origins] == ["Asia", "Europe", "North America"]
    assert {region.cloud.value for region in shop.regions} == {"aws", "azure", "gcp"}
    per_continent = Counter(region.continent for region in shop.regions)
    assert per_continent == {"Asia": 3, "Europe": 3, "North America": 3}
    assert len(shop.workflows) == 3


def test_it_has_every_kind_of_service(shop: World) -> None:
    assert sum(service.replica.gpus > 0 for service in shop.services) == 1
    assert sum(Architecture.ARM64 in service.architectures for service in shop.services) >= 5
    assert sum(service.stateful for service in shop.services) >= 3
    assert sum(service.spot_tolerant for service in shop.services) >= 5


def test_it_has_every_kind_of_rule_that_a_shop_needs(shop: World) -> None:
    kinds = {type(rule) for rule in shop.rules}
    assert kinds >= {
        BudgetRule, CertificationRule, LatencyRule, QuotaRule,
        ResidencyRule, SpotShareRule, SpreadRule, WorkflowRule,
    }  # fmt: skip
    extents = {rule.survives.value for rule in shop.rules if isinstance(rule, SpreadRule)}
    assert extents == {"zone", "region", "cloud"}
    assert all(rule.why for rule in shop.rules if isinstance(rule, SpreadRule | BudgetRule))


def test_only_services_with_users_of_their_own_have_a_history(shop: World) -> None:
    called = {dependency.callee for dependency in shop.dependencies}
    direct = set(shop.history.frame["service"].astype(str))
    assert direct == {service.name for service in shop.services} - called
    assert len(direct) == 4


def test_history_is_four_complete_weeks_before_the_plan(shop: World) -> None:
    frame = shop.history.frame
    assert set(frame.groupby(["service", "origin"], observed=True).size()) == {4 * 7 * 24}
    assert shop.starts - frame["ts"].max() == pd.Timedelta(hours=1)


def test_days_peak_in_the_evening_of_each_origin(shop: World) -> None:
    frame = shop.history.frame.astype({"service": str, "origin": str})
    web = frame[frame["service"] == "storefront"]
    by_hour = web.groupby(["origin", web["ts"].dt.hour])["rps"].median().unstack("origin")
    assert by_hour.idxmax().to_dict() == {"asia-pacific": 12, "europe": 19, "north-america": 2}


def test_one_flash_sale_stands_out(shop: World) -> None:
    frame = shop.history.frame.astype({"service": str, "origin": str})
    web = frame[(frame["service"] == "storefront") & (frame["origin"] == "europe")]
    rps = web.set_index("ts")["rps"]
    assert str(rps.idxmax()) == "2026-10-29 18:00:00+00:00"
    ordinary = web[web["ts"].dt.day != 29]["rps"]
    assert rps.max() > 1.5 * ordinary.max()


def test_demand_is_said_to_be_synthetic_wherever_it_is_shown(shop: World) -> None:
    command = "python -m scenarios.generate.shop"
    for text in (shop.description, shop.history.note, (SHOP / "README.md").read_text("utf-8")):
        assert "synthetic" in text
        assert command in text
        assert "20261116" in text


def test_the_command_that_is_named_gives_the_committed_demand() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "scenarios.generate.shop"],
        cwd=SHOP.parents[1], capture_output=True, check=True,
    )  # fmt: skip
    assert made.stdout == (SHOP / "demand.csv").read_bytes()


def test_todays_fleet_is_careless_but_carries_the_peak(shop: World) -> None:
    """All on demand at prices that are known, and every service has capacity for last week."""
    groups = shop.fleet.groups
    assert {group.purchase for group in groups} == {Purchase.ON_DEMAND}
    assert len({group.place for group in groups}) == 3
    book = shop.book.offerings.astype({"cloud": str, "region": str, "instance_type": str})
    kinds = zip(book["cloud"] + "/" + book["region"], book["instance_type"], strict=True)
    vcpus_of = dict(zip(kinds, book["vcpus"].tolist(), strict=True))
    vcpus = {service.name: 0.0 for service in shop.services}
    for group in groups:
        vcpus[group.service] += group.count * vcpus_of[group.place, group.instance_type]
    needed = _vcpus_at_last_weeks_peak(shop)
    short = {name for name in vcpus if vcpus[name] < needed[name]}
    assert not short
    assert sum(vcpus.values()) > 2 * sum(needed.values())


def _vcpus_at_last_weeks_peak(shop: World) -> dict[str, float]:
    frame = shop.history.frame.astype({"service": str, "origin": str})
    table = frame.pivot_table(index=["service", "origin"], columns="ts", values="rps")
    names = [service.name for service in shop.services]
    rps = service_demand_rps(
        names,
        [origin.name for origin in shop.origins],
        shop.dependencies,
        list(table.index),
        table.to_numpy()[:, -168:],
    )
    peaks = rps.sum(axis=1).max(axis=1)
    return {
        service.name: float(peak) / service.replica.throughput_rps * service.replica.vcpus
        for service, peak in zip(shop.services, peaks, strict=True)
    }
