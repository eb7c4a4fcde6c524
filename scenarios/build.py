"""World documents, checked against the facts and turned into worlds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pandas as pd

from models.demand import History
from models.latency import RoundTrips
from models.offerings import PriceBook
from models.places import Region
from models.seen import Seen
from models.services import Dependency, Workflow
from models.world import Catalogue, World
from scenarios.calls import check_reach, dependencies_of, workflows_of
from scenarios.commitments import commitments_of
from scenarios.documents import WorldDocument
from scenarios.entries import (
    DependencyEntry,
    GroupEntry,
    OriginEntry,
    ServiceEntry,
    WorkflowEntry,
    WorldFile,
)
from scenarios.events import events_of
from scenarios.faults import Faults
from scenarios.fields import Entry
from scenarios.fit import check_services_fit
from scenarios.fleets import fleet_of
from scenarios.grids import check_grids
from scenarios.history import read_history
from scenarios.known import Known, known_names, place_filter
from scenarios.nouns import origins_of, policy_of, services_of
from scenarios.rules import service_rules, workflow_rules, written_rules
from scenarios.sighted import measured_history, seen_groups, seen_history, seen_quotas
from scenarios.tables import Written, entries_of, table_path
from scenarios.uncertainty import check_uncertainty


def build_world(
    document: WorldDocument,
    catalogue: Catalogue,
    seen: Seen | None = None,
    measured: History | None = None,
) -> World:
    """The world that a document describes, with the facts of ``catalogue``.

    Reads the tables and the demand history beside the file. Candidate regions are the known ones
    that the world's ``places`` hold and the book prices; the world's book is cut down to them.
    Raises ``FaultyInput`` with the faults of the document and with all that the checks of its
    parts against each other and against the facts find. ``seen``: what the document's snapshot
    says; what the document writes itself counts instead. ``measured``: what was asked, by its
    telemetry; origins may be empty.
    """
    faults = Faults(list(document.faults))
    top = Written(document.content, str(document.path), document.data)
    regions = _certified(top, _lit(top, catalogue.regions), faults)
    service_entries, spoiled = entries_of(document, "services", ServiceEntry, faults)
    services = services_of(service_entries, _gpu_models(catalogue.book), faults)
    origin_entries, unclear = entries_of(document, "origins", OriginEntry, faults)
    origins = origins_of(origin_entries, regions, faults)
    names = {written.entry.name for written in origin_entries} | unclear
    known = known_names(services, names, regions.values(), catalogue, spoiled)

    candidates = _candidates(top, regions, catalogue.book, known, faults)
    book = book_in(catalogue.book, candidates)
    policy = policy_of(top.entry.policy)
    if candidates:
        check_services_fit(services, book.offerings, policy, faults)
    check_uncertainty(top, service_entries, faults)
    check_grids(policy, candidates, top.at("policy", "carbon_usd_per_tonne"), faults)
    dependencies, workflow_entries, workflows, calls_are_clear = _calls(document, known, faults)
    implied = [*service_rules(service_entries), *workflow_rules(workflow_entries)]
    rule_entries, _ = entries_of(document, "rules", Entry, faults)
    uses = document.snapshot.use if seen is not None and document.snapshot is not None else ()
    rules = (*implied, *written_rules(rule_entries, implied, known, faults))
    if seen is not None and "quotas" in uses:
        rules = (*rules, *seen_quotas(seen, candidates, known))
    groups, _ = entries_of(document, "fleet", GroupEntry, faults)
    if seen is not None and "fleet" in uses and not groups:
        groups = seen_groups(document, seen, known)
    places = {region.place for region in candidates}
    report = document.prices.report_unpriced
    fleet = fleet_of(groups, catalogue.book, places, report, known, faults)
    round_trips = _round_trips(top, catalogue, known, faults)
    if seen is not None and "demand" in uses:
        table = seen_history(document, seen, origins, tuple(regions.values()), known, faults)
    elif measured is not None:
        callees = {dependency.callee for dependency in dependencies}
        table = measured_history(document, measured, callees, known, faults)
    else:
        table = _history(document, known, faults)
    if table is not None and calls_are_clear and not spoiled:
        check_reach(services, dependencies, workflows, series_of(table), faults)
    events = events_of(top, document.folder, table, known, faults)
    starts = None if table is None else (table["ts"].max() + pd.Timedelta(hours=1)).to_pydatetime()
    commitment_entries, _ = entries_of(document, "commitments", Entry, faults)
    commitments = commitments_of(
        commitment_entries, (), catalogue.book.offerings, regions.values(), starts, known, faults
    )
    if seen is not None and "commitments" in uses:
        commitments = (*commitments, *seen.commitments)
    if faults.found or table is None or starts is None:
        raise faults.refusal()
    return World(
        name=top.entry.world,
        description=top.entry.description,
        at=top.at(),
        starts=starts,
        services=services,
        origins=origins,
        dependencies=dependencies,
        workflows=workflows,
        rules=rules,
        policy=policy,
        fleet=fleet,
        history=History(table, top.entry.demand.note or (measured.note if measured else "")),
        regions=candidates,
        book=book,
        egress=catalogue.egress,
        round_trips=round_trips,
        commitments=commitments,
        events=events,
    )


def _calls(
    document: WorldDocument, known: Known, faults: Faults
) -> tuple[tuple[Dependency, ...], list[Written[WorkflowEntry]], tuple[Workflow, ...], bool]:
    """Dependencies, and workflows as written and as nouns; last, whether all of them are whole."""
    before = faults.count
    entries, _ = entries_of(document, "dependencies", DependencyEntry, faults)
    dependencies = dependencies_of(entries, known, faults)
    workflow_entries, _ = entries_of(document, "workflows", WorkflowEntry, faults)
    workflows = workflows_of(workflow_entries, known, faults)
    left_out = document.left_out.keys() & {"services", "dependencies", "workflows"}
    return dependencies, workflow_entries, workflows, faults.count == before and not left_out


def book_in(book: PriceBook, regions: Collection[Region]) -> PriceBook:
    """The book's offerings in some regions."""
    kept = pd.MultiIndex.from_tuples(
        [(region.cloud.value, region.name) for region in regions], names=["cloud", "region"]
    )
    inside = pd.MultiIndex.from_frame(book.offerings[["cloud", "region"]]).isin(kept)
    return book.matching(pd.Series(inside, index=book.offerings.index))


