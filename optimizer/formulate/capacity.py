"""Rows about capacity: demand is met, minimum replicas run, spot stays within its share."""

from __future__ import annotations

import numpy as np

from models.rules import MaxPlacesRule, MinReplicasRule, SpotShareRule
from optimizer.formulate.changes import most_instances
from optimizer.formulate.layout import Layout, runs
from optimizer.formulate.market import pool_codes
from optimizer.formulate.spread import OriginSet, origin_sets, whole_replicas
from optimizer.formulate.standing import matters, minimum_run_hours, stand
from optimizer.formulate.unmet import Unmet
from optimizer.problem import Draft, Ints


def routes_add_up(draft: Draft, layout: Layout) -> None:
    """Σ_r x[s,g,r,τ] = 1, for every service, origin with demand, and route block."""
    asked = layout.asked
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


def replicas_are_held(draft: Draft, layout: Layout) -> None:
    """Σ_{o∈r} k_o n[s,o,b] ≥ k[s,r,b]: instances hold the replicas."""
    where = np.nonzero(layout.replica_column >= 0)
    blocks = layout.count_blocks[where[0]]
    place, place_block = runs(np.arange(len(blocks)), blocks)
    first_row = np.full(layout.replica_column.shape, -1)
    first_row[where] = np.cumsum(blocks) - blocks
    option_blocks = layout.count_blocks[layout.options.service]
    owner, block = runs(np.arange(len(layout.options)), option_blocks)
    rows = np.arange(len(place))
    draft.add_rows(
        "replicas_are_held",
        "replicas",
        (where[0][place], where[1][place], place_block),
        (layout.service_names, layout.place_names, layout.period_names),
        [
            (
                first_row[layout.options.service, layout.options.region][owner] + block,
                layout.option_column[owner] + block,
                layout.options.replicas[owner].astype(np.float64),
            ),
            (rows, layout.replica_column[where][place] + place_block, np.full(len(rows), -1.0)),
        ],
        lower=0.0,
    )


def demand_is_met(draft: Draft, layout: Layout, unmet: Unmet) -> None:
    """k[s,r,t] + m[s,r,t,ω] ≥ Σ_g x[s,g,r,τ(t)] · D[s,g,t,ω]/q_s, in replicas.

    Dividing by the replica's throughput q_s makes every coefficient of n a whole number, which
    is what cutting planes live on. Counts and routes are the same in every scenario ω; m is there
    only where demand may go unmet.
    """
    for s in range(len(layout.service_names)):
        scenario, periods = layout.telling(s)
        regions = layout.served_from(s)
        if not len(regions):
            continue
        needed = layout.scenario_replicas[scenario, s, :, periods].T
        row_of_region = np.full(len(layout.place_names), -1)
        row_of_region[regions] = np.arange(len(regions)) * len(periods)
        supply = layout.replica_column[s, regions][:, None] + layout.count_block_of(s)[periods]
        supplies = [supply, unmet.columns[s]] if s in unmet.columns else [supply]
        routes = np.flatnonzero(layout.route_service == s)
        block = layout.route_block_of(s)[periods]
        keys, labels = layout.by_scenario(np.tile(scenario, len(regions)))
        draft.add_rows(
            "demand_is_met",
            "replicas",
            (
                np.full(len(regions) * len(periods), s),
                np.repeat(regions, len(periods)),
                np.tile(periods, len(regions)),
                *keys,
            ),
            (layout.service_names, layout.place_names, layout.period_names, *labels),
            [
                *((np.arange(c.size), c.ravel(), np.ones(c.size)) for c in supplies),
                (
                    (
                        row_of_region[layout.route_region[routes]][:, None]
                        + np.arange(len(periods))
                    ).ravel(),
                    (layout.route_column[routes][:, None] + block).ravel(),
                    -needed[layout.route_origin[routes]].ravel(),
                ),
            ],
            lower=0.0,
        )


def replicas_come_whole(draft: Draft, layout: Layout) -> None:
    """Σ_{r ∈ reach(G)} k[s,r,t] ≥ ⌈Σ_{g∈G} D[s,g,t,ω]/q_s - u_s Σ_g D[s,g,t,ω]/q_s⌉, for sets G of
    origins, u_s the share that may go unmet.

    Implied for whole numbers of instances by the rows above; without these the bound would be
    weaker by the rounding.
    """
    for s, name in enumerate(layout.service_names):
        spared = layout.unmet.at_most[s] * layout.scenario_replicas[:, s].sum(axis=1)
        for origin_set in _sets(layout, s):
            needed = layout.scenario_replicas[:, s, origin_set.origins].sum(axis=1) - spared
            asked = whole_replicas(layout.peak_per_block(s, needed.max(axis=0)))
            members = "+".join(layout.origin_names[g] for g in origin_set.origins)
            blocks = np.arange(len(asked))
            draft.add_rows(
                "replicas_come_whole",
                "replicas",
                (blocks * 0, blocks * 0, blocks),
                ([name], [members], layout.period_names),
                [layout.replica_terms(s, origin_set.regions)],
                lower=np.maximum(asked, 0.0),
            )


