"""What runs and could run in Azure's subscriptions, region by region."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from azure.core.rest import HttpRequest
from azure.mgmt.compute.models import VirtualMachine, VirtualMachineScaleSet

from models.cloud_errors import Asked, CloudFailed, NotFound
from models.inventory import (
    Instance,
    InstanceGroup,
    InstanceState,
    InstanceType,
    OwnedCommitment,
    Quota,
    QuotaUnit,
)
from models.offerings import Purchase
from providers.azure.clients import Clients
from providers.azure.commitments import Reservations
from providers.azure.errors import CLOUD, needed, read, translated
from providers.azure.machines import (
    States,
    group_row,
    id_of,
    is_flexible,
    is_template,
    machine_row,
    member_row,
    serves,
)
from providers.azure.resources import Resource, region_of, resource
from providers.azure.sizes import Sizes
from providers.seam import Scope, Scopes, Unreached

_PROVIDERS_VERSION: Final = "2021-04-01"
_WHOLE_REGION: Final[Mapping[str, tuple[QuotaUnit, Purchase | None]]] = {
    "cores": (QuotaUnit.VCPUS, Purchase.ON_DEMAND),
    "lowprioritycores": (QuotaUnit.VCPUS, Purchase.SPOT),
    "virtualmachines": (QuotaUnit.INSTANCES, None),
}
"""Quotas that count across families, by Azure's name in lower case."""


@dataclass(frozen=True, slots=True)
class AzureInventory:
    """``providers.seam.Inventory`` of Azure."""

    clients: Clients
    sizes: Sizes
    states: States
    reservations: Reservations

    def scopes(self) -> Scopes:
        found: list[Scope] = []
        unreached: list[Unreached] = []
        for subscription in self.clients.subscriptions:
            try:
                regions = self.clients.regions or open_regions(self.clients, subscription)
            except CloudFailed as error:
                unreached.append(Unreached(Scope(CLOUD, subscription, ""), error))
            else:
                found += [Scope(CLOUD, subscription, region) for region in regions]
        return Scopes(tuple(sorted(found)), tuple(unreached))

    def instances(self, scope: Scope) -> Iterator[Instance]:
        for one in self._sets(scope):
            if not is_flexible(one):
                yield from self._members(scope, one)
        yield from self._machines(scope)

    def groups(self, scope: Scope) -> Iterator[InstanceGroup]:
        asked = Asked(CLOUD, "virtualMachineScaleSets.listByLocation", scope.account, scope.place)
        with translated(asked):
            for one in self._sets(scope):
                if is_template(one):
                    continue
                yield group_row(scope, one, self._healthy(scope, one))

    def instance_types(self, scope: Scope) -> Iterator[InstanceType]:
        return self.sizes.read(scope)

    def quotas(self, scope: Scope) -> Iterator[Quota]:
        families: dict[str, set[str]] = {}
        for size in self.sizes.of(scope).values():
            families.setdefault(size.counted_as, set()).add(size.kind.family)
        asked = Asked(CLOUD, "usage.list", scope.account, scope.place)
        usages = self.clients.compute(scope.account).usage

        def rows() -> Iterator[Quota]:
            for usage in usages.list(scope.region):
                name = needed(usage.name.value, "a quota's name")
                counted = _WHOLE_REGION.get(name.lower())
                own = tuple(sorted(families.get(name.lower(), ())))
                if counted is None and not own:
                    continue  # of disks, sets, or machines that the region does not have
                unit, purchase = counted or (QuotaUnit.VCPUS, Purchase.ON_DEMAND)
                yield Quota(
                    scope.account, scope.place, name, unit, float(usage.limit),
                    float(usage.current_value), purchase, own,
                )  # fmt: skip

        return read(asked, rows)

    def commitments(self, scope: Scope) -> Iterator[OwnedCommitment]:
        return self.reservations.of(scope)

    def _sets(self, scope: Scope) -> Iterator[VirtualMachineScaleSet]:
        asked = Asked(CLOUD, "virtualMachineScaleSets.listByLocation", scope.account, scope.place)
        sets = self.clients.compute(scope.account).virtual_machine_scale_sets
        return read(asked, lambda: sets.list_by_location(scope.region))

    def _members(self, scope: Scope, one: VirtualMachineScaleSet) -> Iterator[Instance]:
        """Machines of a uniform scale set."""
        asked = Asked(CLOUD, "virtualMachineScaleSetVMs.list", scope.account, scope.place)
        where = _resource(one.id)
        machines = self.clients.compute(scope.account).virtual_machine_scale_set_vms

        def rows() -> Iterator[Instance]:
            for machine in machines.list(where.group, where.name, expand="instanceView"):
                yield member_row(scope, one, machine)

        try:
            yield from read(asked, rows)
        except NotFound:
            return  # it was deleted since it was listed, and its machines with it

    def _machines(self, scope: Scope) -> Iterator[Instance]:
        """Machines that are resources of their own: single ones, and those of flexible sets."""
        asked = Asked(CLOUD, "virtualMachines.listByLocation", scope.account, scope.place)
        machines = self.clients.compute(scope.account).virtual_machines

        def rows() -> Iterator[Instance]:
            states: Mapping[str, InstanceState] | None = None
            for machine in machines.list_by_location(scope.region):
                if states is None:  # only where there is a machine at all
                    states = self.states.of(scope.account)
                state = states.get(id_of(machine.id)) or self._state(machine)
                yield machine_row(scope, machine, state)

        return read(asked, rows)

    def _state(self, machine: VirtualMachine) -> InstanceState:
        """Of a machine that was made since states were read."""
        try:
            return self.states.one(_resource(machine.id))
        except NotFound:
            return InstanceState.STOPPING  # deleted since it was listed

    def _healthy(self, scope: Scope, one: VirtualMachineScaleSet) -> int:
        where, client = _resource(one.id), self.clients.compute(scope.account)
        if one.sku is not None and one.sku.capacity == 0:
            return 0
        if is_flexible(one):
            flexible = read(
                Asked(CLOUD, "virtualMachines.listAll", scope.account, scope.place),
                lambda: client.virtual_machines.list_all(
                    filter=f"'virtualMachineScaleSet/id' eq '{where.id}'", expand="instanceView"
                ),
            )
            return sum(
                machine.properties is not None and serves(machine.properties.instance_view)
                for machine in flexible
            )
        uniform = read(
            Asked(CLOUD, "virtualMachineScaleSetVMs.list", scope.account, scope.place),
            lambda: client.virtual_machine_scale_set_vms.list(
                where.group, where.name, expand="instanceView"
            ),
        )
        return sum(
            machine.properties is not None and serves(machine.properties.instance_view)
            for machine in uniform
        )


