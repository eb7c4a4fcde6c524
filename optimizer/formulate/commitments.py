"""Columns, rows and cost of commitments: what they cover, and how much of them to buy.

Options that the same commitments cover at the same rates form a class e. With ρ[k,e] the level of
commitment k that a dollar of list price of class e takes,

    Σ_e ρ[k,e] u[k,e,t] ≤ c[k] + owned[k]·(in force at t)     `commitment_covers`
    Σ_k u[k,e,t] ≤ Σ_{s,o∈e} p_o n[s,o,t]                     `covered_at_most_used`

u[k,e,t] ≥ 0 is covered usage at its list price (USD/h), c[k] the level that is bought. The cost
gains γ[k] · (c[k] + owned[k]) per hour, used or not, and loses Σ u. Usage is not told apart by
instance or service: whatever of a class is covered, the bill is the same. So there are as many u
as there are classes, however many services and options there are.

What is owned is paid for in any case. It stands among the columns, fixed, so that cost, bound and
bill speak of the same money.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.commitments import level_per_usd, owned_levels
from models.places import Cloud
from models.world import World
from optimizer.formulate.layout import Layout, runs
from optimizer.formulate.market import Options
from optimizer.problem import Bools, Draft, Floats, Ints


@dataclass(frozen=True, eq=False)
class Cover:
    """What the world's commitments cover, in arrays that need no problem around them.

    A dollar of list price of class e, covered by commitment k, takes ``level_per_usd[k, e]`` of
    its level (inf: k does not cover e). A level costs ``usd_per_level_hour`` an hour. Rows of the
    price book without a class (-1) are covered by nothing. Within a class rates are equal but for
    the rounding of prices; the class has the largest, so that nothing is covered in excess.
    """

    commitment_class: Ints  # [book row]
    level_per_usd: Floats  # [commitment, class]
    usd_per_level_hour: Floats  # [commitment]
    owned: Floats  # [commitment, period], level in force
    at_most: Floats  # [commitment], level that may be bought

    def __len__(self) -> int:
        return len(self.usd_per_level_hour)

    @property
    def covers(self) -> Bools:
        """[commitment, class]"""
        finite: Bools = np.isfinite(self.level_per_usd)
        return finite

    def classes_of(self, options: Options) -> Ints | None:
        """[option]: which options commitments make cheaper alike, -1: none; None: none of them all.

        For ``drop_dominated``. What is covered may cost nothing but its carbon. So where carbon
        counts, what takes an option's place must not emit more either: options stand in for each
        other only where carbon is the same share of the price, as it is within a family.
        """
        if not self.covers.size:
            return None
        classes: Ints = self.commitment_class[options.offering]
        if not options.carbon_usd_per_hour.any():
            return classes
        share = options.carbon_usd_per_hour / options.price_usd_per_hour
        kinds = np.stack([classes.astype(np.float32), share.astype(np.float32)], axis=1)
        _, finer = np.unique(kinds, axis=0, return_inverse=True)
        return np.where(classes >= 0, finer.ravel(), -1)


def find_cover(world: World) -> Cover:
    """The classes and rates of the world's commitments."""
    commitments = world.commitments
    rates = level_per_usd(commitments, world.book.offerings, world.regions)
    covered = np.flatnonzero(np.isfinite(rates).any(axis=0))
    classes = np.full(len(world.book), -1)
    class_rates = np.zeros((len(commitments), 0))
    if len(covered):
        # Single precision forgives what the rounding of published prices does to equal rates.
        alike = rates[:, covered].astype(np.float32)
        kinds, class_of = np.unique(alike, axis=1, return_inverse=True)
        classes[covered] = class_of.ravel()
        class_rates = np.zeros(kinds.shape)
        for k in range(len(commitments)):
            np.maximum.at(class_rates[k], classes[covered], rates[k, covered])
    return Cover(
        classes,
        class_rates,
        np.array([c.usd_per_level_hour for c in commitments], np.float64),
        owned_levels(commitments, world.starts, world.policy.horizon_hours),
        np.array([c.at_most for c in commitments], np.float64),
    )


@dataclass(frozen=True, eq=False)
class Commitments:
    """Where commitments stand among the columns.

    A *moment* is a run of hours in which counts and owned levels stay the same. Columns of u have
    shape [commitment, class, moment]; -1 where there is none.
    """

    cover: Cover
    bought_column: Ints  # [commitment]; -1: nothing is on offer
    covered_column: Ints
    moment_of: Ints  # [period]


