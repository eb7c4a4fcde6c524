"""What runs in AWS accounts: instances, Auto Scaling groups, and what they own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from models.inventory import (
    GroupKind,
    Instance,
    InstanceGroup,
    InstanceState,
    InstanceType,
    Labels,
    OwnedCommitment,
    Quota,
)
from models.offerings import Purchase
from models.secrets import without_secrets
from providers.aws.clients import CLOUD, Account, Made, each
from providers.aws.commitments import reserved_instances, savings_plans
from providers.aws.errors import Later, translated
from providers.aws.mixes import SPOT, Templates, mix_of
from providers.aws.quotas import quotas_of
from providers.aws.regions import Regions
from providers.aws.types import instance_types_of
from providers.seam import Scope, Scopes

INSTANCES_PER_PAGE: Final = 500
GROUPS_PER_PAGE: Final = 100
ACTIVITIES_READ: Final = 20
"""Of a group: enough for what it tried lately."""
_FAILED: Final = "Failed"
_SUCCESSFUL: Final = "Successful"
GROUP_TAG: Final = "aws:autoscaling:groupName"
_STATES: Final = {
    "pending": InstanceState.STARTING,
    "running": InstanceState.RUNNING,
    "stopping": InstanceState.STOPPING,
    "stopped": InstanceState.STOPPED,
}
_LINUX: Final = "Linux/UNIX"
_PLAIN_USE: Final = "RunInstances"
_TENANCIES: Final = {"dedicated": "dedicated", "host": "dedicated host"}


@dataclass(frozen=True, slots=True)
class AwsInventory:
    """``providers.seam.Inventory`` of AWS. Groups are known by their ARN: names are taken again."""

    regions: Regions
    ask_use: bool = False
    """Whether Cost Explorer is asked how much of savings plans is used."""

    def scopes(self) -> Scopes:
        return self.regions.scopes()

    def instances(self, scope: Scope) -> Iterator[Instance]:
        account = self.regions.account(scope)
        if not scope.region:
            return
        names = GroupNames(account, scope.region)
        filters = [{"Name": "instance-state-name", "Values": list(_STATES)}]
        for rows in each(
            account, account.ec2(scope.region), "describe_instances", "Reservations",
            lambda facts: [_instance(scope, one, names) for one in facts["Instances"]],
            Filters=filters, MaxResults=INSTANCES_PER_PAGE,
        ):  # fmt: skip
            yield from rows
        names.later.raise_first()

    def groups(self, scope: Scope) -> Iterator[InstanceGroup]:
        account = self.regions.account(scope)
        if not scope.region:
            return
        templates = Templates(account, scope.region)
        for group in each_group(
            account, scope.region, lambda facts: group_row(scope, facts, templates)
        ):
            trouble = ""
            if group.healthy < group.desired:
                with templates.later.failing():
                    trouble = trouble_of(account, scope.region, group.name)
            yield replace(group, trouble=trouble)
        templates.later.raise_first()

    def instance_types(self, scope: Scope) -> Iterator[InstanceType]:
        account = self.regions.account(scope)
        if not scope.region:
            return
        yield from instance_types_of(account, scope)

    def quotas(self, scope: Scope) -> Iterator[Quota]:
        account = self.regions.account(scope)
        if not scope.region:
            return
        yield from quotas_of(account, scope)

    def commitments(self, scope: Scope) -> Iterator[OwnedCommitment]:
        account = self.regions.account(scope)
        if scope.region:
            yield from reserved_instances(account, scope)
        else:
            yield from savings_plans(account, self.ask_use)


def each_group(
    account: Account, region: str, make: Callable[[Mapping[str, Any]], Made]
) -> Iterator[Made]:
    """What ``make`` makes of every Auto Scaling group of a region, as AWS tells it."""
    return each(
        account, account.autoscaling(region), "describe_auto_scaling_groups", "AutoScalingGroups",
        make, MaxRecords=GROUPS_PER_PAGE,
    )  # fmt: skip


def trouble_of(account: Account, region: str, name: str) -> str:
    """Why a group cannot start what it should, or keeps ending it as unhealthy; empty: AWS gives
    no reason.
    """
    with translated(account.asked("DescribeScalingActivities", region)):
        answer = account.autoscaling(region).describe_scaling_activities(
            AutoScalingGroupName=name, MaxRecords=ACTIVITIES_READ
        )
        lately = sorted(answer["Activities"], key=lambda one: one["StartTime"], reverse=True)
        for one in lately:
            if one["StatusCode"] == _FAILED:
                return without_secrets(one.get("StatusMessage") or one["Cause"])
            if one["StatusCode"] == _SUCCESSFUL and not _ends_ill(one):
                break
        return next((without_secrets(one["Cause"]) for one in lately if _ends_ill(one)), "")


def _ends_ill(activity: Mapping[str, Any]) -> bool:
    return "health check" in activity["Cause"]


def labels_of(tags: list[Mapping[str, Any]]) -> Labels:
    return tuple(sorted((tag["Key"], tag.get("Value", "")) for tag in tags))


@dataclass(eq=False)
class GroupNames:
    """The ARNs of a region's groups by name, asked for when the first is needed."""

    account: Account
    region: str
    later: Later = field(default_factory=Later)
    """Why some are not known."""

    @cached_property
    def arns(self) -> dict[str, str]:
        found: dict[str, str] = {}
        with self.later.failing():
            found.update(each_group(
                self.account, self.region,
                lambda group: (group["AutoScalingGroupName"], group["AutoScalingGroupARN"]),
            ))  # fmt: skip
        return found

    def arn(self, name: str) -> str:
        """Empty for no group, and for one that went away meanwhile."""
        return self.arns.get(name, "") if name else ""


