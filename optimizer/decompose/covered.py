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
    """The linear programme of levels: columns c, u, and usage that is lacking or left over."""

    commitment: Ints  # [pair] of a commitment and a class that it covers
    usage_class: Ints
    rows: Any  # level rows [commitment, hour], then usage rows [class, hour]
    columns: int


def _programme(cover: Cover, classes: int, hours: int) -> Programme:
    k, e = np.nonzero(cover.covers)
    pair = np.repeat(np.arange(len(k)), hours)
    hour = np.tile(np.arange(hours), len(k))
    usage = classes * hours
    column = len(cover) + np.arange(len(pair))
    lacking = len(cover) + len(pair) + np.arange(usage)
    level = np.arange(len(cover) * hours)
    within = len(level) + np.arange(usage)
    entries = [
        (k[pair] * hours + hour, column, cover.level_per_usd[k, e][pair]),
        (level, level // hours, np.full(len(level), -1.0)),
        (len(level) + e[pair] * hours + hour, column, np.ones(len(pair))),
        (within, lacking, np.full(usage, -1.0)),
        (within, lacking + usage, np.ones(usage)),
    ]
    row, at, factor = (np.concatenate(part) for part in zip(*entries, strict=True))
    columns = len(cover) + len(pair) + 2 * usage
    rows: Any = sparse.csr_array((factor, (row, at)), shape=(len(level) + usage, columns))
    return Programme(k, e, rows, columns)


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


def levels_usd(of: Covered, price: Floats, budget: Floats) -> float:
    """The least that commitments cost where usage costs ``price`` [class, hour] and budgets
    ``budget``.
    """
    cover = of.cover
    counted = 1.0 + budget @ of.counts
    ratio = np.where(cover.covers, 1.0 / np.where(cover.covers, cover.level_per_usd, 1.0), 0.0)
    keeps = np.maximum(counted[:, None, None] - price[None], 0.0) * ratio[:, :, None]
    worth = keeps.max(axis=1, initial=0.0)
    cost = cover.usd_per_level_hour * counted
    usd = float((cover.owned * (cost[:, None] - worth)).sum())
    reduced = cost * of.hours - worth.sum(axis=1)
    return usd + float(cover.at_most @ np.minimum(reduced, 0.0))


def best_levels(
    of: Covered,
    at_list: Floats,
    budget: Floats | None = None,
    between: tuple[Floats, Floats] | None = None,
) -> Levels:
    """The cheapest levels for given usage ``at_list`` [class, hour]: a linear programme.

    ``between``: least and most that a dollar of usage may be worth. Then commitments may cover
    usage that is not there, at the most, and leave some for the least.
    """
    cover, hours, of_levels = of.cover, of.hours, of.programme
    k, e = of_levels.commitment, of_levels.usage_class
    if not len(k):
        nothing = np.zeros((len(cover), of.classes, hours))
        return _levels(of, np.zeros(len(cover)), nothing, np.zeros((of.classes, hours)))
    weight = 1.0 + (budget @ of.counts if budget is not None else np.zeros(len(cover)))
    usage = of.classes * hours
    least, most = between or (np.zeros(usage), np.zeros(usage))
    cost = np.concatenate(
        [
            cover.usd_per_level_hour * weight * hours,
            -np.repeat(weight[k], hours),
            most.ravel(),
            -least.ravel(),
        ]
    )
    upper = np.full(of_levels.columns, np.inf)
    upper[: len(cover)] = cover.at_most
    if between is None:
        upper[len(cost) - 2 * usage : len(cost) - usage] = 0.0
    limits: Any = np.stack([np.zeros(len(cost)), upper], axis=1)
    found: Any = linprog(
        cost,
        A_ub=of_levels.rows[: len(cover) * hours],
        b_ub=cover.owned.ravel(),
        A_eq=of_levels.rows[len(cover) * hours :],
        b_eq=np.maximum(at_list, 0.0).ravel(),
        bounds=limits,
        method="highs",
    )
    if found.x is None:
        raise SolverFailed(f"levels of commitments cannot be told: {found.message}")
    bought = np.clip(found.x[: len(cover)], 0.0, cover.at_most)
    covered = np.zeros((len(cover), of.classes, hours))
    pairs = found.x[len(cover) : len(cover) + len(k) * hours]
    covered[k, e] = np.maximum(pairs, 0.0).reshape(len(k), hours)
    worth = np.maximum(-found.eqlin.marginals.reshape(of.classes, hours), 0.0)
    return _levels(of, bought, covered, worth)


def _levels(of: Covered, bought: Floats, covered: Floats, worth: Floats) -> Levels:
    owned = of.cover.owned.sum(axis=1)
    spent = of.cover.usd_per_level_hour * (owned + bought * of.hours)
    net = spent - covered.sum(axis=(1, 2))
    return Levels(bought, covered, float(net.sum()), of.counts @ net, worth)


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
