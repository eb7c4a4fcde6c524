"""Which places may serve which origins' traffic of which service, and why not the others.

Residency, certification, allowed places and latency rule out (service, origin, place) triples
before the solver sees them. Every exclusion keeps its rule and its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from models.places import Region
from models.rules import (
    AllowedPlacesRule,
    CertificationRule,
    LatencyRule,
    ResidencyRule,
    WorkflowRule,
)
from models.services import Workflow
from models.world import World
from optimizer.problem import Bools, Floats

NOTHING_FITS = "offerings"
"""Stands for the rule's name where a place has no instance type that holds the service."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Service ``service`` must not serve ``origin`` ("" for all) from ``place``."""

    service: str
    origin: str
    place: str
    rule: str
    reason: str


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
    exclusions: tuple[Exclusion, ...]


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
    exclusions: list[Exclusion] = []
    for (s, r), reason in lacks:
        allowed[s, :, r] = False
        exclusions.append(
            Exclusion(world.services[s].name, "", world.regions[r].place, NOTHING_FITS, reason)
        )
    for rule in world.rules:
        match rule:
            case AllowedPlacesRule() | CertificationRule() | ResidencyRule():
                _by_place(rule, world, allowed, exclusions)
            case LatencyRule():
                _by_latency(rule, world, distances, allowed, exclusions)
            case _:
                pass
    workflows = {rule.workflow: rule for rule in world.rules if isinstance(rule, WorkflowRule)}
    for workflow in world.workflows:  # after the others: they bound what a path can still use
        if workflow.name in workflows:
            rule = workflows[workflow.name]
            for g in bound_origins(workflow, world, asked):
                _by_workflow(rule, workflow, world, distances, g, allowed, exclusions)
    return Reach(allowed, tuple(exclusions))


def _by_place(
    rule: AllowedPlacesRule | CertificationRule | ResidencyRule,
    world: World,
    allowed: Bools,
    exclusions: list[Exclusion],
) -> None:
    origins = rule.origins if isinstance(rule, ResidencyRule) else ()
    columns = [g for g, o in enumerate(world.origins) if not origins or o.name in origins]
    bound = set(rule.services)
    rows = [s for s, service in enumerate(world.services) if service.name in bound]
    for r, region in enumerate(world.regions):
        reason = _objection(rule, region)
        if reason is None:
            continue
        allowed[np.ix_(rows, columns, [r])] = False
        exclusions.extend(
            Exclusion(world.services[s].name, origin, region.place, rule.name, reason)
            for s in rows
            for origin in (origins or ("",))
        )


def _objection(
    rule: AllowedPlacesRule | CertificationRule | ResidencyRule, region: Region
) -> str | None:
    """Why the rule shuts the region out, in words; None when it does not."""
    match rule:
        case ResidencyRule() if not rule.jurisdictions & region.jurisdictions:
            own = ", ".join(sorted(region.jurisdictions)) or "no known law"
            asked = " or ".join(sorted(rule.jurisdictions))
            return f"stands under the law of {own}, not of {asked}"
        case CertificationRule() if missing := rule.certificates - region.certifications:
            return f"does not hold {', '.join(sorted(missing))}"
        case AllowedPlacesRule(allow=allow) if allow is not None and not allow.holds(region):
            return f"is not among the allowed places ({allow.in_words})"
        case AllowedPlacesRule(forbid=forbid) if forbid is not None and forbid.holds(region):
            return f"is forbidden ({forbid.in_words})"
        case _:
            return None


def _by_latency(
    rule: LatencyRule,
    world: World,
    distances: Distances,
    allowed: Bools,
    exclusions: list[Exclusion],
) -> None:
    s = next(i for i, service in enumerate(world.services) if service.name == rule.service)
    service_time = world.services[s].replica.service_time_ms
    answer_ms = distances.from_origin + service_time
    bound = [g for g, o in enumerate(world.origins) if not rule.origins or o.name in rule.origins]
    for g in bound:
        for r in np.flatnonzero(answer_ms[g] > rule.within_ms):
            allowed[s, g, r] = False
            exclusions.append(
                Exclusion(
                    rule.service,
                    world.origins[g].name,
                    world.regions[r].place,
                    rule.name,
                    f"answers users of {world.origins[g].name} in {answer_ms[g, r]:.0f} ms "
                    f"({distances.from_origin[g, r]:.0f} ms round trip + {service_time:g} ms), "
                    f"not within {rule.within_ms:g} ms",
                )
            )


