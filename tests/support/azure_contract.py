"""What Azure's SDK says of Azure's contract: paths, versions, parameters, fields of bodies."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from azure.core.rest import HttpRequest
from azure.mgmt.compute import models
from azure.mgmt.compute._utils.model_base import Model
from azure.mgmt.compute.operations import _operations as compute
from azure.mgmt.reservations.operations import _operations as reservations
from azure.monitor.querymetrics._operations import _operations as metrics


@dataclass(frozen=True)
class Route:
    """An operation: its path and the parameters that its question may have."""

    operation: str
    method: str
    path: re.Pattern[str]
    version: str
    parameters: frozenset[str]
    body: type[Any] | None = None


def _route(
    operation: str,
    build: Callable[..., HttpRequest],
    places: Mapping[str, str],
    body: type[Any] | None = None,
    options: Mapping[str, object] | None = None,
) -> Route:
    """From what the SDK builds: ``places`` name the parts of the path, ``options`` are parameters
    that the operation knows.
    """
    request = build(**{key: f"9{name}9" for key, name in places.items()}, **(options or {}))
    url = urlsplit(request.url)
    path = re.escape(url.path)
    for name in places.values():
        path = path.replace(f"9{name}9", f"(?P<{name}>[^/]+)")
    asked = dict(parse_qsl(url.query))
    return Route(
        operation, request.method, re.compile(path, re.IGNORECASE), asked["api-version"],
        frozenset({*asked, "skip"}), body,
    )  # fmt: skip


_SET = {"subscription_id": "sub", "resource_group_name": "group", "vm_scale_set_name": "name"}
_LISTED = {
    "subscription_id": "sub", "resource_group_name": "group",
    "virtual_machine_scale_set_name": "name",
}  # fmt: skip
_MEMBER = {**_SET, "instance_id": "member"}
_MACHINE = {"subscription_id": "sub", "resource_group_name": "group", "vm_name": "name"}
_PLACE = {"subscription_id": "sub", "location": "location"}
_VIEW = {"expand": "instanceView"}

_SUB = {"subscription_id": "sub"}
ROUTES = (
    _route(
        "virtualMachines.listByLocation",
        compute.build_virtual_machines_list_by_location_request,
        _PLACE,
    ),
    _route(
        "virtualMachines.listAll",
        compute.build_virtual_machines_list_all_request,
        _SUB,
        options={"status_only": "true", "filter": "x", **_VIEW},
    ),
    _route(
        "virtualMachines.get", compute.build_virtual_machines_get_request, _MACHINE, options=_VIEW
    ),
    _route(
        "virtualMachines.instanceView",
        compute.build_virtual_machines_instance_view_request,
        _MACHINE,
    ),
    _route(
        "virtualMachines.update",
        compute.build_virtual_machines_update_request,
        _MACHINE,
        models.VirtualMachineUpdate,
    ),
    _route("virtualMachines.restart", compute.build_virtual_machines_restart_request, _MACHINE),
    _route("virtualMachines.start", compute.build_virtual_machines_start_request, _MACHINE),
    _route(
        "virtualMachineScaleSets.listByLocation",
        compute.build_virtual_machine_scale_sets_list_by_location_request,
        _PLACE,
    ),
    _route(
        "virtualMachineScaleSets.get",
        compute.build_virtual_machine_scale_sets_get_request,
        _SET,
        options={"expand": "userData"},
    ),
    _route(
        "virtualMachineScaleSets.createOrUpdate",
        compute.build_virtual_machine_scale_sets_create_or_update_request,
        _SET,
        models.VirtualMachineScaleSet,
    ),
    _route(
        "virtualMachineScaleSets.update",
        compute.build_virtual_machine_scale_sets_update_request,
        _SET,
        models.VirtualMachineScaleSetUpdate,
    ),
    _route(
        "virtualMachineScaleSets.delete",
        compute.build_virtual_machine_scale_sets_delete_request,
        _SET,
    ),
    _route(
        "virtualMachineScaleSetVMs.list",
        compute.build_virtual_machine_scale_set_vms_list_request,
        _LISTED,
        options=_VIEW,
    ),
    _route(
        "virtualMachineScaleSetVMs.get",
        compute.build_virtual_machine_scale_set_vms_get_request,
        _MEMBER,
        options=_VIEW,
    ),
    _route(
        "virtualMachineScaleSetVMs.delete",
        compute.build_virtual_machine_scale_set_vms_delete_request,
        _MEMBER,
    ),
    _route(
        "virtualMachineScaleSetVMs.restart",
        compute.build_virtual_machine_scale_set_vms_restart_request,
        _MEMBER,
    ),
    _route(
        "virtualMachineScaleSetVMs.start",
        compute.build_virtual_machine_scale_set_vms_start_request,
        _MEMBER,
    ),
    _route(
        "resourceSkus.list", compute.build_resource_skus_list_request, _SUB, options={"filter": "x"}
    ),
    _route("usage.list", compute.build_usage_list_request, _PLACE),
    _route(
        "reservation.listAll",
        reservations.build_reservation_list_all_request,
        {},
        options={"selected_state": "x"},
    ),
    _route(
        "metrics.getBatch",
        metrics.build_metrics_query_resources_request,
        _SUB,
        options={
            "metric_namespace": "x",
            "metric_names": ["x"],
            "start_time": "x",
            "end_time": "x",
            "interval": "x",
            "aggregation": "x",
            "filter": "x",
            "top": 1,
        },
    ),
    Route(
        "providers.get",
        "GET",
        re.compile(r"/subscriptions/(?P<sub>[^/]+)/providers/Microsoft\.Compute", re.IGNORECASE),
        "2021-04-01",
        frozenset({"api-version"}),
    ),
    Route(
        "savingsPlans.listAll",
        "GET",
        re.compile(r"/providers/Microsoft\.BillingBenefits/savingsPlans", re.IGNORECASE),
        "2022-11-01",
        frozenset({"api-version", "selectedState", "skip"}),
    ),
    Route(
        "operations.get",
        "GET",
        re.compile(
            r"/subscriptions/(?P<sub>[^/]+)/providers/Microsoft\.Compute"
            r"/locations/(?P<location>[^/]+)/operations/(?P<name>[^/]+)",
            re.IGNORECASE,
        ),
        "2026-04-01",
        frozenset({"api-version"}),
    ),
    Route(
        "retailPrices",
        "GET",
        re.compile("/api/retail/prices"),
        "2023-01-01-preview",
        frozenset({"api-version", "meterRegion", "$filter", "skip"}),
    ),
)


def route_of(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The operation that is asked for, and the parts of its path."""
    for route in ROUTES:
        match = route.path.fullmatch(path)
        if match is not None and route.method == method:
            return route, match.groupdict()
    return None


