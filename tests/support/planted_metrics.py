"""History of exporters in OpenMetrics, with what was planted in it: every figure is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
HOURS = 3
SCRAPE_S = 15
FIRST_S = 7
"""Scrapes are not in step with minutes."""
RESET_S = 5_400
"""When the counters of service shop start again."""
SILENT_S = (7_200, 8_100)
"""When nobody scraped."""
BUCKETS = {0.05: 0.5, 0.1: 0.9, 0.5: 0.95, 1.0: 1.0}
"""Share of requests that take at most so many seconds."""


def shop_rps(at_s: float) -> float:
    """Requests per second of service shop: a ramp."""
    return 10 + at_s / 360


def shop_total(at_s: float) -> float:
    """Requests since the start."""
    return 10 * at_s + at_s * at_s / 720


def since_reset(total: Callable[[float], float], at_s: float) -> float:
    return total(at_s) if at_s < RESET_S else total(at_s) - total(RESET_S)


def moments() -> Iterable[int]:
    for at_s in range(FIRST_S, HOURS * 3600 + 1, SCRAPE_S):
        if not SILENT_S[0] < at_s < SILENT_S[1]:
            yield at_s


def family(name: str, kind: str, rows: dict[str, Callable[[float], float]]) -> Iterable[str]:
    """One family of metrics; ``rows`` maps name and labels of a series to its values."""
    yield f"# TYPE {name} {kind}"
    start = int(START.timestamp())
    for series, value in rows.items():
        for at_s in moments():
            yield f"{series} {value(at_s):.9g} {start + at_s}"


def counter(name: str, labels: str, per_request: float) -> tuple[str, Callable[[float], float]]:
    return (
        f"{name}_total{{{labels}}}",
        lambda at_s: per_request * since_reset(shop_total, at_s),
    )


def histogram(name: str, labels: str, unit: float) -> dict[str, Callable[[float], float]]:
    rows: dict[str, Callable[[float], float]] = {}
    for le, share in [*BUCKETS.items(), (float("inf"), 1.0)]:
        text = "+Inf" if le == float("inf") else f"{le * unit:g}"
        rows[f'{name}_bucket{{{labels},le="{text}"}}'] = _times(share)
    rows[f"{name}_count{{{labels}}}"] = _times(1.0)
    rows[f"{name}_sum{{{labels}}}"] = _times(0.08 * unit)  # 80 ms on average
    return rows


def _times(factor: float) -> Callable[[float], float]:
    return lambda at_s: factor * since_reset(shop_total, at_s)


def haproxy() -> Iterable[str]:
    """HAProxy's exporter: two load balancers share the traffic."""
    proxies = (("shop", 1.0), ("search", 0.5))
    yield from family(
        "haproxy_backend_http_requests",
        "counter",
        dict(
            counter("haproxy_backend_http_requests", f'instance="h{i}:1",proxy="{p}"', k / 2)
            for p, k in proxies
            for i in (1, 2)  # two load balancers share the traffic
        ),
    )  # fmt: skip
    yield from family(
        "haproxy_backend_http_responses",
        "counter",
        dict(
            counter(
                "haproxy_backend_http_responses",
                f'instance="h1:1",proxy="{p}",code="{code}"', k * share,
            )
            for p, k in proxies
            for code, share in (("2xx", 0.98), ("5xx", 0.02))
        ),
    )  # fmt: skip
    yield from family(
        "haproxy_backend_total_time_average_seconds", "gauge",
        {f'haproxy_backend_total_time_average_seconds{{proxy="{p}"}}': lambda _: 0.08
         for p, _ in proxies},
    )  # fmt: skip
    yield from family(
        "haproxy_backend_active_servers", "gauge",
        {f'haproxy_backend_active_servers{{instance="h{i}:1",proxy="shop"}}': lambda _: 4
         for i in (1, 2)},
    )  # fmt: skip
    yield from family(
        "haproxy_server_http_responses", "counter",
        dict(
            counter("haproxy_server_http_responses",
                    f'proxy="shop",server="s{i}",code="2xx"', 0.25)
            for i in range(4)
        ),
    )  # fmt: skip


