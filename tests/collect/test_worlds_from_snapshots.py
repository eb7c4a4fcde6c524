"""Worlds that take prices, fleet, quotas and demand from what clouds said."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.commitments import CommitmentKind, ResourceCommitment, SpendCommitment
from models.errors import FaultyInput, UnusableData
from models.inventory import CommittedRate, Instance, InstanceGroup, OwnedCommitment
from models.rules import QuotaRule
from models.world import World
from optimizer.collect import Request, collect
from optimizer.gather import gather
from providers.seam import Reading, Window
from providers.simulated.cloud import SERVICE_LABEL
from providers.simulated.script import Outage
from providers.snapshots.manifest import Part, Status
from providers.snapshots.owning import owned_in
from providers.snapshots.seeing import seen_in
from providers.snapshots.writing import Finished, SnapshotWriter

ROOT = Path(__file__).parents[2]


def _service(row: Instance | InstanceGroup, group: InstanceGroup | None = None) -> str:
    del group
    return dict(row.labels).get(SERVICE_LABEL, "")


def _nearly_all(row: Instance | InstanceGroup, group: InstanceGroup | None = None) -> str:
    service = _service(row, group)
    return "" if service == "recommendations" else service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shop without prices, quotas and fleet of its own."""
    shutil.copytree(ROOT / "scenarios" / "shop", tmp_path / "world")
    path = tmp_path / "world" / "world.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("prices: {book: embedded}", "snapshot: {folder: ../snapshots}")
    path.write_text(text[: text.index("\nfleet:") + 1], encoding="utf-8")
    return tmp_path


def _collect(folder: Path, providers: Any, **options: Any) -> None:
    request = Request("x", folder / "snapshots", service_of=options.pop("service_of", _service))
    collect(providers, request, clock=options.get("clock", lambda: datetime.now(UTC)))


def _gathered(folder: Path) -> World:
    return gather(folder / "world")[0]


def test_the_same_world_comes_back(played: Callable[..., Any], shop: World, folder: Path) -> None:
    _, providers = played()
    _collect(folder, providers)
    world = _gathered(folder)
    columns = ["cloud", "region", "instance_type", "purchase", "price_usd_per_hour", "vcpus",
               "memory_gib", "family", "gpus", "burstable", "architecture"]  # fmt: skip
    mine, theirs = (one.book.offerings[columns].reset_index(drop=True) for one in (world, shop))
    assert mine.equals(theirs)
    count = {(g.service, g.place, g.instance_type, g.purchase): g.count for g in world.fleet.groups}
    assert count == {
        (g.service, g.place, g.instance_type, g.purchase): g.count for g in shop.fleet.groups
    }
    quotas = [rule for rule in world.rules if rule.name.startswith("quota:")]
    capped = [
        rule for rule in shop.rules
        if isinstance(rule, QuotaRule) and rule.vcpus_at_most is not None
    ]  # fmt: skip
    assert {rule.vcpus_at_most for rule in quotas if isinstance(rule, QuotaRule)} == {
        rule.vcpus_at_most for rule in capped
    }
    assert quotas


def test_nameless_instances_take_from_quotas(played: Callable[..., Any], folder: Path) -> None:
    clouds, providers = played()
    _collect(folder, providers)
    whole = {rule.name: rule for rule in _gathered(folder).rules}
    _collect(folder, providers, service_of=_nearly_all)
    world = _gathered(folder)
    assert "recommendations" not in {group.service for group in world.fleet.groups}
    (aws,) = (cloud for cloud in clouds if cloud.name == "aws")
    offers = aws.offerings("aws/us-east-1").drop_duplicates("instance_type")
    vcpus = dict(zip(offers["instance_type"], offers["vcpus"], strict=True))
    taken = sum(
        vcpus[machine.instance_type]
        for machine in aws.machines.machines.values()
        if machine.place == "aws/us-east-1" and machine.instance_type.startswith("g4dn")
    )
    assert taken > 0
    for rule in world.rules:
        if isinstance(rule, QuotaRule) and rule.name.startswith("quota:simulated:aws/us-east-1"):
            before = whole[rule.name]
            assert isinstance(before, QuotaRule)
            assert before.vcpus_at_most is not None
            assert rule.vcpus_at_most == max(before.vcpus_at_most - taken, 0.0)


def test_demand_comes_from_where_it_was_measured(
    played: Callable[..., Any], shop: World, folder: Path
) -> None:
    _, providers = played()
    window = Window(shop.starts - timedelta(days=21), shop.starts)  # the flash sale is in it
    request = Request("x", folder / "snapshots", window=window, service_of=_service)
    snapshot = collect(providers, request)
    path = folder / "world" / "world.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("../snapshots}", "../snapshots, use: [prices, fleet, demand]}")
    text = re.sub(r"\n  history: demand.csv", "", text)
    path.write_text(text, encoding="utf-8")
    world, facts = gather(folder / "world")
    table, requests = world.history.frame, seen_in(snapshot, facts).requests
    assert world.starts == shop.starts
    ours, measured = (
        frame.groupby("service", observed=True)["rps"].sum() for frame in (table, requests)
    )
    assert np.allclose(ours.sort_index(), measured[ours.index.astype(str)].sort_index())
    by_place = requests.groupby(["service", "place"])["rps"].sum()
    by_origin = table.groupby(["service", "origin"], observed=True)["rps"].sum()
    for service in ours.index:
        assert by_origin[service].get("north-america", 0.0) == pytest.approx(
            by_place[service].get("aws/us-east-1", 0.0)
        )


