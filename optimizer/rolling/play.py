"""Play a rolling horizon, or any other way of running a fleet, against demand as it was.

The simulated clouds start what is wanted at once and bill it from then on, by the step; an
instance serves after its boot. What is not wanted any more stops at once, the youngest first.
Requests beyond the capacity of the place that they are routed to are lost. What is wanted in the
first step has been running for long, unless something runs already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from optimizer.problem import Bools, Floats, Ints
from optimizer.rolling.facts import Facts, GroupKey
from optimizer.rolling.past import demand_of
from optimizer.rolling.state import Cohort, Decision, Planned, Reason, Routes


@dataclass(frozen=True, eq=False)
class Trace:
    """Direct demand ``rps`` [series, step] from ``starts`` on, NaN where nobody knows it."""

    series: tuple[tuple[str, str], ...]
    starts: datetime
    step_s: int
    rps: Floats

    @property
    def steps(self) -> int:
        return int(self.rps.shape[1])

    def at(self, step: int) -> datetime:
        return self.starts + timedelta(seconds=self.step_s * step)

    def demand_rps(self, facts: Facts) -> Floats:
        """[service, origin, step], calls included; what nobody knows is 0."""
        names = [s.name for s in facts.world.services]
        origins = [o.name for o in facts.world.origins]
        return demand_of(facts.graph, names, origins, self.series, np.nan_to_num(self.rps))


@dataclass(frozen=True, eq=False)
class Played:
    """What came of it, [service, step]: ``usd`` of compute, ``asked_rps`` and ``lost_rps``, and
    instances ``started`` and ``stopped``; and what was planned and why.
    """

    step_s: int
    usd: Floats
    asked_rps: Floats
    lost_rps: Floats
    started: Ints
    stopped: Ints
    planned: tuple[Planned, ...] = ()
    reasons: tuple[tuple[datetime, Reason], ...] = ()

    @property
    def usd_per_hour(self) -> float:
        hours = self.usd.shape[1] * self.step_s / 3600
        return float(self.usd.sum()) / float(hours)

    @property
    def unserved_share(self) -> float:
        """Of all requests to services, calls included."""
        asked = float(self.asked_rps.sum())
        return float(self.lost_rps.sum()) / asked if asked > 0 else 0.0

    @property
    def unserved_shares(self) -> Floats:
        """[service]"""
        asked = self.asked_rps.sum(axis=1)
        lost = self.lost_rps.sum(axis=1)
        shares: Floats = np.divide(lost, asked, out=np.zeros_like(asked), where=asked > 0)
        return shares

    @property
    def moves(self) -> int:
        """Instances started and stopped."""
        return int(self.started.sum() + self.stopped.sum())


@dataclass(eq=False)
class Cloud:
    """Clouds that do at once what is wanted, and lose what is in places that are lost."""

    boot: timedelta
    running: dict[GroupKey, list[Cohort]] = field(default_factory=dict)

    def cohorts(self) -> tuple[Cohort, ...]:
        return tuple(cohort for cohorts in self.running.values() for cohort in cohorts)

    def lose(self, places: Iterable[str]) -> None:
        """Nothing runs there any more."""
        gone = set(places)
        for key in [key for key in self.running if key.place in gone]:
            del self.running[key]

    def follow(self, wanted: Mapping[GroupKey, int], now: datetime) -> dict[GroupKey, int]:
        """Run exactly what is wanted; by how much groups grow, and shrink below 0."""
        changes: dict[GroupKey, int] = {}
        for key in {*wanted, *self.running}:
            cohorts = self.running.get(key, [])
            change = wanted.get(key, 0) - sum(cohort.count for cohort in cohorts)
            if change:
                changes[key] = change
            if change > 0:
                self.running[key] = [*cohorts, Cohort(key, now, change)]
            elif change < 0:
                kept = _without_youngest(cohorts, -change)
                if kept:
                    self.running[key] = kept
                else:
                    del self.running[key]
        return changes

    def capacity_rps(self, facts: Facts, now: datetime) -> Floats:
        """What has booted by ``now`` serves, [service, region]."""
        roster = facts.roster(tuple(self.running))
        ready = np.array(
            [
                sum(cohort.count for cohort in cohorts if cohort.started + self.boot <= now)
                for cohorts in self.running.values()
            ],
            np.int64,
        )
        return roster.capacity_rps(ready, facts.shape)

    def usd_per_hour(self, facts: Facts) -> Floats:
        """What it costs [service]; nothing for what has no price."""
        counts = [sum(cohort.count for cohort in of) for of in self.running.values()]
        roster = facts.roster(tuple(self.running))
        usd = np.nan_to_num(roster.usd_per_hour) * np.array(counts, np.int64)
        return np.bincount(roster.service, usd, facts.shape[0]).astype(np.float64)


def _without_youngest(cohorts: list[Cohort], count: int) -> list[Cohort]:
    kept = list(cohorts)
    while count > 0:
        last = kept.pop()
        if last.count > count:
            kept.append(Cohort(last.key, last.started, last.count - count))
        count -= last.count
    return kept


LONG = timedelta(days=7)

Decide = Callable[[Facts, int, Cloud], Decision]
"""What is to run in a step: facts, step, and what runs when it begins."""


def play(
    trace: Trace,
    facts_at: Callable[[int], Facts],
    cloud: Cloud,
    decide: Decide,
    each: Callable[[Decision], None] = lambda decision: None,
) -> Played:
    """Play ``decide`` against ``trace``, step by step.

    ``facts_at`` [step] tells the facts of each step; the same object as long as nothing changes.
    ``each`` is told every decision.
    """
    facts = facts_at(0)
    demand = trace.demand_rps(facts)
    services, steps = len(facts.world.services), trace.steps
    usd, lost = np.zeros((services, steps)), np.zeros((services, steps))
    moved = np.zeros((2, services, steps), np.int64)
    planned: list[Planned] = []
    reasons: list[tuple[datetime, Reason]] = []
    known: Bools = np.array(~np.isnan(trace.rps).any(axis=0), np.bool_)
    hour_share = trace.step_s / 3600
    for step in range(steps):
        facts, now = facts_at(step), trace.at(step)
        cloud.lose(facts.lost)
        decision = decide(facts, step, cloud)
        each(decision)
        planned += decision.planned
        reasons += [(now, reason) for reason in decision.reasons]
        if step == 0 and not cloud.running:
            cloud.follow(decision.wanted, now - LONG)
        for key, change in cloud.follow(decision.wanted, now).items():
            s = facts.world.service_index[key.service]
            moved[0 if change > 0 else 1, s, step] += abs(change)
        usd[:, step] = cloud.usd_per_hour(facts) * hour_share
        if known[step]:
            lost[:, step] = lost_rps(facts, cloud, decision.routes, demand[:, :, step], now)
    asked = np.where(known, demand.sum(axis=1), 0.0)
    started, stopped = moved
    return Played(trace.step_s, usd, asked, lost, started, stopped, tuple(planned), tuple(reasons))


def lost_rps(
    facts: Facts, cloud: Cloud, routes: Routes, demand_rps: Floats, now: datetime
) -> Floats:
    """[service]: what is asked of it and finds no capacity where it is routed to, or no route."""
    load = routes.load_rps(demand_rps, facts.shape[1])
    capacity = np.where(facts.gone, 0.0, cloud.capacity_rps(facts, now))
    over = np.maximum(load - capacity, 0.0).sum(axis=1)
    lost: Floats = over + np.maximum(demand_rps.sum(axis=1) - load.sum(axis=1), 0.0)
    return np.where(lost > 1e-9, lost, 0.0)
