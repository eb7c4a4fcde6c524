"""Discount contracts that an AWS account holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from models.cloud_errors import Unavailable
from models.commitments import CommitmentKind
from models.inventory import OwnedCommitment
from providers.aws.clients import CLOUD, Account, each
from providers.aws.errors import Later, translated
from providers.aws.types import vcpus_of
from providers.pricebook.families import family_of
from providers.seam import Scope

HOUR_S: Final = 3600.0
YEAR_S: Final = 365 * 24 * HOUR_S
PLAN_PRODUCTS: Final = {"Compute": "compute savings plan", "EC2Instance": "ec2 savings plan"}
RESERVED_PRODUCTS: Final = {
    "standard": "standard reserved instances",
    "convertible": "convertible reserved instances",
}
USE_DAYS: Final = 7
COUNTED_AFTER_DAYS: Final = 1
"""Cost Explorer has a day's figures a day later."""
_PERCENT: Final = 100.0
_TYPES_AT_ONCE: Final = 100


def reserved_instances(account: Account, scope: Scope) -> Iterator[OwnedCommitment]:
    """Active reservations of Linux instances of shared tenancy in a region; levels in vCPUs.

    One of a type that the region has no more is told at the end: how large it is is not known.
    """
    with translated(account.asked("DescribeReservedInstances", scope.region)):
        answer = account.ec2(scope.region).describe_reserved_instances(
            Filters=[{"Name": "state", "Values": ["active"]}]
        )
        owned = [
            one for one in answer["ReservedInstances"]
            if one["ProductDescription"].startswith("Linux/UNIX")
            and one.get("InstanceTenancy", "default") == "default"
        ]  # fmt: skip
        names = sorted({str(one["InstanceType"]) for one in owned})
    vcpus: dict[str, float] = {}
    for i in range(0, len(names), _TYPES_AT_ONCE):
        vcpus |= vcpus_of(account, scope.region, names[i : i + _TYPES_AT_ONCE])
    asked = account.asked("DescribeReservedInstances", scope.region)
    with translated(asked):
        rows = [
            _reservation(scope, one, vcpus[one["InstanceType"]])
            for one in owned
            if one["InstanceType"] in vcpus
        ]
    yield from rows
    if lacking := [name for name in names if name not in vcpus]:
        said = f"the size of {', '.join(lacking)} is not known: reservations of it are left out"
        raise Unavailable(asked, "UnknownType", said)


def _reservation(scope: Scope, facts: Mapping[str, Any], vcpus: float) -> OwnedCommitment:
    count, hours = facts["InstanceCount"], facts["Duration"] / HOUR_S
    recurring = sum(
        charge["Amount"] for charge in facts["RecurringCharges"] if charge["Frequency"] == "Hourly"
    )
    each = facts["FixedPrice"] / hours + facts["UsagePrice"] + recurring
    return OwnedCommitment(
        facts["ReservedInstancesId"], scope.account, scope.place,
        RESERVED_PRODUCTS[facts["OfferingClass"]], CommitmentKind.RESOURCE,
        round(facts["Duration"] / YEAR_S), count * vcpus, count * each, facts["Start"],
        facts["End"], (family_of(facts["InstanceType"]),),
    )  # fmt: skip


def savings_plans(account: Account, ask_use: bool = False) -> Iterator[OwnedCommitment]:
    """Active savings plans that pay for instances; levels in USD per hour.

    A plan's hourly commitment holds what was paid upfront, spread over the term. ``ask_use``: ask
    Cost Explorer, which bills each question, how much of each plan was used lately.
    """
    found: list[tuple[str, OwnedCommitment]] = []
    shares: dict[str, float] = {}
    later = Later()
    with later.failing():
        for plan in each(
            account, account.savings_plans(), "describe_savings_plans", "savingsPlans",
            lambda one: _plan(account, one, later),
            states=["active"],
        ):  # fmt: skip
            found += [plan] if plan is not None else []
    if found and ask_use:
        with later.failing():
            shares = _used_shares(account, datetime.now(UTC))
    yield from (replace(plan, used_share=shares.get(arn)) for arn, plan in found)
    later.raise_first()


def _used_shares(account: Account, now: datetime) -> dict[str, float]:
    """How much of each plan was used over the last days that Cost Explorer knows, by its ARN."""
    ends = now.date() - timedelta(days=COUNTED_AFTER_DAYS)
    period = {"Start": str(ends - timedelta(days=USE_DAYS)), "End": str(ends)}
    return dict(each(
        account, account.cost_explorer(), "get_savings_plans_utilization_details",
        "SavingsPlansUtilizationDetails",
        lambda one: (
            str(one["SavingsPlanArn"]),
            float(one["Utilization"]["UtilizationPercentage"]) / _PERCENT,
        ),
        TimePeriod=period,
    ))  # fmt: skip


def _plan(
    account: Account, facts: Mapping[str, Any], later: Later
) -> tuple[str, OwnedCommitment] | None:
    """A plan by its ARN; None for one that pays for no instances, or not in USD: that is noted."""
    if facts["savingsPlanType"] not in PLAN_PRODUCTS:
        return None
    name, family = facts["savingsPlanId"], facts.get("ec2InstanceFamily", "")
    if facts["currency"] != "USD":
        said = f"{name} is in {facts['currency']}, not USD"
        later.note(Unavailable(account.asked("DescribeSavingsPlans"), "OtherCurrency", said))
        return None
    level = float(facts["commitment"])
    return str(facts["savingsPlanArn"]), OwnedCommitment(
        name, account.name, f"{CLOUD}/{facts.get('region', '')}",
        PLAN_PRODUCTS[facts["savingsPlanType"]], CommitmentKind.SPEND,
        round(facts["termDurationInSeconds"] / YEAR_S), level, level, _time(facts["start"]),
        _time(facts["end"]), (family,) if family else (),
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
