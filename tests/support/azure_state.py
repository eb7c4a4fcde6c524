"""A subscription of Azure in memory: scale sets, machines, prices. How it behaves is ours."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

Json = dict[str, Any]

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = "Fleet"
REGIONS = {"northeurope": "North Europe", "westeurope": "West Europe", "westus": "West US"}
ZONES = ("1", "2", "3")
VM_PRICE = {"Standard_D2s_v5": 0.096, "Standard_D4s_v5": 0.192, "Standard_D2ps_v5": 0.077}


@dataclass(frozen=True)
class Refused(Exception):
    """An answer that is an error, as Azure words it."""

    status: int
    code: str
    message: str


def sku(
    name: str, vcpus: int, memory: float, family: str, arch: str = "x64", **traits: str
) -> Json:
    return {
        "resourceType": "virtualMachines", "name": name, "tier": "Standard", "family": family,
        "capabilities": [
            {"name": key, "value": value} for key, value in {
                "vCPUs": str(vcpus), "MemoryGB": f"{memory:g}", "CpuArchitectureType": arch,
                "LowPriorityCapable": "True", **traits,
            }.items()
        ],
        "restrictions": [],
    }  # fmt: skip


SKUS = (
    sku("Standard_D2s_v5", 2, 8, "standardDSv5Family"),
    sku("Standard_D4s_v5", 4, 16, "standardDSv5Family"),
    sku("Standard_D2ps_v5", 2, 8, "standardDPSv5Family", "Arm64"),
    sku("Standard_E4-2s_v5", 4, 32, "standardESv5Family", vCPUsAvailable="2"),
    sku("Standard_B2s", 2, 4, "standardBSFamily", LowPriorityCapable="False"),
    sku("Standard_NC4as_T4_v3", 4, 28, "Standard NCASv3_T4 Family", GPUs="1"),
    {"resourceType": "disks", "name": "Premium_LRS", "capabilities": [], "restrictions": []},
)


@dataclass(eq=False)
class Machine:
    """A machine; ``scale_set`` empty: of its own. ``more``: further properties."""

    name: str
    group: str
    location: str
    size: str
    zone: str
    spot: bool
    tags: dict[str, str]
    scale_set: str = ""
    power: str = "starting"
    healthy: bool | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=5))
    more: Json = field(default_factory=dict)

    def statuses(self) -> list[Json]:
        return [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{self.power}"}]

    def view(self) -> Json:
        view: Json = {"statuses": self.statuses()}
        if self.healthy is not None:
            code = "healthy" if self.healthy else "unhealthy"
            view["vmHealth"] = {"status": {"code": f"HealthState/{code}"}}
        return view


@dataclass(eq=False)
class ScaleSet:
    """A scale set: what was asked of it, and its machines' numbers."""

    name: str
    group: str
    body: Json
    version: int = 1
    state: str = "Succeeded"
    made: Iterator[int] = field(default_factory=count)

    @property
    def properties(self) -> Json:
        found: Json = self.body.setdefault("properties", {})
        return found

    @property
    def flexible(self) -> bool:
        return bool(self.properties.get("orchestrationMode") == "Flexible")

    @property
    def capacity(self) -> int:
        return int(self.body["sku"].get("capacity", 0))

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self.body["sku"]["capacity"] = capacity

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def sizes(self) -> list[str]:
        if self.body["sku"]["name"] != "Mix":
            return [self.body["sku"]["name"]]
        sizes = sorted(self.properties["skuProfile"]["vmSizes"], key=lambda size: size["rank"])
        return [size["name"] for size in sizes]

    def is_spot(self, number: int) -> bool:
        """Whether the ``number``-th machine is spot."""
        if self.properties.get("virtualMachineProfile", {}).get("priority") != "Spot":
            return False
        mix = self.properties.get("priorityMixPolicy")
        if mix is None:
            return True
        beyond = number - mix["baseRegularPriorityCount"]
        share = 1 - mix["regularPriorityPercentageAboveBase"] / 100
        return beyond >= 0 and int((beyond + 1) * share + 1e-9) > int(beyond * share + 1e-9)


