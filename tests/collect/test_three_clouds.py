"""Collect, plan and report on AWS, Google Cloud and Azure at once, through their own SDKs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from acting import make_group
from aws_sandbox import CREDENTIALS
from azure_server import SECRET as AZURE_SECRET
from gcp_sandbox import SECRET as GCP_SECRET
from sandboxes import SANDBOXES, Sandbox

from models.actions import DeleteGroup
from models.inventory import Instance, InstanceGroup
from models.plan import Plan
from optimizer.collect import Request, collect
from optimizer.differences import differences
from optimizer.gather import gather
from optimizer.output.files import plan_files
from optimizer.plan import make_plan
from providers.seam import Window
from providers.snapshots.reading import Snapshot
from providers.snapshots.tables import TABLES

SERVICES = {"aws": "web", "gcp": "api", "azure": "jobs"}

WORLD = """\
trimtab: 1
world: three clouds
snapshot: {folder: snapshots}
places: {places: [PLACES]}
policy: {horizon_hours: 2, time_limit_s: 60, purchases: [on_demand]}
demand: {history: demand.csv}
origins: [{name: europe, near: aws/eu-central-1}]
services:
"""


@pytest.fixture(scope="module")
def clouds() -> Iterator[dict[str, Sandbox]]:
    """Three instances of a service in each cloud."""
    with ExitStack() as stack:
        boxes = {cloud: stack.enter_context(SANDBOXES[cloud]()) for cloud in SERVICES}
        for cloud, service in SERVICES.items():
            make_group(boxes[cloud], service, desired=3, labels=(("service", service),))
            boxes[cloud].settle()
        yield boxes


def _service(row: Instance | InstanceGroup, group: InstanceGroup | None) -> str:
    del group
    return dict(row.labels).get("service", "")


def _collected(clouds: dict[str, Sandbox], folder: Path) -> Snapshot:
    ends = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    window = Window(ends - timedelta(hours=3), ends)
    request = Request("three", folder / "snapshots", window=window, service_of=_service)
    return collect([box.provider for box in clouds.values()], request)


def _write_world(clouds: dict[str, Sandbox], folder: Path) -> None:
    places = ", ".join(box.place for box in clouds.values())
    services = "".join(
        f"  - {{name: {name}, replica: {{vcpus: 1, memory_gib: 2, throughput_rps: 50}}}}\n"
        for name in SERVICES.values()
    )
    (folder / "world.yaml").write_text(WORLD.replace("PLACES", places) + services)
    first = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [
        f"{(first + timedelta(hours=hour)).isoformat()},{name},europe,80"
        for name in SERVICES.values()
        for hour in range(48)
    ]
    (folder / "demand.csv").write_text("\n".join(["ts,service,origin,rps", *rows, ""]))


def test_collect_plan_report(clouds: dict[str, Sandbox], tmp_path: Path) -> None:
    snapshot = _collected(clouds, tmp_path)
    assert snapshot.manifest.faulty == ()
    snapshot.check()
    _write_world(clouds, tmp_path)
    world, _ = gather(tmp_path / "world.yaml")
    ran = {(group.service, group.place): group.count for group in world.fleet.groups}
    assert ran == {(SERVICES[cloud], box.place): 3 for cloud, box in clouds.items()}
    assert {rule.name.split(":")[2].partition("/")[0] for rule in world.rules
            if rule.name.startswith("quota:")} == set(SERVICES)  # fmt: skip
    plan = make_plan(world)
    assert isinstance(plan, Plan)
    assert plan.placement.bill.total_usd < plan.today.bill.total_usd
    files = plan_files(plan)
    report = files["report.html"].decode()
    assert all(name in report for name in SERVICES.values())
    secrets = [*CREDENTIALS.values(), AZURE_SECRET, GCP_SECRET]
    texts = {name: content.decode() for name, content in files.items()}
    texts |= {name: snapshot.frame(name).to_csv() for name in TABLES}
    texts["snapshot.json"] = snapshot.manifest.text()
    for name, text in texts.items():
        assert not any(secret in text for secret in secrets), name


def test_what_went_is_seen_in_its_cloud_alone(clouds: dict[str, Sandbox], tmp_path: Path) -> None:
    before = _collected(clouds, tmp_path)
    box = clouds["gcp"]
    extra = make_group(box, "extra", desired=2)
    box.settle()
    grown = differences(before, _collected(clouds, tmp_path))
    assert grown.count("instances", "added") == 2
    assert grown.count("groups", "added") == 1
    box.provider.hands.act(DeleteGroup(extra), "gone")
    box.settle()
    assert differences(before, _collected(clouds, tmp_path)).changes == ()
