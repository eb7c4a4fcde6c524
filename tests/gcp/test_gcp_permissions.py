"""Calls stay inside the roles that docs/clouds/gcp.md gives to copy."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml
from acting import act, create, instances_in, make_group, scope_of
from gcp_sandbox import GcpSandbox, template

from models.actions import (
    DeleteGroup,
    Drain,
    Remix,
    Replace,
    Resize,
    Restart,
    Start,
    Target,
)
from optimizer.collect import Request, collect
from providers.seam import Window

PAGE: Final = Path(__file__).parents[2] / "docs" / "clouds" / "gcp.md"
KINDS: Final = {
    "compute.regionCommitments": "compute.commitments",
    "compute.regionInstanceGroupManagers": "compute.instanceGroupManagers",
    "compute.regionInstanceTemplates": "compute.instanceTemplates",
    "compute.regionAutoscalers": "compute.autoscalers",
}
VERBS: Final = {
    "listManagedInstances": "get", "listErrors": "get", "insert": "create", "patch": "update",
    "resize": "update",
    "recreateInstances": "update", "abandonInstances": "update",
}  # fmt: skip
OPEN: Final = {"cloudbilling.services.skus.list"}
"""What needs no permission."""


def permission(verb: str) -> str:
    """The permission that Google asks for a method."""
    kind, _, name = verb.rpartition(".")
    return f"{KINDS.get(kind, kind)}.{VERBS.get(name, name)}"


def role(title: str) -> set[str]:
    """Permissions of a role on the page, by its title."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        content = yaml.safe_load(block)
        if content.get("title") == title:
            return set(content["includedPermissions"])
    raise AssertionError(f"no role {title}")


def asked(sandbox: GcpSandbox) -> set[str]:
    return {permission(verb) for verb in sandbox.server.asked if verb not in OPEN}


def test_reading_needs_the_reading_role(sandbox: GcpSandbox, tmp_path: Path) -> None:
    sandbox.server.cloud.managers["europe-west1", "web"] = {
        "name": "web", "baseInstanceName": "web", "targetSize": 2,
        "versions": [{"instanceTemplate": "projects/p/global/instanceTemplates/web-template"}],
    }  # fmt: skip
    sandbox.settle()
    ends = datetime.now(UTC)
    window = Window(ends - timedelta(hours=2), ends)
    collect([sandbox.provider], Request("shop", tmp_path / "out", window=window))
    assert list(sandbox.provider.doctor.findings())
    reading = role("trimtab reader")
    called = asked(sandbox) | {"monitoring.timeSeries.list"}
    assert called <= reading
    assert reading - called == {"serviceusage.services.use"}


def test_acting_needs_the_acting_role_as_well(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.templates["europe-west1", "own"] = {
        **template(sandbox.types[0]), "name": "own"
    }  # fmt: skip
    group = make_group(sandbox, "web", 4)
    sandbox.server.cloud.add_autoscaler(("europe-west1", "web"), 1, 4)
    sandbox.settle()
    act(sandbox, Resize(group, 6))
    act(sandbox, Remix(group, sandbox.types, spot_share=0.5))
    one, two, three, *_ = (Target(row.account, row.place, row.id) for row in instances_in(sandbox))
    for action in (Restart(one), Start(one), Replace(two), Drain(three, replace=True)):
        act(sandbox, action)
    name = "regions/europe-west1/instanceTemplates/own"
    act(sandbox, replace(create(sandbox, "own", 1), template=name, spot_share=1.0))
    number = sandbox.server.cloud.add_instance("europe-west1-b", "off", "e2-medium")
    sandbox.server.cloud.instances["europe-west1-b", "off"]["status"] = "TERMINATED"
    act(sandbox, Start(Target(group.account, group.place, f"europe-west1-b/{number}")))
    act(sandbox, DeleteGroup(group))
    acting = role("trimtab hands")
    called = asked(sandbox)
    assert called <= role("trimtab reader") | acting
    # The rest is what Google asks beside the method's own permission.
    assert {one for one in acting if one.partition(".")[2].split(".")[0] in {
        "instanceGroupManagers", "autoscalers"
    }} <= called  # fmt: skip
    assert scope_of(sandbox).account == group.account
