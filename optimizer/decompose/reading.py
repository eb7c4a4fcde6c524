"""A decomposed plan as the tables and the bill of a placement."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.commitments import CommitmentUse
from models.placement import (
    BINDING_COLUMNS,
    Bill,
    Certificate,
    Placement,
    Proof,
    ScenarioBill,
    ShadowLine,
    Term,
)
from optimizer.bill import compute_lines, egress_lines
from optimizer.coverage import LEAST_LEVEL, commitment_lines, use_of_levels
from optimizer.decompose.calls import data_of_links, pay_links
from optimizer.decompose.cells import Cells, within
from optimizer.decompose.dual import Case, quota_use
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.lacking import unmet_replicas
from optimizer.decompose.solve import Decomposed
from optimizer.decompose.users import to_users
from optimizer.emissions import carbon_of_counts
from optimizer.formulate.egress import groups
from optimizer.formulate.reach import Distances
from optimizer.formulate.terms import UnmetTerms
from optimizer.read import NO_SLACK
from optimizer.shortfall import unmet_line
from optimizer.tables import LEAST_SHARE, counts_table, routes_table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OPTIMAL = 1e-6


def read_decomposed(found: Decomposed, fleet: Fleet, distances: Distances) -> Placement:
    """The placement that ``fleet`` means, with its exact bill and certificate."""
    world, cells = found.case.cells.world, found.case.cells
    counts = _counts(fleet)
    uses = _uses(fleet)
    gap, target = found.gap, world.policy.gap_target
    proof = (
        Proof.OPTIMAL if gap <= OPTIMAL else Proof.WITHIN_GAP if gap <= target else Proof.TIME_LIMIT
    )
    limits, asks = found.case.limits, cells.asks
    shared = len(limits.quota_limit) * found.case.periods + len(limits.budget_limit)
    return Placement(
        starts=world.starts,
        hours=found.case.periods,
        counts=counts,
        routes=_routes(fleet, distances),
        bill=_bill(fleet, counts, uses, found.case.outlook.probability),
        certificate=Certificate(
            proof=proof,
            objective_usd=found.usd,
            bound_usd=min(found.bound_usd, found.usd),
            gap=gap,
            backend="decomposition",
            solver=f"Lagrangian prices ({found.rounds} rounds, {len(asks.need):,} cells)",
            rows=shared + len(found.case.links.lane_of),
            columns=len(asks.may) + len(asks.place) + len(cells.goods.region) * len(cells.spans),
            integer_columns=len(asks.place) + len(cells.goods.region) * len(cells.spans),
            nonzeros=0,
            build_s=found.build_s,
            solve_s=found.solve_s,
        ),
        binding=_binding(found, fleet),
        exclusions=found.reach.exclusions.table(),
        scenarios=_scenarios(fleet, counts, uses),
        commitments=uses,
    )


def _counts(fleet: Fleet) -> pd.DataFrame:
    cells = fleet.case.cells
    world, goods = cells.world, cells.goods
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    group = cells.cell_group[fleet.cell]
    span = cells.asks.group_span[group]
    lengths = ends[span] - starts[span]
    row = np.repeat(np.arange(len(fleet.cell)), lengths)
    period = starts[span][row] + within(lengths)
    good, service = fleet.candidate[row], cells.group_service[group][row]
    # Cells that share their replicas between two prices may name an offering twice.
    offerings, periods = int(goods.offering.max(initial=0)) + 1, fleet.case.periods
    key = (service * offerings + goods.offering[good]) * periods + period
    distinct, first, same = np.unique(key, return_index=True, return_inverse=True)
    count = np.bincount(same.ravel(), fleet.count[row]).astype(np.int64)
    offered, period = np.divmod(distinct, periods)
    service, offering = np.divmod(offered, offerings)
    return counts_table(
        world,
        service,
        offering,
        period,
        count,
        goods.replicas[good[first]],
        goods.price_usd_per_hour[good[first]],
    )


def _lanes(cells: Cells) -> tuple[Ints, Ints, Ints, Ints]:
    """Service, origin, region and span of every lane."""
    asks = cells.asks
    cell = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    places = np.diff(asks.slot_start)[cell]
    lane = np.arange(len(cell)) - asks.lane_start[cell]
    region = asks.place[asks.slot_start[cell] + lane % places]
    widest = max((len(c.origins) for c in cells.clusters), default=1)
    origins = np.full((len(cells.clusters), max(widest, 1)), -1)
    for i, cluster in enumerate(cells.clusters):
        origins[i, : len(cluster.origins)] = cluster.origins
    group = cells.cell_group[cell]
    origin = origins[asks.cluster[cell], lane // places]
    return cells.group_service[group], origin, region, asks.group_span[group]


def _routes(fleet: Fleet, distances: Distances) -> pd.DataFrame:
    cells = fleet.case.cells
    world = cells.world
    taken = np.flatnonzero(fleet.share >= LEAST_SHARE)
    service, origin, region, span = (of[taken] for of in _lanes(cells))
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    order = np.lexsort((starts[span], region, origin, service))
    service, origin, region, span = (of[order] for of in (service, origin, region, span))
    return routes_table(
        world,
        service,
        origin,
        region,
        starts[span],
        ends[span] - starts[span],
        fleet.share[taken[order]],
        distances.from_origin,
    )


def _uses(fleet: Fleet) -> tuple[CommitmentUse, ...]:
    covered, levels = fleet.case.covered, fleet.levels
    at_list = covered.at_list(fleet.used, fleet.case.cells.spans)
    bought = np.round(levels.bought / LEAST_LEVEL) * LEAST_LEVEL
    commitments = fleet.case.cells.world.commitments
    return use_of_levels(commitments, covered.cover, bought, levels.covered, at_list)


def _scenarios(
    fleet: Fleet, counts: pd.DataFrame, uses: tuple[CommitmentUse, ...]
) -> tuple[ScenarioBill, ...]:
    policy = fleet.case.cells.world.policy
    each = np.eye(len(policy.demand_scenarios))
    return tuple(
        ScenarioBill(
            name, scenario.quantile, scenario.probability, _bill(fleet, counts, uses, weights)
        )
        for name, scenario, weights in zip(
            policy.scenario_names, policy.demand_scenarios, each, strict=False
        )
    )


def _bill(
    fleet: Fleet, counts: pd.DataFrame, uses: tuple[CommitmentUse, ...], weights: Floats
) -> Bill:
    """``weights`` [scenario] of the demand scenarios."""
    case, cells = fleet.case, fleet.case.cells
    world, links = cells.world, case.links
    internet = np.zeros((len(world.services), len(world.regions)))
    between = np.zeros_like(internet)
    service, _, region, _ = _lanes(cells)
    route_usd, gb = _data_of(case, weights)
    np.add.at(internet, (service, region), route_usd * fleet.share)
    index = world.service_index
    ends = np.array(
        [(index[d.caller], index[d.callee]) for d in world.dependencies], np.int64
    ).reshape(-1, 2)
    _, cloud = groups(world)
    pay_links(
        links.lane, links.places, gb, links.usd_per_gb, links.region_of_lane, fleet.share,
        ends[links.dependency], cloud, internet, between,
    )  # fmt: skip
    lines = (
        *compute_lines(counts),
        *egress_lines(world, between, Term.EGRESS_INTER_REGION),
        *egress_lines(world, internet, Term.EGRESS_INTERNET),
        *commitment_lines(uses),
    )
    shadow = (*carbon_of_counts(world, counts), *_unmet_lines(fleet, weights))
    return Bill(case.periods, lines, shadow)


def _data_of(case: Case, weights: Floats) -> tuple[Floats, Floats]:
    """USD of data to users [lane], and GB of every link [link, end], at ``weights`` [scenario]."""
    cells, links, outlook = case.cells, case.links, case.outlook
    if (weights == outlook.probability).all():
        return case.route_usd, links.gb
    direct_rps, rps = (
        np.tensordot(weights, of, axes=1) for of in (outlook.direct_rps, outlook.scenario_rps)
    )
    usd = to_users(cells, direct_rps, case.lane_slot, case.lane_service, case.lane_entry)
    return usd, data_of_links(cells, links, rps)


def _unmet_lines(fleet: Fleet, weights: Floats) -> tuple[ShadowLine, ...]:
    """One line per service and place that leaves demand unmet."""
    cells, asks = fleet.case.cells, fleet.case.cells.asks
    world = cells.world
    slot, pair, lacking = unmet_replicas(fleet.case.asks, fleet.capacity, fleet.share)
    cell = np.searchsorted(asks.slot_start, slot, side="right") - 1
    service = cells.group_service[cells.cell_group[cell]]
    replicas = np.zeros((len(world.services), len(world.regions)))
    weighed = weights[cells.unmet_scenario[pair]] * lacking
    np.add.at(replicas, (service, asks.place[slot]), weighed)
    terms = UnmetTerms.of(world)
    lines = (
        unmet_line(world, terms, s, r, float(replicas[s, r]))
        for s, r in np.argwhere(replicas > 0).tolist()
    )
    return tuple(line for line in lines if line is not None)


def _binding(found: Decomposed, fleet: Fleet) -> pd.DataFrame:
    """Rules that services share: their rows, and how many leave no slack."""
    case, limits = found.case, found.case.limits
    tight = quota_use(case, fleet.used) >= limits.quota_limit[:, None] * (1 - NO_SLACK)
    spent = fleet.spending >= limits.budget_limit * (1 - NO_SLACK)
    rows = []
    for rule in dict.fromkeys((*limits.quota_rules, *limits.budget_rules)):
        quotas = [i for i, other in enumerate(limits.quota_rules) if other is rule]
        budgets = [i for i, other in enumerate(limits.budget_rules) if other is rule]
        count = len(quotas) * case.periods + len(budgets)
        binding = int(tight[quotas].sum() + spent[budgets].sum())
        rows.append((rule.name, rule.in_words, str(rule.at), count, binding))
    return pd.DataFrame(rows, columns=list(BINDING_COLUMNS))
