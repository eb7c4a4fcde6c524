"""What a group's new instances are: machine types by rank, and versions on demand and spot.

Machine types of a regional group stand in its instance flexibility policy, one selection for each
in order of preference; a zonal group has none, so that its template says the type. Whether
instances are spot stands in the template: a mix is two versions of the group.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from google.cloud import compute_v1

from models.cloud_errors import Asked, Conflicting, NotAccepted
from providers.gcp.clients import Clients, asked
from providers.gcp.operations import Operations, request_id
from providers.gcp.templates import GLOBAL, MADE_BY, Template, address, is_spot, stem

_STAYS: Final = re.compile(r"(a[2-9]x?|g[24]|h3|h4d|ct\w+)-.*|.*-metal")
"""Machine types that Google cannot move to another host while they run."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What new instances shall be."""

    instance_types: tuple[str, ...]
    on_demand_base: int
    spot_share: float

    def check(self, what: Asked) -> None:
        """Raises ``NotAccepted`` for what a managed instance group cannot be."""
        if not self.instance_types:
            raise NotAccepted(what, "NoType", "at least one machine type is needed")
        if not 0.0 <= self.spot_share <= 1.0 or self.on_demand_base < 0:
            said = f"{self.on_demand_base} on demand and {self.spot_share} of others is no mix"
            raise NotAccepted(what, "BadMix", said)
        if self.on_demand_base and 0.0 < self.spot_share < 1.0:
            said = "a base on demand goes with a spot share of 0 or 1 only"
            raise NotAccepted(what, "BadMix", said)
        if abs(self.spot_share * 100.0 - round(self.spot_share * 100.0)) > 1e-6:
            raise NotAccepted(what, "BadMix", "the spot share must be in whole per cent")

    @property
    def settled(self) -> tuple[tuple[str, ...], int, float]:
        """For comparison: a base says nothing where all are on demand."""
        base = self.on_demand_base if self.spot_share else 0
        return self.instance_types, base, round(self.spot_share, 6)


def versions(mix: Mix, on_demand: str, spot: str) -> list[dict[str, Any]]:
    """The versions of a group, by the addresses of their templates; the last one has the rest."""
    if mix.spot_share == 0.0:
        return [{"name": "on-demand", "instanceTemplate": on_demand}]
    if mix.spot_share == 1.0 and not mix.on_demand_base:
        return [{"name": "spot", "instanceTemplate": spot}]
    if mix.spot_share == 1.0:
        size: dict[str, int] = {"fixed": mix.on_demand_base}
        return [
            {"name": "spot", "instanceTemplate": spot},
            {"name": "on-demand", "instanceTemplate": on_demand, "targetSize": size},
        ]
    size = {"percent": round(100.0 * mix.spot_share)}
    return [
        {"name": "on-demand", "instanceTemplate": on_demand},
        {"name": "spot", "instanceTemplate": spot, "targetSize": size},
    ]


def selections(instance_types: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Instance selections, ranked in the order given."""
    return {
        f"choice-{rank:03d}": {"machineTypes": [name], "rank": rank}
        for rank, name in enumerate(instance_types)
    }


def patch_of(
    one: compute_v1.InstanceGroupManager,
    has: tuple[str, ...],
    mix: Mix,
    made: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """The merge patch that turns a group of types ``has`` to ``mix``. ``made``: versions, None: as
    they are.

    What runs is left alone: only new instances are of the new kind.
    """
    policy = one.update_policy
    body: dict[str, Any] = {
        "updatePolicy": {
            "type": "OPPORTUNISTIC", "minimalAction": policy.minimal_action or "REPLACE",
        },
    }  # fmt: skip
    if made is not None:
        body["versions"] = made
    if not one.zone and has != mix.instance_types:
        chosen = selections(mix.instance_types)
        there = one.instance_flexibility_policy.instance_selections
        # A merge patch keeps what it does not name.
        gone = dict.fromkeys(sorted(set(there) - set(chosen)))
        body["instanceFlexibilityPolicy"] = {"instanceSelections": {**gone, **chosen}}
        if one.distribution_policy.target_shape in ("", "EVEN"):
            # Groups of several machine types must not be spread evenly.
            body["distributionPolicy"] = {"targetShape": "BALANCED"}
        body["updatePolicy"]["instanceRedistributionType"] = "NONE"
    return body


@dataclass(frozen=True, slots=True)
class TemplateMaker:
    """Makes templates that differ from others in the machine type, or in being spot.

    ``instance_types``: what the group's instances may be.
    """

    clients: Clients
    project: str
    region: str
    instance_types: tuple[str, ...]

    def variant(self, base: Template, spot: bool, machine_type: str, token: str | None) -> str:
        """The address of a template like ``base``; ``machine_type`` empty: as it is there.

        Named by its content, so that the same is made once. ``token`` None: none is made.
        """
        if base.spot == spot and machine_type in ("", base.machine_type):
            return base.address
        content = compute_v1.InstanceProperties.from_json(
            compute_v1.InstanceProperties.to_json(base.content.properties)
        )
        if machine_type:
            content.machine_type = machine_type
        _turn(content, spot, self.instance_types)
        digest = hashlib.sha256(
            compute_v1.InstanceProperties.to_json(content, sort_keys=True).encode()
        ).hexdigest()[:8]
        name = f"{stem(base.content.name)}-tt-{digest}"
        if token is not None:
            made = compute_v1.InstanceTemplate(name=name, description=MADE_BY, properties=content)
            self._insert(made, base.where, token)
        return address(self.project, base.where, name)

    def _insert(self, one: compute_v1.InstanceTemplate, where: str, token: str) -> None:
        rid = request_id(token, one.name)
        region = where.removeprefix("regions/")
        try:
            if where == GLOBAL:
                what = asked("compute.instanceTemplates.insert", self.project, self.region)
                client = self.clients.compute(compute_v1.InstanceTemplatesClient)
                operation = self.clients.call(what, client.insert_unary, {
                    "project": self.project, "instance_template_resource": one, "request_id": rid,
                })  # fmt: skip
            else:
                what = asked("compute.regionInstanceTemplates.insert", self.project, region)
                regional = self.clients.compute(compute_v1.RegionInstanceTemplatesClient)
                operation = self.clients.call(what, regional.insert_unary, {
                    "project": self.project, "region": region,
                    "instance_template_resource": one, "request_id": rid,
                })  # fmt: skip
        except Conflicting:
            return  # named by its content: it is there already
        # A group cannot take a template that is not there yet.
        Operations(self.clients, self.project).done(what, operation)


def _turn(
    content: compute_v1.InstanceProperties, spot: bool, instance_types: tuple[str, ...]
) -> None:
    """Make ``content`` spot, or on demand with what spot has taken from it."""
    scheduling, was_spot = content.scheduling, is_spot(content.scheduling)
    scheduling.provisioning_model = "SPOT" if spot else "STANDARD"
    scheduling.preemptible = False
    if spot:
        scheduling.automatic_restart = False
        scheduling.on_host_maintenance = "TERMINATE"
    elif was_spot:
        scheduling.automatic_restart = True
        names = (content.machine_type, *instance_types)
        if (
            content.guest_accelerators
            or content.confidential_instance_config.enable_confidential_compute
            or any(_STAYS.fullmatch(name) for name in names)
        ):
            scheduling.on_host_maintenance = "TERMINATE"
        else:
            scheduling.on_host_maintenance = "MIGRATE"
        if not (scheduling.max_run_duration.seconds or scheduling.termination_time):
            del scheduling.instance_termination_action
