"""What can be done in Google Cloud.

Every change carries a request id made from the action's token, so that Google does it once however
often it is sent; and before each change its object is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from google.cloud import compute_v1

from models.actions import (
    Action,
    CreateGroup,
    DeleteGroup,
    Drain,
    Effect,
    Receipt,
    Remix,
    Replace,
    Resize,
    Restart,
    SetWeights,
    Start,
    Target,
    account_of,
    place_of,
)
from models.cloud_errors import Asked, CloudFailed, Conflicting, NotAccepted, NotFound
from providers.gcp import groups
from providers.gcp.clients import CLOUD, Clients, asked
from providers.gcp.drain import drain, member
from providers.gcp.errors import check_operation
from providers.gcp.inventory import PAGE_ROWS, made_by
from providers.gcp.leftovers import sweep
from providers.gcp.mig import Manager
from providers.gcp.names import Named, last, parsed, region_of
from providers.gcp.operations import Operations, request_id
from providers.gcp.remix import Mix, TemplateMaker, patch_of, selections, versions
from providers.gcp.templates import Template, Templates
from providers.ledger import Ledger
from providers.seam import Scope

_RUNS: Final = frozenset({"PENDING", "PROVISIONING", "STAGING", "RUNNING", "REPAIRING"})


@dataclass(frozen=True, slots=True)
class _Order:
    """An action that is being done."""

    token: str
    rehearse: bool


@dataclass(eq=False)
class GcpHands:
    """``providers.seam.Hands`` of Google Cloud."""

    clients: Clients
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _ledger: Ledger = field(default_factory=Ledger)

    def act(self, action: Action, token: str, *, rehearse: bool = False) -> Receipt:
        doing = cast("Callable[[Action, _Order], Receipt]", {
            Resize: self._resize, Remix: self._remix, CreateGroup: self._create,
            DeleteGroup: self._delete, Start: self._start, Restart: self._restart,
            Replace: self._replace, Drain: self._drain, SetWeights: self._set_weights,
        }[type(action)])  # fmt: skip

        def do(rehearsing: bool) -> Receipt:
            return doing(action, _Order(token, rehearsing))

        return self._ledger.act(_asked(action), action, token, do, rehearse=rehearse)

    def _resize(self, action: Resize, order: _Order) -> Receipt:
        if action.desired < 0:
            raise NotAccepted(_asked(action), "BadSize", f"{action.desired} is no size")
        manager = self._manager(action, action.group)
        one = manager.get()
        autoscaler, note = manager.autoscaler(one), ""
        widened = False
        if autoscaler is not None:
            policy = autoscaler.autoscaling_policy
            widened = not policy.min_num_replicas <= action.desired <= policy.max_num_replicas
            note = f"the autoscaler {autoscaler.name} may change the size again"
        if one.target_size == action.desired and not widened:
            return Receipt(Effect.ALREADY, (manager.group.id,), note)
        if not order.rehearse:
            if autoscaler is not None and widened:
                manager.widen(autoscaler, action.desired, order.token)
            manager.resize(action.desired, order.token)
        return Receipt(Effect.DONE, (manager.group.id,), note)

    def _remix(self, action: Remix, order: _Order) -> Receipt:
        what = _asked(action)
        mix = Mix(action.instance_types, action.on_demand_base, action.spot_share)
        mix.check(what)
        manager = self._manager(action, action.group)
        if manager.group.is_zonal and len(mix.instance_types) > 1:
            said = "a zonal group has one machine type; regional groups have several"
            raise NotAccepted(what, "ZonalGroup", said)
        one = manager.get()
        project, region = manager.project, manager.group.region
        own = self._templates(project, region).of_group(one)
        if not own:
            raise NotFound(what, "NoTemplate", f"the template of {manager.group.id} is gone")
        self._check_types(what, project, _zones(one), mix.instance_types)
        base, share = groups.spot_mix(one, own)
        has = Mix(groups.machine_types(one, own), base, share)
        if has.settled == mix.settled:
            return Receipt(Effect.ALREADY, (manager.group.id,))
        of_template = mix.instance_types[0] if manager.group.is_zonal else ""
        anew = bool(of_template) or has.settled[1:] != mix.settled[1:]
        if anew and not groups.is_settled(one, own):
            said = (
                f"the {len(one.versions)} versions of {manager.group.id} are no mix of on demand"
                " and spot: end the update that is under way first"
            )
            raise NotAccepted(what, "SeveralVersions", said)
        notes = ["what runs stays as it is"]
        if not order.rehearse:
            made = None
            if anew:
                made = self._versions(project, region, own, mix, of_template, order.token)
            manager.patch(patch_of(one, has.instance_types, mix, made), order.token)
            if made is not None:
                kept = frozenset(str(version["instanceTemplate"]) for version in made)
                notes.append(self._sweep(project, own, kept, order.token))
        return Receipt(Effect.DONE, (manager.group.id,), "; ".join(filter(None, notes)))

    def _create(self, action: CreateGroup, order: _Order) -> Receipt:
        what, region = _asked(action), action.place.partition("/")[2]
        mix = Mix(action.instance_types, action.on_demand_base, action.spot_share)
        mix.check(what)
        template = self._templates(action.account, region).get(action.template)
        if template is None:
            raise NotFound(what, "NoTemplate", f"there is no template {action.template}")
        manager = Manager(self.clients, action.account, Named(region, action.name))
        try:
            there = manager.get()
        except NotFound:
            there = None
        if there is not None:
            operations = Operations(self.clients, action.account)
            if operations.known(region, order.token, "insert") is not None:
                return Receipt(Effect.ALREADY, (manager.group.id,))
            return self._same_or_not(what, action, mix, template, manager, there)
        zones = action.zones or self._zones(action.account, region)
        self._check_types(what, action.account, zones, mix.instance_types)
        if not order.rehearse:
            made = self._versions(action.account, region, (template,), mix, "", order.token)
            content = _content(action, mix, template, zones, made)
            manager.insert(content, order.token)
        note = "its size has no bound: groups get one from autoscalers"
        return Receipt(Effect.DONE, (manager.group.id,), note)

    def _same_or_not(
        self,
        what: Asked,
        action: CreateGroup,
        mix: Mix,
        template: Template,
        manager: Manager,
        there: compute_v1.InstanceGroupManager,
    ) -> Receipt:
        own = self._templates(manager.project, manager.group.region).of_group(there)
        wanted = self._versions(manager.project, manager.group.region, (template,), mix, "", None)
        base, share = groups.spot_mix(there, own)
        has = Mix(groups.machine_types(there, own), base, share)
        same_zones = not action.zones or set(action.zones) == set(_zones(there))
        labels = dict(there.all_instances_config.properties.labels)
        if (
            {last(one["instanceTemplate"]) for one in wanted}
            == {last(one.instance_template) for one in there.versions}
            and has.settled == mix.settled
            and there.target_size == action.desired
            and same_zones
            and labels == dict(action.labels)
        ):
            return Receipt(Effect.ALREADY, (manager.group.id,))
        raise Conflicting(what, "AlreadyExists", f"{manager.group.id} is another")

    def _delete(self, action: DeleteGroup, order: _Order) -> Receipt:
        manager = self._manager(action, action.group)
        try:
            one = manager.get()
        except NotFound:
            if self._known(action, action.group, order, "delete"):
                return Receipt(Effect.ALREADY, (manager.group.id,))
            raise
        note = ""
        if not order.rehearse:
            try:
                own = self._templates(manager.project, manager.group.region).of_group(one)
            except CloudFailed as error:  # the group can go without being tidied up after
                own, note = (), f"its templates were left: {error.code}: {error.said}"
            manager.delete(order.token)
            note = note or self._sweep(manager.project, own, frozenset(), order.token)
        return Receipt(Effect.DONE, (manager.group.id,), note)

    def _sweep(
        self, project: str, own: tuple[Template, ...], kept: frozenset[str], token: str
    ) -> str:
        return sweep(self.clients, project, own, kept, token, self.clock())

    def _known(self, action: Action, target: Target, order: _Order, step: str) -> bool:
        """Whether Google took on a step of the token before, in the target's zone or region."""
        where = parsed(_asked(action), target.id, target.place.partition("/")[2])
        operations = Operations(self.clients, target.account)
        return not order.rehearse and any(
            operations.known(scope, order.token, step) is not None
            for scope in dict.fromkeys((where.scope, where.region))
        )

    def _start(self, action: Start, order: _Order) -> Receipt:
        where, one = self._instance(action, action.instance)
        if one.status in _RUNS:
            return Receipt(Effect.ALREADY, (where.id,))
        if not order.rehearse:
            self._power(action.instance, where, one, "start", order)
        return Receipt(Effect.DONE, (where.id,))

    def _restart(self, action: Restart, order: _Order) -> Receipt:
        where, one = self._instance(action, action.instance)
        if self._known(action, action.instance, order, "reset"):
            return Receipt(Effect.ALREADY, (where.id,))
        if not order.rehearse:
            self._power(action.instance, where, one, "reset", order)
        return Receipt(Effect.DONE, (where.id,))

    def _power(
        self, target: Target, where: Named, one: compute_v1.Instance, verb: str, order: _Order
    ) -> None:
        client = self.clients.compute(compute_v1.InstancesClient)
        method: Any = client.start_unary if verb == "start" else client.reset_unary
        what = asked(f"compute.instances.{verb}", target.account, where.region)
        request = {
            "project": target.account, "zone": where.scope, "instance": one.name,
            "request_id": request_id(order.token, verb),
        }  # fmt: skip
        check_operation(what, self.clients.call(what, method, request))

    def _replace(self, action: Replace, order: _Order) -> Receipt:
        if self._known(action, action.instance, order, "recreateInstances"):
            return Receipt(Effect.ALREADY, (action.instance.id,))
        where, one = self._instance(action, action.instance)
        manager = self._owner(action.instance.account, where, one)
        if manager is None:
            raise NotAccepted(_asked(action), "NoGroup", f"{where.id} is in no group")
        if not order.rehearse:
            manager.recreate(Named(where.scope, one.name), order.token)
        return Receipt(Effect.DONE, (where.id,))

    def _drain(self, action: Drain, order: _Order) -> Receipt:
        where, one = self._instance(action, action.instance)
        maker, named = made_by(one), Named(where.scope, one.name)
        if maker is None:
            raise NotAccepted(_asked(action), "NoGroup", f"{where.id} is in no group")
        project = action.instance.account
        effect, note = drain(
            Manager(self.clients, project, maker), named,
            member(self.clients, project, maker, named, PAGE_ROWS), order.token,
            replace=action.replace, rehearse=order.rehearse,
        )  # fmt: skip
        return Receipt(effect, (where.id,), note)

    def _set_weights(self, action: SetWeights, order: _Order) -> Receipt:
        said = "weights are set on Route 53 records; records of Cloud DNS are not changed"
        raise NotAccepted(_asked(action), "NoWeights", said)

    def _manager(self, action: Action, target: Target) -> Manager:
        group = parsed(_asked(action), target.id, target.place.partition("/")[2])
        return Manager(self.clients, target.account, group)

    def _instance(self, action: Action, target: Target) -> tuple[Named, compute_v1.Instance]:
        """Where an instance is, and what it is; raises ``NotFound``."""
        where = parsed(_asked(action), target.id, target.place.partition("/")[2])
        what = asked("compute.instances.get", target.account, where.region)
        client = self.clients.compute(compute_v1.InstancesClient)
        request = compute_v1.GetInstanceRequest(
            project=target.account, zone=where.scope, instance=where.name
        )
        return where, self.clients.call(what, client.get, request)

    def _owner(self, project: str, where: Named, one: compute_v1.Instance) -> Manager | None:
        """The group that an instance is in."""
        maker, named = made_by(one), Named(where.scope, one.name)
        if maker is None or member(self.clients, project, maker, named, PAGE_ROWS) is None:
            return None
        return Manager(self.clients, project, maker)

    def _templates(self, project: str, region: str) -> Templates:
        return Templates(self.clients, Scope(CLOUD, project, region))

    def _zones(self, project: str, region: str) -> tuple[str, ...]:
        client = self.clients.compute(compute_v1.RegionsClient)
        request = compute_v1.GetRegionRequest(project=project, region=region)
        what = asked("compute.regions.get", project, region)
        return tuple(
            sorted(last(url) for url in self.clients.call(what, client.get, request).zones)
        )

    def _check_types(
        self, what: Asked, project: str, zones: tuple[str, ...], instance_types: tuple[str, ...]
    ) -> None:
        """Raises ``NotAccepted`` for a machine type that none of the zones has."""
        client = self.clients.compute(compute_v1.MachineTypesClient)
        for name in instance_types:
            for zone in zones:
                request = compute_v1.GetMachineTypeRequest(
                    project=project, zone=zone, machine_type=name
                )
                looking = asked("compute.machineTypes.get", project, region_of(zone))
                if self.clients.found(looking, client.get, request) is not None:
                    break
            else:
                said = f"{name} is not offered in {', '.join(zones)}"
                raise NotAccepted(what, "UnknownType", said)

    def _versions(
        self,
        project: str,
        region: str,
        own: tuple[Template, ...],
        mix: Mix,
        machine_type: str,
        token: str | None,
    ) -> list[dict[str, Any]]:
        """The versions of a group; their templates are made, unless ``token`` is None."""
        maker = TemplateMaker(self.clients, project, region, mix.instance_types)
        on_demand = spot = ""
        if mix.spot_share < 1.0 or mix.on_demand_base:
            base = next((one for one in own if not one.spot), own[0])
            on_demand = maker.variant(base, False, machine_type, token)
        if mix.spot_share > 0.0:
            base = next((one for one in own if one.spot), own[0])
            spot = maker.variant(base, True, machine_type, token)
        return versions(mix, on_demand, spot)


