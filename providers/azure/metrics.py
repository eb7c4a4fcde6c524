"""What Azure measured of scale sets, and of the application gateways before them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from azure.mgmt.compute.models import VirtualMachineScaleSet
from azure.monitor.querymetrics import MetricsQueryResult, MetricValue

from models.cloud_errors import Asked, NotAccepted, NotFound
from models.inventory import Sample, Signal
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, read, translated
from providers.azure.machines import id_of
from providers.seam import Scope, Window

SETS: Final = "Microsoft.Compute/virtualMachineScaleSets"
GATEWAYS: Final = "Microsoft.Network/applicationGateways"
_AT_ONCE: Final = 50
"""Resources that the service takes in one question."""
_POOLS_MOST: Final = 10_000
"""Series told apart of a resource: a gateway has 100 pools and 100 settings at most. Where nothing
is asked, Azure gives ten, and does not say that there are more.
"""
_GRAINS_S: Final = (86_400, 43_200, 21_600, 3600, 1800, 900, 300, 60)
_OF: Final = "/providers/microsoft.insights/"
"""What stands between a resource and the name of a metric in the metric's id."""
_POOL: Final = re.compile(
    r"(?P<gateway>/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.network"
    r"/applicationgateways/[^/]+)/backendaddresspools/(?P<pool>[^/]+)"
)


@dataclass(frozen=True, slots=True)
class _Measure:
    """A metric. ``dimension``: what tells the pools of a gateway apart, in whose value the pool's
    name stands before a ``~``.
    """

    signal: Signal
    metric: str
    total: bool
    scale: float = 1.0
    dimension: str = ""


