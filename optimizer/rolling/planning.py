"""Plan again: from what the former plan used, and now and then from all that is on offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from models.changes import ChangeCosts
from models.demand import Outlook, direct_demand_rps
from models.errors import FaultyInput, SolverFailed
from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.placement import Placement, Term
from models.plan import Infeasible, Plan
from models.rules import DisruptionRule, Rule
from models.world import World
from optimizer import late
from optimizer.forecast.events import told_by_then
from optimizer.formulate.assemble import formulate
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.plan import Expected, Memory, Method, foresee, make_plan
from optimizer.problem import Floats, Ints
from optimizer.read import read_placement
from optimizer.rolling.facts import Facts, GroupKey
from optimizer.rolling.past import Past
from optimizer.rolling.settled import settled
from optimizer.rolling.state import Ahead, Planned
from optimizer.solve.answers import ProvenInfeasible, Solved

if TYPE_CHECKING:
    from optimizer.decompose.last import Last

OVERLAP_S: Final = 120
"""An instance that replaces another runs so long beside it, booting aside."""

_OFFERING = ["cloud", "region", "instance_type", "purchase"]
_GROUP = ["service", *_OFFERING]


@dataclass(frozen=True, eq=False)
class Outcome:
    """A plan, or why there is none. ``moves_usd``: what getting there costs once."""

    planned: Planned
    ahead: Ahead | None
    moves_usd: float = 0.0
    why: str = ""
    left: Last | None = None
    """What a decomposed plan leaves behind for the next one."""

    @property
    def counted_usd(self) -> float:
        return (self.planned.usd or 0.0) + self.moves_usd


def foreseen(facts: Facts, past: Past, starts: datetime) -> Expected:
    """Demand over the policy's horizon, by what is known now."""
    history = past.history()
    events = told_by_then(facts.remaining.events, past.series, history, starts)
    return foresee(replace(facts.remaining, history=history, starts=starts, events=events))


def hedged(facts: Facts, expected: Expected, level: Floats) -> Expected:
    """The same with each service's demand at a ``level`` [service] of its own."""
    world = facts.remaining
    names, origins = [s.name for s in world.services], [o.name for o in world.origins]
    demand = np.empty_like(expected.demand_rps)
    direct = np.empty_like(expected.direct_rps)
    for one in np.unique(level):
        rows = level == one
        own = direct_demand_rps(
            names, origins, expected.forecast.series, expected.forecast.at_level(float(one))
        )
        direct[rows], demand[rows] = own[rows], facts.graph.traced(own)[rows]
    outlook = expected.outlook
    if not world.policy.demand_scenarios:
        outlook = Outlook.certain(demand, direct)
    return replace(expected, demand_rps=demand, direct_rps=direct, outlook=outlook)


def mean_of(facts: Facts, expected: Expected) -> Floats:
    """Expected demand [service, origin, period]."""
    world = facts.world
    names, origins = [s.name for s in world.services], [o.name for o in world.origins]
    forecast = expected.forecast
    return facts.graph.traced(direct_demand_rps(names, origins, forecast.series, forecast.mean_rps))


