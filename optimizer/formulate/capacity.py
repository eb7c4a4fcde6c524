"""Rows about capacity: demand is met, minimum replicas run, spot stays within its share."""

from __future__ import annotations

import numpy as np

from models.rules import MaxPlacesRule, MinReplicasRule, SpotShareRule
from optimizer.formulate.layout import Layout
from optimizer.formulate.spread import OriginSet, origin_sets, whole_replicas
from optimizer.problem import Draft


def routes_add_up(draft: Draft, layout: Layout) -> None:
    """Σ_r x[s,g,r,τ] = 1, for every service, origin with demand, and route block."""
    asked = layout.demand_rps.max(axis=2) > 0
    service, origin = np.nonzero(asked)
    row_at = np.full(asked.shape, -1)
    blocks = layout.route_blocks[service]
    ends = np.cumsum(blocks)
    row_at[service, origin] = ends - blocks
    owner = np.repeat(np.arange(len(service)), blocks)
    within = np.arange(len(owner)) - np.repeat(ends - blocks, blocks)

    route_blocks = layout.route_blocks[layout.route_service]
    route = np.repeat(np.arange(len(layout.route_service)), route_blocks)
    route_ends = np.cumsum(route_blocks)
    block = np.arange(len(route)) - np.repeat(route_ends - route_blocks, route_blocks)
    first = row_at[layout.route_service[route], layout.route_origin[route]]
    draft.add_rows(
        "routes_add_up",
        "share",
        (service[owner], origin[owner], within),
        (
            layout.service_names,
            layout.origin_names,
            [f"b{b}" for b in range(int(layout.route_blocks.max(initial=0)))],
        ),
        [(first + block, layout.route_column[route] + block, np.ones(len(route)))],
        lower=1.0,
        upper=1.0,
    )


def demand_is_met(draft: Draft, layout: Layout) -> None:
    """Σ_{o∈r} k_o n[s,o,t] ≥ Σ_g x[s,g,r,τ(t)] · D[s,g,t]/q_s, in replicas.

    Dividing by the replica's throughput q_s makes every coefficient of n a whole number, which
    is what cutting planes live on.
    """
    needed = layout.replicas_needed
    periods = np.arange(layout.periods)
    for s in range(len(layout.service_names)):
        regions = np.flatnonzero(layout.reach[s].any(axis=0))
        if not len(regions):
            continue
        row_of_region = np.full(len(layout.place_names), -1)
        row_of_region[regions] = np.arange(len(regions)) * len(periods)
        options = layout.options_of(s, regions)
        row, column, replicas = layout.replica_terms(s, options, periods)
        region_row = row_of_region[layout.options.region[options]]
        supply = (row + np.tile(region_row, len(periods)), column, replicas)
        routes = np.flatnonzero(layout.route_service == s)
        block = layout.route_block_of(s)
        ask = (
            (row_of_region[layout.route_region[routes]][:, None] + periods[None, :]).ravel(),
            (layout.route_column[routes][:, None] + block[None, :]).ravel(),
            -needed[s, layout.route_origin[routes]].ravel(),
        )
        draft.add_rows(
            "demand_is_met",
            "replicas",
            (
                np.full(len(regions) * len(periods), s),
                np.repeat(regions, len(periods)),
                np.tile(periods, len(regions)),
            ),
            (layout.service_names, layout.place_names, layout.period_names),
            [supply, ask],
            lower=0.0,
        )


def replicas_come_whole(draft: Draft, layout: Layout) -> None:
    """Σ_{r ∈ reach(G)} Σ_o k_o n[s,o,t] ≥ ⌈Σ_{g∈G} D[s,g,t]/q_s⌉, for sets G of origins.

    Implied for whole numbers of instances by the rows above; without these the bound would be
    weaker by the rounding.
    """
    periods = np.arange(layout.periods)
    for s, name in enumerate(layout.service_names):
        for origin_set in _sets(layout, s):
            needed = layout.replicas_needed[s, origin_set.origins].sum(axis=0)
            members = "+".join(layout.origin_names[g] for g in origin_set.origins)
            draft.add_rows(
                "replicas_come_whole",
                "replicas",
                (periods * 0, periods * 0, periods),
                ([name], [members], layout.period_names),
                [layout.replica_terms(s, layout.options_of(s, origin_set.regions), periods)],
                lower=whole_replicas(needed),
            )


def _sets(layout: Layout, s: int) -> tuple[OriginSet, ...]:
    try:
        return origin_sets(layout.reach[s])
    except ValueError:  # too many kinds of origins: these rows only help the bound
        return ()


def min_replicas(draft: Draft, layout: Layout) -> None:
    """Stateless: Σ_o k_o n[s,o,t] ≥ minimum. Stateful: Σ_{o∈r} k_o n[s,o,t] ≥ minimum · y[s,r]."""
    for rule in layout.world.rules:
        if not isinstance(rule, MinReplicasRule):
            continue
        s = layout.service_names.index(rule.service)
        if layout.world.services[s].stateful:
            _min_replicas_where_open(draft, layout, rule, s)
            continue
        periods = np.arange(layout.periods)
        draft.add_rows(
            "min_replicas",
            "replicas",
            (periods * 0, periods * 0 + s, periods),
            ([rule.name], layout.service_names, layout.period_names),
            [layout.replica_terms(s, layout.options_of(s), periods)],
            lower=float(rule.at_least),
            rule=rule,
        )


