"""A mixed-integer linear problem as a value, independent of any solver.

    minimise   cost · v
    subject to row_lower ≤ A v ≤ row_upper,   lower ≤ v ≤ upper,   v_j ∈ ℤ for integer columns

Rows and columns come in named families, and every row remembers the rule that wrote it, so that
the same value goes to OR-Tools, to PuLP, to an LP file and to the explanation of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

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

    def without_cost(self) -> Problem:
        """The same rows and columns, at no cost: the question whether any values will do."""
        return replace(self, cost=np.zeros_like(self.cost))

    def relaxed(self) -> Problem:
        """The same problem with divisible columns: its linear relaxation."""
        return replace(self, integer=np.zeros_like(self.integer))

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

    def __init__(self, rules: Sequence[Rule], probability: Floats | None = None) -> None:
        """``probability`` [scenario] of the scenarios that costs may differ in; None: one."""
        self.rules = tuple(rules)
        self.probability = np.ones(1) if probability is None else probability
        self._rule_index = {id(rule): i for i, rule in enumerate(self.rules)}
        self._columns: list[Family] = []
        self._column_data: list[tuple[Floats, Floats, Bools]] = []
        self._rows: list[Family] = []
        self._row_data: list[tuple[Floats, Floats, Ints]] = []
        self._triplets: list[tuple[Ints, Ints, Floats]] = []
        self._costs: list[tuple[Ints, Floats, Ints, Ints, bool]] = []
        self._uncertain: list[tuple[Ints, Floats, Ints]] = []
        self._weights: list[tuple[Ints, Floats]] = []
        self.column_count = 0
        self.row_count = 0

    def add_columns(
        self,
        name: str,
        unit: str,
        keys: tuple[Ints, ...],
        labels: tuple[Sequence[str], ...],
        *,
        lower: Floats | float = 0.0,
        upper: Floats | float = np.inf,
        integer: bool = False,
    ) -> Ints:
        """Add columns, cost 0; returns their indices."""
        size = len(keys[0])
        self._columns.append(Family(name, unit, self.column_count, keys, labels))
        self._column_data.append(
            (
                np.broadcast_to(np.asarray(lower, np.float64), size).copy(),
                np.broadcast_to(np.asarray(upper, np.float64), size).copy(),
                np.full(size, integer),
            )
        )
        indices = np.arange(self.column_count, self.column_count + size)
        self.column_count += size
        return indices

    def add_cost(
        self,
        columns: Ints,
        usd: Floats,
        *,
        service: Ints | int,
        region: Ints | int,
        paid: bool = True,
    ) -> None:
        """Add to the cost of columns, and say whose money it is: a service's, in a region.

        What is nobody's in particular has as its service the number of services, and what belongs
        to a cloud as a whole has as its region the number of regions plus the cloud's position in
        ``Cloud``. A column may be named more than once; everything broadcasts against ``columns``.
        What is not ``paid`` counts in the decision, but is no money that anybody spends.
        """
        shape = columns.shape
        self._costs.append(
            (
                columns,
                np.broadcast_to(usd, shape),
                np.broadcast_to(service, shape),
                np.broadcast_to(region, shape),
                paid,
            )
        )

    def add_uncertain_cost(
        self,
        columns: Ints,
        usd: Floats,
        *,
        service: Ints | int,
        region: Ints | int,
        paid: bool = True,
    ) -> None:
        """As ``add_cost``, with ``usd`` [scenario, column]: what the columns cost in each."""
        usd = np.broadcast_to(usd, (len(self.probability), *columns.shape))
        self._uncertain.append((columns, usd, np.broadcast_to(service, columns.shape)))
        self.add_cost(columns, self._mean(usd), service=service, region=region, paid=paid)

    def uncertain_cost(self) -> tuple[Ints, Ints, Floats]:
        """Columns, services and USD [scenario, …] of what differs between scenarios, so far.

        A column may stand there more than once.
        """
        scenarios = len(self.probability)
        amounts = [usd.reshape(scenarios, -1) for _, usd, _ in self._uncertain]
        return (
            _joined([columns.ravel() for columns, _, _ in self._uncertain], np.int64),
            _joined([service.ravel() for _, _, service in self._uncertain], np.int64),
            np.concatenate([np.zeros((scenarios, 0)), *amounts], axis=1),
        )

    def add_weight(self, columns: Ints, weight: Floats) -> None:
        """Add to the objective what is nobody's cost, such as a dislike of risk."""
        self._weights.append((columns, weight))

    def _mean(self, usd: Floats) -> Floats:
        if len(self.probability) == 1:
            only: Floats = usd[0]
            return only
        mean: Floats = np.tensordot(self.probability, usd, axes=1)
        return mean

    def cost_of(
        self,
        services: Bools | None = None,
        regions: Bools | None = None,
        *,
        paid_only: bool = False,
    ) -> Floats:
        """Expected cost per column so far, of some services and regions only if given.

        Both are masks over everything that ``add_cost`` may name: services and nobody, regions
        and clouds.
        """
        cost = np.zeros(self.column_count)
        for columns, usd, service, region, paid in self._costs:
            if paid_only and not paid:
                continue
            counts = np.ones(columns.shape, np.bool_)
            if services is not None:
                counts &= services[service]
            if regions is not None:
                counts &= regions[region]
            np.add.at(cost, columns, usd * counts)
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
        for triplet in terms:
            row, column, value = np.broadcast_arrays(*triplet)
            self._triplets.append((row.ravel() + self.row_count, column.ravel(), value.ravel()))
        self.row_count += size

    def finish(self) -> Problem:
        lower, upper = (
            _joined([data[i] for data in self._column_data], np.float64) for i in (0, 1)
        )
        integer = _joined([data[2] for data in self._column_data], np.bool_)
        row_lower, row_upper = (
            _joined([data[i] for data in self._row_data], np.float64) for i in (0, 1)
        )
        row_rule = _joined([data[2] for data in self._row_data], np.int64)
        row = _joined([triplet[0] for triplet in self._triplets], np.int64)
        column = _joined([triplet[1] for triplet in self._triplets], np.int64)
        value = _joined([triplet[2] for triplet in self._triplets], np.float64)
        matrix = sparse.coo_array((value, (row, column)), (self.row_count, self.column_count))
        csr = matrix.tocsr()
        csr.sum_duplicates()
        csr.eliminate_zeros()
        objective = self.cost_of()
        for columns, weight in self._weights:
            np.add.at(objective, columns, weight)
        return Problem(
            tuple(self._columns),
            tuple(self._rows),
            self.rules,
            csr,
            objective,
            lower,
            upper,
            integer,
            row_lower,
            row_upper,
            row_rule,
        )


_Scalar = TypeVar("_Scalar", bound=np.generic)


def _joined(parts: Sequence[NDArray[Any]], dtype: type[_Scalar]) -> NDArray[_Scalar]:
    if not parts:
        return np.zeros(0, dtype)
    return np.concatenate(parts).astype(dtype, copy=False)


def to_lp(problem: Problem) -> str:
    """The problem in CPLEX LP format, with row and column names made fit for it."""
    columns = _lp_names(problem.column_names())
    rows = _lp_names(problem.row_names())
    priced = np.flatnonzero(problem.cost)
    cost = _sum(priced, problem.cost[priced], columns) or f"0 {columns[0]}"
    lines = ["Minimize", f" cost_usd: {cost}", "Subject To"]
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
