"""Collection files, field by field: which clouds are looked at, and what runs which service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from models.offerings import Purchase
from scenarios.fields import (
    ENDPOINT_PATTERN,
    CloudName,
    Entry,
    FileName,
    Name,
    Positive,
    Prose,
    Share,
    SomeNames,
)

Endpoint = Annotated[str, Field(max_length=300, pattern=ENDPOINT_PATTERN)]
Days = Annotated[float, Field(gt=0, le=400)]
Hours = Annotated[float, Field(ge=0, le=8760)]
Seconds = Annotated[float, Field(ge=0, le=1e7)]


def _kind_of_regions(value: Any) -> str:
    return "<all>" if value == "all" else "<names>"


Regions = Annotated[
    Annotated[Literal["all"], Tag("<all>")] | Annotated[SomeNames, Tag("<names>")],
    Discriminator(_kind_of_regions),
]


class AwsAccountEntry(Entry):
    """An AWS account, as the AWS SDK's own chain of credentials reaches it."""

    name: Name
    """Name of the account in tables and reports."""
    profile: Name | None = None
    """Profile of the shared configuration files. Default: the SDK's own chain."""
    role_arn: Name | None = None
    """Role to assume from there, `arn:aws:iam::123456789012:role/trimtab-read`. Default: none."""
    external_id: Name | None = None
    """External id that the role asks for. Default: none."""


class AwsEntry(Entry):
    """Accounts of AWS."""

    accounts: Annotated[tuple[AwsAccountEntry, ...], Field(strict=False, min_length=1)]
    """Accounts to look at."""
    regions: Regions = "all"
    """Regions by name, or `all` that are enabled in the account."""
    endpoint: Endpoint | None = None
    """Address that all services are asked at instead of AWS's own. Default: AWS's own."""
    cost_explorer: bool = False
    """Whether Cost Explorer is asked how much of savings plans is used. AWS bills each question:
    one per account and collection."""
    public_prices: bool = False
    """Whether prices on demand and of reservations are read from AWS's public price files instead
    of asking its price list service. Where no credentials are found, they are in any case."""
    prices_endpoint: Endpoint | None = None
    """Address of the public price files. Default: `endpoint`, else AWS's own."""


class GcpEntry(Entry):
    """Projects of Google Cloud, reached with application default credentials."""

    projects: SomeNames
    """Ids of projects to look at."""
    regions: Regions = "all"
    """Regions by name, or `all` that the project may use."""
    endpoint: Endpoint | None = None
    """Address that the compute, billing and monitoring services are asked at. Default: Google's
    own."""


class AzureEntry(Entry):
    """Subscriptions of Azure, reached with the SDK's default credentials."""

    subscriptions: SomeNames
    """Ids of subscriptions to look at."""
    regions: Regions = "all"
    """Regions by name, or `all` that the subscription may use."""
    endpoint: Endpoint | None = None
    """Address of the resource manager, instead of Azure's own. Default: Azure's own."""
    prices_endpoint: Endpoint | None = None
    """Address of the retail prices service. Default: Azure's own."""
    ca_file: FileName | None = None
    """PEM file with the certificates to trust instead of the usual ones. Default: the usual."""