def commitment_covers(draft: Draft, layout: Layout, cover: Cover) -> Commitments:
    """All columns, rows and cost of commitments; see the module's docstring."""
    finest = layout.count_block_of(int(layout.count_blocks.argmax()))
    steps = np.vstack([finest, cover.owned])
    _, first, moment_of = np.unique(steps, axis=1, return_index=True, return_inverse=True)
    moment_of = moment_of.ravel()
    useful = np.zeros(cover.level_per_usd.shape[1], np.bool_)
    option_class = cover.commitment_class[layout.options.offering]
    useful[option_class[option_class >= 0]] = True
    covered_column = np.full((*cover.level_per_usd.shape, len(first)), -1)
    bought_column = np.full(len(cover), -1)
    columns = Commitments(cover, bought_column, covered_column, moment_of)
    if not len(cover):
        return columns
    names = [commitment.name for commitment in layout.world.commitments]
    hours = np.bincount(moment_of).astype(np.float64)
    owned_column = _levels(draft, layout, columns, names)
    commitment, usage_class = np.nonzero(cover.covers & useful)
    owner, moment = runs(np.arange(len(commitment)), np.full(len(commitment), len(first)))
    k, e = commitment[owner], usage_class[owner]
    labels = [f"class{i}" for i in range(len(useful))], [layout.period_names[t] for t in first]
    covered = draft.add_columns("covered", "USD/h", (k, e, moment), (names, *labels))
    covered_column[k, e, moment] = covered
    _pay(draft, layout, covered, -hours[moment], k)
    _covers(draft, columns, first, names, labels[1], owned_column)
    _at_most_used(draft, layout, columns, first, option_class, labels)
    return columns


def _levels(draft: Draft, layout: Layout, columns: Commitments, names: list[str]) -> Ints:
    """Columns of what is owned, fixed, and of what is bought, and their cost."""
    cover = columns.cover
    owned_column = np.full(len(cover), -1)
    owned = cover.owned.max(axis=1, initial=0.0)
    held = np.flatnonzero(owned > 0)
    owned_column[held] = draft.add_columns(
        "owned", "level", (held,), (names,), lower=owned[held], upper=owned[held]
    )
    in_force = (cover.owned[held] > 0).sum(axis=1)
    _pay(draft, layout, owned_column[held], cover.usd_per_level_hour[held] * in_force, held)
    offered = np.flatnonzero(cover.at_most > 0)
    columns.bought_column[offered] = draft.add_columns(
        "bought", "level", (offered,), (names,), upper=cover.at_most[offered]
    )
    usd = cover.usd_per_level_hour[offered] * layout.periods
    _pay(draft, layout, columns.bought_column[offered], usd, offered)
    return owned_column


def _pay(draft: Draft, layout: Layout, columns: Ints, usd: Floats, commitment: Ints) -> None:
    clouds = list(Cloud)
    at = np.array([clouds.index(c.cloud) for c in layout.world.commitments])
    draft.add_cost(
        columns,
        usd,
        service=len(layout.service_names),
        region=len(layout.place_names) + at[commitment],
    )


def _covers(
    draft: Draft,
    columns: Commitments,
    first: Ints,
    names: list[str],
    moments: list[str],
    owned_column: Ints,
) -> None:
    """Σ_e ρ[k,e] u[k,e,t] - c[k] - owned[k]·(in force at t) ≤ 0."""
    cover = columns.cover
    k, e, moment = np.nonzero(columns.covered_column >= 0)
    used = np.unique(k)
    row_of = np.full(len(cover), -1)
    row_of[used] = np.arange(len(used)) * len(first)
    key, key_moment = runs(used, np.full(len(used), len(first)))
    rows = np.arange(len(key))
    bought = columns.bought_column[key] >= 0
    owned = cover.owned[key, first[key_moment]] > 0
    draft.add_rows(
        "commitment_covers",
        "level",
        (key, key_moment),
        (names, moments),
        [
            (row_of[k] + moment, columns.covered_column[k, e, moment], cover.level_per_usd[k, e]),
            (rows[bought], columns.bought_column[key[bought]], np.full(int(bought.sum()), -1.0)),
            (rows[owned], owned_column[key[owned]], np.full(int(owned.sum()), -1.0)),
        ],
        upper=0.0,
    )


def _at_most_used(
    draft: Draft,
    layout: Layout,
    columns: Commitments,
    first: Ints,
    option_class: Ints,
    labels: tuple[list[str], list[str]],
) -> None:
    """Σ_k u[k,e,t] - Σ_{s,o∈e} p_o n[s,o,t] ≤ 0."""
    k, e, moment = np.nonzero(columns.covered_column >= 0)
    classes = np.unique(e)
    row_of = np.full(columns.covered_column.shape[1], -1)
    row_of[classes] = np.arange(len(classes)) * len(first)
    key, key_moment = runs(classes, np.full(len(classes), len(first)))
    options = np.flatnonzero(option_class >= 0)
    blocks = np.array([layout.count_block_of(s)[first] for s in range(len(layout.service_names))])
    counts = layout.option_column[options][:, None] + blocks[layout.options.service[options]]
    draft.add_rows(
        "covered_at_most_used",
        "USD/h",
        (key, key_moment),
        labels,
        [
            (row_of[e] + moment, columns.covered_column[k, e, moment], np.ones(len(k))),
            (
                (row_of[option_class[options]][:, None] + np.arange(len(first))).ravel(),
                counts.ravel(),
                -np.repeat(layout.options.price_usd_per_hour[options], len(first)),
            ),
        ],
        upper=0.0,
    )
