"""The doctor looks at credentials, permissions, clock and prices, and says what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gcp_contract import Call
from gcp_sandbox import GcpSandbox, entry_at
from gcp_server import Broken

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
    later = datetime(2028, 11, 1, tzinfo=UTC)
    assert _findings(sandbox, clock=lambda: later)["prices"].severity is Severity.WARNING
    sandbox.server.cloud.skus = []
    again = GcpSandbox(sandbox.server, entry_at(sandbox.server))
    assert _findings(again)["prices"].severity is Severity.FAILED


def test_no_region_of_those_asked_for(sandbox: GcpSandbox) -> None:
    some = GcpSandbox(sandbox.server, entry_at(sandbox.server, regions=("mars-north1",)))
    found = _findings(some)
    assert found["regions"].severity is Severity.WARNING
    assert "clock" not in found


def test_nothing_is_changed(sandbox: GcpSandbox) -> None:
    _findings(sandbox)
    verbs = {verb.rpartition(".")[2] for verb in sandbox.server.asked}
    assert verbs <= {"list", "get", "listManagedInstances"}
