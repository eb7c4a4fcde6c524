"""Columns, rows and cost of leaving what runs today.

One-off costs: an instance that does not run today has to be started once, however often its
number goes up and down later, so that moves are counted against the plan's busiest hour. What
they cost is spread over ``amortise_over_hours``, and a plan of T hours pays T of these.

A change must be worth it: a service that runs today either stays exactly as it is, or counts its
minimum saving as a cost that nobody is paid. So it changes only when that saves more. A service
that cannot stay, because something runs that it may no longer use or rules ask for more, changes
without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.rules import SpotShareRule
from models.world import HOURS_PER_MONTH, World
from optimizer.formulate.layout import Layout, runs
from optimizer.formulate.standing import Standing, matters, stand
from optimizer.problem import Draft, Floats, Ints, Problem


@dataclass(frozen=True, eq=False)
class Moves:
    """Where moves and changes stand among the columns; -1: nowhere.

    ``started_column`` [option], ``changed_column`` [service]; ``hurdle_usd`` [service] is what a
    change must save over the horizon; ``moved_gib`` [service, region] is copied when the service
    opens there.
    """

    standing: Standing
    started_column: Ints
    changed_column: Ints
    hurdle_usd: Floats
    moved_gib: Floats


def count_moves(draft: Draft, layout: Layout, most_replicas: Ints) -> Moves | None:
    """started[s,o] ≥ n[s,o,b] - now[s,o] for all b, and what that costs; None: nothing is counted.

    Only services that run today move: new ones have nothing to leave.
    """
    world = layout.world
    costs = world.policy.changes
    if not costs.count or not matters(world).any():
        return None
    standing = stand(layout.options, world)
    options = np.flatnonzero(standing.runs[layout.options.service])
    blocks = layout.count_blocks[layout.options.service[options]]
    started = _started(draft, layout, standing, options, blocks)
    share = layout.periods / costs.amortise_over_hours
    draft.add_cost(
        started[options],
        np.full(len(options), costs.usd_per_started_instance * share),
        service=layout.options.service[options],
        region=layout.options.region[options],
    )
    moved_gib = _moved_gib(layout, world)
    s, r = np.nonzero(moved_gib * (layout.open_column >= 0))
    draft.add_cost(
        layout.open_column[s, r],
        moved_gib[s, r] * costs.usd_per_gib_of_state_moved * share,
        service=s,
        region=r,
    )
    hurdle = _hurdle_usd(layout, standing)
    changed = np.full(len(world.services), -1)
    if hurdle.any():
        changed = _changes_only_if_worth_it(draft, layout, standing, started, hurdle, most_replicas)
    return Moves(standing, started, changed, hurdle, moved_gib)


def _started(draft: Draft, layout: Layout, standing: Standing, options: Ints, blocks: Ints) -> Ints:
    names = (layout.service_names, layout.place_names)
    chosen = layout.options.where(options)
    at = np.arange(len(options))
    columns = draft.add_columns(
        "started",
        "instances",
        (chosen.service, chosen.region, at),
        (*names, layout.offering_names(options)),
    )
    owner, block = runs(at, blocks)
    rows = np.arange(len(owner))
    draft.add_rows(
        "moves_are_counted",
        "instances",
        (chosen.service[owner], chosen.region[owner], owner, block),
        (*names, layout.offering_names(options), layout.period_names),
        [
            (rows, columns[owner], np.ones(len(rows))),
            (rows, layout.option_column[options][owner] + block, np.full(len(rows), -1.0)),
        ],
        lower=-standing.now[options][owner].astype(np.float64),
    )
    started = np.full(len(layout.options), -1)
    started[options] = columns
    return started


def _moved_gib(layout: Layout, world: World) -> Floats:
    """[service, region]: state that is copied when a service opens where it does not run today."""
    here = {(group.service, group.place) for group in world.fleet.groups}
    running = {service for service, _ in here}
    gib = np.zeros((len(world.services), len(world.regions)))
    for s, service in enumerate(world.services):
        if service.stateful and service.name in running:
            gib[s] = [
                0.0 if (service.name, place) in here else service.state_gib
                for place in layout.place_names
            ]
    return gib


def _hurdle_usd(layout: Layout, standing: Standing) -> Floats:
    """[service]: what a change must save over the horizon; 0: nothing, or it cannot stay."""
    costs = layout.world.policy.changes
    least = costs.minimum_saving_usd_per_month * layout.periods / HOURS_PER_MONTH
    share = costs.minimum_saving_share * standing.usd_per_hour * layout.periods
    may_stay = standing.runs & (standing.left_behind == 0)
    hurdle: Floats = np.where(may_stay, np.maximum(least, share), 0.0)
    return hurdle


def _changes_only_if_worth_it(
    draft: Draft,
    layout: Layout,
    standing: Standing,
    started: Ints,
    hurdle: Floats,
    most_replicas: Ints,
) -> Ints:
    """started[s,o] ≤ (U_o - now[s,o]) · changed[s] and n[s,o,b] ≥ now[s,o] · (1 - changed[s]).

    U_o is as in ``most_instances``. changed[s] costs the minimum saving, which is not paid.
    """
    services = np.flatnonzero(hurdle)
    changed = np.full(len(hurdle), -1)
    changed[services] = draft.add_columns(
        "changed", "yes or no", (services,), (layout.service_names,), upper=1.0, integer=True
    )
    draft.add_cost(
        changed[services], hurdle[services], service=services, region=services * 0, paid=False
    )
    most = most_instances(layout, most_replicas, standing.now)
    bound = np.flatnonzero(hurdle[layout.options.service] > 0)
    kept = bound[standing.now[bound] > 0]
    owner, block = runs(kept, layout.count_blocks[layout.options.service[kept]])
    count = layout.option_column[owner] + block
    rows, kept_rows = np.arange(len(bound)), np.arange(len(owner))
    now = standing.now.astype(np.float64)
    for about, number, terms, lower, upper in (
        (
            bound,
            rows,
            [
                (rows, started[bound], np.ones(len(rows))),
                (rows, changed[layout.options.service[bound]], now[bound] - most[bound]),
            ],
            -np.inf,
            np.zeros(len(rows)),
        ),
        (
            owner,
            kept_rows,
            [
                (kept_rows, count, np.ones(len(kept_rows))),
                (kept_rows, changed[layout.options.service[owner]], now[owner]),
            ],
            now[owner],
            np.full(len(kept_rows), np.inf),
        ),
    ):
        draft.add_rows(
            "changes_only_if_worth_it",
            "instances",
            (layout.options.service[about], layout.options.region[about], number),
            (layout.service_names, layout.place_names, [str(i) for i in number]),
            terms,
            lower=lower,
            upper=upper,
        )
    return changed


KEPT_ALONE = (
    "replicas_come_whole",
    "min_replicas",
    "places_within",
    "spot_within_share",
    "spread_survives_zone",
    "spread_survives_region",
    "spread_survives_cloud",
)
"""Families of rows that a service keeps or breaks by itself, by its numbers of instances."""


def without_idle_hurdles(problem: Problem, layout: Layout, moves: Moves) -> tuple[Problem, Moves]:
    """The same, less the minimum savings of services that cannot stay as they are.

    They change whatever it saves: their hurdle would only add to the cost of every plan, and
    blur the gap. Whether a service can stay is asked of the rows that it keeps by itself.
    """
    owner, values = _as_it_stands(problem, layout, moves.standing)
    activity = problem.matrix @ values
    broken = (activity < problem.row_lower - 1e-6) | (activity > problem.row_upper + 1e-6)
    alone = np.zeros(len(broken), np.bool_)
    for family in problem.rows:
        if family.name in KEPT_ALONE:
            alone[family.start : family.start + family.size] = True
    inside = problem.matrix[np.flatnonzero(broken & alone)].indices
    cannot = np.unique(owner[inside][owner[inside] >= 0])
    hurdle = moves.hurdle_usd.copy()
    hurdle[cannot] = 0.0
    cost = problem.cost.copy()
    changed = moves.changed_column[cannot]
    cost[changed[changed >= 0]] = 0.0
    return replace(problem, cost=cost), replace(moves, hurdle_usd=hurdle)


def _as_it_stands(problem: Problem, layout: Layout, standing: Standing) -> tuple[Ints, Floats]:
    """[column]: the service that it belongs to, and its value when every service stays as it is.

    Only numbers of instances, what follows from them, and open places; -1 and 0 for the rest.
    """
    options = layout.options
    owner = np.full(len(problem.cost), -1)
    values = np.zeros(len(problem.cost))
    shape = (len(layout.service_names), len(layout.place_names))
    zones = np.array([region.zones for region in layout.world.regions])
    worst = -(-standing.now // zones[options.region])
    held, survive, runs_there = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    at = (options.service, options.region)
    np.add.at(held, at, options.replicas * standing.now)
    np.add.at(survive, at, options.replicas * (standing.now - worst))
    np.add.at(runs_there, at, standing.now)
    s = np.indices(shape)[0]
    blocks, once = layout.count_blocks, np.ones_like(layout.count_blocks)
    for first, service, value, lengths in (
        (layout.option_column, options.service, standing.now, blocks),
        (layout.zone_column, options.service, worst, blocks),
        (layout.replica_column.ravel(), s.ravel(), held.ravel(), blocks),
        (layout.survivor_column.ravel(), s.ravel(), survive.ravel(), blocks),
        (layout.open_column.ravel(), s.ravel(), runs_there.ravel() > 0, once),
    ):
        known = np.flatnonzero(first >= 0)
        run, block = runs(known, lengths[service[known]])
        owner[first[run] + block] = service[run]
        values[first[run] + block] = value[run]
    return owner, values


def most_instances(layout: Layout, most_replicas: Ints, now: Ints) -> Floats:
    """[option]: U_o, more instances than which no service needs.

    So many of one option alone hold what any row asks for, also without their worst zone, and
    under a spot share let every spot instance of the place run that is of use; and no fewer than
    run now, so that cutting a plan down to U_o starts and stops no more.
    """
    options = layout.options
    enough = np.ceil(most_replicas[options.service] / options.replicas)
    zones = np.where(layout.zone_column >= 0, 2.0, 1.0)
    most: Floats = np.maximum(zones * np.maximum(enough, 1.0), now)
    for rule in layout.world.rules:
        if isinstance(rule, SpotShareRule) and 0 < rule.at_most < 1:
            bound = np.isin(options.service, [layout.service_names.index(n) for n in rule.services])
            place = options.service * len(layout.place_names) + options.region
            spot = np.bincount(place, options.replicas * most * (bound & options.spot))
            room = np.ceil(spot[place] * (1 - rule.at_most) / rule.at_most / options.replicas)
            most = np.where(bound & ~options.spot, np.maximum(most, room), most)
    return most
