"""The restricted master: prices of what services share, from what cells answered so far.

Every pass over the cells is, span by span, a *column*: what all cells of the span cost, what of
quotas and budgets they use, and what usage they bring that commitments may cover. The best mix of
columns with the best levels of commitments is a linear programme, and its dual are the prices that
would be right if cells had no other answers:

    min  Σ θ_j cost_j + Σ_k γ_k T c_k - Σ u        Σ_{j of a span} θ_j = 1
    Σ_k u[k,e,t] = Σ θ_j V_j[e]           : λ[e,t]      Σ_e ρ[k,e] u[k,e,t] ≤ c_k + owned[k,t]
    Σ θ_j use_j[q] ≤ limit[q]             : ν[q,t]      Σ θ_j paid_j + (γ T c - Σ u) ≤ budget : μ

Columns per span, not per fleet, say far more than one sum would. Prices stay within a box around
the best ones so far (boxstep, Marsten, Hogan and Blankenship 1975): whatever a price may rise to
buys what lacks, and whatever it may fall to pays for what is left over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from models.errors import SolverFailed
from optimizer.decompose.covered import Covered
from optimizer.decompose.limits import Limits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PASSES = 24
"""Columns of a span; the least useful make room for new ones."""


@dataclass(frozen=True, eq=False)
class Shared:
    """Prices of what services share: see ``Prices``."""

    quota: Floats
    budget: Floats
    covered: Floats


@dataclass(frozen=True, eq=False)
class Column:
    """What all cells of every span answer at some prices; ``asked`` are those prices.

    ``cost`` [block] at list prices, ``usage`` [class, block] USD/h, ``use`` [quota row, block],
    ``paid`` [budget, block].
    """

    asked: Shared
    cost: Floats
    usage: Floats
    use: Floats
    paid: Floats


@dataclass(frozen=True, eq=False)
class Mix:
    """The best mix of columns: its prices, and ``weight`` [column]."""

    prices: Shared
    weight: Floats


@dataclass(eq=False)
class Master:
    limits: Limits
    of: Covered
    spans: Sequence[tuple[int, int]]
    busy: NDArray[np.bool_]  # [block] whether any cell is in it
    columns: list[Column] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)

    def add(self, column: Column) -> None:
        """Remember a column; the one that has mattered least goes when there are too many."""
        if len(self.columns) == PASSES:
            least = int(np.argmin(self.weight[:-4]))
            del self.columns[least], self.weight[least]
        self.columns.append(column)
        self.weight.append(0.0)

    def revalue(self, more: Floats) -> None:
        """All columns cost ``more`` [block] than was thought."""
        self.columns = [replace(column, cost=column.cost + more) for column in self.columns]

    def mix(self, centre: Shared, reach: Shared) -> Mix:
        """The best mix with prices within ``reach`` of ``centre``."""
        of, cover = self.of, self.of.cover
        at = _Layout.of(self, len(centre.budget))
        matrix = self._rows(at)
        low, high = _box(centre, reach)
        costs = np.stack([column.cost for column in self.columns])[:, at.busy]
        spent = cover.usd_per_level_hour * of.hours
        cost = np.concatenate([costs.T.ravel(), spent, np.full(at.pairs, -1.0), high, -low])
        upper = np.full(len(cost), np.inf)
        upper[at.bought : at.covered] = cover.at_most
        owned = of.counts @ (cover.usd_per_level_hour * cover.owned.sum(axis=1))
        quotas = np.repeat(self.limits.quota_limit, of.hours)
        limit = np.concatenate([np.zeros(at.usage), quotas, self.limits.budget_limit - owned])
        bounds: Any = np.stack([np.zeros(len(cost)), upper], axis=1)
        found: Any = linprog(
            cost,
            A_ub=matrix[at.blocks : at.shared_row],
            b_ub=cover.owned.ravel(),
            A_eq=matrix[np.r_[0 : at.blocks, at.shared_row : matrix.shape[0]]],
            b_eq=np.concatenate([np.ones(at.blocks), limit]),
            bounds=bounds,
            method="highs",
        )
        if found.x is None:
            raise SolverFailed(f"prices of shared limits cannot be told: {found.message}")
        price = np.maximum(-found.eqlin.marginals[at.blocks :], 0.0)
        of_budgets = at.usage + len(quotas)
        prices = Shared(
            price[at.usage : of_budgets].reshape(-1, of.hours),
            price[of_budgets:],
            price[: at.usage].reshape(of.classes, of.hours),
        )
        weight = found.x[: at.bought].reshape(at.blocks, -1).sum(axis=0)
        self.weight = (0.7 * np.array(self.weight) + weight).tolist()
        return Mix(prices, weight)

    def _rows(self, at: _Layout) -> Any:
        """One of each block; levels hold; then usage, quotas and budgets, with what is elastic."""
        rows = _Entries()
        rows.add(np.repeat(np.arange(at.blocks), len(self.columns)), np.arange(at.bought), 1.0)
        programme, level_rows = self.of.programme, at.shared_row - at.blocks
        entries = programme.rows.tocoo()
        rows.add(at.blocks + entries.row, at.bought + entries.col, entries.data)
        self._add_columns(at, rows)
        spent = self.of.cover.usd_per_level_hour * self.of.hours
        for b, counts in enumerate(self.of.counts):
            budget = at.budget_row + b
            k = np.flatnonzero(counts)
            rows.add(np.full(len(k), budget), at.bought + k, spent[k])
            mine = np.flatnonzero(np.repeat(counts[programme.commitment], self.of.hours))
            rows.add(np.full(len(mine), budget), at.covered + mine, -1.0)
        shared = np.arange(at.shared)
        rows.add(at.shared_row + shared, at.elastic + shared, -1.0)
        rows.add(at.shared_row + shared, at.elastic + at.shared + shared, 1.0)
        return rows.matrix(at.blocks + level_rows + at.shared, at.elastic + 2 * at.shared)

    def _add_columns(self, at: _Layout, rows: _Entries) -> None:
        """What columns bring and use, block by block."""
        hours, count = self.of.hours, len(self.columns)
        usage, use, paid = (
            np.stack([getattr(column, name) for column in self.columns])[:, :, at.busy]
            for name in ("usage", "use", "paid")
        )
        for i, block in enumerate(at.busy.tolist()):
            start, end = self.spans[block]
            t = np.arange(start, end)
            for first, values in (
                (at.shared_row, -usage[:, :, i]),
                (at.shared_row + at.usage, use[:, :, i]),
            ):
                j, e = np.nonzero(values)
                row = first + (e[:, None] * hours + t).ravel()
                column = np.repeat(i * count + j, len(t))
                rows.add(row, column, np.repeat(values[j, e], len(t)))
            j, b = np.nonzero(paid[:, :, i])
            rows.add(at.budget_row + b, i * count + j, paid[j, b, i])


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where columns and rows of the master stand.

    Columns: θ [block, column]; from ``bought`` on c, from ``covered`` on u [pair, hour], from
    ``elastic`` on what lacks and then what is left over, per shared row. Rows: one per block, one
    per level and hour, and from ``shared_row`` on usage, quotas and budgets.
    """

    busy: Ints
    blocks: int
    bought: int
    covered: int
    pairs: int
    elastic: int
    usage: int
    shared: int
    shared_row: int
    budget_row: int

    @classmethod
    def of(cls, master: Master, budgets: int) -> _Layout:
        of, busy = master.of, np.flatnonzero(master.busy)
        bought = len(busy) * len(master.columns)
        covered = bought + len(of.cover)
        pairs = len(of.programme.commitment) * of.hours
        usage, quota = of.classes * of.hours, len(master.limits.quota_limit) * of.hours
        shared_row = len(busy) + len(of.cover) * of.hours
        return cls(
            busy, len(busy), bought, covered, pairs, covered + pairs, usage,
            usage + quota + budgets, shared_row, shared_row + usage + quota,
        )  # fmt: skip


def _box(centre: Shared, reach: Shared) -> tuple[Floats, Floats]:
    """Least and most of all prices, in the order of the rows."""
    low, high = [], []
    for name in ("covered", "quota", "budget"):
        at, by = getattr(centre, name), getattr(reach, name)
        low.append(np.maximum(at - by, 0.0).ravel())
        high.append((at + by).ravel())
    return np.concatenate(low), np.concatenate(high)


@dataclass(eq=False)
class _Entries:
    """Entries of a sparse matrix, gathered."""

    row: list[Ints] = field(default_factory=list)
    column: list[Ints] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)

    def add(self, row: Ints, column: Ints, value: Any) -> None:
        self.row.append(row)
        self.column.append(column)
        self.value.append(np.broadcast_to(np.asarray(value, np.float64), row.shape))

    def matrix(self, rows: int, columns: int) -> Any:
        row, column = np.concatenate(self.row), np.concatenate(self.column)
        value = np.concatenate(self.value)
        return sparse.csr_array((value, (row, column)), shape=(rows, columns))
