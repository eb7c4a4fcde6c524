"""Measurements in CloudWatch, and load balancers that are measured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aws_sandbox import AwsSandbox

from providers.seam import Window

ENDS = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
WINDOW = Window(ENDS - timedelta(hours=3), ENDS)
LAST = ENDS - timedelta(hours=1)


def put(
    aws: AwsSandbox, namespace: str, metric: str, dimensions: dict[str, str], *values: float,
    at: datetime = LAST,
) -> None:  # fmt: skip
    told = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    aws.sdk("cloudwatch").put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": metric, "Dimensions": told, "Value": value,
             "Timestamp": at + timedelta(minutes=5 * i)}
            for i, value in enumerate(values)
        ],
    )  # fmt: skip


def balanced(aws: AwsSandbox, *groups: str) -> dict[str, str]:
    """A target group of ``groups`` behind an application load balancer; its dimensions."""
    elb, ec2 = aws.sdk("elbv2"), aws.sdk("ec2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]][:2]
    balancer = elb.create_load_balancer(Name="front", Subnets=subnets)["LoadBalancers"][0]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    target = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)
    arn = target["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )  # fmt: skip
    for name in groups:
        aws.sdk("autoscaling").attach_load_balancer_target_groups(
            AutoScalingGroupName=name, TargetGroupARNs=[arn]
        )
    return {
        "LoadBalancer": balancer["LoadBalancerArn"].partition("loadbalancer/")[2],
        "TargetGroup": arn.rpartition(":")[2],
    }
