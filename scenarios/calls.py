"""Who calls whom: dependencies and workflows, their cycles, and whose traffic reaches a service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from models.services import Dependency, Service, Step, Workflow, call_order
from scenarios.entries import DependencyEntry, WorkflowEntry
from scenarios.faults import Faults
from scenarios.known import Known, check_names
from scenarios.nouns import check_unique
from scenarios.tables import Written


def dependencies_of(
    entries: Sequence[Written[DependencyEntry]], known: Known, faults: Faults
) -> tuple[Dependency, ...]:
    """Dependencies, with faults for unknown services, pairs that stand twice, and cycles."""
    services = known.service_names
    seen: set[tuple[str, str]] = set()
    callees: dict[str, list[str]] = {}  # by caller
    for written in entries:
        caller, callee = written.entry.caller, written.entry.callee
        for field, name in (("caller", caller), ("callee", callee)):
            if name not in services:
                faults.unknown(written.at(field), "service", name, services)
        if (caller, callee) in seen:
            message = f"the dependency of {caller!r} on {callee!r} stands twice"
            faults.add(written.at(), message, "keep one and add up its calls_per_request")
        seen.add((caller, callee))
        callees.setdefault(caller, []).append(callee)
    if cycle := _cycle(callees):
        at = next(w.at() for w in entries if [w.entry.caller, w.entry.callee] == cycle[:2])
        message = f"dependencies run in a circle: {_in_words(cycle)}"
        faults.add(at, message, "leave one of these calls out")
    return tuple(
        Dependency(
            caller=written.entry.caller,
            callee=written.entry.callee,
            calls_per_request=written.entry.calls_per_request,
            request_kib=written.entry.request_kib,
            response_kib=written.entry.response_kib,
            at=written.at(),
        )
        for written in entries
    )


def workflows_of(
    entries: Sequence[Written[WorkflowEntry]], known: Known, faults: Faults
) -> tuple[Workflow, ...]:
    """Workflows, with faults for unknown services, steps and origins, and for cycles."""
    check_unique(entries, "workflow", faults)
    services = known.service_names
    for written in entries:
        entry = written.entry
        steps = [step.service for step in entry.steps]
        check_names(entry.origins, written, ("origins",), "origin", known.origins, faults)
        for i, step in enumerate(entry.steps):
            at = written.at("steps", i, "service")
            if step.service not in services:
                faults.unknown(at, "service", step.service, services)
            if step.service in steps[:i]:
                faults.add(at, f"the step {step.service!r} stands twice", "call each service once")
            check_names(step.after, written, ("steps", i, "after"), "step", steps, faults)
        if cycle := _cycle({step.service: step.after for step in entry.steps}):
            message = f"steps of workflow {entry.name!r} wait in a circle: {_in_words(cycle)}"
            faults.add(written.at("steps"), message, "leave one of these 'after' out")
    return tuple(
        Workflow(
            name=written.entry.name,
            steps=tuple(Step(step.service, step.after) for step in written.entry.steps),
            latency_objective_ms=written.entry.latency_objective_ms,
            origins=written.entry.origins,
            at=written.at(),
        )
        for written in entries
    )


def _cycle(follows: Mapping[str, Sequence[str]]) -> list[str]:
    """A cycle of a graph, its first node again at its end; empty when there is none."""
    try:
        TopologicalSorter(follows).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _in_words(cycle: Sequence[str], most: int = 10) -> str:
    if len(cycle) <= most:
        return " → ".join(cycle)
    return f"{' → '.join(cycle[:most])} → ... ({len(cycle) - 1:,} in all)"


def check_reach(
    services: Iterable[Service],
    dependencies: Iterable[Dependency],
    workflows: Iterable[Workflow],
    series: Iterable[tuple[str, str]],
    faults: Faults,
) -> None:
    """Faults for services without traffic of their own or of callers, and for workflows that
    an origin's users cannot run because a step gets no traffic of theirs."""
    reach: dict[str, set[str]] = {service.name: set() for service in services}
    for called, origin in series:
        reach[called].add(origin)
    callers: dict[str, list[str]] = {name: [] for name in reach}
    for dependency in dependencies:
        callers[dependency.callee].append(dependency.caller)
    for name in call_order({name: tuple(others) for name, others in callers.items()}):
        reach[name].update(*(reach[caller] for caller in callers[name]))
    for service in services:
        if not reach[service.name]:
            message = f"{service.name!r} has neither demand history nor callers"
            hint = "add its history, a dependency that calls it, or remove it"
            faults.add(service.at, message, hint)
    for workflow in workflows:
        _check_workflow(workflow, reach, faults)


def _check_workflow(
    workflow: Workflow, reach: Mapping[str, Collection[str]], faults: Faults
) -> None:
    users = Counter(origin for step in workflow.steps for origin in reach[step.service])
    hint = "add history or dependencies that bring it there, or mend 'origins' or 'steps'"
    for origin in workflow.origins:
        if users[origin] < len(workflow.steps):
            without = [s.service for s in workflow.steps if origin not in reach[s.service]]
            message = f"workflow {workflow.name!r}: no traffic of {origin!r} reaches "
            faults.add(workflow.at, message + ", ".join(map(repr, without)), hint)
    if not workflow.origins and max(users.values(), default=0) < len(workflow.steps):
        message = f"workflow {workflow.name!r}: there is no origin whose traffic reaches every step"
        faults.add(workflow.at, message, hint)
