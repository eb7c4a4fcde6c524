"""moto, mended where AWS behaves otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

from aws_sold import Facts, Sold, checked
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import CloudWatchBackend, Statistics
from moto.core.responses import ActionResult
from moto.ec2.responses.availability_zones_and_regions import AvailabilityZonesAndRegions
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.reserved_instances import ReservedInstances
from moto.ec2.responses.spot_instances import SpotInstances


def mend(sold: Sold) -> None:
    """Let moto do as AWS does where the product would notice: pages, types and purchase of mixed
    groups, policies that updates leave alone, percentiles, spot prices, reservations.
    """
    ec2: Any = InstanceResponse
    if not hasattr(ec2, "unpaged_types"):
        ec2.unpaged_types = ec2.describe_instance_types
        ec2.unpaged_offerings = ec2.describe_instance_type_offerings
        group: Any = FakeAutoScalingGroup
        group.plain_update = group.update
        group.plain_replace = group.replace_autoscaling_group_instances
        statistics: Any = Statistics
        statistics.plain_value = statistics.get_statistics_for_type
    ec2.describe_instance_types = _pages_of(sold, "InstanceTypes", "unpaged_types")
    ec2.describe_instance_type_offerings = _pages_of(
        sold, "InstanceTypeOfferings", "unpaged_offerings"
    )
    _mend_groups(sold)
    _mend_scaling()
    _mend_statistics(sold)
    places: Any = AvailabilityZonesAndRegions
    places.describe_regions = lambda response: _regions(sold, response)
    scaling: Any = AutoScalingResponse
    scaling.describe_scaling_activities = lambda response: _activities(sold, response)
    spot: Any = SpotInstances
    spot.describe_spot_price_history = lambda response: _spot_history(sold, response)
    reserved: Any = ReservedInstances
    reserved.describe_reserved_instances = lambda response: ActionResult(
        checked("ec2", "DescribeReservedInstances", {
            "ReservedInstances": [one for one in sold.reservations if one["State"] == "active"]
        })
    )  # fmt: skip


def _pages_of(sold: Sold, key: str, unpaged: str) -> Callable[[Any], ActionResult]:
    def page(response: Any) -> ActionResult:
        rows = [
            one
            for one in [*_all_rows(response, key, unpaged), *sold.odd.get(key, [])]
            if not sold.families
            or "InstanceType" not in one
            or one["InstanceType"].partition(".")[0] in sold.families
        ]
        start = int(response._get_param("NextToken") or 0)
        most = int(response._get_param("MaxResults") or len(rows) or 1)
        more = {"NextToken": str(start + most)} if start + most < len(rows) else {}
        return ActionResult({key: rows[start : start + most], **more})

    return page


def _all_rows(response: Any, key: str, unpaged: str) -> list[Facts]:
    """Without filters, found once: moto goes through megabytes each time."""
    of = key, response.region, response._get_param("LocationType")
    if response._filters_from_querystring() or response._get_param("InstanceTypes", []):
        return list(getattr(response, unpaged)().result[key])
    if of not in _KNOWN_ROWS:
        _KNOWN_ROWS[of] = list(getattr(response, unpaged)().result[key])
    return _KNOWN_ROWS[of]


_KNOWN_ROWS: Final[dict[Any, list[Facts]]] = {}


def _regions(sold: Sold, response: Any) -> ActionResult:
    """Those that are not enabled only with ``AllRegions``."""
    of_all = response._get_bool_param("AllRegions", False)
    rows = [
        {"RegionName": one.name, "Endpoint": one.endpoint,
         "OptInStatus": "not-opted-in" if one.name in sold.not_enabled else "opted-in"}
        for one in response.ec2_backend.describe_regions([])
    ]  # fmt: skip
    told = [one for one in rows if of_all or one["OptInStatus"] == "opted-in"]
    return ActionResult(checked("ec2", "DescribeRegions", {"Regions": told}))


def _activities(sold: Sold, response: Any) -> ActionResult:
    name = response._get_param("AutoScalingGroupName")
    told = [one for one in sold.activities if name in (None, one["AutoScalingGroupName"])]
    answer = checked("autoscaling", "DescribeScalingActivities", {"Activities": told})
    return ActionResult(answer)


def _spot_history(sold: Sold, response: Any) -> ActionResult:
    """The newest first, as AWS does; ``StartTime`` lets through what holds then."""
    zones = [one for one in sold.spot if one["AvailabilityZone"].startswith(response.region)]
    rows = sorted(zones, key=lambda one: one["Timestamp"], reverse=True)
    rows, token = sold.paged(
        "DescribeSpotPriceHistory", rows, response._get_param("NextToken") or None
    )
    answer = {"SpotPriceHistory": rows, "NextToken": token}
    return ActionResult(checked("ec2", "DescribeSpotPriceHistory", answer))


class GroupThere(AutoscalingClientError):
    """moto would make a second group of the name."""

    code = "AlreadyExists"


def _mend_groups(sold: Sold) -> None:
    group: Any = FakeAutoScalingGroup
    of_template = group.instance_type.fget
    if hasattr(group, "template_type"):
        of_template = group.template_type
    group.template_type = of_template

    def instance_type(self: Any) -> str:
        """The first type with capacity: what strategy "prioritized" takes."""
        launch = (self.mixed_instances_policy or {}).get("LaunchTemplate", {})
        names = [one["InstanceType"] for one in launch.get("Overrides", [])]
        had = [name for name in names if name not in sold.lacking]
        return str((had or names or [of_template(self)])[0])

    def update(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("mixed_instances_policy") is None and self.mixed_instances_policy:
            policy = deepcopy(self.mixed_instances_policy)
            del policy["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateName"]
            kwargs["mixed_instances_policy"] = policy
        self.plain_update(*args, **kwargs)

    def replace(self: Any, count: int, tags: dict[str, str]) -> None:
        before = len(self.instance_states)
        self.plain_replace(count, tags)
        policy = (self.mixed_instances_policy or {}).get("InstancesDistribution", {})
        base = int(policy.get("OnDemandBaseCapacity", 0))
        percent = int(policy.get("OnDemandPercentageAboveBaseCapacity", 100))
        for number, state in enumerate(self.instance_states[before:], before):
            beyond = number - base
            if beyond >= 0 and (beyond * (100 - percent)) % 100 + (100 - percent) >= 100:
                state.instance.lifecycle = "spot"

    group.instance_type = property(instance_type)
    group.update = update
    group.replace_autoscaling_group_instances = replace


def _mend_scaling() -> None:
    backend: Any = AutoScalingBackend
    if not hasattr(backend, "careless_create"):
        backend.careless_create = backend.create_auto_scaling_group
        backend.careless_detach = backend.detach_instances
        backend.careless_terminate = backend.terminate_instance

    def create(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in self.autoscaling_groups:
            raise GroupThere(f"{name} is there already")
        return self.careless_create(name, *args, **kwargs)

    def detach(self: Any, name: str, ids: list[str], *args: Any, **kwargs: Any) -> Any:
        members = [one.instance.id for one in self.autoscaling_groups[name].instance_states]
        if not set(ids) <= set(members):
            raise ValidationError(f"{ids} is not part of Auto Scaling group {name}")
        return self.careless_detach(name, ids, *args, **kwargs)

    def terminate(self: Any, one: str, *args: Any, **kwargs: Any) -> Any:
        groups = self.autoscaling_groups.values()
        if not any(one == state.instance.id for group in groups for state in group.instance_states):
            raise ValidationError(f"Instance Id not found - {one}")
        return self.careless_terminate(one, *args, **kwargs)

    backend.create_auto_scaling_group = create
    backend.detach_instances = detach
    backend.terminate_instance = terminate


def _mend_statistics(sold: Sold) -> None:
    statistics: Any = Statistics

    def value(self: Any, stat: str) -> Any:
        if not stat.startswith("p"):
            return self.plain_value(stat)
        values = sorted(self.metric_single_values_list)
        return values[min(int(len(values) * float(stat[1:]) / 100), len(values) - 1)]

    statistics.get_statistics_for_type = value
    backend: Any = CloudWatchBackend
    if not hasattr(backend, "whole_data"):
        backend.whole_data = backend.get_metric_data

    def data(self: Any, queries: list[Facts], *args: Any, **kwargs: Any) -> Any:
        of_id = {one["Id"]: one["MetricStat"]["Metric"]["MetricName"] for one in queries}
        found = self.whole_data(queries, *args, **kwargs)
        for one in found:
            one["status_code"] = sold.statuses.get(of_id[one["id"]], one["status_code"])
        return found

    backend.get_metric_data = data
