"""Actions on Auto Scaling groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from models.actions import CreateGroup, DeleteGroup, Effect, Receipt, Remix, Resize, Target
from models.cloud_errors import Conflicting, NotAccepted, NotFound
from providers.aws.clients import Account, pages
from providers.aws.errors import translated
from providers.aws.inventory import Mix, Templates, group_pages, labels_of, mix_of

ARN_NAME: Final = ":autoScalingGroupName/"
MADE_FOR_TAG: Final = "trimtab:made-for"
"""Carries the token that a group was made for."""
_PERCENT: Final = 100
_STRATEGIES: Final = {
    "OnDemandAllocationStrategy": "prioritized",
    "SpotAllocationStrategy": "capacity-optimized-prioritized",
}
"""Both take the types in the order in which they are given, as far as there is capacity."""


def region_of(place: str) -> str:
    return place.partition("/")[2]


def group_at(account: Account, target: Target) -> Mapping[str, Any]:
    """The group as it is now; raises ``NotFound``, also when another has taken its name."""
    name = target.id.partition(ARN_NAME)[2]
    found = group_named(account, region_of(target.place), name) if name else None
    if found is None or found["AutoScalingGroupARN"] != target.id:
        asked = account.asked("DescribeAutoScalingGroups", region_of(target.place))
        raise NotFound(asked, "NoSuchGroup", f"{target.id} is not there")
    return found


def group_named(account: Account, region: str, name: str) -> Mapping[str, Any] | None:
    with translated(account.asked("DescribeAutoScalingGroups", region)):
        answer = account.autoscaling(region).describe_auto_scaling_groups(
            AutoScalingGroupNames=[name]
        )
        groups = answer["AutoScalingGroups"]
        # A group that is being deleted has a status, and takes no orders any more.
        return next((one for one in groups if not one.get("Status")), None)


def resize(account: Account, action: Resize, token: str, rehearse: bool) -> Receipt:
    del token
    region = region_of(action.group.place)
    group = group_at(account, action.group)
    name, arn, desired = group["AutoScalingGroupName"], action.group.id, action.desired
    if desired < 0:
        asked = account.asked("SetDesiredCapacity", region)
        raise NotAccepted(asked, "BadSize", f"{desired} is no size")
    if group["DesiredCapacity"] == desired:
        return Receipt(Effect.ALREADY, (arn,))
    if rehearse:
        return Receipt(Effect.DONE, (arn,))
    account.pause()
    if group["MinSize"] <= desired <= group["MaxSize"]:
        with translated(account.asked("SetDesiredCapacity", region)):
            account.autoscaling(region).set_desired_capacity(
                AutoScalingGroupName=name, DesiredCapacity=desired, HonorCooldown=False
            )
        return Receipt(Effect.DONE, (arn,))
    minimum, maximum = min(group["MinSize"], desired), max(group["MaxSize"], desired)
    with translated(account.asked("UpdateAutoScalingGroup", region)):
        account.autoscaling(region).update_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=minimum, MaxSize=maximum, DesiredCapacity=desired
        )
    return Receipt(Effect.DONE, (arn,), f"bounds are {minimum} to {maximum} now")


def remix(account: Account, action: Remix, token: str, rehearse: bool) -> Receipt:
    del token
    region = region_of(action.group.place)
    group = group_at(account, action.group)
    _check_mix(account, region, action.instance_types, action.spot_share)
    policy = group.get("MixedInstancesPolicy") or {}
    launch = policy.get("LaunchTemplate") or {}
    template = launch.get("LaunchTemplateSpecification") or group.get("LaunchTemplate")
    asked = account.asked("UpdateAutoScalingGroup", region)
    if template is None:
        said = "its launch configuration must become a launch template first"
        raise NotAccepted(asked, "NoLaunchTemplate", said)
    if any("WeightedCapacity" in one for one in launch.get("Overrides", ())):
        said = "it counts weighted capacity, not instances"
        raise NotAccepted(asked, "WeightedCapacity", said)
    now = mix_of(group, Templates(account, region))
    if _same(now, action.instance_types, action.on_demand_base, action.spot_share):
        return Receipt(Effect.ALREADY, (action.group.id,))
    if not rehearse:
        account.pause()
        with translated(asked):
            account.autoscaling(region).update_auto_scaling_group(
                AutoScalingGroupName=group["AutoScalingGroupName"],
                MixedInstancesPolicy=_policy(
                    _specification(template), action.instance_types, action.on_demand_base,
                    action.spot_share,
                ),
            )  # fmt: skip
    return Receipt(Effect.DONE, (action.group.id,))


def create(account: Account, action: CreateGroup, token: str, rehearse: bool) -> Receipt:
    region = region_of(action.place)
    if (there := group_named(account, region, action.name)) is not None:
        return _there_already(account, action, token, there)
    _check_mix(account, region, action.instance_types, action.spot_share)
    template = _template_named(account, region, action.template)
    subnets = _subnets(account, action, template["LaunchTemplateId"])
    if rehearse:
        _rehearse_start(account, action, template, subnets[0])
        return Receipt(Effect.DONE)
    account.pause()
    try:
        with translated(account.asked("CreateAutoScalingGroup", region)):
            account.autoscaling(region).create_auto_scaling_group(
                **_new_group(action, token, template, subnets)
            )
    except Conflicting:  # somebody was faster: another caller, or this call with its answer lost
        there = group_named(account, region, action.name)
        if there is None:
            raise
        return _there_already(account, action, token, there)
    made = group_named(account, region, action.name)
    return Receipt(Effect.DONE, (made["AutoScalingGroupARN"],) if made is not None else ())


def delete(account: Account, action: DeleteGroup, token: str, rehearse: bool) -> Receipt:
    del token
    region = region_of(action.group.place)
    group = group_at(account, action.group)
    ids = (action.group.id, *(one["InstanceId"] for one in group.get("Instances", [])))
    if not rehearse:
        account.pause()
        try:
            with translated(account.asked("DeleteAutoScalingGroup", region)):
                account.autoscaling(region).delete_auto_scaling_group(
                    AutoScalingGroupName=group["AutoScalingGroupName"], ForceDelete=True
                )
        except NotFound:  # it was there just now: an answer got lost, and this was the second call
            return Receipt(Effect.DONE, ids)
    return Receipt(Effect.DONE, ids)


def _there_already(
    account: Account, action: CreateGroup, token: str, there: Mapping[str, Any]
) -> Receipt:
    """A group of that name: made for this token, or like what is asked; else in the way."""
    region = region_of(action.place)
    labels = dict(labels_of(there.get("Tags", [])))
    receipt = Receipt(Effect.ALREADY, (there["AutoScalingGroupARN"],))
    if labels.get(MADE_FOR_TAG) == token:
        return receipt
    now = mix_of(there, Templates(account, region))
    zones = tuple(sorted(action.zones)) or tuple(sorted(there["AvailabilityZones"]))
    alike = (
        _same(now, action.instance_types, action.on_demand_base, action.spot_share)
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


def _check_mix(
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
    offered = {
        one["InstanceType"]
        for page in pages(
            account, account.ec2(region), "describe_instance_type_offerings",
            "InstanceTypeOfferings", LocationType="region",
            Filters=[{"Name": "instance-type", "Values": list(instance_types)}],
        )
        for one in page
    }  # fmt: skip
    if lacking := [name for name in instance_types if name not in offered]:
        said = f"{', '.join(lacking)} is not offered in {region}"
        raise NotAccepted(asked, "UnknownType", said)


def _same(
    now: Mix, instance_types: tuple[str, ...], on_demand_base: int, spot_share: float
) -> bool:
    """Whether a mix is what is asked; AWS keeps shares in whole percents."""
    return (now.instance_types, now.on_demand_base, round(now.spot_share * _PERCENT)) == (
        instance_types,
        on_demand_base,
        round(spot_share * _PERCENT),
    )


def _specification(template: Mapping[str, Any]) -> dict[str, str]:
    """A launch template by its id alone: AWS takes its id or its name, not both."""
    return {
        "LaunchTemplateId": template["LaunchTemplateId"],
        "Version": template.get("Version", "$Default"),
    }


def _policy(
    template: Mapping[str, str],
    instance_types: tuple[str, ...],
    on_demand_base: int,
    spot_share: float,
) -> Any:
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": template,
            "Overrides": [{"InstanceType": name} for name in instance_types],
        },
        "InstancesDistribution": {
            "OnDemandBaseCapacity": on_demand_base,
            "OnDemandPercentageAboveBaseCapacity": _PERCENT - round(spot_share * _PERCENT),
            **_STRATEGIES,
        },
    }


def _new_group(
    action: CreateGroup, token: str, template: Mapping[str, Any], subnets: tuple[str, ...]
) -> Any:
    return {
        "AutoScalingGroupName": action.name,
        "MinSize": 0,
        "MaxSize": max(action.maximum, action.desired),
        "DesiredCapacity": action.desired,
        "VPCZoneIdentifier": ",".join(subnets),
        "MixedInstancesPolicy": _policy(
            _specification(template), action.instance_types, action.on_demand_base,
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
        if named.startswith("lt-"):
            answer = ec2.describe_launch_templates(LaunchTemplateIds=[named])
        else:
            answer = ec2.describe_launch_templates(LaunchTemplateNames=[named])
        found = answer["LaunchTemplates"]
    if not found:
        asked = account.asked("DescribeLaunchTemplates", region)
        raise NotFound(asked, "NoSuchTemplate", f"{named} is not there")
    return found[0]


def _subnets(account: Account, action: CreateGroup, template_id: str) -> tuple[str, ...]:
    """Where the group may start instances: in the subnets of a group that is there and started
    from the same template, else in the default network's. Raises ``NotAccepted`` when some zone
    asked for has none.
    """
    region = region_of(action.place)
    filters: list[Any] = [{"Name": "default-for-az", "Values": ["true"]}]
    for page in group_pages(account, region):
        like = next((one for one in page if _template_id(one) == template_id
                     and one.get("VPCZoneIdentifier")), None)  # fmt: skip
        if like is not None:
            ids = like["VPCZoneIdentifier"].split(",")
            filters = [{"Name": "subnet-id", "Values": ids}]
            break
    found = [
        (one["AvailabilityZone"], one["SubnetId"])
        for page in pages(
            account, account.ec2(region), "describe_subnets", "Subnets", Filters=filters
        )
        for one in page
        if not action.zones or one["AvailabilityZone"] in action.zones
    ]
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
        DryRun=True, MinCount=1, MaxCount=1, LaunchTemplate=_specification(template),  # type: ignore[arg-type]
        InstanceType=action.instance_types[0], SubnetId=subnet,  # type: ignore[arg-type]
    ))  # fmt: skip


def rehearsed(account: Account, operation: str, region: str, call: Callable[[], object]) -> None:
    """Make a call with ``DryRun``: it raises either that it would have worked, or why not."""
    with translated(account.asked(operation, region)):
        try:
            call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "DryRunOperation":
                raise
