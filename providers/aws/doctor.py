"""Whether AWS accounts can be worked with: credentials, permissions, clock, price age."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from models.cloud_errors import CloudFailed, Denied
from providers.aws.clients import CLOUD, HOME_REGION, Account
from providers.aws.errors import translated
from providers.aws.price_documents import WANTED, product_of
from providers.aws.price_files import PriceFiles
from providers.aws.prices import LIST_STALE
from providers.aws.regions import Regions
from providers.seam import Finding, Severity

MOST_SKEW: Final = timedelta(minutes=5)
"""AWS refuses requests that are signed with a clock further off."""
NOTICED_SKEW: Final = timedelta(seconds=30)
_SIGN_IN: Final = (
    "name credentials that hold: `aws configure`, `aws sso login`, AWS_PROFILE, or `profile` and "
    "`role_arn` of the account"
)
_CLOCK: Final = "set this machine's clock by NTP"


@dataclass(frozen=True, slots=True)
class AwsDoctor:
    """``providers.seam.Doctor`` of AWS. Reads little of everything that a collection reads."""

    regions: Regions
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    files: PriceFiles | None = None
    """Where prices are read; None: they are asked for."""
    ask_use: bool = False
    """Whether a collection asks Cost Explorer."""

    def findings(self) -> Iterator[Finding]:
        for account in self.regions.accounts:
            signed_in = yield from self._credentials(account)
            if signed_in:
                enabled = yield from self._regions(account)
                yield from self._permissions(account, enabled)
        if self.files is None:
            yield from self._prices(self.regions.accounts[0])
        else:
            yield _of_files(self.files)

    def _credentials(self, account: Account) -> Generator[Finding, None, bool]:
        """Who the credentials belong to, and whether the clock is right; False: nobody.

        AWS refuses who asks with a wrong clock, too: its answer says when it was given.
        """
        about, said_at = f"credentials of {account.name}", [""]

        def ask(region: str) -> str:
            with translated(account.asked("GetCallerIdentity", region)):
                answer: Any = {}
                try:
                    answer = account.sts(region).get_caller_identity()
                except ClientError as error:
                    answer = error.response
                    raise
                finally:
                    told: Any = answer.get("ResponseMetadata", {})
                    said_at[0] = told.get("HTTPHeaders", {}).get("date", "")
                return str(answer["Arn"])

        who, failed = "", None
        try:
            who = account.anywhere(ask)
        except CloudFailed as error:
            failed = error
        clock = self._clock(account, said_at[0])
        if failed is None:
            yield Finding(CLOUD, about, Severity.FINE, who)
        else:
            remedy = _SIGN_IN if isinstance(failed, Denied) else failed.next_step
            if clock is not None and clock.severity is Severity.FAILED:
                remedy = _CLOCK
            yield _failed(about, failed, remedy)
        if clock is not None:
            yield clock
        return failed is None

    def _clock(self, account: Account, said_at: str) -> Finding | None:
        """None where AWS did not say when it answered."""
        try:
            skew = abs(self.clock() - parsedate_to_datetime(said_at))
        except (ValueError, TypeError):
            return None
        said = f"{skew.total_seconds():.0f} s from AWS's"
        severity = (
            Severity.FINE if skew <= NOTICED_SKEW
            else Severity.WARNING if skew <= MOST_SKEW else Severity.FAILED
        )  # fmt: skip
        remedy = "" if severity is Severity.FINE else _CLOCK
        return Finding(CLOUD, f"clock, seen from {account.name}", severity, said, remedy)

    def _regions(self, account: Account) -> Generator[Finding, None, frozenset[str]]:
        about = f"regions of {account.name}"
        try:
            known, scopes = self.regions.known_in(account), self.regions.of(account)
        except CloudFailed as error:
            yield _failed(about, error, f"allow ec2:DescribeRegions: {error.next_step}")
            return frozenset()
        said = f"{len(scopes.found)} of {len(known.enabled)} enabled"
        yield Finding(CLOUD, about, Severity.FINE, said)
        for one in scopes.unreached:
            yield Finding(
                CLOUD, about, Severity.WARNING, one.failure.said,
                "enable it in the account, or take it out of `regions`",
            )  # fmt: skip
        return frozenset(scope.region for scope in scopes.found)

    def _permissions(self, account: Account, regions: frozenset[str]) -> Iterator[Finding]:
        """One small question of every kind, in one region: permissions hold in all of them."""
        region = HOME_REGION if HOME_REGION in regions else min(regions, default=HOME_REGION)
        questions = _questions(account, region)
        if self.ask_use:
            questions["ce:GetSavingsPlansUtilizationDetails"] = lambda: _ask_use(account)
        for permission, ask in questions.items():
            service, _, operation = permission.partition(":")
            try:
                with translated(account.asked(operation, region)):
                    ask()
            except CloudFailed as error:
                remedy = error.next_step
                if isinstance(error, Denied):
                    remedy = f"allow {permission}, see docs/clouds/aws.md"
                yield _failed(f"{permission} in {account.name}", error, remedy)
            else:
                yield Finding(CLOUD, f"{permission} in {account.name}", Severity.FINE,
                              f"{service} answers")  # fmt: skip

    def _prices(self, account: Account) -> Iterator[Finding]:
        about = "prices"
        try:
            with translated(account.asked("GetProducts", HOME_REGION)):
                answer = account.pricing().get_products(
                    ServiceCode="AmazonEC2", MaxResults=1, FormatVersion="aws_v1",
                    Filters=[{"Type": "TERM_MATCH", "Field": field, "Value": value}
                             for field, value in (("regionCode", HOME_REGION), *WANTED.items())],
                )  # fmt: skip
                products = [product_of(str(one), f"{CLOUD}/{HOME_REGION}")
                            for one in answer["PriceList"]]  # fmt: skip
                dates = [quote.as_of for one in products if one for quote in one.quotes]
        except CloudFailed as error:
            remedy = error.next_step
            if isinstance(error, Denied):
                remedy = "allow pricing:GetProducts, see docs/clouds/aws.md"
            yield _failed(about, error, remedy)
            return
        if not dates:
            yield Finding(CLOUD, about, Severity.FAILED, "the price list is empty",
                          "look at AWS's status page, and try again")  # fmt: skip
            return
        age = self.clock() - max(dates)
        old = age > LIST_STALE
        yield Finding(
            CLOUD, about, Severity.WARNING if old else Severity.FINE,
            f"published {age.days} days ago",
            "look at AWS's status page: such prices are rejected" if old else "",
        )  # fmt: skip


def _of_files(files: PriceFiles) -> Finding:
    try:
        markets = files.markets(None)
    except CloudFailed as error:
        return _failed("prices", error, error.next_step)
    said = f"files of {len(markets.found)} regions"
    return Finding(CLOUD, "prices", Severity.FINE, said)


def _questions(account: Account, region: str) -> dict[str, Callable[[], object]]:
    """What a collection needs to be allowed, each with a question that costs next to nothing."""
    ec2, scaling = account.ec2(region), account.autoscaling(region)
    now = datetime.now(UTC)
    return {
        "ec2:DescribeInstances": lambda: ec2.describe_instances(MaxResults=5),
        "ec2:DescribeInstanceTypes": lambda: ec2.describe_instance_types(MaxResults=5),
        "ec2:DescribeInstanceTypeOfferings": lambda: ec2.describe_instance_type_offerings(
            MaxResults=5
        ),
        "ec2:DescribeSpotPriceHistory": lambda: ec2.describe_spot_price_history(
            MaxResults=5, StartTime=now
        ),
        "ec2:DescribeReservedInstances": ec2.describe_reserved_instances,
        "ec2:DescribeLaunchTemplateVersions": lambda: ec2.describe_launch_template_versions(
            Versions=["$Default"], MaxResults=1
        ),
        "autoscaling:DescribeAutoScalingGroups": lambda: scaling.describe_auto_scaling_groups(
            MaxRecords=1
        ),
        "autoscaling:DescribeScalingActivities": lambda: scaling.describe_scaling_activities(
            MaxRecords=1
        ),
        "autoscaling:DescribeLaunchConfigurations": lambda: scaling.describe_launch_configurations(
            MaxRecords=1
        ),
        "elasticloadbalancing:DescribeTargetGroups": lambda: account.balancing(
            region
        ).describe_target_groups(PageSize=1),
        "cloudwatch:GetMetricData": lambda: account.cloudwatch(region).get_metric_data(
            MetricDataQueries=[_NOTHING], StartTime=now - timedelta(hours=1), EndTime=now
        ),
        "servicequotas:ListServiceQuotas": lambda: account.service_quotas(
            region
        ).list_service_quotas(ServiceCode="ec2", MaxResults=1),
        "savingsplans:DescribeSavingsPlans": lambda: account.savings_plans().describe_savings_plans(
            maxResults=1
        ),
        "savingsplans:DescribeSavingsPlansOfferingRates": lambda: (
            account.savings_plans().describe_savings_plans_offering_rates(maxResults=1)
        ),
    }


def _ask_use(account: Account) -> object:
    today = datetime.now(UTC).date()
    period = {"Start": str(today - timedelta(days=2)), "End": str(today - timedelta(days=1))}
    answer: object = account.cost_explorer().get_savings_plans_utilization_details(
        TimePeriod=period
    )
    return answer


_NOTHING: Final[Any] = {
    "Id": "q0",
    "MetricStat": {
        "Metric": {"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Dimensions": []},
        "Period": 3600,
        "Stat": "Average",
    },
}


def _failed(about: str, error: CloudFailed, remedy: str) -> Finding:
    return Finding(CLOUD, about, Severity.FAILED, f"{error.code}: {error.said}", remedy)
