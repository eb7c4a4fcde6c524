"""PuLP with its bundled CBC: the independent second solver."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pulp

from models.errors import SolverFailed
from optimizer.problem import Floats, Problem
from optimizer.solve.answers import (
    OPTIMAL_GAP,
    Answer,
    OutOfTime,
    ProvenInfeasible,
    Solved,
    proof_of,
)


@dataclass(frozen=True, slots=True)
class PulpBackend:
    """Solves with CBC through PuLP."""

    name: str = "cbc"

    def solve(self, problem: Problem, *, gap: float, time_limit_s: float) -> Answer:
        started = perf_counter()
        if len(problem.hopeless_rows):
            return ProvenInfeasible(perf_counter() - started)
        model, variables = _to_pulp(problem)
        with tempfile.TemporaryDirectory(prefix="trimtab-cbc-") as folder:
            log = Path(folder) / "cbc.log"
            solver = pulp.PULP_CBC_CMD(
                msg=False,
                gapRel=max(gap, OPTIMAL_GAP / 2),
                gapAbs=0.0,
                timeLimit=time_limit_s,
                options=["randomSeed 1", "randomCbcSeed 1"],
                logPath=str(log),
            )
            solver.tmpDir = folder
            try:
                model.solve(solver)
            except pulp.PulpSolverError as error:
                raise SolverFailed(f"CBC through PuLP failed: {error}") from error
            text = log.read_text(errors="replace")
        seconds = perf_counter() - started
        # CBC's preprocessing may prove infeasibility before there is a solution to have a status
        if pulp.LpStatusInfeasible in (model.status, model.sol_status):
            return ProvenInfeasible(seconds)
        bound = _bound(text)
        if model.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
            raw = np.array([v.value() if v.value() is not None else 0.0 for v in variables])
            return _solved(problem, raw, bound, gap, seconds)
        if model.sol_status == pulp.LpSolutionNoSolutionFound:
            return OutOfTime(bound if bound is not None else 0.0, seconds)
        raise SolverFailed(f"CBC ended with status {pulp.LpSolution[model.sol_status]}")


def _solved(
    problem: Problem, raw: Floats, bound: float | None, gap: float, seconds: float
) -> Solved:
    values = np.clip(np.where(problem.integer, np.round(raw), raw), problem.lower, problem.upper)
    objective = float(problem.cost @ values)
    # Without a line about its bound CBC has solved to optimality (within its tolerances).
    proven = objective if bound is None else min(bound, objective)
    return Solved(values, objective, proven, proof_of(objective, proven, gap), "PuLP/CBC", seconds)


def _bound(log: str) -> float | None:
    """CBC says ``Lower bound`` only when it stops with a gap."""
    found = re.findall(r"^Lower bound:\s+(\S+)", log, flags=re.MULTILINE)
    return float(found[-1]) if found else None


def _to_pulp(problem: Problem) -> tuple[pulp.LpProblem, list[pulp.LpVariable]]:
    model = pulp.LpProblem("trimtab", pulp.LpMinimize)
    variables = [
        pulp.LpVariable(
            f"v{j}", low, high if np.isfinite(high) else None, "Integer" if whole else "Continuous"
        )
        for j, (low, high, whole) in enumerate(
            zip(
                problem.lower.tolist(),
                problem.upper.tolist(),
                problem.integer.tolist(),
                strict=True,
            )
        )
    ]
    model.setObjective(
        pulp.LpAffineExpression(
            {variables[j]: float(problem.cost[j]) for j in np.flatnonzero(problem.cost)}
        )
    )
    matrix = problem.matrix
    columns, data, starts = matrix.indices.tolist(), matrix.data.tolist(), matrix.indptr.tolist()
    bounds = zip(problem.row_lower.tolist(), problem.row_upper.tolist(), strict=True)
    for i, (low, high) in enumerate(bounds):
        span = range(starts[i], starts[i + 1])
        if not span:
            continue
        terms = {variables[columns[k]]: data[k] for k in span}
        if low == high:
            model += pulp.LpConstraint(terms, pulp.LpConstraintEQ, f"r{i}", low)
            continue
        if np.isfinite(low):
            model += pulp.LpConstraint(terms, pulp.LpConstraintGE, f"r{i}", low)
        if np.isfinite(high):
            model += pulp.LpConstraint(terms, pulp.LpConstraintLE, f"r{i}u", high)
    return model, variables
