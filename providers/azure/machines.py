"""Azure's machines and scale sets as rows, and the power states of machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from azure.mgmt.compute.models import (
    InstanceViewStatus,
    StorageProfile,
    VirtualMachine,
    VirtualMachineHealthStatus,
    VirtualMachineInstanceView,
    VirtualMachineScaleSet,
    VirtualMachineScaleSetVM,
    VirtualMachineScaleSetVMInstanceView,
)

from models.cloud_errors import Asked
from models.inventory import (
    GroupKind,
    Instance,
    InstanceGroup,
    InstanceState,
    Labels,
)
from models.offerings import Purchase
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, needed, read, translated
from providers.azure.remembered import Remembered
from providers.azure.resources import Resource, resource
from providers.seam import Scope

FLEXIBLE: Final = "flexible"
NO_MIX: Final = 100
"""Percentage of regular machines where none is spot."""
MARK: Final = "trimtab-"
"""What the names of tags begin with that hands leave, to know their work again."""

TEMPLATE: Final = f"{MARK}template"
"""The tag of scale sets that run nothing and are only there to be taken after."""

TOKEN: Final = f"{MARK}token"
"""The tag of scale sets that were created: under which token."""

REPLACES: Final = f"{MARK}replaces-"
RESTARTED: Final = f"{MARK}restarted-"
"""What the names of tags begin with that say what was done to a machine (``marks``)."""

_OURS: Final = (TEMPLATE, TOKEN, REPLACES, RESTARTED)

_POWER: Final = {
    "running": InstanceState.RUNNING,
    "starting": InstanceState.STARTING,
    "stopping": InstanceState.STOPPING,
    "deallocating": InstanceState.STOPPING,
    "stopped": InstanceState.STOPPED,
    "deallocated": InstanceState.STOPPED,
}
_PROVISIONING: Final = {
    "creating": InstanceState.STARTING,
    "deleting": InstanceState.STOPPING,
}

_PAID_LINUX: Final = re.compile(r"(?P<name>rhel|sles)(?!.*byos)")
"""Offers of images that cost more than Linux by the hour."""

View = VirtualMachineInstanceView | VirtualMachineScaleSetVMInstanceView


def word(value: object) -> str:
    """An enumeration's value, or text, in lower case; empty when there is none."""
    return "" if value is None else str(getattr(value, "value", value)).lower()


def state_of(statuses: Iterable[InstanceViewStatus] | None) -> InstanceState | None:
    """What the codes of an instance view say; None when they say nothing of power."""
    codes = dict((status.code or "").lower().split("/", 1) for status in statuses or ()
                 if "/" in (status.code or ""))  # fmt: skip
    if codes.get("provisioningstate") == "deleting":
        return InstanceState.STOPPING
    return _POWER.get(codes.get("powerstate", "")) or _PROVISIONING.get(
        codes.get("provisioningstate", "")
    )


def serves(view: View | None) -> bool:
    """Whether a machine runs and, where its health is watched, is well."""
    if view is None or state_of(view.statuses) is not InstanceState.RUNNING:
        return False
    health: VirtualMachineHealthStatus | None = view.vm_health
    status = health.status if health is not None else None
    return status is None or word(status.code) == "healthstate/healthy"


def is_flexible(one: VirtualMachineScaleSet) -> bool:
    properties = needed(one.properties, "a scale set's properties")
    return word(properties.orchestration_mode) == FLEXIBLE


def is_template(one: VirtualMachineScaleSet) -> bool:
    """Whether a scale set is only there to be taken after: it says so, and runs nothing."""
    runs = one.sku.capacity if one.sku is not None else 0
    return TEMPLATE in (one.tags or {}) and not runs


def group_row(scope: Scope, one: VirtualMachineScaleSet, healthy: int) -> InstanceGroup:
    """A scale set as a row. Azure keeps no bounds there: autoscale settings are another service."""
    sku = one.sku
    base, share = mix_of(one)
    return InstanceGroup(
        id_of(one.id), needed(one.name, "a scale set's name"), GroupKind.SCALE_SET,
        scope.account, scope.place, tuple(sorted(one.zones or ())), 0,
        (sku.capacity or 0) if sku is not None else 0, None, healthy, types_of(one), base, share,
        labels=labels_of(one.tags),
    )  # fmt: skip


def types_of(one: VirtualMachineScaleSet) -> tuple[str, ...]:
    """Sizes by rank; the one size where there is no mix; none where machines are only attached."""
    profile = needed(one.properties, "a scale set's properties").sku_profile
    sizes = (profile.vm_sizes or []) if profile is not None else []
    if sizes:
        ranked = sorted(enumerate(sizes), key=lambda at: (at[1].rank or 0, at[0]))
        return tuple(needed(size.name, "a size's name") for _, size in ranked)
    return (one.sku.name,) if one.sku is not None and one.sku.name else ()


def mix_of(one: VirtualMachineScaleSet) -> tuple[int, float]:
    """Regular machines at first, and the share of spot among all further ones."""
    properties = needed(one.properties, "a scale set's properties")
    if not starts_spot(one):
        return 0, 0.0
    mix = properties.priority_mix_policy
    if mix is None:
        return 0, 1.0
    regular = mix.regular_priority_percentage_above_base
    return mix.base_regular_priority_count or 0, (NO_MIX - (regular or 0)) / NO_MIX


