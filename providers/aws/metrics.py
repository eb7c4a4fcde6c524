"""What CloudWatch measured of groups: processors, network, and what load balancers sent them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from models.inventory import Sample, Signal
from providers.aws.clients import Account, each
from providers.aws.errors import Later
from providers.aws.inventory import each_group
from providers.aws.regions import Regions
from providers.aws.series import Values, series_of
from providers.seam import Scope, Window

QUERIES_AT_ONCE: Final = 500
POINTS_AT_ONCE: Final = 100_800
"""What CloudWatch takes, and gives, in one call."""
TARGET_GROUPS_PER_PAGE: Final = 400
_APPLICATION: Final = "loadbalancer/app/"
_MS: Final = 1000.0
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True)
class Balanced:
    """A target group behind a load balancer, and the group's share of it: target groups that
    several groups serve are divided by the groups' sizes.
    """

    target_group: str
    load_balancer: str
    share: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A group, by ARN and name, and what is balanced to it."""

    arn: str
    name: str
    balanced: tuple[Balanced, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """One series of CloudWatch's: of ``group``, through ``balanced`` if that counts it."""

    group: Measured
    metric: str
    stat: str
    balanced: Balanced | None = None


@dataclass(eq=False)
class _Found:
    """Series of one group: values by metric and statistic, and by what is balanced to it."""

    series: dict[tuple[str, str, Balanced | None], Values] = field(default_factory=dict)

    def of(self, metric: str, stat: str, balanced: Balanced | None = None) -> Values:
        return self.series.get((metric, stat, balanced), {})


@dataclass(frozen=True, slots=True)
class AwsMetrics:
    """``providers.seam.Metrics`` of AWS: of Auto Scaling groups."""

    regions: Regions

    def samples(self, scope: Scope, window: Window) -> Iterator[Sample]:
        account = self.regions.account(scope)
        if not scope.region:
            return
        later = Later()
        groups = _measured(account, scope.region, later)
        for batch in batches(groups, points_in(window)):
            queries = [query for group in batch for query in queries_of(group)]
            found = _read(account, scope.region, queries, window, later)
            whole = later.first is None
            for group in batch:
                yield from _samples(scope, group, found[group.arn], window, whole)
        later.raise_first()


def points_in(window: Window) -> int:
    return int((window.ends - window.starts).total_seconds() // window.step_s) + 1


def batches(groups: Sequence[Measured], points: int) -> Iterator[list[Measured]]:
    """Groups whose queries CloudWatch answers in one call; a group of too many has one alone."""
    most = max(min(QUERIES_AT_ONCE, POINTS_AT_ONCE // points), 1)
    batch: list[Measured] = []
    count = 0
    for group in groups:
        size = len(queries_of(group))
        if batch and count + size > most:
            yield batch
            batch, count = [], 0
        batch.append(group)
        count += size
    if batch:
        yield batch


def queries_of(group: Measured) -> list[Query]:
    own = [Query(group, "CPUUtilization", "Average"), Query(group, "NetworkOut", "Sum")]
    return own + [
        Query(group, metric, stat, balanced)
        for balanced in group.balanced
        for metric, stat in (
            ("RequestCount", "Sum"),
            ("TargetResponseTime", "Average"),
            ("TargetResponseTime", "p95"),
        )
    ]


def _measured(account: Account, region: str, later: Later) -> list[Measured]:
    """All groups of a region with what is balanced to them, as far as that is known."""
    groups = list(each_group(account, region, lambda facts: (
        facts["AutoScalingGroupARN"], facts["AutoScalingGroupName"],
        max(facts["DesiredCapacity"], 1), _target_groups(facts),
    )))  # fmt: skip
    sizes: defaultdict[str, int] = defaultdict(int)
    for _, _, size, targets in groups:
        for target in targets:
            sizes[target] += size
    balancers: dict[str, list[str]] = {}
    if sizes:
        with later.failing():
            balancers = _load_balancers(account, region)
    return [
        Measured(arn, name, tuple(
            Balanced(_suffix(target), balancer, size / sizes[target])
            for target in targets
            for balancer in balancers.get(target, ())
        ))
        for arn, name, size, targets in groups
    ]  # fmt: skip


def _between(first: datetime, last: datetime, step_s: int) -> Iterator[datetime]:
    """Every step from ``first`` to before ``last``."""
    for i in range(int((last - first).total_seconds()) // step_s):
        yield first + timedelta(seconds=i * step_s)


def _target_groups(facts: Mapping[str, Any]) -> tuple[str, ...]:
    sources = (one["Identifier"] for one in facts.get("TrafficSources", [])
               if one.get("Type", "elbv2") == "elbv2")  # fmt: skip
    return tuple(dict.fromkeys([*facts.get("TargetGroupARNs", []), *sources]))


def _load_balancers(account: Account, region: str) -> dict[str, list[str]]:
    """Application load balancers of all target groups, as CloudWatch calls them.

    All are listed: asked for by name, one that is gone would hide the others.
    """
    return dict(each(
        account, account.balancing(region), "describe_target_groups", "TargetGroups",
        lambda one: (one["TargetGroupArn"], [
            arn.partition("loadbalancer/")[2]
            for arn in one["LoadBalancerArns"]
            if _APPLICATION in arn
        ]),
        PageSize=TARGET_GROUPS_PER_PAGE,
    ))  # fmt: skip


def _suffix(arn: str) -> str:
    return arn.rpartition(":")[2]


def _read(
    account: Account, region: str, queries: Sequence[Query], window: Window, later: Later
) -> dict[str, _Found]:
    """The series of all ``queries`` by the group's ARN; a series may come in several pieces."""
    found = {query.group.arn: _Found() for query in queries}
    # By hundreds, for the group that alone has more than CloudWatch takes at once.
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        asked = queries[start : start + QUERIES_AT_ONCE]
        for number, values in series_of(
            account, region, [_asked(one, window.step_s) for one in asked], window.starts,
            window.ends, later, ScanBy="TimestampAscending", MaxDatapoints=POINTS_AT_ONCE,
        ):  # fmt: skip
            query = asked[number]
            series = found[query.group.arn].series
            key = query.metric, query.stat, query.balanced
            series[key] = {**series.get(key, {}), **values}
    return found


def _asked(query: Query, step_s: int) -> dict[str, Any]:
    if query.balanced is None:
        namespace, dimensions = "AWS/EC2", {"AutoScalingGroupName": query.group.name}
    else:
        namespace = "AWS/ApplicationELB"
        dimensions = {
            "LoadBalancer": query.balanced.load_balancer,
            "TargetGroup": query.balanced.target_group,
        }
    return {
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": query.metric,
                "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
            },
            "Period": step_s,
            "Stat": query.stat,
        },
    }


def _samples(
    scope: Scope, group: Measured, found: _Found, window: Window, whole: bool
) -> Iterator[Sample]:
    """Requests of several load balancers add up, mean latencies weigh by them, and of the tails
    the worst counts. ``whole``: no series lacks anything, so that steps without requests between
    those with some had none: load balancers only tell of requests that there are.
    """
    step_s = window.step_s
    requests: defaultdict[datetime, float] = defaultdict(float)
    counted: defaultdict[datetime, float] = defaultdict(float)
    waited: defaultdict[datetime, float] = defaultdict(float)
    tail: defaultdict[datetime, float] = defaultdict(float)
    for balanced in group.balanced:
        counts = found.of("RequestCount", "Sum", balanced)
        means = found.of("TargetResponseTime", "Average", balanced)
        for at, count in counts.items():
            requests[at] += count * balanced.share
        for at, mean_s in means.items():
            counted[at] += counts.get(at, 0.0)
            waited[at] += counts.get(at, 0.0) * mean_s
        for at, slow_s in found.of("TargetResponseTime", "p95", balanced).items():
            tail[at] = max(tail[at], slow_s)
    if requests and whole:
        for at in _between(min(requests), max(requests), step_s):
            requests[at] += 0.0
    cpu = found.of("CPUUtilization", "Average")
    network = found.of("NetworkOut", "Sum")
    signals: tuple[tuple[Signal, Values], ...] = (
        (Signal.CPU_SHARE, {at: one / _PERCENT for at, one in cpu.items()}),
        (Signal.NETWORK_OUT_BYTES, {at: one / step_s for at, one in network.items()}),
        (Signal.REQUESTS_RPS, {at: one / step_s for at, one in requests.items()}),
        (Signal.LATENCY_MEAN_MS,
         {at: _MS * waited[at] / count for at, count in counted.items() if count > 0}),
        (Signal.LATENCY_P95_MS, {at: _MS * one for at, one in tail.items()}),
    )  # fmt: skip
    for signal, values in signals:
        for at, value in sorted(values.items()):
            if window.starts <= at < window.ends:
                yield Sample(signal, scope.account, scope.place, group.arn, at, step_s, value)
