"""Services, origins and policy: entries turned into the nouns of ``models``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from models.changes import ChangeCosts
from models.errors import Location
from models.offerings import Purchase
from models.places import Coordinates, Region
from models.risk import CvarPolicy
from models.services import Origin, Replica, Service
from models.world import DemandScenario, Policy
from scenarios.entries import OriginEntry, PolicyEntry, ServiceEntry
from scenarios.faults import Faults
from scenarios.known import check_names
from scenarios.tables import Written

_POSITION = ("latitude_deg", "longitude_deg", "country", "continent")


def check_unique(entries: Sequence[Written[Any]], what: str, faults: Faults) -> None:
    """Add a fault for each entry whose name another one before it has."""
    first: dict[str, Location] = {}
    for written in entries:
        name = written.entry.name
        if name in first:
            message = f"the {what} {name!r} stands twice (first: {first[name]})"
            faults.add(written.at("name"), message, f"give each {what} a name of its own")
        first.setdefault(name, written.at("name"))


def services_of(
    entries: Sequence[Written[ServiceEntry]], gpu_models: Collection[str], faults: Faults
) -> tuple[Service, ...]:
    """Services, with faults for names that stand twice, unknown GPU models, and state without
    statefulness."""
    check_unique(entries, "service", faults)
    for written in entries:
        entry, replica = written.entry, written.entry.replica
        path = ("replica", "gpu_models")
        check_names(replica.gpu_models, written, path, "GPU model", gpu_models, faults)
        if replica.gpu_models and not replica.gpus:
            faults.add(written.at(*path), "gpu_models without gpus", "add 'gpus: 1'")
        if entry.state_gib and not entry.stateful:
            message = f"{entry.name!r} has state_gib but is not stateful"
            faults.add(written.at("state_gib"), message, "add 'stateful: true'")
    return tuple(_service(written) for written in entries)


def _service(written: Written[ServiceEntry]) -> Service:
    entry, replica = written.entry, written.entry.replica
    return Service(
        name=entry.name,
        replica=Replica(
            vcpus=replica.vcpus,
            memory_gib=replica.memory_gib,
            throughput_rps=replica.throughput_rps,
            service_time_ms=replica.service_time_ms,
            gpus=replica.gpus,
            gpu_models=frozenset(replica.gpu_models),
            boot_s=replica.boot_s,
        ),
        team=entry.team or "",
        architectures=frozenset(entry.architectures),
        min_replicas=entry.min_replicas,
        stateful=entry.stateful,
        state_gib=entry.state_gib,
        spot_tolerant=entry.spot_tolerant,
        max_places=entry.max_places,
        response_kib=entry.response_kib,
        minimum_run_hours=entry.minimum_run_hours,
        unmet_at_most=entry.unmet_at_most,
        unmet_usd_per_million_requests=entry.unmet_usd_per_million_requests,
        at=written.at(),
    )


def origins_of(
    entries: Sequence[Written[OriginEntry]], regions: Mapping[str, Region], faults: Faults
) -> tuple[Origin, ...]:
    """Origins, with faults for names that stand twice or are places, and for unclear positions."""
    check_unique(entries, "origin", faults)
    continents = {region.continent for region in regions.values()}
    origins = []
    for written in entries:
        if written.entry.name in regions:
            message = f"the origin {written.entry.name!r} has the name of a place"
            faults.add(written.at("name"), message, "give it a name of its own")
        if origin := _origin(written, regions, continents, faults):
            origins.append(origin)
    return tuple(origins)


def _origin(
    written: Written[OriginEntry],
    regions: Mapping[str, Region],
    continents: Collection[str],
    faults: Faults,
) -> Origin | None:
    entry = written.entry
    given = [field for field in _POSITION if getattr(entry, field) is not None]
    if entry.near is not None:
        if given:
            message = f"the origin {entry.name!r} has 'near' and {', '.join(given)}"
            faults.add(written.at("near"), message, "give 'near', or all of the others")
        region = regions.get(entry.near)
        if region is None:
            faults.unknown(written.at("near"), "place", entry.near, regions)
            return None
        coordinates = region.coordinates
        return Origin(entry.name, coordinates, region.country, region.continent, written.at())
    if entry.continent is not None and entry.continent not in continents:
        faults.unknown(written.at("continent"), "continent", entry.continent, continents)
    position = entry.latitude_deg, entry.longitude_deg, entry.country, entry.continent
    match position:
        case (float() | int(), float() | int(), str(), str()):
            latitude_deg, longitude_deg, country, continent = position
            coordinates = Coordinates(latitude_deg, longitude_deg)
            return Origin(entry.name, coordinates, country, continent, written.at())
    missing = ", ".join(field for field in _POSITION if field not in given)
    message = f"the origin {entry.name!r} has no place: {missing} missing"
    faults.add(written.at(), message, "write 'near: cloud/region', or give all of them")
    return None


def policy_of(entry: PolicyEntry) -> Policy:
    """How decisions are made."""
    return Policy(
        horizon_hours=entry.horizon_hours,
        demand_quantile=entry.demand_quantile,
        headroom=entry.headroom,
        count_hours=entry.count_hours,
        route_hours=entry.route_hours,
        purchases=frozenset(Purchase(name) for name in entry.purchases),
        burstable=entry.burstable,
        changes=ChangeCosts(**entry.changes.model_dump()),
        gap_target=entry.gap_target,
        time_limit_s=entry.time_limit_s,
        carbon_usd_per_tonne=entry.carbon_usd_per_tonne,
        demand_scenarios=tuple(
            DemandScenario(scenario.quantile, scenario.probability)
            for scenario in sorted(entry.demand_scenarios, key=lambda scenario: scenario.quantile)
        ),
        cvar=None if entry.cvar is None else CvarPolicy(entry.cvar.level, entry.cvar.weight),
        minimum_run_hours=entry.minimum_run_hours,
        unmet_at_most=entry.unmet_at_most,
        unmet_usd_per_million_requests=entry.unmet_usd_per_million_requests,
        unserved_share=entry.unserved_share,
    )
