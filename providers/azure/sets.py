"""Scale sets, looked at and changed on the condition that nobody else has since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from azure.core import MatchConditions
from azure.core.polling import LROPoller
from azure.mgmt.compute.models import (
    AllocationStrategy,
    PriorityMixPolicy,
    Sku,
    SkuProfile,
    SkuProfileVMSize,
    VirtualMachineScaleSet,
    VirtualMachineScaleSetUpdate,
    VirtualMachineScaleSetUpdateProperties,
)

from models.actions import Target
from models.cloud_errors import Asked, Conflicting, NotAccepted, NotFound, QuotaReached
from models.offerings import Purchase
from providers.azure.clients import Clients
from providers.azure.errors import needed, translated
from providers.azure.machines import NO_MIX, types_of
from providers.azure.marks import without_old
from providers.azure.resources import Resource, region_of, resource
from providers.azure.sizes import Size, Sizes
from providers.seam import Scope

MIXED: Final = "Mix"
"""What stands instead of a size where a profile names several."""
MOST_SIZES: Final = 5
"""Sizes that a profile may name."""


@dataclass(frozen=True, slots=True)
class ScaleSets:
    """Looks and conditional changes, with errors in our words."""

    clients: Clients
    sizes: Sizes

    def found(self, asked: Asked, target: Target) -> tuple[Resource, VirtualMachineScaleSet]:
        """The scale set that is meant; raises ``NotFound`` where there is none."""
        where = resource(target.id)
        if (
            where is None
            or not where.is_set
            or where.member
            or where.subscription != target.account
        ):
            raise NotFound(asked, "ResourceNotFound", f"{target.id} is no scale set there")
        one = self.look(asked, where)
        if f"{asked.cloud}/{region_of(one.location)}" != target.place:
            raise NotFound(asked, "ResourceNotFound", f"{target.id} is not in {target.place}")
        return where, one

    def look(self, asked: Asked, where: Resource) -> VirtualMachineScaleSet:
        with translated(asked):
            sets = self.clients.compute(where.subscription).virtual_machine_scale_sets
            return sets.get(where.group, where.name, expand="userData")

    def change(
        self,
        asked: Asked,
        where: Resource,
        one: VirtualMachineScaleSet,
        update: VirtualMachineScaleSetUpdate,
        is_so: Callable[[VirtualMachineScaleSet], bool],
        within_s: float,
    ) -> bool:
        """Change ``one``, unless somebody else did; say whether it was done ``within_s`` seconds.

        ``is_so``: whether a scale set is as it should become: an attempt whose answer was lost may
        have made it so before the next.
        """
        sets = self.clients.compute(where.subscription).virtual_machine_scale_sets
        young = without_old(one.tags, datetime.now(UTC))
        if update.tags is None and young != (one.tags or {}):
            update.tags = young
        try:
            with translated(asked):
                poller = sets.begin_update(
                    where.group, where.name, update, etag=needed(one.etag, "a scale set's etag"),
                    match_condition=MatchConditions.IfNotModified,
                )  # fmt: skip
                return ended(poller, within_s)
        except Conflicting:
            if is_so(self.look(asked, where)):
                return True
            raise

    def check_sizes(
        self, asked: Asked, scope: Scope, names: tuple[str, ...], spot: bool
    ) -> tuple[Size, ...]:
        """The sizes called so; raises ``NotAccepted`` when they cannot be had there."""
        known = self.sizes.of(scope)
        for name in names:
            size = known.get(name.lower())
            if size is None:
                raise NotAccepted(asked, "UnknownType", f"{name} is not offered in {scope.place}")
            if size.kind.restriction:
                raise NotAccepted(asked, size.kind.restriction, f"{name} is closed to it there")
            if spot and not size.kind.spot:
                raise NotAccepted(asked, "NoSpot", f"{name} cannot be had as spot")
        if not names or len(names) > MOST_SIZES:
            raise NotAccepted(asked, "BadTypes", f"name one to {MOST_SIZES} instance types")
        return tuple(known[name.lower()] for name in names)

    def check_quotas(
        self, asked: Asked, scope: Scope, size: Size, more: int, purchase: Purchase
    ) -> None:
        """Raise ``QuotaReached`` when ``more`` machines go beyond what may be had."""
        if more <= 0:
            return
        counts = {"lowprioritycores"}
        if purchase is Purchase.ON_DEMAND:
            counts = {"cores", size.counted_as}
        vcpus = more * size.counted_vcpus
        with translated(asked):
            for usage in self.clients.compute(scope.account).usage.list(scope.region):
                name = needed(usage.name.value, "a quota's name")
                if name.lower() in counts and usage.current_value + vcpus > usage.limit:
                    said = f"{name}: {usage.current_value} of {usage.limit}, {vcpus:g} more asked"
                    raise QuotaReached(asked, "QuotaExceeded", said)


def ended(poller: LROPoller[object], within_s: float) -> bool:
    """Whether what the cloud has taken on ends in time; raises when it fails by then."""
    poller.wait(within_s)
    return poller.done()


def resized(one: VirtualMachineScaleSet, capacity: int) -> Sku:
    """Its size and tier, and another capacity."""
    sku = needed(one.sku, "a scale set's size")
    return Sku(name=sku.name, tier=sku.tier, capacity=capacity)


def size_of(one: VirtualMachineScaleSet) -> int:
    return (one.sku.capacity or 0) if one.sku is not None else 0


def mixed(
    one: VirtualMachineScaleSet, names: tuple[str, ...], mix: PriorityMixPolicy | None
) -> VirtualMachineScaleSetUpdate:
    """The change that makes new machines of ``names``. A mix of sizes stays one, even of one."""
    properties = VirtualMachineScaleSetUpdateProperties(priority_mix_policy=mix)
    held = needed(one.properties, "a scale set's properties")
    if len(names) == 1 and held.sku_profile is None:
        tier = one.sku.tier if one.sku is not None else None
        sku = Sku(name=names[0], tier=tier, capacity=size_of(one))
    else:
        sku = Sku(name=MIXED, capacity=size_of(one))
        if types_of(one) != names or held.sku_profile is None:
            properties.sku_profile = profile_of(names)
    return VirtualMachineScaleSetUpdate(sku=sku, properties=properties)


def profile_of(names: tuple[str, ...]) -> SkuProfile:
    """The first that can be had of ``names``."""
    return SkuProfile(
        vm_sizes=[SkuProfileVMSize(name=name, rank=rank) for rank, name in enumerate(names)],
        allocation_strategy=AllocationStrategy.PRIORITIZED,
    )


def policy_of(on_demand_base: int, spot_share: float) -> PriorityMixPolicy:
    return PriorityMixPolicy(
        base_regular_priority_count=on_demand_base,
        regular_priority_percentage_above_base=NO_MIX - round(NO_MIX * spot_share),
    )
