"""Best and worst times along the paths of a workflow, over the places that its steps may use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.rules import WorkflowRule
from models.services import Step, Workflow
from models.world import World
from optimizer.problem import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class PathTimes:
    """For one workflow, per origin, step and region, ms.

    ``soonest_end`` [origin, step, region]: the earliest that the step can end there;
    ``soonest_rest``: the least that must still follow. Infinite where not allowed.
    ``latest_end``: the latest end over all places that remain allowed.
    """

    soonest_end: Floats
    soonest_rest: Floats
    latest_end: Floats


@dataclass(frozen=True, eq=False)
class Paths:
    """A workflow that a rule bounds, as arrays over its steps, each behind those it waits for.

    ``services`` [step] are indices of the world's services, ``own_ms`` [step] their service times;
    step j waits for steps ``before[starts[j]:starts[j + 1]]``. ``origins`` are bound.
    """

    workflow: Workflow
    rule: WorkflowRule
    steps: tuple[Step, ...]
    services: Ints
    own_ms: Floats
    starts: Ints
    before: Ints
    origins: Ints

    def bound(self, asked: Bools | None) -> Ints:
        """The origins that are bound and ask for all steps; ``asked`` [service, origin]."""
        if asked is None:
            return self.origins
        return self.origins[asked[self.services][:, self.origins].all(axis=0)]

    def times(self, from_origin: Floats, between: Floats, allowed: Bools) -> PathTimes:
        """By dynamic programming over the workflow's steps: round trips [origin, region] and
        [region, region], ms, over places ``allowed`` [origin, step, region].
        """
        soonest = np.full(allowed.shape, np.inf)
        latest = np.full(allowed.shape, -np.inf)
        for j, own_ms in enumerate(self.own_ms.tolist()):
            first = last = from_origin
            if len(before := self.waits_for(j)):
                first = np.max([_from(soonest[:, i], between).min(1) for i in before], axis=0)
                last = np.max([_from(latest[:, i], between).max(1) for i in before], axis=0)
            soonest[:, j] = np.where(allowed[:, j], first + own_ms, np.inf)
            latest[:, j] = np.where(allowed[:, j], last + own_ms, -np.inf)
        rest = np.where(allowed, 0.0, np.inf)
        for j in range(len(self.steps) - 1, -1, -1):
            if len(before := self.waits_for(j)):
                onward = _from(rest[:, j], between + self.own_ms[j]).min(1)
                for i in before:
                    rest[:, i] = np.maximum(rest[:, i], onward)
        return PathTimes(soonest, rest, latest)

    def waits_for(self, step: int) -> Ints:
        """The steps that must end before ``step`` starts."""
        return self.before[self.starts[step] : self.starts[step + 1]]


def _from(times: Floats, between: Floats) -> Floats:
    """[origin, region, region]: ``times`` [origin, region] and the way from there to each."""
    return times[:, :, None] + between


def bound_paths(world: World) -> Iterator[Paths]:
    """Every workflow that a rule bounds."""
    rules = {rule.workflow: rule for rule in world.rules if isinstance(rule, WorkflowRule)}
    number = {origin.name: g for g, origin in enumerate(world.origins)}
    for workflow in world.workflows:
        if workflow.name not in rules:
            continue
        steps = workflow.in_order()
        position = {step.service: j for j, step in enumerate(steps)}
        services = [world.service_index[step.service] for step in steps]
        origins = [number[name] for name in workflow.origins] or number.values()
        yield Paths(
            workflow,
            rules[workflow.name],
            steps,
            np.array(services, np.int64),
            np.array([world.services[s].replica.service_time_ms for s in services], np.float64),
            np.cumsum([0, *(len(step.after) for step in steps)]),
            np.array([position[name] for step in steps for name in step.after], np.int64),
            np.array(sorted(origins), np.int64),
        )
