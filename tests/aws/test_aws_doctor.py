"""What the doctor finds wrong with AWS, and how to mend it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aws_goods import product
from aws_sandbox import AwsSandbox, entry
from aws_sold import now

from providers.aws.doctor import AwsDoctor
from providers.seam import Finding, Severity


def bad(aws: AwsSandbox) -> list[Finding]:
    findings = aws.provider.doctor.findings()
    return [one for one in findings if one.severity is not Severity.FINE]


@pytest.mark.parametrize(
    ("service", "operation", "permission"),
    [
        ("ec2", "DescribeInstances", "ec2:DescribeInstances"),
        ("autoscaling", "DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingGroups"),
        ("cloudwatch", "GetMetricData", "cloudwatch:GetMetricData"),
        ("savingsplans", "DescribeSavingsPlans", "savingsplans:DescribeSavingsPlans"),
        ("pricing", "GetProducts", "pricing:GetProducts"),
        ("ec2", "DescribeRegions", "ec2:DescribeRegions"),
    ],
)
def test_a_permission_that_lacks_is_named(
    aws: AwsSandbox, service: str, operation: str, permission: str
) -> None:
    error = {"code": "AccessDenied", "status": 403}
    aws.proxy.rule({"service": service, "operation": operation, "error": error})
    (finding,) = bad(aws)
    assert finding.severity is Severity.FAILED
    assert f"allow {permission}" in finding.remedy


def test_credentials_that_do_not_hold(aws: AwsSandbox) -> None:
    aws.proxy.rule({"service": "sts", "error": {"code": "ExpiredToken", "status": 403}})
    (finding,) = bad(aws)
    assert finding.about == "credentials of prod"
    assert "aws sso login" in finding.remedy


@pytest.mark.parametrize(
    ("skew", "severity"),
    [(0, Severity.FINE), (120, Severity.WARNING), (-900, Severity.FAILED)],
)
def test_a_clock_that_is_off(aws: AwsSandbox, skew: int, severity: Severity) -> None:
    regions = aws.provider.inventory.regions  # type: ignore[attr-defined]
    doctor = AwsDoctor(regions, lambda: datetime.now(UTC) + timedelta(seconds=skew))
    (clock,) = (one for one in doctor.findings() if one.about.startswith("clock"))
    assert clock.severity is severity
    assert ("NTP" in clock.remedy) == (severity is not Severity.FINE)


def test_a_clock_that_aws_refuses(aws: AwsSandbox) -> None:
    said = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"
    aws.proxy.rule({"service": "sts", "error": {
        "code": "SignatureDoesNotMatch", "status": 403, "message": said}})  # fmt: skip
    regions = aws.provider.inventory.regions  # type: ignore[attr-defined]
    doctor = AwsDoctor(regions, lambda: datetime.now(UTC) + timedelta(minutes=20))
    credentials, clock = (one for one in doctor.findings() if one.about != "prices")
    assert (credentials.severity, clock.severity) == (Severity.FAILED, Severity.FAILED)
    assert clock.about == "clock, seen from prod"
    assert "NTP" in clock.remedy
    assert "NTP" in credentials.remedy


def test_prices_that_are_old_or_lack(aws: AwsSandbox) -> None:
    products = aws.stand_in.sold.products
    products[:] = [product("m5.large", "us-east-1", "0.1", published=now() - timedelta(days=500))]
    (old,) = bad(aws)
    assert (old.severity, old.said) == (Severity.WARNING, "published 500 days ago")
    products.clear()
    (empty,) = bad(aws)
    assert (empty.severity, empty.said) == (Severity.FAILED, "the price list is empty")


def test_regions_that_are_not_enabled(aws: AwsSandbox) -> None:
    doctor = aws.provider_of(entry(aws.proxy.url, ("eu-central-1", "mars-north-1"))).doctor
    (finding,) = (one for one in doctor.findings() if one.severity is Severity.WARNING)
    assert "no region called mars-north-1" in finding.said
