"""Commitments in a fleet that falls apart: what usage is worth to them, and what they cover of it.

Usage on demand of class e in hour t, V[e,t] USD at list price, is what all cells bring together.
Commitment k covers u[k,e,t] of it; a dollar of it takes ρ[k,e] of a level that costs γ_k an hour:

    Σ_e ρ[k,e] u[k,e,t] ≤ c_k + owned[k,t],   Σ_k u[k,e,t] ≤ V[e,t],   0 ≤ c_k ≤ most_k

The second rows tie services together. At a price λ[e,t] ≥ 0 per dollar cells pay p (1 - λ[e,t])
for what lists at p, and commitments keep 1 - λ[e,t] of each dollar they cover. An hour of a level
of k then earns v[k,t] = max_e (1 - λ[e,t])/ρ[k,e], and nothing lawful costs less than

    Σ cells at these prices + Σ_{k,t} owned[k,t] (γ_k - v[k,t])
        + Σ_k most_k · min(0, Σ_t (γ_k - v[k,t])).

With prices μ of budgets that count a cloud's commitments, each dollar of k counts 1 + μ_k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from models.errors import SolverFailed
from models.rules import BudgetRule
from models.world import World
from optimizer.decompose.cells import Cells
from optimizer.formulate.commitments import Cover

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Covered:
    """Commitments, and which candidates they make cheaper."""

    cover: Cover
    class_of: Ints  # [candidate]; -1: none
    list_usd: sparse.csr_array  # [class, candidate] USD an hour at list price
    counts: Floats  # [budget, commitment] 1 where the budget counts the commitment
    hours: int

    @property
    def classes(self) -> int:
        return self.cover.level_per_usd.shape[1]

    def at_list(self, used: Floats, spans: tuple[tuple[int, int], ...]) -> Floats:
        """Usage at list price [class, hour], USD/h; ``used`` [candidate, span] instances."""
        per_span = self.list_usd @ used
        hourly = np.zeros((self.classes, self.hours))
        for i, (start, end) in enumerate(spans):
            hourly[:, start:end] += per_span[:, i : i + 1]
        return hourly


@dataclass(frozen=True, eq=False)
class Cheapest:
    """What commitments do when usage has a price: what that costs, and what they would cover.

    ``covered`` [class, hour] is what they ask of usage, ``usd`` the bound's part, ``paid``
    [budget] what budgets count.
    """

    covered: Floats
    usd: float
    paid: Floats


@dataclass(frozen=True, eq=False)
class Levels:
    """The levels to buy [commitment] and what they and owned ones cover, at best.

    ``covered`` [commitment, class, hour]; ``usd`` over the horizon: all levels less what they
    cover; ``paid`` [budget]; ``worth`` [class, hour]: what another dollar of usage would save.
    """

    bought: Floats
    covered: Floats
    usd: float
    paid: Floats
    worth: Floats


def find_covered(world: World, cells: Cells, cover: Cover, hours: int) -> Covered:
    """What the commitments of a world cover among the candidates of its cells."""
    goods = cells.goods
    class_of = cover.commitment_class[goods.offering]
    candidate = np.flatnonzero(class_of >= 0)
    list_usd = sparse.csr_array(
        (goods.price_usd_per_hour[candidate], (class_of[candidate], candidate)),
        shape=(cover.level_per_usd.shape[1], len(class_of)),
    )
    counts = [
        [b.team is None and b.cloud in (None, c.cloud) for c in world.commitments]
        for b in world.rules
        if isinstance(b, BudgetRule)
    ]
    shape = (len(counts), len(cover))
    return Covered(cover, class_of, list_usd, np.array(counts, np.float64).reshape(shape), hours)


def cheapest_levels(of: Covered, price: Floats, budget: Floats, enough: Floats) -> Cheapest:
    """What commitments do where usage costs ``price`` [class, hour] and budgets ``budget``.

    ``usd`` is exact. ``covered`` stops at ``enough`` [commitment] of a level: more would only
    make the steps of the dual wild.
    """
    cover = of.cover
    counted = 1.0 + budget @ of.counts
    ratio = np.where(cover.covers, 1.0 / np.where(cover.covers, cover.level_per_usd, 1.0), 0.0)
    keeps = np.maximum(counted[:, None, None] - price[None], 0.0) * ratio[:, :, None]
    worth = keeps.max(axis=1, initial=0.0)
    cost = cover.usd_per_level_hour * counted
    in_force = cover.owned > 0
    usd = float((cover.owned * (cost[:, None] * in_force - worth)).sum())
    reduced = cost * of.hours - worth.sum(axis=1)
    usd += float(cover.at_most @ np.minimum(reduced, 0.0))
    bought = np.where(reduced < 0, np.minimum(cover.at_most, enough), 0.0)
    level = np.where(worth > 0, cover.owned + bought[:, None], 0.0)
    best = keeps.argmax(axis=1) if of.classes else np.zeros(worth.shape, np.int64)
    k, t = np.nonzero(level > 0)
    covered = np.zeros((of.classes, of.hours))
    dollars = level[k, t] * ratio[k, best[k, t]]
    np.add.at(covered, (best[k, t], t), dollars)
    spent = cover.usd_per_level_hour * (cover.owned.sum(axis=1) + bought * of.hours)
    saved = np.bincount(k, dollars, len(cover))
    return Cheapest(covered, usd, of.counts @ (spent - saved))


def best_levels(of: Covered, at_list: Floats, budget: Floats | None = None) -> Levels:
    """The cheapest levels for given usage ``at_list`` [class, hour]: a linear programme."""
    cover, hours = of.cover, of.hours
    k, e = np.nonzero(cover.covers)
    pairs = len(k)
    if not pairs:
        nothing = np.zeros((len(cover), of.classes, hours))
        return _levels(of, np.zeros(len(cover)), nothing, np.zeros((of.classes, hours)))
    weight = 1.0 + (budget @ of.counts if budget is not None else np.zeros(len(cover)))
    pair = np.repeat(np.arange(pairs), hours)
    hour = np.tile(np.arange(hours), pairs)
    column = len(cover) + np.arange(pairs * hours)
    level_row = k[pair] * hours + hour
    levels = np.arange(len(cover) * hours)
    takes: Any = sparse.csr_array(
        (
            np.concatenate([cover.level_per_usd[k, e][pair], np.full(len(levels), -1.0)]),
            (np.concatenate([level_row, levels]), np.concatenate([column, levels // hours])),
        ),
        shape=(len(levels), len(cover) + pairs * hours),
    )
    within: Any = sparse.csr_array(
        (np.ones(len(column)), (e[pair] * hours + hour, column)),
        shape=(of.classes * hours, len(cover) + pairs * hours),
    )
    rows: Any = sparse.vstack([takes, within])
    cost = np.concatenate([cover.usd_per_level_hour * weight * hours, -weight[k][pair]])
    limits: Any = np.stack(
        [np.zeros(len(cost)), np.concatenate([cover.at_most, np.full(len(column), np.inf)])], axis=1
    )
    found: Any = linprog(
        cost,
        A_ub=rows,
        b_ub=np.concatenate([cover.owned.ravel(), np.maximum(at_list, 0.0).ravel()]),
        bounds=limits,
        method="highs",
    )
    if found.x is None:
        raise SolverFailed(f"levels of commitments cannot be told: {found.message}")
    bought = np.clip(found.x[: len(cover)], 0.0, cover.at_most)
    covered = np.zeros((len(cover), of.classes, hours))
    covered[k, e] = np.maximum(found.x[len(cover) :], 0.0).reshape(pairs, hours)
    worth = -found.ineqlin.marginals[len(levels) :].reshape(of.classes, hours)
    return _levels(of, bought, covered, worth)


def _levels(of: Covered, bought: Floats, covered: Floats, worth: Floats) -> Levels:
    owned = of.cover.owned.sum(axis=1)
    spent = of.cover.usd_per_level_hour * (owned + bought * of.hours)
    net = spent - covered.sum(axis=(1, 2))
    return Levels(bought, covered, float(net.sum()), of.counts @ net, worth)
