"""Whole collections of Azure: all regions at once, no secrets, and what is partial is marked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from acting import make_group
from azure_sandbox import AzureSandbox, entry, made
from azure_server import SECRET, Answer

from models.inventory import Instance, InstanceGroup, InstanceType, Price, Quota, Sample
from optimizer import late
from optimizer.collect import Request, collect
from providers.azure.provider import provider
from providers.seam import Window
from providers.snapshots.manifest import Status

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
WINDOW = Window(NOW - timedelta(hours=3), NOW)


def test_the_clouds_name_leads_to_it(box: AzureSandbox) -> None:
    assert late.cloud("azure").provider is provider
    assert provider(entry(box.stand), Path()).cloud == "azure"  # signs in nowhere yet
    assert box.stand.calls == []


def test_all_that_is_there_is_in_the_snapshot(box: AzureSandbox, tmp_path: Path) -> None:
    for name in ("web", "api"):
        make_group(box, name, desired=60, labels=(("service", name),))
    box.settle()
    cloud = made(box.stand, states_age_s=3600.0)
    snapshot = collect([cloud], Request("azure", tmp_path, window=WINDOW))
    snapshot.check()
    assert snapshot.manifest.faulty == ()
    assert len(snapshot.rows(Instance)) == 120
    assert {one.healthy for one in snapshot.rows(InstanceGroup)} == {60}
    assert {one.place for one in snapshot.rows(InstanceType)} == {
        "azure/northeurope", "azure/westeurope", "azure/westus",
    }  # fmt: skip
    for kind in (Price, Quota, Sample):
        assert snapshot.rows(kind)
    # All regions shared what is said of a whole subscription.
    walks = [call for call in box.stand.asked("virtualMachines.listAll")
             if "statusOnly" in call.parameters and "skip" not in call.parameters]  # fmt: skip
    assert len(walks) == 1
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert all(SECRET.encode() not in one for one in written)


def test_a_region_that_is_down_is_marked(box: AzureSandbox, tmp_path: Path) -> None:
    make_group(box, "web", desired=2)
    box.stand.faults.append(
        lambda call: Answer(drop=True) if call.place.get("location") == "northeurope" else None
    )
    snapshot = collect([box.provider], Request("azure", tmp_path))
    failed = {part.scope.place for part in snapshot.manifest.faulty}
    assert failed == {"azure/northeurope"}
    assert {part.status for part in snapshot.manifest.faulty} == {Status.FAILED}
    assert len(snapshot.rows(Instance)) == 2


def test_a_second_collection_sees_what_has_changed(box: AzureSandbox, tmp_path: Path) -> None:
    make_group(box, "web", desired=2)
    first = collect([box.provider], Request("azure", tmp_path))
    box.stand.calls.clear()
    make_group(box, "api", desired=1)
    second = collect([box.provider], Request("azure", tmp_path), former=first)
    assert len(second.rows(Instance)) == 3
    assert box.stand.asked("retailPrices") == []  # young enough to be used again
