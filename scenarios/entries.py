"""World files, field by field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from models.offerings import Architecture, Purchase
from scenarios.commitment_entries import CommitmentEntry
from scenarios.event_entries import EventEntry
from scenarios.fields import (
    ROWS_OR_TABLE,
    Amount,
    Count,
    Country,
    Entry,
    FileName,
    Name,
    Names,
    Places,
    Positive,
    Prose,
    Share,
    Size,
    SomeNames,
    TheTable,
)
from scenarios.rule_entries import RuleEntry

FORMAT_VERSION = 1

Quantile = Annotated[float, Field(ge=0.05, le=0.99)]
UnmetShare = Annotated[float, Field(ge=0, le=0.5)]
PurchaseName = Annotated[Purchase, Field(strict=False)]
PlannedPurchase = Literal["on_demand", "spot"]


class PricesEntry(Entry):
    """Where prices come from: the embedded book, or a file."""

    book: Literal["embedded"] | None = None
    """`embedded`: the price book that ships with trimtab. The default, when no file is given."""
    file: FileName | None = None
    """Price book file (Parquet or CSV); absolute, or relative to the world file. Unlike other
    files it may lie anywhere."""
    unpriced: Literal["reject", "report"] = "reject"
    """What to do when today's fleet holds instances without a price: `reject` the world, or
    `report` them beside the bill."""


class SnapshotEntry(Entry):
    """What clouds said (`trimtab collect`), and what of it counts."""

    folder: FileName
    """Snapshot, or folder of snapshots of which the newest counts; absolute, or relative to the
    world file. It may lie anywhere."""
    use: Annotated[
        tuple[Literal["prices", "fleet", "quotas", "commitments", "demand"], ...],
        Field(strict=False, min_length=1),
    ] = ("prices", "fleet", "quotas", "commitments")
    """What is taken from it. prices: the price book; fleet: what runs now; quotas: rules that no
    plan may break; commitments: contracts that accounts hold; demand: requests measured where they
    arrived, taken to come from the nearest origin; only for services that no other service
    calls."""
    partial: Literal["reject", "use"] = "reject"
    """What to do when clouds did not answer in full about what is used, where the world may be:
    `reject` the snapshot, or `use` what there is."""
    refuse_after_hours: Amount = 168.0
    """A snapshot of which any part that is used is older than this is refused, hours."""


class LatencyEntry(Entry):
    """How round-trip times are found."""

    measured: FileName | None = None
    """CSV file with the columns from, to (names of places and origins) and rtt_ms (milliseconds).
    Measured pairs override estimates."""
    factor: Annotated[float, Field(ge=1, le=10)] | None = None
    """How much longer real paths are than the great circle. Default: 1.6."""


class CarbonEntry(Entry):
    """How much carbon grids emit; matters when `policy` prices carbon."""

    file: FileName | None = None
    """CSV file with the columns place (`cloud/region`) and gco2e_per_kwh (grams of CO2e per kWh of
    the grid). Its figures override the built-in ones."""
    elsewhere_gco2e_per_kwh: Annotated[float, Field(ge=0, le=2000)] | None = None
    """Figure for the places that neither the file nor the built-in table knows. Default: none; a
    candidate place without a figure is a fault when carbon is priced."""


class DemandScenarioEntry(Entry):
    """One way in which demand may come out."""

    quantile: Quantile
    """Every series is at this quantile of its forecast, all at once; 0.05 to 0.99."""
    probability: Annotated[float, Field(gt=0, le=1)]
    """How probable this is. Those of all scenarios sum to 1."""


class CvarEntry(Entry):
    """How much the dearest demand scenarios weigh in the decision."""

    level: Annotated[float, Field(gt=0, lt=1)]
    """0.95 looks at the dearest 5 % of what may come."""
    weight: Annotated[float, Field(gt=0, le=1)]
    """Their share of the decision; the rest is the expected bill."""


RunHours = Annotated[int, Field(ge=1, le=744)]


class ChangesEntry(Entry):
    """What it costs to leave today's fleet, and how much a change must save."""

    usd_per_started_instance: Amount = 0.0
    """One-off cost of every instance that a plan starts beside those that run today, USD."""
    usd_per_gib_of_state_moved: Amount = 0.0
    """One-off cost of every GiB of state that is copied to a place where a stateful service does
    not run today, USD."""
    amortise_over_hours: Annotated[float, Field(ge=1, le=87_600)] = 720.0
    """Hours over which one-off costs are spread; a plan pays its own hours' share."""
    minimum_saving_usd_per_month: Amount = 0.0
    """A service that runs today stays as it is unless that saves more than this, USD per month of
    730 hours."""
    minimum_saving_share: Share = 0.0
    """A service that runs today stays as it is unless that saves more than this share of what its
    instances cost today, 0 to 1."""


