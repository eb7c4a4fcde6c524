"""Commitments as people write them, in world files and in what-ifs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from scenarios.fields import (
    Amount,
    CloudName,
    Entry,
    IsoDate,
    Name,
    Names,
    Places,
    Positive,
    Prose,
    SomeNames,
)
from scenarios.rule_entries import kind_tag

DiscountShare = Annotated[float, Field(gt=0, lt=1)]


class DiscountEntry(Entry):
    """One row of a discount table."""

    discount: DiscountShare
    """Share of the list price that is saved: 0.28 takes 28 % off."""
    families: Names = ()
    """Families of instance types, such as m5, that the row is for. Default: all."""
    where: Places | None = None
    """Places that the row is for. Default: all."""


class _CommitmentEntry(Entry):
    name: Name
    """Name of the commitment, unique in the world."""
    cloud: CloudName
    """Cloud that it is a contract with: aws, azure or gcp."""
    term_years: Literal[1, 3]
    """Length of the contract, years: 1 or 3."""
    expires: IsoDate | None = None
    """Day on which what is owned is no longer in force, from 00:00 UTC. Default: not in sight."""
    why: Prose = ""
    """What it is, or where its terms come from; reports repeat it."""


class SpendCommitmentEntry(_CommitmentEntry):
    """So much spend in every hour, at a discount."""

    kind: Literal["spend"]
    """spend"""
    families: Names = ()
    """Families of instance types that it covers, such as m5. Default: all."""
    where: Places | None = None
    """Places that it covers. Default: all of its cloud."""
    discount: DiscountShare | None = None
    """Share of the list price that is saved on all that it covers: 0.28 takes 28 % off."""
    discounts: Annotated[tuple[DiscountEntry, ...], Field(strict=False, min_length=1)] | None = None
    """Discount table, instead of `discount`: the first row that fits an instance is its discount;
    what no row fits is not covered."""
    owned_usd_per_hour: Amount = 0.0
    """What is committed to already, USD per hour at discounted rates; paid for in any case."""
    at_most_usd_per_hour: Amount = 0.0
    """Most that plans may commit to in addition, USD per hour at discounted rates."""


class ResourceCommitmentEntry(_CommitmentEntry):
    """So many vCPUs of a family in a region, in every hour."""

    kind: Literal["resource"]
    """resource"""
    families: SomeNames
    """Families of instance types that it covers, of any size, such as m5."""
    where: Places
    """The region that it covers: a set of places that holds one region."""
    usd_per_vcpu_hour: Positive | None = None
    """What a committed vCPU costs, USD per hour, with all that is paid in advance spread over the
    term. Default: the dearest of the price book's own reserved offerings of the families there."""
    memory_gib_per_vcpu: Annotated[float, Field(gt=0, le=1e3)] | None = None
    """Memory that is committed to with each vCPU, GiB; for Google Cloud, and only for it.
    `usd_per_vcpu_hour` includes it."""
    owned_vcpus: Amount = 0.0
    """vCPUs that are committed to already. They are paid for in any case."""
    at_most_vcpus: Amount = 0.0
    """Most vCPUs that plans may commit to in addition."""


CommitmentEntry = Annotated[
    Annotated[SpendCommitmentEntry, Tag("<spend>")]
    | Annotated[ResourceCommitmentEntry, Tag("<resource>")],
    Discriminator(kind_tag),
]
"""A commitment of either kind."""
