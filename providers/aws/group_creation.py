"""Making Auto Scaling groups."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.actions import CreateGroup, Effect, Receipt
from models.cloud_errors import Conflicting, NotAccepted, NotFound
from providers.aws.clients import Account, each
from providers.aws.errors import translated
from providers.aws.group_actions import group_named, region_of, rehearsed
from providers.aws.inventory import each_group, labels_of
from providers.aws.mixes import check_mix, is_mix, mix_now, policy_of, specification

MADE_FOR_TAG: Final = "trimtab:made-for"
"""Carries the token that a group was made for."""
_TEMPLATE_ID: Final = re.compile(r"lt-[0-9a-f]{8,17}")
_OF_GROUPS: Final = (
    "TargetGroupARNs", "LoadBalancerNames", "HealthCheckType", "HealthCheckGracePeriod",
)  # fmt: skip
"""What a group says, and its launch template does not."""


def create(account: Account, action: CreateGroup, token: str, rehearse: bool) -> Receipt:
    region = region_of(action.place)
    if (there := group_named(account, region, action.name)) is not None:
        return _there_already(account, action, token, there)
    check_mix(account, region, action.instance_types, action.spot_share)
    template = _template_named(account, region, action.template)
    likes = _likes(account, region, template["LaunchTemplateId"])
    subnets = _subnets(account, action, likes)
    if rehearse:
        _rehearse_start(account, action, template, subnets[0])
        return Receipt(Effect.DONE)
    account.pause()
    try:
        with translated(account.asked("CreateAutoScalingGroup", region)):
            account.autoscaling(region).create_auto_scaling_group(
                **_new_group(action, token, template, subnets), **_taken_over(likes)
            )
    except Conflicting:  # somebody was faster: another caller, or this call with its answer lost
        there = group_named(account, region, action.name)
        if there is None:
            raise
        return _there_already(account, action, token, there)
    made = group_named(account, region, action.name)
    ids = (made["AutoScalingGroupARN"],) if made is not None else ()
    return Receipt(Effect.DONE, ids, _unknown(likes))


def _there_already(
    account: Account, action: CreateGroup, token: str, there: Mapping[str, Any]
) -> Receipt:
    """A group of that name: made for this token, or like what is asked; else in the way."""
    region = region_of(action.place)
    labels = dict(labels_of(there.get("Tags", [])))
    receipt = Receipt(Effect.ALREADY, (there["AutoScalingGroupARN"],))
    if labels.get(MADE_FOR_TAG) == token:
        return receipt
    now = mix_now(account, region, there)
    zones = tuple(sorted(action.zones)) or tuple(sorted(there["AvailabilityZones"]))
    alike = (
        is_mix(now, action.instance_types, action.on_demand_base, action.spot_share)
        and now.template == action.template
        and there["DesiredCapacity"] == action.desired
        and there["MaxSize"] == max(action.maximum, action.desired)
        and tuple(sorted(there["AvailabilityZones"])) == zones
        and {k: v for k, v in labels.items() if k != MADE_FOR_TAG} == dict(action.labels)
    )
    if alike:
        return receipt
    asked = account.asked("CreateAutoScalingGroup", region)
    raise Conflicting(asked, "AlreadyExists", f"{action.name} is another group")


def _new_group(
    action: CreateGroup, token: str, template: Mapping[str, Any], subnets: tuple[str, ...]
) -> Any:
    return {
        "AutoScalingGroupName": action.name,
        "MinSize": 0,
        "MaxSize": max(action.maximum, action.desired),
        "DesiredCapacity": action.desired,
        "VPCZoneIdentifier": ",".join(subnets),
        "MixedInstancesPolicy": policy_of(
            specification(template), action.instance_types, action.on_demand_base,
            action.spot_share,
        ),
        "Tags": [
            *({"Key": key, "Value": value, "PropagateAtLaunch": True}
              for key, value in action.labels),
            {"Key": MADE_FOR_TAG, "Value": token, "PropagateAtLaunch": False},
        ],
    }  # fmt: skip


def _template_named(account: Account, region: str, named: str) -> Mapping[str, Any]:
    """A launch template by its name or id; raises ``NotFound``."""
    with translated(account.asked("DescribeLaunchTemplates", region)):
        ec2 = account.ec2(region)
        if _TEMPLATE_ID.fullmatch(named):
            answer = ec2.describe_launch_templates(LaunchTemplateIds=[named])
        else:
            answer = ec2.describe_launch_templates(LaunchTemplateNames=[named])
        found = answer["LaunchTemplates"]
    if not found:
        asked = account.asked("DescribeLaunchTemplates", region)
        raise NotFound(asked, "NoSuchTemplate", f"{named} is not there")
    return found[0]


def _likes(account: Account, region: str, template_id: str) -> list[Mapping[str, Any]]:
    """The groups that are there and start from the same template, by name."""
    found = each_group(account, region, lambda one: one if _template_id(one) == template_id else {})
    return sorted((one for one in found if one), key=lambda one: str(one["AutoScalingGroupName"]))


def _taken_over(likes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a launch template does not say, and groups that start from it agree on: where their
    traffic comes from, and how their health is checked.
    """
    return {
        key: likes[0][key]
        for key in _OF_GROUPS
        if likes and likes[0].get(key) and all(one.get(key) == likes[0][key] for one in likes)
    }


def _unknown(likes: Sequence[Mapping[str, Any]]) -> str:
    """What a new group lacks because those of its template do not agree on it."""
    lacking = [key for key in _OF_GROUPS if any(one.get(key) != likes[0].get(key) for one in likes)]
    return f"without {', '.join(lacking)}: groups of the template differ" if lacking else ""


def _subnets(
    account: Account, action: CreateGroup, likes: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """Where the group may start instances: in the subnets of a group that starts from the same
    template, else in the default network's. Raises ``NotAccepted`` when some zone asked for has
    none.
    """
    region = region_of(action.place)
    known = next((ids for one in likes if (ids := one.get("VPCZoneIdentifier"))), "")
    filters = (
        {"Name": "subnet-id", "Values": known.split(",")} if known
        else {"Name": "default-for-az", "Values": ["true"]}
    )  # fmt: skip
    subnets = each(
        account, account.ec2(region), "describe_subnets", "Subnets",
        lambda one: (str(one["AvailabilityZone"]), str(one["SubnetId"])), Filters=[filters],
    )  # fmt: skip
    found = [one for one in subnets if not action.zones or one[0] in action.zones]
    lacking = set(action.zones) - {zone for zone, _ in found}
    if lacking or not found:
        where = ", ".join(sorted(lacking)) or region
        said = f"no subnet is known in {where}: make a first group from the template by hand"
        raise NotAccepted(account.asked("DescribeSubnets", region), "NoSubnet", said)
    return tuple(subnet for _, subnet in sorted(found))


def _template_id(group: Mapping[str, Any]) -> str:
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    named = mixed.get("LaunchTemplateSpecification") or group.get("LaunchTemplate") or {}
    return str(named.get("LaunchTemplateId", ""))


def _rehearse_start(
    account: Account, action: CreateGroup, template: Mapping[str, Any], subnet: str
) -> None:
    """Ask EC2 whether it would start an instance as the group would."""
    region = region_of(action.place)
    rehearsed(account, "RunInstances", region, lambda: account.ec2(region).run_instances(
        DryRun=True, MinCount=1, MaxCount=1, LaunchTemplate=specification(template),  # type: ignore[arg-type]
        InstanceType=action.instance_types[0], SubnetId=subnet,  # type: ignore[arg-type]
    ))  # fmt: skip
