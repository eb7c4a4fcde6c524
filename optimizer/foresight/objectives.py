"""What a service itself may take: objectives of latency less the way, as the fleet runs today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.rules import LatencyRule, WorkflowRule
from models.services import Workflow
from models.world import World
from optimizer.todays_fleet import TodaysFleet

Values = NDArray[np.float64]

STATED: Final = "service_time_ms"


@dataclass(frozen=True, slots=True)
class Objective:
    """``ms``: what the service itself may take; ``of``: by which rule, or ``STATED``."""

    ms: float
    of: str


def objectives(world: World) -> dict[str, Objective]:
    """By service: the tightest of the latency rules that bind it, each less the way; for services
    without, ``service_time_ms``; none where that is not given either.

    The way is that of users to the nearest place that runs the service today, and, of a workflow,
    the longest through the service: round trips and the stated times of the other steps. A rule
    that the way and the service's own stated time break says nothing of load, but of where it
    runs: it is passed over, and so is one of what runs nowhere.
    """
    found = {
        service.name: Objective(service.replica.service_time_ms, STATED)
        for service in world.services
        if service.replica.service_time_ms > 0
    }
    rules: dict[str, Objective] = {}
    fleet = TodaysFleet(world)
    for rule in world.rules:
        if not isinstance(rule, LatencyRule | WorkflowRule):
            continue
        for service, ways in _ways(world, fleet, rule):
            name, way = max(ways.items(), key=lambda one: one[1], default=("", np.inf))
            left = rule.within_ms - way
            least = found[service].ms if service in found else 0.0
            if left > 0 and left >= least and (service not in rules or left < rules[service].ms):
                of = f"{rule.in_words}; {way:.0f} ms of that is the way from {name}"
                rules[service] = Objective(round(left, 1), of)
    return found | rules


def _ways(
    world: World, fleet: TodaysFleet, rule: LatencyRule | WorkflowRule
) -> Iterator[tuple[str, dict[str, float]]]:
    """Services that a rule binds, with what else passes until its users have their answer, in ms,
    by origin; not of origins that nothing answers.
    """
    if isinstance(rule, LatencyRule):
        nearest = fleet.nearest[world.service_index[rule.service]]
        trips = fleet.from_origin_ms[np.arange(len(nearest)), nearest]
        bound, besides = rule.origins, {rule.service: np.where(nearest >= 0, trips, np.nan)}
    else:
        workflow = next(one for one in world.workflows if one.name == rule.workflow)
        bound, besides = workflow.origins, _besides(world, fleet, workflow)
    for service, way in besides.items():
        yield (
            service,
            {
                origin.name: float(ms)
                for origin, ms in zip(world.origins, way, strict=True)
                if (not bound or origin.name in bound) and np.isfinite(ms)
            },
        )


def _besides(world: World, fleet: TodaysFleet, workflow: Workflow) -> dict[str, Values]:
    """By service of a workflow: the longest way through it without its own time, in ms [origin];
    NaN where a step runs nowhere.
    """
    steps = workflow.in_order()
    at = {step.service: fleet.nearest[world.service_index[step.service]] for step in steps}
    own = {name: world.services[world.service_index[name]].replica.service_time_ms for name in at}
    users = np.arange(len(world.origins))
    starts: dict[str, Values] = {}
    for step in steps:
        name = step.service
        before = [
            starts[one] + own[one] + fleet.between_ms[at[one], at[name]] for one in step.after
        ]
        starts[name] = np.max(before or [fleet.from_origin_ms[users, at[name]]], axis=0)
    follows: dict[str, Values] = {name: np.zeros(len(users)) for name in at}
    for step in reversed(steps):
        for one in step.after:
            later = fleet.between_ms[at[one], at[step.service]] + own[step.service]
            follows[one] = np.maximum(follows[one], later + follows[step.service])
    nowhere = np.any([places < 0 for places in at.values()], axis=0)
    return {name: np.where(nowhere, np.nan, starts[name] + follows[name]) for name in at}