def _instance(scope: Scope, facts: Mapping[str, Any], names: GroupNames) -> Instance:
    labels = labels_of(facts.get("Tags", []))
    return Instance(
        facts["InstanceId"], scope.account, scope.place, facts["Placement"]["AvailabilityZone"],
        facts["InstanceType"],
        Purchase.SPOT if facts.get("InstanceLifecycle") == SPOT else Purchase.ON_DEMAND,
        _STATES[facts["State"]["Name"]], facts["LaunchTime"],
        names.arn(dict(labels).get(GROUP_TAG, "")), labels, variant=variant_of(facts),
    )  # fmt: skip


def variant_of(facts: Mapping[str, Any]) -> str:
    """What an instance is, beyond Linux without a licence on shared hardware."""
    platform = facts.get("PlatformDetails") or facts.get("Platform") or _LINUX
    licence = facts.get("UsageOperation", _PLAIN_USE).partition(":")[2]
    parts = [] if platform == _LINUX else [platform.lower()]
    if not parts and licence:
        parts = [f"licence {licence}"]
    tenancy = facts["Placement"].get("Tenancy", "default")
    return ", ".join(parts + ([] if tenancy == "default" else [_TENANCIES.get(tenancy, tenancy)]))


def group_row(scope: Scope, facts: Mapping[str, Any], templates: Templates) -> InstanceGroup:
    mix = mix_of(facts, templates)
    serving = [
        one for one in facts.get("Instances", [])
        if one["LifecycleState"] == "InService" and one["HealthStatus"].lower() == "healthy"
    ]  # fmt: skip
    return InstanceGroup(
        facts["AutoScalingGroupARN"], facts["AutoScalingGroupName"],
        GroupKind.AUTO_SCALING_GROUP, scope.account, f"{CLOUD}/{scope.region}",
        tuple(sorted(facts.get("AvailabilityZones", []))), facts["MinSize"],
        facts["DesiredCapacity"], facts["MaxSize"], len(serving), mix.instance_types,
        mix.on_demand_base, mix.spot_share, mix.template, labels_of(facts.get("Tags", [])),
    )  # fmt: skip
