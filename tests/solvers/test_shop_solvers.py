"""The bundled shop costs the same whoever solves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.placement import Proof
from optimizer.formulate.assemble import formulate
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.gather import gather
from optimizer.plan import foresee
from optimizer.problem import Problem
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend
from optimizer.solve.pulp_backend import PulpBackend

SHOP = Path(__file__).parents[2] / "scenarios" / "shop"


def shop_for(hours: int) -> Problem:
    """The shop's problem for so few hours that CBC, too, can prove its optimum."""
    world = gather(SHOP)[0]
    world = replace(world, policy=replace(world.policy, horizon_hours=hours))
    expected = foresee(world)
    demands = expected.demand_rps, expected.direct_rps
    return formulate(world, survey(world), measure(world), *demands).problem


def test_two_hours_of_the_shop_cost_the_same_whoever_solves_them() -> None:
    problem = shop_for(hours=2)
    costs = []
    for backend in (OrToolsBackend(), OrToolsBackend("scip"), PulpBackend()):
        answer = backend.solve(problem, gap=0.0, time_limit_s=60.0)
        assert isinstance(answer, Solved)
        assert answer.proof is Proof.OPTIMAL
        assert problem.violation(answer.values) < 1e-6
        costs.append(answer.objective)
    assert costs == pytest.approx([costs[0]] * 3, rel=1e-6)
