"""An AWS account of some size, served until standard input ends: ``python aws_account.py --help``.

Prints its address when it is ready. ``/stand-in/calls`` tells, and forgets, what was called.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import boto3
from aws_goods import product, quota, rate, reservation_term, spot_price
from aws_sandbox import IMAGE, TEMPLATE
from aws_stand_in import StandIn

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "served", "AWS_SECRET_ACCESS_KEY": "served"}
LETTERS = ("a", "b", "c")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regions", type=int, default=20)
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--instances", type=int, default=2000)
    parser.add_argument("--delay-s", type=float, default=0.0, help="that every answer takes longer")
    parser.add_argument("--families", default="", help="of instance types, all when empty")
    asked = parser.parse_args()
    stand_in = StandIn()
    stand_in.sold.families = frozenset(asked.families.split(",")) - {""}
    os.environ.update(CREDENTIALS)
    with stand_in.running():
        regions = furnish(stand_in, asked.regions, asked.groups, asked.instances)
        stand_in.delay_s = asked.delay_s
        stand_in.calls.clear()
        sys.stdout.write(f"{stand_in.url} {','.join(regions)}\n")
        sys.stdout.flush()
        sys.stdin.read()


def furnish(stand_in: StandIn, regions: int, groups: int, instances: int) -> Sequence[str]:
    """Groups of equal size in ``regions``, with prices of every type that there is."""
    untyped: Any = boto3

    def sdk(service: str, region: str) -> Any:
        return untyped.client(service, region_name=region, endpoint_url=stand_in.url)

    listed = sdk("ec2", "us-east-1").describe_regions()["Regions"]
    names = sorted(one["RegionName"] for one in listed)[:regions]
    assert len(names) == regions, f"there are only {len(names)} regions"
    stand_in.sold.page = 1000
    stand_in.sold.quotas += [
        quota("L-1216C47A", "Running On-Demand Standard instances", 5120.0, "Standard/OnDemand"),
        quota("L-34B43A08", "All Standard Spot Instance Requests", 5120.0, "Standard/Spot"),
    ]
    for i, region in enumerate(names):
        _sell(stand_in, sdk("ec2", region), region)
        sdk("ec2", region).create_launch_template(
            LaunchTemplateName=TEMPLATE,
            LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "m5.large"},
        )
        for number in range(i, groups, regions):
            sdk("autoscaling", region).create_auto_scaling_group(
                AutoScalingGroupName=f"group-{number:04d}", MinSize=0, MaxSize=instances,
                DesiredCapacity=instances // groups, AvailabilityZones=[f"{region}a"],
                LaunchTemplate={"LaunchTemplateName": TEMPLATE},
                Tags=[{"Key": "service", "Value": f"service-{number:04d}",
                       "PropagateAtLaunch": True}],
            )  # fmt: skip
    return names


def _sell(stand_in: StandIn, ec2: Any, region: str) -> None:
    offered = ec2.describe_instance_type_offerings(LocationType="region")["InstanceTypeOfferings"]
    terms = (reservation_term(1, "400", "0.03"), reservation_term(3, "900", "0.02"))
    for n, one in enumerate(offered):
        name, usd = one["InstanceType"], 0.1 + n / 1000
        stand_in.sold.products.append(product(name, region, f"{usd:.4f}", terms))
        stand_in.sold.rates.append(rate(name, region, f"{usd * 0.7:.4f}"))
        stand_in.sold.spot += [
            spot_price(name, f"{region}{letter}", f"{usd * 0.4:.4f}") for letter in LETTERS
        ]


if __name__ == "__main__":
    main()
