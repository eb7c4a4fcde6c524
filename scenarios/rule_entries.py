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


def _kind(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else None
    return None if kind is None else f"<{kind}>"


RuleEntry = Annotated[
    Annotated[ResidencyEntry, Tag("<residency>")]
    | Annotated[CertificationEntry, Tag("<certification>")]
    | Annotated[AllowedPlacesEntry, Tag("<allowed_places>")]
    | Annotated[SpreadEntry, Tag("<spread>")]
    | Annotated[SpotShareEntry, Tag("<spot_share>")]
    | Annotated[QuotaEntry, Tag("<quota>")]
    | Annotated[BudgetEntry, Tag("<budget>")],
    Discriminator(_kind),
]
"""A rule of any kind."""
