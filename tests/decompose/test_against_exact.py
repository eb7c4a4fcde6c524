"""Small worlds, decomposed and solved as one problem: the truth lies between plan and bound."""

from __future__ import annotations

from dataclasses import replace

import pytest
from checker import broken
from small_worlds import Asked, random_asked

from models.changes import ChangeCosts
from models.demand import Outlook
from models.rules import DisruptionRule
from models.world import Policy
from optimizer.decompose.answer import Decomposed, NotSeparable, decompose, read_decomposed
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.solve.answers import OutOfTime, ProvenInfeasible, Solved
from optimizer.solve.ortools_backend import OrToolsBackend

TOLERANCE = 1e-6
WORLDS = 160


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


def decomposed(asked: Asked) -> Decomposed | NotSeparable:
    world = asked.world
    return decompose(
        world, survey(world), measure(world), asked.demand_rps, asked.direct_rps, asked.outlook
    )


def solved(asked: Asked) -> Solved | ProvenInfeasible | OutOfTime:
    """The same world as one problem."""
    return OrToolsBackend().solve(asked.formulate().problem, gap=0.0, time_limit_s=30)


@pytest.mark.parametrize("first", range(0, WORLDS, 20))
def test_the_truth_lies_between_plan_and_bound(first: int) -> None:
    compared = planned = 0
    for seed in range(first, first + 20):
        asked = simple(seed)
        found = decomposed(asked)
        if isinstance(found, NotSeparable):
            continue
        answer = solved(asked)
        if isinstance(answer, ProvenInfeasible):
            assert found.fleet is None, f"seed {seed}: a plan where there is none"
            continue
        assert isinstance(answer, Solved)
        compared += 1
        assert found.bound_usd <= answer.objective * (1 + TOLERANCE), f"seed {seed}"
        if found.fleet is None:
            continue
        planned += 1
        assert found.usd >= answer.bound * (1 - TOLERANCE), f"seed {seed}"
        placement = read_decomposed(found, found.fleet, measure(asked.world))
        assert broken(asked, placement) == [], f"seed {seed}"
        counted = float(placement.bill.total_usd + placement.bill.shadow_usd)
        assert counted == pytest.approx(found.usd, rel=1e-3), f"seed {seed}"
    assert compared >= 4
    assert planned >= 3


def test_most_plans_cost_little_more_than_the_cheapest() -> None:
    """Worlds of two services are the hardest: nobody else fills what quotas and levels leave."""
    as_good = worlds = 0
    for seed in range(40):
        asked = simple(seed)
        found = decomposed(asked)
        if isinstance(found, NotSeparable) or found.fleet is None:
            continue
        answer = solved(asked)
        assert isinstance(answer, Solved)
        worlds += 1
        as_good += found.usd <= answer.objective * 1.05
    assert as_good >= 0.7 * worlds
