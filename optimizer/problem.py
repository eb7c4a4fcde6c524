"""A mixed-integer linear problem as a value, independent of any solver.

    minimise   cost · v
    subject to row_lower ≤ A v ≤ row_upper,   lower ≤ v ≤ upper,   v_j ∈ ℤ for integer columns

Rows and columns come in named families, and every row remembers the rule that wrote it, so that
the same value goes to OR-Tools, to PuLP, to an LP file and to the explanation of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.rules import Rule

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Family:
    """A block of consecutive rows or columns with one meaning.

    Element ``i`` is called ``name(labels[0][keys[0][i]], labels[1][keys[1][i]], …)``; names are
    spelled out only when somebody asks for them.
    """

    name: str
    unit: str
    start: int
    keys: tuple[Ints, ...]
    labels: tuple[Sequence[str], ...]

    @property
    def size(self) -> int:
        return len(self.keys[0])

    def names(self) -> list[str]:
        parts = [
            [label[k] for k in keys] for keys, label in zip(self.keys, self.labels, strict=True)
        ]
        return [f"{self.name}({','.join(part)})" for part in zip(*parts, strict=True)]


@dataclass(frozen=True, eq=False)
class Problem:
    """See the module's docstring. ``row_rule[i]`` indexes ``rules``; -1: no rule wrote row i."""

    columns: tuple[Family, ...]
    rows: tuple[Family, ...]
    rules: tuple[Rule, ...]
    matrix: sparse.csr_array
    cost: Floats
    lower: Floats
    upper: Floats
    integer: Bools
    row_lower: Floats
    row_upper: Floats
    row_rule: Ints

    @property
    def hopeless_rows(self) -> Ints:
        """Rows that no values can satisfy because nothing stands in them."""
        empty = np.diff(self.matrix.indptr) == 0
        wrong = (self.row_lower > 0) | (self.row_upper < 0)
        return np.flatnonzero(empty & wrong)

    def column_names(self) -> list[str]:
        return [name for family in self.columns for name in family.names()]

    def row_names(self) -> list[str]:
        return [name for family in self.rows for name in family.names()]

    def violation(self, values: Floats) -> float:
        """Largest violation of a row or bound, relative to the row's own size."""
        activity = self.matrix @ values
        scale = 1.0 + np.maximum(
            np.where(np.isfinite(self.row_lower), np.abs(self.row_lower), 0.0),
            np.where(np.isfinite(self.row_upper), np.abs(self.row_upper), 0.0),
        )
        worst_row = np.max(
            np.maximum(self.row_lower - activity, activity - self.row_upper) / scale, initial=0.0
        )
        worst_bound = np.max(np.maximum(self.lower - values, values - self.upper), initial=0.0)
        return float(max(worst_row, worst_bound))


