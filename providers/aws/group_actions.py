"""Actions on Auto Scaling groups that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from models.actions import DeleteGroup, Effect, Receipt, Remix, Resize, Target
from models.cloud_errors import NotAccepted, NotFound
from providers.aws.clients import Account
from providers.aws.errors import translated
from providers.aws.mixes import check_mix, is_mix, mix_now, policy_of, specification

ARN_NAME: Final = ":autoScalingGroupName/"


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
    check_mix(account, region, action.instance_types, action.spot_share)
    policy = group.get("MixedInstancesPolicy") or {}
    launch = policy.get("LaunchTemplate") or {}
    template = launch.get("LaunchTemplateSpecification") or group.get("LaunchTemplate")
    asked = account.asked("UpdateAutoScalingGroup", region)
    if template is None:
        said = "its launch configuration must become a launch template first"
        raise NotAccepted(asked, "NoLaunchTemplate", said)
    overrides = launch.get("Overrides", ())
    if any("WeightedCapacity" in one for one in overrides):
        said = "it counts weighted capacity, not instances"
        raise NotAccepted(asked, "WeightedCapacity", said)
    now = mix_now(account, region, group)
    if is_mix(now, action.instance_types, action.on_demand_base, action.spot_share):
        return Receipt(Effect.ALREADY, (action.group.id,))
    wanted = policy_of(
        specification(template), action.instance_types, action.on_demand_base, action.spot_share,
        overrides,
    )  # fmt: skip
    if "SpotMaxPrice" in policy.get("InstancesDistribution", {}):
        most = policy["InstancesDistribution"]["SpotMaxPrice"]
        wanted["InstancesDistribution"]["SpotMaxPrice"] = most
    if not rehearse:
        account.pause()
        with translated(asked):
            account.autoscaling(region).update_auto_scaling_group(
                AutoScalingGroupName=group["AutoScalingGroupName"], MixedInstancesPolicy=wanted
            )
    return Receipt(Effect.DONE, (action.group.id,))


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


def rehearsed(account: Account, operation: str, region: str, call: Callable[[], object]) -> None:
    """Make a call with ``DryRun``: it raises either that it would have worked, or why not."""
    with translated(account.asked(operation, region)):
        try:
            call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "DryRunOperation":
                raise
