"""The rolling horizon: a plan made into a policy, as a pure step from state to state.

Each hour, ``lead_s`` before it begins, demand is foreseen anew and planned for; what an hour needs
is started a boot before it; and in every step corrections add what observed demand lacks. Nothing
here reads a clock, keeps anything, or touches a cloud: whoever calls it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Final

import numpy as np

from optimizer.forecast.demand import LEVELS
from optimizer.plan import Method
from optimizer.problem import Floats
from optimizer.rolling.carry import (
    LOOKBACK_HOURS,
    an_hour_on,
    dearer,
    foretold,
    foretold_days,
    joined,
    lookbacks,
    moved_demand,
    remembered,
    rerouted,
    running,
    standing,
    young_stay,
)
from optimizer.rolling.correct import corrected, groups_of, needed_rps
from optimizer.rolling.facts import Facts, GroupKey
from optimizer.rolling.hedge import (
    LEAST_HOURS,
    LEAST_LEVEL_OF_SURVIVORS,
    Grid,
    choose,
    holds_of,
    usual_hedge,
)
from optimizer.rolling.past import HOUR, Past, demand_of, hour_of
from optimizer.rolling.planning import OVERLAP_S, Outcome, Planner, foreseen, hedged
from optimizer.rolling.state import (
    Ahead,
    Cause,
    Decision,
    Hedge,
    Planned,
    Reason,
    Routes,
    Seen,
    State,
)

PRICES_MOVED: Final = 0.02
"""A plan that costs so much more than when it was made is looked at afresh."""
RECHOSEN: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Horizon:
    """How a horizon rolls.

    ``step_s``: seconds from decision to decision, a whole part of an hour. ``boot_s``: from an
    instance's start until it serves. ``lead_s``: how long before an hour it is planned for, at
    least a boot. ``every_hours``: how often is planned; ``whole_every_hours``: how often from all
    that is on offer. ``hold_s``: corrections ask for the most that the last so many seconds asked
    for. ``saving_share``: what a look at all that is on offer must save beside its moves.
    ``corrects``: whether plans are corrected by what is observed.
    """

    step_s: int = 60
    boot_s: int = 180
    lead_s: int = 600
    every_hours: int = 1
    whole_every_hours: int = 6
    saving_share: float = 0.005
    time_limit_s: float = 60.0
    corrects: bool = True
    backend: str = "ortools"
    method: Method = Method.AUTO

    def __post_init__(self) -> None:
        if 3600 % self.step_s or self.lead_s < self.boot_s or self.lead_s > 3600:
            raise ValueError("steps divide an hour, and a boot <= the lead <= an hour")

    @property
    def boot(self) -> timedelta:
        return timedelta(seconds=self.boot_s)

    @property
    def boot_steps(self) -> int:
        return -(-self.boot_s // self.step_s)

    @property
    def hold_steps(self) -> int:
        """The most that corrections look back."""
        return max(holds_of(self.step_s))

    def begin(self, facts: Facts, now: datetime, steps: Floats | None = None) -> State:
        """The state before the first step, at ``now``, from the world's history.

        ``steps`` [series, step]: what was observed step by step until ``now``, if that is known,
        with series in the order of ``Past``. The days before are foretold as they would have been.
        """
        past = Past.of(facts.world.history, now, self.step_s)
        if steps is not None:
            past = past.with_steps(steps[:, -LOOKBACK_HOURS * past.steps_per_hour :])
        hour = hour_of(now)
        state = State(
            past,
            None,
            self._usual(facts, now - RECHOSEN),
            np.zeros((*facts.shape, self.hold_steps)),
            np.zeros((facts.shape[0], len(facts.world.origins), 0, len(LEVELS))),
            hour,
            (),
            np.zeros((facts.shape[0], 24), np.int64),
            None,
            None,
            frozenset(),
        )
        return foretold_days(facts, state)

    def step(self, facts: Facts, state: State, seen: Seen) -> tuple[Decision, State]:
        """What is to run from now on, and what the next step needs to know."""
        if seen.rps is not None:
            kept = LOOKBACK_HOURS * state.past.steps_per_hour
            state = replace(state, past=state.past.after(seen.rps, kept))
        state = an_hour_on(state)
        reasons: list[Reason] = []
        planned: tuple[Planned, ...] = ()
        due = self._due(facts, state)
        if due is not None:
            state, planned, said = self._plan(facts, state, seen, *due)
            reasons += said
        ahead = state.ahead
        if ahead is None:
            return self._as_it_is(state, seen, reasons, planned)
        now = state.now
        counts = ahead.most_until(now, now + self.boot + timedelta(seconds=self.step_s - 1))
        alive = np.array([key.place not in facts.lost for key in ahead.keys], np.bool_)
        wanted = {
            key: int(n)
            for key, n in zip(ahead.keys, np.where(alive, counts, 0).tolist(), strict=True)
            if n
        }
        routes = rerouted(facts, ahead.routes_at(now))
        if self.corrects:
            wanted, state, said = self._correct(facts, state, seen, wanted, ahead, routes)
            reasons += said
        wanted = young_stay(facts, wanted, seen, now)
        state = remembered(facts, state, seen, wanted)
        return Decision(now, wanted, routes, tuple(reasons), planned), state

    def _as_it_is(
        self, state: State, seen: Seen, reasons: list[Reason], planned: tuple[Planned, ...]
    ) -> tuple[Decision, State]:
        """No plan has ever been found: what runs stays."""
        found = Decision(state.now, running(seen), Routes.nowhere(), tuple(reasons), planned)
        return found, state

    def _due(self, facts: Facts, state: State) -> tuple[datetime, Cause] | None:
        """The hour to plan for now, and why; None: none."""
        now, ahead = state.now, state.ahead
        if ahead is None:
            hour = hour_of(now)
            return None if state.tried == hour else (hour, Cause.FIRST)
        used = {key.place for key in ahead.keys}
        coming = hour_of(now + timedelta(seconds=self.lead_s))
        if used & facts.lost - state.avoided:
            return hour_of(now), Cause.LOST
        if state.tried is not None and coming < state.tried + self.every_hours * HOUR:
            return None
        return coming, Cause.FORECAST

    def _plan(
        self, facts: Facts, state: State, seen: Seen, starts: datetime, cause: Cause
    ) -> tuple[State, tuple[Planned, ...], list[Reason]]:
        began = perf_counter()
        expected = foreseen(facts, state.past, starts)
        reasons: list[Reason] = []
        if state.now - state.hedge.chosen >= RECHOSEN:
            state, said = self._hedge(facts, state)
            reasons += said
        state = foretold(facts, state, expected, starts, self.every_hours)
        planned_for = hedged(facts, expected, state.hedge.level)
        foresee_s = perf_counter() - began
        stands = standing(facts, state, seen)
        planner = Planner(
            self.backend, self.method, self.time_limit_s, self.boot_s, self.every_hours
        )
        outcomes: list[Outcome] = []
        again: Outcome | None = None
        if state.ahead is not None and cause is not Cause.LOST:
            again = planner.again(facts, planned_for, stands, state.moved, state.ahead, state.last)
            outcomes.append(again)
        risen = dearer(facts, state.ahead, starts)
        stale = state.whole is None or starts - state.whole >= self.whole_every_hours * HOUR
        whole: Outcome | None = None
        if again is None or again.ahead is None or stale or risen > PRICES_MOVED:
            whole = planner.whole(facts, planned_for, stands, state.moved)
            whole = planner.refined(whole, facts, planned_for, stands, state.moved)
            outcomes.append(whole)
        chosen, said = self._better(again, whole, cause, risen, state.ahead is None)
        reasons += said
        planned = tuple(replace(one.planned, foresee_s=foresee_s) for one in outcomes)
        tried = starts if state.tried is None else max(starts, state.tried)
        state = replace(state, tried=tried, avoided=facts.lost)
        if whole is not None and whole.ahead is not None:
            state = replace(state, whole=starts)
        if chosen is None or chosen.ahead is None:
            return state, planned, reasons
        reasons += moved_demand(facts, state.ahead, chosen.ahead)
        joint = joined(state.ahead, chosen.ahead, state.now, facts)
        return replace(state, ahead=joint, last=chosen.left or state.last), planned, reasons

    def _better(
        self, again: Outcome | None, whole: Outcome | None, cause: Cause, risen: float, first: bool
    ) -> tuple[Outcome | None, list[Reason]]:
        """Which outcome is taken, and why. ``first``: there never was a plan."""
        said = []
        if risen > PRICES_MOVED:
            said.append(Reason(Cause.PRICE, "", f"what is planned costs {risen:.1%} more than when"
                               " it was planned: all offerings are looked at"))  # fmt: skip
        said += [
            Reason(Cause.FAILED, "", f"{one.planned.how}: {one.why}")
            for one in (again, whole)
            if one is not None and one.ahead is None
        ]
        found = [one for one in (again, whole) if one is not None and one.ahead is not None]
        if not found:
            stays = "what runs stays" if first else "the former plan holds on"
            said.append(Reason(Cause.FAILED, "", stays))
            return None, said
        if len(found) == 1 or again is None or whole is None:
            if cause is Cause.FIRST:
                said.append(Reason(Cause.FIRST, "", "there was no plan before"))
            if cause is Cause.LOST:
                said.append(Reason(Cause.LOST, "", "planned without the places that are lost"))
            return found[0], said
        saved = again.counted_usd - whole.counted_usd
        least = self.saving_share * abs(again.counted_usd)
        if saved > least:
            said.append(Reason(Cause.BETTER, "", f"other offerings save {saved:,.2f} USD over the"
                               f" horizon, {whole.moves_usd:,.2f} USD of moves paid"))  # fmt: skip
            return whole, said
        if saved > 0:
            said.append(Reason(Cause.KEPT, "", f"other offerings would save {saved:,.2f} USD over"
                               f" the horizon, less than {least:,.2f}: not worth it"))  # fmt: skip
        return again, said

    def _correct(
        self,
        facts: Facts,
        state: State,
        seen: Seen,
        wanted: dict[GroupKey, int],
        ahead: Ahead,
        routes: Routes,
    ) -> tuple[dict[GroupKey, int], State, list[Reason]]:
        """Add what observed demand lacks a boot from now."""
        past, world = state.past, facts.world
        if not past.steps.shape[1]:
            return wanted, state, []
        last = past.steps[:, -1]
        unknown = np.isnan(last)
        names, origins = [s.name for s in world.services], [o.name for o in world.origins]
        demand = demand_of(facts.graph, names, origins, past.series,
                           np.where(unknown, 0.0, last)[:, None])[:, :, 0]  # fmt: skip
        both = [routes]
        if ahead.hour_at(state.now) != ahead.hour_at(state.now + self.boot):
            both.append(rerouted(facts, ahead.routes_at(state.now + self.boot)))
        need = needed_rps(facts, ahead, demand, both, state.now, state.hedge.target, self.boot)
        if unknown.any():  # what is not known is as it was
            need = np.maximum(need, state.need_rps[:, :, -1])
        held = np.concatenate([state.need_rps[:, :, 1:], need[:, :, None]], axis=2)
        state = replace(state, need_rps=held)
        age = np.arange(held.shape[2], 0, -1)
        recent = np.where(age <= state.hedge.hold[:, None, None], held, 0.0).max(axis=2)
        later = ahead.counts_at(state.now + self.boot)
        found = corrected(facts, groups_of(ahead, later), recent, seen.running, beside=wanted)
        merged = _most(wanted, found.wanted, facts)
        if len(both) > 1:  # until what the next hour runs has booted, this one's plan must do
            now = groups_of(ahead, ahead.counts_at(state.now))
            one = corrected(facts, now, recent, seen.running, starts=False, beside=merged)
            merged = _most(merged, one.wanted, facts)
        before = running(seen)
        said = [r for r in found.reasons if r.cause is not Cause.OBSERVED or merged != before]
        return merged, state, said

    def _hedge(self, facts: Facts, state: State) -> tuple[State, list[Reason]]:
        """Choose anew how much more than expected to plan for."""
        world, services = facts.world, facts.shape[0]
        looks = lookbacks(facts, state, LEAST_HOURS)
        grid = Grid.of(self.step_s, corrects=self.corrects)
        grids = [
            grid.from_level(LEAST_LEVEL_OF_SURVIVORS) if survives else grid
            for survives in facts.survives.tolist()
        ]
        objective = np.full(services, world.policy.unserved_share)
        usual = self._usual(facts, state.now)
        extra_steps = OVERLAP_S / self.step_s
        hedge = choose(looks, objective, usual, grids, self.boot_steps, extra_steps)
        changed = [
            Reason(Cause.HEDGE, service.name, hedge.why[s])
            for s, service in enumerate(world.services)
            if any(
                old[s] != new[s]
                for old, new in zip(state.hedge.numbers, hedge.numbers, strict=True)
            )
        ]
        if state.ahead is None:  # where things run, and in what sizes, is known an hour later
            hedge = replace(hedge, chosen=state.now - RECHOSEN + HOUR / 2)
        return replace(state, hedge=hedge), changed

    def _usual(self, facts: Facts, now: datetime) -> Hedge:
        return usual_hedge(facts.shape[0], facts.world.policy.demand_quantile, now, self.step_s)


def _most(
    wanted: Mapping[GroupKey, int], more: Mapping[GroupKey, int], facts: Facts
) -> dict[GroupKey, int]:
    """The more of both of every group; nothing more where places are lost."""
    found = dict(wanted)
    for key, count in more.items():
        if key.place not in facts.lost:
            found[key] = max(found.get(key, 0), count)
    return found
