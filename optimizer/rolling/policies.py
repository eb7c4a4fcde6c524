"""Ways of running a fleet: a rolling horizon, and what to compare it with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from models.demand import Forecast, Outlook, direct_demand_rps
from models.offerings import Purchase
from optimizer.plan import Expected
from optimizer.problem import Floats, Ints
from optimizer.rolling.carry import joined
from optimizer.rolling.facts import ALMOST, Facts, GroupKey
from optimizer.rolling.horizon import Horizon
from optimizer.rolling.past import demand_of
from optimizer.rolling.planning import Planner
from optimizer.rolling.play import Cloud, Trace
from optimizer.rolling.state import Ahead, Cause, Decision, Planned, Reason, Routes, Seen, State
from optimizer.todays_fleet import TodaysFleet


@dataclass(eq=False)
class Rolling:
    """A horizon and its state, step after step of a trace."""

    horizon: Horizon
    state: State
    trace: Trace
    before: Floats | None = None
    """What was asked in the step before the first, where the horizon began earlier."""

    def __call__(self, facts: Facts, step: int, cloud: Cloud) -> Decision:
        before = self.trace.rps[:, step - 1] if step else self.before
        decision, self.state = self.horizon.step(facts, self.state, Seen(before, cloud.cohorts()))
        return decision


@dataclass(frozen=True, eq=False)
class Standing:
    """Today's fleet as it stands; users reach the nearest place that runs the service."""

    facts: Facts
    trace: Trace

    @cached_property
    def _same(self) -> tuple[dict[GroupKey, int], Routes]:
        wanted: dict[GroupKey, int] = {}
        for group in self.facts.world.fleet.groups:
            key = GroupKey.of(group)
            wanted[key] = wanted.get(key, 0) + group.count
        nearest = TodaysFleet(self.facts.world).nearest
        service, origin = np.nonzero(nearest >= 0)
        region = nearest[service, origin]
        return wanted, Routes(service, origin, region, np.ones(len(service)))

    def __call__(self, facts: Facts, step: int, cloud: Cloud) -> Decision:
        del facts, cloud
        wanted, routes = self._same
        return Decision(self.trace.at(step), wanted, routes, ())


@dataclass(frozen=True, eq=False)
class Tracking:
    """Target tracking, service by service and place by place, on one type each, on fixed routes.

    ``routes`` say who is served from where; ``keys`` are the types, one for a service in a place,
    and ``target`` [service] the share of capacity that the most demand of the last ``hold``
    [service] steps fills. It knows no rule but the least replicas of services.
    """

    trace: Trace
    routes: Routes
    keys: tuple[GroupKey, ...]
    target: Floats
    hold: Ints
    before: Floats
    """What was asked in the steps before the first [series, step]."""

    def __call__(self, facts: Facts, step: int, cloud: Cloud) -> Decision:
        del cloud
        most = int(self.hold.max())
        load = self._load_rps(facts)[:, :, step : step + most]
        recent = np.arange(most, 0, -1) <= self.hold[:, None, None]
        load = np.where(recent, load, 0.0).max(axis=2)
        roster = facts.roster(self.keys)
        need = load[roster.service, roster.region] / self.target[roster.service]
        counts = np.ceil(need / roster.serves_rps - ALMOST).astype(np.int64)
        counts = np.maximum(counts, self._least(facts))
        wanted = {key: n for key, n in zip(self.keys, counts.tolist(), strict=True) if n}
        return Decision(self.trace.at(step), wanted, self.routes, ())

    def _load_rps(self, facts: Facts) -> Floats:
        """[service, region, step], from the longest hold before the first."""
        if "load" not in self.__dict__:
            rps = np.concatenate([self.before[:, -int(self.hold.max()) :], self.trace.rps], axis=1)
            demand = replace(self.trace, rps=rps).demand_rps(facts)
            loads = [
                self.routes.load_rps(demand[:, :, t], facts.shape[1])
                for t in range(demand.shape[2])
            ]
            object.__setattr__(self, "load", np.stack(loads, axis=2))
        found: Floats = self.__dict__["load"]
        return found

    def _least(self, facts: Facts) -> Ints:
        """Instances that hold a service's least replicas: in every place of stateful ones, and
        shared by the places of others.
        """
        roster = facts.roster(self.keys)
        places = np.bincount(roster.service, minlength=facts.shape[0])
        services = facts.world.services
        each = [
            services[s].min_replicas / (1 if services[s].stateful else places[s])
            for s in roster.service.tolist()
        ]
        rate = np.array([services[s].replica.throughput_rps for s in roster.service.tolist()])
        held = roster.serves_rps / rate
        least: Ints = np.ceil(np.array(each) / held - ALMOST).astype(np.int64)
        return least