_OF_SETS: Final = (
    _Measure(Signal.CPU_SHARE, "Percentage CPU", False, 0.01),
    _Measure(Signal.NETWORK_OUT_BYTES, "Network Out Total", True),
)
_OF_GATEWAYS: Final = (
    _Measure(Signal.REQUESTS_RPS, "TotalRequests", True, dimension="BackendSettingsPool"),
    _Measure(Signal.LATENCY_MEAN_MS, "BackendLastByteResponseTime", False,
             dimension="BackendPool"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AzureMetrics:
    """``providers.seam.Metrics`` of Azure.

    Requests and latency are known of groups that alone stand in a pool of an application gateway;
    load balancers count packets, not requests, and Azure says no percentiles of latency.
    """

    clients: Clients

    def samples(self, scope: Scope, window: Window) -> Iterator[Sample]:
        asked = Asked(CLOUD, "metrics.getBatch", scope.account, scope.place)
        return read(asked, lambda: self._samples(scope, window)) if scope.region else iter(())

    def _samples(self, scope: Scope, window: Window) -> Iterator[Sample]:
        grain_s = self._grain(scope, window)
        sets: list[str] = []
        pools: dict[tuple[str, str], list[str]] = defaultdict(list)
        for one in self._sets(scope):
            name = id_of(one.id)
            sets.append(name)
            for pool in _pools(one):
                pools[pool].append(name)
        for measure in _OF_SETS:
            for i in range(0, len(sets), _AT_ONCE):
                some = sets[i : i + _AT_ONCE]
                own = {(name, ""): name for name in some}
                yield from self._of_those_left(scope, window, grain_s, SETS, some, measure, own)
        alone = {pool: users[0] for pool, users in pools.items() if len(users) == 1}
        gateways = sorted({gateway for gateway, _ in alone})
        for measure in _OF_GATEWAYS:
            for i in range(0, len(gateways), _AT_ONCE):
                some = gateways[i : i + _AT_ONCE]
                yield from self._of_those_left(
                    scope, window, grain_s, GATEWAYS, some, measure, alone
                )

    def _grain(self, scope: Scope, window: Window) -> int:
        for grain_s in _GRAINS_S:
            if window.step_s % grain_s == 0:
                return grain_s
        asked = Asked(CLOUD, "metrics.getBatch", scope.account, scope.place)
        raise NotAccepted(asked, "BadStep", f"{window.step_s} s are no whole minutes")

    def _sets(self, scope: Scope) -> Iterator[VirtualMachineScaleSet]:
        asked = Asked(CLOUD, "virtualMachineScaleSets.listByLocation", scope.account, scope.place)
        sets = self.clients.compute(scope.account).virtual_machine_scale_sets
        return read(asked, lambda: sets.list_by_location(scope.region))

    def _of_those_left(
        self,
        scope: Scope,
        window: Window,
        grain_s: int,
        namespace: str,
        resources: Sequence[str],
        measure: _Measure,
        subjects: Mapping[tuple[str, str], str],
    ) -> Iterator[Sample]:
        """Samples of the resources that there still are: one that went away fails the others'
        question, so it is looked for by halves.
        """
        try:
            yield from list(
                self._measured(scope, window, grain_s, namespace, resources, measure, subjects)
            )
        except NotFound:
            half = len(resources) // 2
            for some in (resources[:half], resources[half:]) if half else ():
                yield from self._of_those_left(
                    scope, window, grain_s, namespace, some, measure, subjects
                )

    def _measured(
        self,
        scope: Scope,
        window: Window,
        grain_s: int,
        namespace: str,
        resources: Sequence[str],
        measure: _Measure,
        subjects: Mapping[tuple[str, str], str],
    ) -> Iterator[Sample]:
        """Samples of ``subjects``, by resource and pool."""
        asked = Asked(CLOUD, "metrics.getBatch", scope.account, scope.place)
        with translated(asked):
            results = self.clients.metrics(scope.region).query_resources(
                resource_ids=resources, metric_namespace=namespace, metric_names=[measure.metric],
                timespan=(window.starts, window.ends), granularity=timedelta(seconds=grain_s),
                aggregations=["Total" if measure.total else "Average"],
                filter=f"{measure.dimension} eq '*'" if measure.dimension else None,
                max_results=_POOLS_MOST if measure.dimension else None,
            )  # fmt: skip
            for result in results:
                for name, pool, values in _series(result, measure):
                    subject = subjects.get((name, pool))
                    if subject is not None:
                        yield from _samples(scope, window, measure, subject, values)


def _series(
    result: MetricsQueryResult, measure: _Measure
) -> Iterator[tuple[str, str, list[MetricValue]]]:
    """Values by resource and pool; those of several settings of a pool together."""
    by_pool: dict[tuple[str, str], list[MetricValue]] = defaultdict(list)
    for metric in result.metrics:
        resource = metric.id.lower().partition(_OF)[0]
        for series in metric.timeseries:
            said = {name.lower(): value for name, value in series.metadata_values.items()}
            value = said.get(measure.dimension.lower(), "") if measure.dimension else ""
            by_pool[resource, value.lower().partition("~")[0]] += series.data
    for (resource, pool), values in by_pool.items():
        yield resource, pool, values


def _samples(
    scope: Scope, window: Window, measure: _Measure, subject: str, values: list[MetricValue]
) -> Iterator[Sample]:
    """One sample a step: totals per second, or the mean of means. Between steps with requests,
    those without had none: gateways only tell of requests that there are.
    """
    steps: dict[int, list[float]] = defaultdict(list)
    for value in values:
        amount = value.total if measure.total else value.average
        if amount is not None and window.starts <= value.timestamp < window.ends:
            step = int((value.timestamp - window.starts).total_seconds() // window.step_s)
            steps[step].append(amount)
    if measure.signal is Signal.REQUESTS_RPS and steps:
        for step in range(min(steps), max(steps)):
            steps[step].append(0.0)
    for step in sorted(steps):
        amounts = steps[step]
        mean = sum(amounts) / (window.step_s if measure.total else len(amounts))
        at = window.starts + timedelta(seconds=step * window.step_s)
        yield Sample(
            measure.signal, scope.account, scope.place, subject, at, window.step_s,
            mean * measure.scale,
        )  # fmt: skip


def _pools(one: VirtualMachineScaleSet) -> Iterator[tuple[str, str]]:
    """Gateways and their pools that a scale set's machines join."""
    profile = one.properties.virtual_machine_profile if one.properties is not None else None
    network = profile.network_profile if profile is not None else None
    for card in (network.network_interface_configurations or ()) if network is not None else ():
        for address in card.properties.ip_configurations if card.properties is not None else ():
            properties = address.properties
            pools = properties.application_gateway_backend_address_pools if properties else None
            for pool in pools or ():
                match = _POOL.fullmatch((pool.id or "").lower())
                if match is not None:
                    yield match["gateway"], match["pool"]
