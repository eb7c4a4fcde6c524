"""What is done to whole scale sets: resize, take other sizes, create, delete.

Every change is conditional on what was looked at, and looked for before it is made: doing it again
after a lost answer finds it done.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from azure.core import MatchConditions
from azure.mgmt.compute.models import VirtualMachineScaleSet, VirtualMachineScaleSetUpdate

from models.actions import CreateGroup, DeleteGroup, Effect, Receipt, Remix, Resize, Target
from models.cloud_errors import Asked, Conflicting, NotAccepted, NotFound
from models.offerings import Purchase
from providers.azure.errors import CLOUD, needed, translated
from providers.azure.machines import (
    TOKEN,
    is_flexible,
    labels_of,
    mix_of,
    starts_spot,
    types_of,
    whole_percent,
    word,
)
from providers.azure.resources import Resource, region_of, resource
from providers.azure.sets import (
    MIXED,
    ScaleSets,
    ended,
    mixed,
    policy_of,
    profile_of,
    resized,
    size_of,
)
from providers.seam import Scope

UNDER_WAY: Final = "under way"
NO_MAXIMUM: Final = "Azure keeps no maximum with a scale set"


def digest(token: str) -> str:
    """What a token leaves in a tag: as unique, and of plain letters."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def scope_of(target: Target) -> Scope:
    return Scope(CLOUD, target.account, target.place.partition("/")[2])