@dataclass(frozen=True, eq=False)
class Planner:
    """Solves for what is to come; ``boot_s`` is how long an instance boots, and ``every_hours`` how
    often is planned.
    """

    backend: str
    method: Method
    time_limit_s: float
    boot_s: float
    every_hours: int = 1

    def whole(
        self,
        facts: Facts,
        expected: Expected,
        standing: Mapping[GroupKey, int],
        moved: Ints,
        last: Last | None = None,
    ) -> Outcome:
        """From all that is on offer. Moves are not in the problem, but counted afterwards.

        ``last``: what a large world starts from.
        """
        world = replace(facts.remaining, rules=_rules_left(facts.world, moved))
        world = replace(
            world,
            starts=expected.forecast.starts,
            fleet=_fleet(facts, standing),
            policy=replace(world.policy, changes=ChangeCosts(), time_limit_s=self.time_limit_s),
        )
        return self._solved(facts, world, expected, standing, last)

    def again(
        self,
        facts: Facts,
        expected: Expected,
        standing: Mapping[GroupKey, int],
        moved: Ints,
        ahead: Ahead,
        last: Last | None = None,
    ) -> Outcome:
        """From the offerings that the last plan or the fleet uses, on the routes of the last plan:
        numbers of instances are decided anew, in a fraction of the time.

        Sizes may change as often as is planned, whatever the policy's ``count_hours``: nothing that
        comes after is carried out. Every start beside what stands costs what it runs without
        serving. Large worlds start from
        what the last plan left behind instead, and keep what is as good as it was.
        """
        if last is not None:
            made = self.whole(facts, expected, standing, moved, last)
            return replace(made, planned=replace(made.planned, how="again"))
        book = facts.remaining.book
        used = {(*key.place.split("/", 1), key.instance_type) for key in (*ahead.keys, *standing)}
        told = zip(*(book.offerings[c].astype(str) for c in _OFFERING[:3]), strict=True)
        kept = book.matching(pd.Series([one in used for one in told], dtype=bool))
        policy = facts.world.policy
        changes = policy.changes
        if not changes.count:
            changes = ChangeCosts(
                usd_per_started_instance=self.start_usd(facts, standing),
                amortise_over_hours=policy.horizon_hours,
            )
        world = replace(
            facts.remaining,
            starts=expected.forecast.starts,
            book=kept,
            rules=_rules_left(facts.world, moved),
            fleet=_fleet(facts, standing),
            policy=replace(
                policy,
                changes=changes,
                time_limit_s=self.time_limit_s,
                count_hours=min(policy.count_hours, self.every_hours),
            ),
        )
        began = perf_counter()
        formulation = formulate(
            world, survey(world), measure(world), expected.demand_rps, expected.direct_rps,
            expected.outlook,
        )  # fmt: skip
        problem = settled(formulation, facts, ahead)
        why = "its routes are not those of the last plan any more"
        found: Placement | None = None
        if problem is not None:
            answer = late.backend(self.backend).solve(
                problem, gap=policy.gap_target, time_limit_s=self.time_limit_s
            )
            if isinstance(answer, Solved):
                found = read_placement(formulation, answer, self.backend, 0.0)
            elif isinstance(answer, ProvenInfeasible):
                why = "no plan keeps every rule on the routes of the last one"
            else:
                why = f"no plan was found within {self.time_limit_s:g} s"
        return self._outcome(facts, expected, standing, "again", found, perf_counter() - began, why)

    def refined(
        self, whole: Outcome, facts: Facts, expected: Expected, standing: Mapping[GroupKey, int],
        moved: Ints,
    ) -> Outcome:  # fmt: skip
        """The numbers of a whole plan, decided anew where blocks outlast what is carried out."""
        if whole.ahead is None or facts.world.policy.count_hours <= self.every_hours:
            return whole
        fine = self.again(facts, expected, standing, moved, whole.ahead)
        took_s = whole.planned.solve_s + fine.planned.solve_s
        best = whole if fine.ahead is None else fine
        return replace(
            best, planned=replace(best.planned, how="whole", solve_s=took_s), left=whole.left
        )

    def start_usd(self, facts: Facts, standing: Mapping[GroupKey, int]) -> float:
        """What a start costs on average: its boot, and the overlap with what it replaces."""
        usd = facts.roster(tuple(standing)).usd_per_hour
        usual = float(np.nanmean(usd)) if np.isfinite(usd).any() else 0.0
        return usual * (self.boot_s + OVERLAP_S) / 3600

    def _solved(
        self,
        facts: Facts,
        world: World,
        expected: Expected,
        standing: Mapping[GroupKey, int],
        last: Last | None,
    ) -> Outcome:
        began = perf_counter()
        why, found, memory = "", None, Memory(last)
        try:
            outcome = make_plan(
                world, backend=self.backend, method=self.method, memory=memory, expected=expected
            )
        except (SolverFailed, FaultyInput) as error:
            why = str(error)
        else:
            if isinstance(outcome, Plan):
                found = outcome.placement
            elif isinstance(outcome, Infeasible):
                rules = ", ".join(rule.name for rule in outcome.clash)
                why = f"no plan keeps every rule ({rules})" if rules else "demand cannot be placed"
            else:
                why = f"no plan was found within {self.time_limit_s:g} s"
        took_s = perf_counter() - began
        made = self._outcome(facts, expected, standing, "whole", found, took_s, why)
        return replace(made, left=memory.left)

    def _outcome(
        self,
        facts: Facts,
        expected: Expected,
        standing: Mapping[GroupKey, int],
        how: str,
        found: Placement | None,
        took_s: float,
        why: str,
    ) -> Outcome:
        starts = expected.forecast.starts
        if found is None:
            return Outcome(Planned(starts, how, None, 0.0, took_s), None, why=why)
        ahead = _read(facts, found, expected)
        # One-off costs are counted here, once, for every way of solving alike.
        one_off = sum(float(line.usd) for line in found.bill.lines if line.term is Term.MOVES)
        usd = float(found.bill.total_usd + found.bill.shadow_usd) - one_off
        moves = self._moves_usd(facts, ahead, standing)
        return Outcome(Planned(starts, how, usd, 0.0, took_s), ahead, moves)

    def _moves_usd(self, facts: Facts, ahead: Ahead, standing: Mapping[GroupKey, int]) -> float:
        """Starts beside what stands, and state that is copied to places that it was not in."""
        changes = facts.world.policy.changes
        each = changes.usd_per_started_instance
        if not changes.count:
            each = self.start_usd(facts, standing)
        most = ahead.counts.max(axis=1, initial=0)
        before = np.array([standing.get(key, 0) for key in ahead.keys], np.int64)
        usd = each * float(np.maximum(most - before, 0).sum())
        here = {(key.service, key.place) for key in standing}
        opened = {(key.service, key.place) for key in ahead.keys} - here
        for service in facts.world.services:
            if service.stateful:
                places = sum(name == service.name for name, _ in opened)
                usd += places * service.state_gib * changes.usd_per_gib_of_state_moved
        return usd


