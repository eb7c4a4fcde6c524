"""What runs in Google Cloud projects, what could run, and how much of it may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from google.cloud import compute_v1

from models.cloud_errors import Asked, CloudFailed, NotFound, Unavailable
from models.inventory import (
    Instance,
    InstanceGroup,
    InstanceState,
    InstanceType,
    OwnedCommitment,
    Quota,
)
from models.offerings import Architecture, Purchase
from providers.gcp import groups, quotas
from providers.gcp.clients import Clients, asked
from providers.gcp.commitments import owned
from providers.gcp.names import Named, in_address, last, time_of
from providers.gcp.rates import Catalog, Rates
from providers.gcp.regions import GONE, Regions
from providers.gcp.templates import is_spot
from providers.gcp.variants import variant_of
from providers.pricebook.families import family_of
from providers.pricebook.gcp_section import SHAPES
from providers.seam import Scope, Scopes

PAGE_ROWS: Final = 500
CREATED_BY: Final = "created-by"

_STATES: Final = {
    "PENDING": InstanceState.STARTING,
    "PROVISIONING": InstanceState.STARTING,
    "STAGING": InstanceState.STARTING,
    "REPAIRING": InstanceState.STARTING,
    "RUNNING": InstanceState.RUNNING,
    "PENDING_STOP": InstanceState.STOPPING,
    "STOPPING": InstanceState.STOPPING,
    "SUSPENDING": InstanceState.STOPPING,
    "DEPROVISIONING": InstanceState.STOPPING,
    "STOPPED": InstanceState.STOPPED,
    "SUSPENDED": InstanceState.STOPPED,
    "TERMINATED": InstanceState.STOPPED,
}
_ARM: Final = frozenset({"t2a", "c4a", "n4a", "a4x"})
"""Families of ARM processors, for machine types that do not say."""


@dataclass(frozen=True, slots=True)
class GcpInventory:
    """``providers.seam.Inventory`` of Google Cloud. Every region is asked by itself, zone by zone,
    so that one that does not answer spoils no other.
    """

    clients: Clients
    regions: Regions
    catalog: Catalog
    page_rows: int = PAGE_ROWS
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def scopes(self) -> Scopes:
        return self.regions.scopes()

    def instances(self, scope: Scope) -> Iterator[Instance]:
        what = asked("compute.instances.list", scope.account, scope.region)
        client = self.clients.compute(compute_v1.InstancesClient)
        members = groups.Members(self.clients, scope, self.page_rows)
        for zone in self.regions.zones(scope):
            request = compute_v1.ListInstancesRequest(
                project=scope.account, zone=zone, max_results=self.page_rows
            )
            for page in self.clients.pages(what, client.list, request):
                for one in page.items:
                    yield instance(what, scope, zone, one, members)

    def groups(self, scope: Scope) -> Iterator[InstanceGroup]:
        return groups.groups(self.clients, scope, self.regions.zones(scope), self.page_rows)

    def instance_types(self, scope: Scope) -> Iterator[InstanceType]:
        found: dict[str, InstanceType] = {}
        for zone, one in self._machine_types(scope):
            row = found.get(one.name) or instance_type(scope, one)
            found[one.name] = replace(row, zones=(*row.zones, zone))
        yield from (found[name] for name in sorted(found))

    def shapes(self, region: str) -> tuple[compute_v1.MachineType, ...]:
        """Every machine type of a region, as the first project sees it that can read them.

        Raises why the first one cannot when none can.
        """
        failed: CloudFailed | None = None
        for scope in self.regions.with_region(region):
            try:
                found = {one.name: one for _, one in self._machine_types(scope)}
            except CloudFailed as error:
                failed = failed or error
            else:
                return tuple(found[name] for name in sorted(found))
        what = asked("compute.regions.list", "", region)
        raise failed or NotFound(what, "NoRegion", "no project may use the region")

    def _machine_types(self, scope: Scope) -> Iterator[tuple[str, compute_v1.MachineType]]:
        what = asked("compute.machineTypes.list", scope.account, scope.region)
        client = self.clients.compute(compute_v1.MachineTypesClient)
        for zone in self.regions.zones(scope):
            request = compute_v1.ListMachineTypesRequest(
                project=scope.account, zone=zone, max_results=self.page_rows
            )
            for page in self.clients.pages(what, client.list, request):
                for one in page.items:
                    yield zone, one

    def quotas(self, scope: Scope) -> Iterator[Quota]:
        what, region = (
            asked("compute.regions.get", scope.account, scope.region),
            self.regions.read(scope),
        )
        if region.quota_status_warning.code:
            said = region.quota_status_warning.message or "the region came without its quotas"
            raise Unavailable(what, region.quota_status_warning.code, said)
        yield from quotas.quotas(scope, region.quotas)
        yield from quotas.by_family(self.clients, scope, region.quotas, self.clock())

    def commitments(self, scope: Scope) -> Iterator[OwnedCommitment]:
        """Without the catalogue they come without what they cost, and then why."""
        what = asked("compute.regionCommitments.list", scope.account, scope.region)
        client = self.clients.compute(compute_v1.RegionCommitmentsClient)
        request = compute_v1.ListRegionCommitmentsRequest(
            project=scope.account, region=scope.region, max_results=self.page_rows
        )
        unpriced: CloudFailed | None = None
        for page in self.clients.pages(what, client.list, request):
            for one in page.items:
                try:
                    row = owned(what, scope, one, self.catalog.rates)
                except CloudFailed as error:
                    unpriced = unpriced or error
                    row = owned(what, scope, one, Rates)
                if row is not None:
                    yield row
        if unpriced is not None:
            raise unpriced


def instance(
    what: Asked, scope: Scope, zone: str, one: compute_v1.Instance, members: groups.Members
) -> Instance:
    """An instance as a row."""
    if one.status not in _STATES:
        raise Unavailable(what, "BadState", f"{one.name} is {one.status or 'in no state'}")
    maker = made_by(one)
    group = "" if maker is None else members.group_of(maker, Named(zone, one.name))
    return Instance(
        Named(zone, str(one.id)).id, scope.account, scope.place, zone, last(one.machine_type),
        Purchase.SPOT if is_spot(one.scheduling) else Purchase.ON_DEMAND, _STATES[one.status],
        time_of(what, one.creation_timestamp), group, tuple(sorted(one.labels.items())),
        variant=variant_of(one),
    )  # fmt: skip


def made_by(one: compute_v1.Instance) -> Named | None:
    """The group that made an instance, whether or not it has left it since."""
    value = next((item.value for item in one.metadata.items if item.key == CREATED_BY), "")
    return in_address(value) if "instanceGroupManagers" in value else None


def instance_type(scope: Scope, one: compute_v1.MachineType) -> InstanceType:
    """A machine type as a row, without zones."""
    family = family_of(one.name)
    shape = SHAPES.get(one.name)
    restriction = f"{one.deprecated.state.lower()}" if one.deprecated.state in GONE else ""
    arm = one.architecture == "ARM64" or (not one.architecture and family in _ARM)
    return InstanceType(
        scope.place, one.name, scope.account, float(one.guest_cpus),
        shape.baseline_vcpus if shape is not None and one.is_shared_cpu else None,
        one.memory_mb / 1024.0, Architecture.ARM64 if arm else Architecture.X86_64, family,
        float(sum(card.guest_accelerator_count for card in one.accelerators)),
        ", ".join(sorted(card.guest_accelerator_type for card in one.accelerators)),
        one.is_shared_cpu, restriction=restriction,
    )  # fmt: skip
