"""Shares in use, from the metrics that services and Collectors send."""

from __future__ import annotations

import math
import time

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from otlp_spans import T0, Kept, serving

from models.signals import SignalKey
from providers.otlp.intake import Intake
from providers.otlp.server import Server

Point = tuple[float, float, str]  # seconds after T0, value, state


def metrics_of(
    name: str, *points: Point, service: str = "web", instance: str = "a", form: str = "gauge"
) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    part = request.resource_metrics.add()
    for key, text in (("service.name", service), ("service.instance.id", instance)):
        part.resource.attributes.add(key=key).value.string_value = text
    metric = part.scope_metrics.add().metrics.add(name=name)
    for at, value, state in points:
        point = getattr(metric, form).data_points.add(time_unix_nano=round((T0 + at) * 1e9))
        if form != "histogram":
            point.as_double = value
        if state:
            point.attributes.add(key="state").value.string_value = state
    return request


def values_of(*requests: ExportMetricsServiceRequest) -> tuple[dict[SignalKey, float], Intake]:
    kept = Kept()
    intake = Intake(kept, T0)
    for request in requests:
        intake.take_metrics(request, T0 + 60)
    intake.close(T0 + 90)
    return kept.values() if kept.steps else {}, intake


@pytest.mark.parametrize(
    ("name", "points", "signal", "share"),
    [
        ("process.cpu.utilization", [(1, 0.2, "user"), (1, 0.1, "system"), (31, 0.4, "user"),
                                     (31, 0.1, "system")], "cpu_share", 0.4),
        ("system.cpu.utilization", [(1, 0.7, "idle"), (1, 0.9, "idle"), (1, 0.3, "user")],
         "cpu_share", 0.2),
        ("system.memory.utilization", [(1, 0.6, "used"), (1, 0.1, "free"), (31, 0.8, "used")],
         "memory_share", 0.7),
        ("system.filesystem.utilization", [(1, 0.2, ""), (1, 0.9, "")], "disk_share", 0.9),
        ("k8s.pod.memory_limit_utilization", [(1, 0.4, ""), (31, 0.6, "")], "memory_share", 0.5),
    ],
)  # fmt: skip
def test_points_become_shares(name: str, points: list[Point], signal: str, share: float) -> None:
    values, _ = values_of(metrics_of(name, *points))
    assert values == {
        SignalKey(signal, "web"): pytest.approx(share),
        SignalKey(signal, "web", instance="a"): pytest.approx(share),
    }


def test_a_service_is_the_mean_of_its_instances_and_its_fullest_disk() -> None:
    values, _ = values_of(
        *(metrics_of("jvm.cpu.recent_utilization", (1, share, ""), instance=name)
          for name, share in (("a", 0.2), ("b", 0.6))),
        *(metrics_of("system.filesystem.utilization", (1, share, ""), instance=name)
          for name, share in (("a", 0.2), ("b", 0.6))),
    )  # fmt: skip
    assert values[SignalKey("cpu_share", "web")] == pytest.approx(0.4)
    assert values[SignalKey("disk_share", "web")] == pytest.approx(0.6)


def test_what_is_not_understood_is_counted_and_left_out() -> None:
    values, intake = values_of(
        metrics_of("my.own.metric", (1, 1, "")),
        metrics_of("process.cpu.utilization", (1, 0, ""), form="histogram"),
        metrics_of("process.cpu.utilization", (1, math.nan, ""), (1, math.inf, "")),
        metrics_of("system.memory.utilization", (1, 0.5, "cached")),
        metrics_of("process.cpu.utilization", (-5, 0.5, ""), (500, 0.5, "")),
    )
    assert values == {}
    assert intake.tally.points == {"unused": 5, "late": 1, "ahead": 1}


def test_points_of_impossible_times_are_told_to_the_sender() -> None:
    wrong = metrics_of("process.cpu.utilization", (-T0, 0.5, ""), (86_400, 0.5, ""), (1, 0.5, ""))
    intake = Intake(Kept(), T0)
    assert intake.take_metrics(wrong, T0 + 20) == {
        "a time before 1990": 1,
        "a time that has not come yet: is a clock wrong?": 1,
    }
    assert intake.tally.points == {"rejected": 1, "ahead": 1, "accepted": 1}


def test_what_no_share_can_be_is_left_out() -> None:
    values, intake = values_of(
        metrics_of("process.cpu.utilization", (1, 1.7e308, ""), (1, 1.7e308, "")),
        metrics_of("system.memory.utilization", (1, -5, "used")),
    )
    assert values == {}
    assert intake.tally.points == {"unused": 3}
    values, _ = values_of(metrics_of("system.cpu.utilization", (1, 1.5, "idle")))
    assert set(values.values()) == {0.0}


def test_the_real_sdk_metrics_become_signals() -> None:
    def busy(_: CallbackOptions) -> list[Observation]:
        return [Observation(0.25, {"cpu.mode": "user"}), Observation(0.05, {"cpu.mode": "system"})]

    kept, began = Kept(), time.time() - 120
    clock = [began + 120]
    with serving(lambda: Server(Intake(kept, began), clock=lambda: clock[0])) as url:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"))
        resource = Resource.create({"service.name": "web", "service.instance.id": "i1"})
        provider = MeterProvider([reader], resource=resource)
        meter = provider.get_meter("t")
        meter.create_observable_gauge("process.cpu.utilization", [busy])
        meter.create_counter("orders").add(3)
        assert provider.force_flush()
        provider.shutdown()
        clock[0] += 300
    values = kept.values()
    assert values[SignalKey("cpu_share", "web", instance="i1")] == pytest.approx(0.3)
    assert set(values) == {
        SignalKey("cpu_share", "web"), SignalKey("cpu_share", "web", instance="i1")
    }  # fmt: skip
