"""Puts the problem together: market, reach, columns, then one family of rows after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.demand import Outlook
from models.rules import MinReplicasRule
from models.world import World
from optimizer.formulate import (
    capacity,
    changes,
    disruption,
    egress,
    limits,
    spot_risk,
    spread,
    workflows,
)
from optimizer.formulate.commitments import Commitments, commitment_covers, find_cover
from optimizer.formulate.dominance import drop_dominated
from optimizer.formulate.layout import Layout, asked_for, lay_out
from optimizer.formulate.market import Market
from optimizer.formulate.objections import Exclusions
from optimizer.formulate.reach import Distances, find_reach
from optimizer.formulate.spread import whole_replicas
from optimizer.formulate.tail import tail_of_the_bill
from optimizer.formulate.unmet import may_go_unmet
from optimizer.problem import Floats, Ints, Problem


@dataclass(frozen=True, eq=False)
class Formulation:
    """A problem, how to read its columns, and what never became one."""

    problem: Problem
    layout: Layout
    calls: tuple[egress.Calls, ...]
    commitments: Commitments
    exclusions: Exclusions
    dominated: int
    at_risk: tuple[spot_risk.PoolsAtRisk, ...] = ()
    moves: changes.Moves | None = None


def formulate(
    world: World,
    market: Market,
    distances: Distances,
    demand_rps: Floats,
    direct_rps: Floats,
    outlook: Outlook | None = None,
) -> Formulation:
    """Formulate ``world`` under its rules.

    ``market`` and ``distances`` do not depend on rules and may be shared between formulations of
    the same services, prices and places. ``demand_rps`` and ``direct_rps`` have shape
    [service, origin, period]: the demand that rules about losses are about, and that is sure to
    come unless ``outlook`` has scenarios.
    """
    outlook = outlook or Outlook.certain(demand_rps, direct_rps)
    asked = asked_for(demand_rps, outlook)
    reach = find_reach(world, distances, market.lacks.items(), asked)
    most_replicas = most_replicas_of(world, np.maximum(demand_rps, outlook.highest_rps))
    cover = find_cover(world)
    options, dominated = drop_dominated(
        market.options, world, most_replicas, cover.classes_of(market.options)
    )
    draft, layout = lay_out(world, demand_rps, outlook, distances, reach, options)
    capacity.routes_add_up(draft, layout)
    capacity.replicas_are_held(draft, layout)
    capacity.demand_is_met(draft, layout, may_go_unmet(draft, layout))
    capacity.replicas_come_whole(draft, layout)
    capacity.min_replicas(draft, layout)
    capacity.runs_only_where_open(draft, layout, most_replicas)
    capacity.places_within(draft, layout)
    spread.survivors_are_held(draft, layout)
    spread.spread_survives(draft, layout)
    capacity.spot_within_share(draft, layout)
    at_risk = spot_risk.pools_at_risk(layout, market.options)
    spot_risk.spot_risk_within(draft, layout, at_risk)
    limits.quota_holds(draft, layout)
    workflows.workflow_within_latency(draft, layout)
    egress.to_users(draft, layout)
    calls = egress.between_services(draft, layout)
    commitments = commitment_covers(draft, layout, cover)
    moves = changes.count_moves(draft, layout, most_replicas)
    starts = disruption.count_starts(draft, layout)
    disruption.runs_long_enough(draft, layout, starts)
    disruption.disruption_within(draft, layout, starts)
    limits.spend_within_budget(draft, layout)
    tail_of_the_bill(draft, layout)
    problem = draft.finish()
    if moves is not None and moves.hurdle_usd.any():
        problem, moves = changes.without_idle_hurdles(problem, layout, moves)
    return Formulation(
        problem, layout, calls, commitments, reach.exclusions, dominated, at_risk, moves
    )


def most_replicas_of(world: World, demand_rps: Floats) -> Ints:
    """[service]: the most replicas that any row asks for."""
    rate = np.array([service.replica.throughput_rps for service in world.services])
    peak = whole_replicas(demand_rps.sum(axis=1).max(axis=1) / rate).astype(np.int64)
    least = {r.service: r.at_least for r in world.rules if isinstance(r, MinReplicasRule)}
    minimum = np.array([least.get(service.name, 0) for service in world.services], np.int64)
    return np.maximum(peak, minimum)