def _resource(name: str | None) -> Resource:
    return needed(resource(id_of(name)), "an id")


def compute_provider(clients: Clients, subscription: str) -> Mapping[str, Any]:
    """What the resource manager says of Azure's compute service in a subscription."""
    asked = Asked(CLOUD, "providers.get", subscription)
    with translated(asked):
        answer = clients.compute(subscription).send_request(HttpRequest(
            "GET", f"{clients.management}/subscriptions/{subscription}/providers/Microsoft.Compute",
            params={"api-version": _PROVIDERS_VERSION},
        ))  # fmt: skip
        answer.raise_for_status()
        found = answer.json()
        if not isinstance(found, dict):
            raise ValueError("the compute service is not described")
        return found


def open_regions(clients: Clients, subscription: str) -> tuple[str, ...]:
    """Regions where a subscription may have machines.

    The compute service says so itself in one small answer; the list of all sizes, which says it
    too, has tens of megabytes.
    """
    described = compute_provider(clients, subscription)
    with translated(Asked(CLOUD, "providers.get", subscription)):
        (places,) = (
            kind["locations"]
            for kind in described["resourceTypes"]
            if kind["resourceType"] == "virtualMachines"
        )
        return tuple(sorted({region_of(place) for place in places if _is_public(place)}))


def _is_public(place: str) -> bool:
    """Not one of the regions where Microsoft tries what is new."""
    return re.search(r"EUAP|Stage", place) is None
