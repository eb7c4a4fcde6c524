"""Measurements, by Google's own client over gRPC against an emulated Cloud Monitoring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gcp_cloud import PROJECT
from gcp_sandbox import GcpSandbox, write_point

from models.cloud_errors import CloudFailed, Unavailable
from models.inventory import Sample, Signal
from providers.gcp.clients import Clients, Patience
from providers.gcp.metrics import GcpMetrics
from providers.seam import Scope, Window

SCOPE = Scope("gcp", PROJECT, "europe-west1")
STARTS = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window(STARTS, STARTS + timedelta(hours=3))
CPU = "compute.googleapis.com/instance/cpu/utilization"
REQUESTS = "loadbalancing.googleapis.com/https/request_count"
LATENCIES = "loadbalancing.googleapis.com/https/backend_latencies"


def _write(
    metric: str, kind: str, labels: dict[str, str], hour: float, value: dict[str, Any],
    status: str = "200",
) -> None:  # fmt: skip
    """A point that stands at so many hours from the start."""
    at = STARTS + timedelta(hours=hour)
    write_point(metric, {"response_code": status}, kind, labels, at, value)


def _cpu(zone: str, instance: str, hour: float, value: float) -> None:
    labels = {"project_id": PROJECT, "zone": zone, "instance_id": instance}
    _write(CPU, "gce_instance", labels, hour, {"double_value": value})


def _samples(sandbox: GcpSandbox, signal: Signal, window: Window = WINDOW) -> list[Sample]:
    found = sandbox.provider.metrics.samples(SCOPE, window)
    return sorted((one for one in found if one.signal is signal), key=lambda one: one.at)


def test_steps_are_means(sandbox: GcpSandbox) -> None:
    for hour, value in ((0.25, 0.2), (0.75, 0.4), (1.5, 0.9)):
        _cpu("europe-west1-b", "4001", hour, value)
    first, second = _samples(sandbox, Signal.CPU_SHARE)
    assert (first.at, second.at) == (STARTS, STARTS + timedelta(hours=1))
    assert [first.value, second.value] == pytest.approx([0.3, 0.9])
    assert first.subject == "europe-west1-b/4001"
    assert (first.place, first.account, first.step_s) == ("gcp/europe-west1", PROJECT, 3600)


def test_only_of_the_region_and_window(sandbox: GcpSandbox) -> None:
    _cpu("europe-west1-b", "1", 0.5, 0.5)
    _cpu("europe-west12-a", "2", 0.5, 0.5)  # starts alike
    _cpu("us-central1-b", "3", 0.5, 0.5)
    _cpu("europe-west1-b", "4", 5.0, 0.5)
    _cpu("europe-west1-b", "5", -1.0, 0.5)
    assert {one.subject for one in _samples(sandbox, Signal.CPU_SHARE)} == {"europe-west1-b/1"}


def test_nothing_that_other_projects_measure(sandbox: GcpSandbox) -> None:
    """A project whose metrics scope holds others is told of theirs, and names repeat."""
    _write(REQUESTS, "https_lb_rule", _backend(), 0.5, {"int64_value": 3600})
    other = {**_backend(), "project_id": "shop-batch"}
    _write(REQUESTS, "https_lb_rule", other, 0.5, {"int64_value": 36_000})
    (one,) = _samples(sandbox, Signal.REQUESTS_RPS)
    assert one.subject == "europe-west1/web"
    assert one.value == pytest.approx(1.0)


def test_longer_steps(sandbox: GcpSandbox) -> None:
    for hour, value in ((0.5, 0.1), (1.5, 0.2), (2.5, 0.6)):
        _cpu("europe-west1-b", "1", hour, value)
    (one,) = _samples(sandbox, Signal.CPU_SHARE, Window(STARTS, WINDOW.ends, 3 * 3600))
    assert (one.at, one.step_s) == (STARTS, 10_800)
    assert one.value == pytest.approx(0.3)


def test_bytes_are_per_second(sandbox: GcpSandbox) -> None:
    labels = {"project_id": PROJECT, "zone": "europe-west1-b", "instance_id": "1"}
    sent = "compute.googleapis.com/instance/network/sent_bytes_count"
    for hour in (0.25, 0.75):
        _write(sent, "gce_instance", labels, hour, {"int64_value": 900_000})
    (one,) = _samples(sandbox, Signal.NETWORK_OUT_BYTES)
    assert one.subject == "europe-west1-b/1"
    assert one.value == pytest.approx(500.0)


def _backend(name: str = "web", scope: str = "europe-west1") -> dict[str, str]:
    return {
        "project_id": PROJECT, "backend_name": name, "backend_scope": scope,
        "backend_type": "INSTANCE_GROUP", "region": "global",
    }  # fmt: skip


def _spread(mean: float, count: int) -> dict[str, Any]:
    return {
        "distribution_value": {
            "count": count, "mean": mean, "bucket_counts": [0, count, 0],
            "bucket_options": {"explicit_buckets": {"bounds": [0.0, 2 * mean]}},
        }
    }  # fmt: skip


def test_requests_are_those_of_the_group(sandbox: GcpSandbox) -> None:
    for status in ("200", "500"):
        _write(REQUESTS, "https_lb_rule", _backend(), 0.5, {"int64_value": 1800}, status)
    _write(REQUESTS, "https_lb_rule", _backend("", ""), 0.5, {"int64_value": 9})
    _write(REQUESTS, "https_lb_rule", _backend(scope="europe-west1-b"), 0.5, {"int64_value": 3600})
    found = {one.subject: one.value for one in _samples(sandbox, Signal.REQUESTS_RPS)}
    assert found == {
        "europe-west1/web": pytest.approx(1.0), "europe-west1-b/web": pytest.approx(1.0)
    }  # fmt: skip


def test_latencies_weigh_requests(sandbox: GcpSandbox) -> None:
    _write(LATENCIES, "https_lb_rule", _backend(), 0.5, _spread(10.0, 300), "200")
    _write(LATENCIES, "https_lb_rule", _backend(), 0.5, _spread(50.0, 100), "500")
    _write(LATENCIES, "https_lb_rule", _backend("idle"), 0.5, _spread(5.0, 0))
    (mean,) = _samples(sandbox, Signal.LATENCY_MEAN_MS)
    assert mean.subject == "europe-west1/web"
    assert mean.value == pytest.approx(20.0)
    (late,) = (
        one for one in _samples(sandbox, Signal.LATENCY_P95_MS) if one.subject == "europe-west1/web"
    )
    assert late.value > 0


def test_nobody_answers() -> None:
    patience = Patience(attempts=2, first_s=0.001, longest_s=0.002, call_s=5.0)
    metrics = GcpMetrics(Clients(monitoring_endpoint="http://127.0.0.1:9", patience=patience))
    with pytest.raises(Unavailable) as caught:
        list(metrics.samples(SCOPE, WINDOW))
    assert isinstance(caught.value, CloudFailed)
    assert caught.value.asked.operation == "monitoring.timeSeries.list"