class PolicyEntry(Entry):
    """How decisions are made."""

    horizon_hours: Annotated[int, Field(ge=1, le=744)] = 24
    """Hours to plan."""
    demand_quantile: Quantile = 0.9
    """Quantile of forecast demand that capacity is planned for, 0.05 to 0.99."""
    headroom: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of an instance's vCPUs and memory that replicas may use, above 0 and up to 1."""
    count_hours: Annotated[int, Field(ge=1, le=744)] = 1
    """Numbers of instances stay the same for blocks of this many hours."""
    route_hours: Annotated[int, Field(ge=1, le=744)] = 1
    """Routes stay the same for blocks of this many hours."""
    purchases: Annotated[tuple[PlannedPurchase, ...], Field(strict=False, min_length=1)] = (
        "on_demand",
        "spot",
    )
    """Purchase options that plans may use: on_demand, spot."""
    burstable: bool = False
    """Whether instance types that live on CPU credits may be used, at their baseline."""
    minimum_run_hours: RunHours = 1
    """An instance that starts in the plan runs at least this many hours, or to the plan's end."""
    changes: ChangesEntry = ChangesEntry()
    """One-off costs of moves, and minimum savings. Default: moves cost nothing."""
    gap_target: Annotated[float, Field(ge=0, lt=1)] = 1e-3
    """Stop when the cost is proven to lie within this share of the best possible one."""
    time_limit_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Stop after this many seconds with the best plan so far."""
    carbon_usd_per_tonne: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """What a tonne of CO2e that instances emit counts in the decision, USD; nobody is paid it."""
    demand_scenarios: Annotated[
        tuple[DemandScenarioEntry, ...], Field(strict=False, max_length=20)
    ] = ()
    """Quantiles of demand with their probabilities. Sizes and routes are the same in all of them;
    data transfer and unmet demand are counted as expected. Default: `demand_quantile`, for sure.
    With scenarios, `demand_quantile` is the demand that rules about losses are about."""
    unmet_at_most: UnmetShare = 0.0
    """Share of a service's demand that may go unmet in any hour of any scenario, at a price."""
    unmet_usd_per_million_requests: Amount = 0.0
    """What a million requests that go unmet count in the decision, USD; nobody is paid it."""
    unserved_share: Annotated[float, Field(gt=0, le=0.5)] = 0.001
    """Share of each service's requests that may go unserved in the long run. Plans that are made
    again every hour choose by it how much more than expected to plan for."""
    cvar: CvarEntry | None = None
    """Weigh the mean of the dearest demand scenarios beside the expected bill (conditional value at
    risk). Default: no."""


