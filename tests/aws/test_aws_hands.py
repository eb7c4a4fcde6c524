"""What hands do in AWS beyond what all clouds do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from acting import act, create, group_called, groups_in, instances_in, make_group, new_token
from aws_sandbox import IMAGE, TEMPLATE, AwsSandbox, entry
from aws_sold import Facts
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT_ID

from models.actions import (
    Action,
    CreateGroup,
    DeleteGroup,
    Drain,
    Effect,
    Remix,
    Replace,
    Resize,
    Restart,
    SetWeights,
    Start,
    Target,
)
from models.cloud_errors import CapacityLacking, Conflicting, Denied, NotAccepted, NotFound
from models.offerings import Purchase

ZONE = "example.org"


@contextmanager
def lost_answer(aws: AwsSandbox, service: str, operation: str) -> Iterator[None]:
    """The next such call is done, and its answer does not arrive."""
    aws.proxy.rule({"service": service, "operation": operation, "times": 1,
                    "response": {"abort_bytes": 1}})  # fmt: skip
    before = aws.proxy.fired
    yield
    aws.proxy.rule()
    assert aws.proxy.fired == before + 1


def one_of(aws: AwsSandbox, index: int = 0) -> Target:
    return Target(aws.account, aws.place, sorted(one.id for one in instances_in(aws))[index])


def stopped(aws: AwsSandbox) -> Target:
    ec2 = aws.sdk("ec2")
    asked: Facts = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    name = ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[name])
    return Target(aws.account, aws.place, name)


def test_a_new_group_has_its_mix_tags_and_zones(aws: AwsSandbox) -> None:
    action = CreateGroup(
        aws.account, aws.place, "web", TEMPLATE, aws.types, 4, 8, ("eu-central-1b",), 2, 0.5,
        (("service", "shop"),),
    )  # fmt: skip
    receipt = act(aws, action)
    group = group_called(aws, "web")
    assert receipt.ids == (group.id,)
    assert (group.minimum, group.desired, group.maximum) == (0, 4, 8)
    assert (group.on_demand_base, group.spot_share) == (2, 0.5)
    assert (group.instance_types, group.template) == (aws.types, TEMPLATE)
    assert group.zones == ("eu-central-1b",)
    bought = [one.purchase for one in instances_in(aws)]
    assert bought.count(Purchase.SPOT) == 1
    assert "trimtab:made-for" not in dict(instances_in(aws)[0].labels)


def test_a_group_like_the_one_asked_for_is_there_already(aws: AwsSandbox) -> None:
    action = create(aws, "web", 2, (("service", "shop"),))
    first = act(aws, action)
    fresh = aws.provider_of(entry(aws.proxy.url))  # another process, another token
    again = fresh.hands.act(action, new_token())
    assert (again.effect, again.ids) == (Effect.ALREADY, first.ids)


def test_another_group_of_the_name_is_in_the_way(aws: AwsSandbox) -> None:
    act(aws, create(aws, "web", 2))
    with pytest.raises(Conflicting, match="web is another group"):
        act(aws, create(aws, "web", 3))


def test_a_token_is_remembered_across_processes(aws: AwsSandbox) -> None:
    action, token = create(aws, "web", 2), new_token()
    first = act(aws, action, token)
    act(aws, Resize(Target(aws.account, aws.place, first.ids[0]), 5))
    again = aws.provider_of(entry(aws.proxy.url)).hands.act(action, token)
    assert (again.effect, again.ids) == (Effect.ALREADY, first.ids)
    assert group_called(aws, "web").desired == 5


def test_a_token_stands_for_one_action(aws: AwsSandbox) -> None:
    group, token = make_group(aws, "web", 1), new_token()
    act(aws, Resize(group, 2), token)
    with pytest.raises(Conflicting, match="something else"):
        act(aws, Resize(group, 3), token)


def test_a_group_that_took_the_name_is_left_alone(aws: AwsSandbox) -> None:
    old = make_group(aws, "web", 1)
    act(aws, DeleteGroup(old))
    make_group(aws, "web", 3)
    with pytest.raises(NotFound):
        act(aws, DeleteGroup(old))
    assert group_called(aws, "web").desired == 3


def test_new_groups_go_where_others_of_the_template_are(aws: AwsSandbox) -> None:
    ec2 = aws.sdk("ec2")
    subnets = ec2.describe_subnets()["Subnets"]
    like = next(one for one in subnets if one["AvailabilityZone"].endswith("c"))
    aws.sdk("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="first", LaunchTemplate={"LaunchTemplateName": TEMPLATE},
        MinSize=0, MaxSize=1, VPCZoneIdentifier=like["SubnetId"],
    )  # fmt: skip
    act(aws, create(aws, "web", 1))
    assert group_called(aws, "web").zones == (like["AvailabilityZone"],)
    elsewhere = CreateGroup(aws.account, aws.place, "other", TEMPLATE, aws.types, 1, 2,
                            ("eu-central-1a",))  # fmt: skip
    with pytest.raises(NotAccepted, match="no subnet is known in eu-central-1a"):
        act(aws, elsewhere)


@pytest.mark.parametrize(
    ("types", "share"), [((), 0.0), (("zz9.plural",), 0.0), (("c5.large",), 1.5)]
)
def test_mixes_that_cannot_be(aws: AwsSandbox, types: tuple[str, ...], share: float) -> None:
    group = make_group(aws, "web", 1)
    with pytest.raises(NotAccepted):
        act(aws, Remix(group, types, spot_share=share))
    assert group_called(aws, "web").instance_types == (aws.types[0],)


def test_a_mix_that_is_so_is_left_alone(aws: AwsSandbox) -> None:
    group = make_group(aws, "web", 1)
    assert act(aws, Remix(group, aws.types, 1, 0.25)).effect is Effect.DONE
    assert act(aws, Remix(group, aws.types, 1, 0.25)).effect is Effect.ALREADY
    changed = group_called(aws, "web")
    assert (changed.instance_types, changed.on_demand_base, changed.spot_share) == (
        aws.types, 1, 0.25,
    )  # fmt: skip


def test_a_remix_keeps_what_single_types_start_from(aws: AwsSandbox) -> None:
    ec2, scaling = aws.sdk("ec2"), aws.sdk("autoscaling")
    of_arm = ec2.create_launch_template(
        LaunchTemplateName="arm", LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "m6g.large"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    arm = {"LaunchTemplateId": of_arm, "Version": "$Latest"}
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": TEMPLATE},
            "Overrides": [
                {"InstanceType": "m6g.large", "LaunchTemplateSpecification": arm},
                {"InstanceType": "m5.large"},
            ],
        },
        "InstancesDistribution": {"SpotMaxPrice": "0.2"},
    }
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web", MixedInstancesPolicy=policy, MinSize=0, MaxSize=1,
        AvailabilityZones=["eu-central-1a"],
    )  # fmt: skip
    group = Target(aws.account, aws.place, group_called(aws, "web").id)
    act(aws, Remix(group, ("c5.large", "m6g.large", "m6g.xlarge"), spot_share=0.5))
    changed = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["MixedInstancesPolicy"]
    assert {
        one["InstanceType"]: one.get("LaunchTemplateSpecification", {}).get("LaunchTemplateId")
        for one in changed["LaunchTemplate"]["Overrides"]
    } == {"c5.large": None, "m6g.large": of_arm, "m6g.xlarge": of_arm}
    assert changed["InstancesDistribution"]["SpotMaxPrice"] == "0.2"


def target_group(aws: AwsSandbox, name: str) -> str:
    vpc = aws.sdk("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = aws.sdk("elbv2").create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc)
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def test_new_groups_get_the_traffic_and_health_checks_of_others(aws: AwsSandbox) -> None:
    scaling, one, two = aws.sdk("autoscaling"), target_group(aws, "one"), target_group(aws, "two")
    common = {"LaunchTemplate": {"LaunchTemplateName": TEMPLATE}, "MinSize": 0, "MaxSize": 1,
              "AvailabilityZones": ["eu-central-1a"], "HealthCheckType": "ELB",
              "HealthCheckGracePeriod": 77}  # fmt: skip
    scaling.create_auto_scaling_group(AutoScalingGroupName="first", TargetGroupARNs=[one], **common)
    assert act(aws, create(aws, "web", 1)).note == ""

    def made(name: str) -> Facts:
        asked = {"AutoScalingGroupNames": [name]}
        found: Facts = scaling.describe_auto_scaling_groups(**asked)["AutoScalingGroups"][0]
        return found

    web = made("web")
    assert (web["TargetGroupARNs"], web["HealthCheckType"]) == ([one], "ELB")
    assert web["HealthCheckGracePeriod"] == 77
    scaling.create_auto_scaling_group(AutoScalingGroupName="other", TargetGroupARNs=[two], **common)
    receipt = act(aws, create(aws, "web-2", 1))
    assert receipt.note == "without TargetGroupARNs: groups of the template differ"
    assert made("web-2").get("TargetGroupARNs", []) == []
    assert made("web-2")["HealthCheckType"] == "ELB"


@pytest.mark.parametrize("kind", [Replace, Drain])
@pytest.mark.parametrize(
    "state", ["Detaching", "Terminating", "Terminating:Wait", "Warmed:Terminating:Wait"]
)
def test_what_leaves_its_group_is_left_alone(
    aws: AwsSandbox, kind: type[Replace] | type[Drain], state: str
) -> None:
    make_group(aws, "web", 1)
    target = one_of(aws)
    groups = get_backend("autoscaling")[ACCOUNT_ID]["eu-central-1"].autoscaling_groups
    groups["web"].instance_states[0].lifecycle_state = state
    assert act(aws, kind(target)).effect is Effect.ALREADY


def test_every_change_waits_its_turn(aws: AwsSandbox) -> None:
    make_group(aws, "web", 2)
    aws.sdk("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", MinSize=2)
    account = aws.provider.inventory.regions.accounts[0]  # type: ignore[attr-defined]
    for action in (Restart(one_of(aws)), Drain(one_of(aws))):  # two changes each
        with patch.object(account, "pause", wraps=account.pause) as pause:
            act(aws, action)
        assert pause.call_count == 2


def test_launch_configurations_are_not_remixed(aws: AwsSandbox) -> None:
    scaling = aws.sdk("autoscaling")
    scaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=IMAGE, InstanceType="m5.large"
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web", LaunchConfigurationName="old", MinSize=0, MaxSize=1,
        AvailabilityZones=["eu-central-1a"],
    )  # fmt: skip
    group = Target(aws.account, aws.place, group_called(aws, "web").id)
    with pytest.raises(NotAccepted, match="launch template"):
        act(aws, Remix(group, aws.types))


def test_start_and_its_lack_of_capacity(aws: AwsSandbox) -> None:
    target = stopped(aws)
    aws.proxy.rule({"service": "ec2", "operation": "StartInstances",
                    "error": {"code": "InsufficientInstanceCapacity", "status": 500}})  # fmt: skip
    with pytest.raises(CapacityLacking, match="another zone"):
        act(aws, Start(target))
    aws.proxy.rule()
    assert aws.provider.hands.act(Start(target), "t", rehearse=True).effect is Effect.WOULD
    assert instances_in(aws)[0].state == "stopped"
    assert act(aws, Start(target)).effect is Effect.DONE
    assert act(aws, Start(target)).effect is Effect.ALREADY


def test_a_rehearsal_says_what_is_not_permitted(aws: AwsSandbox) -> None:
    target = stopped(aws)
    for operation, action in (
        ("StartInstances", Start(target)),
        ("RebootInstances", Restart(target)),
        ("RunInstances", create(aws, "web", 1)),
    ):
        aws.proxy.rule({"service": "ec2", "operation": operation,
                        "error": {"code": "UnauthorizedOperation", "status": 403}})  # fmt: skip
        with pytest.raises(Denied, match=operation):
            aws.provider.hands.act(action, new_token(), rehearse=True)


def test_a_restart_counts_once_across_processes(aws: AwsSandbox) -> None:
    make_group(aws, "web", 1)
    action, token = Restart(one_of(aws)), new_token()
    act(aws, action, token)
    again = aws.provider_of(entry(aws.proxy.url)).hands.act(action, token)
    assert again.effect is Effect.ALREADY
    assert aws.product_calls.count("ec2:RebootInstances") == 1


@pytest.mark.parametrize("kind", [Replace, Drain])
def test_answers_lost_on_the_way(aws: AwsSandbox, kind: type[Replace] | type[Drain]) -> None:
    make_group(aws, "web", 3)
    gone, token = one_of(aws), new_token()
    operation = "DetachInstances" if kind is Drain else "TerminateInstanceInAutoScalingGroup"
    with lost_answer(aws, "autoscaling", operation):
        act(aws, kind(gone), token)
    act(aws, kind(gone), token)
    members = [one for one in instances_in(aws) if one.group]
    assert len(members) == group_called(aws, "web").desired == (2 if kind is Drain else 3)
    assert gone.id not in {one.id for one in members}


def test_a_deletion_whose_answer_is_lost(aws: AwsSandbox) -> None:
    group, token = make_group(aws, "web", 1), new_token()
    with lost_answer(aws, "autoscaling", "DeleteAutoScalingGroup"):
        receipt = act(aws, DeleteGroup(group), token)
    assert receipt.effect is Effect.DONE
    assert groups_in(aws) == []
    assert act(aws, DeleteGroup(group), token) == receipt


def test_bounds_give_way_to_a_drain(aws: AwsSandbox) -> None:
    act(aws, create(aws, "web", 2))
    aws.sdk("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", MinSize=2)
    act(aws, Drain(one_of(aws)))
    group = group_called(aws, "web")
    assert (group.minimum, group.desired) == (1, 1)


def test_what_is_in_no_group_is_drained_and_not_replaced(aws: AwsSandbox) -> None:
    target = stopped(aws)
    assert act(aws, Drain(target)).effect is Effect.ALREADY
    with pytest.raises(NotAccepted, match="no group"):
        act(aws, Replace(target))


def test_a_group_that_never_becomes_healthy(aws: AwsSandbox) -> None:
    make_group(aws, "web", 3)
    scaling = aws.sdk("autoscaling")
    for one in instances_in(aws)[:2]:
        scaling.set_instance_health(InstanceId=one.id, HealthStatus="Unhealthy")
    group = group_called(aws, "web")
    assert (group.desired, group.healthy) == (3, 1)


def weighted(aws: AwsSandbox, **weights: int) -> str:
    route53: Any = aws.sdk("route53", "us-east-1")
    zone = str(route53.create_hosted_zone(Name=ZONE, CallerReference="x")["HostedZone"]["Id"])
    records = [
        {"Name": f"www.{ZONE}", "Type": kind, "SetIdentifier": name, "Weight": weight,
         "TTL": 60, "ResourceRecords": [{"Value": value}]}
        for name, weight in weights.items() for kind, value in (("A", "10.0.0.1"), ("AAAA", "::1"))
    ]  # fmt: skip
    records.append({"Name": f"zzz.{ZONE}", "Type": "A", "TTL": 5,
                    "ResourceRecords": [{"Value": "10.0.0.9"}]})  # fmt: skip
    changes = [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    return zone.rpartition("/")[2]


def weights_in(aws: AwsSandbox, zone: str) -> dict[tuple[str, str], tuple[int, int]]:
    found = aws.sdk("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {
        (one["SetIdentifier"], one["Type"]): (one["Weight"], one["TTL"])
        for one in found
        if "SetIdentifier" in one
    }


def test_weights_change_and_nothing_else(aws: AwsSandbox) -> None:
    zone = weighted(aws, eu=100, us=0, asia=7)
    action = SetWeights(aws.account, zone, f"www.{ZONE}", (("eu", 60), ("us", 40)))
    rehearsed = aws.provider.hands.act(action, new_token(), rehearse=True)
    assert rehearsed.effect is Effect.WOULD
    assert weights_in(aws, zone)["eu", "A"] == (100, 60)
    with lost_answer(aws, "route53", "ChangeResourceRecordSets"):
        assert act(aws, action).effect is Effect.DONE
    assert weights_in(aws, zone) == {
        (name, kind): (weight, 60)
        for name, weight in (("eu", 60), ("us", 40), ("asia", 7))
        for kind in ("A", "AAAA")
    }
    assert act(aws, action).effect is Effect.ALREADY


@pytest.mark.parametrize(
    ("name", "weights", "error"),
    [
        ("www", (("mars", 1),), NotFound),
        ("nothing", (("eu", 1),), NotFound),
        ("www", (("eu", 256),), NotAccepted),
        ("www", (("eu", -1),), NotAccepted),
    ],
)
def test_weights_that_cannot_be(
    aws: AwsSandbox, name: str, weights: tuple[tuple[str, int], ...], error: type[Exception]
) -> None:
    zone = weighted(aws, eu=100)
    action: Action = SetWeights(aws.account, zone, f"{name}.{ZONE}", weights)
    with pytest.raises(error):
        act(aws, action)
    assert weights_in(aws, zone)["eu", "A"] == (100, 60)
