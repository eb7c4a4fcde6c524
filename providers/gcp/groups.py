"""Managed instance groups, zonal and regional: what they keep at a number, and who is in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from google.cloud import compute_v1

from models.cloud_errors import CloudFailed, NotFound
from models.inventory import GroupKind, InstanceGroup, Labels
from models.secrets import without_secrets
from providers.gcp.clients import Clients, asked
from providers.gcp.names import Named, in_address, last
from providers.gcp.templates import Template, Templates
from providers.seam import Scope

_OFF: Final = "OFF"


def groups(
    clients: Clients, scope: Scope, zones: tuple[str, ...], page_rows: int
) -> Iterator[InstanceGroup]:
    """The groups of a region and its zones.

    One whose template cannot be read ends no others: why is raised after all others have come.
    """
    bounds = _bounds(clients, scope, zones, page_rows)
    templates = Templates(clients, scope)
    failed: CloudFailed | None = None
    for one in _managers(clients, scope, zones, page_rows):
        try:
            row = group(scope, one, bounds, templates)
        except CloudFailed as error:
            failed = failed or error
            continue
        if row.healthy < row.desired:
            try:
                row = replace(row, trouble=_trouble(clients, scope, one))
            except CloudFailed as error:
                failed = failed or error
        yield row
    if failed is not None:
        raise failed


def _trouble(clients: Clients, scope: Scope, one: compute_v1.InstanceGroupManager) -> str:
    """Why the group last could not do what it is to do, in Google's words; empty when it could."""
    request: Any
    method: Any
    if one.zone:
        what = asked("compute.instanceGroupManagers.listErrors", scope.account, scope.region)
        method = clients.compute(compute_v1.InstanceGroupManagersClient).list_errors
        request = compute_v1.ListErrorsInstanceGroupManagersRequest(
            project=scope.account, zone=last(one.zone), instance_group_manager=one.name
        )
    else:
        what = asked("compute.regionInstanceGroupManagers.listErrors", scope.account, scope.region)
        method = clients.compute(compute_v1.RegionInstanceGroupManagersClient).list_errors
        request = compute_v1.ListErrorsRegionInstanceGroupManagersRequest(
            project=scope.account, region=scope.region, instance_group_manager=one.name
        )
    newest = ""
    said = ""
    page = clients.found(what, method, request)
    for error in page.items if page is not None else ():
        if error.timestamp >= newest:
            newest, said = error.timestamp, f"{error.error.code}: {error.error.message}"
    return without_secrets(said)


def _managers(
    clients: Clients, scope: Scope, zones: tuple[str, ...], page_rows: int
) -> Iterator[compute_v1.InstanceGroupManager]:
    regional = clients.compute(compute_v1.RegionInstanceGroupManagersClient)
    what = asked("compute.regionInstanceGroupManagers.list", scope.account, scope.region)
    request: Any = compute_v1.ListRegionInstanceGroupManagersRequest(
        project=scope.account, region=scope.region, max_results=page_rows
    )
    for page in clients.pages(what, regional.list, request):
        yield from page.items
    zonal = clients.compute(compute_v1.InstanceGroupManagersClient)
    what = asked("compute.instanceGroupManagers.list", scope.account, scope.region)
    for zone in zones:
        request = compute_v1.ListInstanceGroupManagersRequest(
            project=scope.account, zone=zone, max_results=page_rows
        )
        for page in clients.pages(what, zonal.list, request):
            yield from page.items


def _bounds(
    clients: Clients, scope: Scope, zones: tuple[str, ...], page_rows: int
) -> dict[str, tuple[int, int]]:
    """From and to how many instances autoscalers keep groups, by the group's id."""
    found: dict[str, tuple[int, int]] = {}
    regional = clients.compute(compute_v1.RegionAutoscalersClient)
    what = asked("compute.regionAutoscalers.list", scope.account, scope.region)
    request: Any = compute_v1.ListRegionAutoscalersRequest(
        project=scope.account, region=scope.region, max_results=page_rows
    )
    pages = [clients.pages(what, regional.list, request)]
    zonal = clients.compute(compute_v1.AutoscalersClient)
    what = asked("compute.autoscalers.list", scope.account, scope.region)
    for zone in zones:
        request = compute_v1.ListAutoscalersRequest(
            project=scope.account, zone=zone, max_results=page_rows
        )
        pages.append(clients.pages(what, zonal.list, request))
    for walk in pages:
        for page in walk:
            for one in page.items:
                policy = one.autoscaling_policy
                if policy.mode != _OFF:
                    bounds = policy.min_num_replicas, policy.max_num_replicas
                    found[in_address(one.target).id] = bounds
    return found


