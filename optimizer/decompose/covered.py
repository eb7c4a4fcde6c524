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
class Programme:
    """The linear programme of levels: columns c [commitment] and u [pair, hour]."""

    commitment: Ints  # [pair] of a commitment and a class that it covers
    usage_class: Ints
    rows: Any  # level rows [commitment, hour], then usage rows [class, hour]


def _programme(cover: Cover, classes: int, hours: int) -> Programme:
    k, e = np.nonzero(cover.covers)
    pair = np.repeat(np.arange(len(k)), hours)
    hour = np.tile(np.arange(hours), len(k))
    column = len(cover) + np.arange(len(pair))
    level = np.arange(len(cover) * hours)
    entries = [
        (k[pair] * hours + hour, column, cover.level_per_usd[k, e][pair]),
        (level, level // hours, np.full(len(level), -1.0)),
        (len(level) + e[pair] * hours + hour, column, np.ones(len(pair))),
    ]
    row, at, factor = (np.concatenate(part) for part in zip(*entries, strict=True))
    shape = (len(level) + classes * hours, len(cover) + len(pair))
    rows: Any = sparse.csr_array((factor, (row, at)), shape=shape)
    return Programme(k, e, rows)


@dataclass(frozen=True, eq=False)
class Covered:
    """Commitments, and which candidates they make cheaper."""

    cover: Cover
    class_of: Ints  # [candidate]; -1: none
    list_usd: sparse.csr_array  # [class, candidate] USD an hour at list price
    counts: Floats  # [budget, commitment] 1 where the budget counts the commitment
    hours: int
    programme: Programme

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
class Levels:
    """The levels to buy [commitment] and what they and owned ones cover, at best.

    ``covered`` [commitment, class, hour]; ``usd`` over the horizon: all levels less what they
    cover; ``paid`` [budget] the same, where budgets count it.
    """

    bought: Floats
    covered: Floats
    usd: float
    paid: Floats


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
    counted = np.array(counts, np.float64).reshape(len(counts), len(cover))
    programme = _programme(cover, cover.level_per_usd.shape[1], hours)
    return Covered(cover, class_of, list_usd, counted, hours, programme)


def full_discount(of: Covered) -> Floats:
    """What a dollar of usage saves if its level is in use all the time [class, hour]."""
    cover = of.cover
    offered = cover.covers & (cover.at_most > 0)[:, None]
    paid = np.where(offered, cover.level_per_usd * cover.usd_per_level_hour[:, None], 1.0)
    saved = 1.0 - paid.min(axis=0, initial=1.0)
    discount: Floats = np.repeat(saved[:, None], of.hours, axis=1)
    return discount


def worth_of_levels(of: Covered, price: Floats, budget: Floats) -> Floats:
    """What an hour of a level earns [commitment, hour], USD: v of the module's docstring."""
    cover = of.cover
    counted = 1.0 + budget @ of.counts
    ratio = np.where(cover.covers, 1.0 / np.where(cover.covers, cover.level_per_usd, 1.0), 0.0)
    keeps = np.maximum(counted[:, None, None] - price[None], 0.0) * ratio[:, :, None]
    worth: Floats = keeps.max(axis=1, initial=0.0)
    return worth


def levels_usd(of: Covered, price: Floats, budget: Floats) -> float:
    """The least that commitments cost where usage costs ``price`` [class, hour] and budgets
    ``budget``.
    """
    cover = of.cover
    worth = worth_of_levels(of, price, budget)
    cost = cover.usd_per_level_hour * (1.0 + budget @ of.counts)
    usd = float((cover.owned * (cost[:, None] - worth)).sum())
    reduced = cost * of.hours - worth.sum(axis=1)
    return usd + float(cover.at_most @ np.minimum(reduced, 0.0))


def best_levels(of: Covered, at_list: Floats) -> Levels:
    """The cheapest levels for given usage ``at_list`` [class, hour]: a linear programme."""
    cover, hours, programme = of.cover, of.hours, of.programme
    k, e = programme.commitment, programme.usage_class
    bought, covered = np.zeros(len(cover)), np.zeros((len(cover), of.classes, hours))
    if len(k):
        upper = np.full(programme.rows.shape[1], np.inf)
        upper[: len(cover)] = cover.at_most
        bounds: Any = np.stack([np.zeros(len(upper)), upper], axis=1)
        found: Any = linprog(
            np.concatenate([cover.usd_per_level_hour * hours, np.full(len(k) * hours, -1.0)]),
            A_ub=programme.rows,
            b_ub=np.concatenate([cover.owned.ravel(), np.maximum(at_list, 0.0).ravel()]),
            bounds=bounds,
            method="highs",
        )
        if found.x is None:
            raise SolverFailed(f"levels of commitments cannot be told: {found.message}")
        bought = np.clip(found.x[: len(cover)], 0.0, cover.at_most)
        covered[k, e] = np.maximum(found.x[len(cover) :], 0.0).reshape(len(k), hours)
    spent = cover.usd_per_level_hour * (cover.owned.sum(axis=1) + bought * hours)
    net = spent - covered.sum(axis=(1, 2))
    return Levels(bought, covered, float(net.sum()), of.counts @ net)


def room_of(of: Covered, levels: Levels) -> Floats:
    """Usage [class, hour] that bought and owned levels cover, and what each class could still fill.

    Classes compete for what is left: each is shown all of it.
    """
    cover = of.cover
    rates = np.where(cover.covers, cover.level_per_usd, 0.0)
    level = cover.owned + levels.bought[:, None]
    left = np.maximum(level - np.einsum("ke,ket->kt", rates, levels.covered), 0.0)
    ratio = np.where(cover.covers, 1.0 / np.where(cover.covers, cover.level_per_usd, 1.0), 0.0)
    room: Floats = levels.covered.sum(axis=0) + ratio.T @ left
    return room
