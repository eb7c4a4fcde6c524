"""Shares of processors, memory and disks in use, from the metrics that services send."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import DataPointFlags, Metric, NumberDataPoint

from models.measured import LARGEST
from models.signals import SIGNALS, Combine, SignalKey
from providers.otlp.names import NOTHING
from providers.otlp.spans import Registers, fate_of, resource_of


class How(Enum):
    """How the points of one instance at one moment make a share."""

    MEAN = "the mean"
    TOTAL = "their sum"
    HIGHEST = "the highest"
    USED = "those of the state used"
    NOT_IDLE = "one less those of the state idle"


UNDERSTOOD: Final = {
    "process.cpu.utilization": ("cpu_share", How.TOTAL),
    "jvm.cpu.recent_utilization": ("cpu_share", How.MEAN),
    "system.cpu.utilization": ("cpu_share", How.NOT_IDLE),
    "k8s.pod.cpu_limit_utilization": ("cpu_share", How.MEAN),
    "k8s.container.cpu_limit_utilization": ("cpu_share", How.HIGHEST),
    "system.memory.utilization": ("memory_share", How.USED),
    "k8s.pod.memory_limit_utilization": ("memory_share", How.MEAN),
    "k8s.container.memory_limit_utilization": ("memory_share", How.HIGHEST),
    "system.filesystem.utilization": ("disk_share", How.HIGHEST),
}
"""Metrics by name, of OpenTelemetry's semantic conventions and of the Collector's receivers."""
_STATES: Final = ("state", "cpu.mode", "system.cpu.state", "system.memory.state")
_WANTED: Final = {How.USED: "used", How.NOT_IDLE: "idle"}


@dataclass(slots=True)
class _Points:
    total: float = 0.0
    count: int = 0
    moments: int = 0
    highest: float = -math.inf
    last_ns: int = -1

    def add(self, value: float, ns: int) -> None:
        self.total += value
        self.count += 1
        self.highest = max(self.highest, value)
        if ns != self.last_ns:  # points of one moment come together
            self.moments += 1
            self.last_ns = ns

    def share(self, how: How) -> float:
        if how is How.HIGHEST:
            return self.highest
        if how is How.TOTAL:
            return self.total / self.moments
        mean = self.total / self.count
        return max(1 - mean, 0.0) if how is How.NOT_IDLE else mean


_Key = tuple[int, int, str]  # service, instance, metric


@dataclass(slots=True)
class Gauges:
    """Points of open steps."""

    names: Registers
    step_s: int
    _steps: dict[int, dict[_Key, _Points]] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """Steps that hold points."""
        return len(self._steps)

    def take(
        self, request: ExportMetricsServiceRequest, now: float, since: int, until: float
    ) -> Counter[str]:
        """Keep the points of a request between two moments [s]; returns what became of all."""
        fates: Counter[str] = Counter()
        for part in request.resource_metrics:
            service, instance = resource_of(part.resource.attributes, self.names, now)
            for scope in part.scope_metrics:
                for metric in scope.metrics:
                    for fate in self._take(metric, service, instance, since, until):
                        fates[fate] += 1
        return fates

    def _take(
        self, metric: Metric, service: int, instance: int, since: int, until: float
    ) -> Iterator[str]:
        kind = metric.WhichOneof("data")
        points: Any = getattr(metric, kind).data_points if kind else ()
        if metric.name not in UNDERSTOOD or kind not in ("gauge", "sum"):
            yield from ("unused" for _ in points)
            return
        _, how = UNDERSTOOD[metric.name]
        for point in points:
            at, value = point.time_unix_nano / 1e9, _value(point)
            if value is None or (how in _WANTED and _state(point) != _WANTED[how]):
                yield "unused"
            elif (fate := fate_of(at, since, until)) != "accepted":
                yield fate
            else:
                step = self._steps.setdefault(int(at // self.step_s) * self.step_s, {})
                held = step.setdefault((service, instance, metric.name), _Points())
                held.add(value, point.time_unix_nano)
                yield "accepted"

    def close(self, starts: int) -> dict[SignalKey, float]:
        """The signals of a step, which is forgotten: of instances, and of services as a whole."""
        shares: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for (service, instance, name), points in self._steps.pop(starts, {}).items():
            signal, how = UNDERSTOOD[name]
            of_instance = shares[signal, self.names.services.name(service)]
            part = self.names.instances.name(instance) if instance != NOTHING else ""
            share = points.share(how)
            # A pod that reports by two metrics is as full as the fuller one says.
            of_instance[part] = max(share, of_instance.get(part, -math.inf))
        values: dict[SignalKey, float] = {}
        for (signal, name), parts in shares.items():
            for part, share in parts.items():
                if part:
                    values[SignalKey(signal, name, instance=part)] = share
            whole = list(parts.values())
            highest = SIGNALS[signal].over_parts is Combine.MAX
            values[SignalKey(signal, name)] = max(whole) if highest else sum(whole) / len(whole)
        return values


def _value(point: NumberDataPoint) -> float | None:
    """None where a point says that there is none, or what no share can be."""
    if point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
        return None
    kind = point.WhichOneof("value")
    value = float(getattr(point, kind)) if kind else math.nan
    return value if 0.0 <= value <= LARGEST else None


def _state(point: NumberDataPoint) -> str:
    return next((one.value.string_value for one in point.attributes if one.key in _STATES), "")
