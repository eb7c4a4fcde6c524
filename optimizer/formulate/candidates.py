"""Undominated options of large fleets, worked out once for all services that share them.

A world of 100,000 services in nine places has 300 million options, and no room for a row each.
But services ask for the same shapes over and over, and rules treat most of them alike. Services
of the same shape, under the same kinds of spot rules, that need no more replicas than the largest
instance holds by the same number, form a *kind* and share their candidates. A service whose plan
depends on what runs today is a kind of its own.

Options drop in two passes: first per shape, for the most replicas that any of its services needs;
then, of the dozen per place that stay, per kind. What is of no use for many replicas is of no use
for few: where instances of other options hold as many replicas as one of b, they do so too when
replicas beyond K count for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.world import World
from optimizer.formulate.commitments import Cover
from optimizer.formulate.dominance import SPOT_LIMITED, Treatment
from optimizer.formulate.market import Market, Options
from optimizer.formulate.standing import runs_where_it_matters
from optimizer.problem import Ints

SHAPES_AT_ONCE = 500
"""Thousands of options each: this many fit in some hundred MiB."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Undominated options by kind of service: ``options.service`` counts kinds.

    Candidates of kind c in region r stand in rows ``starts[c, r]:starts[c, r + 1]``.
    ``dominated`` counts what was dropped, over all services.
    """

    kind_of_service: Ints
    options: Options
    starts: Ints
    dominated: int

    def by_service(self) -> Options:
        """The same candidates, a row for each of every service."""
        return self.options.dealt(self.kind_of_service)


def find_candidates(
    market: Market,
    world: World,
    most_replicas: Ints,
    cover: Cover | None = None,
) -> Candidates:
    """What ``drop_dominated`` leaves of every service's options.

    ``most_replicas`` [service] as there; ``cover``: what the world's commitments cover.
    """
    treatment = Treatment.of(world)
    variants, of_service = _distinct(market.shape_of_service, treatment.manner)
    shape, manner = variants[:, 0], variants[:, 1]
    most = np.zeros(len(variants), np.int64)
    np.maximum.at(most, of_service, most_replicas)
    offered = np.zeros(len(variants), np.int64)
    book = len(world.book.offerings)
    runners, running_row = runs_where_it_matters(world)
    runs_of_shape = of_service[runners] * book + running_row
    parts = []
    for first in range(0, len(variants), SHAPES_AT_ONCE):
        chunk = slice(first, first + SHAPES_AT_ONCE)
        options = market.options_of(shape[chunk])
        offered[chunk] = np.bincount(options.service, minlength=len(shape[chunk]))
        stays = treatment.unbeaten(options, most[chunk], manner[chunk], _classes(cover, options))
        stays |= np.isin((options.service + first) * book + options.offering, runs_of_shape)
        kept = options.where(stays)
        parts.append(replace(kept, service=kept.service + first))
    options = Options.joined(parts)

    largest = np.zeros(len(variants), np.int64)
    np.maximum.at(largest, options.service, options.replicas)
    largest[manner & SPOT_LIMITED > 0] = 0  # under a spot share replicas beyond the need count, too
    alone = np.zeros(len(of_service), np.int64)  # what runs today sets a service apart
    alone[runners] = runners + 1
    kinds, kind_of_service = _distinct(
        of_service, np.minimum(most_replicas, largest[of_service]), alone
    )
    options = options.dealt(kinds[:, 0])
    stays = treatment.unbeaten(options, kinds[:, 1], manner[kinds[:, 0]], _classes(cover, options))
    runs_of_kind = kind_of_service[runners] * book + running_row
    stays |= np.isin(options.service * book + options.offering, runs_of_kind)
    options = options.where(stays)
    place = options.service * market.places + options.region
    kind = np.arange(len(kinds))[:, None] * market.places
    starts = np.searchsorted(place, kind + np.arange(market.places + 1))
    kept_of_kind = starts[:, -1] - starts[:, 0]
    dominated = offered[of_service].sum() - kept_of_kind[kind_of_service].sum()
    return Candidates(kind_of_service, options, starts, int(dominated))


def _distinct(*columns: Ints) -> tuple[Ints, Ints]:
    """Distinct rows of the columns, and the row of each."""
    rows, number = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return rows, number.ravel().astype(np.int64)


def _classes(cover: Cover | None, options: Options) -> Ints | None:
    return None if cover is None else cover.classes_of(options)