def _min_replicas_where_open(draft: Draft, layout: Layout, rule: MinReplicasRule, s: int) -> None:
    regions = np.flatnonzero(layout.open_column[s] >= 0)
    terms = []
    for i, r in enumerate(regions):
        row, column, replicas = layout.replica_terms(
            s, layout.options_of(s, np.array([r])), np.array([0])
        )
        terms.append((row + i, column, replicas))
    rows = np.arange(len(regions))
    terms.append((rows, layout.open_column[s, regions], np.full(len(rows), -rule.at_least * 1.0)))
    draft.add_rows(
        "min_replicas",
        "replicas",
        (rows * 0, rows * 0 + s, regions),
        ([rule.name], layout.service_names, layout.place_names),
        terms,
        lower=0.0,
        rule=rule,
    )


def runs_only_where_open(draft: Draft, layout: Layout) -> None:
    """x[s,g,r,τ] ≤ y[s,r] and Σ_{o∈r} k_o n[s,o,b] ≤ K_s · y[s,r]; Σ_r y[s,r] ≥ 1.

    K_s, the most replicas that any plan could use in one place, is twice what demand and the
    minimum ask for in all (the loss of one of two zones doubles the need), plus one instance.
    """
    services, regions = np.nonzero(layout.open_column >= 0)
    minimum = {r.service: r.at_least for r in layout.world.rules if isinstance(r, MinReplicasRule)}
    peak = whole_replicas(layout.replicas_needed.sum(axis=1)).max(axis=1)
    for s, r in zip(services.tolist(), regions.tolist(), strict=True):
        opened = layout.open_column[s, r]
        options = layout.options_of(s, np.array([r]))
        largest = float(layout.options.replicas[options].max(initial=1))
        most = 2 * (peak[s] + minimum.get(layout.service_names[s], 0)) + largest
        blocks = np.arange(int(layout.count_blocks[s]))
        row, column, replicas = layout.replica_terms(s, options, blocks)
        draft.add_rows(
            "runs_only_where_open",
            "replicas",
            (blocks * 0 + s, blocks * 0 + r, blocks),
            (layout.service_names, layout.place_names, layout.period_names),
            [(row, column, replicas), (blocks, blocks * 0 + opened, np.full(len(blocks), -most))],
            upper=0.0,
        )
        routes = layout.route_at[s, :, r]
        routes = routes[routes >= 0]
        taus = np.arange(int(layout.route_blocks[s]))
        columns = (layout.route_column[routes][:, None] + taus[None, :]).ravel()
        rows = np.arange(len(columns))
        draft.add_rows(
            "served_only_where_open",
            "share",
            (rows * 0 + s, rows * 0 + r, rows),
            (layout.service_names, layout.place_names, [str(i) for i in rows]),
            [
                (rows, columns, np.ones(len(rows))),
                (rows, rows * 0 + opened, np.full(len(rows), -1.0)),
            ],
            upper=0.0,
        )
    for s in np.unique(services):
        opens = layout.open_column[s][layout.open_column[s] >= 0]
        draft.add_rows(
            "open_somewhere",
            "places",
            (np.array([s]),),
            (layout.service_names,),
            [(np.zeros(len(opens), np.int64), opens, np.ones(len(opens)))],
            lower=1.0,
        )


def places_within(draft: Draft, layout: Layout) -> None:
    """Σ_r y[s,r] ≤ most places."""
    for rule in layout.world.rules:
        if isinstance(rule, MaxPlacesRule):
            s = layout.service_names.index(rule.service)
            opens = layout.open_column[s][layout.open_column[s] >= 0]
            draft.add_rows(
                "places_within",
                "places",
                (np.array([0]), np.array([s])),
                ([rule.name], layout.service_names),
                [(np.zeros(len(opens), np.int64), opens, np.ones(len(opens)))],
                upper=float(rule.at_most),
                rule=rule,
            )


def spot_within_share(draft: Draft, layout: Layout) -> None:
    """Σ_{spot o} k_o n[s,o,t] ≤ a · Σ_o k_o n[s,o,t], per service and hour."""
    for rule in layout.world.rules:
        if not isinstance(rule, SpotShareRule):
            continue
        for name in rule.services:
            s = layout.service_names.index(name)
            options = layout.options_of(s)
            if not layout.options.spot[options].any():
                continue
            blocks = np.arange(int(layout.count_blocks[s]))
            row, column, replicas = layout.replica_terms(s, options, blocks)
            spot = np.tile(layout.options.spot[options], len(blocks))
            draft.add_rows(
                "spot_within_share",
                "replicas",
                (blocks * 0, blocks * 0 + s, blocks),
                ([rule.name], layout.service_names, layout.period_names),
                [(row, column, replicas * (spot - rule.at_most))],
                upper=0.0,
                rule=rule,
            )
