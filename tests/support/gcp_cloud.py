"""A small Google Cloud: projects with groups that start and end instances.

Its behaviour is ours; the paths, parameters and fields are Google's (``gcp_contract``).
"""

from __future__ import annotations

import copy
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from gcp_contract import Call
from gcp_skus import catalogue

PROJECT: Final = "shop-prod"
NUMBER: Final = "123456789012"
REGIONS: Final = {
    region: tuple(f"{region}-{letter}" for letter in "bcd")
    for region in ("europe-west1", "us-central1")
}
CREATED: Final = "2026-11-20T08:00:00.000-08:00"
MACHINE_TYPES: Final = {
    # name: vCPUs, MiB, architecture, GPUs
    "e2-standard-2": (2, 8192, "X86_64", ()),
    "e2-standard-4": (4, 16384, "X86_64", ()),
    "e2-medium": (2, 4096, "X86_64", ()),
    "f1-micro": (1, 614, "X86_64", ()),
    "n1-standard-2": (2, 7680, "X86_64", ()),
    "n2-standard-4": (4, 16384, "X86_64", ()),
    "c2-standard-4": (4, 16384, "X86_64", ()),
    "t2a-standard-2": (2, 8192, "ARM64", ()),
    "g2-standard-4": (4, 16384, "X86_64", (("nvidia-l4", 1),)),
    "m2-ultramem-208": (208, 6029312, "X86_64", ()),
}
LICENCE: Final = "https://www.googleapis.com/compute/v1/projects/{}/global/licenses/{}"
SHARED: Final = ("e2-medium", "f1-micro")


class Failed(Exception):
    """What the cloud refuses."""

    def __init__(self, status: int, reason: str, said: str) -> None:
        super().__init__(said)
        self.status, self.reason, self.said = status, reason, said