class EventEntry(Entry):
    """Something that happens to a simulated cloud. Which fields matter, and what they mean, depends
    on `happens`."""

    happens: Literal[
        "outage", "no_capacity", "reclaim", "prices_move", "throttling", "answers_lost",
        "never_healthy", "page_breaks",
    ]  # fmt: skip
    """outage: nothing answers; no_capacity: no such machines are left; reclaim: spot instances are
    taken back; prices_move: prices are multiplied; throttling: calls beyond a rate are refused;
    answers_lost: actions are done, but not confirmed; never_healthy: instances boot and never
    serve; page_breaks: lists break off."""
    from_s: Seconds = 0.0
    """When it starts, seconds since the start."""
    to_s: Seconds | None = None
    """When it ends. Default: never."""
    place: Name | None = None
    """Where, `cloud/region`. Default: everywhere."""
    zone: Name | None = None
    """In which zone (no_capacity). Default: all."""
    instance_type: Name | None = None
    """Of which type (no_capacity, reclaim, prices_move). Default: all."""
    purchase: Annotated[Purchase, Field(strict=False)] | None = None
    """Bought how (no_capacity, prices_move). Default: all."""
    share: Share = 1.0
    """Share of the instances that is taken back (reclaim)."""
    factor: Positive = 1.0
    """Factor on prices (prices_move)."""
    count: Annotated[int, Field(ge=1, le=10**6)] = 1
    """Calls per second (throttling), answers (answers_lost), rows (page_breaks)."""
    reading: Name | None = None
    """Which list breaks off (page_breaks): instances, groups, ... Default: instances."""


class SimulatedEntry(Entry):
    """Clouds that run in memory and play a world."""

    world: FileName
    """World whose fleet runs: a file or folder relative to this file, or a bundled world such as
    shop."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    """The same seed plays the same play."""
    boot_s: Annotated[float, Field(ge=0, le=86_400)] = 120.0
    """Mean time until a new instance serves, seconds."""
    after_s: Seconds = 0.0
    """How long the play has been running when it is looked at, seconds."""
    events: Annotated[tuple[EventEntry, ...], Field(strict=False)] = ()
    """What happens."""


class LabelledEntry(Entry):
    """Instances and groups that match every field given run a service."""

    service: Name
    """Service that they run."""
    cloud: CloudName | None = None
    """Only in this cloud."""
    account: Name | None = None
    """Only in this account, project or subscription."""
    place: Name | None = None
    """Only there, `cloud/region`."""
    name: Name | None = None
    """Name or id of the group (or of an instance without one); `*` stands for anything."""
    labels: dict[Name, Name] = Field(default_factory=dict)
    """Tags or labels that they carry; `*` in a value stands for anything."""


class ServicesEntry(Entry):
    """What runs which service."""

    label: Name | None = None
    """Tag or label whose value is the name of the service. Default: none."""
    rules: Annotated[tuple[LabelledEntry, ...], Field(strict=False)] = ()
    """Rules in order: the first that matches says the service, before `label` is asked."""


class MetricsEntry(Entry):
    """Which measurements are read."""

    days: Days = 28.0
    """Days before now."""
    step_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    """Minutes that a sample covers."""


class KeepEntry(Entry):
    """How long facts of the former snapshot are good enough, instead of asking again."""

    instance_types_hours: Hours = 168.0
    """Specifications of instance types, hours."""
    prices_hours: Hours = 6.0
    """Prices, hours."""


class LimitsEntry(Entry):
    """How hard clouds are asked."""

    at_once: Annotated[int, Field(ge=1, le=256)] = 16
    """Calls under way at once, per cloud."""
    deadline_s: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """After this many seconds a snapshot is written with what has come until then."""


class CollectionFile(Entry):
    """Which clouds are looked at, and how. Credentials never stand here: every cloud's SDK finds
    them in its own way."""

    trimtab: Literal[1]
    """Version of the format."""
    collect: Name
    """Name of the collection."""
    description: Prose = ""
    """What is collected."""
    aws: AwsEntry | None = None
    """AWS accounts. Default: none."""
    gcp: GcpEntry | None = None
    """Google Cloud projects. Default: none."""
    azure: AzureEntry | None = None
    """Azure subscriptions. Default: none."""
    simulated: SimulatedEntry | None = None
    """Clouds that play a world, for whoever has no credentials. Default: none."""
    services: ServicesEntry = ServicesEntry()
    """How instances and groups are told by service. Default: not at all."""
    metrics: MetricsEntry | None = None
    """Which measurements are read. Default: none."""
    keep: KeepEntry = KeepEntry()
    """What of the former snapshot is used again."""
    limits: LimitsEntry = LimitsEntry()
    """How many calls at once, and for how long."""
