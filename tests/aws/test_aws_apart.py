"""One thing of AWS's that fails, or is gone, leaves all others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from acting import groups_in, make_group, scope_of
from aws_goods import product, quota, rate, spot_price
from aws_measured import LAST, WINDOW, balanced, put
from aws_sandbox import PLACES, TEMPLATE, AwsSandbox

from models.cloud_errors import Asked, CloudFailed, Denied, NotFound, Unavailable
from models.inventory import CommittedRate, Price, Signal
from models.offerings import Purchase
from providers.aws.errors import Later, translated
from providers.aws.regions import at_once
from providers.seam import Scope
from scenarios.collect_entries import AwsAccountEntry, AwsEntry

MARKET = Scope("aws", "", PLACES[0])
ASKED = Asked("aws", "Describe")


def kept(rows: Iterator[Any]) -> tuple[list[Any], CloudFailed]:
    """What came before a failure, and the failure."""
    found: list[Any] = []
    with pytest.raises(CloudFailed) as caught:
        found.extend(rows)
    return found, caught.value


def refuse(aws: AwsSandbox, service: str, operation: str) -> None:
    aws.proxy.rule({"service": service, "operation": operation,
                    "error": {"code": "AccessDenied", "status": 403}})  # fmt: skip


@pytest.mark.parametrize(
    "broken", [IndexError, KeyError, ValueError, TypeError, AttributeError, ZeroDivisionError]
)
def test_all_garbled_answers_are_unavailable(broken: type[Exception]) -> None:
    with pytest.raises(Unavailable, match="not what it should be"), translated(ASKED):
        raise broken("x")


def test_an_offering_without_its_place_is_garbled(aws: AwsSandbox) -> None:
    aws.stand_in.sold.odd["InstanceTypeOfferings"] = [{"InstanceType": "c5.large"}]
    with pytest.raises(Unavailable, match="Garbled"):
        list(aws.provider.inventory.instance_types(scope_of(aws)))


@pytest.mark.parametrize("operation", ["ListServiceQuotas", "DescribeSavingsPlansOfferingRates"])
def test_pages_that_come_round_again_end(aws: AwsSandbox, operation: str) -> None:
    sold = aws.stand_in.sold
    sold.page = 1
    sold.circular.add(operation)
    sold.quotas += [quota("L-34B43A08", "All Standard Spot Instance Requests", 64.0)]
    sold.rates += [rate("m5.large", PLACES[0], usd) for usd in ("0.08", "0.09")]
    rows = (
        aws.provider.inventory.quotas(scope_of(aws)) if operation == "ListServiceQuotas"
        else aws.provider.price_list.prices(MARKET)
    )  # fmt: skip
    _, failure = kept(iter(rows))
    assert "come round again" in failure.said


def test_accounts_are_asked_at_once() -> None:
    meet = Barrier(3, timeout=10)

    def ask(name: str) -> str:
        meet.wait()
        if name == "b":
            raise Unavailable(ASKED, "Down", name)
        return name

    first, second, third = at_once(ask, ("a", "b", "c"), 3)
    assert (first, third) == ("a", "c")
    assert isinstance(second, Unavailable)


def test_another_region_says_which_there_are_while_one_is_down(aws: AwsSandbox) -> None:
    role = AwsAccountEntry(name="data", role_arn="arn:aws:iam::210987654321:role/trimtab-read")
    accounts = (AwsAccountEntry(name="prod"), role)
    asked = AwsEntry(accounts=accounts, regions=PLACES, endpoint=aws.proxy.url)
    aws.proxy.rule(*({"service": service, "region": "us-east-1", "reset": True}
                     for service in ("ec2", "sts")))  # fmt: skip
    scopes = aws.provider_of(asked).inventory.scopes()
    assert scopes.unreached == ()
    assert {(one.account, one.region) for one in scopes.found} >= {
        (account, region) for account in ("prod", "data") for region in PLACES
    }
    aws.product_calls.remove("sts:AssumeRole")  # of the role that is started from


def test_a_group_whose_launch_template_is_gone(aws: AwsSandbox) -> None:
    make = aws.sdk("autoscaling").create_auto_scaling_group
    zones = {"AvailabilityZones": [f"{PLACES[0]}a"], "MinSize": 0, "MaxSize": 3}
    make(AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": TEMPLATE}, **zones)
    make_group(aws, "mixed", 1)
    aws.sdk("ec2").delete_launch_template(LaunchTemplateName=TEMPLATE)
    mixed, web = sorted(groups_in(aws), key=lambda one: one.name)
    assert (web.name, web.instance_types, web.template) == ("web", (), TEMPLATE)
    assert mixed.instance_types == aws.types[:1]


def test_launch_templates_that_may_not_be_read(aws: AwsSandbox) -> None:
    aws.sdk("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": TEMPLATE},
        AvailabilityZones=[f"{PLACES[0]}a"], MinSize=0, MaxSize=3,
    )  # fmt: skip
    refuse(aws, "ec2", "DescribeLaunchTemplateVersions")
    rows, failure = kept(aws.provider.inventory.groups(scope_of(aws)))
    assert [one.name for one in rows] == ["web"]
    assert isinstance(failure, Denied)


def test_instances_of_groups_that_may_not_be_read(aws: AwsSandbox) -> None:
    make_group(aws, "web", 2)
    refuse(aws, "autoscaling", "DescribeAutoScalingGroups")
    rows, failure = kept(aws.provider.inventory.instances(scope_of(aws)))
    assert [one.group for one in rows] == ["", ""]
    assert isinstance(failure, Denied)
    assert aws.proxy.fired


def test_a_reservation_of_a_type_that_is_no_more(aws: AwsSandbox) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    base = {
        "InstanceCount": 1, "ProductDescription": "Linux/UNIX", "InstanceTenancy": "default",
        "State": "active", "OfferingClass": "standard", "Duration": 31_536_000, "FixedPrice": 1.0,
        "UsagePrice": 0.0, "Start": at, "End": at + timedelta(days=365), "RecurringCharges": [],
    }  # fmt: skip
    aws.stand_in.sold.reservations += [
        {**base, "ReservedInstancesId": f"r-{name}", "InstanceType": name}
        for name in ("zz9.plural", "c5.large")
    ]
    rows, failure = kept(aws.provider.inventory.commitments(scope_of(aws)))
    assert [one.id for one in rows] == ["r-c5.large"]
    assert "zz9.plural" in failure.said


def test_a_plan_in_another_currency(aws: AwsSandbox) -> None:
    plan = {
        "savingsPlanType": "Compute", "state": "active", "commitment": "2.5",
        "termDurationInSeconds": 94_608_000, "start": "2026-01-01T00:00:00.000Z",
        "end": "2029-01-01T00:00:00.000Z",
    }  # fmt: skip
    aws.stand_in.sold.plans += [
        {**plan, "savingsPlanId": name, "savingsPlanArn": f"arn:{name}", "currency": name}
        for name in ("CNY", "USD")
    ]
    rows, failure = kept(aws.provider.inventory.commitments(Scope("aws", "prod", "")))
    assert [one.id for one in rows] == ["USD"]
    assert "CNY is in CNY" in failure.said


def test_a_target_group_that_is_gone(aws: AwsSandbox) -> None:
    make_group(aws, "web", 1)
    behind = balanced(aws, "web")
    put(aws, "AWS/ApplicationELB", "RequestCount", behind, 3600.0)
    vpc = aws.sdk("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    asked = {"Name": "gone", "Protocol": "HTTP", "Port": 80, "VpcId": vpc}
    target = aws.sdk("elbv2").create_target_group(**asked)
    arn = target["TargetGroups"][0]["TargetGroupArn"]
    aws.sdk("autoscaling").attach_load_balancer_target_groups(
        AutoScalingGroupName="web", TargetGroupARNs=[arn]
    )
    aws.sdk("elbv2").delete_target_group(TargetGroupArn=arn)
    (sample,) = aws.provider.metrics.samples(scope_of(aws), WINDOW)
    assert (sample.signal, sample.value) == (Signal.REQUESTS_RPS, 1.0)


def test_load_balancers_that_may_not_be_read(aws: AwsSandbox) -> None:
    make_group(aws, "web", 1)
    balanced(aws, "web")
    put(aws, "AWS/EC2", "CPUUtilization", {"AutoScalingGroupName": "web"}, 20.0)
    refuse(aws, "elbv2", "DescribeTargetGroups")
    rows, failure = kept(aws.provider.metrics.samples(scope_of(aws), WINDOW))
    assert [one.signal for one in rows] == [Signal.CPU_SHARE]
    assert isinstance(failure, Denied)


@pytest.mark.parametrize(
    ("status", "error"),
    [("Forbidden", Denied), ("InternalError", Unavailable), ("PartialData", Unavailable)],
)
def test_series_that_are_not_whole(aws: AwsSandbox, status: str, error: type[CloudFailed]) -> None:
    make_group(aws, "web", 1)
    put(aws, "AWS/EC2", "CPUUtilization", {"AutoScalingGroupName": "web"}, 20.0)
    aws.stand_in.sold.statuses["NetworkOut"] = status
    rows, failure = kept(aws.provider.metrics.samples(scope_of(aws), WINDOW))
    assert [one.at for one in rows] == [LAST]
    assert isinstance(failure, error)
    assert (failure.code, failure.said) == (
        status, "1 of 2 series are not whole, NetworkOut for one",
    )  # fmt: skip


def test_a_quota_whose_use_is_not_told(aws: AwsSandbox) -> None:
    aws.stand_in.sold.statuses["ResourceCount"] = "Forbidden"
    rows, failure = kept(aws.provider.inventory.quotas(scope_of(aws)))
    assert [(one.limit, one.used) for one in rows] == [(512.0, None)]
    assert isinstance(failure, Denied)


@pytest.mark.parametrize(
    ("service", "operation", "lost"),
    [
        ("pricing", "GetProducts", Purchase.ON_DEMAND),
        ("ec2", "DescribeSpotPriceHistory", Purchase.SPOT),
        ("savingsplans", "DescribeSavingsPlansOfferingRates", Purchase.RESERVED_1Y),
    ],
)
def test_one_source_of_prices_fails(
    aws: AwsSandbox, service: str, operation: str, lost: Purchase
) -> None:
    sold = aws.stand_in.sold
    sold.products[:] = [product("m5.large", PLACES[0], "0.1")]
    sold.spot[:] = [spot_price("m5.large", f"{PLACES[0]}a", "0.03")]
    sold.rates[:] = [rate("m5.large", PLACES[0], "0.07")]
    refuse(aws, service, operation)
    rows, failure = kept(aws.provider.price_list.prices(MARKET))
    told = {one.purchase for one in rows if isinstance(one, Price)}
    told |= {Purchase.RESERVED_1Y for one in rows if isinstance(one, CommittedRate)}
    assert told == {Purchase.ON_DEMAND, Purchase.SPOT, Purchase.RESERVED_1Y} - {lost}
    assert isinstance(failure, Denied)


def test_the_first_failure_is_told() -> None:
    later = Later()
    later.raise_first()
    for code in ("One", "Two"):
        with later.failing():
            raise NotFound(ASKED, code, "")
    with pytest.raises(NotFound, match="One"):
        later.raise_first()


def activity(status: str, cause: str, message: str = "", minutes: int = 0) -> dict[str, Any]:
    at = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return {
        "ActivityId": str(minutes), "AutoScalingGroupName": "web", "Cause": cause,
        "StartTime": at, "StatusCode": status, **({"StatusMessage": message} if message else {}),
    }  # fmt: skip


LACKING = "We currently do not have sufficient c5.large capacity in the zone you requested."
ILL = "At 10:00 an instance was taken out of service in response to an ELB system health check."
FAILED = activity("Failed", "an instance was started", LACKING, 1)
STARTED = activity("Successful", "an instance was started", minutes=2)
ENDED = activity("Successful", ILL, minutes=3)


@pytest.mark.parametrize(
    ("activities", "trouble"),
    [([FAILED], LACKING), ([FAILED, STARTED], ""), ([STARTED, ENDED], ILL), ([], ""),
     ([activity("Successful", "an instance was started", minutes=4), ENDED, STARTED], ILL)],
)  # fmt: skip
def test_why_a_group_is_smaller_than_it_should_be(
    aws: AwsSandbox, activities: list[dict[str, Any]], trouble: str
) -> None:
    make_group(aws, "web", 1)
    assert [one.trouble for one in groups_in(aws)] == [""]
    assert "autoscaling:DescribeScalingActivities" not in aws.product_calls
    aws.stand_in.sold.activities[:] = activities
    scaling = aws.sdk("autoscaling")
    ill = scaling.describe_auto_scaling_instances()["AutoScalingInstances"][0]["InstanceId"]
    scaling.set_instance_health(InstanceId=ill, HealthStatus="Unhealthy")
    assert [one.trouble for one in groups_in(aws)] == [trouble]
