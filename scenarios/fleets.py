"""Today's fleet, checked against what is for sale."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from models.fleet import Fleet, Group
from models.offerings import PriceBook
from scenarios.entries import GroupEntry
from scenarios.faults import Faults
from scenarios.known import Known
from scenarios.tables import Written


@dataclass(frozen=True)
class _Sales:
    """Where the instance types of a fleet are for sale, and why some have no price.

    Keys are (place, instance type, purchase) and (cloud, instance type).
    """

    priced: frozenset[tuple[str, str, str]]
    reasons: dict[tuple[str, str, str], str]
    places: dict[tuple[str, str], set[str]]


def fleet_of(
    entries: Sequence[Written[GroupEntry]],
    book: PriceBook,
    candidates: Collection[str],
    report_unpriced: bool,
    known: Known,
    faults: Faults,
) -> Fleet:
    """What runs now, with faults for unknown names.

    Groups without a price in ``book`` (the whole one), or outside the ``candidates``, are faults
    too, unless the unpriced are to be reported.
    """
    sales = _sales(book, {written.entry.instance_type for written in entries})
    services = known.service_names
    for written in entries:
        entry = written.entry
        if entry.service not in services:
            faults.unknown(written.at("service"), "service", entry.service, services)
        if entry.place not in known.places:
            faults.unknown(written.at("place"), "place", entry.place, known.places)
            continue
        cloud = entry.place.partition("/")[0]
        if (cloud, entry.instance_type) not in sales.places:
            what = f"instance type of {cloud}"
            types = _types_of(cloud, book)
            faults.unknown(written.at("instance_type"), what, entry.instance_type, types)
        elif not report_unpriced:
            _check_price(written, sales, candidates, faults)
    return Fleet(
        tuple(
            Group(
                service=written.entry.service,
                place=written.entry.place,
                instance_type=written.entry.instance_type,
                purchase=written.entry.purchase,
                count=written.entry.count,
                at=written.at(),
            )
            for written in entries
        )
    )


def _check_price(
    written: Written[GroupEntry], sales: _Sales, candidates: Collection[str], faults: Faults
) -> None:
    entry = written.entry
    key = (entry.place, entry.instance_type, entry.purchase.value)
    report = "set 'unpriced: report' under 'prices' to plan without its cost"
    elsewhere = sorted(sales.places[entry.place.partition("/")[0], entry.instance_type])
    if entry.place not in elsewhere:
        shown = ", ".join(elsewhere[:5]) + (", ..." if len(elsewhere) > 5 else "")
        message = f"{entry.instance_type} is not for sale in {entry.place}"
        hint = f"it is in {shown}; mend the place, or {report}"
        faults.add(written.at("instance_type"), message, hint)
    elif key not in sales.priced:
        why = f" ({sales.reasons[key]})" if key in sales.reasons else ""
        message = f"{entry.instance_type} in {entry.place} has no {entry.purchase} price{why}"
        faults.add(written.at("purchase"), message, report)
    elif entry.place not in candidates:
        message = f"the fleet runs in {entry.place}, which is not among the candidate places"
        faults.add(written.at("place"), message, f"add it to 'places', or {report}")


def _sales(book: PriceBook, types: Collection[str]) -> _Sales:
    priced = _keys(book.offerings, types)
    unpriced = _keys(book.unpriced, types)
    places: dict[tuple[str, str], set[str]] = {}
    for place, instance_type, _ in [*priced, *unpriced]:
        places.setdefault((place.partition("/")[0], instance_type), set()).add(place)
    reasons = book.unpriced["reason"][book.unpriced["instance_type"].isin(types)]
    return _Sales(frozenset(priced), dict(zip(unpriced, reasons, strict=True)), places)


def _keys(offers: pd.DataFrame, types: Collection[str]) -> list[tuple[str, str, str]]:
    some = offers[offers["instance_type"].isin(types)]
    return [
        (f"{cloud}/{region}", instance_type, purchase)
        for cloud, region, instance_type, purchase in zip(
            some["cloud"], some["region"], some["instance_type"], some["purchase"], strict=True
        )
    ]


def _types_of(cloud: str, book: PriceBook) -> set[str]:
    frames = (book.offerings, book.unpriced)
    return {name for f in frames for name in f.loc[f["cloud"] == cloud, "instance_type"].unique()}
