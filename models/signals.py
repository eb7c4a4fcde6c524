"""What is measured of services, origins and instances, on one grid of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray


class Combine(StrEnum):
    """What several values of one step, or of the parts of one whole, are together."""

    SUM = "sum"
    MEAN = "mean"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Meaning:
    """``over_time``: the value of a long step from those of short ones. ``over_parts``: the value
    of a service from those of its instances or origins.
    """

    in_words: str
    unit: str
    over_time: Combine
    over_parts: Combine


SIGNALS: Final = {
    "requests_rps": Meaning("requests", "1/s", Combine.MEAN, Combine.SUM),
    "errors_rps": Meaning("failed requests", "1/s", Combine.MEAN, Combine.SUM),
    "latency_mean_ms": Meaning("mean latency", "ms", Combine.MEAN, Combine.MEAN),
    "latency_p50_ms": Meaning("median latency", "ms", Combine.MEAN, Combine.MAX),
    "latency_p95_ms": Meaning("95th percentile of latency", "ms", Combine.MAX, Combine.MAX),
    "latency_p99_ms": Meaning("99th percentile of latency", "ms", Combine.MAX, Combine.MAX),
    "cpu_share": Meaning("share of processors in use", "1", Combine.MEAN, Combine.MEAN),
    "memory_share": Meaning("share of memory in use", "1", Combine.MEAN, Combine.MEAN),
    "disk_share": Meaning("share of disks in use", "1", Combine.MAX, Combine.MAX),
    "replicas": Meaning("replicas that serve", "1", Combine.MEAN, Combine.SUM),
    "restarts_per_hour": Meaning("restarts", "1/h", Combine.MEAN, Combine.SUM),
    "log_errors_rps": Meaning("lines of log that tell of errors", "1/s", Combine.MEAN, Combine.SUM),
}
"""Signals by name. Names end in their unit, or in ``share`` of a whole."""


@dataclass(frozen=True, slots=True, order=True)
class SignalKey:
    """What a series of values is of.

    ``signal`` is one of ``SIGNALS``. Empty: ``origin`` all users, ``instance`` the whole service,
    ``callee`` not one edge of the call graph. With ``callee``, the series is of the calls that
    ``service`` makes to it.
    """

    signal: str
    service: str
    origin: str = ""
    instance: str = ""
    callee: str = ""

    @property
    def in_words(self) -> str:
        to = f" to {self.callee}" if self.callee else ""
        parts = ", ".join(part for part in (self.origin, self.instance) if part)
        return f"{self.signal} of {self.service}{to}" + (f" ({parts})" if parts else "")


@dataclass(frozen=True, eq=False)
class Signals:
    """Series of values on one grid: ``values`` [key, step], NaN where nothing was measured.

    Step ``i`` covers ``step_s`` seconds from ``starts`` + i steps; ``starts`` is UTC. ``keys`` are
    sorted, each once. A gap is a gap whatever its cause: nobody may take NaN for zero.
    """

    starts: datetime
    step_s: int
    keys: tuple[SignalKey, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.values) != len(self.keys):
            raise ValueError(f"{len(self.keys)} keys, but values of shape {self.values.shape}")

    @property
    def steps(self) -> int:
        return int(self.values.shape[1])

    @property
    def ends(self) -> datetime:
        """The end of the last step."""
        return self.at(self.steps)

    def at(self, step: int) -> datetime:
        """When a step starts."""
        return self.starts + timedelta(seconds=self.step_s * step)

    def of(self, key: SignalKey) -> NDArray[np.float64]:
        """The values [step] of one key; raises ``KeyError`` when there are none."""
        row: NDArray[np.float64] = self.values[self._rows[key]]
        return row

    def __contains__(self, key: SignalKey) -> bool:
        """Whether there is a series of this key."""
        return key in self._rows

    @cached_property
    def _rows(self) -> dict[SignalKey, int]:
        return {key: row for row, key in enumerate(self.keys)}
