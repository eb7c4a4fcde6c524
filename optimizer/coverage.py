"""What commitments do for a fleet: read off a plan, or at best for what runs today."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from scipy.optimize import linprog

from models.commitments import Commitment, CommitmentUse
from models.errors import SolverFailed
from models.placement import CENT_OF_A_CENT, COMMITMENT_PURCHASE, BillLine, Term
from models.world import World
from optimizer.formulate.assemble import Formulation
from optimizer.formulate.commitments import Cover
from optimizer.problem import Floats

LEAST_LEVEL = 1e-6
"""Bought levels below this are solver noise; others are rounded to whole multiples of it."""


def uses_of(formulation: Formulation, values: Floats) -> tuple[CommitmentUse, ...]:
    """How a solved problem uses every commitment of its world."""
    columns = formulation.commitments
    cover = columns.cover
    if not len(cover):
        return ()
    there = columns.covered_column >= 0
    covered = np.where(there, values[columns.covered_column], 0.0)[:, :, columns.moment_of]
    bought = np.round(_bought(formulation, values) / LEAST_LEVEL) * LEAST_LEVEL
    at_list = _at_list(formulation, values)
    return use_of_levels(formulation.layout.world.commitments, cover, bought, covered, at_list)


def cover_at_best(formulation: Formulation, values: Floats) -> Floats:
    """The same values, with commitments covering the most that their counts and levels allow."""
    columns = formulation.commitments
    level = columns.cover.owned + _bought(formulation, values)[:, None]
    at_list = _at_list(formulation, values)
    covered = values.copy()
    _, first = np.unique(columns.moment_of, return_index=True)
    for moment, t in enumerate(first.tolist()):
        at = columns.covered_column[:, :, moment]
        best = _best(columns.cover, level[:, t], at_list[:, t])
        covered[at[at >= 0]] = best[at >= 0]
    return covered


def _at_list(formulation: Formulation, values: Floats) -> Floats:
    """Usage on demand at list price, USD/h, [class, period]."""
    cover, layout = formulation.commitments.cover, formulation.layout
    options = layout.options
    at_list = np.zeros((cover.level_per_usd.shape[1], layout.periods))
    option_class = cover.commitment_class[options.offering]
    blocks = np.array([layout.count_block_of(s) for s in range(len(layout.service_names))])
    for o in np.flatnonzero(option_class >= 0).tolist():
        count = np.round(values[layout.option_column[o] + blocks[options.service[o]]])
        at_list[option_class[o]] += options.price_usd_per_hour[o] * count
    return at_list


def _bought(formulation: Formulation, values: Floats) -> Floats:
    """[commitment]"""
    columns = formulation.commitments.bought_column
    bought: Floats = np.where(columns >= 0, values[columns], 0.0)
    return bought


def uses_at_best(world: World, cover: Cover, at_list: Floats) -> tuple[CommitmentUse, ...]:
    """How owned commitments cover usage at best; none is bought.

    ``at_list`` [class, period] is usage on demand at list price, USD/h.
    """
    covered = np.zeros((*cover.level_per_usd.shape, at_list.shape[1]))
    hours = np.vstack([at_list, cover.owned])
    _, first, alike = np.unique(hours, axis=1, return_index=True, return_inverse=True)
    for i, t in enumerate(first.tolist()):
        covered[:, :, alike.ravel() == i] = _best(cover, cover.owned[:, t], at_list[:, t])[
            ..., None
        ]
    return use_of_levels(world.commitments, cover, np.zeros(len(cover)), covered, at_list)


def _best(cover: Cover, level: Floats, at_list: Floats) -> Floats:
    """max Σ u such that Σ_e ρ u ≤ level and Σ_k u ≤ usage at list price; u [commitment, class]."""
    k, e = np.nonzero(cover.covers)
    covered = np.zeros(cover.level_per_usd.shape)
    if not len(k):
        return covered
    takes = (np.arange(len(cover))[:, None] == k) * cover.level_per_usd[k, e]
    counts = (np.arange(len(at_list))[:, None] == e).astype(np.float64)
    found = linprog(
        -np.ones(len(k)), A_ub=np.vstack([takes, counts]), b_ub=np.concatenate([level, at_list])
    )
    if found.x is None:
        raise SolverFailed(f"what commitments cover today cannot be told: {found.message}")
    covered[k, e] = found.x
    return covered


def use_of_levels(
    commitments: Sequence[Commitment],
    cover: Cover,
    bought: Floats,
    covered: Floats,
    at_list: Floats,
) -> tuple[CommitmentUse, ...]:
    """How commitments are used that cover ``covered`` [commitment, class, period] of usage
    ``at_list`` [class, period], without what rounding may have added to it."""
    rates = np.where(cover.covers, cover.level_per_usd, 0.0)
    covered = np.where(cover.covers[:, :, None], np.maximum(covered, 0.0), 0.0)
    covered = covered * _at_most(covered.sum(axis=0), at_list)
    level = cover.owned + bought[:, None]
    used = np.einsum("ke,ket->kt", rates, covered)
    scale = _at_most(used, level)
    covered, used = covered * scale[:, None, :], used * scale
    return tuple(
        CommitmentUse(
            commitment,
            float(bought[k]),
            cover.owned[k],
            used[k],
            covered[k].sum(axis=0),
            at_list[cover.covers[k]].sum(axis=0),
        )
        for k, commitment in enumerate(commitments)
    )


def _at_most(values: Floats, limits: Floats) -> Floats:
    """Factors that bring values down to their limits, 1 where they are within them."""
    beyond = values > limits
    return np.where(beyond, np.divide(limits, values, where=beyond, out=np.ones_like(values)), 1.0)


def commitment_lines(uses: Sequence[CommitmentUse]) -> list[BillLine]:
    """What commitments cost, exactly, and what usage at list price they take off the bill."""
    lines = []
    for use in uses:
        name, cloud = use.commitment.name, use.commitment.cloud.value
        level_hours = _exact(use.commitment.owned) * int(np.count_nonzero(use.owned))
        level_hours += _exact(use.bought).quantize(_exact(LEAST_LEVEL)) * len(use.used)
        cost = _exact(use.commitment.usd_per_level_hour) * level_hours
        covered = _exact(use.covered_usd.sum()).quantize(CENT_OF_A_CENT)
        lines += [
            BillLine(term, cloud, "", "", COMMITMENT_PURCHASE, usd, name)
            for term, usd in ((Term.COMMITMENTS, cost), (Term.COVERED, -covered))
            if usd
        ]
    return lines


def _exact(value: float) -> Decimal:
    """The decimal that a float is written as."""
    return Decimal(repr(float(value)))
