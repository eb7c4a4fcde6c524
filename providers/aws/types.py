"""Which instance types AWS has in a region, what they are, and in which zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from models.inventory import InstanceType
from models.offerings import Architecture
from providers.aws.clients import Account, each
from providers.pricebook.aws_section import BASELINE_VCPUS
from providers.pricebook.families import family_of
from providers.seam import Scope

TYPES_PER_PAGE: Final = 100
OFFERINGS_PER_PAGE: Final = 1000
NOWHERE: Final = "no zone of the region offers it to this account"
_ARCHITECTURES: Final = {"x86_64": Architecture.X86_64, "arm64": Architecture.ARM64}
_MIB: Final = 1024.0


def instance_types_of(account: Account, scope: Scope) -> Iterator[InstanceType]:
    """Types that run Linux; Macs and 32-bit machines are left out."""
    zones = _zones(account, scope.region)
    for row in each(
        account, account.ec2(scope.region), "describe_instance_types", "InstanceTypes",
        lambda facts: _row(scope, facts, zones) if _architectures(facts) else None,
        MaxResults=TYPES_PER_PAGE,
    ):  # fmt: skip
        if row is not None:
            yield row


def families_in(account: Account, region: str) -> frozenset[str]:
    """Families that a region has."""
    return frozenset(each(
        account, account.ec2(region), "describe_instance_type_offerings", "InstanceTypeOfferings",
        lambda one: family_of(one["InstanceType"]), LocationType="region",
        MaxResults=OFFERINGS_PER_PAGE,
    ))  # fmt: skip


def vcpus_of(account: Account, region: str, names: list[str]) -> dict[str, float]:
    """vCPUs of those of the named types, at most 200, that there are."""
    return dict(each(
        account, account.ec2(region), "describe_instance_types", "InstanceTypes",
        lambda one: (str(one["InstanceType"]), float(one["VCpuInfo"]["DefaultVCpus"])),
        Filters=[{"Name": "instance-type", "Values": names}],
    ))  # fmt: skip


def _zones(account: Account, region: str) -> dict[str, tuple[str, ...]]:
    """The zones where each type is offered."""
    offered = sorted(each(
        account, account.ec2(region), "describe_instance_type_offerings", "InstanceTypeOfferings",
        lambda one: (str(one["InstanceType"]), str(one["Location"])),
        LocationType="availability-zone", MaxResults=OFFERINGS_PER_PAGE,
    ))  # fmt: skip
    return {
        name: tuple(zone for _, zone in rows)
        for name, rows in groupby(offered, key=lambda row: row[0])
    }


def _architectures(facts: Mapping[str, Any]) -> list[Architecture]:
    stated = facts["ProcessorInfo"]["SupportedArchitectures"]
    return [_ARCHITECTURES[name] for name in stated if name in _ARCHITECTURES]


def whole_gpus(gpu: Mapping[str, Any]) -> float:
    """How many GPUs a type has; parts of one, which AWS counts as none, as what they are of it."""
    return float(
        gpu.get("Count", 0) or gpu.get("LogicalGpuCount", 0) * gpu.get("GpuPartitionSize", 0)
    )


def _row(
    scope: Scope, facts: Mapping[str, Any], zones: Mapping[str, tuple[str, ...]]
) -> InstanceType:
    name = facts["InstanceType"]
    family, size = family_of(name), name.partition(".")[2]
    gpus = facts.get("GpuInfo", {}).get("Gpus", [])
    burstable = bool(facts.get("BurstablePerformanceSupported", False))
    return InstanceType(
        scope.place, name, scope.account, float(facts["VCpuInfo"]["DefaultVCpus"]),
        BASELINE_VCPUS.get(family, {}).get(size) if burstable else None,
        facts["MemoryInfo"]["SizeInMiB"] / _MIB, _architectures(facts)[0], family,
        sum(map(whole_gpus, gpus), 0.0), gpus[0].get("Name", "") if gpus else "",
        burstable, "spot" in facts.get("SupportedUsageClasses", ["spot"]), zones.get(name, ()),
        "" if name in zones else NOWHERE,
    )  # fmt: skip
