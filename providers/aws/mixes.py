"""What Auto Scaling groups start, and how it is bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from models.cloud_errors import CloudFailed, NotAccepted, NotFound
from providers.aws.clients import Account, each
from providers.aws.errors import Later, translated
from providers.pricebook.families import family_of

SPOT: Final = "spot"
_PERCENT: Final = 100
_STRATEGIES: Final = {
    "OnDemandAllocationStrategy": "prioritized",
    "SpotAllocationStrategy": "capacity-optimized-prioritized",
}
"""Both take the types in the order in which they are given, as far as there is capacity."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a launch template or configuration says of the instances started from it."""

    instance_type: str
    spot: bool


UNKNOWN: Final = Template("", False)
"""What is known of a template that is gone, or of none."""


@dataclass(eq=False)
class Templates:
    """Launch templates and configurations of a region, each asked for once."""

    account: Account
    region: str
    later: Later = field(default_factory=Later)
    """Why some could not be read. One that is gone is no failure: nothing is known of it."""

    def __post_init__(self) -> None:
        self._known: dict[tuple[str, str], Template] = {}

    def of(self, group: Mapping[str, Any]) -> Template:
        """What ``group`` starts instances from, as far as that is known."""
        if (named := group.get("LaunchTemplate")) is not None:
            key = named["LaunchTemplateId"], named.get("Version", "$Default")
        else:
            key = group.get("LaunchConfigurationName", ""), ""
        if not key[0]:
            return UNKNOWN
        if key not in self._known:
            self._known[key] = UNKNOWN
            try:
                read = self._template(*key) if key[1] else self._configuration(key[0])
                self._known[key] = read
            except NotFound:
                pass
            except CloudFailed as error:
                self.later.note(error)
        return self._known[key]

    def _template(self, template: str, version: str) -> Template:
        with translated(self.account.asked("DescribeLaunchTemplateVersions", self.region)):
            answer = self.account.ec2(self.region).describe_launch_template_versions(
                LaunchTemplateId=template, Versions=[version]
            )
            for one in answer["LaunchTemplateVersions"]:
                data = one["LaunchTemplateData"]
                market = data.get("InstanceMarketOptions", {})
                return Template(data.get("InstanceType", ""), market.get("MarketType") == SPOT)
        return UNKNOWN

    def _configuration(self, name: str) -> Template:
        with translated(self.account.asked("DescribeLaunchConfigurations", self.region)):
            answer = self.account.autoscaling(self.region).describe_launch_configurations(
                LaunchConfigurationNames=[name]
            )
            for facts in answer["LaunchConfigurations"]:
                return Template(facts["InstanceType"], "SpotPrice" in facts)
        return UNKNOWN


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
        (_PERCENT - on_demand_percent) / _PERCENT,
        _template_name({"LaunchTemplate": launch["LaunchTemplateSpecification"]}),
    )


def mix_now(account: Account, region: str, group: Mapping[str, Any]) -> Mix:
    """The mix of one group; raises ``CloudFailed`` where it cannot be known."""
    templates = Templates(account, region)
    mix = mix_of(group, templates)
    templates.later.raise_first()
    return mix


def _template_name(group: Mapping[str, Any]) -> str:
    named = group.get("LaunchTemplate", {})
    name = named.get("LaunchTemplateName") or named.get("LaunchTemplateId")
    return str(name or group.get("LaunchConfigurationName", ""))


def check_mix(
    account: Account, region: str, instance_types: tuple[str, ...], spot_share: float
) -> None:
    """Raise ``NotAccepted`` for types that the region does not have, and for a share that is none.

    Auto Scaling takes any name, and fails later.
    """
    asked = account.asked("DescribeInstanceTypeOfferings", region)
    if not instance_types:
        raise NotAccepted(asked, "NoType", "no instance type is named")
    if not 0.0 <= spot_share <= 1.0:
        raise NotAccepted(asked, "BadShare", f"{spot_share} is no share")
    offered = set(each(
        account, account.ec2(region), "describe_instance_type_offerings", "InstanceTypeOfferings",
        lambda one: one["InstanceType"], LocationType="region",
        Filters=[{"Name": "instance-type", "Values": list(instance_types)}],
    ))  # fmt: skip
    if lacking := [name for name in instance_types if name not in offered]:
        said = f"{', '.join(lacking)} is not offered in {region}"
        raise NotAccepted(asked, "UnknownType", said)


def is_mix(
    now: Mix, instance_types: tuple[str, ...], on_demand_base: int, spot_share: float
) -> bool:
    """Whether a mix is what is asked; AWS keeps shares in whole percents."""
    return (now.instance_types, now.on_demand_base, round(now.spot_share * _PERCENT)) == (
        instance_types,
        on_demand_base,
        round(spot_share * _PERCENT),
    )


def specification(template: Mapping[str, Any]) -> dict[str, str]:
    """A launch template by its id alone: AWS takes its id or its name, not both."""
    return {
        "LaunchTemplateId": template["LaunchTemplateId"],
        "Version": template.get("Version", "$Default"),
    }


def policy_of(
    template: Mapping[str, str],
    instance_types: tuple[str, ...],
    on_demand_base: int,
    spot_share: float,
    overrides: Sequence[Mapping[str, Any]] = (),
) -> Any:
    """A mixed instances policy; types keep what ``overrides`` say of them, and new ones take the
    launch template that was given to another type of their family, if any was.
    """
    known = {one["InstanceType"]: one for one in overrides if "InstanceType" in one}
    of_family = {
        family_of(name): {"LaunchTemplateSpecification": one["LaunchTemplateSpecification"]}
        for name, one in reversed(known.items())
        if "LaunchTemplateSpecification" in one
    }
    wanted = []
    for name in instance_types:
        one = {**(known.get(name) or of_family.get(family_of(name), {})), "InstanceType": name}
        if "LaunchTemplateSpecification" in one:
            one["LaunchTemplateSpecification"] = specification(one["LaunchTemplateSpecification"])
        wanted.append(one)
    return {
        "LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": wanted},
        "InstancesDistribution": {
            "OnDemandBaseCapacity": on_demand_base,
            "OnDemandPercentageAboveBaseCapacity": _PERCENT - round(spot_share * _PERCENT),
            **_STRATEGIES,
        },
    }