def _content(
    action: CreateGroup,
    mix: Mix,
    template: Template,
    zones: tuple[str, ...],
    made: list[dict[str, Any]],
) -> compute_v1.InstanceGroupManager:
    """A new regional group. It needs a flexibility policy where its machine types are not just the
    template's, and must then not be spread evenly.
    """
    flexible = mix.instance_types != (template.machine_type,)
    body: dict[str, Any] = {
        "name": action.name,
        "baseInstanceName": action.name[:58].rstrip("-"),
        "targetSize": action.desired,
        "versions": made,
        "distributionPolicy": {
            "targetShape": "BALANCED" if flexible else "EVEN",
            "zones": [{"zone": f"projects/{action.account}/zones/{zone}"} for zone in zones],
        },
        "updatePolicy": {
            "type": "OPPORTUNISTIC", "minimalAction": "REPLACE",
            "instanceRedistributionType": "NONE" if flexible else "PROACTIVE",
        },
    }  # fmt: skip
    if flexible:
        body["instanceFlexibilityPolicy"] = {"instanceSelections": selections(mix.instance_types)}
    if action.labels:
        body["allInstancesConfig"] = {"properties": {"labels": dict(action.labels)}}
    content: compute_v1.InstanceGroupManager = compute_v1.InstanceGroupManager.from_json(
        json.dumps(body)
    )
    return content


def _zones(one: compute_v1.InstanceGroupManager) -> tuple[str, ...]:
    if one.zone:
        return (last(one.zone),)
    return tuple(sorted(last(zone.zone) for zone in one.distribution_policy.zones))


def _asked(action: Action) -> Asked:
    region = place_of(action).partition("/")[2]
    return asked(type(action).__name__, account_of(action), region)
