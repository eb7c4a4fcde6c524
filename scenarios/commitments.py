"""Commitments as written, turned into those that the optimizer covers usage with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from models.commitments import (
    Commitment,
    Discount,
    ResourceCommitment,
    SpendCommitment,
    level_per_usd,
)
from models.errors import Location
from models.offerings import Purchase
from models.places import CLOUD_NAMES, Cloud, PlaceFilter, Region
from scenarios.commitment_entries import ResourceCommitmentEntry, SpendCommitmentEntry
from scenarios.faults import Faults
from scenarios.known import Known, check_names, place_filter
from scenarios.tables import Written


def commitments_of(
    entries: Sequence[Written[Any]],
    taken: Iterable[Commitment],
    offerings: pd.DataFrame,
    regions: Collection[Region],
    starts: datetime | None,
    known: Known,
    faults: Faults,
) -> tuple[Commitment, ...]:
    """Commitments from the entries of a list.

    Adds faults for unknown names, names that stand twice or are ``taken``, terms that do not fit
    together, what is over before the plan ``starts``, and what covers nothing of all
    ``offerings`` of all known ``regions``.
    """
    places = {commitment.name: commitment.at for commitment in taken}
    sales = _Sales(offerings, tuple(regions))
    found = []
    for written in entries:
        name = written.entry.name
        if name in places:
            message = f"the commitment {name!r} stands twice (first: {places[name]})"
            faults.add(written.at("name"), message, "give each commitment a name of its own")
        places.setdefault(name, written.at("name"))
        before = faults.count
        commitment = _commitment(written, sales, starts, known, faults)
        if commitment is not None and faults.count == before:
            _check_cover(commitment, written, sales, faults)
            found.append(commitment)
    return tuple(found)


class _Sales:
    """Everything for sale, to see what a commitment would cover."""

    def __init__(self, offerings: pd.DataFrame, regions: tuple[Region, ...]) -> None:
        self.offerings, self.regions = offerings, regions

    def covered(self, commitment: Commitment) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which offerings it covers."""
        covered: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isfinite(
            level_per_usd([commitment], self.offerings, self.regions)[0]
        )
        return covered

    def reserved_usd_per_vcpu_hour(
        self, place: str, families: tuple[str, ...], term_years: int
    ) -> float | None:
        """The dearest of the book's reserved offerings per vCPU; None: it has none."""
        kind = {1: Purchase.RESERVED_1Y, 3: Purchase.RESERVED_3Y}[term_years]
        rows = self.offerings
        rows = rows[rows["purchase"].astype(str) == kind.value]
        at = rows["cloud"].astype(str) + "/" + rows["region"].astype(str)
        rows = rows[(at == place) & rows["family"].astype(str).isin(families) & ~rows["burstable"]]
        each = rows["price_usd_per_hour"] / rows["vcpus"]
        return float(each.max()) if len(each) else None


def _commitment(
    written: Written[Any], sales: _Sales, starts: datetime | None, known: Known, faults: Faults
) -> Commitment | None:
    entry = written.entry
    check_names(entry.families, written, ("families",), "family", known.families, faults)
    head: dict[str, Any] = {
        "name": entry.name,
        "cloud": Cloud(entry.cloud),
        "term_years": entry.term_years,
        "where": place_filter(entry.where, written, ("where",), known, faults),
        "families": entry.families,
        "expires": _expires(written, starts, faults),
        "at": written.at(),
        "why": entry.why,
    }
    match entry:
        case SpendCommitmentEntry():
            return _spend(entry, head, written, known, faults)
        case ResourceCommitmentEntry():
            return _resource(entry, head, written, sales, faults)
        case other:
            raise TypeError(f"no commitment is made of {type(other).__name__}")


def _expires(written: Written[Any], starts: datetime | None, faults: Faults) -> date | None:
    text = written.entry.expires
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        faults.add(written.at("expires"), f"there is no day {text}", "write year-month-day")
        return None
    if starts is not None and day <= starts.date():
        message = f"{written.entry.name!r} has expired when the plan starts ({starts:%Y-%m-%d})"
        faults.add(written.at("expires"), message, "remove it, or what is owned of it")
    return day


