"""The doctor looks at credentials, permissions, clock and prices, and says what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gcp_cloud import PROJECT
from gcp_contract import Call
from gcp_sandbox import GcpSandbox, entry_at
from gcp_server import Broken
from gcp_skus import family

from providers.gcp.doctor import GcpDoctor
from providers.seam import Finding, Severity


def _findings(sandbox: GcpSandbox, **more: object) -> dict[str, Finding]:
    doctor = sandbox.provider.doctor
    assert isinstance(doctor, GcpDoctor)
    return {one.about: one for one in replace(doctor, **more).findings()}  # type: ignore[arg-type]


def test_all_is_well(sandbox: GcpSandbox) -> None:
    found = _findings(sandbox)
    assert {one.severity for one in found.values() if one.about != "prices"} == {Severity.FINE}
    assert set(found) == {
        "credentials", "permissions: instances", "permissions: groups",
        "permissions: instance types", "permissions: commitments", "permissions: measurements",
        "clock", "prices",
    }  # fmt: skip


def test_a_permission_that_lacks(sandbox: GcpSandbox) -> None:
    def denied(call: Call) -> Broken | None:
        lacks = call.verb == "compute.regionCommitments.list"
        return Broken(403, "forbidden") if lacks else None

    sandbox.server.faults.append(denied)
    found = _findings(sandbox)
    bad = [one for one in found.values() if one.severity is Severity.FAILED]
    assert [one.about for one in bad] == ["permissions: commitments"]
    assert "docs/clouds/gcp.md" in bad[0].remedy


def test_a_clock_that_is_wrong(sandbox: GcpSandbox) -> None:
    found = _findings(sandbox, clock=lambda: datetime.now(UTC) + timedelta(minutes=10))
    assert found["clock"].severity is Severity.FAILED
    assert 590 < float(found["clock"].said.split()[0]) < 660
    assert "clock" in found["clock"].remedy


def test_old_prices(sandbox: GcpSandbox) -> None:
    assert "hours old" in _findings(sandbox)["prices"].said
    old = family("E2 Instance", 0.022, 0.003)
    for one in old:
        one["pricingInfo"][0]["effectiveTime"] = "2025-02-03T00:00:00Z"
    for skus, said in (([], "no rate"), (old, "stale")):
        sandbox.server.cloud.skus = skus
        again = GcpSandbox(sandbox.server, entry_at(sandbox.server))
        found = _findings(again)["prices"]
        assert found.severity is Severity.FAILED
        assert said in found.said


def test_a_region_of_those_asked_for(sandbox: GcpSandbox) -> None:
    wanted = ("mars-north1", "us-central1")
    found = _findings(GcpSandbox(sandbox.server, entry_at(sandbox.server, regions=wanted)))
    assert found["regions"].severity is Severity.FAILED
    assert "mars-north1" in found["regions"].said
    assert "correct `regions`" in found["regions"].remedy
    assert found["clock"].severity is Severity.FINE


def test_a_project_that_is_not_there(sandbox: GcpSandbox) -> None:
    entry = entry_at(sandbox.server).model_copy(update={"projects": ("nobodys", PROJECT)})
    found = _findings(GcpSandbox(sandbox.server, entry))
    assert "nobodys" in found["reachability"].said
    assert "correct `projects`" in found["reachability"].remedy
    assert found["permissions: instances"].said.startswith(f"gcp/europe-west1 of {PROJECT}")


def test_nothing_is_changed(sandbox: GcpSandbox) -> None:
    _findings(sandbox)
    verbs = {verb.rpartition(".")[2] for verb in sandbox.server.asked}
    assert verbs <= {"list", "get", "listManagedInstances"}
