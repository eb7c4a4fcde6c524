"""The clouds that a collection file names, each by its own SDK, imported only when it is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Final

from models.world import World
from optimizer import late
from optimizer.gather import gather
from providers.seam import Provider, Reading
from providers.simulated.cloud import zones_of
from providers.simulated.provider import provider_of, simulate
from providers.simulated.script import (
    BrokenPage,
    Event,
    LostAnswers,
    NeverHealthy,
    NoCapacity,
    Outage,
    PriceMove,
    Reclaim,
    Script,
    Span,
    Throttling,
)
from scenarios.collect_entries import EventEntry, SimulatedEntry
from scenarios.collecting import Collection
from scenarios.faults import Faults

FindWorld = Callable[[str], Path]
"""The file of a world by its name or path."""


def providers_of(collection: Collection, find_world: FindWorld) -> tuple[Provider, ...]:
    """All clouds of a collection; raises what making their clients raises."""
    named, folder = collection.content, collection.path.parent
    if named.simulated is not None:
        return _simulated(collection, named.simulated, find_world)
    return tuple(
        late.cloud(cloud).provider(entry, folder)
        for cloud in late.CLOUDS
        if (entry := getattr(named, cloud)) is not None
    )


def _simulated(
    collection: Collection, entry: SimulatedEntry, find_world: FindWorld
) -> tuple[Provider, ...]:
    beside = collection.path.parent / entry.world
    world, _ = gather(beside if _is_there(beside) else find_world(entry.world))
    _check_events(collection, entry.events, world)
    events = tuple(_EVENTS[one.happens](one) for one in entry.events)
    clouds = simulate(world, Script(entry.seed, entry.boot_s, events))
    for cloud in clouds.values():
        cloud.advance(entry.after_s)
    return tuple(provider_of(cloud, world) for cloud in clouds.values())


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no name that the system takes, or none that may be looked at
        return False


def _check_events(collection: Collection, events: Sequence[EventEntry], world: World) -> None:
    """Refuse events about what the world does not have, or that end first: nothing happens."""
    faults = Faults()
    places = {region.place: region for region in world.regions}
    types = set(world.book.offerings["instance_type"])
    for i, event in enumerate(events):
        there = [places[event.place]] if event.place in places else list(places.values())
        zones = {zone for region in there for zone in zones_of(region)}
        for key, what, known in (
            ("place", "place", places.keys()),
            ("zone", "zone", zones),
            ("instance_type", "instance type", types),
            ("reading", "list", {reading.value for reading in Reading}),
        ):
            given = getattr(event, key)
            if given is not None and given not in known:
                faults.unknown(
                    collection.at("simulated", "events", i, key), what, given, set(known)
                )
        if event.to_s is not None and event.to_s <= event.from_s:
            at = collection.at("simulated", "events", i, "to_s")
            message = f"it ends at {event.to_s:g} s, before it has started"
            faults.add(at, message, f"give more than from_s, {event.from_s:g}")
    if faults.count:
        raise faults.refusal()


def _span(entry: EventEntry) -> Span:
    return Span(entry.from_s, inf if entry.to_s is None else entry.to_s)


def _any(name: str | None) -> str:
    return "" if name is None else str(name)


_EVENTS: Final[dict[str, Callable[[EventEntry], Event]]] = {
    "outage": lambda e: Outage(_any(e.place), _span(e)),
    "no_capacity": lambda e: NoCapacity(
        _any(e.place), _any(e.zone), _any(e.instance_type), _any(e.purchase), _span(e)
    ),
    "reclaim": lambda e: Reclaim(e.from_s, _any(e.place), _any(e.instance_type), e.share),
    "prices_move": lambda e: PriceMove(
        e.from_s, e.factor, _any(e.place), _any(e.instance_type), _any(e.purchase)
    ),
    "throttling": lambda e: Throttling(e.count, _span(e)),
    "answers_lost": lambda e: LostAnswers(e.count, e.from_s),
    "never_healthy": lambda e: NeverHealthy(_any(e.place), _span(e)),
    "page_breaks": lambda e: BrokenPage(e.reading or "instances", e.count, _any(e.place), _span(e)),
}
