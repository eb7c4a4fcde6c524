"""What is asked of Azure stays inside the roles that the documentation gives."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from acting import act, create, instances_in, make_group, scope_of
from azure_contract import ROUTES
from azure_sandbox import AzureSandbox

from models.actions import DeleteGroup, Drain, Remix, Replace, Resize, Restart, Start, Target
from providers.seam import Window

PAGE = Path(__file__).parents[2] / "docs" / "clouds" / "azure.md"
COMPUTE = "Microsoft.Compute/"
RESERVATIONS = "Microsoft.Capacity/reservations/read"
SAVINGS_PLANS = "Microsoft.BillingBenefits/savingsPlanOrders/savingsPlans/read"
NEEDS = {
    "virtualMachines.listByLocation": "virtualMachines/read",
    "virtualMachines.listAll": "virtualMachines/read",
    "virtualMachines.get": "virtualMachines/read",
    "virtualMachines.instanceView": "virtualMachines/instanceView/read",
    "virtualMachines.update": "virtualMachines/write",
    "virtualMachines.restart": "virtualMachines/restart/action",
    "virtualMachines.start": "virtualMachines/start/action",
    "virtualMachineScaleSets.listByLocation": "virtualMachineScaleSets/read",
    "virtualMachineScaleSets.get": "virtualMachineScaleSets/read",
    "virtualMachineScaleSets.createOrUpdate": "virtualMachineScaleSets/write",
    "virtualMachineScaleSets.update": "virtualMachineScaleSets/write",
    "virtualMachineScaleSets.delete": "virtualMachineScaleSets/delete",
    "virtualMachineScaleSetVMs.list": "virtualMachineScaleSets/virtualMachines/read",
    "virtualMachineScaleSetVMs.get": "virtualMachineScaleSets/virtualMachines/read",
    "virtualMachineScaleSetVMs.delete": "virtualMachineScaleSets/virtualMachines/delete",
    "virtualMachineScaleSetVMs.restart": "virtualMachineScaleSets/virtualMachines/restart/action",
    "virtualMachineScaleSetVMs.start": "virtualMachineScaleSets/virtualMachines/start/action",
    "resourceSkus.list": "skus/read",
    "usage.list": "locations/usages/read",
    "operations.get": "locations/operations/read",
    "providers.get": "Microsoft.Resources/subscriptions/providers/read",
    "metrics.getBatch": "Microsoft.Insights/metrics/read",
    "reservation.listAll": RESERVATIONS,
    "savingsPlans.listAll": SAVINGS_PLANS,
    "retailPrices": "",
}
"""What Azure asks for each operation, as it publishes with its resource providers."""


def _roles() -> tuple[set[str], set[str]]:
    """Actions of the role that reads and of the one that acts."""
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    reads, acts = (set(json.loads(block)["Actions"]) for block in blocks)
    of_tenant = {RESERVATIONS, SAVINGS_PLANS}
    assert all(f"`{action}`" in page for action in of_tenant)
    return reads | of_tenant, acts


def _needed(box: AzureSandbox) -> set[str]:
    needs = {NEEDS[call.operation] for call in box.stand.calls} - {""}
    return {need if need.startswith("Microsoft.") else COMPUTE + need for need in needs}


def _read_all(box: AzureSandbox) -> None:
    ends = datetime(2026, 3, 1, tzinfo=UTC)
    for scope in box.provider.inventory.scopes().found:
        for rows in (
            box.provider.inventory.instances(scope), box.provider.inventory.groups(scope),
            box.provider.inventory.instance_types(scope), box.provider.inventory.quotas(scope),
            box.provider.inventory.commitments(scope),
            box.provider.metrics.samples(scope, Window(ends - timedelta(hours=1), ends)),
        ):  # fmt: skip
            list(rows)
    list(box.provider.doctor.findings())
    list(box.provider.price_list.prices(box.provider.price_list.markets().found[0]))


def test_every_operation_has_a_permission() -> None:
    assert {route.operation for route in ROUTES} == set(NEEDS)


def test_looking_needs_only_the_role_that_reads(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    uniform = box.stand.cloud.template("uni", "westeurope", "Uniform")
    uniform.capacity = 1
    box.stand.cloud.grow(uniform)
    box.stand.calls.clear()
    _read_all(box)
    assert "Microsoft.Insights/metrics/read" in _needed(box)
    assert _needed(box) <= _roles()[0]
    assert {call.operation for call in box.stand.calls if call.body} == {"metrics.getBatch"}


def test_rehearsing_needs_only_the_role_that_reads(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=1)
    box.stand.calls.clear()
    for action in (Resize(group, 2), DeleteGroup(group), create(box, "other", 1)):
        box.provider.hands.act(action, f"rehearsed-{action}", rehearse=True)
    assert _needed(box) <= _roles()[0]


@pytest.mark.parametrize("mode", ["Flexible", "Uniform"])
def test_acting_needs_only_both_roles(box: AzureSandbox, mode: str) -> None:
    box.stand.cloud.template("template", "westeurope", mode)
    group = make_group(box, "web", desired=3)
    box.settle()
    first, second, third = (Target(one.account, one.place, one.id) for one in instances_in(box))
    act(box, Restart(first))
    for machine in box.stand.cloud.machines.values():
        machine.power = "deallocated"
    act(box, Start(first))
    act(box, Replace(second))
    if mode == "Flexible":
        act(box, Drain(third))
    act(box, Remix(group, (box.types[1],)))
    act(box, DeleteGroup(group))
    reads, acts = _roles()
    assert _needed(box) <= reads | acts
    assert _needed(box) & acts
    assert scope_of(box).account in PAGE.read_text(encoding="utf-8")


def test_the_role_that_reads_changes_nothing() -> None:
    reads, acts = _roles()
    assert all(action.endswith("/read") for action in reads)
    assert reads.isdisjoint(acts)
