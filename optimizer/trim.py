"""Takes out of a plan what it does not need.

What a commitment covers costs nothing more to run, so that a solver has no reason to leave idle
instances out: plans would look busier than they are, and commitments better used. Here counts are
lowered as far as every row allows, the dearest at list price first, and commitments cover what is
left. No plan gets dearer by that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizer.coverage import cover_at_best
from optimizer.formulate.assemble import Formulation
from optimizer.problem import Bools, Floats, Ints, Problem
from optimizer.solve.answers import Solved

PASSES = 3
"""Lowering counts lets worst zones go down, which lets counts go down. Seldom more than once."""
SLACK = 1e-6
_NEVER_WORSE = ("covered_at_most_used", "spend_within_budget")
"""Rows that hold again once less is covered: then no sum of costs has risen."""


def trimmed(formulation: Formulation, answer: Solved) -> Solved:
    """The same answer without idle instances of what commitments cover.

    Whatever no commitment covers stays as it is: to run it costs money, and the solver knows.
    """
    columns, layout, problem = formulation.commitments, formulation.layout, formulation.problem
    options = layout.options
    covered = columns.cover.classes_of(options)
    if covered is None or not (covered >= 0).any():
        return answer
    rows = np.ones(problem.matrix.shape[0], np.bool_)
    for family in problem.rows:
        if family.name in _NEVER_WORSE:
            rows[family.start : family.start + family.size] = False
    state = _State(problem, rows, answer.values)
    dearest = np.argsort(-options.price_usd_per_hour, kind="stable")
    dearest = dearest[covered[dearest] >= 0]
    counts = np.concatenate([_run(layout.option_column, layout.count_blocks[options.service], o)
                             for o in dearest.tolist()])  # fmt: skip
    zones = [_run(layout.zone_column, layout.count_blocks[options.service], o)
             for o in dearest.tolist() if layout.zone_column[o] >= 0]  # fmt: skip
    needed = [
        np.arange(family.start, family.start + family.size)
        for name in ("survivors", "replicas")
        for family in problem.columns
        if family.name == name
    ]
    for _ in range(PASSES):
        before = state.values[counts].sum()
        for group in (*needed, *zones, counts):
            state.lower(group)
        if state.values[counts].sum() == before:
            break
    values = cover_at_best(formulation, state.values)
    objective = float(problem.cost @ values)
    if objective > answer.objective + SLACK * abs(answer.objective):
        return answer
    return replace(answer, values=values, objective=objective)


def _run(first: Ints, blocks: Ints, option: int) -> Ints:
    """The columns of one option, block by block."""
    run: Ints = first[option] + np.arange(int(blocks[option]))
    return run


class _State:
    """Values of columns, and what the rows make of them."""

    def __init__(self, problem: Problem, rows: Bools, values: Floats) -> None:
        self.values = values.copy()
        self._columns = problem.matrix.tocsc()
        self._lower = np.where(rows, problem.row_lower, -np.inf)
        self._upper = np.where(rows, problem.row_upper, np.inf)
        self._activity = problem.matrix @ values

    def lower(self, columns: Ints) -> None:
        """Lower whole-numbered columns, one after another, as far as every row allows."""
        for j in columns[self.values[columns] > 0.5].tolist():
            span = slice(self._columns.indptr[j], self._columns.indptr[j + 1])
            row, factor = self._columns.indices[span], self._columns.data[span]
            activity = self._activity[row]
            room = np.where(
                factor > 0, activity - self._lower[row], self._upper[row] - activity
            ) / np.abs(factor)
            by = min(np.floor(room.min(initial=np.inf) + SLACK), np.round(self.values[j]))
            if by >= 1:
                self.values[j] -= by
                self._activity[row] -= factor * by
