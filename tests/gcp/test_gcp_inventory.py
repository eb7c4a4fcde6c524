"""What Google Cloud says, as rows."""

from __future__ import annotations

import math
import threading
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from acting import groups_in, instances_in, make_group, scope_of
from gcp_cloud import LICENCE, NUMBER, PROJECT, REGIONS
from gcp_contract import Call
from gcp_sandbox import GcpSandbox, entry_at, template, write_point
from gcp_server import Broken
from gcp_skus import sku

from models.cloud_errors import CloudFailed, Denied, NotFound, Unavailable
from models.commitments import CommitmentKind
from models.inventory import InstanceGroup, InstanceState, OwnedCommitment, QuotaUnit
from models.offerings import Architecture, Purchase
from providers.gcp.names import Named, region_of
from providers.seam import Scope

SCOPE = Scope("gcp", PROJECT, "europe-west1")
ZONE = "europe-west1-b"
OPAQUE = "what-nobody-would-take-for-a-secret"
KEY = ("europe-west1", "web")


def test_only_regions_asked_for(sandbox: GcpSandbox) -> None:
    some = GcpSandbox(sandbox.server, entry_at(sandbox.server, regions=("us-central1",)))
    assert [scope.region for scope in some.provider.inventory.scopes().found] == ["us-central1"]
    assert [market.account for market in some.provider.price_list.markets().found] == [""]


def test_regions_that_are_not_there(sandbox: GcpSandbox) -> None:
    asked_for = ("us-central1", "europe-west", "mars-north1")
    some = GcpSandbox(sandbox.server, entry_at(sandbox.server, regions=asked_for))
    scopes = some.provider.inventory.scopes()
    assert [scope.region for scope in scopes.found] == ["us-central1"]
    mistyped, unknown = scopes.unreached
    assert mistyped.scope == Scope("gcp", PROJECT, "europe-west")
    assert isinstance(mistyped.failure, NotFound)
    assert "did you mean 'europe-west1'" in mistyped.failure.said
    assert "known: europe-west1, us-central1" in unknown.failure.said


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ({"status": "DOWN"}, Unavailable),
        ({"deprecated": {"state": "OBSOLETE"}}, NotFound),
    ],
)
def test_regions_that_cannot_be_used(
    sandbox: GcpSandbox, says: dict[str, Any], error: type[CloudFailed]
) -> None:
    sandbox.server.cloud.regions["us-central1"] = says
    scopes = sandbox.provider.inventory.scopes()
    assert [scope.region for scope in scopes.found] == ["europe-west1"]
    (why,) = scopes.unreached
    assert why.scope.region == "us-central1"
    assert isinstance(why.failure, error)


def test_regions_are_asked_for_once(sandbox: GcpSandbox) -> None:
    inventory, scope = sandbox.provider.inventory, scope_of(sandbox)
    for _ in range(2):
        inventory.scopes()
        sandbox.provider.price_list.markets()
        for read in (inventory.instances, inventory.groups, inventory.instance_types):
            list(read(scope))
    assert sandbox.server.asked["compute.regions.list"] == 1
    assert sandbox.server.asked["compute.regions.get"] == 0
    for _ in range(2):  # what is used of them changes
        list(inventory.quotas(scope))
    assert sandbox.server.asked["compute.regions.get"] == 2


def test_projects_are_asked_at_once(sandbox: GcpSandbox) -> None:
    projects = tuple(f"shop-{number}" for number in range(6))
    sandbox.server.cloud.projects.update(projects)
    entry = entry_at(sandbox.server).model_copy(update={"projects": projects})
    together = threading.Barrier(len(projects))

    def meet(_: Call) -> None:
        sandbox.server.lock.release()
        try:
            together.wait(5.0)  # broken, and the answer none, unless all are there
        finally:
            sandbox.server.lock.acquire()

    sandbox.server.faults.append(meet)
    scopes = GcpSandbox(sandbox.server, entry).provider.inventory.scopes()
    assert {scope.account for scope in scopes.found} == set(projects)
    assert scopes.unreached == ()


