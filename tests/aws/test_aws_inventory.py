"""What AWS's inventory says beyond what all clouds say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from acting import group_called, groups_in, instances_in, make_group, scope_of
from aws_goods import quota
from aws_policies import BILLED, needed
from aws_sandbox import HASTY, IMAGE, PLACES, TEMPLATE, AwsSandbox, entry
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT_ID

from models.cloud_errors import Denied, NotFound
from models.commitments import CommitmentKind
from models.inventory import InstanceState
from models.offerings import Architecture, Purchase
from providers.aws.inventory import variant_of
from providers.aws.mixes import mix_of
from providers.aws.provider import provider
from providers.aws.quotas import CLASSES, STANDARD, is_counted, letters_of
from providers.aws.types import whole_gpus
from providers.pricebook.families import family_of
from providers.seam import Scope, Severity
from scenarios.collect_entries import AwsAccountEntry, AwsEntry

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_regions_that_cannot_be_looked_at_are_named(aws: AwsSandbox) -> None:
    aws.stand_in.sold.not_enabled = frozenset({"eu-south-1"})
    wanted = ("eu-central-1", "eu-south-1", "eu-central-7")
    asked = aws.provider_of(entry(aws.proxy.url, wanted))
    scopes, markets = asked.inventory.scopes(), asked.price_list.markets()
    assert scopes.found == (Scope("aws", "prod", ""), Scope("aws", "prod", "eu-central-1"))
    assert markets.found == (Scope("aws", "", "eu-central-1"),)
    for told, account in ((scopes, "prod"), (markets, "")):
        unknown, closed = told.unreached
        assert unknown.scope == Scope("aws", account, "eu-central-7")
        assert isinstance(unknown.failure, NotFound)
        assert "did you mean 'eu-central-2' or 'eu-central-1'" in unknown.failure.said
        assert closed.scope == Scope("aws", account, "eu-south-1")
        assert isinstance(closed.failure, Denied)
        assert "enable it" in closed.failure.said


def test_a_region_that_one_account_has_is_a_market(aws: AwsSandbox) -> None:
    made = AwsEntry(
        accounts=(AwsAccountEntry(name="lost", profile="nobody"), AwsAccountEntry(name="prod")),
        regions=PLACES,
        endpoint=aws.proxy.url,
    )
    markets = aws.provider_of(made).price_list.markets()
    assert [one.region for one in markets.found] == sorted(PLACES)
    assert markets.unreached == ()


def test_all_regions(aws: AwsSandbox) -> None:
    made = AwsEntry(accounts=(AwsAccountEntry(name="prod"),), endpoint=aws.proxy.url)
    aws.stand_in.sold.not_enabled = frozenset({"eu-south-1"})
    named = {scope.region for scope in provider(made, Path(), HASTY).inventory.scopes().found}
    enabled = {one["RegionName"] for one in aws.sdk("ec2").describe_regions()["Regions"]}
    assert named == enabled | {""}
    assert "eu-south-1" not in named


def test_a_role_is_assumed_with_its_external_id(aws: AwsSandbox) -> None:
    role = "arn:aws:iam::210987654321:role/trimtab-read"
    made = AwsEntry(
        accounts=(
            AwsAccountEntry(name="prod"),
            AwsAccountEntry(name="data", role_arn=role, external_id="x7"),
        ),
        regions=PLACES,
        endpoint=aws.proxy.url,
    )
    aws.proxy.rule({
        "service": "sts", "operation": "AssumeRole", "body": "ExternalId != 'x7'",
        "error": {"code": "AccessDenied", "status": 403},
    })  # fmt: skip
    both = aws.provider_of(made)
    assert {scope.account for scope in both.inventory.scopes().found} == {"prod", "data"}
    make_group(aws, "web", 1)
    seen = [list(both.inventory.groups(Scope("aws", name, PLACES[0]))) for name in ("prod", "data")]
    assert [len(groups) for groups in seen] == [1, 0]  # moto keeps the role's account apart
    assert "sts:AssumeRole" in aws.product_calls
    aws.product_calls.remove("sts:AssumeRole")  # of the role that is started from, not assumed


def test_spot_and_stopped_instances(aws: AwsSandbox) -> None:
    ec2 = aws.sdk("ec2")
    asked: dict[str, Any] = {"ImageId": IMAGE, "MinCount": 1, "MaxCount": 1}
    spot = ec2.run_instances(
        InstanceType="m5.large", InstanceMarketOptions={"MarketType": "spot"}, **asked
    )["Instances"][0]["InstanceId"]
    stopped = ec2.run_instances(InstanceType="m5.large", **asked)["Instances"][0]["InstanceId"]
    gone = ec2.run_instances(InstanceType="m5.large", **asked)["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[stopped])
    ec2.terminate_instances(InstanceIds=[gone])
    found = {one.id: one for one in instances_in(aws)}
    assert found.keys() == {spot, stopped}
    assert found[spot].purchase is Purchase.SPOT
    assert found[stopped].state is InstanceState.STOPPED
    assert found[stopped].purchase is Purchase.ON_DEMAND
    assert found[stopped].group == ""


@pytest.mark.parametrize(
    ("facts", "variant"),
    [
        ({}, ""),
        ({"PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances"}, ""),
        ({"Platform": "windows"}, "windows"),
        ({"Platform": "windows", "PlatformDetails": "Windows",
          "UsageOperation": "RunInstances:0002"}, "windows"),
        ({"Platform": "windows", "PlatformDetails": "Windows BYOL",
          "UsageOperation": "RunInstances:0800"}, "windows byol"),
        ({"PlatformDetails": "Red Hat Enterprise Linux",
          "UsageOperation": "RunInstances:0010"}, "red hat enterprise linux"),
        ({"PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances:00g0"}, "licence 00g0"),
        ({"Placement": {"Tenancy": "default"}}, ""),
        ({"Placement": {"Tenancy": "dedicated"}}, "dedicated"),
        ({"Placement": {"Tenancy": "host"}, "Platform": "windows"}, "windows, dedicated host"),
    ],
)  # fmt: skip
def test_what_sets_instances_apart(facts: dict[str, Any], variant: str) -> None:
    assert variant_of({"Placement": {}, **facts}) == variant


def test_instances_tell_what_sets_them_apart(aws: AwsSandbox) -> None:
    asked: dict[str, Any] = {"ImageId": IMAGE, "MinCount": 1, "MaxCount": 1}
    name = aws.sdk("ec2").run_instances(InstanceType="m5.large", **asked)["Instances"][0]
    backend = get_backend("ec2")[ACCOUNT_ID][PLACES[0]]
    backend.get_instance(name["InstanceId"]).platform = "windows"
    aws.sdk("ec2").run_instances(InstanceType="m5.large", **asked)
    assert sorted(one.variant for one in instances_in(aws)) == ["", "windows"]


def test_an_unknown_instance_type_is_a_row_like_any_other(aws: AwsSandbox) -> None:
    ec2 = aws.sdk("ec2")
    ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, InstanceType="zz9.plural")
    assert [one.instance_type for one in instances_in(aws)] == ["zz9.plural"]


def test_groups_without_a_mix_take_what_their_template_says(aws: AwsSandbox) -> None:
    scaling = aws.sdk("autoscaling")
    zones = {"AvailabilityZones": ["eu-central-1a"], "MinSize": 0, "MaxSize": 3}
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="plain", LaunchTemplate={"LaunchTemplateName": TEMPLATE}, **zones
    )
    scaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=IMAGE, InstanceType="m4.large", SpotPrice="0.1"
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="older", LaunchConfigurationName="old", **zones
    )
    plain, older = group_called(aws, "plain"), group_called(aws, "older")
    assert (plain.instance_types, plain.template, plain.spot_share) == (
        (aws.types[0],), TEMPLATE, 0.0,
    )  # fmt: skip
    assert (older.instance_types, older.template, older.spot_share) == (("m4.large",), "old", 1.0)
    assert plain.zones == ("eu-central-1a",)


def test_types_that_aws_chooses_are_those_that_run() -> None:
    group = {
        "Instances": [{"InstanceType": "r5.large"}, {"InstanceType": "m5.large"}],
        "MixedInstancesPolicy": {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1"},
                "Overrides": [{"InstanceRequirements": {}}],
            },
            "InstancesDistribution": {
                "OnDemandBaseCapacity": 2,
                "OnDemandPercentageAboveBaseCapacity": 25,
            },
        },
    }
    mix = mix_of(group, None)  # type: ignore[arg-type]  # no template is looked at
    assert mix.instance_types == ("m5.large", "r5.large")
    assert (mix.on_demand_base, mix.spot_share, mix.template) == (2, 0.75, "lt-1")


def test_types_know_gpus_baselines_and_zones(aws: AwsSandbox) -> None:
    scope = scope_of(aws, "aws/us-east-1")
    known = {one.instance_type: one for one in aws.provider.inventory.instance_types(scope)}
    assert known["g4dn.xlarge"].gpus == 1.0
    assert known["g4dn.xlarge"].gpu_model == "T4"
    assert known["m5.large"].gpus == 0.0
    assert known["t3.medium"].burstable
    assert known["t3.medium"].baseline_vcpus == 0.4
    assert known["m5.large"].baseline_vcpus is None
    assert known["m6g.large"].architecture is Architecture.ARM64
    assert known["m5.large"].memory_gib == 8.0
    assert {zone[:-1] for zone in known["m5.large"].zones} == {"us-east-1"}
    assert not [name for name in known if name.startswith("mac")]
    nowhere = [one for one in known.values() if not one.zones]
    assert all(one.restriction for one in nowhere)
    assert not any(one.restriction for one in known.values() if one.zones)


def test_more_than_a_page_of_groups(aws: AwsSandbox) -> None:
    scaling = aws.sdk("autoscaling")
    for number in range(101):
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=f"group-{number}", MinSize=0, MaxSize=1,
            LaunchTemplate={"LaunchTemplateName": TEMPLATE},
            AvailabilityZones=["eu-central-1a"],
        )  # fmt: skip
    assert len({group.id for group in groups_in(aws)}) == 101
    assert aws.product_calls.count("autoscaling:DescribeAutoScalingGroups") == 2
    assert aws.product_calls.count("ec2:DescribeLaunchTemplateVersions") == 1


def test_quotas_by_class_and_purchase_with_their_use(aws: AwsSandbox) -> None:
    sold = aws.stand_in.sold
    sold.quotas += [
        quota("L-34B43A08", "All Standard Spot Instance Requests", 64.0, "Standard/Spot"),
        quota("L-DB2E81BA", "Running On-Demand G and VT instances", 32.0, "G/OnDemand"),
        quota("L-0263D0A3", "EC2-VPC Elastic IPs", 5.0),
    ]
    aws.sdk("cloudwatch").put_metric_data(
        Namespace="AWS/Usage",
        MetricData=[{
            "MetricName": "ResourceCount", "Value": 12.0,
            "Timestamp": datetime.now(UTC) - timedelta(minutes=15),
            "Dimensions": [{"Name": name, "Value": value} for name, value in (
                ("Class", "Standard/OnDemand"), ("Resource", "vCPU"), ("Service", "EC2"),
                ("Type", "Resource"),
            )],
        }],
    )  # fmt: skip
    standard, spot, gpus = aws.provider.inventory.quotas(scope_of(aws))
    assert (standard.limit, standard.used, standard.purchase) == (512.0, 12.0, Purchase.ON_DEMAND)
    assert (spot.limit, spot.used, spot.purchase) == (64.0, None, Purchase.SPOT)
    assert {"m5", "c5", "t3", "r5"} <= set(standard.families)
    assert "g4dn" in gpus.families
    assert not set(gpus.families) & set(standard.families)


@pytest.mark.parametrize(
    ("gpus", "whole"),
    [
        ({"Name": "T4", "Count": 4}, 4.0),
        ({"Name": "L4", "Count": 0, "LogicalGpuCount": 1, "GpuPartitionSize": 0.125}, 0.125),
        ({"Name": "L4", "Count": 2, "LogicalGpuCount": 2, "GpuPartitionSize": 1.0}, 2.0),
        ({"Name": "V520"}, 0.0),
    ],
)
def test_parts_of_a_gpu_count_as_what_they_are_of_it(gpus: dict[str, object], whole: float) -> None:
    assert whole_gpus(gpus) == whole


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("m5.large", "m5"), ("m7i-flex.large", "m7i-flex"), ("u7i-12tb.224xlarge", "u7i-12tb"),
        ("p6-b200.48xlarge", "p6-b200"),
    ],
)  # fmt: skip
def test_families_are_what_aws_calls_so(name: str, family: str) -> None:
    assert family_of(name) == family


@pytest.mark.parametrize(
    ("family", "letters"),
    [("m5", "m"), ("im4gn", "im"), ("u-6tb1", "u"), ("dl1", "dl"), ("trn1n", "trn"), ("vt1", "vt")],
)
def test_letters_are_whole(family: str, letters: str) -> None:
    assert letters_of(family) == letters
    assert sum(letters in one.letters for one in CLASSES) == 1
    assert (letters in STANDARD) == (family in {"m5", "im4gn"})


@pytest.mark.parametrize(
    ("family", "code"),
    [
        ("p4d", "L-7212CCBC"), ("p3", "L-7212CCBC"), ("p5", "L-C4BD4855"), ("p5en", "L-C4BD4855"),
        ("p6-b200", "L-C4BD4855"), ("g6e", "L-3819A6DF"), ("c7i-flex", "L-34B43A08"),
    ],
)  # fmt: skip
def test_the_limit_on_spot_of_a_family(family: str, code: str) -> None:
    assert [one.spot for one in CLASSES if one.spot and is_counted(family, one.letters)] == [code]
    assert sum(bool(one.on_demand) and is_counted(family, one.letters) for one in CLASSES) == 1


def test_owned_reservations_and_plans(aws: AwsSandbox) -> None:
    sold = aws.stand_in.sold
    base = {
        "ReservedInstancesId": "r-1", "InstanceType": "c5.xlarge", "InstanceCount": 3,
        "ProductDescription": "Linux/UNIX", "InstanceTenancy": "default", "State": "active",
        "OfferingClass": "standard", "Duration": 31_536_000, "FixedPrice": 876.0,
        "UsagePrice": 0.0, "Start": NOW, "End": NOW + timedelta(days=365),
        "RecurringCharges": [{"Amount": 0.05, "Frequency": "Hourly"}],
    }  # fmt: skip
    sold.reservations += [
        base,
        {**base, "ReservedInstancesId": "r-2", "ProductDescription": "Windows"},
        {**base, "ReservedInstancesId": "r-3", "InstanceTenancy": "dedicated"},
        {**base, "ReservedInstancesId": "r-4", "State": "retired"},
    ]
    plan = {
        "savingsPlanId": "p-1", "savingsPlanArn": "arn:p-1",
        "savingsPlanType": "EC2Instance", "state": "active",
        "region": "eu-central-1", "ec2InstanceFamily": "m5", "commitment": "2.5",
        "currency": "USD", "termDurationInSeconds": 94_608_000, "paymentOption": "No Upfront",
        "start": "2026-01-01T00:00:00.000Z", "end": "2029-01-01T00:00:00.000Z",
    }  # fmt: skip
    sold.plans += [
        plan,
        {**plan, "savingsPlanId": "p-2", "savingsPlanType": "SageMaker"},
        {**plan, "savingsPlanId": "p-3", "state": "retired"},
    ]
    inventory = aws.provider.inventory
    (reserved,) = inventory.commitments(scope_of(aws))
    assert (reserved.id, reserved.kind, reserved.level) == ("r-1", CommitmentKind.RESOURCE, 12.0)
    assert reserved.usd_per_hour == pytest.approx(3 * (876.0 / 8760 + 0.05))
    assert reserved.families == ("c5",)
    (owned,) = inventory.commitments(Scope("aws", "prod", ""))
    assert (owned.id, owned.kind, owned.level) == ("p-1", CommitmentKind.SPEND, 2.5)
    assert (owned.term_years, owned.place, owned.families) == (3, "aws/eu-central-1", ("m5",))
    assert owned.starts == datetime(2026, 1, 1, tzinfo=UTC)


def test_how_much_of_plans_is_used(aws: AwsSandbox) -> None:
    plan = {
        "savingsPlanType": "Compute", "state": "active", "commitment": "2.5", "currency": "USD",
        "termDurationInSeconds": 94_608_000, "start": "2026-01-01T00:00:00.000Z",
        "end": "2029-01-01T00:00:00.000Z",
    }  # fmt: skip
    sold = aws.stand_in.sold
    sold.plans += [{**plan, "savingsPlanId": name, "savingsPlanArn": f"arn:{name}"}
                   for name in ("p-1", "p-2")]  # fmt: skip
    sold.uses["arn:p-1"] = "81.25"
    made = entry(aws.proxy.url)
    scope = Scope("aws", "prod", "")

    def shares(asked: AwsEntry) -> dict[str, float | None]:
        found = aws.provider_of(asked).inventory.commitments(scope)
        return {one.id: one.used_share for one in found}

    assert shares(made) == {"p-1": None, "p-2": None}
    assert needed(aws.product_calls).isdisjoint(BILLED)  # who does not want it does not pay
    billed = made.model_copy(update={"cost_explorer": True})
    assert shares(billed) == {"p-1": 0.8125, "p-2": None}
    assert needed(aws.product_calls) >= BILLED
    aws.proxy.rule({"service": "ce", "error": {"code": "AccessDeniedException", "status": 400}})
    rows: list[Any] = []
    with pytest.raises(Denied):
        rows.extend(aws.provider_of(billed).inventory.commitments(scope))
    assert [one.used_share for one in rows] == [None, None]
    findings = aws.provider_of(billed).doctor.findings()
    (lacking,) = (one for one in findings if one.severity is Severity.FAILED)
    assert "allow ce:GetSavingsPlansUtilizationDetails" in lacking.remedy
