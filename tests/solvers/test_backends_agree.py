"""Three solvers and a naive model answer the same questions in the same way."""

from __future__ import annotations

import numpy as np
import pytest
from referee import cheapest_usd
from small_worlds import random_asked

from optimizer.problem import Problem
from optimizer.solve.answers import Answer, Backend, ProvenInfeasible, Solved
from optimizer.solve.ortools_backend import OrToolsBackend
from optimizer.solve.pulp_backend import PulpBackend

BACKENDS: tuple[Backend, ...] = (OrToolsBackend(), OrToolsBackend("scip"), PulpBackend())
SLOW = {9, 15, 21, 32, 33, 35, 36, 63}
SEEDS = [seed for seed in range(67) if seed not in SLOW]
SOLVERS_AGREE_TO = 1e-6
MODELS_AGREE_TO = 1e-5


def solved(problem: Problem, backend: Backend) -> Answer:
    return backend.solve(problem, gap=0.0, time_limit_s=30.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_solvers_and_the_naive_model_agree(seed: int) -> None:
    asked = random_asked(seed)
    problem = asked.formulate().problem
    answers = [solved(problem, backend) for backend in BACKENDS]
    least_usd = cheapest_usd(asked)
    if least_usd is None:
        assert all(isinstance(answer, ProvenInfeasible) for answer in answers)
        return
    for answer in answers:
        assert isinstance(answer, Solved)
        assert answer.objective == pytest.approx(least_usd, rel=MODELS_AGREE_TO)
        assert answer.gap <= SOLVERS_AGREE_TO
        assert answer.bound <= answer.objective
        assert problem.violation(answer.values) < 1e-5
        assert answer.objective == pytest.approx(problem.cost @ answer.values, rel=1e-9)
        whole = answer.values[problem.integer]
        assert np.array_equal(whole, np.round(whole))
    costs = [answer.objective for answer in answers if isinstance(answer, Solved)]
    assert max(costs) - min(costs) <= SOLVERS_AGREE_TO * max(costs)


def test_the_seeds_are_worth_their_time() -> None:
    """Most are feasible, many are not, and every kind of rule is in some feasible one."""
    kinds: set[str] = set()
    feasible = 0
    for seed in SEEDS:
        asked = random_asked(seed)
        if isinstance(solved(asked.formulate().problem, BACKENDS[0]), Solved):
            feasible += 1
            kinds |= {type(rule).__name__ for rule in asked.world.rules}
    assert 20 <= feasible <= len(SEEDS) - 10
    assert len(kinds) == 13