@dataclass(eq=False)
class Cloud:
    """All state. Not for several threads at once: the server holds its lock."""

    calls: Counter[str] = field(default_factory=Counter)
    templates: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    managers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    instances: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    members: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Instances that are in a group, with its key."""
    autoscalers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    commitments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    quotas: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    skus: list[dict[str, Any]] = field(default_factory=catalogue)
    requests: dict[str, tuple[Any, dict[str, Any]]] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    """Machine types that none are left of."""
    never_healthy: bool = False
    never_done: bool = False
    """Operations go on for ever."""
    scheduled: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What is to happen when an operation is found to be done, by the operation's name."""
    slow: bool = False
    """Instances leave groups only when the operation is done, and are seen to leave until then."""
    projects: set[str] = field(default_factory=lambda: {PROJECT})
    """Those that there are; all show the same."""
    regions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What regions say beside the usual."""
    machine_types: dict[str, Any] = field(default_factory=lambda: dict(MACHINE_TYPES))
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Operations that end like this, by verb, when they are asked for."""
    numbers: Any = field(default_factory=lambda: count(4_000_000_000_000_000_001))

    def answer(self, call: Call) -> dict[str, Any]:
        """What a call comes to; raises ``Failed``."""
        self.calls[call.verb] += 1
        project = call.path.get("project", PROJECT)
        if project not in self.projects:
            raise Failed(404, "notFound", f"The resource 'projects/{project}' was not found")
        resource, verb = call.verb.rpartition(".")[0], call.verb.rpartition(".")[2]
        region, zone = call.path.get("region"), call.path.get("zone")
        if (region or "-".join((zone or "europe-west1-b").split("-")[:2])) not in REGIONS:
            raise Failed(404, "notFound", f"{region or zone} was not found")
        request = call.query.get("requestId", "")
        if request and request in self.requests:
            before, operation = self.requests[request]
            if before != call.verb:
                raise Failed(400, "invalid", "the request id stands for something else")
            return operation
        kind = resource.removeprefix("compute.").removeprefix("region")
        kind = kind[0].lower() + kind[1:]
        do: Callable[[Call], dict[str, Any]] | None = getattr(self, f"_{kind}_{verb}", None)
        if call.verb.startswith("cloudbilling."):
            return self._page(call, self.skus, "skus", "pageSize")
        if do is None:
            raise Failed(501, "notImplemented", f"{call.verb} is not played")
        answer = do(call)
        if request:
            later = answer.pop("later", None)
            answer = {**self.operation(call), **self.answers.get(call.verb, {})}
            self.requests[request] = (call.verb, answer)
            if later is not None:
                self.scheduled[answer["name"]] = later
        return answer

    def operation(self, call: Call) -> dict[str, Any]:
        number = str(next(self.numbers))
        where = {key: call.path[key] for key in ("zone", "region") if key in call.path}
        status = "PENDING" if "emplates.insert" in call.verb else "RUNNING"
        return {
            "kind": "compute#operation", "id": number, "name": f"operation-{number}",
            "operationType": call.verb.rpartition(".")[2], "status": status, "progress": 0,
            "clientOperationId": call.query.get("requestId", ""), "insertTime": CREATED,
            "user": "someone@example.com",
            **{key: _url(f"{key}s/{value}") for key, value in where.items()},
        }  # fmt: skip

    def _page(
        self, call: Call, items: list[Any], name: str = "items", size: str = "maxResults"
    ) -> dict[str, Any]:
        rows = min(int(call.query.get(size, "500")), 5000)
        token = call.query.get("pageToken", "")
        if token and not token.startswith("after-"):
            raise Failed(400, "invalid", "bad page token")
        start = int(token.removeprefix("after-") or "0")
        answer: dict[str, Any] = {name: items[start : start + rows]}
        if start + rows < len(items):
            answer["nextPageToken"] = f"after-{start + rows}"
        return answer

    # --- what could run

    def _s_list(self, call: Call) -> dict[str, Any]:  # compute.regions.list
        return self._page(call, [self._region(name) for name in REGIONS])

    def _s_get(self, call: Call) -> dict[str, Any]:
        return self._region(call.path["region"])

    def _region(self, name: str) -> dict[str, Any]:
        default = [{"metric": "CPUS", "limit": 72.0, "usage": 4.0}]
        return {
            "kind": "compute#region", "name": name, "status": "UP",
            "zones": [_url(f"zones/{zone}") for zone in REGIONS[name]],
            "quotas": self.quotas.get(name, default), **self.regions.get(name, {}),
        }  # fmt: skip

    def _machineTypes_list(self, call: Call) -> dict[str, Any]:  # noqa: N802
        zone = call.path["zone"]
        names = [name for name in self.machine_types if not (zone[-1] == "d" and name[:2] == "g2")]
        return self._page(call, [self._machine_type(zone, name) for name in names])

    def _machineTypes_get(self, call: Call) -> dict[str, Any]:  # noqa: N802
        name = call.path["machineType"]
        if name not in self.machine_types:
            raise Failed(404, "notFound", f"The resource 'machineTypes/{name}' was not found")
        return self._machine_type(call.path["zone"], name)

    def _machine_type(self, zone: str, name: str) -> dict[str, Any]:
        vcpus, memory_mb, architecture, gpus = self.machine_types[name]
        return {
            "kind": "compute#machineType", "id": "801016", "name": name, "guestCpus": vcpus,
            "memoryMb": memory_mb, "isSharedCpu": name in SHARED, "zone": zone,
            "architecture": architecture,
            "bundledLocalSsds": {"partitionCount": 2 if name.endswith("-lssd") else 0},
            "accelerators": [
                {"guestAcceleratorType": kind, "guestAcceleratorCount": cards}
                for kind, cards in gpus
            ],
        }  # fmt: skip

    def _commitments_list(self, call: Call) -> dict[str, Any]:
        return self._page(call, self.commitments.get(call.path["region"], []))

    # --- templates

    def _instanceTemplates_get(self, call: Call) -> dict[str, Any]:  # noqa: N802
        key = call.path.get("region", "global"), call.path["instanceTemplate"]
        if key not in self.templates:
            raise Failed(404, "notFound", f"The resource '{key[1]}' was not found")
        return self.templates[key]

    def _instanceTemplates_insert(self, call: Call) -> dict[str, Any]:  # noqa: N802
        key = call.path.get("region", "global"), call.body["name"]
        if key in self.templates:
            raise Failed(409, "alreadyExists", f"The resource '{key[1]}' already exists")
        made = datetime.now(UTC).isoformat()
        self.templates[key] = {**call.body, "creationTimestamp": made}
        return {}

    def _instanceTemplates_list(self, call: Call) -> dict[str, Any]:  # noqa: N802
        where = call.path.get("region", "global")
        return self._page(call, [one for key, one in self.templates.items() if key[0] == where])

    def _instanceTemplates_delete(self, call: Call) -> dict[str, Any]:  # noqa: N802
        self._instanceTemplates_get(call)
        key = call.path.get("region", "global"), call.path["instanceTemplate"]
        used = (one["versions"] for one in self.managers.values())
        if any(
            version["instanceTemplate"].endswith(f"/{key[1]}") for own in used for version in own
        ):
            raise Failed(400, "resourceInUseByAnotherResource", f"'{key[1]}' is already being used")
        del self.templates[key]
        return {}

    # --- operations

    def _globalOperations_get(self, call: Call) -> dict[str, Any]:  # noqa: N802
        return self._operations_get(call)

    def _zoneOperations_get(self, call: Call) -> dict[str, Any]:  # noqa: N802
        return self._operations_get(call)

    def _operations_get(self, call: Call) -> dict[str, Any]:
        """An operation gets on by a step each time that it is asked for."""
        for _, operation in self.requests.values():
            if operation["name"] == call.path["operation"]:
                if not self.never_done:
                    was = operation["status"]
                    operation["status"] = "RUNNING" if was == "PENDING" else "DONE"
                    if operation["status"] == "DONE":
                        self.scheduled.pop(operation["name"], lambda: None)()
                return operation
        raise Failed(404, "notFound", "no such operation")

    def _zoneOperations_list(self, call: Call) -> dict[str, Any]:  # noqa: N802
        return self._operations_list(call)

    def _operations_list(self, call: Call) -> dict[str, Any]:
        match = re.fullmatch(r'clientOperationId = "([0-9a-f-]{36})"', call.query["filter"])
        if match is None:
            raise Failed(400, "invalid", "no such filter is played")
        kind = "zone" if "zone" in call.path else "region"
        return self._page(call, [
            operation
            for _, operation in self.requests.values()
            if operation["clientOperationId"] == match[1]
            and operation.get(kind, "").endswith(f"/{call.path[kind]}")
        ])  # fmt: skip

    # --- instances

    def _instances_list(self, call: Call) -> dict[str, Any]:
        zone = call.path["zone"]
        found = [one for (where, _), one in sorted(self.instances.items()) if where == zone]
        return self._page(call, found)

    def _instances_get(self, call: Call) -> dict[str, Any]:
        return self._instance(call)

    def _instance(self, call: Call) -> dict[str, Any]:
        wanted = call.path["instance"]
        for (zone, name), one in self.instances.items():
            if zone == call.path["zone"] and wanted in (name, one["id"]):
                return one
        raise Failed(404, "notFound", f"The resource 'instances/{wanted}' was not found")

    def _instances_start(self, call: Call) -> dict[str, Any]:
        self._instance(call)["status"] = "STAGING"
        return {}

    def _instances_reset(self, call: Call) -> dict[str, Any]:
        one = self._instance(call)
        if one["status"] != "RUNNING":
            raise Failed(400, "resourceNotReady", "The instance is not running")
        return {}

    # --- groups: see ``gcp_groups``

    def template_of(self, address: str) -> dict[str, Any]:
        parts = address.split("/")
        key = ("global" if parts[-3] == "global" else parts[-3], parts[-1])
        if key not in self.templates:
            raise Failed(404, "notFound", f"The resource '{address}' was not found")
        return self.templates[key]

    def settle(self) -> None:
        """What is starting has started, and groups start what they lack."""
        for key in self.managers:
            self.reconcile(key)
        for one in self.instances.values():
            if one["status"] in ("PROVISIONING", "STAGING"):
                one["status"] = "RUNNING"

    def reconcile(self, key: tuple[str, str]) -> None:
        """Start what a group lacks, end what is too much, the newest first."""
        manager = self.managers[key]
        own = [one for one, group in self.members.items() if group == key]
        for one in own[manager["targetSize"] :]:
            del self.members[one], self.instances[one]
        for _ in range(manager["targetSize"] - len(own)):
            if not self._start_one(key, manager):
                break

    def _start_one(self, key: tuple[str, str], manager: dict[str, Any]) -> bool:
        template = self.template_of(self._next_version(key, manager)["instanceTemplate"])
        properties = copy.deepcopy(template["properties"])
        chosen = manager.get("instanceFlexibilityPolicy", {}).get("instanceSelections", {})
        ranked = sorted(chosen.values(), key=lambda one: one.get("rank", 0))
        names = [name for one in ranked for name in one["machineTypes"]]
        free = [
            name for name in names or [properties["machineType"]] if name not in self.lacking
        ]  # fmt: skip
        if not free:
            return False
        number = next(self.numbers)
        zones = REGIONS.get(key[0], (key[0],))
        zone, name = (
            zones[number % len(zones)],
            f"{manager['baseInstanceName']}-{number % 10**4:04}",
        )
        extra = manager.get("allInstancesConfig", {}).get("properties", {}).get("labels", {})
        scope = f"regions/{key[0]}" if key[0] in REGIONS else f"zones/{key[0]}"
        self.add_instance(
            zone, name, free[0], {**properties.get("labels", {}), **extra},
            f"projects/{NUMBER}/{scope}/instanceGroupManagers/{key[1]}",
            properties.get("scheduling", {}),
        )  # fmt: skip
        self.members[zone, name] = key
        self.instances[zone, name]["template"] = template["name"]
        return True

    def _next_version(self, key: tuple[str, str], manager: dict[str, Any]) -> dict[str, Any]:
        """The version that is furthest below its size."""
        own = [self.instances[one] for one, group in self.members.items() if group == key]
        target, rest = manager["targetSize"], manager["versions"][0]
        for version in manager["versions"]:
            if "targetSize" not in version:
                rest = version
                continue
            size = version["targetSize"]
            wanted = size.get("fixed", math.ceil(size.get("percent", 0) / 100 * target))
            name = version["instanceTemplate"].rpartition("/")[2]
            if sum(one.get("template") == name for one in own) < wanted:
                found: dict[str, Any] = version
                return found
        return dict(rest)

    def add_instance(
        self,
        zone: str,
        name: str,
        machine_type: str,
        labels: dict[str, str] | None = None,
        created_by: str = "",
        scheduling: dict[str, Any] | None = None,
        status: str = "STAGING",
        licenses: tuple[str, ...] = (LICENCE.format("debian-cloud", "debian-12-bookworm"),),
    ) -> str:
        """A new instance; returns its number."""
        number = str(next(self.numbers))
        metadata = [{"key": "created-by", "value": created_by}] if created_by else []
        self.instances[zone, name] = {
            "kind": "compute#instance", "id": number, "name": name, "status": status,
            "zone": _url(f"zones/{zone}"),
            "machineType": _url(f"zones/{zone}/machineTypes/{machine_type}"),
            "creationTimestamp": CREATED, "labels": labels or {},
            "scheduling": {"provisioningModel": "STANDARD", **(scheduling or {})},
            "disks": [{"boot": True, "licenses": list(licenses)}],
            "metadata": {"kind": "compute#metadata", "items": metadata},
        }  # fmt: skip
        return number


def _url(rest: str) -> str:
    return f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/{rest}"
