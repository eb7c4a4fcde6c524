"""A covering problem that grows by columns: min c x with A x >= d, x >= 0, by GLOP or HiGHS.

The linear program is kept by the solver between calls, so that it starts where it ended.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp
from ortools.math_opt.python import mathopt

from models.errors import SolverFailed

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


_KEEP_THE_BASIS = "use_preprocessing: false"


class Covering:
    """Rows are things to cover, ``demand`` times; columns cover some of each at a cost.

    MPSolver and not MathOpt: with thousands of small problems, MathOpt's way through messages to
    Python objects takes longer than solving.
    """

    def __init__(self, demand: Ints) -> None:
        self._solver = pywraplp.Solver.CreateSolver("GLOP")
        self._solver.SetSolverSpecificParametersAsString(_KEEP_THE_BASIS)
        self._rows = [self._solver.Constraint(float(least), np.inf) for least in demand.tolist()]
        self._demand = demand.copy()
        self._columns: list[pywraplp.Variable] = []
        self._new: list[tuple[float, Sequence[int], Sequence[int]]] = []
        self._open = np.empty(0, np.bool_)
        self._objective = self._solver.Objective()
        self._objective.SetMinimization()

    def add(self, cost: float, rows: Sequence[int], covers: Sequence[int]) -> None:
        """One more column, which covers ``rows`` so many times each."""
        self._new.append((cost, rows, covers))

    def _take_in_new(self) -> None:
        """Now: a solution can be read only until the problem changes."""
        for cost, rows, covers in self._new:
            column = self._solver.NumVar(0.0, np.inf, "")
            self._objective.SetCoefficient(column, cost)
            for row, times in zip(rows, covers, strict=True):
                self._rows[row].SetCoefficient(column, times)
            self._columns.append(column)
        self._new.clear()

    def ask(self, demand: Ints) -> None:
        """Cover so much of each from now on."""
        for k in np.flatnonzero(demand != self._demand).tolist():
            self._rows[k].SetLb(float(demand[k]))
        self._demand = demand.copy()

    def allow(self, allowed: NDArray[np.bool_]) -> None:
        """Use only these columns from now on."""
        self._take_in_new()
        new = np.ones(len(self._columns) - len(self._open), np.bool_)
        was = np.concatenate((self._open, new))
        for k in np.flatnonzero(allowed != was).tolist():
            self._columns[k].SetUb(np.inf if allowed[k] else 0.0)
        self._open = allowed.copy()

    def solve(self) -> tuple[float, Floats]:
        """Cost, and what one more of each row would cost."""
        self._take_in_new()
        status = self._solver.Solve()
        if status != pywraplp.Solver.OPTIMAL:  # numerical trouble with the old basis: start anew
            self._solver.SetSolverSpecificParametersAsString("use_preprocessing: true")
            status = self._solver.Solve()
            self._solver.SetSolverSpecificParametersAsString(_KEEP_THE_BASIS)
        if status != pywraplp.Solver.OPTIMAL:
            raise SolverFailed(f"GLOP inside OR-Tools ended with status {status}")
        prices = np.array([row.dual_value() for row in self._rows])
        return float(self._objective.Value()), prices

    def amounts(self) -> Floats:
        """How much of each column the last solution uses; 0 of those added since."""
        used = [column.solution_value() for column in self._columns]
        return np.array(used + [0.0] * len(self._new))


def whole_cover(
    costs: Floats, covers: NDArray[np.int64], demand: Ints, time_limit_s: float
) -> Ints | None:
    """Whole numbers of columns of least cost that cover ``demand``, as far as time allows.

    ``covers`` is rows × columns. None when nothing was found.
    """
    model = mathopt.Model()
    columns = [model.add_integer_variable(lb=0.0) for _ in costs]
    rows = [model.add_linear_constraint(lb=float(least)) for least in demand.tolist()]
    for row, column in zip(*(at.tolist() for at in np.nonzero(covers)), strict=True):
        rows[row].set_coefficient(columns[column], float(covers[row, column]))
    for column, cost in zip(columns, costs.tolist(), strict=True):
        model.objective.set_linear_coefficient(column, cost)
    parameters = mathopt.SolveParameters(
        time_limit=datetime.timedelta(seconds=time_limit_s),
        random_seed=1,
        relative_gap_tolerance=1e-6,
    )
    try:
        result = mathopt.solve(model, mathopt.SolverType.HIGHS, params=parameters)
    except (RuntimeError, ValueError) as error:
        raise SolverFailed(f"HiGHS inside OR-Tools failed: {error}") from error
    if not result.has_primal_feasible_solution():
        return None
    values = np.fromiter(result.variable_values().values(), np.float64, len(columns))
    return np.rint(values).astype(np.int64)
