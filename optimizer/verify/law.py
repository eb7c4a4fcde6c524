"""Where a service may serve whom: every rule about single places, and the paths of workflows."""

from __future__ import annotations

from collections.abc import Sequence
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
from models.services import Step, Workflow
from optimizer.verify.case import TOLERANCE, Bools, Case, Floats, Ints

PlaceRule = ResidencyRule | CertificationRule | AllowedPlacesRule | LatencyRule


def services_of(rule: PlaceRule) -> tuple[str, ...]:
    return (rule.service,) if isinstance(rule, LatencyRule) else rule.services


def binds_traffic_only(rule: PlaceRule) -> bool:
    """Whether a place is shut to some users' traffic, and not to the service as such."""
    return isinstance(rule, LatencyRule) or (isinstance(rule, ResidencyRule) and bool(rule.origins))


def shut(case: Case, rule: PlaceRule, service: int) -> Bools:
    """[origin, region]: what the rule keeps the service's traffic out of."""
    closed: Bools
    if isinstance(rule, LatencyRule):
        own_ms = case.world.services[service].replica.service_time_ms
        closed = case.from_origin_ms + own_ms > rule.within_ms * (1 + TOLERANCE)
    else:
        wrong = [not _admits(rule, region) for region in case.world.regions]
        closed = np.broadcast_to(wrong, (len(case.origins), len(wrong))).copy()
    if isinstance(rule, LatencyRule | ResidencyRule) and rule.origins:
        free = [name not in rule.origins for name in case.origins]
        closed[free] = False
    return closed


def _admits(rule: ResidencyRule | CertificationRule | AllowedPlacesRule, region: Region) -> bool:
    match rule:
        case ResidencyRule():
            return not rule.jurisdictions.isdisjoint(region.jurisdictions)
        case CertificationRule():
            return rule.certificates.issubset(region.certifications)
        case AllowedPlacesRule():
            inside = rule.allow is None or rule.allow.holds(region)
            return inside and (rule.forbid is None or not rule.forbid.holds(region))


@dataclass(frozen=True, eq=False)
class Bound:
    """A workflow, its rule, and an origin whose users run it."""

    rule: WorkflowRule
    steps: tuple[Step, ...]
    services: Ints
    origin: int


def bound_workflows(case: Case) -> list[Bound]:
    """Every origin that a workflow's rule binds: one that asks for all of its steps."""
    workflows = {workflow.name: workflow for workflow in case.world.workflows}
    bound = []
    for rule in case.world.rules:
        if isinstance(rule, WorkflowRule):
            workflow = workflows[rule.workflow]
            steps = workflow.in_order()
            services = np.array([case.services[step.service] for step in steps], np.int64)
            bound += [
                Bound(rule, steps, services, g)
                for g in _users_of(case, workflow)
                if case.asks[services, g].all()
            ]
    return bound


def _users_of(case: Case, workflow: Workflow) -> list[int]:
    return [case.origins[name] for name in workflow.origins or case.origins]


def ends_ms(case: Case, bound: Bound, at: Sequence[Bools], *, slowest: bool) -> list[Floats]:
    """When each step ends in each place, ms: at best, or at worst, over the places of the others.

    ``at`` [step][region] are the places that each step may run in. A step that waits for several
    starts when the last of them has ended.
    """
    pick, shut_at = (np.max, -np.inf) if slowest else (np.min, np.inf)
    index = {step.service: i for i, step in enumerate(bound.steps)}
    ends: list[Floats] = []
    for j, step in enumerate(bound.steps):
        begins = [
            pick(ends[index[before]][:, None] + case.between_ms, axis=0) for before in step.after
        ]
        first = np.max(begins, axis=0) if begins else case.from_origin_ms[bound.origin]
        own_ms = case.world.services[int(bound.services[j])].replica.service_time_ms
        ends.append(np.where(at[j], first + own_ms, shut_at))
    return ends


def lawful(case: Case, sold: Bools) -> Bools:
    """[service, origin, region]: where traffic may go by every rule about places and latency.

    ``sold`` [service, region]: where something that holds the service can be bought. A place is
    out, too, when every path of a workflow through it is too slow, whatever the other steps use.
    """
    allowed: Bools = np.repeat(sold[:, None, :], len(case.origins), axis=1)
    for rule in case.world.rules:
        if isinstance(rule, PlaceRule):
            for name in services_of(rule):
                allowed[case.services[name]] &= ~shut(case, rule, case.services[name])
    bound = bound_workflows(case)
    changed = True
    while changed:
        changed = any(_shut_slow_places(case, one, allowed) for one in bound)
    return allowed


def _shut_slow_places(case: Case, bound: Bound, allowed: Bools) -> bool:
    """Take away places through which no path is fast enough; whether any was there."""
    limit = bound.rule.within_ms * (1 + TOLERANCE)
    changed = False
    for j, s in enumerate(bound.services.tolist()):
        for r in np.flatnonzero(allowed[s, bound.origin]).tolist():
            at = [allowed[int(i), bound.origin] for i in bound.services]
            at[j] = np.arange(len(at[j])) == r
            ends = ends_ms(case, bound, at, slowest=False)
            if max(float(end.min()) for end in ends) > limit:
                allowed[s, bound.origin, r] = False
                changed = True
    return changed