@dataclass(frozen=True, slots=True)
class GroupHands:
    """Actions on scale sets. ``rehearse``: every check, and no change."""

    sets: ScaleSets

    def resize(self, asked: Asked, action: Resize, rehearse: bool) -> Receipt:
        if action.desired < 0:
            raise NotAccepted(asked, "BadSize", f"{action.desired} is no size")
        where, one = self.sets.found(asked, action.group)
        before, names = size_of(one), types_of(one)
        if before == action.desired:
            return Receipt(Effect.ALREADY, (where.id,))
        if not names:
            raise NotAccepted(asked, "NoSize", "its machines are attached by hand; it starts none")
        if rehearse:
            base, share = mix_of(one)
            spot = share >= 1.0 and action.desired > base
            scope = scope_of(action.group)
            (first,) = self.sets.check_sizes(asked, scope, names[:1], spot)
            purchase = Purchase.SPOT if spot else Purchase.ON_DEMAND
            self.sets.check_quotas(asked, scope, first, action.desired - before, purchase)
            return Receipt(Effect.WOULD, (where.id,))
        done = self.sets.change(
            asked, where, one, VirtualMachineScaleSetUpdate(sku=resized(one, action.desired)),
            lambda now: size_of(now) == action.desired, self.sets.clients.access.patience_s,
        )  # fmt: skip
        return Receipt(Effect.DONE, (where.id,), "" if done else UNDER_WAY)

    def remix(self, asked: Asked, action: Remix, rehearse: bool) -> Receipt:
        where, one = self.sets.found(asked, action.group)
        _check_share(asked, action.spot_share)
        names, share = action.instance_types, whole_percent(action.spot_share)
        base = action.on_demand_base if share else 0
        if (types_of(one), *mix_of(one)) == (names, base, share):
            return Receipt(Effect.ALREADY, (where.id,))
        self.sets.check_sizes(asked, scope_of(action.group), names, share > 0)
        if is_flexible(one):
            if share and not starts_spot(one):
                said = "its machines are regular for good: create another scale set for spot"
                raise NotAccepted(asked, "RegularScaleSet", said)
        else:
            _check_uniform(asked, one, action)
        if rehearse:
            return Receipt(Effect.WOULD, (where.id,))
        policy = policy_of(base, share) if is_flexible(one) and starts_spot(one) else None
        done = self.sets.change(
            asked, where, one, mixed(one, names, policy),
            lambda now: (types_of(now), *mix_of(now)) == (names, base, share),
            self.sets.clients.access.patience_s,
        )  # fmt: skip
        return Receipt(Effect.DONE, (where.id,), "" if done else UNDER_WAY)

    def create(self, asked: Asked, action: CreateGroup, token: str, rehearse: bool) -> Receipt:
        _check_share(asked, action.spot_share)
        template = self._template(asked, action)
        where = Resource(action.account, template[0].group, action.name.lower(), True)
        wanted = self._model(asked, action, template[1], token)
        there = self._there(asked, where)
        if there is not None:
            if (there.tags or {}).get(TOKEN) == digest(token) or _settings(there) == _settings(
                wanted
            ):
                return Receipt(Effect.ALREADY, (where.id,), NO_MAXIMUM)
            raise Conflicting(asked, "AlreadyExists", f"{action.name} is there, and another")
        if rehearse:
            scope = Scope(CLOUD, action.account, action.place.partition("/")[2])
            spot = whole_percent(action.spot_share) >= 1.0 and not action.on_demand_base
            (first,) = self.sets.check_sizes(asked, scope, action.instance_types[:1], spot)
            purchase = Purchase.SPOT if spot else Purchase.ON_DEMAND
            self.sets.check_quotas(asked, scope, first, action.desired, purchase)
            return Receipt(Effect.WOULD, (where.id,), NO_MAXIMUM)
        return self._put(asked, action, where, wanted, token)

    def delete(self, asked: Asked, action: DeleteGroup, rehearse: bool) -> Receipt:
        where, one = self.sets.found(asked, action.group)
        if word(needed(one.properties, "its properties").provisioning_state) == "deleting":
            return Receipt(Effect.ALREADY, (where.id,))
        if not rehearse:
            with translated(asked):
                sets = self.sets.clients.compute(where.subscription).virtual_machine_scale_sets
                sets.begin_delete(where.group, where.name, polling=False)
        return Receipt(Effect.DONE, (where.id,))

    def _template(
        self, asked: Asked, action: CreateGroup
    ) -> tuple[Resource, VirtualMachineScaleSet]:
        """The scale set to take after, by id or as ``resource-group/name``."""
        where = resource(action.template)
        if where is None and action.template.count("/") == 1:
            group, _, name = action.template.lower().partition("/")
            where = Resource(action.account, group, name, True)
        if where is None or not where.is_set or where.member:
            said = f"{action.template} is no scale set: give its id, or resource-group/name"
            raise NotAccepted(asked, "BadTemplate", said)
        one = self.sets.look(asked, where)
        if f"{CLOUD}/{region_of(one.location)}" != action.place:
            said = f"{action.template} is in {one.location}; its network does not reach elsewhere"
            raise NotAccepted(asked, "TemplateElsewhere", said)
        return where, one

    def _there(self, asked: Asked, where: Resource) -> VirtualMachineScaleSet | None:
        try:
            return self.sets.look(asked, where)
        except NotFound:
            return None

    def _model(
        self, asked: Asked, action: CreateGroup, template: VirtualMachineScaleSet, token: str
    ) -> VirtualMachineScaleSet:
        """The template's model, without what is its own: identity, tags, state."""
        names, share = action.instance_types, whole_percent(action.spot_share)
        scope = Scope(CLOUD, action.account, action.place.partition("/")[2])
        sizes = self.sets.check_sizes(asked, scope, names, share > 0)
        body = template.as_dict(exclude_readonly=True)
        for own in ("identity", "tags", "sku", "zones", "placement"):
            body.pop(own, None)
        zones = sorted(action.zones or template.zones or ())
        if zones:
            body["zones"] = zones
        body["tags"] = {**dict(action.labels), TOKEN: digest(token)}
        properties = body["properties"]
        for own in ("skuProfile", "priorityMixPolicy"):
            properties.pop(own, None)
        flexible = is_flexible(template)
        single = len(names) == 1
        if not flexible and (not single or share not in (0.0, 1.0)):
            said = "its template is a uniform scale set: one instance type, all spot or none"
            raise NotAccepted(asked, "UniformScaleSet", said)
        body["sku"] = {"name": names[0] if single else MIXED, "capacity": action.desired}
        if not single:
            properties["skuProfile"] = profile_of(names).as_dict()
        profile = properties.setdefault("virtualMachineProfile", {})
        # A scale set that begins regular can have no spot later: one that may, begins as spot.
        if share or (flexible and all(size.kind.spot for size in sizes)):
            profile["priority"] = "Spot"
            profile.setdefault("evictionPolicy", "Delete")
            if flexible:
                base = action.on_demand_base if share else 0
                properties["priorityMixPolicy"] = policy_of(base, share).as_dict()
        else:
            profile["priority"] = "Regular"
            for of_spot in ("evictionPolicy", "billingProfile"):
                profile.pop(of_spot, None)
        return VirtualMachineScaleSet(body)

    def _put(
        self,
        asked: Asked,
        action: CreateGroup,
        where: Resource,
        wanted: VirtualMachineScaleSet,
        token: str,
    ) -> Receipt:
        """Create it unless it is there: of several attempts, one makes it."""
        sets = self.sets.clients.compute(where.subscription).virtual_machine_scale_sets
        try:
            with translated(asked):
                poller = sets.begin_create_or_update(
                    where.group, action.name, wanted, etag="*",
                    match_condition=MatchConditions.IfMissing,
                )  # fmt: skip
                done = ended(poller, self.sets.clients.access.patience_s)
        except Conflicting:
            there = self._there(asked, where)
            if there is None or (there.tags or {}).get(TOKEN) != digest(token):
                raise
            done = True
        return Receipt(Effect.DONE, (where.id,), NO_MAXIMUM if done else UNDER_WAY)


def _settings(one: VirtualMachineScaleSet) -> tuple[object, ...]:
    """What a scale set was asked to be."""
    return (
        region_of(one.location), types_of(one), mix_of(one), tuple(sorted(one.zones or ())),
        size_of(one), labels_of(one.tags), is_flexible(one),
    )  # fmt: skip


def _check_share(asked: Asked, share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise NotAccepted(asked, "BadShare", f"{share} is no share")


def _check_uniform(asked: Asked, one: VirtualMachineScaleSet, action: Remix) -> None:
    """A uniform scale set has one size and one priority, and may resize what runs."""
    if len(action.instance_types) > 1 or whole_percent(action.spot_share) != mix_of(one)[1]:
        said = "a uniform scale set has one instance type, and stays spot or regular for good"
        raise NotAccepted(asked, "UniformScaleSet", said)
    policy = needed(one.properties, "a scale set's properties").upgrade_policy
    mode = word(policy.mode) if policy is not None else ""
    if mode != "manual":
        said = f"its upgrade policy is {mode or 'unknown'}: what runs would be restarted to resize"
        raise NotAccepted(asked, "UpgradePolicy", said)
