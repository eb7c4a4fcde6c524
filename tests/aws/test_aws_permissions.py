"""The documented permissions are enough, and none is there without a use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from acting import act, create, instances_in, make_group, new_token, scope_of
from aws_policies import ACTING, BILLED, READING, needed, policies
from aws_sandbox import IMAGE, TEMPLATE, AwsSandbox

from models.actions import (
    DeleteGroup,
    Drain,
    Remix,
    Replace,
    Resize,
    Restart,
    SetWeights,
    Start,
    Target,
)
from optimizer.collect import Request, collect
from providers.seam import Severity, Window

ASKED_BY_AWS = frozenset({"autoscaling:CreateOrUpdateTags"})
"""What AWS wants allowed without a call of that name: a new group has tags."""


def furnish(aws: AwsSandbox) -> None:
    scaling = aws.sdk("autoscaling")
    common = {"MinSize": 0, "MaxSize": 1, "AvailabilityZones": ["eu-central-1a"]}
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="plain", LaunchTemplate={"LaunchTemplateName": TEMPLATE}, **common
    )
    scaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=IMAGE, InstanceType="m5.large"
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="older", LaunchConfigurationName="old", **common
    )
    vpc = aws.sdk("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    target = aws.sdk("elbv2").create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)[
        "TargetGroups"
    ][0]["TargetGroupArn"]
    scaling.attach_load_balancer_target_groups(
        AutoScalingGroupName="plain", TargetGroupARNs=[target]
    )
    scaling.update_auto_scaling_group(AutoScalingGroupName="plain", DesiredCapacity=1)
    ill = aws.sdk("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    scaling.set_instance_health(InstanceId=ill, HealthStatus="Unhealthy")


def test_collecting_needs_what_is_documented(aws: AwsSandbox, tmp_path: Path) -> None:
    furnish(aws)
    ends = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    request = Request("try", tmp_path, window=Window(ends - timedelta(hours=2), ends))
    snapshot = collect([aws.provider], request)
    assert [part.why for part in snapshot.manifest.faulty] == []
    assert needed(aws.product_calls) == READING


def test_the_doctor_asks_for_everything_that_collecting_needs(aws: AwsSandbox) -> None:
    findings = list(aws.provider.doctor.findings())
    assert {one.severity for one in findings} == {Severity.FINE}
    assert needed(aws.product_calls) == READING


def test_acting_needs_what_is_documented(aws: AwsSandbox) -> None:
    ec2 = aws.sdk("ec2")
    stopped = ec2.run_instances(ImageId=IMAGE, InstanceType="m5.large", MinCount=1, MaxCount=1)[
        "Instances"
    ][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[stopped])
    act(aws, Start(Target(aws.account, aws.place, stopped)))
    ec2.terminate_instances(InstanceIds=[stopped])
    aws.provider.hands.act(create(aws, "web", 3), new_token(), rehearse=True)
    group = make_group(aws, "web", 3)
    one, two, three = (Target(aws.account, aws.place, each.id) for each in instances_in(aws))
    for action in (
        Remix(group, aws.types), Restart(one), Replace(two), Drain(three), Resize(group, 4),
        Resize(group, 20), DeleteGroup(group),
    ):  # fmt: skip
        act(aws, action)
    route53 = aws.sdk("route53")
    zone = route53.create_hosted_zone(Name="example.org", CallerReference="x")["HostedZone"]["Id"]
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": {
            "Name": "www.example.org", "Type": "A", "SetIdentifier": "eu", "Weight": 1, "TTL": 5,
            "ResourceRecords": [{"Value": "10.0.0.1"}],
        }}]},
    )  # fmt: skip
    act(aws, SetWeights(aws.account, zone, "www.example.org", (("eu", 2),)))
    assert needed(aws.product_calls) <= READING | ACTING
    assert ACTING - needed(aws.product_calls) == ASKED_BY_AWS


def test_reading_permits_no_change() -> None:
    assert {one["Effect"] for policy in policies() for one in policy["Statement"]} == {"Allow"}
    operations = {permission.partition(":")[2] for permission in READING | BILLED}
    assert all(name.startswith(("Describe", "Get", "List")) for name in operations)
    assert not READING & ACTING


def test_a_permission_beyond_the_document_is_seen(aws: AwsSandbox) -> None:
    list(aws.provider.inventory.groups(scope_of(aws)))
    assert not needed(["ec2:TerminateInstances", *aws.product_calls]) <= READING | ACTING
