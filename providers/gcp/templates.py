"""Instance templates: what the groups that use them start."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from google.cloud import compute_v1

from models.inventory import Labels
from providers.gcp.clients import Clients, asked
from providers.gcp.names import last
from providers.seam import Scope

GLOBAL: Final = "global"
MADE_BY: Final = "Made by trimtab for groups whose machines change; removed when none uses it."
"""The description of templates that may be removed."""
_MADE: Final = re.compile(r"-tt-[0-9a-f]{8}$")
_ADDRESS: Final = re.compile(
    r"(?:.*projects/(?P<project>[^/]+)/)?"
    r"(?:(?:global/)?instanceTemplates/|regions/(?P<region>[^/]+)/instanceTemplates/)?"
    r"(?P<name>[^/]+)"
)


@dataclass(frozen=True, slots=True)
class Template:
    """``where``: ``global`` or ``regions/REGION``."""

    project: str
    where: str
    machine_type: str
    spot: bool
    labels: Labels
    content: compute_v1.InstanceTemplate

    @property
    def name(self) -> str:
        """As ``CreateGroup.template`` takes it."""
        plain: str = self.content.name
        return plain if self.where == GLOBAL else f"{self.where}/instanceTemplates/{plain}"

    @property
    def address(self) -> str:
        """Its partial URL."""
        return address(self.project, self.where, self.content.name)


@dataclass(eq=False)
class Templates:
    """Templates that a region's groups use, each read once."""

    clients: Clients
    scope: Scope
    _known: dict[str, Template | None] = field(default_factory=dict)

    def of_group(self, one: compute_v1.InstanceGroupManager) -> tuple[Template, ...]:
        """The templates of its versions that still exist."""
        versions = [version.instance_template for version in one.versions]
        found = (self.get(url) for url in versions or [one.instance_template] if url)
        return tuple(template for template in found if template is not None)

    def get(self, given: str) -> Template | None:
        """A template by name or address; None where there is none."""
        if given not in self._known:
            self._known[given] = self._read(given)
        return self._known[given]

    def _read(self, given: str) -> Template | None:
        match = _ADDRESS.fullmatch(given)
        if match is None:
            return None
        region, name = match["region"], match["name"]
        project = match["project"] or self.scope.account
        found: compute_v1.InstanceTemplate | None
        request: Any
        if region:
            what = asked("compute.regionInstanceTemplates.get", project, region)
            regional = self.clients.compute(compute_v1.RegionInstanceTemplatesClient)
            request = compute_v1.GetRegionInstanceTemplateRequest(
                project=project, region=region, instance_template=name
            )
            found = self.clients.found(what, regional.get, request)
        else:
            what = asked("compute.instanceTemplates.get", project, self.scope.region)
            client = self.clients.compute(compute_v1.InstanceTemplatesClient)
            request = compute_v1.GetInstanceTemplateRequest(project=project, instance_template=name)
            found = self.clients.found(what, client.get, request)
        where = f"regions/{region}" if region else GLOBAL
        return None if found is None else template_of(found, project, where)


def address(project: str, where: str, name: str) -> str:
    return f"projects/{project}/{where}/instanceTemplates/{name}"


def stem(name: str) -> str:
    """What the names of all templates made of the same one begin with."""
    return _MADE.sub("", name)[:48].rstrip("-")


def template_of(one: compute_v1.InstanceTemplate, project: str, where: str) -> Template:
    """A template read."""
    properties = one.properties
    return Template(
        project, where, last(properties.machine_type), is_spot(properties.scheduling),
        tuple(sorted(properties.labels.items())), one,
    )  # fmt: skip


def is_spot(scheduling: compute_v1.Scheduling) -> bool:
    """Whether the cloud may take instances back, by either generation's name for that."""
    return scheduling.provisioning_model == "SPOT" or bool(scheduling.preemptible)
