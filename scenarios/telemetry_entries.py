"""Telemetry files, field by field: where signals come from, and how long they are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from models.measured import COUNTERS
from models.signals import SIGNALS
from scenarios.collect_entries import Endpoint
from scenarios.fields import (
    LABEL_PATTERN,
    PROSE_PATTERN,
    WORD_PATTERN,
    Entry,
    FileName,
    Name,
    Prose,
)

SignalName = Annotated[Name, Field(json_schema_extra={"enum": [*SIGNALS, *COUNTERS]})]
PromQl = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=PROSE_PATTERN)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=LABEL_PATTERN)]
HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=WORD_PATTERN)]
Matchers = Annotated[str, StringConstraints(max_length=1000, pattern=PROSE_PATTERN)]
PartName = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=WORD_PATTERN)]


class SecretEntry(Entry):
    """Where a secret is found: `env` or `file`, one of them. The secret itself never stands in the
    file."""

    env: Label | None = None
    """Environment variable that holds it."""
    file: FileName | None = None
    """File that holds it, relative to this file. Read whenever it is needed, so that it may
    change."""


class BasicEntry(Entry):
    """A user and a password."""

    user: Name
    """Name of the user."""
    password_from: SecretEntry
    """Where the password is found."""


class MatchedEntry(Entry):
    """Series whose labels match are of a service."""

    service: Name
    """Service that they are of."""
    labels: Annotated[dict[Label, Name], Field(min_length=1)]
    """Labels that they carry; `*` in a value stands for anything."""


class NamesEntry(Entry):
    """How labels name services, origins and instances."""

    rules: Annotated[tuple[MatchedEntry, ...], Field(strict=False)] = ()
    """Rules in order: the first that matches says the service, before labels are asked."""
    labels: Annotated[tuple[Label, ...], Field(strict=False)] = ("service",)
    """Labels whose value names the service; the first that a series has counts."""
    origin_labels: Annotated[tuple[Label, ...], Field(strict=False)] = ("origin",)
    """Labels whose value names the origin."""
    instance_labels: Annotated[tuple[Label, ...], Field(strict=False)] = ("instance",)
    """Labels whose value names the instance."""
    callee_labels: Annotated[tuple[Label, ...], Field(strict=False)] = ("callee",)
    """Labels whose value names the service that is called."""


class PresetEntry(Entry):
    """Ready queries for the metrics of a common exporter."""

    preset: Literal["haproxy", "envoy", "node_exporter", "cadvisor", "kubernetes", "http"]
    """Exporter whose metrics are read."""
    match: Matchers = ""
    """Only series that match these, as PromQL writes them: `env="prod", cluster=~"eu-.*"`."""
    by: Annotated[tuple[Label, ...], Field(strict=False)] = ()
    """Further labels that are kept apart, such as one that names origins."""
    service_label: Label | None = None
    """Label that names the service. Default: the preset's own."""
    metrics: Label = "http"
    """What names of metrics start with (http): `http` reads http_requests_total and
    http_request_duration_seconds."""


class QueryEntry(Entry):
    """A query of your own."""

    signal: SignalName
    """Signal that its series are. One that ends in `_total` is a running total: give a plain
    selector then, and its samples are read as they were scraped."""
    query: PromQl
    """PromQL. `$step` stands for the step, `$window` for a window that suits rate()."""
    service: Name | None = None
    """Service of all its series. Default: as labels say."""


class PrometheusEntry(Entry):
    """A server that speaks Prometheus' HTTP API."""

    url: Endpoint
    """Address of the server, `https://prometheus.example.com`, without /api/v1."""
    bearer_from: SecretEntry | None = None
    """Where its bearer token is found. Default: none."""
    basic: BasicEntry | None = None
    """User and password. Default: none."""
    headers_from: dict[HeaderName, SecretEntry] = Field(default_factory=dict)
    """Further headers, such as X-Scope-OrgID, and where their values are found."""
    ca_file: FileName | None = None
    """PEM file with the certificates to trust instead of the usual ones, relative to this file.
    Default: the usual."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """After this many seconds an answer is too late."""
    scrape_s: Annotated[int, Field(ge=1, le=3600)] = 15
    """Seconds between two scrapes; `$window` follows from it."""
    presets: Annotated[tuple[PresetEntry, ...], Field(strict=False)] = ()
    """Ready queries."""
    queries: Annotated[tuple[QueryEntry, ...], Field(strict=False)] = ()
    """Queries of your own."""


class FilesEntry(Entry):
    """CSV or Parquet files with the columns ts, signal, service and value, and, where wanted,
    origin, instance and callee."""

    files: Annotated[tuple[FileName, ...], Field(strict=False, min_length=1)]
    """Files relative to this file; `*` in a name stands for anything."""
    covers_s: Annotated[int, Field(ge=0, le=86_400)] = 0
    """Seconds from ts on that a value holds: 3600 for hourly means. 0: that instant, or step."""


class SnapshotsEntry(Entry):
    """Measurements that `trimtab collect` has brought from clouds."""

    folder: FileName
    """Folder of snapshots, or a snapshot, relative to this file."""


class SourceEntry(Entry):
    """A place that signals come from: `prometheus`, `files` or `snapshots`, one of them."""

    name: PartName
    """Name of the source in tables, metrics and messages."""
    prometheus: PrometheusEntry | None = None
    """A server that speaks Prometheus' HTTP API."""
    files: FilesEntry | None = None
    """Tables of samples."""
    snapshots: SnapshotsEntry | None = None
    """Snapshots of clouds."""


class TelemetryFile(Entry):
    """Where signals come from. Secrets never stand here: only where they are found."""

    trimtab: Literal[1]
    """Version of the format."""
    telemetry: Name
    """Name of the telemetry."""
    description: Prose = ""
    """What is observed."""
    step_s: Annotated[int, Field(ge=1, le=3600)] = 60
    """Seconds that a step covers; a whole number of steps makes an hour."""
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 90
    """Days that signals are kept."""
    hours_after_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    """Days after which they are kept by the hour only. Default: never."""
    late_minutes: Annotated[int, Field(ge=0, le=10_080)] = 10
    """Minutes that are read again each time, for samples that come late."""
    services: NamesEntry = NamesEntry()
    """How series are told by service, origin and instance."""
    sources: Annotated[tuple[SourceEntry, ...], Field(strict=False, min_length=1)]
    """Where signals come from. Where two give the same, the later in this list counts."""