def test_old_snapshots_are_refused(played: Callable[..., Any], folder: Path) -> None:
    _, providers = played()
    _collect(folder, providers, clock=lambda: datetime.now(UTC) - timedelta(days=8))
    with pytest.raises(UnusableData, match="192 hours old, more than 168"):
        _gathered(folder)


def test_how_old_is_said_as_it_is(played: Callable[..., Any], folder: Path) -> None:
    _, providers = played()
    _collect(folder, providers)
    path = folder / "world" / "world.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("../snapshots}", "../snapshots, refuse_after_hours: 0}"))
    with pytest.raises(UnusableData, match=r"are 0\.1 hours old, more than 0\n"):
        _gathered(folder)


def test_snapshots_that_are_not_whole_are_refused_unless_asked_for(
    played: Callable[..., Any], folder: Path
) -> None:
    _, providers = played(Outage("aws/ap-southeast-1"))
    _collect(folder, providers)
    with pytest.raises(FaultyInput, match=r"prices of aws/ap-southeast-1.*is down") as caught:
        _gathered(folder)
    assert all(fault.at.line for fault in caught.value.faults)
    path = folder / "world" / "world.yaml"
    text = path.read_text(encoding="utf-8").replace("../snapshots}", "../snapshots, partial: use}")
    path.write_text(text.replace("    - aws/ap-southeast-1\n", "", 1), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  aws/ap-southeast-1: [card-assessment-2026]\n", ""))
    assert "aws/ap-southeast-1" not in {region.place for region in _gathered(folder).regions}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("../snapshots}", "../nowhere}", "there is no snapshot in"),
        ("../snapshots}", "../snapshots, use: [demand]}", "from one of them"),
        ("snapshot:", "prices: {file: p.csv}\nsnapshot:", "from a file or from a snapshot"),
        ("../snapshots}", "../snapshots, use: [everything]}", "everything"),
        ("snapshot:", "prices: {book: embedded}\nsnapshot:", "from a book or from a snapshot"),
    ],
)
def test_faults_of_what_is_taken(folder: Path, old: str, new: str, said: str) -> None:
    path = folder / "world" / "world.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(FaultyInput, match=said):
        _gathered(folder)


AT = datetime(2026, 11, 20, tzinfo=UTC)


def _contract(name: str, **changes: object) -> OwnedCommitment:
    base = {
        "id": name, "account": "1", "place": "aws/", "product": "compute-savings-plan",
        "kind": CommitmentKind.SPEND, "term_years": 1, "level": 5.0, "usd_per_hour": 5.0,
        "starts": AT - timedelta(days=100), "ends": AT + timedelta(days=265),
    }  # fmt: skip
    return OwnedCommitment(**{**base, **changes})  # type: ignore[arg-type]


def _rate(instance_type: str, usd: float) -> CommittedRate:
    return CommittedRate(
        "compute-savings-plan", CommitmentKind.SPEND, 1, 0.0, "aws/us-east-1", instance_type, usd,
        AT, "test",
    )  # fmt: skip


def test_contracts_in_force_are_owned(shop: World, tmp_path: Path) -> None:
    book = shop.book.offerings
    listed = {
        name: float(
            book[
                (book["region"] == "us-east-1")
                & (book["instance_type"] == name)
                & (book["purchase"] == "on_demand")
            ]["price_usd_per_hour"].iloc[0]
        )
        for name in ("c5.large", "c5.xlarge")
    }
    rows: list[OwnedCommitment | CommittedRate] = [
        _contract("plan"),
        _contract("over", ends=AT - timedelta(days=1)),
        _contract("unknown", product="another", term_years=3),
        _contract(
            "reserved", place="aws/eu-central-1", product="reserved instance", level=16.0,
            kind=CommitmentKind.RESOURCE, usd_per_hour=0.8, families=("m5",),
        ),
        _contract("unpriced", kind=CommitmentKind.RESOURCE, usd_per_hour=math.nan),
        _rate("c5.large", 0.70 * listed["c5.large"]),
        _rate("c5.xlarge", 0.75 * listed["c5.xlarge"]),
    ]  # fmt: skip
    with SnapshotWriter(tmp_path, "x", AT) as writer:
        with writer.part(0) as part:
            for row in rows:
                part.add(row)
        whole = Part(
            cloud="aws", account="1", region="", reading=Reading.COMMITMENTS,
            status=Status.COMPLETE, read_at=AT, took_s=0.0,
        )  # fmt: skip
        snapshot = writer.finish([Finished(whole, part.folder)], 0.0)
    found = owned_in(snapshot, shop.book, {region.place for region in shop.regions})
    plan, reserved = found.held
    assert found.unknown == ("another unknown of 1", "compute-savings-plan unpriced of 1")
    assert isinstance(plan, SpendCommitment)
    assert (plan.name, plan.owned, plan.at_most) == ("owned:1:plan", 5.0, 0.0)
    (discount,) = plan.discounts
    assert discount.share == pytest.approx(0.25)
    assert discount.families == ("c5",)
    assert isinstance(reserved, ResourceCommitment)
    assert reserved.usd_per_vcpu_hour == pytest.approx(0.05)
    assert reserved.where.places == {"aws/eu-central-1"}