class DemandEntry(Entry):
    """What was asked of the services."""

    history: FileName | None = None
    """CSV or Parquet file, relative to the world file, with the columns ts (start of the hour,
    with time zone), service, origin and rps (mean requests per second over the hour). Default:
    what the snapshot measured, if its `use` holds demand."""
    telemetry: FileName | None = None
    """Folder of signals that `trimtab observe` keeps, relative to the world file: its requests are
    the history. Those that name no origin come from the world's only one. Default: none."""
    telemetry_days: Annotated[int, Field(ge=1, le=3660)] = 42
    """Days of telemetry that are taken."""
    trace: FileName | None = None
    """CSV or Parquet file, relative to the world file, with demand at steps of a second to an hour
    (columns ts, service, origin, rps); simulations replay it. Default: the history."""
    gaps: Literal["reject", "fill"] = "reject"
    """What to do when hours are missing: `reject` the world, or let the forecaster `fill` them."""
    note: Prose = ""
    """Where the numbers come from; reports repeat it."""
    events: Annotated[tuple[EventEntry, ...], Field(strict=False)] = ()
    """Holidays, campaigns and releases, past and to come, that demand answers to."""
    calendar: FileName | None = None
    """CSV or Parquet file with more of them, one a row, with the columns of an event."""


class OriginEntry(Entry):
    """A population of users: `near` a known place, or at coordinates."""

    name: Name
    """Name of the origin."""
    near: Name | None = None
    """Place (`cloud/region`) whose coordinates, country and continent the origin takes."""
    latitude_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Degrees north."""
    longitude_deg: Annotated[float, Field(ge=-180, le=180)] | None = None
    """Degrees east."""
    country: Country | None = None
    """ISO 3166 code of the country, such as DE."""
    continent: Name | None = None
    """Continent, as the list of regions names it."""


class ReplicaEntry(Entry):
    """What one replica of a service takes and gives."""

    vcpus: Size
    """vCPUs that one replica takes."""
    memory_gib: Size
    """Memory that one replica takes, GiB (2^30 bytes)."""
    throughput_rps: Annotated[float, Field(ge=1e-6, le=1e9)]
    """Requests per second that one replica serves while it keeps its service time."""
    service_time_ms: Annotated[float, Field(ge=0, le=1e7)] = 0.0
    """Time that one request spends in the service, without the network, milliseconds."""
    gpus: Annotated[float, Field(ge=0, le=1e3)] = 0.0
    """GPUs that one replica takes; may be a fraction of one."""
    gpu_models: Names = ()
    """GPU models that will do. Default: any."""
    boot_s: Annotated[float, Field(ge=0, le=86_400)] = 120.0
    """Seconds from its start until it serves; matters to simulations."""


class ServiceEntry(Entry):
    """A workload."""

    name: Name
    """Name of the service, unique in the world."""
    replica: ReplicaEntry
    """What one replica takes and gives."""
    team: Name | None = None
    """Team that owns it; budgets and reports sum by team. Default: none."""
    architectures: Annotated[
        tuple[Annotated[Architecture, Field(strict=False)], ...],
        Field(strict=False, min_length=1),
    ] = (Architecture.X86_64,)
    """Processor architectures that its image is built for: x86_64, arm64."""
    min_replicas: Annotated[int, Field(ge=0, le=10**6)] = 1
    """Replicas that always run: in each open place when stateful, else in all."""
    stateful: bool = False
    """Whether it keeps data."""
    state_gib: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    """Data that a move must copy, GiB; only for stateful services."""
    spot_tolerant: bool = False
    """Whether it may run on interruptible capacity."""
    max_places: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Largest number of places to run in. Default: no limit."""
    response_kib: Amount = 0.0
    """Size of an answer to a user, KiB (1,024 bytes)."""
    unmet_at_most: UnmetShare | None = None
    """Share of its demand that may go unmet in any hour. Default: the policy's."""
    unmet_usd_per_million_requests: Amount | None = None
    """What a million of its requests that go unmet count in the decision, USD. Default: the
    policy's."""
    minimum_run_hours: RunHours | None = None
    """An instance of it that starts in the plan runs at least this many hours, or to the plan's
    end. Default: the policy's."""
    latency_objective_ms: Positive | None = None
    """Users of every origin get an answer within this time, milliseconds: round trip plus service
    time. Default: no objective."""


