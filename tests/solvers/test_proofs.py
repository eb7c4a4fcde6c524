"""A time limit is never an optimum, and bounds hold."""

from __future__ import annotations

import numpy as np
import pytest
from small_worlds import random_asked

from models.placement import Proof
from optimizer.problem import Draft, Problem
from optimizer.solve.answers import (
    Backend,
    OutOfTime,
    ProvenInfeasible,
    Solved,
    proof_of,
    relative_gap,
)
from optimizer.solve.ortools_backend import OrToolsBackend
from optimizer.solve.pulp_backend import PulpBackend

BACKENDS: tuple[Backend, ...] = (OrToolsBackend(), OrToolsBackend("scip"), PulpBackend())
each_backend = pytest.mark.parametrize("backend", BACKENDS, ids=["highs", "scip", "cbc"])


def market_split(*, slack: bool, rows: int = 6, columns: int = 50) -> Problem:
    """Σ_j a_ij v_j (+ s⁺_i - s⁻_i) = ⌊½ Σ_j a_ij⌋, v binary, at least total slack.

    Hopeless for branch and bound at this size (Cornuéjols & Dawande: A class of hard small 0-1
    programs, 1998), while v = 0 is a feasible start when there is slack.
    """
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 100, (rows, columns)).astype(np.float64)
    draft = Draft(())
    numbers = [str(i) for i in range(columns)]
    chosen = draft.add_columns(
        "v", "yes or no", (np.arange(columns),), (numbers,), upper=1.0, integer=True
    )
    row = np.arange(rows)
    terms = [(row[:, None], chosen[None, :], weights)]
    if slack:
        for name, sign in (("over", 1.0), ("under", -1.0)):
            extra = draft.add_columns(name, "units", (row,), (numbers,))
            terms.append((row, extra, np.full(rows, sign)))
            draft.add_cost(extra, np.ones(rows), service=0, region=0)
    half = np.floor(weights.sum(axis=1) / 2)
    draft.add_rows("split", "units", (row,), (numbers,), terms, lower=half, upper=half)
    return draft.finish()


@each_backend
def test_a_time_limit_is_not_an_optimum(backend: Backend) -> None:
    problem = market_split(slack=True)
    answer = backend.solve(problem, gap=1e-3, time_limit_s=0.5)
    assert isinstance(answer, Solved)
    assert answer.proof is Proof.TIME_LIMIT
    assert 0 <= answer.bound < answer.objective
    assert answer.gap > 1e-3
    assert problem.violation(answer.values) < 1e-6


@each_backend
def test_running_out_of_time_says_nothing_about_feasibility(backend: Backend) -> None:
    answer = backend.solve(market_split(slack=False), gap=0.0, time_limit_s=0.5)
    assert isinstance(answer, OutOfTime)


@each_backend
@pytest.mark.parametrize("seed", [1, 8, 11, 16, 18, 19])
def test_bounds_hold_at_a_loose_gap(backend: Backend, seed: int) -> None:
    problem = random_asked(seed).formulate().problem
    least = OrToolsBackend().solve(problem, gap=0.0, time_limit_s=30.0)
    assert isinstance(least, Solved)
    assert least.proof is Proof.OPTIMAL
    loose = backend.solve(problem, gap=0.3, time_limit_s=30.0)
    assert isinstance(loose, Solved)
    assert loose.proof in (Proof.OPTIMAL, Proof.WITHIN_GAP)
    assert loose.bound <= least.objective * (1 + 1e-6)
    assert loose.objective >= least.objective * (1 - 1e-6)
    assert loose.gap == pytest.approx((loose.objective - loose.bound) / loose.objective)


@each_backend
def test_an_empty_row_that_asks_for_something_is_infeasible(backend: Backend) -> None:
    draft = Draft(())
    zero = np.zeros(1, np.int64)
    draft.add_columns("v", "units", (zero,), (["a"],))
    draft.add_rows("wish", "units", (zero,), (["a"],), [], lower=1.0)
    problem = draft.finish()
    assert problem.hopeless_rows.tolist() == [0]
    assert isinstance(backend.solve(problem, gap=0.0, time_limit_s=5.0), ProvenInfeasible)


@pytest.mark.parametrize(
    ("objective", "bound", "target", "proof"),
    [
        (100.0, 100.0, 0.0, Proof.OPTIMAL),
        (100.0, 99.99995, 0.0, Proof.OPTIMAL),
        (100.0, 99.95, 1e-3, Proof.WITHIN_GAP),
        (100.0, 99.9, 1e-3, Proof.WITHIN_GAP),
        (100.0, 99.8, 1e-3, Proof.TIME_LIMIT),
        (100.0, -np.inf, 1e-3, Proof.TIME_LIMIT),
        (0.0, 0.0, 0.0, Proof.OPTIMAL),
    ],
)
def test_what_a_gap_is_called(objective: float, bound: float, target: float, proof: Proof) -> None:
    assert proof_of(objective, bound, target) is proof


def test_a_gap_is_relative_to_the_cost() -> None:
    assert relative_gap(200.0, 150.0) == 0.25
    assert relative_gap(200.0, 201.0) == 0.0
