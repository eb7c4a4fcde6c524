"""Managed instance groups of the small Google Cloud."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gcp_cloud import CREATED, PROJECT, REGIONS, Cloud, Failed
from gcp_contract import Call


@dataclass(eq=False)
class GroupedCloud(Cloud):
    """With groups."""

    errors: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """What groups could not do."""
    leaving: set[tuple[str, str]] = field(default_factory=set)
    """Members that have been let go and are still there."""

    def _key(self, call: Call) -> tuple[str, str]:
        key = call.path.get("region") or call.path["zone"], call.path["instanceGroupManager"]
        if key not in self.managers:
            raise Failed(404, "notFound", f"The resource '{key[1]}' was not found")
        return key

    def _instanceGroupManagers_list(self, call: Call) -> dict[str, Any]:  # noqa: N802
        where = call.path.get("region") or call.path["zone"]
        found = [self.shown(key) for key in sorted(self.managers) if key[0] == where]
        return self._page(call, found)

    def _instanceGroupManagers_get(self, call: Call) -> dict[str, Any]:  # noqa: N802
        return self.shown(self._key(call))

    def shown(self, key: tuple[str, str]) -> dict[str, Any]:
        manager = self.managers[key]
        own = [self.instances[one] for one, group in self.members.items() if group == key]
        serving = 0 if self.never_healthy else sum(one["status"] == "RUNNING" for one in own)
        kind = "region" if key[0] in REGIONS else "zone"
        scope = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/{kind}s/{key[0]}"
        status: dict[str, Any] = {"isStable": serving == manager["targetSize"]}
        if key in self.autoscalers:
            status["autoscaler"] = f"{scope}/autoscalers/{key[1]}"
        return {
            **manager, kind: scope, "status": status, "creationTimestamp": CREATED,
            "currentActions": {
                "none": serving, "creating": manager["targetSize"] - len(own),
                "verifying": len(own) - serving,
            },
        }  # fmt: skip

    def _instanceGroupManagers_insert(self, call: Call) -> dict[str, Any]:  # noqa: N802
        key = call.path.get("region") or call.path["zone"], call.body["name"]
        if key in self.managers:
            raise Failed(409, "alreadyExists", f"The resource '{key[1]}' already exists")
        for version in call.body["versions"]:
            self.template_of(version["instanceTemplate"])
        self._check(call.body)
        self.managers[key] = {
            **call.body, "instanceTemplate": call.body["versions"][0]["instanceTemplate"],
        }  # fmt: skip
        self.reconcile(key)
        return {}

    def _check(self, manager: dict[str, Any]) -> None:
        """Rules that Google's documentation of groups states."""
        flexible = manager.get("instanceFlexibilityPolicy", {}).get("instanceSelections")
        shape = manager.get("distributionPolicy", {}).get("targetShape", "EVEN")
        if flexible and shape == "EVEN":
            raise Failed(400, "invalid", "instance flexibility needs another target shape")
        again = manager.get("updatePolicy", {}).get("instanceRedistributionType", "PROACTIVE")
        if shape != "EVEN" and again != "NONE":
            raise Failed(400, "invalid", "redistribution goes with an even shape only")
        versions = manager["versions"]
        if len(versions) > 2 or sum("targetSize" not in one for one in versions) != 1:
            raise Failed(400, "invalid", "exactly one version has no target size")

    def _instanceGroupManagers_patch(self, call: Call) -> dict[str, Any]:  # noqa: N802
        key = self._key(call)
        patched = merged(self.managers[key], call.body)
        for version in patched["versions"]:
            self.template_of(version["instanceTemplate"])
        self._check(patched)
        self.managers[key] = patched
        return {}

    def _instanceGroupManagers_resize(self, call: Call) -> dict[str, Any]:  # noqa: N802
        key = self._key(call)
        self.managers[key]["targetSize"] = int(call.query["size"])
        self.reconcile(key)
        return {}

    def _instanceGroupManagers_delete(self, call: Call) -> dict[str, Any]:  # noqa: N802
        key = self._key(call)
        for one in [one for one, group in self.members.items() if group == key]:
            del self.members[one], self.instances[one]
        del self.managers[key]
        return {}

    def _named(self, call: Call, key: tuple[str, str]) -> list[tuple[str, str]]:
        named = [(url.split("/")[-3], url.split("/")[-1]) for url in call.body["instances"]]
        for one in named:
            if self.members.get(one) != key or one in self.leaving:
                raise Failed(400, "invalid", f"{one[1]} is not a member of {key[1]}")
        return named

    def _instanceGroupManagers_abandonInstances(self, call: Call) -> dict[str, Any]:  # noqa: N802
        key, named = self._key(call), self._named(call, self._key(call))
        self.leaving.update(named)

        def shrink() -> None:
            self.managers[key]["targetSize"] -= len(named)

        if self.slow:
            return {"later": shrink}  # they are gone only when the cloud settles
        shrink()
        self.leave()
        return {}

    def leave(self) -> None:
        """Who is leaving has left; what it says of who made it stays."""
        for one in self.leaving:
            del self.members[one]
        self.leaving.clear()

    def settle(self) -> None:
        self.leave()
        super().settle()

    def _instanceGroupManagers_recreateInstances(self, call: Call) -> dict[str, Any]:  # noqa: N802
        for one in self._named(call, self._key(call)):
            self.instances[one].update(id=str(next(self.numbers)), status="STAGING")
        return {}

    def _instanceGroupManagers_listManagedInstances(  # noqa: N802
        self, call: Call
    ) -> dict[str, Any]:
        key = self._key(call)
        found = [
            {
                "instance": self.instances[one]["zone"] + f"/instances/{one[1]}",
                "id": self.instances[one]["id"],
                "currentAction": "ABANDONING" if one in self.leaving else "NONE",
            }
            for one, group in sorted(self.members.items())
            if group == key
        ]
        return self._page(call, found, "managedInstances")

    def _instanceGroupManagers_listErrors(self, call: Call) -> dict[str, Any]:  # noqa: N802
        return self._page(call, self.errors.get(self._key(call), []))

    def _autoscalers_list(self, call: Call) -> dict[str, Any]:
        where = call.path.get("region") or call.path["zone"]
        found = [one for key, one in sorted(self.autoscalers.items()) if key[0] == where]
        return self._page(call, found)

    def _autoscalers_get(self, call: Call) -> dict[str, Any]:
        return self.autoscalers[
            call.path.get("region") or call.path["zone"], call.path["autoscaler"]
        ]

    def _autoscalers_patch(self, call: Call) -> dict[str, Any]:
        key = call.path.get("region") or call.path["zone"], call.query["autoscaler"]
        self.autoscalers[key] = merged(self.autoscalers[key], call.body)
        return {}

    def add_autoscaler(self, key: tuple[str, str], minimum: int, maximum: int) -> None:
        kind = "regions" if key[0] in REGIONS else "zones"
        scope = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/{kind}/{key[0]}"
        self.autoscalers[key] = {
            "name": key[1],
            "target": f"{scope}/instanceGroupManagers/{key[1]}",
            "autoscalingPolicy": {
                "mode": "ON", "minNumReplicas": minimum, "maxNumReplicas": maximum,
            },
        }  # fmt: skip


def merged(there: Any, patch: Any) -> Any:
    """RFC 7396: None takes away, objects are merged, all else is set."""
    if not isinstance(patch, dict):
        return patch
    result = dict(there) if isinstance(there, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
