"""Why a service may not run in a place."""

from __future__ import annotations

from models.errors import Fault, FaultyInput
from models.world import World
from optimizer.formulate.market import survey
from optimizer.formulate.objections import Exclusion
from optimizer.formulate.reach import Reach, find_reach, measure
from scenarios.faults import nearest


def why_not(world: World, service: str, place: str) -> tuple[Exclusion, ...]:
    """Every reason that keeps ``service`` out of ``place``, for all or for some origins.

    Empty when nothing does: it may run there, and does not only if that would cost more.
    Raises ``FaultyInput`` for names that the world does not have.
    """
    exclusions = _reach(world, service, place).exclusions
    return tuple(exclusions.of(*_index(world, service, place)))


def serves(world: World, service: str, place: str) -> tuple[str, ...]:
    """The origins whose traffic ``service`` may serve from ``place``."""
    allowed = _reach(world, service, place).allowed
    s, r = _index(world, service, place)
    return tuple(o.name for g, o in enumerate(world.origins) if allowed[s, g, r])


def _reach(world: World, service: str, place: str) -> Reach:
    _must_know(world, service, place)
    return find_reach(world, measure(world), survey(world).lacks.items())


def _index(world: World, service: str, place: str) -> tuple[int, int]:
    return world.service_index[service], [r.place for r in world.regions].index(place)


def _must_know(world: World, service: str, place: str) -> None:
    faults = []
    services = [s.name for s in world.services]
    if service not in services:
        faults.append(
            Fault(world.at, f"no service is called {service!r}", nearest(service, services))
        )
    places = [r.place for r in world.regions]
    if place not in places:
        faults.append(
            Fault(world.at, f"{place!r} is not a candidate place", nearest(place, places))
        )
    if faults:
        raise FaultyInput(faults)
