"""What is read of ``plan.json``: as much as a plan needs, and what it may claim besides.

A plan of another tool needs no more than ``instances`` and ``routes``; everything else is a claim
that is checked when it is made. Keys that are not listed here are kept, so that ``reading`` can
say that nobody looked at them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MOST_HOURS = 8784  # a leap year
MOST_INSTANCES = 10**9

Name = Annotated[str, StringConstraints(max_length=500)]
Usd = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,18}(\.[0-9]{1,40})?$", max_length=60)]
Moment = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")
]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=MOST_INSTANCES)]


class Entry(BaseModel):
    """A mapping whose values are taken as they are written, never converted."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")


class WorldEntry(Entry):
    name: Name
    description: str = ""
    where: str = ""
    services: Count | None = None
    origins: Count | None = None
    rules: Count | None = None
    places: Count | None = None
    digests: dict[str, str] = {}


class DemandScenarioEntry(Entry):
    quantile: Share
    probability: Share


class CvarEntry(Entry):
    level: Share
    weight: Share


class PolicyEntry(Entry):
    demand_quantile: Share | None = None
    headroom: Share | None = None
    count_hours: Count | None = None
    route_hours: Count | None = None
    minimum_run_hours: Count | None = None
    changes: Any = None
    purchases: tuple[Name, ...] | None = Field(default=None, strict=False)
    burstable: bool | None = None
    gap_target: Share | None = None
    time_limit_s: Measure | None = None
    carbon_usd_per_tonne: Measure | None = None
    demand_scenarios: list[DemandScenarioEntry] | None = None
    unmet_at_most: Share | None = None
    unmet_usd_per_million_requests: Measure | None = None
    cvar: CvarEntry | None = None


class InstanceEntry(Entry):
    service: Name
    place: Name
    instance_type: Name
    purchase: Name
    count_per_hour: list[Count]
    price_usd_per_hour: Usd | None = None
    price_source: str = ""
    price_date: str = ""
    replicas_per_instance: Count | None = None
    capacity_rps_per_instance: Measure | None = None


class RouteEntry(Entry):
    service: Name
    origin: Name
    place: Name
    first_hour: Annotated[int, Field(ge=0, lt=MOST_HOURS)]
    hours: Annotated[int, Field(ge=1, le=MOST_HOURS)]
    share: Share
    rtt_ms: Measure | None = None


class LineEntry(Entry):
    term: Name
    cloud: Name
    place: Name
    service: Name
    purchase: Name
    usd: Usd
    commitment: str = ""


class ShadowEntry(Entry):
    term: Name
    cloud: Name
    place: Name
    service: Name
    quantity: Usd
    unit: str
    usd: Usd


class BillEntry(Entry):
    hours: Annotated[int, Field(ge=1, le=MOST_HOURS)] | None = None
    total_usd: Usd
    usd_per_month: Usd | None = None
    by_term_usd: dict[Name, Usd] | None = None
    by_cloud_usd: dict[Name, Usd] | None = None
    lines: list[LineEntry] | None = None
    shadow_usd: Usd | None = None
    shadow: list[ShadowEntry] | None = None


class ScenarioEntry(Entry):
    scenario: Name
    quantile: Share
    probability: Share
    counted_usd: Usd | None = None
    bill: BillEntry


class CommitmentEntry(Entry):
    """What ``Any`` marks follows from ``bought``, and from what the plan runs."""

    commitment: Name
    bought: Measure
    owned: Measure | None = None
    cost_usd: Usd | None = None
    cloud: Any = None
    kind: Any = None
    covers: Any = None
    term_years: Any = None
    unit: Any = None
    utilisation: Any = None
    break_even_utilisation: Any = None
    coverage: Any = None
    bought_utilisation: Any = None
    pays_back_after_months: Any = None
    covered_usd: Any = None
    saving_usd: Any = None
    today_utilisation: Any = None
    today_saving_usd: Any = None
    expires: Any = None
    why: Any = None
    used_per_hour: Any = None


class CostEntry(Entry):
    usd_per_month: Usd | None = None
    today_usd_per_month: Usd | None = None
    saving_usd_per_month: Usd | None = None
    saved_share: Finite | None = None


class ProofEntry(Entry):
    proof: Literal["optimal", "within_gap", "time_limit"] | None = None
    objective_usd: Usd | None = None
    bound_usd: Usd | None = None
    gap: Finite | None = None
    backend: str = ""
    solver: str = ""
    rows: Count | None = None
    columns: Count | None = None
    integer_columns: Count | None = None
    nonzeros: Count | None = None
    build_s: Measure | None = None
    solve_s: Measure | None = None


class ServiceEntry(Entry):
    service: Name
    team: str = ""
    places: list[Name] | None = None
    peak_instances: Count | None = None
    starts_per_day: Any = None
    usd_per_month: Usd | None = None


class TodayEntry(Entry):
    bill: BillEntry | None = None
    capacity_rps: Any = None
    unpriced: Any = None
    broken: Any = None


class DemandEntry(Entry):
    service: Name
    planned_rps: list[Measure | None] | None = None
    mean_rps: list[Measure | None] | None = None
    quantiles_rps: Any = None
    capacity_rps: list[Measure | None] | None = None


class PlanEntry(Entry):
    """A whole plan. ``Any`` marks what explains a plan and claims nothing that is checked."""

    format: Literal["trimtab-plan"]
    version: Literal[1]
    outcome: Literal["plan"]
    world: WorldEntry
    starts: Moment
    hours: Annotated[int, Field(ge=1, le=MOST_HOURS)]
    instances: list[InstanceEntry]
    routes: list[RouteEntry]
    policy: PolicyEntry = PolicyEntry()
    cost: CostEntry = CostEntry()
    proof: ProofEntry = ProofEntry()
    bill: BillEntry | None = None
    scenarios: list[ScenarioEntry] = []
    cvar_usd: Usd | None = None
    commitments: list[CommitmentEntry] = []
    services: list[ServiceEntry] = []
    today: TodayEntry = TodayEntry()
    demand: list[DemandEntry] = []
    prices: Any = None
    forecast: Any = None
    binding: Any = None
    exclusions: Any = None
    spot_risk: Any = None
    changes: Any = None

    @property
    def starts_at(self) -> datetime:
        """Raises ``ValueError`` for days that no calendar has."""
        return datetime.fromisoformat(self.starts)
