"""Discount contracts that an AWS account holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from models.commitments import CommitmentKind
from models.inventory import OwnedCommitment
from providers.aws.clients import CLOUD, Account, each
from providers.aws.errors import translated
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
_TYPES_AT_ONCE: Final = 100


def reserved_instances(account: Account, scope: Scope) -> Iterator[OwnedCommitment]:
    """Active reservations of Linux instances of shared tenancy in a region; levels in vCPUs."""
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
    with translated(account.asked("DescribeReservedInstances", scope.region)):
        rows = [_reservation(scope, one, vcpus[one["InstanceType"]]) for one in owned]
    yield from rows


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


def savings_plans(account: Account) -> Iterator[OwnedCommitment]:
    """Active savings plans that pay for instances; levels in USD per hour.

    A plan's hourly commitment holds what was paid upfront, spread over the term.
    """
    for plan in each(
        account, account.savings_plans(), "describe_savings_plans", "savingsPlans",
        lambda one: _plan(account, one) if one["savingsPlanType"] in PLAN_PRODUCTS else None,
        states=["active"],
    ):  # fmt: skip
        if plan is not None:
            yield plan


def _plan(account: Account, facts: Mapping[str, Any]) -> OwnedCommitment:
    family = facts.get("ec2InstanceFamily", "")
    level = float(facts["commitment"])
    if facts["currency"] != "USD":
        raise ValueError(f"a commitment in {facts['currency']}")
    return OwnedCommitment(
        facts["savingsPlanId"], account.name, f"{CLOUD}/{facts.get('region', '')}",
        PLAN_PRODUCTS[facts["savingsPlanType"]], CommitmentKind.SPEND,
        round(facts["termDurationInSeconds"] / YEAR_S), level, level, _time(facts["start"]),
        _time(facts["end"]), (family,) if family else (),
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
