"""A decomposed plan as the tables and the bill of a placement."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.placement import (
    BINDING_COLUMNS,
    COUNT_COLUMNS,
    ROUTE_COLUMNS,
    Bill,
    Certificate,
    Placement,
    Proof,
    Term,
)
from optimizer.bill import compute_lines, egress_lines
from optimizer.decompose.calls import pay_links
from optimizer.decompose.cells import Cells
from optimizer.decompose.dual import quota_use
from optimizer.decompose.repair import Fleet
from optimizer.decompose.solve import Decomposed
from optimizer.emissions import carbon_of_counts
from optimizer.formulate.egress import groups
from optimizer.formulate.reach import Distances
from optimizer.read import LEAST_SHARE, NO_SLACK

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OPTIMAL = 1e-6


def read_decomposed(found: Decomposed, fleet: Fleet, distances: Distances) -> Placement:
    """The placement that ``fleet`` means, with its exact bill and certificate."""
    world, cells = found.case.cells.world, found.case.cells
    counts = _counts(fleet)
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
        bill=_bill(fleet, counts),
        certificate=Certificate(
            proof=proof,
            objective_usd=found.usd,
            bound_usd=min(found.bound_usd, found.usd),
            gap=gap,
            backend="decomposition",
            solver=f"Lagrangian decomposition, {found.rounds} rounds over {len(asks.need):,} cells",
            rows=shared + len(found.case.links.lane_of),
            columns=len(asks.may) + len(asks.place) + len(cells.goods.region) * len(cells.spans),
            integer_columns=len(asks.place) + len(cells.goods.region) * len(cells.spans),
            nonzeros=0,
            build_s=found.build_s,
            solve_s=found.solve_s,
        ),
        binding=_binding(found, fleet),
        exclusions=found.reach.exclusions.table(),
    )


def _within(lengths: Ints) -> Ints:
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def _counts(fleet: Fleet) -> pd.DataFrame:
    cells = fleet.case.cells
    world, goods = cells.world, cells.goods
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    group = cells.cell_group[fleet.cell]
    span = cells.asks.group_span[group]
    lengths = ends[span] - starts[span]
    row = np.repeat(np.arange(len(fleet.cell)), lengths)
    period = starts[span][row] + _within(lengths)
    good = fleet.candidate[row]
    service = cells.group_service[group][row]
    rate = np.array([s.replica.throughput_rps for s in world.services])
    offered = world.book.offerings.iloc[goods.offering[good]]
    frame = pd.DataFrame(
        {
            "service": np.array([s.name for s in world.services], dtype=object)[service],
            "cloud": offered["cloud"].astype(str).to_numpy(),
            "region": offered["region"].astype(str).to_numpy(),
            "instance_type": offered["instance_type"].astype(str).to_numpy(),
            "purchase": offered["purchase"].astype(str).to_numpy(),
            "period": period,
            "count": fleet.count[row],
            "price_usd_per_hour": goods.price_usd_per_hour[good],
            "replicas_per_instance": goods.replicas[good],
            "capacity_rps": fleet.count[row] * goods.replicas[good] * rate[service],
            "price_source": offered["source"].astype(str).to_numpy(),
            "price_date": offered["price_date"].astype(str).to_numpy(),
        },
        columns=list(COUNT_COLUMNS),
    )
    keys = ["service", "cloud", "region", "instance_type", "purchase", "period"]
    twice = frame.duplicated(keys, keep=False)
    if twice.any():  # cells that share an offering at two prices
        summed = frame[twice].groupby(keys, sort=False)[["count", "capacity_rps"]].sum()
        merged = frame[twice].drop_duplicates(keys).drop(columns=["count", "capacity_rps"])
        merged = merged.merge(summed.reset_index(), on=keys)
        frame = pd.concat([frame[~twice], merged[list(COUNT_COLUMNS)]])
    return frame.sort_values(keys, ignore_index=True)


def _lanes(cells: Cells) -> tuple[Ints, Ints, Ints, Ints]:
    """Service, origin, region and span of every lane."""
    asks = cells.asks
    cell = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    places = np.diff(asks.slot_start)[cell]
    within = np.arange(len(cell)) - asks.lane_start[cell]
    region = asks.place[asks.slot_start[cell] + within % places]
    widest = max((len(c.origins) for c in cells.clusters), default=1)
    origins = np.full((len(cells.clusters), max(widest, 1)), -1)
    for i, cluster in enumerate(cells.clusters):
        origins[i, : len(cluster.origins)] = cluster.origins
    group = cells.cell_group[cell]
    origin = origins[asks.cluster[cell], within // places]
    return cells.group_service[group], origin, region, asks.group_span[group]


def _routes(fleet: Fleet, distances: Distances) -> pd.DataFrame:
    cells = fleet.case.cells
    world = cells.world
    taken = np.flatnonzero(fleet.share >= LEAST_SHARE)
    service, origin, region, span = (of[taken] for of in _lanes(cells))
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    frame = pd.DataFrame(
        {
            "service": np.array([s.name for s in world.services], dtype=object)[service],
            "origin": np.array([o.name for o in world.origins], dtype=object)[origin],
            "cloud": np.array([r.cloud.value for r in world.regions], dtype=object)[region],
            "region": np.array([r.name for r in world.regions], dtype=object)[region],
            "first_period": starts[span],
            "periods": ends[span] - starts[span],
            "share": fleet.share[taken],
            "rtt_ms": distances.from_origin[origin, region],
        },
        columns=list(ROUTE_COLUMNS),
    )
    order = np.lexsort((starts[span], region, origin, service))
    return frame.iloc[order].reset_index(drop=True)


def _bill(fleet: Fleet, counts: pd.DataFrame) -> Bill:
    case, cells = fleet.case, fleet.case.cells
    world, links = cells.world, case.links
    internet = np.zeros((len(world.services), len(world.regions)))
    between = np.zeros_like(internet)
    service, _, region, _ = _lanes(cells)
    np.add.at(internet, (service, region), case.route_usd * fleet.share)
    index = world.service_index
    ends = np.array(
        [(index[d.caller], index[d.callee]) for d in world.dependencies], np.int64
    ).reshape(-1, 2)
    _, cloud = groups(world)
    pay_links(
        links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane, fleet.share,
        ends[links.dependency], cloud, internet, between,
    )  # fmt: skip
    lines = (
        *compute_lines(counts),
        *egress_lines(world, between, Term.EGRESS_INTER_REGION),
        *egress_lines(world, internet, Term.EGRESS_INTERNET),
    )
    return Bill(case.periods, lines, carbon_of_counts(world, counts))


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