def _rules_left(world: World, moved: Ints) -> tuple[Rule, ...]:
    """The world's rules, less what of a day's moves was made in the last 24 hours."""
    rules: list[Rule] = []
    for rule in world.rules:
        if isinstance(rule, DisruptionRule):
            rows = [world.service_index[name] for name in rule.services]
            each, in_all = rule.at_most_per_day, rule.in_all_per_day
            if each is not None:
                each = max(each - int(moved[rows].sum(axis=1).max(initial=0)), 0)
            if in_all is not None:
                in_all = max(in_all - int(moved[rows].sum()), 0)
            rules.append(replace(rule, at_most_per_day=each, in_all_per_day=in_all))
        else:
            rules.append(rule)
    return tuple(rules)


def _fleet(facts: Facts, standing: Mapping[GroupKey, int]) -> Fleet:
    return Fleet(
        tuple(
            Group(key.service, key.place, key.instance_type, key.purchase, count)
            for key, count in standing.items()
            if count > 0 and key.place not in facts.lost
        )
    )


def _read(facts: Facts, placement: Placement, expected: Expected) -> Ahead:
    """The plan in the terms of a horizon that rolls."""
    counts = placement.counts
    columns = [counts[name].astype(str).to_numpy(dtype=object) for name in _GROUP]
    rows = list(zip(*columns, strict=True))
    keys = tuple(
        GroupKey(service, f"{cloud}/{region}", kind, Purchase(purchase))
        for service, cloud, region, kind, purchase in sorted(set(rows))
    )
    number = {row: i for i, row in enumerate(sorted(set(rows)))}
    table = np.zeros((len(keys), placement.hours), np.int64)
    at = np.array([number[row] for row in rows], np.int64)
    table[at, counts["period"].to_numpy(np.int64)] = counts["count"].to_numpy(np.int64)
    route, share = _read_routes(facts, placement)
    return Ahead(
        placement.starts,
        keys,
        table,
        facts.roster(keys).usd_per_hour,
        route,
        share,
        mean_of(facts, expected),
        expected.demand_rps.sum(axis=1),
    )


def _read_routes(facts: Facts, placement: Placement) -> tuple[Ints, Floats]:
    """Service, origin and region of every route [3, row], and its share [row, hour]."""
    routes, hours = placement.routes, placement.hours
    place = routes["cloud"].astype(str) + "/" + routes["region"].astype(str)
    index = np.stack(
        [
            routes["service"].astype(str).map(facts.world.service_index).to_numpy(np.int64),
            routes["origin"].astype(str).map(facts.origin_index).to_numpy(np.int64),
            place.map(facts.region_index).to_numpy(np.int64),
        ]
    )
    route, row = np.unique(index, axis=1, return_inverse=True)
    share = np.zeros((route.shape[1], hours))
    first = routes["first_period"].to_numpy(np.int64)
    last = first + routes["periods"].to_numpy(np.int64)
    for r, a, b, of in zip(row.ravel(), first, last, routes["share"].to_numpy(float), strict=True):
        share[r, a:b] += of
    return route, share