def whole_percent(share: float) -> float:
    """A share as Azure keeps it."""
    return round(NO_MIX * share) / NO_MIX


def starts_spot(one: VirtualMachineScaleSet) -> bool:
    """Whether new machines are spot, but for those that a mix makes regular."""
    profile = needed(one.properties, "a scale set's properties").virtual_machine_profile
    return profile is not None and word(profile.priority) in {"spot", "low"}


def member_row(
    scope: Scope, one: VirtualMachineScaleSet, machine: VirtualMachineScaleSetVM
) -> Instance:
    """A machine of a uniform scale set as a row."""
    properties = needed(machine.properties, "a machine's properties")
    view, sku = properties.instance_view, machine.sku
    of = needed(one.properties, "a scale set's properties")
    state = state_of(view.statuses) if view is not None else None
    return Instance(
        id_of(machine.id), scope.account, scope.place, _zone(machine.zones),
        needed(sku.name if sku is not None else None, "a machine's size"),
        Purchase.SPOT if starts_spot(one) else Purchase.ON_DEMAND,
        state or InstanceState.STARTING,
        needed(properties.time_created, "when a machine was created"), id_of(one.id),
        labels_of(machine.tags or one.tags),
        variant=_variant(properties.storage_profile, properties.license_type, of.host_group),
    )  # fmt: skip


def machine_row(scope: Scope, machine: VirtualMachine, state: InstanceState) -> Instance:
    """A machine of its own, or of a flexible scale set, as a row."""
    properties = needed(machine.properties, "a machine's properties")
    hardware, group = properties.hardware_profile, properties.virtual_machine_scale_set
    spot = word(properties.priority) in {"spot", "low"}
    return Instance(
        id_of(machine.id), scope.account, scope.place, _zone(machine.zones),
        str(needed(hardware.vm_size if hardware is not None else None, "a machine's size")),
        Purchase.SPOT if spot else Purchase.ON_DEMAND, state,
        needed(properties.time_created, "when a machine was created"),
        id_of(group.id) if group is not None and group.id else "", labels_of(machine.tags),
        variant=_variant(
            properties.storage_profile, properties.license_type,
            properties.host or properties.host_group,
        ),
    )  # fmt: skip


def _variant(storage: StorageProfile | None, licence: str | None, host: object | None) -> str:
    """What is paid for beside, or instead of, Linux on shared hardware: words, sorted.

    ``windows``; ``dedicated``; ``rhel`` and ``sles``, paid by the hour; a licence that its owner
    brings, by Azure's own word for it in lower case (``windows_server``, ``rhel_byos``).
    """
    brought = word(licence)
    brought = "" if brought == "none" else brought
    disk = storage.os_disk if storage is not None else None
    image = storage.image_reference if storage is not None else None
    paid = _PAID_LINUX.match(word(image.offer)) if image is not None and not brought else None
    words = {
        "windows" if disk is not None and word(disk.os_type) == "windows" else "",
        "dedicated" if host is not None else "",
        paid["name"] if paid is not None else "",
        brought,
    }
    return " ".join(sorted(words - {""}))


def id_of(name: str | None) -> str:
    """An id in our form; raises ``ValueError`` when it is none."""
    found = resource(needed(name, "an id"))
    return needed(found, "the meaning of an id").id


def labels_of(tags: Mapping[str, str] | None) -> Labels:
    """Tags, but for those that hands leave."""
    return tuple(sorted(one for one in (tags or {}).items() if not one[0].startswith(_OURS)))


def _zone(zones: list[str] | None) -> str:
    return zones[0] if zones else ""


@dataclass(eq=False)
class States:
    """Power states of all machines of a subscription, read at once and shared by its regions.

    They are asked for the whole subscription because lists of a region do not say them, and asked
    again when they are older than ``states_age_s``.
    """

    clients: Clients
    _states: Remembered[str, Mapping[str, InstanceState]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._states = Remembered(self._ask, self.clients.access.states_age_s)

    def of(self, account: str) -> Mapping[str, InstanceState]:
        """States by id; machines without one are left out."""
        return self._states.of(account)

    def one(self, machine: Resource) -> InstanceState:
        """The state of a machine that the list did not have; it has only just been made."""
        asked = Asked(CLOUD, "virtualMachines.instanceView", machine.subscription)
        with translated(asked):
            view = self.clients.compute(machine.subscription).virtual_machines.instance_view(
                machine.group, machine.name
            )
            return state_of(view.statuses) or InstanceState.STARTING

    def _ask(self, account: str) -> Mapping[str, InstanceState]:
        asked = Asked(CLOUD, "virtualMachines.listAll", account)
        machines = self.clients.compute(account).virtual_machines
        states: dict[str, InstanceState] = {}
        with translated(asked):
            for one in read(asked, lambda: machines.list_all(status_only="true")):
                view = one.properties.instance_view if one.properties is not None else None
                state = state_of(view.statuses) if view is not None else None
                if state is not None:
                    states[id_of(one.id)] = state
        return states
