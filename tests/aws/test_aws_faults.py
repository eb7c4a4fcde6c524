"""Faults on the way to AWS, each with what comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from acting import act, instances_in, make_group, scope_of
from aws_goods import rate
from aws_sandbox import CREDENTIALS, HASTY, IMAGE, PLACES, AwsSandbox, entry
from reached import reached

from models.actions import Resize
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
from models.inventory import Instance
from optimizer.collect import Limits, Request, collect
from providers.aws.provider import provider
from providers.seam import Provider, Reading, Scope, Window
from providers.snapshots.manifest import Status
from scenarios.collect_entries import AwsAccountEntry, AwsEntry

MARKET = Scope("aws", "", PLACES[0])


def window() -> Window:
    ends = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return Window(ends - timedelta(hours=2), ends)


READINGS: dict[str, Callable[[Provider, Scope], Iterator[Any]]] = {
    "instances": lambda one, scope: one.inventory.instances(scope),
    "groups": lambda one, scope: one.inventory.groups(scope),
    "types": lambda one, scope: one.inventory.instance_types(scope),
    "quotas": lambda one, scope: one.inventory.quotas(scope),
    "reservations": lambda one, scope: one.inventory.commitments(scope),
    "plans": lambda one, scope: one.inventory.commitments(Scope("aws", scope.account, "")),
    "prices": lambda one, _: one.price_list.prices(MARKET),
    "samples": lambda one, scope: one.metrics.samples(scope, window()),
}


def throttled(times: int, service: str = "ec2") -> dict[str, Any]:
    return {"service": service, "times": times,
            "error": {"code": "RequestLimitExceeded", "status": 503}}  # fmt: skip


def test_throttled_calls_are_tried_again(aws: AwsSandbox) -> None:
    aws.proxy.rule(throttled(HASTY.attempts - 1))
    before = aws.proxy.fired
    assert instances_in(aws) == []
    assert aws.proxy.fired - before == HASTY.attempts - 1


def test_throttled_calls_are_not_tried_for_ever(aws: AwsSandbox) -> None:
    aws.proxy.rule(throttled(1000))
    before = aws.proxy.fired
    with pytest.raises(Throttled, match="RequestLimitExceeded"):
        instances_in(aws)
    assert aws.proxy.fired - before == HASTY.attempts


def test_a_page_that_fails_half_way_leaves_those_before_it(aws: AwsSandbox) -> None:
    ec2 = aws.sdk("ec2")
    for _ in range(6):
        ec2.run_instances(ImageId=IMAGE, InstanceType="m5.large", MinCount=1, MaxCount=1)
    with patch("providers.aws.inventory.INSTANCES_PER_PAGE", 5):
        aws.proxy.rule({
            "service": "ec2", "operation": "DescribeInstances", "body": "NextToken",
            "error": {"code": "InternalError", "status": 500},
        })  # fmt: skip
        rows: list[Instance] = []
        with pytest.raises(Unavailable, match="InternalError"):
            rows.extend(aws.provider.inventory.instances(scope_of(aws)))
    assert len(rows) == 5


@pytest.mark.parametrize("reading", READINGS)
def test_answers_that_break_off_are_not_taken_for_empty(aws: AwsSandbox, reading: str) -> None:
    make_group(aws, "web", 1)
    aws.stand_in.sold.rates.append(rate("m5.large", PLACES[0], "0.1"))
    reached(aws.provider.inventory.scopes())
    aws.proxy.rule({"service": "*", "response": {"truncate_frac": 0.6}})
    with pytest.raises(Unavailable):
        list(READINGS[reading](aws.provider, scope_of(aws)))


@pytest.mark.parametrize("reading", READINGS)
def test_credentials_that_have_expired(aws: AwsSandbox, reading: str) -> None:
    reached(aws.provider.inventory.scopes())
    aws.proxy.rule({"service": "*", "error": {"code": "ExpiredToken", "status": 403}})
    before = aws.proxy.fired
    with pytest.raises(Denied, match="doctor"):
        list(READINGS[reading](aws.provider, scope_of(aws)))
    sources = 3 if reading == "prices" else 1
    assert aws.proxy.fired == before + sources  # asking again would not help


def test_no_credentials_at_all(aws: AwsSandbox) -> None:
    nobody = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    nobody |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    with patch.dict(os.environ, nobody, clear=True), pytest.raises(Denied):
        reached(aws.provider_of(entry(aws.proxy.url)).inventory.scopes())


def test_a_role_without_credentials_to_start_from(aws: AwsSandbox) -> None:
    nobody = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    nobody |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    role = AwsAccountEntry(name="prod", role_arn="arn:aws:iam::210987654321:role/trimtab")
    made = AwsEntry(accounts=(role,), regions=PLACES, endpoint=aws.proxy.url)
    with patch.dict(os.environ, nobody, clear=True):
        one = aws.provider_of(made)
        with pytest.raises(Denied, match=r"NoCredentials(.|\n)*doctor"):
            reached(one.inventory.scopes())
        with pytest.raises(Denied):  # whatever is asked first
            list(one.inventory.groups(scope_of(aws)))


def test_a_profile_that_is_not_there(aws: AwsSandbox) -> None:
    made = AwsEntry(accounts=(AwsAccountEntry(name="prod", profile="nobody"),))
    with pytest.raises(Denied, match="nobody"):
        reached(aws.provider_of(made).inventory.scopes())


def test_a_clock_that_is_wrong(aws: AwsSandbox) -> None:
    said = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"
    aws.proxy.rule({"service": "*", "error": {
        "code": "SignatureDoesNotMatch", "status": 403, "message": said}})  # fmt: skip
    with pytest.raises(Denied, match="Signature expired"):
        reached(aws.provider.inventory.scopes())


def test_nothing_listens(aws: AwsSandbox) -> None:
    deaf = aws.provider_of(entry("http://127.0.0.1:9"))
    with pytest.raises(Unavailable):
        reached(deaf.inventory.scopes())


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("InsufficientInstanceCapacity", 500, CapacityLacking),
        ("VcpuLimitExceeded", 400, QuotaReached),
        ("MaxSpotInstanceCountExceeded", 400, QuotaReached),
        ("UnauthorizedOperation", 403, Denied),
        ("InvalidInstanceID.NotFound", 400, NotFound),
        ("IncorrectInstanceState", 400, Conflicting),
        ("InvalidParameterValue", 400, NotAccepted),
        ("ServiceUnavailable", 503, Unavailable),
        ("RegionDisabledException", 403, Denied),
        ("WhateverComesNext", 500, Unavailable),
        ("WhateverComesNext", 400, NotAccepted),
    ],
)
def test_codes_have_their_kind(
    aws: AwsSandbox, code: str, status: int, error: type[CloudFailed]
) -> None:
    aws.proxy.rule({"service": "ec2", "error": {"code": code, "status": status}})
    with pytest.raises(CloudFailed) as caught:
        instances_in(aws)
    assert type(caught.value) is error
    assert caught.value.code == code
    assert caught.value.asked.operation == "DescribeInstances"
    assert caught.value.asked.account == "prod"


def test_one_region_down_leaves_the_others(aws: AwsSandbox, tmp_path: Path) -> None:
    make_group(aws, "web", 2)
    reached(aws.provider.inventory.scopes())
    aws.proxy.rule(
        *({"service": service, "region": PLACES[1], "reset": True}
          for service in ("autoscaling", "cloudwatch")),
        {"service": "ec2", "region": PLACES[1], "operation": "DescribeInstances", "reset": True},
    )  # fmt: skip
    snapshot = collect([aws.provider], Request("try", tmp_path, Limits(at_once=8)))
    status = {
        (part.region, part.reading): part.status
        for part in snapshot.manifest.parts
        if part.reading in (Reading.INSTANCES, Reading.GROUPS)
    }
    assert status[PLACES[0], Reading.INSTANCES] is Status.COMPLETE
    assert status[PLACES[0], Reading.GROUPS] is Status.COMPLETE
    assert status[PLACES[1], Reading.INSTANCES] is Status.FAILED
    assert status[PLACES[1], Reading.GROUPS] is Status.FAILED
    assert len(snapshot.frame("instances")) == 2


def test_one_account_that_may_not_look_leaves_the_others(aws: AwsSandbox) -> None:
    made = AwsEntry(
        accounts=(
            AwsAccountEntry(name="prod"),
            AwsAccountEntry(name="lost", role_arn="arn:aws:iam::210987654321:role/none"),
        ),
        regions=PLACES,
        endpoint=aws.proxy.url,
    )
    aws.proxy.rule({"service": "sts", "error": {"code": "AccessDenied", "status": 403}})
    both = aws.provider_of(made)
    scopes = both.inventory.scopes()
    assert [one.scope for one in scopes.unreached] == [Scope("aws", "lost", "")]
    assert isinstance(scopes.unreached[0].failure, Denied)
    assert len([scope for scope in scopes.found if scope.account == "prod"]) == 3
    assert [scope.region for scope in both.price_list.markets().found] == sorted(PLACES)


def test_planted_secrets_appear_nowhere(aws: AwsSandbox, tmp_path: Path) -> None:
    secrets = [*CREDENTIALS.values()]
    group = make_group(aws, "web", 1)
    said = " ".join(f"aws_secret_access_key={one} session_token={one}" for one in secrets)
    told = [repr(aws.provider), repr(list(aws.provider.inventory.groups(scope_of(aws))))]
    told += [repr(finding) for finding in aws.provider.doctor.findings()]
    collect([aws.provider], Request("try", tmp_path))
    for code, status in (("AccessDenied", 403), ("Throttling", 400), ("InternalError", 500)):
        aws.proxy.rule({"service": "*",
                        "error": {"code": code, "status": status, "message": said}})  # fmt: skip
        with pytest.raises(CloudFailed) as caught:
            act(aws, Resize(group, 3))
        told.append(repr(caught.value) + str(caught.value) + str(caught.value.__dict__))
        # nor in what it was made from
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        snapshot = collect([aws.provider], Request("try", tmp_path))
        told.append(snapshot.manifest.text())
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not [text for text in told if secret in text]
        assert not [one for one in files if secret.encode() in one]


def test_clients_are_made_once_and_shared(aws: AwsSandbox) -> None:
    made = AwsEntry(accounts=(AwsAccountEntry(name="prod"),), endpoint=aws.proxy.url)
    inventory: Any = provider(made, Path(), HASTY).inventory
    (account,) = inventory.regions.accounts
    assert account.ec2("us-east-1") is account.ec2("us-east-1")
    assert account.ec2("us-east-1") is not account.ec2("us-west-2")


def test_clients_of_many_accounts_are_bounded_together(aws: AwsSandbox) -> None:
    accounts = tuple(AwsAccountEntry(name=name) for name in ("a", "b"))
    made = AwsEntry(accounts=accounts, endpoint=aws.proxy.url)
    inventory: Any = provider(made, Path(), HASTY).inventory
    one, two = inventory.regions.accounts
    with patch("providers.aws.clients.CLIENTS_KEPT", 2):
        first = one.ec2("us-east-1")
        assert two.ec2("us-east-1") is not first
        assert one.ec2("us-east-1") is first
        two.ec2("us-west-2")
        assert len(one.clients) == 2
        assert one.ec2("us-east-1") is first
