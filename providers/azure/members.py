"""What is done to single machines: start, restart, replace, drain.

Replacing needs two changes, which no call of Azure makes at once. The first raises the capacity by
one and, in the same conditional change, marks the scale set with a tag that names the machine and
the token; the second ends the machine, which lowers the capacity again. Whoever comes back with the
token sees by the mark that the first was done, and by the machine whether the second was. The old
machine runs until the new one does, and where there is no new one to be had the mark and the
capacity are taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from azure.core import MatchConditions
from azure.mgmt.compute.models import (
    VirtualMachine,
    VirtualMachineScaleSet,
    VirtualMachineScaleSetUpdate,
    VirtualMachineScaleSetVM,
    VirtualMachineUpdate,
)

from models.actions import Drain, Effect, Receipt, Replace, Restart, Start, Target
from models.cloud_errors import (
    Asked,
    CapacityLacking,
    CloudFailed,
    Conflicting,
    NotAccepted,
    NotFound,
    QuotaReached,
)
from models.inventory import InstanceState
from models.offerings import Purchase
from providers.azure.errors import CLOUD, needed, read, translated
from providers.azure.groups import UNDER_WAY, digest, scope_of
from providers.azure.machines import (
    REPLACES,
    RESTARTED,
    View,
    id_of,
    mix_of,
    state_of,
    types_of,
    word,
)
from providers.azure.marks import held, with_mark
from providers.azure.resources import Resource, region_of, resource
from providers.azure.sets import ScaleSets, ended, resized, size_of

_UP: Final = (InstanceState.RUNNING, InstanceState.STARTING)


@dataclass(frozen=True, slots=True)
class _Machine:
    """A machine, the scale set that it is of, its state and its tags."""

    where: Resource
    scale_set: Resource | None
    state: InstanceState | None
    tags: dict[str, str]

    @property
    def member(self) -> str:
        """What its scale set calls it."""
        return self.where.member or self.where.name


@dataclass(frozen=True, slots=True)
class MemberHands:
    """Actions on machines. ``rehearse``: every check, and no change."""

    sets: ScaleSets

    def start(self, asked: Asked, action: Start, rehearse: bool) -> Receipt:
        machine = self._found(asked, action.instance)
        if machine.state in _UP:
            return Receipt(Effect.ALREADY, (machine.where.id,))
        if rehearse:
            return Receipt(Effect.WOULD, (machine.where.id,))
        with translated(asked):
            client = self.sets.clients.compute(machine.where.subscription)
            one = machine.where
            poller: Any = (
                client.virtual_machine_scale_set_vms.begin_start(one.group, one.name, one.member)
                if one.member
                else client.virtual_machines.begin_start(one.group, one.name)
            )
            done = ended(poller, self.sets.clients.access.patience_s)
        return Receipt(Effect.DONE, (machine.where.id,), "" if done else UNDER_WAY)

    def restart(self, asked: Asked, action: Restart, token: str, rehearse: bool) -> Receipt:
        """Azure itself leaves no trace of a restart: it is marked when it was taken on, so that
        only one whose answer was lost is done again.
        """
        machine = self._found(asked, action.instance)
        one, of = machine.where, machine.scale_set
        name = f"{RESTARTED}{machine.member}"
        tags = self.sets.look(asked, of).tags if of is not None else machine.tags
        if held(tags, name) == digest(token):
            return Receipt(Effect.ALREADY, (one.id,))
        if rehearse:
            return Receipt(Effect.WOULD, (one.id,))
        client = self.sets.clients.compute(one.subscription)
        with translated(asked):
            if one.member:
                client.virtual_machine_scale_set_vms.begin_restart(
                    one.group, one.name, one.member, polling=False
                )
            else:
                client.virtual_machines.begin_restart(one.group, one.name, polling=False)
        try:
            self._mark_restarted(asked, machine, name, token)
        except CloudFailed as error:
            note = f"not marked, so another process would restart it again: {error.said}"
            return Receipt(Effect.DONE, (one.id,), note)
        return Receipt(Effect.DONE, (one.id,))

    def _mark_restarted(self, asked: Asked, machine: _Machine, name: str, token: str) -> None:
        """On its scale set; on itself where it is in none. Unless somebody changes it meanwhile."""
        where, of, mark = machine.where, machine.scale_set, digest(token)
        machines = self.sets.clients.compute(where.subscription).virtual_machines
        with translated(asked):
            bearer: VirtualMachine | VirtualMachineScaleSet = (
                self.sets.look(asked, of) if of is not None
                else machines.get(where.group, where.name)
            )  # fmt: skip
            tags = with_mark(bearer.tags, name, mark, datetime.now(UTC))
            if tags is None:
                raise NotAccepted(asked, "TooManyTags", "there is no room for one tag more")
            if of is not None and isinstance(bearer, VirtualMachineScaleSet):
                self.sets.change(
                    asked, of, bearer, VirtualMachineScaleSetUpdate(tags=tags),
                    lambda now: held(now.tags, name) == mark, 0.0,
                )  # fmt: skip
                return
            machines.begin_update(
                where.group, where.name, VirtualMachineUpdate(tags=tags), etag=bearer.etag,
                match_condition=MatchConditions.IfNotModified if bearer.etag else None,
                polling=False,
            )  # fmt: skip

    def replace(self, asked: Asked, action: Replace, token: str, rehearse: bool) -> Receipt:
        try:
            machine = self._found(asked, action.instance)
        except NotFound:
            if self._was_replaced(asked, action.instance, token):
                return Receipt(Effect.DONE, (action.instance.id,))
            raise
        if machine.scale_set is None:
            raise NotAccepted(asked, "NoScaleSet", f"{machine.where.name} is in no scale set")
        if rehearse:
            self._check_room(asked, action.instance, machine.scale_set)
            return Receipt(Effect.WOULD, (machine.where.id,))
        self._surge(asked, machine, machine.scale_set, token)
        of = machine.scale_set
        with translated(asked):
            members = self.sets.clients.compute(of.subscription).virtual_machine_scale_set_vms
            members.begin_delete(of.group, of.name, machine.member, polling=False)
        return Receipt(Effect.DONE, (machine.where.id,))

    def drain(self, asked: Asked, action: Drain, token: str, rehearse: bool) -> Receipt:
        machine = self._found(asked, action.instance)
        if machine.scale_set is None:
            return Receipt(Effect.ALREADY, (machine.where.id,))
        if machine.where.member:
            said = "machines cannot leave a uniform scale set: use a flexible one, or replace it"
            raise NotAccepted(asked, "UniformScaleSet", said)
        if rehearse:
            if action.replace:
                self._check_room(asked, action.instance, machine.scale_set)
            return Receipt(Effect.WOULD, (machine.where.id,))
        if action.replace:
            self._surge(asked, machine, machine.scale_set, token)
        with translated(asked):
            machines = self.sets.clients.compute(machine.where.subscription).virtual_machines
            leave = VirtualMachineUpdate({"properties": {"virtualMachineScaleSet": None}})
            poller = machines.begin_update(machine.where.group, machine.where.name, leave)
            done = ended(poller, self.sets.clients.access.patience_s)
        return Receipt(Effect.DONE, (machine.where.id,), "" if done else UNDER_WAY)

    def _found(self, asked: Asked, target: Target) -> _Machine:
        """The machine that is meant; raises ``NotFound`` where there is none."""
        where = resource(target.id)
        is_machine = where is not None and (not where.is_set or where.member != "")
        if where is None or not is_machine or where.subscription != target.account:
            raise NotFound(asked, "ResourceNotFound", f"{target.id} is no machine there")
        client = self.sets.clients.compute(where.subscription)
        one: VirtualMachine | VirtualMachineScaleSetVM
        of: Resource | None = None
        with translated(asked):
            if where.member:
                of = where.scale_set
                one = client.virtual_machine_scale_set_vms.get(
                    where.group, where.name, where.member, expand="instanceView"
                )
                view: View | None = needed(one.properties, "its properties").instance_view
            else:
                one = client.virtual_machines.get(where.group, where.name, expand="instanceView")
                properties = needed(one.properties, "its properties")
                link, view = properties.virtual_machine_scale_set, properties.instance_view
                of = resource(id_of(link.id)) if link is not None and link.id else None
            state = state_of(view.statuses) if view is not None else None
        if f"{CLOUD}/{region_of(one.location)}" != target.place:
            raise NotFound(asked, "ResourceNotFound", f"{target.id} is not in {target.place}")
        return _Machine(where, of, state, dict(one.tags or {}))

    def _check_room(self, asked: Asked, target: Target, of: Resource) -> None:
        """For one machine more, until the other has gone."""
        one = self.sets.look(asked, of)
        base, share = mix_of(one)
        spot = share >= 1.0 and size_of(one) >= base
        scope = scope_of(target)
        (first,) = self.sets.check_sizes(asked, scope, types_of(one)[:1], spot)
        purchase = Purchase.SPOT if spot else Purchase.ON_DEMAND
        self.sets.check_quotas(asked, scope, first, 1, purchase)

    def _surge(self, asked: Asked, machine: _Machine, of: Resource, token: str) -> None:
        """One machine more than before, once for the token, and wait until it is there."""
        one = self.sets.look(asked, of)
        name = f"{REPLACES}{machine.member}"
        under = held(one.tags, name)
        if under == digest(token):
            self._look_again(asked, one, of, name)
            return
        if under:
            raise Conflicting(asked, "UnderWay", f"{machine.member} is being replaced already")
        tags = with_mark(one.tags, name, digest(token), datetime.now(UTC))
        if tags is None:
            said = f"{of.name} has no room for one tag more, by which it is known what was replaced"
            raise NotAccepted(asked, "TooManyTags", said)
        update = VirtualMachineScaleSetUpdate(tags=tags, sku=resized(one, size_of(one) + 1))
        try:
            done = self.sets.change(
                asked, of, one, update, lambda now: held(now.tags, name) == digest(token),
                self.sets.clients.access.surge_s,
            )  # fmt: skip
        except (CapacityLacking, NotAccepted, QuotaReached):
            self._take_back(asked, of, name)
            raise
        if not done:
            raise Conflicting(asked, "UnderWay", "the new machine is still being started")

    def _look_again(
        self, asked: Asked, one: VirtualMachineScaleSet, of: Resource, name: str
    ) -> None:
        """What came of an earlier attempt with the same token."""
        match word(needed(one.properties, "its properties").provisioning_state):
            case "succeeded":
                return
            case "failed":
                self._take_back(asked, of, name)
                raise CapacityLacking(asked, "SurgeFailed", "the new machine could not be started")
            case other:
                raise Conflicting(asked, "UnderWay", f"its scale set is {other}")

    def _take_back(self, asked: Asked, of: Resource, name: str) -> None:
        one = self.sets.look(asked, of)
        if name not in (one.tags or {}):
            return
        tags = {key: value for key, value in (one.tags or {}).items() if key != name}
        update = VirtualMachineScaleSetUpdate(tags=tags, sku=resized(one, size_of(one) - 1))
        self.sets.change(
            asked, of, one, update, lambda now: name not in (now.tags or {}),
            self.sets.clients.access.patience_s,
        )  # fmt: skip

    def _was_replaced(self, asked: Asked, target: Target, token: str) -> bool:
        """Whether a scale set of the region bears the mark of it: then the machine has gone."""
        where = resource(target.id)
        if where is None:
            return False
        scope = scope_of(target)
        sets = self.sets.clients.compute(scope.account).virtual_machine_scale_sets
        return any(
            held(one.tags, f"{REPLACES}{where.member or where.name}") == digest(token)
            for one in read(asked, lambda: sets.list_by_location(scope.region))
        )