class Draft:
    """Collects families of columns and rows, then becomes a ``Problem``."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._rule_index = {id(rule): i for i, rule in enumerate(self.rules)}
        self._columns: list[Family] = []
        self._column_data: list[tuple[Floats, Floats, Floats, Bools]] = []
        self._rows: list[Family] = []
        self._row_data: list[tuple[Floats, Floats, Ints]] = []
        self._triplets: list[tuple[Ints, Ints, Floats]] = []
        self._extra_cost: list[tuple[Ints, Floats]] = []
        self.column_count = 0
        self.row_count = 0

    def add_columns(
        self,
        name: str,
        unit: str,
        keys: tuple[Ints, ...],
        labels: tuple[Sequence[str], ...],
        *,
        upper: float = np.inf,
        integer: bool = False,
    ) -> Ints:
        """Add non-negative columns, cost 0; returns their indices."""
        size = len(keys[0])
        self._columns.append(Family(name, unit, self.column_count, keys, labels))
        self._column_data.append(
            (np.zeros(size), np.zeros(size), np.full(size, upper), np.full(size, integer))
        )
        indices = np.arange(self.column_count, self.column_count + size)
        self.column_count += size
        return indices

    def add_cost(self, columns: Ints, usd: Floats) -> None:
        """Add to the cost of columns; a column may be named more than once."""
        self._extra_cost.append((columns, np.broadcast_to(usd, columns.shape)))

    def cost_now(self) -> Floats:
        """The cost vector as it stands, for rows that bound spending."""
        cost = np.zeros(self.column_count)
        for columns, usd in self._extra_cost:
            np.add.at(cost, columns, usd)
        return cost

    def add_rows(
        self,
        name: str,
        unit: str,
        keys: tuple[Ints, ...],
        labels: tuple[Sequence[str], ...],
        terms: Sequence[tuple[Ints, Ints, Floats]],
        *,
        lower: Floats | float = -np.inf,
        upper: Floats | float = np.inf,
        rule: Rule | None = None,
    ) -> None:
        """Add rows; ``terms`` are (row within the block, column, coefficient) triplets."""
        size = len(keys[0])
        if size == 0:
            return
        self._rows.append(Family(name, unit, self.row_count, keys, labels))
        written_by = -1 if rule is None else self._rule_index[id(rule)]
        self._row_data.append(
            (
                np.broadcast_to(np.asarray(lower, np.float64), size).copy(),
                np.broadcast_to(np.asarray(upper, np.float64), size).copy(),
                np.full(size, written_by),
            )
        )
        for row, column, value in terms:
            row, column, value = np.broadcast_arrays(row, column, value)
            self._triplets.append((row.ravel() + self.row_count, column.ravel(), value.ravel()))
        self.row_count += size

    def finish(self) -> Problem:
        def joined(parts: list[NDArray[np.generic]], dtype: type) -> NDArray[np.generic]:
            return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)

        lower, upper, integer = (
            joined([d[i] for d in self._column_data], t)
            for i, t in ((1, np.float64), (2, np.float64), (3, np.bool_))
        )
        row_lower, row_upper, row_rule = (
            joined([d[i] for d in self._row_data], t)
            for i, t in ((0, np.float64), (1, np.float64), (2, np.int64))
        )
        row, column, value = (
            joined([d[i] for d in self._triplets], t)
            for i, t in ((0, np.int64), (1, np.int64), (2, np.float64))
        )
        matrix = sparse.coo_array((value, (row, column)), (self.row_count, self.column_count))
        csr = matrix.tocsr()
        csr.sum_duplicates()
        csr.eliminate_zeros()
        return Problem(
            tuple(self._columns),
            tuple(self._rows),
            self.rules,
            csr,
            self.cost_now(),
            lower,
            upper,
            integer,
            row_lower,
            row_upper,
            row_rule,
        )


def to_lp(problem: Problem) -> str:
    """The problem in CPLEX LP format, with row and column names made fit for it."""
    columns = _lp_names(problem.column_names())
    rows = _lp_names(problem.row_names())
    lines = [
        "Minimize",
        f" cost_usd: {_sum(np.flatnonzero(problem.cost), problem.cost[problem.cost != 0], columns) or '0 ' + columns[0]}",
        "Subject To",
    ]
    matrix = problem.matrix
    for i, name in enumerate(rows):
        span = slice(matrix.indptr[i], matrix.indptr[i + 1])
        left = _sum(matrix.indices[span], matrix.data[span], columns) or f"0 {columns[0]}"
        low, high = problem.row_lower[i], problem.row_upper[i]
        if low == high:
            lines.append(f" {name}: {left} = {_number(low)}")
            continue
        if np.isfinite(low):
            lines.append(f" {name}: {left} >= {_number(low)}")
        if np.isfinite(high):
            suffix = "_upper" if np.isfinite(low) else ""
            lines.append(f" {name}{suffix}: {left} <= {_number(high)}")
    lines.append("Bounds")
    for name, low, high in zip(columns, problem.lower, problem.upper, strict=True):
        if low != 0 or np.isfinite(high):
            top = f" <= {_number(high)}" if np.isfinite(high) else ""
            lines.append(f" {_number(low)} <= {name}{top}")
    integers = [name for name, whole in zip(columns, problem.integer, strict=True) if whole]
    if integers:
        lines += ["General", *(f" {name}" for name in integers)]
    return "\n".join([*lines, "End", ""])


def _sum(indices: NDArray[np.integer], coefficients: Floats, names: Sequence[str]) -> str:
    terms = []
    for index, coefficient in zip(indices, coefficients, strict=True):
        sign = "-" if coefficient < 0 else "+"
        terms.append(f"{sign} {_number(abs(coefficient))} {names[index]}")
    return " ".join(terms).removeprefix("+ ")


def _number(value: float) -> str:
    return f"{value:.12g}"


def _lp_names(names: Sequence[str]) -> list[str]:
    """Names that LP files allow; those that become equal, or too long, end in a number."""
    seen: dict[str, int] = {}
    fit = []
    for name in names:
        clean = re.sub(r"[^A-Za-z0-9_(),/.]", "_", name)[:200]
        seen[clean] = seen.get(clean, 0) + 1
        fit.append(clean if seen[clean] == 1 else f"{clean}~{seen[clean]}")
    return fit
