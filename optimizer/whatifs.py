"""Plans of a world and of its what-ifs, each an independent piece of work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from models.demand import History
from models.plan import Outcome
from models.world import Catalogue, World
from optimizer.executor.seam import Executor, Shared
from optimizer.plan import Method, make_plan
from scenarios.whatif import Scenario, apply


def plan_whatifs(
    world: World,
    catalogue: Catalogue,
    scenarios: Sequence[Scenario],
    backend: str,
    executor: Executor,
    method: Method = Method.AUTO,
) -> Iterator[Outcome]:
    """What planning ``world`` as it is ends in, then what it ends in under each of ``scenarios``.

    Each has the time limit of the policy to itself; those that work at the same time share the
    machine. Raises what ``make_plan`` and ``apply`` raise.
    """
    facts = executor.share((world, catalogue))
    worlds = (world, *(apply(scenario, world, catalogue) for scenario in scenarios))
    pieces = [(facts, scenario, backend, method) for scenario in (None, *scenarios)]
    for changed, outcome in zip(worlds, executor.map(_plan, pieces), strict=True):
        yield replace(outcome, world=changed)


def _plan(
    facts: Shared[tuple[World, Catalogue]],
    scenario: Scenario | None,
    backend: str,
    method: Method,
) -> Outcome:
    """The outcome, with a world that has lost its bulk: whoever asked has it all."""
    world, catalogue = facts.value
    if scenario is not None:
        world = apply(scenario, world, catalogue)
    outcome = make_plan(world, backend=backend, method=method)
    history, book = world.history, world.book
    light = replace(
        world,
        history=History(history.frame.iloc[:0], history.note),
        book=replace(book, offerings=book.offerings.iloc[:0], unpriced=book.unpriced.iloc[:0]),
    )
    return replace(outcome, world=light)