@dataclass(frozen=True, eq=False)
class PathTimes:
    """For one workflow and origin, per step and region, ms.

    ``soonest_end`` [step, region]: the earliest that the step can end there;
    ``soonest_rest`` [step, region]: the least that must still follow. Infinite where not allowed.
    ``latest_end`` [step, region]: the latest end over all places that remain allowed.
    """

    soonest_end: Floats
    soonest_rest: Floats
    latest_end: Floats


def path_times(
    workflow: Workflow,
    world: World,
    distances: Distances,
    origin: int,
    allowed: Bools,
) -> PathTimes:
    """Best and worst times along the workflow's paths, by dynamic programming over its DAG.

    ``allowed`` has shape [step, region], steps in ``workflow.in_order()``.
    """
    steps = workflow.in_order()
    index = {step.service: i for i, step in enumerate(steps)}
    replica = {service.name: service.replica for service in world.services}
    own_ms = np.array([replica[step.service].service_time_ms for step in steps])
    soonest = np.full(allowed.shape, np.inf)
    latest = np.full(allowed.shape, -np.inf)
    for j, step in enumerate(steps):
        if step.after:
            arrivals = [
                (soonest[index[before]][:, None] + distances.between).min(axis=0)
                for before in step.after
            ]
            late = [
                (latest[index[before]][:, None] + distances.between).max(axis=0)
                for before in step.after
            ]
            first, last = np.max(arrivals, axis=0), np.max(late, axis=0)
        else:
            first = last = distances.from_origin[origin]
        soonest[j] = np.where(allowed[j], first + own_ms[j], np.inf)
        latest[j] = np.where(allowed[j], last + own_ms[j], -np.inf)
    rest = np.zeros(allowed.shape)
    for j in range(len(steps) - 1, -1, -1):
        onward = [
            (distances.between + own_ms[i] + _open(rest[i], allowed[i])[None, :]).min(axis=1)
            for i, later in enumerate(steps)
            if steps[j].service in later.after
        ]
        rest[j] = np.max(onward, axis=0) if onward else 0.0
    return PathTimes(soonest, _open(rest, allowed), latest)


def _open(values: Floats, allowed: Bools) -> Floats:
    return np.where(allowed, values, np.inf)


def _by_workflow(
    rule: WorkflowRule,
    workflow: Workflow,
    world: World,
    distances: Distances,
    g: int,
    allowed: Bools,
    exclusions: list[Exclusion],
) -> None:
    """Rule out places through which even the fastest path is too slow, until nothing changes."""
    row = {service.name: s for s, service in enumerate(world.services)}
    rows = [row[step.service] for step in workflow.in_order()]
    users = world.origins[g].name
    while True:
        times = path_times(workflow, world, distances, g, allowed[rows, g])
        fastest = times.soonest_end + times.soonest_rest
        too_slow = allowed[rows, g] & (fastest > rule.within_ms)
        if not too_slow.any():
            return
        for i, r in zip(*np.nonzero(too_slow), strict=True):
            allowed[rows[i], g, r] = False
            at_best = "no path is left"
            if np.isfinite(fastest[i, r]):
                at_best = f"it takes at least {fastest[i, r]:.0f} ms, not {rule.within_ms:g} ms"
            exclusions.append(
                Exclusion(
                    world.services[rows[i]].name,
                    users,
                    world.regions[r].place,
                    rule.name,
                    f"workflow {workflow.name} for users of {users}: through this place {at_best}",
                )
            )


def bound_origins(workflow: Workflow, world: World, asked: Bools | None = None) -> list[int]:
    """Indices of the origins whose users run the workflow, and ask for all of its steps."""
    row = {service.name: s for s, service in enumerate(world.services)}
    rows = [row[step.service] for step in workflow.steps]
    return [
        g
        for g, origin in enumerate(world.origins)
        if (not workflow.origins or origin.name in workflow.origins)
        and (asked is None or bool(asked[rows, g].all()))
    ]
