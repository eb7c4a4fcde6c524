"""What goes wrong between us and Azure, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from acting import act, create, groups_in, instances_in, make_group, new_token, scope_of
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure_sandbox import AzureSandbox, access, entry, made, until_broken
from azure_server import SECRET, Answer, Call, refused
from azure_state import SUBSCRIPTION
from sandboxes import Trouble

from models.actions import DeleteGroup, Drain, Remix, Replace, Resize, Start, Target
from models.cloud_errors import (
    CapacityLacking,
    CloudFailed,
    Conflicting,
    Denied,
    NotAccepted,
    NotFound,
    QuotaReached,
    Throttled,
    Unavailable,
)
from providers.azure.clients import Access, PatientRetry
from providers.azure.provider import provider
from providers.seam import Scope, Window


class NoCredential:
    """Nobody is signed in."""

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        raise ClientAuthenticationError(message=f"nobody signed in; tried Bearer {SECRET}")


def test_throttled_calls_are_made_again_and_then_given_up(box: AzureSandbox) -> None:
    with box.trouble(Trouble.THROTTLED), pytest.raises(Throttled):
        instances_in(box)
    assert len(box.stand.asked("virtualMachineScaleSets.listByLocation")) == 3


def test_a_throttled_call_that_succeeds_later_is_no_error(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    left = iter([refused(429, "TooManyRequests", Retry_After="0")] * 2)
    box.stand.faults.append(lambda call: next(left, None))
    assert len(groups_in(box)) == 1


def test_waits_grow_within_bounds_and_differ() -> None:
    retry = PatientRetry(Access(backoff_s=1.0, longest_wait_s=10.0))
    waits = [
        retry.get_backoff_time({"backoff": 1.0, "max_backoff": 10.0, "history": [None] * tries})
        for tries in (1, 2, 3, 9)
        for _ in range(20)
    ]
    for i, longest in enumerate((1.0, 2.0, 4.0, 10.0)):
        some = waits[20 * i : 20 * i + 20]
        assert all(longest / 2 <= wait <= longest for wait in some)
        assert len(set(some)) > 1


def test_rows_before_a_page_that_fails_are_kept(box: AzureSandbox) -> None:
    make_group(box, "many", desired=130)

    def fails(call: Call) -> Answer | None:
        late = call.operation == "virtualMachines.listByLocation" and "skip" in call.parameters
        return refused(500, "InternalServerError") if late else None

    box.stand.faults.append(fails)
    rows, error = until_broken(box.provider.inventory.instances(scope_of(box)))
    assert isinstance(error, Unavailable)
    assert len(rows) == 50


def test_a_region_that_is_down_spoils_no_other(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    box.stand.faults.append(
        lambda call: Answer(drop=True) if call.place.get("location") == "northeurope" else None
    )
    assert len(instances_in(box)) == 1
    with pytest.raises(Unavailable) as caught:
        instances_in(box, box.other_place)
    assert caught.value.asked.place == "azure/northeurope"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"nonsense", b'{"value": [{"id": "/subscr', b'{"value": 7}', b'{"value": ["x"]}',
        b"[]", b'{"value": [{"id": "/elsewhere", "name": "x"}]}', b'{"value": [{}]}',
    ],
)  # fmt: skip
def test_answers_that_are_none_are_named_so(box: AzureSandbox, raw: bytes) -> None:
    box.stand.faults.append(lambda call: Answer(raw=raw))
    with pytest.raises(Unavailable):
        groups_in(box)


@pytest.mark.parametrize(
    ("status", "code", "message", "error"),
    [
        (409, "AllocationFailed", "no", CapacityLacking),
        (409, "ZonalAllocationFailed", "no", CapacityLacking),
        (409, "SkuNotAvailable", "no", CapacityLacking),
        (409, "OperationNotAllowed", "exceeding approved Cores quota", QuotaReached),
        (409, "OperationNotAllowed", "the machine is deallocated", Conflicting),
        (409, "SpotVMsQuotaExceeded", "no", QuotaReached),
        (409, "MissingSubscriptionRegistration", "no", Denied),
        (409, "SubscriptionNotRegistered", "no", Denied),
        (429, "TooManyRequests", "no", Throttled),
        (403, "AuthorizationFailed", "no", Denied),
        (401, "ExpiredAuthenticationToken", "no", Denied),
        (404, "ResourceNotFound", "no", NotFound),
        (409, "Conflict", "no", Conflicting),
        (412, "PreconditionFailed", "no", Conflicting),
        (400, "InvalidParameter", "no", NotAccepted),
        (503, "ServerTimeout", "no", Unavailable),
    ],
)  # fmt: skip
def test_errors_have_one_meaning(
    box: AzureSandbox, status: int, code: str, message: str, error: type[CloudFailed]
) -> None:
    group = make_group(box, "web", desired=1)
    box.stand.faults.append(
        lambda call: refused(status, code, message) if "if-match" in call.headers else None
    )
    with pytest.raises(error) as caught:
        act(box, Resize(group, 2))
    assert (caught.value.code, caught.value.said) == (code, message)


PAGED = (
    "instances",
    "groups",
    "instance_types",
    "quotas",
)


@pytest.mark.parametrize("reading", PAGED)
def test_pages_that_lead_in_a_circle_end(box: AzureSandbox, reading: str) -> None:
    def circles(call: Call) -> Answer | None:
        if call.operation == "providers.get":
            return None
        path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/skus"
        link = f"{box.stand.address}{path}?api-version=2021-07-01&skip=1"
        return Answer(body={"value": [], "nextLink": link})

    box.stand.faults.append(circles)
    rows = getattr(box.provider.inventory, reading)(scope_of(box))
    with pytest.raises(Unavailable, match="lead back"):
        list(rows)


def test_price_pages_that_lead_in_a_circle_end(box: AzureSandbox) -> None:
    link = "https://prices.invalid/?api-version=2023-01-01-preview&skip=1"
    box.stand.faults.append(lambda call: Answer(body={"Items": [], "NextPageLink": link}))
    with pytest.raises(Unavailable, match="lead back"):
        list(box.provider.price_list.prices(Scope("azure", "", "westeurope")))


ODD: tuple[object, ...] = (
    {"value": [{}]}, {"value": [{"properties": {}}]}, {"value": [7]}, {"value": 7}, [], 7, {},
    {"value": [{"id": "/elsewhere", "name": "x", "properties": {}}]},
    {"value": [{"resourceType": "virtualMachines", "name": "x", "capabilities": [
        {"name": "vCPUs", "value": "many"}]}]},
    {"value": [{"name": None, "limit": "x", "currentValue": None}]},
    {"value": [{"location": "westeurope", "properties": {
        "reservedResourceType": "VirtualMachines", "provisioningState": "Succeeded",
        "appliedScopeType": "Shared"}}]},
)  # fmt: skip


@pytest.mark.parametrize("body", ODD)
def test_nothing_but_our_own_errors_leaves_the_adapter(box: AzureSandbox, body: object) -> None:
    group = make_group(box, "web", desired=1)
    machine = instances_in(box)[0]
    target = Target(group.account, group.place, machine.id)
    scope, inventory, hands = scope_of(box), box.provider.inventory, box.provider.hands
    box.stand.faults.append(lambda call: Answer(body=body))
    for asks in (
        lambda: list(inventory.instances(scope)), lambda: list(inventory.groups(scope)),
        lambda: list(inventory.instance_types(scope)), lambda: list(inventory.quotas(scope)),
        lambda: list(inventory.commitments(scope)), inventory.scopes,
        lambda: list(box.provider.price_list.prices(Scope("azure", "", "westeurope"))),
        box.provider.price_list.markets, lambda: list(box.provider.doctor.findings()),
        lambda: list(box.provider.metrics.samples(scope, Window(*_hours()))),
        lambda: hands.act(Resize(group, 2), new_token()),
        lambda: hands.act(Remix(group, box.types), new_token()),
        lambda: hands.act(DeleteGroup(group), new_token()),
        lambda: hands.act(create(box, "api", 1), new_token()),
        lambda: hands.act(Replace(target), new_token()),
        lambda: hands.act(Drain(target, True), new_token()),
        lambda: hands.act(Start(target), new_token()),
        lambda: hands.act(Resize(group, 2), new_token(), rehearse=True),
    ):  # fmt: skip
        with suppress(CloudFailed):
            asks()


def test_a_missing_file_of_certificates_is_said(box: AzureSandbox) -> None:
    cloud = provider(entry(box.stand, ca_file="nowhere.pem"), Path(), access(box.stand))
    with pytest.raises(Unavailable, match=r"nowhere\.pem"):
        list(cloud.inventory.groups(scope_of(box)))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "OSProvisioningClientError", "message": "no agent"}, NotAccepted),
        ({"code": "InternalExecutionError", "message": "later"}, Unavailable),
        ({"code": "Conflict", "message": "see within", "details": [
            {"code": "SkuNotAvailable", "message": "none"}]}, CapacityLacking),
        (None, Unavailable),
    ],
)  # fmt: skip
def test_what_is_taken_on_and_fails_has_a_meaning(
    box: AzureSandbox, error: dict[str, object] | None, kind: type[CloudFailed]
) -> None:
    group = make_group(box, "web", desired=1)
    ended = {"name": "op", "status": "Failed", **({"error": error} if error else {})}
    box.stand.faults.append(
        lambda call: Answer(body=ended) if call.operation == "operations.get" else None
    )
    with pytest.raises(CloudFailed) as caught:
        act(box, Resize(group, 2))
    assert type(caught.value) is kind


def test_without_credentials_nothing_is_asked(box: AzureSandbox) -> None:
    cloud = made(box.stand, credential=NoCredential())
    with pytest.raises(Denied) as caught:
        list(cloud.inventory.groups(scope_of(box)))
    assert SECRET not in str(caught.value)
    assert box.stand.calls == []


def test_tokens_do_not_go_over_plain_connections(box: AzureSandbox) -> None:
    plain = entry(box.stand, endpoint=box.stand.address.replace("https", "http"))
    cloud = provider(plain, Path(), access(box.stand))
    with pytest.raises(Unavailable, match="non-TLS"):
        list(cloud.inventory.groups(scope_of(box)))
    assert box.stand.calls == []


def test_a_certificate_that_nobody_vouches_for_is_refused(box: AzureSandbox) -> None:
    cloud = provider(entry(box.stand, ca_file=None), Path(), access(box.stand))
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        list(cloud.inventory.groups(scope_of(box)))


def test_secrets_show_nowhere(box: AzureSandbox) -> None:
    make_group(box, "web", desired=2)
    box.settle()
    scope, window = scope_of(box), Window(*_hours())
    inventory = box.provider.inventory
    rows: list[object] = [
        *inventory.instances(scope), *inventory.groups(scope), *inventory.instance_types(scope),
        *inventory.quotas(scope), *inventory.commitments(scope),
        *box.provider.metrics.samples(scope, window), *box.provider.doctor.findings(),
    ]  # fmt: skip
    said = [repr(row) for row in rows]
    box.stand.faults.append(lambda call: refused(403, "AuthorizationFailed", f"Bearer {SECRET}"))
    with pytest.raises(Denied) as caught:
        act(box, create(box, "other", 1))
    assert [type(error) for error in _behind(caught.value)] == []
    said += [str(caught.value), repr(caught.value), repr(caught.value.args), repr(box.provider)]
    said += [repr(finding) for finding in box.provider.doctor.findings()]
    assert rows
    assert [text for text in said if SECRET in text] == []
    assert all(SECRET not in str(call.parameters) for call in box.stand.calls)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """All errors that one holds on to, by cause and by context."""
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield other
            yield from _behind(other)


@pytest.mark.parametrize("raw", [None, b"nonsense", b'{"value": [{}]}'])
def test_no_error_of_the_sdks_is_behind_ours(box: AzureSandbox, raw: bytes | None) -> None:
    refusal = refused(403, "AuthorizationFailed", f"Bearer {SECRET}")
    box.stand.faults.append(lambda call: refusal if raw is None else Answer(raw=raw))
    for rows in (box.provider.inventory.instances, box.provider.inventory.groups):
        with pytest.raises(CloudFailed) as caught:
            list(rows(scope_of(box)))
        assert list(_behind(caught.value)) == []
    (one,) = box.provider.inventory.scopes().unreached
    assert list(_behind(one.failure)) == []


def _hours() -> tuple[datetime, datetime]:
    ends = datetime(2026, 3, 1, tzinfo=UTC)
    return ends - timedelta(hours=2), ends
