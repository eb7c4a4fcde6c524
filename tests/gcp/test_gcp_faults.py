"""What goes wrong between here and Google, and what comes of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from acting import act, create, groups_in, instances_in, make_group, new_token, scope_of
from gcp_contract import Call
from gcp_sandbox import PATIENCE, SECRET, GcpSandbox, PlantedCredentials, entry_at
from gcp_server import Broken
from google.auth.exceptions import RefreshError
from reached import reached
from sandboxes import Trouble

from models.actions import Remix, Resize
from models.cloud_errors import (
    CapacityLacking,
    CloudFailed,
    Denied,
    NotAccepted,
    NotFound,
    QuotaReached,
    Throttled,
    Unavailable,
)
from models.inventory import Instance
from optimizer.collect import Request, collect
from providers.gcp.provider import provider
from providers.seam import Provider, Scope
from providers.snapshots.manifest import Status
from scenarios.collect_entries import GcpEntry

LIST = "compute.instances.list"
PATCH = "compute.regionInstanceGroupManagers.patch"
OPAQUE = "what-nobody-would-take-for-a-secret"


def _fail(sandbox: GcpSandbox, verb: str, broken: Broken, times: int = 10**6) -> None:
    left = iter(range(times))

    def fault(call: Call) -> Broken | None:
        return broken if call.verb == verb and next(left, None) is not None else None

    sandbox.server.faults.append(fault)


def _cloud(sandbox: GcpSandbox, credentials: Any = None, **more: Any) -> Provider:
    entry = more.pop("entry", entry_at(sandbox.server))
    return provider(
        entry, Path(), credentials=credentials or PlantedCredentials(), patience=PATIENCE, **more
    )


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "rateLimitExceeded"), (403, "rateLimitExceeded"), (503, "backend")]
)
def test_what_passes_is_asked_for_again(sandbox: GcpSandbox, status: int, reason: str) -> None:
    make_group(sandbox, "web", 2)
    _fail(sandbox, LIST, Broken(status, reason), times=2)
    assert len(instances_in(sandbox)) == 2
    assert sandbox.server.asked[LIST] == 3 + 2  # three zones, two calls in vain


def test_attempts_are_bounded(sandbox: GcpSandbox) -> None:
    _fail(sandbox, LIST, Broken(429, "rateLimitExceeded"))
    with pytest.raises(Throttled):
        instances_in(sandbox)
    assert sandbox.server.asked[LIST] == PATIENCE.attempts


@pytest.mark.parametrize(("status", "reason"), [(403, "forbidden"), (400, "invalid")])
def test_what_does_not_pass_is_asked_once(sandbox: GcpSandbox, status: int, reason: str) -> None:
    _fail(sandbox, LIST, Broken(status, reason))
    with pytest.raises(CloudFailed):
        instances_in(sandbox)
    assert sandbox.server.asked[LIST] == 1


def test_each_page_has_attempts_of_its_own(sandbox: GcpSandbox) -> None:
    small = GcpSandbox(sandbox.server, entry_at(sandbox.server), page_rows=2)
    make_group(small, "web", 12)
    seen: set[tuple[str, ...]] = set()

    def once_each(call: Call) -> Broken | None:
        key = (call.path.get("zone", ""), call.query.get("pageToken", ""))
        if call.verb != LIST or key in seen:
            return None
        seen.add(key)
        return Broken(503, "backendError")

    sandbox.server.faults.append(once_each)
    assert len(instances_in(small)) == 12
    assert len(seen) >= 6


@pytest.mark.parametrize(
    "raw",
    [b'{"items": [{"name": "web-', b"", b"<html>down</html>", b'{"items": 5}', b"\xff\xfe"],
)
def test_a_page_that_fails_half_way_keeps_what_came_before(sandbox: GcpSandbox, raw: bytes) -> None:
    small = GcpSandbox(sandbox.server, entry_at(sandbox.server), page_rows=2)
    make_group(small, "web", 12)
    broken = Broken(raw=raw) if raw else Broken()

    def second(call: Call) -> Broken | None:
        return broken if call.verb == LIST and "pageToken" in call.query else None

    sandbox.server.faults.append(second)
    came: list[Instance] = []
    with pytest.raises(Unavailable):
        came.extend(small.provider.inventory.instances(scope_of(small)))
    assert 0 < len(came) < 12


@pytest.mark.parametrize("status", [200, 400, 403, 404, 500])
@pytest.mark.parametrize(
    "raw",
    [
        b"[]", b'["down"]', b'"down"', b"7", b"null", b'{"error": "down"}', b'{"error": ["down"]}',
        b'{"error": null}', b'{"error": {"details": ["down"]}}', b'{"error": {"details": 5}}',
        b'{"error": {"errors": "down", "message": 5}}', b"[" * 5000, b'{"error": {"errors": 5}}',
        b'{"error": {"message": {"details": 1}, "details": [{"reason": 5}]}}',
    ],
)  # fmt: skip
def test_answers_of_another_shape(sandbox: GcpSandbox, raw: bytes, status: int) -> None:
    _fail(sandbox, LIST, Broken(status, raw=raw))
    with suppress(CloudFailed):  # and nothing else
        instances_in(sandbox)
    group = make_group(sandbox, "web", 1)
    sandbox.server.faults.clear()
    _fail(sandbox, PATCH, Broken(status, raw=raw))
    with suppress(CloudFailed):
        act(sandbox, Remix(group, sandbox.types))


def test_pages_that_lead_back(sandbox: GcpSandbox) -> None:
    def circle(call: Call) -> Broken | None:
        answer = json.dumps({"nextPageToken": f"after-{len(call.query.get('pageToken', '')) % 2}"})
        return Broken(raw=answer.encode()) if call.verb == LIST else None

    sandbox.server.faults.append(circle)
    with pytest.raises(Unavailable, match="leads back"):
        instances_in(sandbox)
    assert sandbox.server.asked[LIST] < 5


@pytest.mark.parametrize(("field", "value"), [("creationTimestamp", "yesterday"), ("status", "")])
def test_fields_that_cannot_be(sandbox: GcpSandbox, field: str, value: str) -> None:
    make_group(sandbox, "web", 1)
    for one in sandbox.server.cloud.instances.values():
        one.pop(field)
        if value:
            one[field] = value
    with pytest.raises(Unavailable, match=value or "in no state"):
        instances_in(sandbox)


def test_one_region_down_spoils_no_other(sandbox: GcpSandbox, tmp_path: Path) -> None:
    make_group(sandbox, "web", 3)

    def down(call: Call) -> Broken | None:
        where = call.path.get("region") or call.path.get("zone", "")
        return Broken(503, "backendError") if where.startswith("us-central1") else None

    sandbox.server.faults.append(down)
    snapshot = collect([sandbox.provider], Request("shop", tmp_path / "out"))
    states: dict[str, set[Status]] = {}
    for part in snapshot.manifest.parts:
        states.setdefault(part.region, set()).add(part.status)
    assert states["europe-west1"] == {Status.COMPLETE}
    assert states["us-central1"] == {Status.FAILED}
    assert len(list(snapshot.rows(Instance))) == 3
    assert all(part.why for part in snapshot.manifest.parts if part.status is Status.FAILED)


class _Expired(PlantedCredentials):
    @property
    def expired(self) -> bool:
        return True

    @property
    def valid(self) -> bool:
        return False

    def refresh(self, request: Any) -> None:
        raise RefreshError(  # type: ignore[no-untyped-call]
            "invalid_grant: Token has been expired or revoked.",
            {"refresh_token": SECRET, "answer": OPAQUE},
        )


def test_expired_credentials(sandbox: GcpSandbox) -> None:
    cloud = _cloud(sandbox, _Expired())
    with pytest.raises(Denied, match="expired") as caught:
        reached(cloud.inventory.scopes())
    shown = "".join(_told(caught.value))
    assert SECRET not in shown
    assert OPAQUE not in shown


def _told(error: BaseException | None) -> Iterator[str]:
    """All that an error says, with what it came of and what was under way then."""
    if error is not None:
        yield f"{error!r} {error} {error.__dict__}"
        for other in (error.__cause__, error.__context__):
            yield from _told(other)


def test_errors_hold_nothing_of_the_sdk(sandbox: GcpSandbox) -> None:
    for fault in (Broken(403, f"token {OPAQUE}"), Broken(500, raw=b'{"error": "x"}'), Broken()):
        sandbox.server.faults[:] = [lambda call, fault=fault: fault]  # type: ignore[misc]
        with pytest.raises(CloudFailed) as caught:
            instances_in(sandbox)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_no_credentials_at_all(
    sandbox: GcpSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    cloud = provider(entry_at(sandbox.server), Path(), patience=PATIENCE)
    with pytest.raises(Denied):
        reached(cloud.inventory.scopes())
    finding, clock = cloud.doctor.findings()
    assert finding.about == "credentials"
    assert clock.about == "clock"
    assert "gcloud auth application-default login" in finding.remedy


def test_nobody_listens(sandbox: GcpSandbox) -> None:
    cloud = _cloud(sandbox, entry=GcpEntry(projects=("p",), endpoint="http://127.0.0.1:9"))
    with pytest.raises(Unavailable):
        reached(cloud.inventory.scopes())


def test_a_project_that_is_not_there(sandbox: GcpSandbox) -> None:
    entry = entry_at(sandbox.server).model_copy(update={"projects": ("nobodys",)})
    with pytest.raises(NotFound):
        reached(_cloud(sandbox, entry=entry).inventory.scopes())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ZONE_RESOURCE_POOL_EXHAUSTED", CapacityLacking),
        ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", CapacityLacking),
        ("QUOTA_EXCEEDED", QuotaReached),
        ("RATE_LIMIT_EXCEEDED", Throttled),
        ("INVALID_USAGE", NotAccepted),
        ("INTERNAL_ERROR", Unavailable),
        ("WHAT_NOBODY_KNOWS", Unavailable),
    ],
)
def test_operations_fail_for_reasons(
    sandbox: GcpSandbox, code: str, error: type[CloudFailed]
) -> None:
    group = make_group(sandbox, "web", 1)
    ends = {"status": "DONE", "error": {"errors": [{"code": code, "message": "none are left"}]}}
    sandbox.server.cloud.answers["compute.regionInstanceGroupManagers.resize"] = ends
    with pytest.raises(error, match="none are left") as caught:
        act(sandbox, Resize(group, 2))
    assert caught.value.code == code


def test_an_operation_that_fails_without_a_word(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 1)
    ends = {"status": "DONE", "httpErrorStatusCode": 403, "httpErrorMessage": "FORBIDDEN"}
    sandbox.server.cloud.answers["compute.regionInstanceGroupManagers.resize"] = ends
    with pytest.raises(Denied):
        act(sandbox, Resize(group, 2))


def _everything(sandbox: GcpSandbox) -> Iterator[object]:
    """All that comes out: rows, findings, receipts, errors, and the parts themselves."""
    cloud, scope = sandbox.provider, scope_of(sandbox)
    yield cloud
    yield act(sandbox, create(sandbox, "web", 2))
    yield from instances_in(sandbox)
    yield from groups_in(sandbox)
    yield from cloud.inventory.instance_types(scope)
    yield from cloud.inventory.quotas(scope)
    yield from cloud.price_list.prices(Scope("gcp", "", scope.region))
    yield from cloud.doctor.findings()
    for kind in (Trouble.THROTTLED, Trouble.DOWN, Trouble.GARBLED, Trouble.DENIED):
        with sandbox.trouble(kind):
            try:
                reached(cloud.inventory.scopes())
            except CloudFailed as error:
                yield error
            try:
                cloud.hands.act(create(sandbox, "other", 1), new_token())
            except CloudFailed as error:
                yield error


def _shown(one: object) -> str:
    return "".join(_told(one)) if isinstance(one, BaseException) else f"{one!r} {one}"


def test_credentials_show_nowhere(sandbox: GcpSandbox, caplog: pytest.LogCaptureFixture) -> None:
    def tell(call: Call) -> Broken | None:
        said = f"Authorization: Bearer {SECRET} is refused"
        return Broken(403, said) if call.verb == "compute.regionCommitments.list" else None

    with caplog.at_level(logging.DEBUG):
        shown = [_shown(one) for one in _everything(sandbox)]
        sandbox.server.faults.append(tell)
        with pytest.raises(Denied) as caught:
            list(sandbox.provider.inventory.commitments(scope_of(sandbox)))
    assert sandbox.server.tokens >= {f"Bearer {SECRET}"}  # it was there to be seen
    assert len(shown) > 50
    assert [text for text in shown if SECRET in text] == []
    assert SECRET not in _shown(caught.value)
    assert SECRET not in caplog.text


def test_two_thousand_instances_in_two_hundred_groups(sandbox: GcpSandbox) -> None:
    cloud = sandbox.server.cloud
    act(sandbox, create(sandbox, "group", 10))
    first = cloud.managers["europe-west1", "group"]
    for number in range(199):
        key = "europe-west1", f"group-{number:03d}"
        cloud.managers[key] = {**first, "name": key[1], "baseInstanceName": key[1]}
    sandbox.settle()
    wide = GcpSandbox(sandbox.server, entry_at(sandbox.server), page_rows=500)
    found = instances_in(wide)
    assert len({one.id for one in found}) == len(cloud.instances) == 2000
    assert len({one.group for one in found}) == len(groups_in(wide)) == 200
