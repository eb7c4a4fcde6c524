"""What Cloud Monitoring measured: processors, networks, and load balancers' backends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from google.cloud import monitoring_v3

from models.cloud_errors import Asked, Unavailable
from models.inventory import Sample, Signal
from providers.gcp.clients import Clients, asked
from providers.gcp.names import Named, region_of
from providers.seam import Scope, Window

PAGE_POINTS: Final = 10_000

Aligner = monitoring_v3.Aggregation.Aligner
Reducer = monitoring_v3.Aggregation.Reducer
_PROJECT: Final = "resource.label.project_id"
_INSTANCE: Final = ("resource.label.zone", "resource.label.instance_id")
_BACKEND: Final = ("resource.label.backend_scope", "resource.label.backend_name")


@dataclass(frozen=True, slots=True)
class _Series:
    """What is asked for one signal. ``by``: labels that name the subject's place and name."""

    signal: Signal
    metric: str
    resource: str
    aligner: int
    reducer: int
    by: tuple[str, str]


_SERIES: Final = (
    _Series(Signal.CPU_SHARE, "compute.googleapis.com/instance/cpu/utilization", "gce_instance",
            Aligner.ALIGN_MEAN, Reducer.REDUCE_MEAN, _INSTANCE),
    _Series(Signal.NETWORK_OUT_BYTES, "compute.googleapis.com/instance/network/sent_bytes_count",
            "gce_instance", Aligner.ALIGN_RATE, Reducer.REDUCE_SUM, _INSTANCE),
    _Series(Signal.REQUESTS_RPS, "loadbalancing.googleapis.com/https/request_count",
            "https_lb_rule", Aligner.ALIGN_RATE, Reducer.REDUCE_SUM, _BACKEND),
    _Series(Signal.LATENCY_MEAN_MS, "loadbalancing.googleapis.com/https/backend_latencies",
            "https_lb_rule", Aligner.ALIGN_DELTA, Reducer.REDUCE_SUM, _BACKEND),
    _Series(Signal.LATENCY_P95_MS, "loadbalancing.googleapis.com/https/backend_latencies",
            "https_lb_rule", Aligner.ALIGN_DELTA, Reducer.REDUCE_PERCENTILE_95, _BACKEND),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GcpMetrics:
    """``providers.seam.Metrics`` of Google Cloud.

    A project may see what others measure, too (its metrics scope): only its own counts.
    """

    clients: Clients
    page_points: int = PAGE_POINTS

    def samples(self, scope: Scope, window: Window) -> Iterator[Sample]:
        what = asked("monitoring.timeSeries.list", scope.account, scope.region)
        client = self.clients.metrics()
        for series in _SERIES:
            request = _request(scope, window, series, self.page_points)
            for page in self.clients.pages(what, client.list_time_series, request):
                for one in page.time_series:
                    yield from _samples(what, scope, window, series, one)


def _request(
    scope: Scope, window: Window, series: _Series, page_points: int
) -> monitoring_v3.ListTimeSeriesRequest:
    place = series.by[0].replace("label.", "labels.")
    return monitoring_v3.ListTimeSeriesRequest(
        name=f"projects/{scope.account}",
        filter=(
            f'metric.type = "{series.metric}" AND resource.type = "{series.resource}"'
            f' AND {place} = starts_with("{scope.region}") AND project = "{scope.account}"'
        ),
        interval=monitoring_v3.TimeInterval(start_time=window.starts, end_time=window.ends),
        aggregation=monitoring_v3.Aggregation(
            alignment_period=timedelta(seconds=window.step_s),
            per_series_aligner=series.aligner,
            cross_series_reducer=series.reducer,
            group_by_fields=(_PROJECT, *series.by),
        ),
        view=monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.FULL,
        page_size=page_points,
    )


def _samples(
    what: Asked, scope: Scope, window: Window, series: _Series, one: monitoring_v3.TimeSeries
) -> Iterator[Sample]:
    labels = {f"resource.label.{key}": value for key, value in one.resource.labels.items()}
    where, name = (labels.get(label, "") for label in series.by)
    if not name or region_of(where) != scope.region or labels.get(_PROJECT) != scope.account:
        return  # regions may start alike, and backends need not be groups
    for point in one.points:
        ends: datetime | None = point.interval.end_time
        if ends is None:
            raise Unavailable(what, "BadTime", "a measurement has no time")
        at = datetime.fromtimestamp(ends.timestamp(), UTC) - timedelta(seconds=window.step_s)
        value = _value(point.value)
        if value is not None and window.starts <= at < window.ends:
            yield Sample(
                series.signal, scope.account, scope.place, Named(where, name).id, at,
                window.step_s, value,
            )  # fmt: skip


def _value(value: monitoring_v3.TypedValue) -> float | None:
    """None where nothing was measured: latencies of no requests."""
    kind = type(value).pb(value).WhichOneof("value")
    if kind == "distribution_value":
        spread = value.distribution_value
        return float(spread.mean) if spread.count else None
    return float(value.int64_value if kind == "int64_value" else value.double_value)
