"""What runs and could run in Azure's subscriptions, region by region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from azure.mgmt.compute.models import VirtualMachine, VirtualMachineScaleSet

from models.cloud_errors import Asked, NotFound
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
from providers.azure.regions import Regions
from providers.azure.resources import Resource, resource
from providers.azure.savings_plans import SavingsPlans
from providers.azure.sizes import Sizes
from providers.seam import Scope, Scopes

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
    regions: Regions
    sizes: Sizes
    states: States
    reservations: Reservations
    savings_plans: SavingsPlans

    def scopes(self) -> Scopes:
        return self.regions.scopes()

    def instances(self, scope: Scope) -> Iterator[Instance]:
        if not scope.region:
            return
        for one in self._sets(scope):
            with translated(_asked("virtualMachineScaleSets.listByLocation", scope)):
                where = None if is_flexible(one) else _resource(one.id)
            if where is not None:
                yield from self._members(scope, one, where)
        yield from self._machines(scope)

    def groups(self, scope: Scope) -> Iterator[InstanceGroup]:
        if not scope.region:
            return
        with translated(_asked("virtualMachineScaleSets.listByLocation", scope)):
            for one in self._sets(scope):
                if is_template(one):
                    continue
                try:
                    healthy = self._healthy(scope, one)
                except NotFound:
                    continue  # it was deleted since it was listed
                yield group_row(scope, one, healthy)

    def instance_types(self, scope: Scope) -> Iterator[InstanceType]:
        return self.sizes.read(scope) if scope.region else iter(())

    def quotas(self, scope: Scope) -> Iterator[Quota]:
        usages = self.clients.compute(scope.account).usage

        def rows() -> Iterator[Quota]:
            families: dict[str, set[str]] = {}
            for size in self.sizes.of(scope).values():
                families.setdefault(size.counted_as, set()).add(size.kind.family)
            for usage in read(asked, lambda: usages.list(scope.region)):
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

        asked = _asked("usage.list", scope)
        return read(asked, rows) if scope.region else iter(())

    def commitments(self, scope: Scope) -> Iterator[OwnedCommitment]:
        return self.reservations.of(scope) if scope.region else self.savings_plans.of(scope)

    def _sets(self, scope: Scope) -> Iterator[VirtualMachineScaleSet]:
        asked = _asked("virtualMachineScaleSets.listByLocation", scope)
        sets = self.clients.compute(scope.account).virtual_machine_scale_sets
        return read(asked, lambda: sets.list_by_location(scope.region))

    def _members(
        self, scope: Scope, one: VirtualMachineScaleSet, where: Resource
    ) -> Iterator[Instance]:
        """Machines of a uniform scale set."""
        asked = _asked("virtualMachineScaleSetVMs.list", scope)
        machines = self.clients.compute(scope.account).virtual_machine_scale_set_vms

        def rows() -> Iterator[Instance]:
            for machine in read(
                asked, lambda: machines.list(where.group, where.name, expand="instanceView")
            ):
                yield member_row(scope, one, machine)

        try:
            yield from read(asked, rows)
        except NotFound:
            return  # it was deleted since it was listed, and its machines with it

    def _machines(self, scope: Scope) -> Iterator[Instance]:
        """Machines that are resources of their own: single ones, and those of flexible sets."""
        asked = _asked("virtualMachines.listByLocation", scope)
        machines = self.clients.compute(scope.account).virtual_machines

        def rows() -> Iterator[Instance]:
            states: Mapping[str, InstanceState] | None = None
            for machine in read(asked, lambda: machines.list_by_location(scope.region)):
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
                _asked("virtualMachines.listAll", scope),
                lambda: client.virtual_machines.list_all(
                    filter=f"'virtualMachineScaleSet/id' eq '{where.id}'", expand="instanceView"
                ),
            )
            return sum(
                machine.properties is not None and serves(machine.properties.instance_view)
                for machine in flexible
            )
        uniform = read(
            _asked("virtualMachineScaleSetVMs.list", scope),
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


def _asked(operation: str, scope: Scope) -> Asked:
    return Asked(CLOUD, operation, scope.account, scope.place)
