"""Contracts that accounts hold, as commitments of a world."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from models.commitments import (
    Commitment,
    CommitmentKind,
    Discount,
    ResourceCommitment,
    SpendCommitment,
)
from models.inventory import OwnedCommitment
from models.offerings import PriceBook, Purchase
from models.places import Cloud, PlaceFilter
from providers.snapshots.reading import Snapshot


@dataclass(frozen=True, slots=True)
class Owned:
    """``held``: contracts in force. ``unknown``: those of which the rates are not known."""

    held: tuple[Commitment, ...]
    unknown: tuple[str, ...]


def owned_in(snapshot: Snapshot, book: PriceBook, places: Collection[str]) -> Owned:
    """Contracts in force when the snapshot was taken, with rates against the prices of ``book``.

    A spend-based contract saves, in each place and family, the least share that its rates save on
    any type there: what it covers never costs more than a plan says. ``places``: all known ones.
    """
    rates = _shares_saved(snapshot, book)
    held: list[Commitment] = []
    unknown: list[str] = []
    for one in snapshot.rows(OwnedCommitment):
        if not one.starts <= snapshot.manifest.taken_at < one.ends or one.level <= 0:
            continue
        made = _commitment(one, rates.get((one.product, one.term_years), ()), places)
        if made is None:
            unknown.append(f"{one.product} {one.id} of {one.account}")
        else:
            held.append(made)
    return Owned(tuple(held), tuple(unknown))


def _commitment(
    one: OwnedCommitment, discounts: Iterable[Discount], places: Collection[str]
) -> Commitment | None:
    cloud = Cloud(one.place.partition("/")[0])
    head: dict[str, Any] = {
        "name": f"owned:{one.account}:{one.id}", "cloud": cloud, "term_years": one.term_years,
        "families": one.families, "owned": one.level, "expires": one.ends.date(),
    }  # fmt: skip
    where = PlaceFilter(places=frozenset({one.place})) if one.place in places else PlaceFilter()
    match one.kind:
        case CommitmentKind.RESOURCE:
            if isnan(one.usd_per_hour):
                return None
            return ResourceCommitment(
                **head, where=where, usd_per_vcpu_hour=one.usd_per_hour / one.level
            )
        case CommitmentKind.SPEND:
            fitting = tuple(discounts)
            return SpendCommitment(**head, where=where, discounts=fitting) if fitting else None


def _shares_saved(
    snapshot: Snapshot, book: PriceBook
) -> dict[tuple[str, int], tuple[Discount, ...]]:
    """By product and term: what spend-based contracts save on list prices, by place and family."""
    rates = snapshot.frame("committed_rates")
    rates = rates[rates["kind"] == CommitmentKind.SPEND.value]
    if rates.empty:
        return {}
    offers = book.offerings[book.offerings["purchase"] == Purchase.ON_DEMAND.value]
    listed = pd.DataFrame(
        {
            "place": offers["cloud"].astype(str) + "/" + offers["region"].astype(str),
            "instance_type": offers["instance_type"].astype(str),
            "family": offers["family"].astype(str),
            "list_usd": offers["price_usd_per_hour"],
        }
    )
    rows = rates.merge(listed, on=["place", "instance_type"])
    rows = rows.assign(saved=1.0 - rows["price_usd_per_hour"] / rows["list_usd"])
    keys = ["product", "term_years", "place", "family"]
    least = rows.groupby(keys, as_index=False)["saved"].min()
    found: dict[tuple[str, int], list[Discount]] = {}
    for row in least[least["saved"] > 0].to_dict("records"):
        where = PlaceFilter(places=frozenset({str(row["place"])}))
        discount = Discount(float(row["saved"]), where, (str(row["family"]),))
        found.setdefault((str(row["product"]), int(row["term_years"])), []).append(discount)
    return {key: tuple(discounts) for key, discounts in found.items()}
