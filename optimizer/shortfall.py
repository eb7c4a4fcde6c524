"""Requests that a plan leaves unserved, and what they count in the decision."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from models.egress import SECONDS_PER_HOUR
from models.placement import CENT_OF_A_CENT, ShadowLine, ShadowTerm
from models.world import World
from optimizer.formulate.layout import Layout
from optimizer.formulate.terms import UnmetTerms
from optimizer.problem import Floats

NOISE = 1e-6
"""Replicas, relative to what a place is asked for, that solvers may leave out."""


def unmet_lines(layout: Layout, values: Floats, weights: Floats) -> tuple[ShadowLine, ...]:
    """One line per service and place, over the horizon; ``weights`` [scenario] of the scenarios.

    Recomputed from counts and routes: what a place is asked for beyond what its instances serve.
    """
    lines = []
    terms, world = layout.unmet, layout.world
    for s in np.flatnonzero(terms.at_most > 0).tolist():
        lacking = np.einsum("w,wrt->r", weights, _lacking(layout, values, s))
        for r in np.flatnonzero(lacking).tolist():
            line = unmet_line(world, terms, s, r, float(lacking[r]))
            if line is not None:
                lines.append(line)
    return tuple(lines)


def unmet_line(
    world: World, terms: UnmetTerms, s: int, r: int, replica_hours: float
) -> ShadowLine | None:
    """What service ``s`` leaves unserved in region ``r``; None: nothing to speak of."""
    service, region = world.services[s], world.regions[r]
    quantity = _rounded(replica_hours * service.replica.throughput_rps * SECONDS_PER_HOUR)
    usd = _rounded(replica_hours * terms.usd_per_replica_hour[s])
    if not (quantity or usd):
        return None
    return ShadowLine(
        ShadowTerm.UNMET_DEMAND, region.cloud.value, region.place, service.name, quantity, usd
    )


def _lacking(layout: Layout, values: Floats, s: int) -> Floats:
    """Replicas that places lack, [scenario, region, period]."""
    asked = np.zeros((len(layout.outlook.probability), len(layout.place_names), layout.periods))
    for i in np.flatnonzero(layout.route_service == s).tolist():
        share = values[layout.route_column[i] + layout.route_block_of(s)]
        needed = layout.scenario_replicas[:, s, layout.route_origin[i]]
        asked[:, layout.route_region[i]] += share * needed
    held = np.zeros(asked.shape[1:])
    options = layout.options_of(s)
    columns = layout.option_column[options][:, None] + layout.count_block_of(s)
    replicas = np.round(values[columns]) * layout.options.replicas[options][:, None]
    np.add.at(held, layout.options.region[options], replicas)
    lacking = asked - held
    clean: Floats = np.where(lacking > NOISE * (1.0 + asked), lacking, 0.0)
    return clean


def _rounded(amount: float) -> Decimal:
    return Decimal(repr(float(amount))).quantize(CENT_OF_A_CENT)
