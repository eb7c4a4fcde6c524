"""Brings a world together: its file, and the facts that it is written against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from models.demand import History
from models.errors import Fault, FaultyInput, UnusableData
from models.latency import RoundTrips
from models.places import Region
from models.world import Catalogue, World
from optimizer.watch import SILENT, Watch
from providers.geography.carbon import read_intensities
from providers.geography.egress import load_egress
from providers.geography.regions import load_regions
from providers.geography.round_trips import read_round_trips
from providers.pricebook.embedded import load_embedded_book
from providers.pricebook.files import read_book
from providers.snapshots.reading import Snapshot, newest_in
from providers.snapshots.seeing import book_of, incomplete, refuse_old, seen_in
from providers.telemetry.demand import hourly_history
from providers.telemetry.store import Store
from scenarios.build import build_world
from scenarios.documents import CarbonSource, WorldDocument, read_world
from scenarios.sighted import overlooked
from scenarios.tables import origin_names


def gather(path: Path, watch: Watch = SILENT) -> tuple[World, Catalogue]:
    """The world at ``path`` (a folder or file) and its catalogue.

    ``watch`` is warned of what a snapshot holds that the world does not take.
    Raises ``FaultyInput`` with every fault of the first file that has any, and ``UnusableData``.
    """
    with watch.stage("read the world"):
        document = read_world(path)
    snapshot = snapshot_of(document, watch)
    with watch.stage("load prices"):
        catalogue = catalogue_for(document, snapshot)
    with watch.stage("check the world"):
        seen = None if snapshot is None else seen_in(snapshot, catalogue)
        world = build_world(document, catalogue, seen, measured_for(document))
    if seen is not None and document.snapshot is not None:
        services = {service.name for service in world.services}
        for text in overlooked(seen, services, document.snapshot.use):
            watch.warn(text)
    return world, catalogue


def snapshot_of(document: WorldDocument, watch: Watch = SILENT) -> Snapshot | None:
    """The snapshot that the document names, if it is young and whole enough."""
    source = document.snapshot
    if source is None:
        return None
    found = newest_in(source.folder, watch.warn)
    if not found:
        message = f"there is no snapshot in {source.folder} that can be used"
        raise FaultyInput([Fault(source.at, message, "make one with: trimtab collect")])
    (snapshot,) = found
    refuse_old(snapshot, datetime.now(UTC), source.refuse_after_hours, source.use)
    places = document.content.places
    named = places.places if places is not None else None
    within = None if named is None else frozenset(named)
    missing = incomplete(snapshot, within, source.use)
    if missing and not source.partial_is_fine:
        hint = "collect again, or write 'partial: use'"
        raise FaultyInput([Fault(source.at, f"not in the snapshot: {said}", hint)
                           for said in missing])  # fmt: skip
    return snapshot


def measured_for(document: WorldDocument) -> History | None:
    """What was asked by the telemetry that the document names; None when it names none."""
    source = document.telemetry
    if source is None:
        return None
    try:
        return hourly_history(Store(source.folder), source.days)
    except UnusableData as error:
        raise FaultyInput([Fault(source.at, str(error))]) from error


def catalogue_for(document: WorldDocument, snapshot: Snapshot | None = None) -> Catalogue:
    """Regions, prices, egress and round trips that the document asks for."""
    regions = _with_grids(load_regions(), document.carbon)
    source = document.snapshot
    if snapshot is not None and source is not None and "prices" in source.use:
        book = book_of(snapshot, regions)
    elif document.prices.file is None:
        book = load_embedded_book(regions)
    else:
        unpriced: Literal["report", "reject"] = (
            "report" if document.prices.report_unpriced else "reject"
        )
        book = read_book(document.prices.file, regions, unpriced)
    latency = document.latency
    trips = RoundTrips() if latency.factor is None else RoundTrips(factor=latency.factor)
    if latency.measured is not None:
        names = {*regions, *origin_names(document)}
        trips = read_round_trips(latency.measured, names, trips.factor)
    return Catalogue(regions, book, load_egress(), trips)


def _with_grids(regions: Mapping[str, Region], carbon: CarbonSource) -> dict[str, Region]:
    """Regions with the figures of the world's file instead of, or beside, the built-in ones."""
    given = {} if carbon.file is None else read_intensities(carbon.file, regions)
    figures = {place: replace(regions[place], gco2e_per_kwh=g) for place, g in given.items()}
    return {**regions, **figures}