def test_quotas_that_a_region_could_not_say(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.regions["europe-west1"] = {
        "quotas": [],
        "quotaStatusWarning": {"code": "QUOTA_INFO_UNAVAILABLE", "message": "not now"},
    }
    with pytest.raises(Unavailable, match="not now"):
        list(sandbox.provider.inventory.quotas(SCOPE))


@pytest.mark.parametrize(
    ("licences", "scheduling", "variant"),
    [
        ((("debian-cloud", "debian-12-bookworm"), ("vm-options", "enable-vmx")), {}, ""),
        ((("windows-cloud", "windows-server-2022-dc"),), {}, "windows"),
        ((("windows-sql-cloud", "sql-server-2022-standard"),), {}, "windows"),
        ((("rhel-cloud", "rhel-9-server"),), {}, "rhel-9-server"),
        ((("rhel-cloud", "rhel-9-byos"),), {}, ""),
        ((("shop-market", "firewall"),), {}, "firewall"),
        (
            (("windows-cloud", "windows-server-2022-dc"),),
            {"nodeAffinities": [
                {"key": "compute.googleapis.com/node-group-name", "operator": "IN",
                 "values": ["own"]},
            ]},
            "dedicated, windows",
        ),
        ((), {"provisioningModel": "FLEX_START"}, "flex-start"),
    ],
)  # fmt: skip
def test_what_costs_more_than_the_machine(
    sandbox: GcpSandbox,
    licences: tuple[tuple[str, str], ...],
    scheduling: dict[str, Any],
    variant: str,
) -> None:
    sandbox.server.cloud.add_instance(
        ZONE, "one", "n2-standard-4", scheduling=scheduling,
        licenses=tuple(LICENCE.format(*one) for one in licences),
    )  # fmt: skip
    assert instances_in(sandbox)[0].variant == variant


def test_an_instance_without_a_group(sandbox: GcpSandbox) -> None:
    scheduling = {"provisioningModel": "SPOT"}
    number = sandbox.server.cloud.add_instance(
        ZONE, "lonely", "n2-custom-6-3072", {"b": "2", "a": "1"}, "", scheduling, "TERMINATED"
    )
    (one,) = instances_in(sandbox)
    assert one.id == f"{ZONE}/{number}"
    assert one.group == ""
    assert one.instance_type == "n2-custom-6-3072"  # none that lists know
    assert one.purchase is Purchase.SPOT
    assert one.state is InstanceState.STOPPED
    assert one.labels == (("a", "1"), ("b", "2"))
    assert one.launched.isoformat() == "2026-11-20T16:00:00+00:00"


def test_the_elder_name_for_spot(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.add_instance(ZONE, "old", "e2-medium", scheduling={"preemptible": True})
    assert instances_in(sandbox)[0].purchase is Purchase.SPOT


@pytest.mark.parametrize(
    "made_by",
    [
        f"projects/{NUMBER}/regions/europe-west1/instanceGroupManagers/gone",
        f"projects/{NUMBER}/locations/europe-west1/clusters/cluster",
    ],
)
def test_an_instance_whose_maker_is_no_group(sandbox: GcpSandbox, made_by: str) -> None:
    sandbox.server.cloud.add_instance(ZONE, "orphan", "e2-medium", created_by=made_by)
    assert instances_in(sandbox)[0].group == ""


def test_a_group_is_asked_for_its_members_once(sandbox: GcpSandbox) -> None:
    make_group(sandbox, "web", 20)
    assert {one.group for one in instances_in(sandbox)} == {"europe-west1/web"}
    verb = "compute.regionInstanceGroupManagers.listManagedInstances"
    assert sandbox.server.asked[verb] == 1


def test_zonal_groups(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.managers[ZONE, "zonal"] = {
        "name": "zonal", "baseInstanceName": "zonal", "targetSize": 2,
        "versions": [{"instanceTemplate": "projects/p/global/instanceTemplates/web-template"}],
    }  # fmt: skip
    sandbox.settle()
    (group,) = groups_in(sandbox)
    assert group.id == f"{ZONE}/zonal"
    assert group.zones == (ZONE,)
    assert {one.group for one in instances_in(sandbox)} == {group.id}


@pytest.mark.parametrize(("status", "rows"), [(0, 2), (403, 1)])
def test_a_template_that_cannot_be_read_ends_no_other_group(
    sandbox: GcpSandbox, status: int, rows: int
) -> None:
    make_group(sandbox, "web", 1)
    sandbox.server.cloud.managers["europe-west1", "first"] = {
        "name": "first", "baseInstanceName": "first", "targetSize": 0,
        "versions": [{"instanceTemplate": f"projects/{PROJECT}/global/instanceTemplates/gone"}],
    }  # fmt: skip
    if status:
        sandbox.server.faults.append(
            lambda call: Broken(status, "forbidden")
            if call.path.get("instanceTemplate") == "gone" else None
        )  # fmt: skip
    found: list[InstanceGroup] = []
    with pytest.raises(Denied) if status else nullcontext():
        found.extend(sandbox.provider.inventory.groups(SCOPE))
    assert len(found) == rows
    assert found[-1].name == "web"


def test_autoscalers_bound_groups(sandbox: GcpSandbox) -> None:
    make_group(sandbox, "web", 3)
    sandbox.server.cloud.add_autoscaler(KEY, 2, 9)
    (group,) = groups_in(sandbox)
    assert (group.minimum, group.desired, group.maximum) == (2, 3, 9)
    sandbox.server.cloud.autoscalers[KEY]["autoscalingPolicy"]["mode"] = "OFF"
    (group,) = groups_in(sandbox)
    assert (group.minimum, group.maximum) == (0, None)


@pytest.mark.parametrize(
    ("sizes", "base", "share"),
    [
        (({}, {"percent": 30}), 0, 0.3),
        (({"percent": 30}, {}), 0, 0.7),
        (({"fixed": 2}, {}), 2, 1.0),
        (({}, {"fixed": 1}), 0, 0.25),
    ],
)
def test_two_versions_are_a_mix(
    sandbox: GcpSandbox, sizes: tuple[dict[str, int], ...], base: int, share: float
) -> None:
    make_group(sandbox, "web", 4)
    cloud = sandbox.server.cloud
    cloud.templates["global", "spotty"] = {**template("e2-standard-2", spot=True), "name": "spotty"}
    cloud.managers[KEY]["versions"] = [
        {"instanceTemplate": f"projects/{PROJECT}/global/instanceTemplates/{name}", **(
            {"targetSize": size} if size else {}
        )}
        for name, size in zip(("web-template", "spotty"), sizes, strict=True)
    ]  # fmt: skip
    (group,) = groups_in(sandbox)
    assert group.on_demand_base == base
    assert group.spot_share == pytest.approx(share)


def test_groups_that_never_serve_are_not_healthy(sandbox: GcpSandbox) -> None:
    make_group(sandbox, "web", 3)
    sandbox.server.cloud.never_healthy = True
    sandbox.settle()
    (group,) = groups_in(sandbox)
    assert (group.desired, group.healthy) == (3, 0)


def test_groups_say_why_they_lack_instances(sandbox: GcpSandbox) -> None:
    make_group(sandbox, "web", 3)
    sandbox.settle()
    cloud = sandbox.server.cloud
    cloud.errors[KEY] = [
        {"timestamp": at, "error": {"code": code, "message": f"none left; token={OPAQUE}"}}
        for at, code in (
            ("2026-11-20T08:00:00Z", "ZONE_RESOURCE_POOL_EXHAUSTED"),
            ("2026-11-19T08:00:00Z", "QUOTA_EXCEEDED"),
        )
    ]
    assert groups_in(sandbox)[0].trouble == ""  # they are all there again
    cloud.never_healthy = True
    trouble = groups_in(sandbox)[0].trouble
    assert trouble.startswith("ZONE_RESOURCE_POOL_EXHAUSTED: none left")
    assert OPAQUE not in trouble
    sandbox.server.faults.append(
        lambda call: Broken(403, "forbidden") if call.verb.endswith("listErrors") else None
    )
    found: list[InstanceGroup] = []
    with pytest.raises(Denied):
        found.extend(sandbox.provider.inventory.groups(SCOPE))
    assert [one.trouble for one in found] == [""]


def _limit(which: str, family: str, hours_ago: float, value: int, region: str) -> None:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    write_point(
        f"compute.googleapis.com/quota/cpus_per_vm_family/{which}", {"vm_family": family},
        "compute.googleapis.com/Location", {"resource_container": PROJECT, "location": region},
        at, {"int64_value": value},
    )  # fmt: skip


def test_quotas_of_newer_families(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.quotas["europe-west1"] = [
        {"metric": "CPUS", "limit": 100.0, "usage": 12.0},
        {"metric": "N2_CPUS", "limit": 50.0, "usage": 8.0},
    ]
    for which, family, hours_ago, value, region in (
        ("limit", "C4", 20.0, 8, "europe-west1"), ("limit", "C4", 5.0, 64, "europe-west1"),
        ("usage", "C4", 5.0, 16, "europe-west1"), ("limit", "N4", 5.0, 32, "europe-west1"),
        ("limit", "N2", 5.0, 1, "europe-west1"), ("limit", "C4", 1.0, 1, "us-central1"),
    ):  # fmt: skip
        _limit(which, family, hours_ago, value, region)
    found = {one.name: one for one in sandbox.provider.inventory.quotas(SCOPE)}
    assert set(found) == {"CPUS", "N2_CPUS", "CPUS_PER_VM_FAMILY:C4", "CPUS_PER_VM_FAMILY:N4"}
    c4 = found["CPUS_PER_VM_FAMILY:C4"]
    assert (c4.limit, c4.used, c4.families, c4.purchase) == (64.0, 16.0, ("c4",), None)
    assert found["CPUS_PER_VM_FAMILY:N4"].used is None


def test_machine_types(sandbox: GcpSandbox) -> None:
    found = {one.instance_type: one for one in sandbox.provider.inventory.instance_types(SCOPE)}
    assert found["n2-standard-4"].zones == REGIONS["europe-west1"]
    assert found["n2-standard-4"].memory_gib == 16.0
    assert found["t2a-standard-2"].architecture is Architecture.ARM64
    gpu = found["g2-standard-4"]
    assert (gpu.gpus, gpu.gpu_model, gpu.zones) == (
        1.0,
        "nvidia-l4",
        ("europe-west1-b", "europe-west1-c"),
    )
    small = found["e2-medium"]
    assert (small.burstable, small.vcpus, small.baseline_vcpus) == (True, 2.0, 1.0)
    assert found["n2-standard-4"].baseline_vcpus is None
    assert found["c2-standard-4"].family == "c2"


def test_quotas_by_family(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.quotas["europe-west1"] = [
        {"metric": metric, "limit": limit, "usage": used}
        for metric, limit, used in (
            ("CPUS", 100.0, 12.0), ("N2_CPUS", 50.0, 8.0), ("E2_CPUS", 30.0, 1.0),
            ("PREEMPTIBLE_CPUS", 40.0, 4.0), ("COMMITTED_N2_CPUS", 10.0, 0.0),
            ("NVIDIA_L4_GPUS", 4.0, 1.0), ("PREEMPTIBLE_NVIDIA_L4_GPUS", 0.0, 0.0),
            ("NVIDIA_T4_VWS_GPUS", 1.0, 0.0), ("INSTANCES", 500.0, 7.0), ("NETWORKS", 5.0, 1.0),
            ("CPUS_ALL_REGIONS", 12.0, 0.0),
        )
    ]  # fmt: skip
    found = {one.name: one for one in sandbox.provider.inventory.quotas(SCOPE)}
    assert set(found) == {
        "CPUS", "N2_CPUS", "E2_CPUS", "PREEMPTIBLE_CPUS", "NVIDIA_L4_GPUS", "INSTANCES"
    }  # fmt: skip
    assert found["CPUS"].families == ("f1", "g1", "n1")
    assert (found["N2_CPUS"].families, found["N2_CPUS"].used) == (("n2",), 8.0)
    assert found["N2_CPUS"].purchase is Purchase.ON_DEMAND
    assert (found["PREEMPTIBLE_CPUS"].families, found["PREEMPTIBLE_CPUS"].purchase) == (
        (), Purchase.SPOT,
    )  # fmt: skip
    assert found["NVIDIA_L4_GPUS"].unit is QuotaUnit.GPUS
    assert found["NVIDIA_L4_GPUS"].purchase is None  # spot has no quota of its own
    assert found["INSTANCES"].unit is QuotaUnit.INSTANCES


def _commitment(
    name: str, kind: str, status: str = "ACTIVE", vcpus: int = 100
) -> dict[str, object]:
    return {
        "name": name, "id": "77", "type": kind, "status": status, "plan": "THIRTY_SIX_MONTH",
        "category": "MACHINE", "startTimestamp": "2025-01-01T00:00:00.000-08:00",
        "endTimestamp": "2028-01-01T00:00:00.000-08:00",
        "resources": [
            {"type": "VCPU", "amount": str(vcpus)}, {"type": "MEMORY", "amount": str(400 * 1024)}
        ],
    }  # fmt: skip


def test_commitments(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.commitments["europe-west1"] = [
        _commitment("n2", "GENERAL_PURPOSE_N2"),
        _commitment("old", "GENERAL_PURPOSE"),
        _commitment("over", "GENERAL_PURPOSE_N2", status="EXPIRED"),
        _commitment("disks", "GENERAL_PURPOSE_N2", vcpus=0),
        _commitment("unpriced", "GENERAL_PURPOSE_N4A"),
    ]
    n2, old, unpriced = sandbox.provider.inventory.commitments(SCOPE)
    assert (n2.kind, n2.level, n2.term_years) == (CommitmentKind.RESOURCE, 100.0, 3)
    assert n2.families == ("n2",)
    assert n2.usd_per_hour == pytest.approx(0.45 * (100 * 0.032 + 400 * 0.0042))
    assert n2.ends.isoformat() == "2028-01-01T08:00:00+00:00"
    assert old.families == ("n1",)
    assert unpriced.families == ("n4a",)
    assert math.isnan(unpriced.usd_per_hour)


def test_commitments_cost_their_gpus_too(sandbox: GcpSandbox) -> None:
    gpus = {"type": "ACCELERATOR", "amount": "8", "acceleratorType": "nvidia-l4"}
    with_gpus = _commitment("gpus", "GRAPHICS_OPTIMIZED")
    with_disks = _commitment("disks", "GENERAL_PURPOSE_N2")
    resources = [one["resources"] for one in (with_gpus, with_disks)]
    for added, to in zip((gpus, {"type": "LOCAL_SSD", "amount": "375"}), resources, strict=True):
        assert isinstance(to, list)
        to.append(added)
    sandbox.server.cloud.commitments["europe-west1"] = [
        _commitment("plain", "GRAPHICS_OPTIMIZED"), with_gpus, with_disks,
    ]  # fmt: skip
    words = "Commitment v1: Nvidia L4 GPU running in Belgium for 3 Years"
    sandbox.server.cloud.skus.append(sku(words, "Commit3Yr", 0.25))
    plain, gpu, disks = sandbox.provider.inventory.commitments(SCOPE)
    assert gpu.usd_per_hour == pytest.approx(plain.usd_per_hour + 8 * 0.25)
    assert math.isnan(disks.usd_per_hour)


def test_a_zone_for_accelerators_is_of_its_region() -> None:
    assert Named("us-central1-ai1a", "gpus").is_zonal
    assert region_of("us-central1-ai1a") == region_of("us-central1-a") == "us-central1"
    assert region_of("europe-west12") == "europe-west12"


def test_commitments_without_the_catalogue(sandbox: GcpSandbox) -> None:
    for region in REGIONS:
        sandbox.server.cloud.commitments[region] = [
            _commitment(name, "GENERAL_PURPOSE_N2") for name in ("one", "two")
        ]
    catalogue = "cloudbilling.services.skus.list"
    sandbox.server.faults.append(
        lambda call: Broken(403, "forbidden") if call.verb == catalogue else None
    )
    for region in REGIONS:
        found: list[OwnedCommitment] = []
        with pytest.raises(Denied):
            found.extend(sandbox.provider.inventory.commitments(Scope("gcp", PROJECT, region)))
        assert [one.level for one in found] == [100.0, 100.0]
        assert all(math.isnan(one.usd_per_hour) for one in found)
        with pytest.raises(Denied):
            list(sandbox.provider.price_list.prices(Scope("gcp", "", region)))
    assert sandbox.server.asked[catalogue] == 1  # and not once for whoever waited


def test_two_projects(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.projects.add("shop-other")
    entry = entry_at(sandbox.server).model_copy(update={"projects": (PROJECT, "shop-other")})
    both = GcpSandbox(sandbox.server, entry)
    scopes = both.provider.inventory.scopes().found
    assert len(scopes) == 4
    assert scope_of(sandbox) in scopes