def _sets(layout: Layout, s: int) -> tuple[OriginSet, ...]:
    try:
        return origin_sets(layout.reach[s])
    except ValueError:  # too many kinds of origins: these rows only help the bound
        return ()


def min_replicas(draft: Draft, layout: Layout) -> None:
    """Stateless: Σ_r k[s,r,t] ≥ minimum. Stateful: k[s,r] ≥ minimum · y[s,r]."""
    all_regions = np.arange(len(layout.place_names))
    for rule in layout.world.rules:
        if not isinstance(rule, MinReplicasRule):
            continue
        s = layout.service_names.index(rule.service)
        if layout.world.services[s].stateful:
            _min_replicas_where_open(draft, layout, rule, s)
            continue
        blocks = np.arange(int(layout.count_blocks[s]))
        draft.add_rows(
            "min_replicas",
            "replicas",
            (blocks * 0, blocks * 0 + s, blocks),
            ([rule.name], layout.service_names, layout.period_names),
            [layout.replica_terms(s, all_regions)],
            lower=float(rule.at_least),
            rule=rule,
        )


def _min_replicas_where_open(draft: Draft, layout: Layout, rule: MinReplicasRule, s: int) -> None:
    regions = np.flatnonzero(layout.open_column[s] >= 0)
    rows = np.arange(len(regions))
    draft.add_rows(
        "min_replicas",
        "replicas",
        (rows * 0, rows * 0 + s, regions),
        ([rule.name], layout.service_names, layout.place_names),
        [
            (rows, layout.replica_column[s, regions], np.ones(len(rows))),
            (rows, layout.open_column[s, regions], np.full(len(rows), -float(rule.at_least))),
        ],
        lower=0.0,
        rule=rule,
    )


def runs_only_where_open(draft: Draft, layout: Layout, most_replicas: Ints) -> None:
    """x[s,g,r,τ] ≤ y[s,r] and k_o n[s,o,b] ≤ K · y[s,r] summed over o in r; Σ_r y[s,r] ≥ 1.

    K bounds what a cheapest plan holds in one place: the most replicas that any row asks for, and
    one instance more. Where zones may be lost, options lose at most half of their instances
    rounded up: twice that, and one instance of every option. Where pools of spot capacity may be
    lost, each of them and the rest may have to hold that much alone.
    """
    services, regions = np.nonzero(layout.open_column >= 0)
    pool = pool_codes(layout.options, layout.world)
    bound = matters(layout.world) | (minimum_run_hours(layout.world) > 1)
    if bound.any():
        at_most = most_instances(layout, most_replicas, stand(layout.options, layout.world).now)
    for s, r in zip(services.tolist(), regions.tolist(), strict=True):
        opened = layout.open_column[s, r]
        options = layout.options_of(s, np.array([r]))
        held = layout.options.replicas[options].astype(np.float64)
        most = float(most_replicas[s]) + float(held.max(initial=1.0))
        if (layout.zone_column[options] >= 0).any():
            most = 2.0 * most + float(held.sum())
        most *= 1 + len(np.unique(pool[options][pool[options] >= 0]))
        if bound[s]:  # what runs may have to go on, or to go slowly
            most = max(most, float(held @ at_most[options]))
        blocks = np.arange(int(layout.count_blocks[s]))
        counts = layout.option_column[options][None, :] + blocks[:, None]
        rows = np.repeat(blocks, len(options))
        draft.add_rows(
            "runs_only_where_open",
            "replicas",
            (blocks * 0 + s, blocks * 0 + r, blocks),
            (layout.service_names, layout.place_names, layout.period_names),
            [
                (rows, counts.ravel(), np.tile(held, len(blocks))),
                (blocks, blocks * 0 + opened, np.full(len(blocks), -most)),
            ],
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
    """Σ_{spot o∈r} k_o n[s,o,b] ≤ a · Σ_{o∈r} k_o n[s,o,b], per service, place and block."""
    for rule in layout.world.rules:
        if isinstance(rule, SpotShareRule):
            for name in rule.services:
                s = layout.service_names.index(name)
                for r in np.unique(layout.options.region[layout.options_of(s)]).tolist():
                    _spot_share(draft, layout, rule, s, r)


def _spot_share(draft: Draft, layout: Layout, rule: SpotShareRule, s: int, r: int) -> None:
    options = layout.options_of(s, np.array([r]))
    spot = layout.options.spot[options]
    if not spot.any():
        return
    blocks = np.arange(int(layout.count_blocks[s]))
    counts = layout.option_column[options][None, :] + blocks[:, None]
    weight = layout.options.replicas[options] * (spot - rule.at_most)
    draft.add_rows(
        "spot_within_share",
        "replicas",
        (blocks * 0, blocks * 0 + s, blocks * 0 + r, blocks),
        ([rule.name], layout.service_names, layout.place_names, layout.period_names),
        [(np.repeat(blocks, len(options)), counts.ravel(), np.tile(weight, len(blocks)))],
        upper=0.0,
        rule=rule,
    )
