"""Scale sets of both kinds, machines, sizes, quotas and reservations, as Azure says them."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isnan
from typing import Any

import pytest
from acting import groups_in, instances_in, make_group, scope_of
from azure_sandbox import AzureSandbox, made, until_broken
from azure_server import Answer, Call, refused
from azure_state import GROUP, SUBSCRIPTION, Machine, retail

from models.cloud_errors import NotAccepted
from models.commitments import CommitmentKind
from models.inventory import InstanceState, QuotaUnit
from models.offerings import Architecture, Purchase
from providers.seam import Scope


def _single(box: AzureSandbox, name: str, power: str = "running", **other: Any) -> Machine:
    """A machine of no scale set."""
    machine = Machine(
        name, GROUP, "westeurope", "Standard_D2s_v5", "1", False, {"team": "web"}, power=power,
        **other,
    )  # fmt: skip
    box.stand.cloud.machines[GROUP.lower(), name] = machine
    return machine


def _uniform(box: AzureSandbox, capacity: int, spot: bool = False) -> None:
    one = box.stand.cloud.template("uni", "westeurope", "Uniform")
    one.body["tags"] = {"service": "shop"}
    one.capacity = capacity
    if spot:
        one.properties["virtualMachineProfile"]["priority"] = "Spot"
    box.stand.cloud.grow(one)
    box.settle()


@pytest.mark.parametrize("spot", [False, True])
def test_uniform_scale_sets_and_their_machines(box: AzureSandbox, spot: bool) -> None:
    _uniform(box, 2, spot)
    (group,) = groups_in(box)
    assert (group.name, group.desired, group.healthy) == ("uni", 2, 2)
    assert (group.on_demand_base, group.spot_share) == (0, float(spot))
    assert group.maximum is None
    instances = instances_in(box)
    assert {one.id for one in instances} == {f"{group.id}/virtualmachines/{i}" for i in (0, 1)}
    assert {one.purchase for one in instances} == {Purchase.SPOT if spot else Purchase.ON_DEMAND}
    assert {one.group for one in instances} == {group.id}
    assert {one.labels for one in instances} == {(("service", "shop"),)}


def test_ids_are_one_whatever_their_case(box: AzureSandbox) -> None:
    made_group = make_group(box, "Web", desired=1)
    (one,) = instances_in(box)
    assert one.group == made_group.id == made_group.id.lower()


@pytest.mark.parametrize(
    ("power", "state"),
    [
        ("running", InstanceState.RUNNING),
        ("starting", InstanceState.STARTING),
        ("stopping", InstanceState.STOPPING),
        ("deallocating", InstanceState.STOPPING),
        ("stopped", InstanceState.STOPPED),
        ("deallocated", InstanceState.STOPPED),
    ],
)
def test_machines_of_their_own_have_a_state(
    box: AzureSandbox, power: str, state: InstanceState
) -> None:
    _single(box, "lone", power)
    (one,) = instances_in(box)
    assert (one.state, one.group, one.labels) == (state, "", (("team", "web"),))


def test_states_are_read_once_for_a_walk_and_shared_by_regions(box: AzureSandbox) -> None:
    for i in range(120):
        _single(box, f"lone-{i}")
    far = _single(box, "far")
    far.location = "northeurope"
    provider = made(box.stand, states_age_s=3600.0)
    assert len(list(provider.inventory.instances(scope_of(box)))) == 120
    assert len(list(provider.inventory.instances(scope_of(box, box.other_place)))) == 1
    assert len(box.stand.asked("virtualMachines.listAll")) == 3  # pages of one walk
    assert box.stand.asked("virtualMachines.instanceView") == []


def test_a_machine_younger_than_the_states_is_asked_for(box: AzureSandbox) -> None:
    _single(box, "old")
    provider = made(box.stand, states_age_s=3600.0)
    list(provider.inventory.instances(scope_of(box)))
    _single(box, "new", "starting")
    states = {one.id[-3:]: one.state for one in provider.inventory.instances(scope_of(box))}
    assert states == {"old": InstanceState.RUNNING, "new": InstanceState.STARTING}


def test_a_group_that_is_never_healthy_counts_none(box: AzureSandbox) -> None:
    make_group(box, "web", desired=2)
    box.settle()
    for machine in box.stand.cloud.machines.values():
        machine.healthy = False
    (group,) = groups_in(box)
    assert (group.desired, group.healthy) == (2, 0)


def test_a_template_is_no_group_until_it_runs_something(box: AzureSandbox) -> None:
    assert groups_in(box) == []
    box.stand.cloud.found(GROUP, "template").capacity = 1
    assert [group.name for group in groups_in(box)] == ["template"]


def test_sizes_say_what_they_are(box: AzureSandbox) -> None:
    sizes = {one.instance_type: one for one in box.provider.inventory.instance_types(scope_of(box))}
    assert set(sizes) == {one["name"] for one in box.stand.cloud.skus} - {"Premium_LRS"}
    plain = sizes["Standard_D2s_v5"]
    assert (plain.family, plain.zones, plain.baseline_vcpus) == ("Dsv5", ("1", "2", "3"), 2.0)
    assert sizes["Standard_D2ps_v5"].architecture is Architecture.ARM64
    assert sizes["Standard_E4-2s_v5"].vcpus == 2.0
    burstable = sizes["Standard_B2s"]
    assert (burstable.burstable, burstable.baseline_vcpus, burstable.spot) == (True, None, False)
    gpu = sizes["Standard_NC4as_T4_v3"]
    assert (gpu.gpus, gpu.gpu_model) == (1.0, "T4")


def test_sizes_say_where_they_are_closed(box: AzureSandbox) -> None:
    by_name = {one["name"]: one for one in box.stand.cloud.skus}
    by_name["Standard_D2s_v5"]["restrictions"] = [
        {"type": "Zone", "values": ["westeurope"], "reasonCode": "NotAvailableForSubscription",
         "restrictionInfo": {"locations": ["westeurope"], "zones": ["2"]}}
    ]  # fmt: skip
    by_name["Standard_D4s_v5"]["restrictions"] = [
        {"type": "Location", "values": ["West Europe"], "reasonCode": "NotAvailableForSubscription"}
    ]
    sizes = {one.instance_type: one for one in box.provider.inventory.instance_types(scope_of(box))}
    open_one, closed = sizes["Standard_D2s_v5"], sizes["Standard_D4s_v5"]
    assert (open_one.zones, open_one.restriction) == (("1", "3"), "")
    assert (closed.zones, closed.restriction) == ((), "NotAvailableForSubscription")


def test_an_unknown_size_is_still_an_instance(box: AzureSandbox) -> None:
    _single(box, "odd").size = "Standard_Z9_v9"
    assert [one.instance_type for one in instances_in(box)] == ["Standard_Z9_v9"]


def test_quotas_by_family_and_purchase(box: AzureSandbox) -> None:
    make_group(box, "web", desired=3)
    quotas = {one.name: one for one in box.provider.inventory.quotas(scope_of(box))}
    assert set(quotas).isdisjoint({"availabilitySets", "PremiumDiskCount"})
    family = quotas["standardDSv5Family"]
    assert (family.families, family.limit, family.used) == (("Dsv5",), 1000.0, 6.0)
    assert (quotas["cores"].families, quotas["cores"].purchase) == ((), Purchase.ON_DEMAND)
    assert quotas["lowPriorityCores"].purchase is Purchase.SPOT
    assert quotas["virtualMachines"].unit is QuotaUnit.INSTANCES


def _windows(offer: str = "WindowsServer") -> dict[str, Any]:
    return {"storageProfile": {
        "osDisk": {"osType": "Windows"}, "imageReference": {"offer": offer},
    }}  # fmt: skip


def _linux(offer: str) -> dict[str, Any]:
    return {"storageProfile": {"osDisk": {"osType": "Linux"}, "imageReference": {"offer": offer}}}


@pytest.mark.parametrize(
    ("more", "variant"),
    [
        ({}, ""),
        (_linux("ubuntu-24_04-lts"), ""),
        ({**_linux("ubuntu-24_04-lts"), "licenseType": "None"}, ""),
        (_windows(), "windows"),
        ({**_windows(), "licenseType": "Windows_Server"}, "windows windows_server"),
        (_linux("RHEL"), "rhel"),
        (_linux("sles-15-sp5"), "sles"),
        (_linux("rhel-byos"), ""),
        ({**_linux("RHEL"), "licenseType": "RHEL_BYOS"}, "rhel_byos"),
        ({"host": {"id": "/h"}}, "dedicated"),
        ({**_windows(), "hostGroup": {"id": "/g"}}, "dedicated windows"),
    ],
)
def test_what_is_no_plain_linux_on_shared_hardware_is_told_apart(
    box: AzureSandbox, more: dict[str, Any], variant: str
) -> None:
    _single(box, "lone", more=more)
    assert [one.variant for one in instances_in(box)] == [variant]


def test_only_tags_of_our_own_are_no_labels(box: AzureSandbox) -> None:
    _single(box, "lone").tags = {
        "trimtab-team": "web", "trimtab-token": "1", "trimtab-template": "",
        "trimtab-replaces-x": "2", "trimtab-restarted-x": "3",
    }  # fmt: skip
    assert [one.labels for one in instances_in(box)] == [(("trimtab-team", "web"),)]


def test_members_of_uniform_scale_sets_are_told_apart(box: AzureSandbox) -> None:
    _uniform(box, 1)
    (machine,) = box.stand.cloud.machines.values()
    machine.more = _windows()
    box.stand.cloud.found(GROUP, "uni").properties["hostGroup"] = {"id": "/g"}
    assert [one.variant for one in instances_in(box)] == ["dedicated windows"]


def test_a_scale_set_that_is_deleted_meanwhile_ends_no_reading(box: AzureSandbox) -> None:
    _uniform(box, 1)
    for name in ("gone", "stays"):
        make_group(box, name, desired=1)

    def deletes(call: Call) -> Answer | None:
        of_set = call.parameters.get("$filter", "") + call.place.get("name", "")
        lost = "gone" in of_set or of_set == "uni"
        return refused(404, "ResourceNotFound") if lost else None

    box.stand.faults.append(deletes)
    assert [group.name for group in groups_in(box)] == ["stays"]
    assert len(instances_in(box)) == 2


def test_sizes_are_asked_again_when_they_are_old(box: AzureSandbox) -> None:
    scope = scope_of(box)
    for age_s, asked in ((3600.0, 1), (0.0, 2)):
        inventory = made(box.stand, sizes_age_s=age_s).inventory
        box.stand.calls.clear()
        for _ in range(2):
            list(inventory.quotas(scope))
        assert len(box.stand.asked("resourceSkus.list")) == asked


def test_types_and_quotas_share_one_reading_of_sizes(box: AzureSandbox) -> None:
    scope, inventory = scope_of(box), box.provider.inventory
    list(inventory.instance_types(scope))
    list(inventory.quotas(scope))
    assert len(box.stand.asked("resourceSkus.list")) == 1


def _reservation(name: str, **other: Any) -> dict[str, Any]:
    properties = {
        "reservedResourceType": "VirtualMachines", "provisioningState": "Succeeded",
        "quantity": 3, "term": "P1Y", "appliedScopeType": "Shared",
        "billingScopeId": f"/subscriptions/{SUBSCRIPTION}",
        "effectiveDateTime": "2026-01-01T00:00:00Z", "expiryDateTime": "2027-01-01T00:00:00Z",
        "utilization": {"aggregates": [
            {"grain": 1, "grainUnit": "days", "value": 10, "valueUnit": "percentage"},
            {"grain": 30, "grainUnit": "days", "value": 80, "valueUnit": "percentage"}]},
        **other,
    }  # fmt: skip
    return {
        "id": f"/providers/Microsoft.Capacity/reservationOrders/o/reservations/{name}",
        "location": "westeurope", "sku": {"name": "Standard_D2s_v5"}, "properties": properties,
    }  # fmt: skip


def _plan(name: str, **other: Any) -> dict[str, Any]:
    """A savings plan, in the shape of Azure's published example."""
    order = "/providers/Microsoft.BillingBenefits/savingsPlanOrders/o"
    properties = {
        "provisioningState": "Succeeded", "term": "P3Y", "appliedScopeType": "Shared",
        "billingScopeId": "/providers/Microsoft.Billing/billingAccounts/b",
        "commitment": {"grain": "Hourly", "currencyCode": "USD", "amount": 1.5},
        "effectiveDateTime": "2026-01-01T00:00:00.5252231Z",
        "expiryDateTime": "2029-01-01T00:00:00Z",
        "utilization": {"trend": "", "aggregates": [
            {"grain": 30.0, "grainUnit": "days", "value": 78.12, "valueUnit": "percentage"},
            {"grain": 1.0, "grainUnit": "days", "value": 100.0, "valueUnit": "percentage"}]},
        **other,
    }  # fmt: skip
    return {"id": f"{order}/savingsPlans/{name}", "sku": {"name": "Compute_Savings_Plan"},
            "properties": properties}  # fmt: skip


