"""What CloudWatch's measurements become."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from acting import group_called, make_group, scope_of
from aws_measured import LAST, WINDOW, balanced, put
from aws_sandbox import AwsSandbox

from models.inventory import Signal
from providers.aws.metrics import POINTS_AT_ONCE, Balanced, Measured, batches, queries_of
from providers.seam import Window


def seen(aws: AwsSandbox) -> dict[str, dict[Signal, float]]:
    """The values of the last hour by group and signal."""
    found: dict[str, dict[Signal, float]] = defaultdict(dict)
    for sample in aws.provider.metrics.samples(scope_of(aws), WINDOW):
        assert sample.at == LAST
        assert sample.signal not in found[sample.subject]
        found[sample.subject][sample.signal] = sample.value
    return found


def test_processors_and_network_of_a_group(aws: AwsSandbox) -> None:
    make_group(aws, "web", 1)
    of_group = {"AutoScalingGroupName": "web"}
    put(aws, "AWS/EC2", "CPUUtilization", of_group, 20.0, 40.0)
    put(aws, "AWS/EC2", "NetworkOut", of_group, 1_800_000.0, 1_800_000.0)
    (values,) = seen(aws).values()
    assert values == {Signal.CPU_SHARE: 0.3, Signal.NETWORK_OUT_BYTES: 1000.0}


def test_what_a_load_balancer_counts_belongs_to_the_group(aws: AwsSandbox) -> None:
    make_group(aws, "web", 2)
    behind = balanced(aws, "web")
    put(aws, "AWS/ApplicationELB", "RequestCount", behind, 3600.0, 3600.0)
    put(aws, "AWS/ApplicationELB", "TargetResponseTime", behind, *(n / 1000 for n in range(1, 6)))
    (values,) = seen(aws).values()
    assert values == {
        Signal.REQUESTS_RPS: 2.0,
        Signal.LATENCY_MEAN_MS: pytest.approx(3.0),
        Signal.LATENCY_P95_MS: pytest.approx(5.0),
    }


def test_hours_without_requests_are_zero_between_those_with(aws: AwsSandbox) -> None:
    """A load balancer that nobody asks says nothing."""
    make_group(aws, "web", 1)
    behind, before = balanced(aws, "web"), LAST - timedelta(hours=2)
    put(aws, "AWS/ApplicationELB", "RequestCount", behind, 3600.0, at=before)
    put(aws, "AWS/ApplicationELB", "RequestCount", behind, 7200.0)
    put(aws, "AWS/ApplicationELB", "TargetResponseTime", behind, 0.1)
    samples = list(aws.provider.metrics.samples(scope_of(aws), WINDOW))
    rps = [(one.at, one.value) for one in samples if one.signal is Signal.REQUESTS_RPS]
    assert rps == [(before, 1.0), (before + timedelta(hours=1), 0.0), (LAST, 2.0)]
    assert [one.at for one in samples if one.signal is Signal.LATENCY_MEAN_MS] == [LAST]


def test_groups_share_a_target_group_by_their_sizes(aws: AwsSandbox) -> None:
    for name, desired in (("small", 1), ("large", 3)):
        make_group(aws, name, desired)
    put(aws, "AWS/ApplicationELB", "RequestCount", balanced(aws, "small", "large"), 14_400.0)
    values = seen(aws)
    rps = {name: values[group_called(aws, name).id][Signal.REQUESTS_RPS]
           for name in ("small", "large")}  # fmt: skip
    assert rps == {"small": 1.0, "large": 3.0}


def test_groups_without_figures_have_no_samples(aws: AwsSandbox) -> None:
    make_group(aws, "web", 1)
    assert seen(aws) == {}


def group(name: str, balancers: int = 0) -> Measured:
    behind = tuple(Balanced(f"t{i}", "app/x", 1.0) for i in range(balancers))
    return Measured(name, name, behind)


@pytest.mark.parametrize(
    ("points", "sizes"),
    [(24, [250, 250, 100]), (672, [75] * 8), (POINTS_AT_ONCE, [1] * 600)],
)
def test_calls_ask_for_no_more_than_cloudwatch_gives(points: int, sizes: list[int]) -> None:
    groups = [group(str(i)) for i in range(600)]
    found = list(batches(groups, points))
    assert [len(batch) for batch in found] == sizes
    assert [one for batch in found for one in batch] == groups


def test_a_group_with_many_queries_stays_whole() -> None:
    groups = [group("a"), group("huge", 200), group("b")]
    assert [[one.name for one in batch] for batch in batches(groups, 24)] == [
        ["a"],
        ["huge"],
        ["b"],
    ]
    assert len(queries_of(groups[1])) == 602


def test_windows_and_steps_are_those_asked_for(aws: AwsSandbox) -> None:
    make_group(aws, "web", 1)
    put(aws, "AWS/EC2", "CPUUtilization", {"AutoScalingGroupName": "web"}, 20.0, 40.0)
    short = Window(LAST, LAST + timedelta(minutes=10), 300)
    found: list[Any] = list(aws.provider.metrics.samples(scope_of(aws), short))
    assert [(one.at, one.value, one.step_s) for one in found] == [
        (LAST, 0.2, 300),
        (LAST + timedelta(minutes=5), 0.4, 300),
    ]
