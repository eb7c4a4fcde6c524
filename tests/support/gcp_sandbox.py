"""Google Cloud as a sandbox: real clients against a small cloud on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import grpc
from drongo.services.monitoring import MonitoringEmulator, monitoring_backends
from gcp_cloud import PROJECT
from gcp_contract import Call
from gcp_server import Broken, Server, server
from google.auth.credentials import Credentials
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3.services.metric_service.transports import (
    MetricServiceGrpcTransport,
)
from sandboxes import Trouble

from models.inventory import InstanceGroup
from providers.gcp.clients import Patience
from providers.gcp.provider import provider
from providers.seam import Provider, Scope
from scenarios.collect_entries import GcpEntry

SECRET: Final = "ya29.planted-secret-token-0123456789"
TEMPLATE: Final = "web-template"
PATIENCE: Final = Patience(attempts=3, first_s=0.001, longest_s=0.002, call_s=10.0)


@cache
def monitoring_address() -> str:
    """Where Cloud Monitoring is emulated, once for each process of tests."""
    emulator = MonitoringEmulator()
    emulator.start()
    return f"http://{emulator.address}"


def write_point(
    metric: str,
    about: dict[str, str],
    kind: str,
    labels: dict[str, str],
    at: datetime,
    value: dict[str, Any],
) -> None:
    """Let Cloud Monitoring have a point of a resource of ``kind``."""
    channel = grpc.insecure_channel(monitoring_address().removeprefix("http://"))
    client = monitoring_v3.MetricServiceClient(
        transport=MetricServiceGrpcTransport(channel=channel)
    )
    series = monitoring_v3.TimeSeries(
        metric={"type": metric, "labels": about},
        resource={"type": kind, "labels": labels},
        points=[{"interval": {"start_time": at, "end_time": at}, "value": value}],
    )
    client.create_time_series(name=f"projects/{PROJECT}", time_series=[series])
    channel.close()


class PlantedCredentials(Credentials):
    """Credentials whose token must never be seen outside of the calls' headers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.token = SECRET
        self.refreshed = 0

    @property
    def expired(self) -> bool:
        return False

    def refresh(self, request: Any) -> None:
        self.refreshed += 1


class GcpSandbox:
    """``sandboxes.Sandbox`` of Google Cloud."""

    account, template = PROJECT, TEMPLATE
    place, other_place = "gcp/europe-west1", "gcp/us-central1"
    types = ("e2-standard-2", "e2-standard-4")
    troubles = frozenset(Trouble)

    def __init__(self, made: Server, entry: GcpEntry, page_rows: int = 50) -> None:
        self.server = made
        self.provider: Provider = provider(
            entry, Path(), credentials=PlantedCredentials(), patience=PATIENCE,
            monitoring_endpoint=monitoring_address(), page_rows=page_rows,
        )  # fmt: skip

    def measure(self, group: InstanceGroup, at: datetime) -> None:
        scope = Scope("gcp", PROJECT, group.place.partition("/")[2])
        one = next(i for i in self.provider.inventory.instances(scope) if i.group == group.id)
        number = one.id.rpartition("/")[2]
        labels = {"project_id": PROJECT, "zone": one.zone, "instance_id": number}
        write_point("compute.googleapis.com/instance/cpu/utilization", {}, "gce_instance", labels,
                    at, {"double_value": 0.4})  # fmt: skip

    def settle(self) -> None:
        with self.server.lock:
            self.server.cloud.settle()

    @contextmanager
    def trouble(self, kind: Trouble) -> Iterator[None]:
        with self.server.lock:
            if kind is Trouble.NO_CAPACITY:
                self.server.cloud.lacking = {self.types[0]}
            else:
                self.server.faults.append(_Faulty(kind))
        try:
            yield
        finally:
            with self.server.lock:
                self.server.cloud.lacking = set()
                self.server.faults.clear()


class _Faulty:
    def __init__(self, kind: Trouble) -> None:
        self.kind, self.lost = kind, 0

    def __call__(self, call: Call) -> Broken | None:
        match self.kind:
            case Trouble.THROTTLED:
                return Broken(403, "rateLimitExceeded")
            case Trouble.DOWN:
                return Broken(503, "backendError")
            case Trouble.GARBLED:
                return Broken(raw=b'{"items": [{"name": "web-')
            case Trouble.DENIED:
                return Broken(401, "authError")
            case Trouble.ANSWER_LOST if "requestId" in call.query and not self.lost:
                self.lost += 1
                return Broken(late=True)
            case _:
                return None


def entry_at(made: Server, **more: Any) -> GcpEntry:
    return GcpEntry(projects=(PROJECT,), endpoint=made.address, **more)


def template(machine_type: str, spot: bool = False, **labels: str) -> dict[str, Any]:
    scheduling = {"provisioningModel": "SPOT" if spot else "STANDARD", "preemptible": spot}
    return {
        "name": TEMPLATE,
        "properties": {"machineType": machine_type, "scheduling": scheduling, "labels": labels},
    }


@contextmanager
def gcp() -> Iterator[GcpSandbox]:
    made = server()
    with made.lock:
        made.reset()
        made.cloud.templates["global", TEMPLATE] = template(GcpSandbox.types[0])
    monitoring_backends.reset()
    sandbox = GcpSandbox(made, entry_at(made))
    try:
        yield sandbox
        assert made.refused == []
    finally:
        with made.lock:
            made.reset()
