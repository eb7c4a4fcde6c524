"""OR-Tools: HiGHS (default) or SCIP through MathOpt.

MathOpt and not ``ModelBuilder``: the latter's HiGHS reports its objective as its bound, and loses
the incumbent at a time limit (OR-Tools 9.15; see docs/decisions).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from ortools.math_opt import model_pb2
from ortools.math_opt.python import mathopt

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

_SOLVERS = {
    "highs": mathopt.SolverType.HIGHS,
    "scip": mathopt.SolverType.GSCIP,
    "cp_sat": mathopt.SolverType.CP_SAT,  # rounds to integers: neither plans nor bounds are exact
}
_NO_ANSWER = {
    mathopt.TerminationReason.NO_SOLUTION_FOUND,
    mathopt.TerminationReason.IMPRECISE,
}


@dataclass(frozen=True, slots=True)
class OrToolsBackend:
    """Solves with one of the solvers inside OR-Tools."""

    solver: str = "highs"
    name: str = "ortools"

    def solve(self, problem: Problem, *, gap: float, time_limit_s: float) -> Answer:
        started = perf_counter()
        if len(problem.hopeless_rows):
            return ProvenInfeasible(perf_counter() - started)
        parameters = mathopt.SolveParameters(
            relative_gap_tolerance=max(gap, OPTIMAL_GAP / 2),
            absolute_gap_tolerance=0.0,
            time_limit=datetime.timedelta(seconds=time_limit_s),
            random_seed=1,
        )
        try:
            result = mathopt.solve(
                mathopt.Model.from_model_proto(_to_proto(problem)),
                _SOLVERS[self.solver],
                params=parameters,
            )
        except (RuntimeError, ValueError) as error:
            raise SolverFailed(f"{self.solver} inside OR-Tools failed: {error}") from error
        seconds = perf_counter() - started
        reason = result.termination.reason
        if reason in (
            mathopt.TerminationReason.INFEASIBLE,
            mathopt.TerminationReason.INFEASIBLE_OR_UNBOUNDED,  # cost ≥ 0: never unbounded
        ):
            return ProvenInfeasible(seconds)
        bound = float(result.termination.objective_bounds.dual_bound)
        if result.has_primal_feasible_solution():
            values = np.fromiter(result.variable_values().values(), np.float64)
            return _solved(problem, values, bound, gap, f"OR-Tools/{self.solver}", seconds)
        if reason in _NO_ANSWER:
            return OutOfTime(bound, seconds)
        raise SolverFailed(f"{self.solver} inside OR-Tools ended with {reason}")


def _solved(
    problem: Problem, raw: Floats, bound: float, gap: float, solver: str, seconds: float
) -> Solved:
    values = np.where(problem.integer, np.round(raw), raw)
    values = np.clip(values, problem.lower, problem.upper)
    objective = float(problem.cost @ values)
    bound = min(bound, objective)
    return Solved(values, objective, bound, proof_of(objective, bound, gap), solver, seconds)


def _to_proto(problem: Problem) -> model_pb2.ModelProto:
    """Fills MathOpt's message from the sparse arrays, a field at a time."""
    matrix = problem.matrix
    rows, columns = matrix.shape
    model = model_pb2.ModelProto(name="trimtab")
    model.variables.ids.extend(range(columns))
    model.variables.lower_bounds.extend(problem.lower.tolist())
    model.variables.upper_bounds.extend(problem.upper.tolist())
    model.variables.integers.extend(problem.integer.tolist())
    priced = np.flatnonzero(problem.cost)
    model.objective.linear_coefficients.ids.extend(priced.tolist())
    model.objective.linear_coefficients.values.extend(problem.cost[priced].tolist())
    model.linear_constraints.ids.extend(range(rows))
    model.linear_constraints.lower_bounds.extend(problem.row_lower.tolist())
    model.linear_constraints.upper_bounds.extend(problem.row_upper.tolist())
    row_of = np.repeat(np.arange(rows), np.diff(matrix.indptr))
    entries = model.linear_constraint_matrix
    entries.row_ids.extend(row_of.tolist())
    entries.column_ids.extend(matrix.indices.tolist())
    entries.coefficients.extend(matrix.data.tolist())
    return model