@dataclass(eq=False)
class Cloud:
    """All there is. ``lacking``: sizes that cannot be had. ``slow``: operations do not end.
    ``pools``: those of every gateway; ``quiet``: hours in which nothing is measured.
    """

    subscription: str = SUBSCRIPTION
    sets: dict[tuple[str, str], ScaleSet] = field(default_factory=dict)
    machines: dict[tuple[str, str], Machine] = field(default_factory=dict)
    operations: dict[str, Json] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    pools: list[str] = field(default_factory=lambda: ["web"])
    quiet: set[datetime] = field(default_factory=set)
    cores: int = 1000
    slow: bool = False
    restarts: list[str] = field(default_factory=list)
    skus: list[Json] = field(default_factory=lambda: copy.deepcopy(list(SKUS)))
    reservations: list[Json] = field(default_factory=list)
    savings_plans: list[Json] = field(default_factory=list)
    retail: list[Json] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def settle(self) -> None:
        """Everything that starts has booted, and what was under way has ended."""
        for machine in self.machines.values():
            machine.power = "running" if machine.power == "starting" else machine.power
        for operation in self.operations.values():
            operation["status"] = "Succeeded" if operation["status"] == "InProgress" else (
                operation["status"]
            )  # fmt: skip

    def template(self, name: str, location: str, mode: str = "Flexible") -> ScaleSet:
        """A scale set that runs nothing, to take after."""
        body: Json = {
            "location": location, "zones": list(ZONES),
            "sku": {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 0},
            "tags": {"trimtab-template": "", "owner": "platform"},
            "identity": {"type": "SystemAssigned", "principalId": "9", "tenantId": "9"},
            "properties": {
                "orchestrationMode": mode, "uniqueId": "u", "provisioningState": "Succeeded",
                "upgradePolicy": {"mode": "Manual"},
                "virtualMachineProfile": {
                    "osProfile": {"computerNamePrefix": "node", "adminUsername": "ops"},
                    "networkProfile": {"networkInterfaceConfigurations": []},
                },
            },
        }  # fmt: skip
        made = ScaleSet(name, GROUP, body)
        self.sets[GROUP.lower(), name.lower()] = made
        return made

    def found(self, group: str, name: str) -> ScaleSet:
        one = self.sets.get((group.lower(), name.lower()))
        if one is None:
            raise Refused(404, "ResourceNotFound", f"The scale set '{name}' was not found.")
        return one

    def machine(self, group: str, name: str) -> Machine:
        one = self.machines.get((group.lower(), name.lower()))
        if one is None:
            raise Refused(404, "ResourceNotFound", f"The machine '{name}' was not found.")
        return one

    def members(self, one: ScaleSet) -> list[Machine]:
        return [
            machine for machine in self.machines.values()
            if machine.scale_set == one.name.lower() and machine.group == one.group
        ]  # fmt: skip

    def check_quota(self, one: ScaleSet, capacity: int) -> None:
        sizes = {found["name"]: found for found in self.skus}
        more = capacity - len(self.members(one))
        vcpus = _vcpus(sizes[one.sizes()[0]])
        used = sum(_vcpus(sizes[machine.size]) for machine in self.machines.values())
        if more > 0 and used + more * vcpus > self.cores:
            said = f"exceeding approved Total Regional Cores quota. Current Limit: {self.cores}"
            raise Refused(409, "OperationNotAllowed", said)

    def grow(self, one: ScaleSet) -> Json | None:
        """As many machines as asked; the error when there are no more to be had."""
        members = self.members(one)
        for machine in members[one.capacity :]:
            self._forget(machine)
        zones = one.body.get("zones") or [""]
        for number in range(len(members), one.capacity):
            size = next((size for size in one.sizes() if size not in self.lacking), None)
            if size is None:
                one.state = "Failed"
                return {"code": "ZonalAllocationFailed", "message": "Allocation failed."}
            serial = next(one.made)
            name = f"{one.name}_{serial:08x}" if one.flexible else str(serial)
            key = name if one.flexible else f"{one.name}/{name}"
            machine = Machine(
                name, one.group, one.body["location"], size, zones[number % len(zones)],
                one.is_spot(number), dict(one.body.get("tags") or {}), one.name.lower(),
            )  # fmt: skip
            self.machines[one.group.lower(), key.lower()] = machine
        one.state = "Succeeded"
        return None

    def _forget(self, machine: Machine) -> None:
        (key,) = (key for key, value in self.machines.items() if value is machine)
        del self.machines[key]

    def end(self, machine: Machine, one: ScaleSet) -> None:
        """A machine ends: its scale set is smaller by one."""
        self._forget(machine)
        one.capacity -= 1
        one.version += 1

    def operation(self, error: Json | None) -> str:
        """The number of an operation that was taken on."""
        number = f"op-{next(self._ids)}"
        status = "Failed" if error else "InProgress" if self.slow else "Succeeded"
        self.operations[number] = {"name": number, "status": status}
        if error:
            self.operations[number]["error"] = error
        return number

    def set_id(self, one: ScaleSet) -> str:
        # As Azure does: the case of ids is not the same everywhere.
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{one.group.upper()}/providers"
            f"/Microsoft.Compute/virtualMachineScaleSets/{one.name}"
        )

    def set_json(self, one: ScaleSet) -> Json:
        body = copy.deepcopy(one.body)
        body |= {"id": self.set_id(one), "name": one.name, "etag": one.etag,
                 "type": "Microsoft.Compute/virtualMachineScaleSets"}  # fmt: skip
        body["properties"] |= {"provisioningState": one.state, "uniqueId": "u-1"}
        return body

    def machine_id(self, machine: Machine) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{machine.group}/providers"
            f"/Microsoft.Compute/virtualMachines/{machine.name}"
        )

    def machine_json(self, machine: Machine, view: bool) -> Json:
        properties: Json = {
            "hardwareProfile": {"vmSize": machine.size}, "provisioningState": "Succeeded",
            "priority": "Spot" if machine.spot else "Regular", "timeCreated": _iso(machine.created),
            **machine.more,
        }  # fmt: skip
        if machine.scale_set:
            one = self.found(machine.group, machine.scale_set)
            properties["virtualMachineScaleSet"] = {"id": self.set_id(one)}
        if view:
            properties["instanceView"] = machine.view()
        return {
            "id": self.machine_id(machine), "name": machine.name, "location": machine.location,
            "tags": machine.tags, "zones": [machine.zone] if machine.zone else [],
            "properties": properties,
        }  # fmt: skip

    def member_json(self, one: ScaleSet, machine: Machine, view: bool) -> Json:
        properties: Json = {
            "provisioningState": "Succeeded", "timeCreated": _iso(machine.created), **machine.more,
        }  # fmt: skip
        if view:
            properties["instanceView"] = machine.view()
        return {
            "id": f"{self.set_id(one)}/virtualMachines/{machine.name}",
            "name": f"{one.name}_{machine.name}", "instanceId": machine.name,
            "location": machine.location, "sku": {"name": machine.size, "tier": "Standard"},
            "tags": machine.tags, "zones": [machine.zone] if machine.zone else [],
            "properties": properties,
        }  # fmt: skip

    def singles(self) -> list[Machine]:
        """Machines that are resources of their own."""
        return [
            machine for machine in self.machines.values()
            if not machine.scale_set or self.found(machine.group, machine.scale_set).flexible
        ]  # fmt: skip


def _vcpus(found: Json) -> int:
    return next(int(one["value"]) for one in found["capabilities"] if one["name"] == "vCPUs")


def _iso(at: datetime) -> str:
    return re.sub(r"\+00:00$", "Z", at.isoformat())


def retail(name: str, usd: float, region: str = "westeurope", **other: object) -> Json:
    """An item of the price list."""
    short = name.removeprefix("Standard_").replace("_", " ")
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": usd, "unitPrice": usd,
        "armRegionName": region, "location": REGIONS[region], "meterName": short,
        "effectiveStartDate": "2024-03-01T00:00:00Z", "skuName": short,
        "productName": "Virtual Machines Dsv5 Series", "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour", "type": "Consumption", "isPrimaryMeterRegion": True,
        "armSkuName": name, **other,
    }  # fmt: skip
