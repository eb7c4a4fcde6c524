"""Which places may serve which origins' traffic of which service, and why not the others.

Residency, certification, allowed places and latency rule out (service, origin, place) triples
before the solver sees them. Every exclusion keeps its rule and its reason; there are millions of
them in large fleets, so they are kept as numbers and put into words when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from models.rules import (
    AllowedPlacesRule,
    CertificationRule,
    LatencyRule,
    ResidencyRule,
)
from models.world import World
from optimizer.formulate.objections import Exclusions, Found, objection
from optimizer.formulate.paths import Paths, bound_paths
from optimizer.problem import Bools, Floats, Ints

RULES_AT_ONCE = 1000


@dataclass(frozen=True, eq=False)
class Distances:
    """Round trips, ms: ``from_origin`` [origin, region] and ``between`` [region, region]."""

    from_origin: Floats
    between: Floats


@dataclass(frozen=True, eq=False)
class Reach:
    """``allowed`` [service, origin, region] and the reasons for everything that is not.

    Reasons overlap: a triple that breaks two rules has two exclusions.
    """

    allowed: Bools
    exclusions: Exclusions


def measure(world: World) -> Distances:
    origins = {origin.name: origin.coordinates for origin in world.origins}
    places = {region.place: region.coordinates for region in world.regions}
    between = world.round_trips.between(places, places)
    return Distances(world.round_trips.between(origins, places), between)


def find_reach(
    world: World,
    distances: Distances,
    lacks: Iterable[tuple[tuple[int, int], str]],
    asked: Bools | None = None,
) -> Reach:
    """Apply every rule that excludes places, in the order in which they are written.

    ``asked`` [service, origin] says which origins ask for which services (None: all for all); a
    workflow does not bind an origin that never asks for one of its steps.
    """
    allowed = np.ones((len(world.services), len(world.origins), len(world.regions)), np.bool_)
    missing = dict(lacks)
    pairs = np.array(list(missing), np.int64).reshape(-1, 2)
    found = [Found.of(-1, pairs[:, 0], -1, pairs[:, 1])]
    allowed[pairs[:, 0], :, pairs[:, 1]] = False

    latency: list[tuple[int, LatencyRule]] = []
    by_rule: list[Found] = []
    for number, rule in enumerate(world.rules):
        match rule:
            case AllowedPlacesRule() | CertificationRule() | ResidencyRule():
                by_rule.append(_by_place(number, rule, world, allowed))
            case LatencyRule():
                latency.append((number, rule))
            case _:
                pass
    for first in range(0, len(latency), RULES_AT_ONCE):
        chunk = latency[first : first + RULES_AT_ONCE]
        by_rule.append(_by_latency(chunk, world, distances, allowed))
    if by_rule:
        found.append(Found.joined(by_rule).in_order_of_rules())
    numbers = {id(rule): number for number, rule in enumerate(world.rules)}
    for paths in bound_paths(world):  # after the others: they bound what a path can still use
        number = numbers[id(paths.rule)]
        found += _by_workflow(number, paths, distances, paths.bound(asked), allowed)
    return Reach(allowed, Exclusions(world, distances.from_origin, missing, Found.joined(found)))


def _by_place(
    number: int,
    rule: AllowedPlacesRule | CertificationRule | ResidencyRule,
    world: World,
    allowed: Bools,
) -> Found:
    origins = rule.origins if isinstance(rule, ResidencyRule) else ()
    index = {origin.name: g for g, origin in enumerate(world.origins)}
    columns = np.array([index[name] for name in origins or index], np.int64)
    rows = np.array(sorted({world.service_index[name] for name in rule.services}), np.int64)
    shut = np.array([r for r, region in enumerate(world.regions) if objection(rule, region)])
    shut = shut.astype(np.int64)
    allowed[np.ix_(rows, columns, shut)] = False
    told = columns if origins else np.array([-1])
    region, service, origin = np.meshgrid(shut, rows, told, indexing="ij")
    return Found.of(number, service.ravel(), origin.ravel(), region.ravel())


def _by_latency(
    rules: list[tuple[int, LatencyRule]], world: World, distances: Distances, allowed: Bools
) -> Found:
    index = {origin.name: g for g, origin in enumerate(world.origins)}
    number = np.array([number for number, _ in rules], np.int64)
    service = np.array([world.service_index[rule.service] for _, rule in rules], np.int64)
    within_ms = np.array([rule.within_ms for _, rule in rules])
    own_ms = np.array([world.services[s].replica.service_time_ms for s in service.tolist()])
    bound = np.ones((len(rules), len(world.origins)), np.bool_)
    for i, (_, rule) in enumerate(rules):
        if rule.origins:
            bound[i] = False
            bound[i, [index[name] for name in rule.origins]] = True
    slow = distances.from_origin + own_ms[:, None, None] > within_ms[:, None, None]
    of_rule, origin, region = np.nonzero(slow & bound[:, :, None])
    allowed[service[of_rule], origin, region] = False
    return Found.of(number[of_rule], service[of_rule], origin, region)


def _by_workflow(
    number: int, paths: Paths, distances: Distances, bound: Ints, allowed: Bools
) -> list[Found]:
    """Rule out places through which even the fastest path is too slow, until nothing changes."""
    found = []
    where = np.ix_(bound, paths.services)
    open_places = allowed.swapaxes(0, 1)[where]
    while len(bound):
        times = paths.times(distances.from_origin[bound], distances.between, open_places)
        fastest = times.soonest_end + times.soonest_rest
        too_slow = open_places & (fastest > paths.rule.within_ms)
        if not too_slow.any():
            break
        open_places &= ~too_slow
        g, step, region = np.nonzero(too_slow)
        found.append(
            Found.of(number, paths.services[step], bound[g], region, fastest[g, step, region])
        )
    if not found:
        return []
    allowed.swapaxes(0, 1)[where] = open_places
    return [Found.joined(found).in_order_of_origins()]
