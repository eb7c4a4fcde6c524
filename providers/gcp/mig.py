"""One managed instance group, zonal or regional, behind the same verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.cloud import compute_v1

from models.cloud_errors import Asked
from providers.gcp.clients import Clients, asked
from providers.gcp.errors import check_operation
from providers.gcp.names import Named, last
from providers.gcp.operations import request_id


@dataclass(frozen=True, slots=True)
class Manager:
    """The manager of ``group``."""

    clients: Clients
    project: str
    group: Named

    def asked(self, verb: str) -> Asked:
        kind = "instanceGroupManagers" if self.group.is_zonal else "regionInstanceGroupManagers"
        return asked(f"compute.{kind}.{verb}", self.project, self.group.region)

    @property
    def _where(self) -> dict[str, str]:
        scope = "zone" if self.group.is_zonal else "region"
        return {"project": self.project, scope: self.group.scope}

    @property
    def _client(self) -> Any:
        if self.group.is_zonal:
            return self.clients.compute(compute_v1.InstanceGroupManagersClient)
        return self.clients.compute(compute_v1.RegionInstanceGroupManagersClient)

    @property
    def _itself(self) -> dict[str, str]:
        return {**self._where, "instance_group_manager": self.group.name}

    def get(self) -> compute_v1.InstanceGroupManager:
        """Raises ``NotFound`` where there is none."""
        found: compute_v1.InstanceGroupManager = self.clients.call(
            self.asked("get"), self._client.get, self._itself
        )
        return found

    def insert(self, content: compute_v1.InstanceGroupManager, token: str) -> None:
        body = {"instance_group_manager_resource": content, **self._where}
        self._do("insert", self._client.insert_unary, body, token)

    def delete(self, token: str) -> None:
        self._do("delete", self._client.delete_unary, self._itself, token)

    def resize(self, size: int, token: str) -> None:
        self._do("resize", self._client.resize_unary, {**self._itself, "size": size}, token)

    def recreate(self, instance: Named, token: str) -> None:
        name = "instance_group_managers_recreate_instances_request_resource"
        if not self.group.is_zonal:
            name = "region_instance_group_managers_recreate_request_resource"
        body = {**self._itself, name: {"instances": [_address(instance)]}}
        self._do("recreateInstances", self._client.recreate_instances_unary, body, token)

    def abandon(self, instance: Named, token: str) -> compute_v1.Operation:
        prefix = "" if self.group.is_zonal else "region_"
        name = f"{prefix}instance_group_managers_abandon_instances_request_resource"
        body = {**self._itself, name: {"instances": [_address(instance)]}}
        return self._do("abandonInstances", self._client.abandon_instances_unary, body, token)

    def patch(self, body: dict[str, Any], token: str) -> None:
        """A merge patch; None takes things away."""
        what = self.asked("patch")
        kind = "zones" if self.group.is_zonal else "regions"
        path = (
            f"projects/{self.project}/{kind}/{self.group.scope}"
            f"/instanceGroupManagers/{self.group.name}"
        )
        check_operation(what, self.clients.patch(what, path, request_id(token, "patch"), body))

    def autoscaler(self, one: compute_v1.InstanceGroupManager) -> compute_v1.Autoscaler | None:
        """What decides on the group's size; None where nothing does, or it is off."""
        if not one.status.autoscaler:
            return None
        request = {**self._where, "autoscaler": last(one.status.autoscaler)}
        found: compute_v1.Autoscaler | None = self.clients.found(
            asked(f"compute.{self._autoscalers}.get", self.project, self.group.region),
            self._autoscaler_client.get, request,
        )  # fmt: skip
        return None if found is None or found.autoscaling_policy.mode == "OFF" else found

    def widen(self, autoscaler: compute_v1.Autoscaler, size: int, token: str) -> None:
        """Move an autoscaler's bounds so that ``size`` lies between them."""
        policy = autoscaler.autoscaling_policy
        content = {
            "name": autoscaler.name,
            "autoscaling_policy": {
                "min_num_replicas": min(policy.min_num_replicas, size),
                "max_num_replicas": max(policy.max_num_replicas, size),
            },
        }
        body = {**self._where, "autoscaler": autoscaler.name, "autoscaler_resource": content}
        what = asked(f"compute.{self._autoscalers}.patch", self.project, self.group.region)
        body["request_id"] = request_id(token, "bounds")
        check_operation(what, self.clients.call(what, self._autoscaler_client.patch_unary, body))

    @property
    def _autoscalers(self) -> str:
        return "autoscalers" if self.group.is_zonal else "regionAutoscalers"

    @property
    def _autoscaler_client(self) -> Any:
        if self.group.is_zonal:
            return self.clients.compute(compute_v1.AutoscalersClient)
        return self.clients.compute(compute_v1.RegionAutoscalersClient)

    def _do(self, verb: str, method: Any, body: dict[str, Any], token: str) -> compute_v1.Operation:
        what = self.asked(verb)
        request = {**body, "request_id": request_id(token, verb)}
        return check_operation(what, self.clients.call(what, method, request))


def _address(instance: Named) -> str:
    return f"zones/{instance.scope}/instances/{instance.name}"