def cheapest_keys(
    facts: Facts, routes: Routes, usual_rps: Floats, *, spot: bool
) -> tuple[GroupKey, ...]:
    """For every service in every place that serves somebody, the type that serves its usual demand
    [service, region] for the least; with ``spot``, that where the service bears it, whatever share
    of it rules allow.
    """
    keys = []
    for s, r in sorted(set(zip(routes.service.tolist(), routes.region.tolist(), strict=True))):
        options = facts.market.options_of(np.array([int(facts.market.shape_of_service[s])]))
        here = options.where((options.region == r) & (spot | ~options.spot))
        rate = facts.world.services[s].replica.throughput_rps
        count = np.maximum(np.ceil(usual_rps[s, r] / (here.replicas * rate) - ALMOST), 1)
        best = int(np.lexsort((here.offering, count * here.price_usd_per_hour))[0])
        row = facts.world.book.offerings.iloc[int(here.offering[best])]
        keys.append(
            GroupKey(
                facts.world.services[s].name,
                facts.world.regions[r].place,
                str(row["instance_type"]),
                Purchase(str(row["purchase"])),
            )
        )
    return tuple(keys)


@dataclass(eq=False)
class Foresight:
    """Plans made day by day with demand as it is going to be: the most that each origin asks for in
    any step of an hour.

    What an hour needs is there when it begins. Nobody can do this; it is what to compare with.
    """

    trace: Trace
    planner: Planner
    boot: timedelta
    ahead: Ahead | None = None
    until: int | None = None
    """The first step that is not planned for."""

    def __call__(self, facts: Facts, step: int, cloud: Cloud) -> Decision:
        del cloud
        now = self.trace.at(step)
        planned: tuple[Planned, ...] = ()
        reasons: tuple[Reason, ...] = ()
        first = self._first_unplanned(now, step)
        if first is not None:
            none = np.zeros((facts.shape[0], 24), np.int64)
            expected = self._expected(facts, first)
            outcome = self.planner.whole(facts, expected, {}, none)
            outcome = self.planner.refined(outcome, facts, expected, {}, none)
            planned = (outcome.planned,)
            if outcome.ahead is None:
                reasons = (Reason(Cause.FAILED, "", outcome.why),)
            else:
                self.ahead = joined(self.ahead, outcome.ahead, now, facts)
            self.until = first + self._steps(facts)
        if self.ahead is None:
            return Decision(now, {}, Routes.nowhere(), reasons, planned)
        counts = self.ahead.most_until(now, now + self.boot)
        wanted = {key: n for key, n in zip(self.ahead.keys, counts.tolist(), strict=True) if n}
        return Decision(now, wanted, self.ahead.routes_at(now), reasons, planned)

    def _first_unplanned(self, now: datetime, step: int) -> int | None:
        """The first step of the next plan, once what it needs is to be started; None: not yet."""
        if self.until is None:
            return step
        ends = self.trace.at(self.until)
        soon = now + self.boot + timedelta(seconds=self.trace.step_s) > ends
        return self.until if soon and self.until < self.trace.steps else None

    def _steps(self, facts: Facts) -> int:
        return facts.world.policy.horizon_hours * 3600 // self.trace.step_s

    def _expected(self, facts: Facts, step: int) -> Expected:
        world, trace = facts.world, self.trace
        per_hour, hours = 3600 // trace.step_s, world.policy.horizon_hours
        rps = np.nan_to_num(trace.rps[:, step : step + hours * per_hour])
        rps = np.pad(rps, ((0, 0), (0, hours * per_hour - rps.shape[1])), mode="edge")
        names, origins = [s.name for s in world.services], [o.name for o in world.origins]
        demand = demand_of(facts.graph, names, origins, trace.series, rps)
        blocks = (len(names), len(origins), hours, per_hour)
        peak = demand.reshape(blocks).max(axis=3)
        own = direct_demand_rps(names, origins, trace.series, rps).reshape(blocks).max(axis=3)
        mean = rps.reshape(len(rps), hours, per_hour).mean(axis=2)
        said = Forecast(
            trace.at(step), (0.5,), trace.series, mean, np.repeat(mean[:, :, None], 1, axis=2)
        )
        bands = peak.sum(axis=1)[:, :, None]
        return Expected(said, peak, own, Outlook.certain(peak, own), peak.sum(axis=1), bands)
