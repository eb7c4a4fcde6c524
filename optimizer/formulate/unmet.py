"""Demand that may go unmet, at a price: columns, rows and cost.

A service whose objective allows it may leave a share of its requests unserved in hours and
scenarios in which serving them would cost more than their price:

    m[s,r,t,ω] ≥ 0                               replicas that place r lacks in hour t of scenario ω
    Σ_r m[s,r,t,ω] ≤ u_s · Σ_g D[s,g,t,ω]/q_s    (unmet_within)

The cap holds in every hour of every scenario, so that no hour goes without service and what each
hour asks for stays a matter of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.formulate.layout import Layout
from optimizer.problem import Draft, Ints


@dataclass(frozen=True, eq=False)
class Unmet:
    """Where the columns stand: per service that may leave demand unmet, [region, telling].

    Regions are those that ``Layout.served_from`` gives, telling hours those of ``Layout.telling``.
    """

    columns: Mapping[int, Ints]


def may_go_unmet(draft: Draft, layout: Layout) -> Unmet:
    """Columns of unmet demand, their cap and their price."""
    terms = layout.unmet
    columns = {
        s: _one_service(draft, layout, s)
        for s in np.flatnonzero(terms.at_most > 0).tolist()
        if len(layout.served_from(s)) and len(layout.telling(s)[0])
    }
    return Unmet(columns)


def _one_service(draft: Draft, layout: Layout, s: int) -> Ints:
    terms = layout.unmet
    regions = layout.served_from(s)
    scenario, period = layout.telling(s)
    place, hour = np.repeat(regions, len(period)), np.tile(period, len(regions))
    keys, labels = layout.by_scenario(np.tile(scenario, len(regions)))
    columns = draft.add_columns(
        "unmet",
        "replicas",
        (place * 0 + s, place, hour, *keys),
        (layout.service_names, layout.place_names, layout.period_names, *labels),
    ).reshape(len(regions), len(period))
    rows = np.arange(len(period))
    keys, labels = layout.by_scenario(scenario)
    needed = layout.scenario_replicas[scenario, s, :, period].sum(axis=1)
    draft.add_rows(
        "unmet_within",
        "replicas",
        (rows * 0 + s, period, *keys),
        (layout.service_names, layout.period_names, *labels),
        [(np.tile(rows, len(regions)), columns.ravel(), np.ones(columns.size))],
        upper=terms.at_most[s] * needed,
    )
    usd = np.zeros((len(layout.outlook.probability), columns.size))
    usd[np.tile(scenario, len(regions)), np.arange(columns.size)] = terms.usd_per_replica_hour[s]
    draft.add_uncertain_cost(columns.ravel(), usd, service=s, region=place, paid=False)
    return columns