def group(
    scope: Scope,
    one: compute_v1.InstanceGroupManager,
    bounds: dict[str, tuple[int, int]],
    templates: Templates,
) -> InstanceGroup:
    """A managed instance group as a row."""
    where = last(one.zone) or last(one.region)
    minimum, maximum = bounds.get(Named(where, one.name).id, (0, None))
    own = templates.of_group(one)
    base, share = spot_mix(one, own)
    if one.zone:
        zones: tuple[str, ...] = (where,)
    else:
        zones = tuple(sorted(last(zone.zone) for zone in one.distribution_policy.zones))
    return InstanceGroup(
        Named(where, one.name).id, one.name, GroupKind.MANAGED_INSTANCE_GROUP, scope.account,
        scope.place, zones, min(minimum, one.target_size), one.target_size, maximum,
        one.current_actions.none, machine_types(one, own), base, share,
        own[0].name if own else "", _labels(one, own),
    )  # fmt: skip


def machine_types(
    one: compute_v1.InstanceGroupManager, own: tuple[Template, ...]
) -> tuple[str, ...]:
    """What new instances may be, the first choice first."""
    selections = one.instance_flexibility_policy.instance_selections
    ranked = sorted(selections.items(), key=lambda item: (item[1].rank, item[0]))
    names = [last(name) for _, chosen in ranked for name in chosen.machine_types]
    return tuple(dict.fromkeys(names or [template.machine_type for template in own]))


def is_settled(one: compute_v1.InstanceGroupManager, own: tuple[Template, ...]) -> bool:
    """Whether its versions are one, or a mix of on demand and spot, and no update under way."""
    return len(own) == len({template.spot for template in own}) == max(len(one.versions), 1)


def spot_mix(one: compute_v1.InstanceGroupManager, own: tuple[Template, ...]) -> tuple[int, float]:
    """How many instances are on demand before any is spot, and the spot share of the others.

    A mix is two versions, one of either kind, the second with a size of its own.
    """
    if len({template.spot for template in own}) < 2 or len(own) != len(one.versions):
        return 0, float(any(template.spot for template in own))
    sized = [
        (template.spot, version.target_size)
        for template, version in zip(own, one.versions, strict=True)
    ]
    for spot, size in sized:
        if size.percent:
            return 0, size.percent / 100.0 if spot else 1.0 - size.percent / 100.0
        if size.fixed and not spot:
            return size.fixed, 1.0
    fixed = sum(size.fixed for spot, size in sized if spot)
    return 0, fixed / max(one.target_size, 1)


def _labels(one: compute_v1.InstanceGroupManager, own: tuple[Template, ...]) -> Labels:
    """What all its instances carry: a group has no labels of its own."""
    labels = dict(own[0].labels) if own else {}
    return tuple(sorted({**labels, **one.all_instances_config.properties.labels}.items()))


@dataclass(eq=False)
class Members:
    """Who is in the groups of a region, each asked for once.

    What an instance says of the group that made it stays true after it has left the group, so
    that the group is asked.
    """

    clients: Clients
    scope: Scope
    page_rows: int
    _known: dict[Named, frozenset[Named]] = field(default_factory=dict)

    def group_of(self, group: Named, instance: Named) -> str:
        """The id of ``group`` when ``instance`` is in it, empty otherwise."""
        if group not in self._known:
            self._known[group] = frozenset(self._read(group))
        return group.id if instance in self._known[group] else ""

    def _read(self, group: Named) -> Iterator[Named]:
        for one in managed(self.clients, self.scope.account, group, self.page_rows):
            yield in_address(one.instance)


def managed(
    clients: Clients, project: str, group: Named, page_rows: int
) -> Iterator[compute_v1.ManagedInstance]:
    """The instances of a group; none where there is no such group."""
    request: Any
    method: Any
    if group.is_zonal:
        method = clients.compute(compute_v1.InstanceGroupManagersClient).list_managed_instances
        what = asked("compute.instanceGroupManagers.listManagedInstances", project, group.region)
        request = compute_v1.ListManagedInstancesInstanceGroupManagersRequest(
            project=project, zone=group.scope, instance_group_manager=group.name,
            max_results=page_rows,
        )  # fmt: skip
    else:
        regional = clients.compute(compute_v1.RegionInstanceGroupManagersClient)
        method = regional.list_managed_instances
        what = asked(
            "compute.regionInstanceGroupManagers.listManagedInstances", project, group.region
        )
        request = compute_v1.ListManagedInstancesRegionInstanceGroupManagersRequest(
            project=project, region=group.scope, instance_group_manager=group.name,
            max_results=page_rows,
        )  # fmt: skip
    try:
        for page in clients.pages(what, method, request):
            yield from page.managed_instances
    except NotFound:
        return