def series_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The (service, origin) pairs of a history's table, in its order."""
    pairs = table[["service", "origin"]].drop_duplicates()
    return list(pairs.itertuples(index=False, name=None))


def _certified(
    top: Written[WorldFile], regions: Mapping[str, Region], faults: Faults
) -> dict[str, Region]:
    """All known regions by place, with the certificates that the world adds."""
    certified = dict(regions)
    for place, certificates in top.entry.certifications.items():
        if place not in regions:
            faults.unknown(top.at("certifications", place), "place", place, regions)
            continue
        held = regions[place].certifications | frozenset(certificates)
        certified[place] = replace(regions[place], certifications=held)
    return certified


def _lit(top: Written[WorldFile], regions: Mapping[str, Region]) -> dict[str, Region]:
    """All known regions by place; dark grids have the figure of the world, if it gives one."""
    figure = top.entry.carbon.elsewhere_gco2e_per_kwh
    return {
        place: replace(region, gco2e_per_kwh=figure) if region.gco2e_per_kwh is None else region
        for place, region in regions.items()
    }


def _candidates(
    top: Written[WorldFile],
    regions: Mapping[str, Region],
    book: PriceBook,
    known: Known,
    faults: Faults,
) -> tuple[Region, ...]:
    """The known regions that the world's ``places`` hold and the book prices, sorted."""
    before = faults.count
    wanted = place_filter(top.entry.places, top, ("places",), known, faults)
    priced = set(book.places)
    for i, place in enumerate((top.entry.places.places if top.entry.places else None) or ()):
        if place in known.places and place not in priced:
            message = f"{place} has no prices in the book {book.name!r}"
            faults.add(top.at("places", "places", i), message, "remove it, or give a price file")
    candidates = [
        regions[place]
        for place in sorted(regions)
        if place in priced and wanted.holds(regions[place])
    ]
    if not candidates and faults.count == before:
        message = f"no known region with a price matches: {wanted.in_words}"
        faults.add(top.at("places"), message, "ask for fewer things at once under 'places'")
    return tuple(candidates)


def _gpu_models(book: PriceBook) -> set[str]:
    return set(book.offerings["gpu_model"].unique()) - {""}


def _round_trips(
    top: Written[WorldFile], catalogue: Catalogue, known: Known, faults: Faults
) -> RoundTrips:
    latency, round_trips = top.entry.latency, catalogue.round_trips
    points = known.places | known.origins
    named = {name for pair in round_trips.measured_ms for name in pair}
    for name in sorted(named - points):
        faults.unknown(top.at("latency", "measured"), "place or origin", name, points)
    return round_trips if latency.factor is None else replace(round_trips, factor=latency.factor)


def _history(document: WorldDocument, known: Known, faults: Faults) -> pd.DataFrame | None:
    demand = document.content.demand
    if demand.trace is not None:  # read when somebody replays it
        table_path(document.folder, demand.trace, document.at("demand", "trace"), faults)
    at = document.at("demand", "history")
    if demand.history is None:
        return None
    path = table_path(document.folder, demand.history, at, faults)
    if path is None:
        return None
    services = known.service_names
    return read_history(path, services, known.origins, demand.gaps == "fill", faults)
