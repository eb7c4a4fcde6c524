"""What one step of a rolling horizon hands to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from optimizer.formulate.standing import minimum_run_hours
from optimizer.plan import Expected, foresee
from optimizer.problem import Floats
from optimizer.rolling.facts import Facts, GroupKey
from optimizer.rolling.hedge import Lookback
from optimizer.rolling.past import HOUR, demand_of, hour_of
from optimizer.rolling.state import DAY, Ahead, Cause, Reason, Routes, Seen, State

LOOKBACK_HOURS: Final = 7 * 24
DAY_HOURS: Final = 24
MOVED: Final = 0.05
"""Expected demand that moves by less than this share is not worth a word."""


def running(seen: Seen) -> dict[GroupKey, int]:
    """Instances of every group, those that boot included."""
    counts: dict[GroupKey, int] = {}
    for cohort in seen.running:
        counts[cohort.key] = counts.get(cohort.key, 0) + cohort.count
    return counts


def standing(facts: Facts, state: State, seen: Seen) -> dict[GroupKey, int]:
    """What plans may run without a move: the most of the last day, and what runs.

    Instances that come and go with the hours of a day are no moves.
    """
    most = running(seen)
    for _, groups in state.lately:
        for key, count in groups.items():
            most[key] = max(most.get(key, 0), count)
    return {key: n for key, n in sorted(most.items()) if key.place not in facts.lost}


def young_stay(
    facts: Facts, wanted: Mapping[GroupKey, int], seen: Seen, now: datetime
) -> dict[GroupKey, int]:
    """No instance is stopped that has not yet run for its service's least time."""
    least = minimum_run_hours(facts.world)
    kept = dict(wanted)
    young: dict[GroupKey, int] = {}
    for cohort in seen.running:
        hours = int(least[facts.world.service_index[cohort.key.service]])
        if hours > 1 and now - cohort.started < hours * HOUR and cohort.key.place not in facts.lost:
            young[cohort.key] = young.get(cohort.key, 0) + cohort.count
    for key, count in young.items():
        kept[key] = max(kept.get(key, 0), count)
    return kept


def remembered(facts: Facts, state: State, seen: Seen, wanted: Mapping[GroupKey, int]) -> State:
    """The state that knows what is wanted now, and what that starts and stops."""
    hour, before = hour_of(state.now), running(seen)
    lately = tuple(one for one in state.lately if hour - DAY < one[0] < hour)
    same = next((groups for at, groups in state.lately if at == hour), {})
    most = {key: max(same.get(key, 0), wanted.get(key, 0)) for key in {*same, *wanted}}
    moved = state.moved
    if before != wanted:
        moved = moved.copy()
        for key in {*before, *wanted}:
            change = abs(wanted.get(key, 0) - before.get(key, 0))
            moved[facts.world.service_index[key.service], -1] += change if before else 0
    return replace(state, lately=(*lately, (hour, dict(sorted(most.items())))), moved=moved)


def an_hour_on(state: State) -> State:
    """When an hour begins: a new column for its moves."""
    if hour_of(state.now) != state.now:
        return state
    moved = np.concatenate([state.moved[:, 1:], np.zeros((len(state.moved), 1), np.int64)], axis=1)
    return replace(state, moved=moved)


