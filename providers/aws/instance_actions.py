"""Actions on single instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from models.actions import Drain, Effect, Receipt, Replace, Restart, Start, Target
from models.cloud_errors import CloudFailed, NotAccepted, NotFound
from providers.aws.clients import Account
from providers.aws.errors import translated
from providers.aws.group_actions import group_named, region_of, rehearsed
from providers.aws.inventory import labels_of

RESTART_TAG: Final = "trimtab:restarted"
"""Carries the token of the last restart."""
_GONE: Final = ("shutting-down", "terminated")
_LEAVING: Final = ("Terminat", "Detach")
_RUNS: Final = ("pending", "running")


def instance_at(account: Account, target: Target) -> Mapping[str, Any]:
    """The instance as it is now, also when it has ended lately; raises ``NotFound``."""
    region = region_of(target.place)
    asked = account.asked("DescribeInstances", region)
    with translated(asked):
        answer = account.ec2(region).describe_instances(InstanceIds=[target.id])
        found = [one for group in answer["Reservations"] for one in group["Instances"]]
    if not found:
        raise NotFound(asked, "NoSuchInstance", f"{target.id} is not there")
    return found[0]


def start(account: Account, action: Start, token: str, rehearse: bool) -> Receipt:
    del token
    target = action.instance
    state = _living(account, target)["State"]["Name"]
    if state in _RUNS:
        return Receipt(Effect.ALREADY, (target.id,))
    region = region_of(target.place)
    ec2 = account.ec2(region)
    if rehearse:
        rehearsed(account, "StartInstances", region,
                  lambda: ec2.start_instances(InstanceIds=[target.id], DryRun=True))  # fmt: skip
        return Receipt(Effect.DONE, (target.id,))
    account.pause()
    with translated(account.asked("StartInstances", region)):
        ec2.start_instances(InstanceIds=[target.id])
    return Receipt(Effect.DONE, (target.id,))


def restart(account: Account, action: Restart, token: str, rehearse: bool) -> Receipt:
    """Restarted once for each token that its tag remembers. When the answer to the restart itself
    is lost, a second call restarts again, which AWS takes as one while the first is under way.
    """
    target, region = action.instance, region_of(action.instance.place)
    if dict(labels_of(_living(account, target).get("Tags", []))).get(RESTART_TAG) == token:
        return Receipt(Effect.ALREADY, (target.id,))
    ec2 = account.ec2(region)
    if rehearse:
        rehearsed(account, "RebootInstances", region,
                  lambda: ec2.reboot_instances(InstanceIds=[target.id], DryRun=True))  # fmt: skip
        return Receipt(Effect.DONE, (target.id,))
    account.pause()
    with translated(account.asked("RebootInstances", region)):
        ec2.reboot_instances(InstanceIds=[target.id])
    account.pause()
    with translated(account.asked("CreateTags", region)):
        ec2.create_tags(Resources=[target.id], Tags=[{"Key": RESTART_TAG, "Value": token}])
    return Receipt(Effect.DONE, (target.id,))


def replace(account: Account, action: Replace, token: str, rehearse: bool) -> Receipt:
    del token
    target, region = action.instance, region_of(action.instance.place)
    if instance_at(account, target)["State"]["Name"] in _GONE:
        return Receipt(Effect.ALREADY, (target.id,))
    asked = account.asked("TerminateInstanceInAutoScalingGroup", region)
    membership = _membership(account, target)
    if membership is None:
        raise NotAccepted(asked, "NoGroup", f"{target.id} is in no group that would replace it")
    if _leaves(membership):
        return Receipt(Effect.ALREADY, (target.id,))
    if rehearse:
        return Receipt(Effect.DONE, (target.id,))
    account.pause()
    try:
        with translated(asked):
            account.autoscaling(region).terminate_instance_in_auto_scaling_group(
                InstanceId=target.id, ShouldDecrementDesiredCapacity=False
            )
    except CloudFailed:  # perhaps the answer to a first call got lost
        if not (_leaves(_membership(account, target))
                or instance_at(account, target)["State"]["Name"] in _GONE):  # fmt: skip
            raise
    return Receipt(Effect.DONE, (target.id,))


def drain(account: Account, action: Drain, token: str, rehearse: bool) -> Receipt:
    """Detached instances leave the group's target groups too, after their connections."""
    del token
    target, region = action.instance, region_of(action.instance.place)
    _living(account, target)
    membership = _membership(account, target)
    if membership is None or _leaves(membership):
        return Receipt(Effect.ALREADY, (target.id,))
    if rehearse:
        return Receipt(Effect.DONE, (target.id,))
    name = membership["AutoScalingGroupName"]
    if not action.replace:
        _make_room_below(account, region, name)
    account.pause()
    try:
        with translated(account.asked("DetachInstances", region)):
            account.autoscaling(region).detach_instances(
                InstanceIds=[target.id],
                AutoScalingGroupName=name,
                ShouldDecrementDesiredCapacity=not action.replace,
            )
    except CloudFailed:  # perhaps the answer to a first call got lost
        if (left := _membership(account, target)) is not None and not _leaves(left):
            raise
    return Receipt(Effect.DONE, (target.id,))


def _living(account: Account, target: Target) -> Mapping[str, Any]:
    """An instance that has not ended; raises ``NotFound``."""
    facts = instance_at(account, target)
    if facts["State"]["Name"] in _GONE:
        asked = account.asked("DescribeInstances", region_of(target.place))
        raise NotFound(asked, "Ended", f"{target.id} has ended")
    return facts


def _membership(account: Account, target: Target) -> Mapping[str, Any] | None:
    """What its group says of an instance; None when it is in none."""
    region = region_of(target.place)
    with translated(account.asked("DescribeAutoScalingInstances", region)):
        answer = account.autoscaling(region).describe_auto_scaling_instances(
            InstanceIds=[target.id]
        )
        return next(iter(answer["AutoScalingInstances"]), None)


def _leaves(membership: Mapping[str, Any] | None) -> bool:
    """Whether an instance is on its way out of its group already: a lifecycle hook, or connections
    that end, may hold it there for long.
    """
    return membership is not None and any(
        word.startswith(_LEAVING) for word in membership["LifecycleState"].split(":")
    )


def _make_room_below(account: Account, region: str, name: str) -> None:
    """Let a group get smaller by one: its least size moves along where it is in the way."""
    group = group_named(account, region, name)
    if group is not None and group["MinSize"] >= group["DesiredCapacity"] > 0:
        account.pause()
        with translated(account.asked("UpdateAutoScalingGroup", region)):
            account.autoscaling(region).update_auto_scaling_group(
                AutoScalingGroupName=name, MinSize=group["DesiredCapacity"] - 1
            )
