"""Constraints that a person wrote, each with its words and its place in the file.

Every rule knows its stable ``name``, how its author would say it (``in_words``) and where it is
written (``at``), so that infeasibility, exclusions and binding rows speak the author's language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from models.errors import NOWHERE, Location
from models.places import CLOUD_NAMES, Cloud, PlaceFilter, Region


class Extent(StrEnum):
    """What a spread rule wants a service to survive the loss of."""

    ZONE = "zone"
    REGION = "region"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    name: str
    at: Location = NOWHERE
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRule(_Written):
    """Users of ``origins`` (empty: all) get an answer from ``service`` within the objective.

    Round trip from the origin to the place plus the service time, at most ``within_ms``.
    """

    service: str
    within_ms: float
    origins: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        who = ", ".join(self.origins) or "every origin"
        return f"{self.service} answers users of {who} within {self.within_ms:g} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRule(_Written):
    """The workflow of the same name ends within its latency objective."""

    workflow: str
    within_ms: float

    @property
    def in_words(self) -> str:
        return f"workflow {self.workflow} ends within {self.within_ms:g} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class MinReplicasRule(_Written):
    """``service`` never runs fewer than ``at_least`` replicas."""

    service: str
    at_least: int

    @property
    def in_words(self) -> str:
        return f"{self.service} runs at least {self.at_least} replica(s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPlacesRule(_Written):
    """``service`` is open in at most ``at_most`` places."""

    service: str
    at_most: int

    @property
    def in_words(self) -> str:
        return f"{self.service} runs in at most {self.at_most} place(s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidencyRule(_Written):
    """Services stay in regions under at least one of ``jurisdictions``.

    With ``origins``, only the traffic of those origins is bound.
    """

    services: tuple[str, ...]
    jurisdictions: frozenset[str]
    origins: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        whose = f" for users of {', '.join(self.origins)}" if self.origins else ""
        areas = " or ".join(sorted(self.jurisdictions))
        return f"{_some(self.services)} stays under the law of {areas}{whose}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationRule(_Written):
    """Services stay in regions that hold every one of ``certificates``."""

    services: tuple[str, ...]
    certificates: frozenset[str]

    @property
    def in_words(self) -> str:
        return (
            f"{_some(self.services)} runs only where {', '.join(sorted(self.certificates))} is held"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedPlacesRule(_Written):
    """Services stay inside ``allow`` (None: anywhere) and out of ``forbid`` (None: nowhere)."""

    services: tuple[str, ...]
    allow: PlaceFilter | None = None
    forbid: PlaceFilter | None = None

    @property
    def in_words(self) -> str:
        parts = []
        if self.allow is not None:
            parts.append(f"runs only in {self.allow.in_words}")
        if self.forbid is not None:
            parts.append(f"never runs in {self.forbid.in_words}")
        return f"{_some(self.services)} {' and '.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadRule(_Written):
    """After the loss of any one zone, region or cloud, what is left serves ``share`` of demand."""

    services: tuple[str, ...]
    survives: Extent
    share: float = 1.0

    @property
    def in_words(self) -> str:
        return (
            f"{_some(self.services)} still serves {self.share:.0%} of demand "
            f"after the loss of any one {self.survives.value}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotShareRule(_Written):
    """In each place, at most ``at_most`` of a service's replicas run on interruptible capacity.

    Per place, because a place loses its spot capacity at once, and its users with it.
    """

    services: tuple[str, ...]
    at_most: float

    @property
    def in_words(self) -> str:
        who = _some(self.services)
        return f"{who} runs at most {self.at_most:.0%} of its replicas in a place on spot"


@dataclass(frozen=True, slots=True)
class _OfPools:
    """Something about the pools of ``families`` (empty: all) within ``where``."""

    value: float
    where: PlaceFilter = field(default_factory=PlaceFilter)
    families: tuple[str, ...] = ()

    def holds_for(self, region: Region, family: str) -> bool:
        return self.where.holds(region) and (not self.families or family in self.families)


class InterruptionRate(_OfPools):
    """These pools of spot capacity are interrupted ``value`` times a month."""


class InterruptionFactor(_OfPools):
    """These pools of spot capacity are interrupted ``value`` times as often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotRiskRule(_Written):
    """With all but a chance of ``chance_at_most`` in any hour, spot outages leave enough.

    Enough is capacity for ``share`` of demand, after every rerouting that latency and law permit.
    Pools (one family of instance types in one place) are interrupted independently of each other,
    and each as a whole: ``interruptions_per_month`` times a month unless the price book or
    ``rates`` (the last that holds) know better, for ``outage_hours`` each.
    """

    services: tuple[str, ...]
    chance_at_most: float
    interruptions_per_month: float
    share: float = 1.0
    outage_hours: float = 1.0
    rates: tuple[InterruptionRate, ...] = ()
    factors: tuple[InterruptionFactor, ...] = ()
    """What a what-if does to how often pools are interrupted, applied in order."""

    def per_month(self, region: Region, family: str, known: float | None) -> float:
        """How often the pool is interrupted; ``known`` is what the price book says."""
        found = self.interruptions_per_month if known is None else known
        for rate in self.rates:
            if rate.holds_for(region, family):
                found = rate.value
        for factor in self.factors:
            if factor.holds_for(region, family):
                found *= factor.value
        return found

    @property
    def in_words(self) -> str:
        what = "" if self.share == 1 else f"{self.share:.0%} of "
        return (
            f"spot outages leave {_some(self.services)} too little for {what}demand "
            f"with a chance of at most {self.chance_at_most:g} in an hour"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRule(_Written):
    """A provider's limit: vCPUs or instances of ``families`` (empty: all) within ``where``.

    The limit holds for each region that ``where`` holds, in every period.
    """

    where: PlaceFilter
    families: tuple[str, ...] = ()
    spot: bool | None = None  # None: both purchase options count
    vcpus_at_most: float | None = None
    instances_at_most: float | None = None

    @property
    def in_words(self) -> str:
        what = ", ".join(self.families) or "any family"
        kind = {None: "", True: " spot", False: " on-demand"}[self.spot]
        limits = []
        if self.vcpus_at_most is not None:
            limits.append(f"{self.vcpus_at_most:g}{kind} vCPUs")
        if self.instances_at_most is not None:
            limits.append(f"{self.instances_at_most:g}{kind} instances")
        return f"at most {' and '.join(limits)} of {what} in each region of {self.where.in_words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisruptionRule(_Written):
    """In any day of the plan, services that run today start and stop only so many instances.

    Days are 24 hours from the plan's start; the first begins with what runs today. A replacement
    is a start and a stop. ``at_most_per_day`` holds for each service, ``in_all_per_day`` for all
    of them together.
    """

    services: tuple[str, ...]
    at_most_per_day: int | None = None
    in_all_per_day: int | None = None

    @property
    def in_words(self) -> str:
        limits = []
        if self.at_most_per_day is not None:
            limits.append(f"at most {self.at_most_per_day} instance(s) a day each")
        if self.in_all_per_day is not None:
            limits.append(f"at most {self.in_all_per_day} instance(s) a day in all")
        return f"{_some(self.services)} start and stop {' and '.join(limits)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRule(_Written):
    """Spend per month (730 h of the plan's mean hour) stays within ``usd_per_month``.

    It binds everything, or one team's services, or one cloud's bill. Team and cloud budgets count
    compute and the egress that the team's services, or the cloud's regions, cause.
    """

    usd_per_month: float
    team: str | None = None
    cloud: Cloud | None = None

    @property
    def in_words(self) -> str:
        whose = []
        if self.team is not None:
            whose.append(f"team {self.team}")
        if self.cloud is not None:
            whose.append(CLOUD_NAMES[self.cloud])
        scope = " on ".join(whose) or "everything"
        return f"{scope} costs at most {self.usd_per_month:,.0f} USD per month"


Rule = (
    LatencyRule
    | WorkflowRule
    | MinReplicasRule
    | MaxPlacesRule
    | ResidencyRule
    | CertificationRule
    | AllowedPlacesRule
    | SpreadRule
    | SpotShareRule
    | SpotRiskRule
    | QuotaRule
    | DisruptionRule
    | BudgetRule
)


def _some(services: tuple[str, ...], limit: int = 4) -> str:
    if len(services) <= limit:
        return ", ".join(services)
    return f"{', '.join(services[:limit])} and {len(services) - limit} more"