def faults_of(body: object, model: type[Any], at: str = "") -> list[str]:
    """Fields of a body that the model does not have, or that only the cloud may write."""
    if not isinstance(body, dict):
        return [f"{at or 'the body'} is no object"]
    faults = []
    fields = _fields(model)
    for key, value in body.items():
        where = f"{at}.{key}".lstrip(".")
        if key not in fields:
            faults.append(f"Could not find member '{where}' on object of type {model.__name__}")
            continue
        readonly, kind = fields[key]
        if readonly:
            faults.append(f"{where} is read-only")
        elif kind is not None:
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    faults += faults_of(one, kind, where)
    return faults


def _fields(model: type[Any]) -> dict[str, tuple[bool, type[Any] | None]]:
    """Names as sent, whether only the cloud writes them, and the model of what they hold."""
    model({})  # the SDK finds out its own fields when the first is made
    hints = {
        name: hint
        for one in reversed(model.__mro__)
        for name, hint in getattr(one, "__annotations__", {}).items()
    }
    return {
        field._rest_name: (field._visibility == ["read"], _model_in(hints.get(name)))
        for name, field in model._attr_to_rest_field.items()
    }


def _model_in(hint: Any) -> type[Any] | None:
    """The one model that a hint speaks of; None for plain values, maps and enumerations."""
    if isinstance(hint, str):
        hint = eval(hint, {"_models": models, **vars(typing)})
    if isinstance(hint, typing.ForwardRef):
        hint = eval(hint.__forward_arg__, {"_models": models, **vars(typing)})
    if isinstance(hint, str):
        return _model_in(hint)
    if isinstance(hint, type) and issubclass(hint, Model):
        return hint
    if typing.get_origin(hint) is dict:
        return None
    return next((found for part in typing.get_args(hint) if (found := _model_in(part))), None)
