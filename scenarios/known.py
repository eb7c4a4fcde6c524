"""The names that worlds and what-ifs may use, and the faults of those that they may not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from models.errors import Location
from models.places import PlaceFilter, Region
from models.services import Service
from models.world import Catalogue
from scenarios.faults import Faults
from scenarios.fields import Places, TeamServices
from scenarios.tables import Written


@dataclass(frozen=True)
class Known:
    """Names by kind. ``left_out`` are services whose own entries are faulty: they are known, so
    that nobody is told that they are not, but stand for nothing."""

    services: dict[str, str]
    """Team by service."""
    origins: frozenset[str]
    places: frozenset[str]
    countries: frozenset[str]
    continents: frozenset[str]
    jurisdictions: frozenset[str]
    certificates: frozenset[str]
    families: frozenset[str]
    left_out: frozenset[str] = frozenset()

    @cached_property
    def by_team(self) -> dict[str, tuple[str, ...]]:
        """Services of each team, in the order of the world."""
        teams: dict[str, list[str]] = {}
        for name, team in self.services.items():
            teams.setdefault(team, []).append(name)
        return {team: tuple(names) for team, names in teams.items()}

    @cached_property
    def teams(self) -> frozenset[str]:
        return frozenset(self.by_team) - {""}

    @cached_property
    def service_names(self) -> frozenset[str]:
        """Every service that may be named, faulty ones included."""
        return self.left_out.union(self.services)


def known_names(
    services: Iterable[Service],
    origins: Iterable[str],
    regions: Collection[Region],
    catalogue: Catalogue,
    left_out: frozenset[str] = frozenset(),
) -> Known:
    """All names of a world. ``regions`` are all known regions, candidates or not."""
    return Known(
        services={service.name: service.team for service in services},
        origins=frozenset(origins),
        places=frozenset(region.place for region in regions),
        countries=frozenset(region.country for region in regions),
        continents=frozenset(region.continent for region in regions),
        jurisdictions=frozenset().union(*(region.jurisdictions for region in regions)),
        certificates=frozenset().union(*(region.certifications for region in regions)),
        families=frozenset(catalogue.book.offerings["family"].unique()),
        left_out=left_out,
    )


def place_filter(
    places: Places | None, written: Written[Any], path: tuple[str | int, ...], known: Known,
    faults: Faults,
) -> PlaceFilter:  # fmt: skip
    """The set of places that stands at ``path`` of an entry."""
    if places is None:
        return PlaceFilter()
    if not places.model_fields_set:
        faults.add(
            written.at(*path),
            "an empty set of places",
            f"give one of {', '.join(Places.model_fields)}",
        )
    for field, what, names in (
        ("places", "place", known.places),
        ("countries", "country", known.countries),
        ("continents", "continent", known.continents),
        ("jurisdictions", "jurisdiction", known.jurisdictions),
    ):
        check_names(getattr(places, field) or (), written, (*path, field), what, names, faults)
    return places.as_filter()


def check_names(
    names: Sequence[str],
    written: Written[Any],
    path: tuple[str | int, ...],
    what: str,
    known: Collection[str],
    faults: Faults,
) -> None:
    """Add a fault for each of ``names``, listed at ``path``, that is not known or stands twice."""
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name not in known:
            faults.unknown(written.at(*path, i), what, name, known)
        elif name in seen:
            faults.add(written.at(*path, i), f"{what} {name!r} stands twice", "remove one")
        seen.add(name)


def selected_services(
    chosen: str | Sequence[str] | TeamServices,
    written: Written[Any],
    known: Known,
    faults: Faults,
    path: tuple[str | int, ...] = ("services",),
) -> tuple[str, ...]:
    """The services that ``chosen`` selects, in the order of the world or as listed."""
    if isinstance(chosen, TeamServices):
        check_team(chosen.team, written.at(*path, "team"), known, faults)
        return known.by_team.get(chosen.team, ())
    if isinstance(chosen, str):
        return tuple(known.services)
    check_names(chosen, written, path, "service", known.service_names, faults)
    return tuple(chosen)


def check_team(team: str, at: Location, known: Known, faults: Faults) -> None:
    """Add a fault for a team without services (unless a faulty service may be its own)."""
    if team not in known.teams and not known.left_out:
        faults.unknown(at, "team", team, known.teams)
