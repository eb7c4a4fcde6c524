"""The exact bill of a plan: decimal money, recomputed from counts, prices and routes."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from models.egress import GB_PER_KIB, SECONDS_PER_HOUR
from models.placement import CENT_OF_A_CENT, Bill, BillLine, ScenarioBill, Term
from models.world import World
from optimizer.coverage import commitment_lines, uses_of
from optimizer.emissions import carbon_of_counts
from optimizer.formulate.assemble import Formulation
from optimizer.formulate.egress import End, price_levels
from optimizer.moves import hurdle_lines, move_lines
from optimizer.problem import Floats
from optimizer.shortfall import unmet_lines


def make_bill(
    formulation: Formulation,
    values: Floats,
    counts: pd.DataFrame,
    weights: Floats | None = None,
) -> Bill:
    """What the placement costs over the horizon; ``counts`` has the columns of COUNT_COLUMNS.

    ``weights`` [scenario] of the demand scenarios; None: their probabilities, the expected bill.
    """
    layout = formulation.layout
    weights = layout.outlook.probability if weights is None else weights
    shape = (len(layout.service_names), len(layout.place_names))
    internet, between = np.zeros(shape), np.zeros(shape)
    _to_users(formulation, values, weights, internet)
    _between_services(formulation, values, weights, internet, between)
    lines = [
        *compute_lines(counts),
        *commitment_lines(uses_of(formulation, values)),
        *egress_lines(layout.world, between, Term.EGRESS_INTER_REGION),
        *egress_lines(layout.world, internet, Term.EGRESS_INTERNET),
        *move_lines(formulation, values),
    ]
    shadow = (
        *carbon_of_counts(layout.world, counts),
        *unmet_lines(layout, values, weights),
        *hurdle_lines(formulation, values),
    )
    return Bill(layout.periods, tuple(lines), shadow)


def bills_of_scenarios(
    formulation: Formulation, values: Floats, counts: pd.DataFrame
) -> tuple[ScenarioBill, ...]:
    """What each demand scenario would cost; none where demand is taken as certain."""
    policy = formulation.layout.world.policy
    each = np.eye(len(policy.demand_scenarios))
    return tuple(
        ScenarioBill(
            name,
            scenario.quantile,
            scenario.probability,
            make_bill(formulation, values, counts, weights),
        )
        for name, scenario, weights in zip(
            policy.scenario_names, policy.demand_scenarios, each, strict=False
        )
    )


def compute_lines(counts: pd.DataFrame) -> list[BillLine]:
    """One line per service, place and purchase option: Σ instance hours × exact price."""
    keys = ["cloud", "region", "service", "purchase"]
    hours = (
        counts.groupby([*keys, "price_usd_per_hour"], observed=True, sort=True)["count"]
        .sum()
        .reset_index()
    )
    totals: dict[tuple[str, str, str, str], Decimal] = {}
    for cloud, region, service, purchase, price, count in hours.itertuples(index=False):
        key = (str(cloud), str(region), str(service), str(purchase))
        # repr is the shortest decimal that reads back as the same float: the price as written
        usd = Decimal(repr(float(price))) * int(count)
        totals[key] = totals.get(key, Decimal(0)) + usd
    return [
        BillLine(Term.COMPUTE, cloud, f"{cloud}/{region}", service, purchase, usd)
        for (cloud, region, service, purchase), usd in totals.items()
    ]


def egress_lines(world: World, usd: Floats, term: Term) -> list[BillLine]:
    """One line per service and place from which data leaves; ``usd`` [service, region]."""
    lines = []
    for s, r in zip(*np.nonzero(usd >= float(CENT_OF_A_CENT) / 2), strict=True):
        region = world.regions[r]
        amount = Decimal(repr(float(usd[s, r]))).quantize(CENT_OF_A_CENT)
        name = world.services[s].name
        lines.append(BillLine(term, region.cloud.value, region.place, name, "", amount))
    return lines


def _to_users(formulation: Formulation, values: Floats, weights: Floats, internet: Floats) -> None:
    layout = formulation.layout
    direct_rps = np.tensordot(weights, layout.outlook.direct_rps, axes=1)
    prices = price_levels(layout.world)[:, 2]
    for i, first in enumerate(layout.route_column):
        s, g, r = layout.route_service[i], layout.route_origin[i], layout.route_region[i]
        kib = layout.world.services[s].response_kib
        if kib > 0:
            share = values[first + layout.route_block_of(int(s))]
            gb = float(share @ direct_rps[s, g]) * SECONDS_PER_HOUR * kib * GB_PER_KIB
            internet[s, r] += gb * prices[r]


def _between_services(
    formulation: Formulation, values: Floats, weights: Floats, internet: Floats, between: Floats
) -> None:
    prices = price_levels(formulation.layout.world)
    for calls in formulation.calls:
        stays = _read(values, calls.stays)
        for end in calls.ends:
            _one_end(end, weights @ end.gb, stays, values, prices, internet, between)


def _one_end(
    end: End,
    gb: Floats,
    stays: Floats,
    values: Floats,
    prices: Floats,
    internet: Floats,
    between: Floats,
) -> None:
    """``gb`` [block] leaves."""
    beyond = _read(values, end.route) - stays
    for level, columns in enumerate(end.levels):
        share = _read(values, columns)
        between[end.service] += (share @ gb) * prices[:, level]
        beyond = beyond - share
    internet[end.service] += (np.maximum(beyond, 0.0) @ gb) * prices[:, 2]


def _read(values: Floats, columns: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Floats:
    """Values of columns; 0 where there is none (-1)."""
    return np.where(columns >= 0, values[columns], 0.0)