class DependencyEntry(Entry):
    """One service calls another."""

    caller: Name
    """Service that calls."""
    callee: Name
    """Service that is called."""
    calls_per_request: Annotated[float, Field(gt=0, le=1e6)]
    """Calls per request that the caller serves."""
    request_kib: Amount = 0.0
    """Size of a call, KiB (1,024 bytes)."""
    response_kib: Amount = 0.0
    """Size of its answer, KiB (1,024 bytes)."""


class StepEntry(Entry):
    """One service call of a workflow."""

    service: Name
    """Service that is called; its name is also the step's name."""
    after: Names = ()
    """Steps that must have ended before it starts."""


class WorkflowEntry(Entry):
    """A business transaction: service calls, one after another or at once."""

    name: Name
    """Name of the workflow, unique in the world."""
    latency_objective_ms: Positive
    """Time from the user's request to the answer, milliseconds."""
    steps: Annotated[tuple[StepEntry, ...], Field(strict=False, min_length=1)]
    """Service calls."""
    origins: Names = ()
    """Origins whose users it serves. Default: all."""


class GroupEntry(Entry):
    """Equal instances that run one service now."""

    service: Name
    """Service that they run."""
    place: Name
    """Where they run, `cloud/region`."""
    instance_type: Name
    """The cloud's name of the machine shape."""
    purchase: PurchaseName = Purchase.ON_DEMAND
    """How they are bought: on_demand, spot, reserved_1y or reserved_3y."""
    count: Count
    """Number of instances."""


Services = Annotated[
    Annotated[tuple[ServiceEntry, ...], Field(strict=False, min_length=1), Tag("<rows>")]
    | TheTable,
    ROWS_OR_TABLE,
]
Origins = Annotated[
    Annotated[tuple[OriginEntry, ...], Field(strict=False, min_length=1), Tag("<rows>")] | TheTable,
    ROWS_OR_TABLE,
]
Dependencies = Annotated[
    Annotated[tuple[DependencyEntry, ...], Field(strict=False), Tag("<rows>")] | TheTable,
    ROWS_OR_TABLE,
]
FleetGroups = Annotated[
    Annotated[tuple[GroupEntry, ...], Field(strict=False), Tag("<rows>")] | TheTable,
    ROWS_OR_TABLE,
]


class WorldFile(Entry):
    """A world: services, users, rules, prices and places."""

    trimtab: Literal[1]
    """Version of the format."""
    world: Name
    """Name of the world."""
    description: Prose = ""
    """What the world is; reports repeat it."""
    places: Places | None = None
    """Candidate regions. Default: every known region with a price."""
    prices: PricesEntry = PricesEntry()
    """Where prices come from."""
    snapshot: SnapshotEntry | None = None
    """What clouds said: prices, fleet, quotas, demand. Default: nothing is taken from clouds."""
    latency: LatencyEntry = LatencyEntry()
    """Where round-trip times come from. Default: estimates from distance."""
    certifications: dict[Name, SomeNames] = Field(default_factory=dict)
    """Certificates that places hold beside the built-in ones: lists by place (`cloud/region`)."""
    carbon: CarbonEntry = CarbonEntry()
    """How much carbon the grids of places emit. Default: a built-in table."""
    policy: PolicyEntry = PolicyEntry()
    """How decisions are made: horizon, margins, purchase options, when to stop."""
    demand: DemandEntry
    """Demand history: what was asked of the services."""
    origins: Origins
    """Where users are: a list, or `{table: file}`."""
    services: Services
    """Workloads: a list, or `{table: file}`."""
    dependencies: Dependencies = ()
    """Which service calls which: a list, or `{table: file}`."""
    workflows: Annotated[tuple[WorkflowEntry, ...], Field(strict=False)] = ()
    """Business transactions with a latency objective from end to end."""
    rules: Annotated[tuple[RuleEntry, ...], Field(strict=False)] = ()
    """Constraints on the plan."""
    commitments: Annotated[tuple[CommitmentEntry, ...], Field(strict=False)] = ()
    """Discount contracts that are owned, or on offer."""
    fleet: FleetGroups = ()
    """What runs now: a list, or `{table: file}`."""