def _check_level(written: Written[Any], owned: str, at_most: str, faults: Faults) -> None:
    entry = written.entry
    if not getattr(entry, owned) and not getattr(entry, at_most):
        message = f"nothing of {entry.name!r} is owned, and nothing may be bought"
        faults.add(written.at(), message, f"give '{owned}' or '{at_most}'")
    if entry.expires is not None and not getattr(entry, owned):
        message = f"{entry.name!r} has an end, but nothing of it is owned"
        faults.add(written.at("expires"), message, f"give '{owned}', or remove 'expires'")


def _spend(
    entry: SpendCommitmentEntry,
    head: dict[str, Any],
    written: Written[Any],
    known: Known,
    faults: Faults,
) -> Commitment:
    _check_level(written, "owned_usd_per_hour", "at_most_usd_per_hour", faults)
    if (entry.discount is None) == (entry.discounts is None):
        message = "a spend commitment has one discount, or a table of them"
        faults.add(written.at("discounts"), message, "give either 'discount' or 'discounts'")
    discounts = [] if entry.discount is None else [Discount(entry.discount)]
    for i, row in enumerate(entry.discounts or ()):
        path = ("discounts", i)
        check_names(row.families, written, (*path, "families"), "family", known.families, faults)
        where = place_filter(row.where, written, (*path, "where"), known, faults)
        discounts.append(Discount(row.discount, where, row.families))
    return SpendCommitment(
        **head,
        owned=entry.owned_usd_per_hour,
        at_most=entry.at_most_usd_per_hour,
        discounts=tuple(discounts),
    )


def _resource(
    entry: ResourceCommitmentEntry,
    head: dict[str, Any],
    written: Written[Any],
    sales: _Sales,
    faults: Faults,
) -> Commitment | None:
    _check_level(written, "owned_vcpus", "at_most_vcpus", faults)
    _check_memory(entry, written, faults)
    where: PlaceFilter = head["where"]
    held = [r.place for r in sales.regions if r.cloud is head["cloud"] and where.holds(r)]
    if len(held) != 1:
        message = f"a resource commitment covers one region, not {len(held)}"
        hint = "name one place of its cloud, and write an entry for each region"
        faults.add(written.at("where"), message, hint)
        return None
    rate = entry.usd_per_vcpu_hour
    if rate is None:
        rate = sales.reserved_usd_per_vcpu_hour(held[0], entry.families, entry.term_years)
    if rate is None:
        message = f"{entry.name!r} has no price, and the price book has none for it either"
        hint = "give 'usd_per_vcpu_hour', as your contract or the cloud's price list says"
        faults.add(written.at(), message, hint)
        return None
    return ResourceCommitment(
        **head,
        owned=entry.owned_vcpus,
        at_most=entry.at_most_vcpus,
        usd_per_vcpu_hour=rate,
        memory_gib_per_vcpu=entry.memory_gib_per_vcpu,
    )


def _check_memory(entry: ResourceCommitmentEntry, written: Written[Any], faults: Faults) -> None:
    apart = entry.cloud == Cloud.GCP
    if apart and entry.memory_gib_per_vcpu is None:
        message = f"{entry.name!r} does not say how much memory is committed to"
        hint = "Google Cloud commits memory apart from vCPUs: give 'memory_gib_per_vcpu'"
        faults.add(written.at(), message, hint)
    if not apart and entry.memory_gib_per_vcpu is not None:
        message = f"{CLOUD_NAMES[Cloud(entry.cloud)]} reserves whole instances, memory included"
        faults.add(written.at("memory_gib_per_vcpu"), message, "remove 'memory_gib_per_vcpu'")


def _check_cover(
    commitment: Commitment, written: Written[Any], sales: _Sales, faults: Faults
) -> None:
    if not sales.covered(commitment).any():
        at: Location = written.at()
        message = f"{commitment.name!r} covers nothing that the price book sells on demand"
        faults.add(at, message, f"it is for {commitment.scope_in_words}")