def joined(former: Ahead | None, new: Ahead, now: datetime, facts: Facts) -> Ahead:
    """The new plan, and until it begins the hours of the former one, less what is lost."""
    first = hour_of(now)
    if former is None or new.starts <= first:
        return new
    hours = [first + i * HOUR for i in range((new.starts - first) // HOUR)]
    kept = [i for i, key in enumerate(former.keys) if key.place not in facts.lost]
    keys = tuple(sorted({*new.keys, *(former.keys[i] for i in kept)}))
    number = {key: i for i, key in enumerate(keys)}
    counts = np.zeros((len(keys), len(hours) + new.hours), np.int64)
    usd = np.full(len(keys), np.nan)
    old = np.array([number[former.keys[i]] for i in kept], np.int64)
    own = np.array([number[key] for key in new.keys], np.int64)
    usd[old], usd[own] = former.usd_per_hour[kept], new.usd_per_hour
    counts[own, len(hours) :] = new.counts
    for i, hour in enumerate(hours):
        counts[old, i] = former.counts_at(hour)[kept]
    at = [former.hour_at(hour) for hour in hours]
    route = np.concatenate([former.route, new.route], axis=1)
    share = np.zeros((route.shape[1], len(hours) + new.hours))
    share[: former.route.shape[1], : len(hours)] = former.share[:, at]
    share[former.route.shape[1] :, len(hours) :] = new.share
    route, row = np.unique(route, axis=1, return_inverse=True)
    together = np.zeros((route.shape[1], share.shape[1]))
    np.add.at(together, row.ravel(), share)
    return Ahead(
        first,
        keys,
        counts,
        usd,
        route,
        together,
        np.concatenate([former.mean_rps[:, :, at], new.mean_rps], axis=2),
        np.concatenate([former.planned_rps[:, at], new.planned_rps], axis=1),
    )


def dearer(facts: Facts, ahead: Ahead | None, starts: datetime) -> float:
    """By what share the plan in force costs more, from ``starts`` on, than when it was made."""
    if ahead is None:
        return 0.0
    hours = ahead.counts[:, ahead.hour_at(starts) :].sum(axis=1)
    then = float(np.nansum(hours * ahead.usd_per_hour))
    alive = np.array([key.place not in facts.lost for key in ahead.keys], np.bool_)
    usd = facts.roster(ahead.keys).usd_per_hour
    if (np.isnan(usd) & alive & (hours > 0)).any():
        return float("inf")  # something is not sold any more
    now = float((hours * np.where(alive, usd, ahead.usd_per_hour))[hours > 0].sum())
    return now / then - 1 if then > 0 else 0.0


def moved_demand(facts: Facts, former: Ahead | None, new: Ahead) -> list[Reason]:
    """Services of which more or less is expected than when the former plan was made."""
    if former is None:
        return []
    hours = [new.starts + i * HOUR for i in range(min(new.hours, former.hours))]
    at = [former.hour_at(hour) for hour in hours]
    then = former.planned_rps[:, at].sum(axis=1)
    now = new.planned_rps[:, : len(hours)].sum(axis=1)
    share = np.divide(now - then, then, out=np.zeros_like(now), where=then > 0)
    return [
        Reason(
            Cause.FORECAST,
            facts.world.services[s].name,
            f"planned for {share[s]:+.0%} of what it was, over {len(hours)} h",
        )
        for s in np.flatnonzero(np.abs(share) > MOVED).tolist()
    ]


def rerouted(facts: Facts, routes: Routes) -> Routes:
    """Without what is lost: its traffic goes where the service runs besides, in proportion.

    Only where rules allow; where nothing allowed is left, it is shared by the nearest place of
    all that rules allow, whether or not anything runs there yet.
    """
    if not facts.gone.any() or not facts.gone[routes.region].any():
        return routes
    services, origins = facts.shape[0], len(facts.world.origins)
    pair = routes.service * origins + routes.origin
    alive = ~facts.gone[routes.region]
    left = np.bincount(pair[alive], routes.share[alive], services * origins)
    share = np.divide(routes.share, left[pair], out=np.zeros_like(routes.share),
                      where=alive & (left[pair] > 0))  # fmt: skip
    columns = [routes.service[alive], routes.origin[alive], routes.region[alive], share[alive]]
    stranded = np.unique(pair[left[pair] <= 0])
    s, g = stranded // origins, stranded % origins
    far = np.where(facts.allowed[s, g], facts.from_origin_ms[g], np.inf)
    some = np.isfinite(far).any(axis=1)
    extra = [s[some], g[some], far[some].argmin(axis=1), np.ones(int(some.sum()))]
    service, origin, region, shares = (
        np.concatenate(pair_) for pair_ in zip(columns, extra, strict=True)
    )
    return Routes(service, origin, region, shares)


def bands_rps(facts: Facts, expected: Expected) -> Floats:
    """Demand, calls included, at every level of a forecast [service, origin, period, level]."""
    names, origins = [s.name for s in facts.world.services], [o.name for o in facts.world.origins]
    said = expected.forecast
    levels = np.moveaxis(said.quantiles_rps, 2, 0)
    return np.stack(
        [demand_of(facts.graph, names, origins, said.series, rps) for rps in levels], axis=3
    )


def foretold(facts: Facts, state: State, expected: Expected, starts: datetime, hours: int) -> State:
    """The state that knows what was just said of the ``hours`` from ``starts`` on."""
    until = starts + hours * HOUR
    if until <= state.foretold_until:
        return state
    said = bands_rps(facts, expected)[:, :, :hours]
    news = (until - state.foretold_until) // HOUR
    # Hours of which nothing was said, since no plan was made, are told by the first one after.
    said = np.concatenate([np.repeat(said[:, :, :1], max(news - hours, 0), axis=2), said], axis=2)
    told = np.concatenate([state.foretold_rps, said[:, :, -news:]], axis=2)
    kept = told[:, :, -LOOKBACK_HOURS - hours - 1 :]
    return replace(state, foretold_rps=kept, foretold_until=until)


def foretold_days(facts: Facts, state: State) -> State:
    """What would have been said of the days before, day by day, had somebody asked.

    As far as steps are known and a week of history comes before.
    """
    past = state.past
    known = past.steps.shape[1] // past.steps_per_hour
    days = min(known, LOOKBACK_HOURS) // DAY_HOURS
    days = min(days, (past.hourly.shape[1] - LOOKBACK_HOURS) // DAY_HOURS)
    end = hour_of(past.now)
    told = []
    for day in range(days, 0, -1):
        starts = end - day * DAY
        policy = replace(facts.world.policy, horizon_hours=DAY_HOURS, demand_scenarios=())
        world = replace(facts.world, history=past.history(), starts=starts, policy=policy)
        told.append(bands_rps(facts, foresee(world)))
    if not told:
        return state
    return replace(state, foretold_rps=np.concatenate(told, axis=2), foretold_until=end)


def lookbacks(facts: Facts, state: State, least_hours: int) -> list[Lookback | None]:
    """[service]: the last hours of which both steps and what was foretold are known."""
    past, world = state.past, facts.world
    none: list[Lookback | None] = [None] * facts.shape[0]
    end = hour_of(past.now)
    begun = (past.now - end) // timedelta(seconds=past.step_s)
    beyond = max((state.foretold_until - end) // HOUR, 0)
    whole = past.steps.shape[1] - begun
    last = state.foretold_rps.shape[2] - beyond
    hours = min(whole // past.steps_per_hour, last)
    if hours < least_hours or state.foretold_until < end:
        return none
    steps = past.steps[:, whole - hours * past.steps_per_hour : whole]
    told = state.foretold_rps[:, :, last - hours : last]
    names, origins = [s.name for s in world.services], [o.name for o in world.origins]
    demand = demand_of(facts.graph, names, origins, past.series, np.nan_to_num(steps))
    demand[:, :, np.isnan(steps).any(axis=0)] = np.nan
    looks: list[Lookback | None] = []
    for s in range(facts.shape[0]):
        split, serves, premium = _split(facts, state.ahead, s)
        load = np.tensordot(split.T, demand[s], axes=1)
        looks.append(Lookback(load, np.tensordot(split.T, told[s], axes=1), serves, premium))
    return looks


def _split(facts: Facts, ahead: Ahead | None, service: int) -> tuple[Floats, Floats, Floats]:
    """The shares of origins' demand that a service answers in its places [origin, place]; what the
    smallest instance serves that corrections start there, and what their capacity costs over what
    the plan pays, both [place].

    Before there is a plan: a place for every origin, and instances of one replica.
    """
    rate = facts.world.services[service].replica.throughput_rps
    origins, regions = len(facts.world.origins), facts.shape[1]
    if ahead is None:
        return np.eye(origins), np.full(origins, rate), np.ones(origins)
    roster = facts.roster(ahead.keys)
    mine = (roster.service == service) & (roster.serves_rps > 0) & np.isfinite(roster.usd_per_hour)
    hours = ahead.counts.sum(axis=1) * mine
    held = np.bincount(roster.region, hours * roster.serves_rps, regions)
    usd = np.bincount(roster.region, hours * np.nan_to_num(roster.usd_per_hour), regions)
    here = np.flatnonzero(held > 0)
    shares = np.zeros((origins, regions))
    rows = ahead.route[0] == service
    np.add.at(shares, (ahead.route[1, rows], ahead.route[2, rows]), ahead.share[rows].mean(axis=1))
    serves, premium = np.full(len(here), rate), np.ones(len(here))
    share = float(facts.spot_share[service])
    for i, r in enumerate(here.tolist()):
        units = []
        for spot in (False, True):
            extra = facts.roster(facts.spare(service, r, rate, spot=spot)[:1])
            if extra.keys:
                units.append(float(extra.usd_per_hour[0] / extra.serves_rps[0]))
                serves[i] = float(extra.serves_rps[0]) if not spot else serves[i]
        if units and usd[r] > 0:
            unit = units[0] + share * min(units[-1] - units[0], 0.0)
            premium[i] = unit / (usd[r] / held[r])
    return shares[:, here], serves, premium
