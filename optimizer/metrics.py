"""What trimtab says of its own work, for Prometheus to scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    Summary,
    start_http_server,
)

from models.errors import NOWHERE, Fault, FaultyInput
from optimizer.observe import Observed
from optimizer.output.plain import plain
from providers.telemetry.seam import Part

_OF_PART: Final = ("source", "part")


@dataclass(frozen=True, slots=True)
class Address:
    """Where metrics are served; port 0: any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class ObserveMetrics:
    """Counts rounds of ``observe``. Every part has its series from the start, at zero."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        name = "trimtab_telemetry"
        self._samples = Counter(f"{name}_samples", "Samples read.", _OF_PART, registry=own)
        self._failures = Counter(
            f"{name}_failures", "Rounds in which a part was not read to its end.", _OF_PART,
            registry=own,
        )  # fmt: skip
        self._written = Counter(
            f"{name}_steps_written", "Steps that were new or changed.", _OF_PART, registry=own
        )
        self._odd = Counter(
            f"{name}_odd_samples", "Samples left out, replaced or suspect.", (*_OF_PART, "oddity"),
            registry=own,
        )  # fmt: skip
        self._gaps = Gauge(
            f"{name}_gaps", "Steps without value in what was read last.", _OF_PART, registry=own
        )
        self._series = Gauge(
            f"{name}_series", "Series in what was read last.", _OF_PART, registry=own
        )
        self._success = Gauge(
            f"{name}_last_success_timestamp_seconds", "When it was last read to its end.",
            _OF_PART, registry=own,
        )  # fmt: skip
        self._newest = Gauge(
            f"{name}_newest_step_timestamp_seconds", "End of the newest step that was measured.",
            _OF_PART, registry=own,
        )  # fmt: skip
        self._took = Summary(
            f"{name}_read_seconds", "Time that reading a part takes.", _OF_PART, registry=own
        )
        self._rounds = Summary(
            f"{name}_round_seconds", "Time that a round over all parts takes.", registry=own
        )
        for part in parts:
            of = plain(part.source), plain(part.name)
            for metric in (self._samples, self._failures, self._written, self._took):
                metric.labels(*of)
            self._success.labels(*of).set(0)

    def tell(self, observed: Observed, at: datetime) -> None:
        """Add a round that began at ``at``."""
        self._rounds.observe(observed.took_s)
        for one in observed.parts:
            of = plain(one.source), plain(one.name)
            self._samples.labels(*of).inc(one.samples)
            self._written.labels(*of).inc(one.changed)
            self._took.labels(*of).observe(one.took_s)
            self._gaps.labels(*of).set(one.gaps)
            self._series.labels(*of).set(len(one.keys))
            for notice in one.notices:
                self._odd.labels(*of, notice.oddity.name.lower()).inc(notice.count)
            if one.newest is not None:
                self._newest.labels(*of).set(one.newest.timestamp())
            if one.why:
                self._failures.labels(*of).inc()
            else:
                self._success.labels(*of).set(at.timestamp())


@contextmanager
def served(registry: CollectorRegistry, address: Address) -> Iterator[Address]:
    """``/metrics`` is answered, in a thread of its own, at the address that is given back."""
    try:
        server, thread = start_http_server(address.port, address.host, registry)
    except OSError as error:
        message = f"metrics cannot be served at {address}: {error.strerror or error}"
        hint = "choose another address with --metrics, or --metrics off"
        raise FaultyInput([Fault(NOWHERE, message, hint)]) from error
    try:
        yield Address(address.host, int(server.server_address[1]))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
