"""Templates that were made for groups and that no group uses any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from google.cloud import compute_v1

from models.cloud_errors import CloudFailed, Conflicting, NotFound
from providers.gcp.clients import Clients, asked
from providers.gcp.errors import check_operation
from providers.gcp.names import time_of
from providers.gcp.operations import request_id
from providers.gcp.templates import GLOBAL, MADE_BY, Template, address, stem

_REST: Final = timedelta(hours=1)
"""A younger one may be about to be used."""
_ROWS: Final = 500


def sweep(
    clients: Clients,
    project: str,
    own: tuple[Template, ...],
    kept: frozenset[str],
    token: str,
    now: datetime,
) -> str:
    """Remove what was made of the same templates as ``own`` and that no group uses.

    ``kept``: addresses of templates that are to be used. Google removes none that a group uses.
    Only templates that say that they were made for this are tried. Returns why some could not be
    removed; empty when all went well.
    """
    try:
        for where, stems in _stems(own).items():
            for one in _listed(clients, project, where):
                if one.description != MADE_BY or stem(one.name) not in stems:
                    continue
                what = asked("compute.instanceTemplates.list", project)
                young = now - time_of(what, one.creation_timestamp) < _REST
                if not young and address(project, where, one.name) not in kept:
                    _remove(clients, project, where, one.name, token)
    except CloudFailed as error:
        return f"templates that no group uses were left: {error.code}: {error.said}"
    return ""


def _stems(own: tuple[Template, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in own:
        found.setdefault(one.where, set()).add(stem(one.content.name))
    return found


def _listed(clients: Clients, project: str, where: str) -> Iterator[compute_v1.InstanceTemplate]:
    request: Any
    method: Any
    if where == GLOBAL:
        what = asked("compute.instanceTemplates.list", project)
        method = clients.compute(compute_v1.InstanceTemplatesClient).list
        request = compute_v1.ListInstanceTemplatesRequest(project=project, max_results=_ROWS)
    else:
        region = where.removeprefix("regions/")
        what = asked("compute.regionInstanceTemplates.list", project, region)
        method = clients.compute(compute_v1.RegionInstanceTemplatesClient).list
        request = compute_v1.ListRegionInstanceTemplatesRequest(
            project=project, region=region, max_results=_ROWS
        )
    for page in clients.pages(what, method, request):
        yield from page.items


def _remove(clients: Clients, project: str, where: str, name: str, token: str) -> None:
    request = {
        "project": project, "instance_template": name,
        "request_id": request_id(token, f"remove:{name}"),
    }  # fmt: skip
    method: Any
    if where == GLOBAL:
        what = asked("compute.instanceTemplates.delete", project)
        method = clients.compute(compute_v1.InstanceTemplatesClient).delete_unary
    else:
        request["region"] = where.removeprefix("regions/")
        what = asked("compute.regionInstanceTemplates.delete", project, request["region"])
        method = clients.compute(compute_v1.RegionInstanceTemplatesClient).delete_unary
    try:
        check_operation(what, clients.call(what, method, request))
    except (Conflicting, NotFound):
        return  # a group uses it, or somebody else was faster