def envoy() -> Iterable[str]:
    """Envoy's statistics."""
    yield from family(
        "envoy_cluster_upstream_rq", "counter",
        dict([counter("envoy_cluster_upstream_rq", 'envoy_cluster_name="shop"', 1.0)]),
    )  # fmt: skip
    yield from family(
        "envoy_cluster_upstream_rq_xx", "unknown",
        {'envoy_cluster_upstream_rq_xx{envoy_cluster_name="shop",'
         'envoy_response_code_class="2"}': _times(1.0)},
    )  # fmt: skip
    yield from family(
        "envoy_cluster_upstream_rq_time", "histogram",
        histogram("envoy_cluster_upstream_rq_time", 'envoy_cluster_name="shop"', 1000),
    )  # fmt: skip
    yield from family(
        "envoy_cluster_membership_healthy", "gauge",
        {'envoy_cluster_membership_healthy{envoy_cluster_name="shop"}': lambda _: 3},
    )  # fmt: skip


def counted_by_itself() -> Iterable[str]:
    """A service that counts its own requests."""
    yield from family(
        "http_requests", "counter",
        dict([
            counter("http_requests", 'job="shop",code="200",origin="europe"', 0.7),
            counter("http_requests", 'job="shop",code="200",origin="asia"', 0.2),
            counter("http_requests", 'job="shop",code="503",origin="asia"', 0.1),
        ]),
    )  # fmt: skip
    yield from family(
        "http_request_duration_seconds", "histogram",
        histogram("http_request_duration_seconds", 'job="shop"', 1),
    )  # fmt: skip


def containers() -> Iterable[str]:
    """cAdvisor's, of Docker and of the kubelet."""
    yield from family(
        "container_cpu_usage_seconds", "counter",
        dict([
            counter("container_cpu_usage_seconds",
                    'container="shop",pod="shop-1",namespace="prod"', 0.01),
            counter("container_cpu_usage_seconds", 'name="shop",instance="d1:1"', 0.01),
        ]),
    )  # fmt: skip
    yield from family(
        "container_memory_working_set_bytes", "gauge",
        {'container_memory_working_set_bytes{container="shop",pod="shop-1"}': lambda _: 5e8,
         'container_memory_working_set_bytes{name="shop",instance="d1:1"}': lambda _: 5e8},
    )  # fmt: skip
    yield from family(
        "container_spec_memory_limit_bytes", "gauge",
        {'container_spec_memory_limit_bytes{name="shop",instance="d1:1"}': lambda _: 1e9},
    )  # fmt: skip
    yield from family(
        "container_spec_cpu_quota", "gauge",
        {'container_spec_cpu_quota{name="shop",instance="d1:1"}': lambda _: 50_000},
    )  # fmt: skip
    yield from family(
        "container_spec_cpu_period", "gauge",
        {'container_spec_cpu_period{name="shop",instance="d1:1"}': lambda _: 100_000},
    )  # fmt: skip
    yield from family(
        "container_fs_usage_bytes", "gauge",
        {'container_fs_usage_bytes{name="shop",instance="d1:1"}': lambda _: 2e9},
    )  # fmt: skip
    yield from family(
        "container_fs_limit_bytes", "gauge",
        {'container_fs_limit_bytes{name="shop",instance="d1:1"}': lambda _: 1e10},
    )  # fmt: skip


def kubernetes() -> Iterable[str]:
    """kube-state-metrics'."""
    yield from family(
        "kube_pod_container_resource_limits", "gauge",
        {'kube_pod_container_resource_limits{container="shop",pod="shop-1",resource="cpu"}':
         lambda _: 0.5,
         'kube_pod_container_resource_limits{container="shop",pod="shop-1",resource="memory"}':
         lambda _: 1e9},
    )  # fmt: skip
    yield from family(
        "kube_pod_container_status_restarts", "counter",
        {'kube_pod_container_status_restarts_total{container="shop",pod="shop-1"}':
         lambda at_s: at_s // 600},
    )  # fmt: skip
    yield from family(
        "kube_pod_container_status_ready", "gauge",
        {f'kube_pod_container_status_ready{{container="shop",pod="shop-{i}"}}': lambda _: 1
         for i in (1, 2)},
    )  # fmt: skip


def odd() -> Iterable[str]:
    """What no signal can be."""
    yield from family(
        "odd_values", "gauge",
        {'odd_values{service="shop"}': lambda at_s: float("nan") if at_s % 120 < 60 else 5.0,
         'odd_values{other="nobody"}': lambda _: float("inf")},
    )  # fmt: skip


def history() -> str:
    families = (haproxy, envoy, counted_by_itself, containers, kubernetes, odd)
    return "\n".join([*(line for one in families for line in one()), "# EOF"]) + "\n"
