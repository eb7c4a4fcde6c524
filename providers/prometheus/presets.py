"""Ready queries for the metrics of common exporters.

``$by`` stands for the labels that are kept apart, ``$match`` for what series must match beside,
``$window`` for the window of rates, ``$metrics`` for what names of metrics start with. Results
have the unit of their signal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_QUANTILES: Final = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95, "latency_p99_ms": 0.99}
_VARIABLE: Final = re.compile(r"\$(by|match|metrics|window|step)(?=_|\b)")


@dataclass(frozen=True, slots=True)
class Ask:
    """A query for a signal. ``instances``: the label that names instances; empty: it is of the
    whole service.
    """

    signal: str
    query: str
    instances: str = ""

    @property
    def name(self) -> str:
        return f"{self.signal} of instances" if self.instances else self.signal


@dataclass(frozen=True, slots=True)
class Preset:
    """``service``: the label that names services."""

    service: str
    asks: tuple[Ask, ...]


def filled(query: str, values: Mapping[str, str]) -> str:
    """``query`` with its variables replaced; what is not in ``values`` stays as it is."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), query)


def window_s(step_s: int, scrape_s: int) -> int:
    """The window of rates: no increase is left out between two steps, and a scrape may fail.

    Grafana's rule for ``$__rate_interval``.
    """
    return max(step_s + scrape_s, 4 * scrape_s)


def _times(bucket: str, total: str, count: str, unit_ms: int) -> tuple[Ask, ...]:
    """Mean and quantiles of a histogram whose unit is so many milliseconds."""
    factor = "" if unit_ms == 1 else f"{unit_ms} * "
    mean = f"{factor}sum by ($by) (rate({total})) / sum by ($by) (rate({count}))"
    return (
        Ask("latency_mean_ms", mean),
        *(
            Ask(
                signal,
                f"{factor}histogram_quantile({level}, sum by (le, $by) (rate({bucket})))",
            )
            for signal, level in _QUANTILES.items()
        ),
    )


def _failed(failed: str, answered: str) -> Ask:
    """Where answers are told apart and none has ever failed, none fails: zero, and not a gap."""
    return Ask("errors_rps", f"sum by ($by) ({failed}) or 0 * sum by ($by) ({answered})")


_DISKS: Final = 'fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660", $match'
_CONTAINER: Final = 'container!="", container!="POD", $match'

PRESETS: Final = {
    "haproxy": Preset(
        "proxy",
        (
            Ask(
                "requests_rps",
                "sum by ($by) (rate(haproxy_backend_http_requests_total{$match}[$window]))",
            ),
            Ask(
                "errors_rps",
                'sum by ($by) (rate(haproxy_backend_http_responses_total{code="5xx", $match}'
                "[$window]))",
            ),
            Ask(
                "latency_mean_ms",
                "1000 * avg by ($by) (haproxy_backend_total_time_average_seconds{$match})",
            ),
            Ask("replicas", "max by ($by) (haproxy_backend_active_servers{$match})"),
            Ask(
                "requests_rps",
                "sum by ($by, server) (rate(haproxy_server_http_responses_total{$match}[$window]))",
                "server",
            ),
        ),
    ),
    "envoy": Preset(
        "envoy_cluster_name",
        (
            Ask(
                "requests_rps",
                "sum by ($by) (rate(envoy_cluster_upstream_rq_total{$match}[$window]))",
            ),
            _failed(
                'rate(envoy_cluster_upstream_rq_xx{envoy_response_code_class="5", $match}'
                "[$window])",
                "rate(envoy_cluster_upstream_rq_xx{$match}[$window])",
            ),
            *_times(
                "envoy_cluster_upstream_rq_time_bucket{$match}[$window]",
                "envoy_cluster_upstream_rq_time_sum{$match}[$window]",
                "envoy_cluster_upstream_rq_time_count{$match}[$window]",
                unit_ms=1,
            ),
            Ask("replicas", "max by ($by) (envoy_cluster_membership_healthy{$match})"),
        ),
    ),
    "node_exporter": Preset(
        "job",
        (
            Ask(
                "cpu_share",
                'clamp_min(1 - avg by ($by, instance) (rate(node_cpu_seconds_total{mode="idle", '
                "$match}[$window])), 0)",
                "instance",
            ),
            Ask(
                "memory_share",
                "1 - sum by ($by, instance) (node_memory_MemAvailable_bytes{$match})"
                " / sum by ($by, instance) (node_memory_MemTotal_bytes{$match})",
                "instance",
            ),
            Ask(
                "disk_share",
                f"max by ($by, instance) (1 - node_filesystem_avail_bytes{{{_DISKS}}}"
                f" / node_filesystem_size_bytes{{{_DISKS}}})",
                "instance",
            ),
        ),
    ),
    "cadvisor": Preset(
        "name",
        (
            Ask(
                "cpu_share",
                'sum by ($by, instance) (rate(container_cpu_usage_seconds_total{name!="", $match}'
                "[$window])) / sum by ($by, instance) ("
                'container_spec_cpu_quota{name!="", $match}'
                ' / container_spec_cpu_period{name!="", $match})',
                "instance",
            ),
            Ask(
                "memory_share",
                'sum by ($by, instance) (container_memory_working_set_bytes{name!="", $match})'
                " / sum by ($by, instance) "
                '(container_spec_memory_limit_bytes{name!="", $match} > 0)',
                "instance",
            ),
            Ask(
                "disk_share",
                'max by ($by, instance) (container_fs_usage_bytes{name!="", $match}'
                ' / (container_fs_limit_bytes{name!="", $match} > 0))',
                "instance",
            ),
        ),
    ),
    "kubernetes": Preset(
        "container",
        (
            Ask(
                "cpu_share",
                f"sum by ($by, pod) (rate(container_cpu_usage_seconds_total{{{_CONTAINER}}}"
                "[$window])) / sum by ($by, pod) "
                '(kube_pod_container_resource_limits{resource="cpu", $match})',
                "pod",
            ),
            Ask(
                "memory_share",
                f"sum by ($by, pod) (container_memory_working_set_bytes{{{_CONTAINER}}})"
                " / sum by ($by, pod) "
                '(kube_pod_container_resource_limits{resource="memory", $match})',
                "pod",
            ),
            Ask(
                "restarts_per_hour",
                "3600 * sum by ($by, pod) "
                "(rate(kube_pod_container_status_restarts_total{$match}[$window]))",
                "pod",
            ),
            Ask("replicas", "sum by ($by) (kube_pod_container_status_ready{$match})"),
        ),
    ),
    "http": Preset(
        "job",
        (
            Ask("requests_rps", "sum by ($by) (rate($metrics_requests_total{$match}[$window]))"),
            _failed(
                'rate($metrics_requests_total{code=~"5..", $match}[$window])'
                ' or rate($metrics_requests_total{status=~"5..", $match}[$window])',
                'rate($metrics_requests_total{code=~".+", $match}[$window])'
                ' or rate($metrics_requests_total{status=~".+", $match}[$window])',
            ),
            *_times(
                "$metrics_request_duration_seconds_bucket{$match}[$window]",
                "$metrics_request_duration_seconds_sum{$match}[$window]",
                "$metrics_request_duration_seconds_count{$match}[$window]",
                unit_ms=1000,
            ),
        ),
    ),
}
"""Presets by name."""
