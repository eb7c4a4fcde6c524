"""Small worlds that fall apart into services, and their decomposition."""

from __future__ import annotations

from dataclasses import replace

from small_worlds import Asked, random_asked

from models.changes import ChangeCosts
from models.demand import Outlook
from models.rules import DisruptionRule
from models.world import Policy
from optimizer.decompose.answer import Decomposed, Last, NotSeparable, decompose
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.solve.answers import OutOfTime, ProvenInfeasible, Solved
from optimizer.solve.ortools_backend import OrToolsBackend

TOLERANCE = 1e-6


def simple(seed: int) -> Asked:
    """A random world without what the decomposition leaves to the one problem.

    Demand is certain, and all of it served, in one world of four.
    """
    asked = random_asked(seed)
    certain = seed % 4 == 0
    policy: Policy = replace(
        asked.world.policy,
        route_hours=asked.world.policy.count_hours,
        demand_scenarios=() if certain else asked.world.policy.demand_scenarios,
        cvar=None,
        unmet_at_most=0.0 if certain else asked.world.policy.unmet_at_most,
        time_limit_s=2,
        gap_target=1e-3,
        changes=ChangeCosts(),
        minimum_run_hours=1,
    )
    rules = tuple(r for r in asked.world.rules if not isinstance(r, DisruptionRule))
    sure = Outlook.certain(asked.demand_rps, asked.direct_rps)
    return replace(
        asked,
        world=replace(asked.world, policy=policy, rules=rules),
        outlook=sure if certain else asked.outlook,
    )


def decomposed(asked: Asked, last: Last | None = None) -> Decomposed | NotSeparable:
    world = asked.world
    return decompose(
        world,
        survey(world),
        measure(world),
        asked.demand_rps,
        asked.direct_rps,
        asked.outlook,
        last,
    )


def solved(asked: Asked) -> Solved | ProvenInfeasible | OutOfTime:
    """The same world as one problem."""
    return OrToolsBackend().solve(asked.formulate().problem, gap=0.0, time_limit_s=30)