def test_savings_plans_that_are_held(box: AzureSandbox) -> None:
    theirs = {"subscriptionId": "/subscriptions/other"}
    ours = {"resourceGroupId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"}
    box.stand.cloud.savings_plans = [
        _plan("shared"),
        _plan("single", appliedScopeType="Single", appliedScopeProperties=ours),
        _plan("theirs", appliedScopeType="Single", appliedScopeProperties=theirs),
        _plan("ended", provisioningState="Expired"),
        *(_plan(f"more-{i}") for i in range(60)),
    ]
    scopes = box.provider.inventory.scopes().found
    held = [one for scope in scopes for one in box.provider.inventory.commitments(scope)]
    assert len(held) == len({one.id for one in held}) == 62
    one = held[0]
    assert (one.kind, one.product) == (CommitmentKind.SPEND, "savings plan")
    assert (one.place, one.account, one.families) == ("azure/", SUBSCRIPTION, ())
    assert (one.level, one.usd_per_hour, one.term_years, one.used_share) == (1.5, 1.5, 3, 0.7812)
    assert (one.starts.year, one.ends) == (2026, datetime(2029, 1, 1, tzinfo=UTC))


def test_a_savings_plan_in_another_currency_is_not_passed_over(box: AzureSandbox) -> None:
    other = {"grain": "Hourly", "currencyCode": "EUR", "amount": 1.5}
    box.stand.cloud.savings_plans = [_plan("euro", commitment=other), _plan("dollar")]
    rows, error = until_broken(box.provider.inventory.commitments(Scope("azure", SUBSCRIPTION, "")))
    assert [one.id[-6:] for one in rows] == ["dollar"]
    assert isinstance(error, NotAccepted)
    assert "EUR" in error.said


def test_reservations_that_are_held(box: AzureSandbox) -> None:
    cloud = box.stand.cloud
    cloud.retail.append(
        retail("Standard_D2s_v5", 876.0, type="Reservation", reservationTerm="1 Year")
    )
    cloud.reservations = [
        _reservation("ours"),
        _reservation("unlisted", term="P3Y"),
        _reservation("ended", provisioningState="Expired"),
        _reservation("disks", reservedResourceType="ManagedDisk"),
        _reservation("theirs", appliedScopeType="Single", appliedScopes=["/subscriptions/other"]),
    ]
    scopes = box.provider.inventory.scopes().found
    held = [one for scope in scopes for one in box.provider.inventory.commitments(scope)]
    one, unlisted = held
    assert one.id.endswith("/ours")
    assert isnan(unlisted.usd_per_hour)
    assert (one.kind, one.term_years, one.families) == (CommitmentKind.RESOURCE, 1, ("Dsv5",))
    assert (one.level, one.used_share) == (6.0, 0.8)
    assert one.usd_per_hour == pytest.approx(3 * 876.0 / 8760)
    assert (one.starts, one.ends) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
