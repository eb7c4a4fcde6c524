"""What runs in AWS accounts: instances, Auto Scaling groups, and what they own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from providers.aws.clients import CLOUD, Account, pages
from providers.aws.commitments import reserved_instances, savings_plans
from providers.aws.errors import translated
from providers.aws.quotas import quotas_of
from providers.aws.regions import Regions
from providers.aws.types import instance_types_of
from providers.seam import Scope, Scopes

INSTANCES_PER_PAGE: Final = 500
GROUPS_PER_PAGE: Final = 100
GROUP_TAG: Final = "aws:autoscaling:groupName"
_STATES: Final = {
    "pending": InstanceState.STARTING,
    "running": InstanceState.RUNNING,
    "stopping": InstanceState.STOPPING,
    "stopped": InstanceState.STOPPED,
}
SPOT: Final = "spot"


@dataclass(frozen=True, slots=True)
class AwsInventory:
    """``providers.seam.Inventory`` of AWS. Groups are known by their ARN: names are taken again."""

    regions: Regions

    def scopes(self) -> Scopes:
        return self.regions.scopes()

    def instances(self, scope: Scope) -> Iterator[Instance]:
        account = self.regions.account(scope)
        if not scope.region:
            return
        names = GroupNames(account, scope.region)
        filters = [{"Name": "instance-state-name", "Values": list(_STATES)}]
        for page in pages(
            account, account.ec2(scope.region), "describe_instances", "Reservations",
            Filters=filters, MaxResults=INSTANCES_PER_PAGE,
        ):  # fmt: skip
            with translated(account.asked("DescribeInstances", scope.region)):
                rows = [
                    _instance(scope, facts, names)
                    for reservation in page
                    for facts in reservation["Instances"]
                ]
            yield from rows

    def groups(self, scope: Scope) -> Iterator[InstanceGroup]:
        account = self.regions.account(scope)
        if not scope.region:
            return
        templates = Templates(account, scope.region)
        for page in group_pages(account, scope.region):
            with translated(account.asked("DescribeAutoScalingGroups", scope.region)):
                rows = [group_row(scope, facts, templates) for facts in page]
            yield from rows

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
            yield from savings_plans(account)


def group_pages(account: Account, region: str) -> Iterator[list[Mapping[str, Any]]]:
    """All Auto Scaling groups of a region, as AWS tells them."""
    return pages(
        account, account.autoscaling(region), "describe_auto_scaling_groups", "AutoScalingGroups",
        MaxRecords=GROUPS_PER_PAGE,
    )  # fmt: skip


def labels_of(tags: list[Mapping[str, Any]]) -> Labels:
    return tuple(sorted((tag["Key"], tag.get("Value", "")) for tag in tags))


@dataclass(eq=False)
class GroupNames:
    """The ARNs of a region's groups by name, asked for when the first is needed."""

    account: Account
    region: str

    @cached_property
    def arns(self) -> dict[str, str]:
        return {
            group["AutoScalingGroupName"]: group["AutoScalingGroupARN"]
            for page in group_pages(self.account, self.region)
            for group in page
        }

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
        names.arn(dict(labels).get(GROUP_TAG, "")), labels,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """What a launch template or configuration says of the instances started from it."""

    instance_type: str
    spot: bool


@dataclass(eq=False)
class Templates:
    """Launch templates and configurations of a region, each asked for once."""

    account: Account
    region: str

    def __post_init__(self) -> None:
        self._known: dict[tuple[str, str], Template] = {}

    def of(self, group: Mapping[str, Any]) -> Template:
        """What ``group`` starts instances from."""
        if (named := group.get("LaunchTemplate")) is not None:
            key = named["LaunchTemplateId"], named.get("Version", "$Default")
            if key not in self._known:
                self._known[key] = self._template(*key)
            return self._known[key]
        name = group.get("LaunchConfigurationName")
        if name is None:
            return Template("", False)
        if (name, "") not in self._known:
            self._known[name, ""] = self._configuration(name)
        return self._known[name, ""]

    def _template(self, template: str, version: str) -> Template:
        with translated(self.account.asked("DescribeLaunchTemplateVersions", self.region)):
            answer = self.account.ec2(self.region).describe_launch_template_versions(
                LaunchTemplateId=template, Versions=[version]
            )
            data = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
            market = data.get("InstanceMarketOptions", {})
            return Template(data.get("InstanceType", ""), market.get("MarketType") == SPOT)

    def _configuration(self, name: str) -> Template:
        with translated(self.account.asked("DescribeLaunchConfigurations", self.region)):
            answer = self.account.autoscaling(self.region).describe_launch_configurations(
                LaunchConfigurationNames=[name]
            )
            facts = answer["LaunchConfigurations"][0]
            return Template(facts["InstanceType"], "SpotPrice" in facts)


@dataclass(frozen=True, slots=True)
class Mix:
    """What a group starts, and how it is bought, as ``InstanceGroup`` tells it."""

    instance_types: tuple[str, ...]
    on_demand_base: int
    spot_share: float
    template: str


def mix_of(group: Mapping[str, Any], templates: Templates) -> Mix:
    """The mix of a group; types that AWS chooses by attributes are those that run."""
    running = tuple(sorted({one["InstanceType"] for one in group.get("Instances", [])}))
    policy = group.get("MixedInstancesPolicy")
    if policy is None:
        template = templates.of(group)
        types = (template.instance_type,) if template.instance_type else running
        return Mix(types, 0, float(template.spot), _template_name(group))
    launch, distribution = policy["LaunchTemplate"], policy.get("InstancesDistribution", {})
    named = tuple(one["InstanceType"] for one in launch.get("Overrides", ())
                  if "InstanceType" in one)  # fmt: skip
    if not named and not launch.get("Overrides"):
        one = templates.of({"LaunchTemplate": launch["LaunchTemplateSpecification"]})
        named = (one.instance_type,) if one.instance_type else ()
    on_demand_percent = distribution.get("OnDemandPercentageAboveBaseCapacity", 100)
    return Mix(
        tuple(dict.fromkeys(named)) or running,
        distribution.get("OnDemandBaseCapacity", 0),
        (100 - on_demand_percent) / 100,
        _template_name({"LaunchTemplate": launch["LaunchTemplateSpecification"]}),
    )


def _template_name(group: Mapping[str, Any]) -> str:
    named = group.get("LaunchTemplate", {})
    name = named.get("LaunchTemplateName") or named.get("LaunchTemplateId")
    return str(name or group.get("LaunchConfigurationName", ""))


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
