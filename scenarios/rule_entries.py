"""Rules as people write them, in world files and in what-ifs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from models.rules import Extent
from scenarios.fields import (
    Amount,
    CloudName,
    Entry,
    Name,
    Names,
    Places,
    Prose,
    ServiceSelection,
    Share,
    SomeNames,
)


class _RuleEntry(Entry):
    name: Name | None = None
    """Name of the rule, unique in the world. Default: its kind and its number among the rules of
    that kind, such as `residency-1`."""
    why: Prose = ""
    """The reason for the rule; reports repeat it."""


class _ForServices(_RuleEntry):
    services: ServiceSelection
    """The services that the rule binds: `all`, a list of names, or `{team: name}`."""


class ResidencyEntry(_ForServices):
    """Services stay in regions under the law of given areas."""

    kind: Literal["residency"]
    """residency"""
    within: SomeNames
    """Jurisdictions: ISO 3166 codes of countries, or areas such as EU. One of them must hold."""
    origins: Names = ()
    """Origins whose traffic is bound. Default: all."""


class CertificationEntry(_ForServices):
    """Services stay in regions that hold certificates."""

    kind: Literal["certification"]
    """certification"""
    certificates: SomeNames
    """Certificates, such as pci-dss. All of them must be held."""


class AllowedPlacesEntry(_ForServices):
    """Services stay inside one set of places, or out of another. At least one must be given."""

    kind: Literal["allowed_places"]
    """allowed_places"""
    allow: Places | None = None
    """The services run only here. Default: anywhere."""
    forbid: Places | None = None
    """The services never run here. Default: nowhere."""


class SpreadEntry(_ForServices):
    """Services survive the loss of any one zone, region or cloud."""

    kind: Literal["spread"]
    """spread"""
    survives: Annotated[Extent, Field(strict=False)]
    """What may be lost: zone, region or cloud."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of demand that what is left must serve, above 0 and up to 1."""


class SpotShareEntry(_ForServices):
    """Services keep to a share of interruptible capacity."""

    kind: Literal["spot_share"]
    """spot_share"""
    at_most: Share
    """Largest share of each service's replicas on spot capacity, 0 to 1."""


Rate = Annotated[float, Field(ge=0, le=1e4)]


class RateEntry(Entry):
    """How often some pools of spot capacity are interrupted."""

    interruptions_per_month: Rate
    """Interruptions of each of these pools per month of 730 hours."""
    where: Places | None = None
    """Places of the pools. Default: all."""
    families: Names = ()
    """Families of instance types, such as m5. Default: all."""


class SpotRiskEntry(_ForServices):
    """Services spread over pools of spot capacity so that outages seldom leave too little."""

    kind: Literal["spot_risk"]
    """spot_risk"""
    chance_at_most: Annotated[float, Field(gt=0, lt=1)]
    """Largest chance, in any hour, that outages leave less than `share` of demand: above 0 and
    below 1; 0.0001 is an hour in 10,000."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of demand that must still be served, above 0 and up to 1."""
    interruptions_per_month: Rate
    """How often a pool (one family of instance types in one place) is interrupted per month, where
    neither `rates` nor the price book say more."""
    outage_hours: Annotated[float, Field(gt=0, le=744)] = 1.0
    """How long a pool that was interrupted stays away, or its replacement takes, hours."""
    rates: Annotated[tuple[RateEntry, ...], Field(strict=False)] = ()
    """Pools that are interrupted more or less often; the last entry that matches a pool holds."""


class QuotaEntry(_RuleEntry):
    """A provider's limit. At least one of the limits must be given."""

    kind: Literal["quota"]
    """quota"""
    where: Places
    """The limit holds in each region of this set."""
    families: Names = ()
    """Families of instance types that count together, such as m5. Default: all."""
    spot: bool | None = None
    """true: only spot counts; false: only on demand. Default: both."""
    vcpus_at_most: Amount | None = None
    """Largest number of vCPUs in each region."""
    instances_at_most: Amount | None = None
    """Largest number of instances in each region."""


class DisruptionEntry(_ForServices):
    """Services that run today change little by little. At least one of the limits must be given."""

    kind: Literal["disruption"]
    """disruption"""
    at_most_per_day: Annotated[int, Field(ge=0, le=10**7)] | None = None
    """Most instances that each service starts and stops in a day of the plan; a replacement is a
    start and a stop."""
    in_all_per_day: Annotated[int, Field(ge=0, le=10**7)] | None = None
    """Most instances that all of the services together start and stop in a day of the plan."""


class BudgetEntry(_RuleEntry):
    """A limit on spend."""

    kind: Literal["budget"]
    """budget"""
    usd_per_month: Annotated[float, Field(gt=0, le=1e12)]
    """Largest spend, USD per month of 730 hours of the plan's mean hour."""
    team: Name | None = None
    """Only the services of this team. Default: all."""
    cloud: CloudName | None = None
    """Only the bill of this cloud: aws, azure or gcp. Default: all."""


def kind_tag(value: Any) -> str | None:
    """The alternative of a union that a mapping's ``kind`` names."""
    kind = value.get("kind") if isinstance(value, dict) else None
    return None if kind is None else f"<{kind}>"


RuleEntry = Annotated[
    Annotated[ResidencyEntry, Tag("<residency>")]
    | Annotated[CertificationEntry, Tag("<certification>")]
    | Annotated[AllowedPlacesEntry, Tag("<allowed_places>")]
    | Annotated[SpreadEntry, Tag("<spread>")]
    | Annotated[SpotShareEntry, Tag("<spot_share>")]
    | Annotated[SpotRiskEntry, Tag("<spot_risk>")]
    | Annotated[QuotaEntry, Tag("<quota>")]
    | Annotated[DisruptionEntry, Tag("<disruption>")]
    | Annotated[BudgetEntry, Tag("<budget>")],
    Discriminator(kind_tag),
]
"""A rule of any kind."""
