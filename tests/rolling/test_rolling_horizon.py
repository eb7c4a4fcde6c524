"""A rolling horizon keeps its objective, sees no future, goes on where it was, and says why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from rolling_worlds import STEP_S, STEPS_PER_HOUR, Days, days

from models.errors import UnusableData
from models.places import PlaceFilter
from models.rules import QuotaRule
from models.world import World
from optimizer.rolling.carry import running
from optimizer.rolling.facts import Facts
from optimizer.rolling.horizon import Horizon
from optimizer.rolling.play import Cloud, Played, Trace, play
from optimizer.rolling.policies import Rolling
from optimizer.rolling.state import Cause, Cohort, Decision, Seen, State

HORIZON = Horizon(step_s=STEP_S, boot_s=STEP_S, whole_every_hours=24)
MIDDAY = 12 * STEPS_PER_HOUR
"""A step in which nothing is planned: plans are made ten minutes before every hour."""


@dataclass(frozen=True, eq=False)
class Ran:
    """A day that was played: every decision, and the state and cohorts before each."""

    days: Days
    facts: Facts
    played: Played
    decisions: list[Decision]
    states: list[State]
    cohorts: list[tuple[Cohort, ...]]

    def from_step(self, step: int, steps: int, facts: Facts, trace: Trace | None = None) -> Again:
        """Go on from ``step`` under other facts, or another trace."""
        trace = trace or self.days.trace
        part = replace(trace, starts=trace.at(step), rps=trace.rps[:, step : step + steps])
        cloud = Cloud(HORIZON.boot)
        for cohort in self.cohorts[step]:
            cloud.running.setdefault(cohort.key, []).append(cohort)
        policy = Rolling(HORIZON, self.states[step], part, trace.rps[:, step - 1])
        decisions: list[Decision] = []
        played = play(part, lambda _: facts, cloud, policy, decisions.append)
        return Again(played, decisions)


@dataclass(frozen=True, eq=False)
class Again:
    played: Played
    decisions: list[Decision]

    def reasons(self, cause: Cause) -> list[str]:
        return [r.what for _, r in self.played.reasons if r.cause is cause]


@pytest.fixture(scope="module")
def ran() -> Ran:
    made = days(1)
    facts = Facts(made.world)
    policy = Rolling(HORIZON, HORIZON.begin(facts, made.trace.starts, made.before), made.trace)
    states: list[State] = []
    cohorts: list[tuple[Cohort, ...]] = []
    decisions: list[Decision] = []

    def decide(now: Facts, step: int, cloud: Cloud) -> Decision:
        states.append(policy.state)
        cohorts.append(cloud.cohorts())
        return policy(now, step, cloud)

    played = play(made.trace, lambda _: facts, Cloud(HORIZON.boot), decide, decisions.append)
    return Ran(made, facts, played, decisions, states, cohorts)


def same(a: Decision, b: Decision) -> bool:
    routes = all(
        np.array_equal(getattr(a.routes, name), getattr(b.routes, name))
        for name in ("service", "origin", "region", "share")
    )
    return (a.at, dict(a.wanted), a.reasons) == (b.at, dict(b.wanted), b.reasons) and routes


def test_a_day_keeps_the_objective_and_costs_less_than_the_peak_all_day(ran: Ran) -> None:
    assert (ran.played.unserved_shares <= ran.days.world.policy.unserved_share * 1.5).all()
    assert ran.played.unserved_share <= ran.days.world.policy.unserved_share
    peak = ran.played.usd.sum(axis=0).max() * STEPS_PER_HOUR
    assert ran.played.usd_per_hour < 0.8 * peak
    assert [one.how for one in ran.played.planned].count("again") == 24


def test_no_decision_sees_the_future(ran: Ran) -> None:
    first, steps = 40, 30
    other = ran.days.trace.rps.copy()
    other[:, first + steps :] = np.random.default_rng(1).uniform(0, 900, other[:, 70:].shape)
    trace = replace(ran.days.trace, rps=other)
    again = ran.from_step(first, steps + 1, ran.facts, trace)
    for before, now in zip(ran.decisions[first:], again.decisions, strict=False):
        assert same(before, now)


def test_a_state_goes_on_after_it_was_written_down(ran: Ran) -> None:
    kept = State.from_bytes(ran.states[MIDDAY].as_bytes())
    assert kept.as_bytes() == ran.states[MIDDAY].as_bytes()
    states = list(ran.states)
    states[MIDDAY] = kept
    again = replace(ran, states=states).from_step(MIDDAY, 15, Facts(ran.days.world))
    for before, now in zip(ran.decisions[MIDDAY:], again.decisions, strict=False):
        assert same(before, now)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04nonsense", b"not a file"])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(UnusableData, match="no state of a rolling horizon"):
        State.from_bytes(data)


def test_without_a_plan_in_time_the_former_one_holds(ran: Ran) -> None:
    barred = QuotaRule(name="none", where=PlaceFilter(), instances_at_most=1.0)
    facts = Facts(replace(ran.days.world, rules=(*ran.days.world.rules, barred)))
    step = MIDDAY + 9
    again = ran.from_step(step, 5, facts)
    assert [one.how for one in again.played.planned] == ["again", "whole"]
    assert "the former plan holds on" in again.reasons(Cause.FAILED)
    assert any("none" in what for what in again.reasons(Cause.FAILED))
    ahead = ran.states[step].ahead
    assert ahead is not None
    later = dict(zip(ahead.keys, ahead.counts_at(again.decisions[-1].at).tolist(), strict=True))
    assert all(again.decisions[-1].wanted.get(key, 0) >= n for key, n in later.items())


def test_a_lost_place_is_left_and_its_users_are_served_elsewhere(ran: Ran) -> None:
    used = {key.place for key in ran.decisions[MIDDAY].wanted}
    lost = next(place for place in ("aws/eu", "azure/eu") if place in used)
    facts = Facts(ran.days.world, frozenset({lost}))
    again = ran.from_step(MIDDAY, 8, facts)
    assert again.reasons(Cause.LOST)
    index = facts.region_index[lost]
    for decision in again.decisions:
        assert all(key.place != lost for key in decision.wanted)
        assert not (decision.routes.region == index).any()
    assert again.played.lost_rps[:, 0].sum() > 0  # what replaces it has yet to boot
    assert again.played.lost_rps[:, 3:].sum() < 0.02 * again.played.asked_rps[:, 3:].sum()
    assert [one.how for one in again.played.planned].count("whole") == 1


def test_a_price_rise_makes_it_look_at_all_offerings(ran: Ran) -> None:
    usual = max(ran.decisions[MIDDAY].wanted, key=lambda key: ran.decisions[MIDDAY].wanted[key])
    facts = Facts(dearer(ran.days.world, usual.place, usual.instance_type, usual.purchase.value))
    again = ran.from_step(MIDDAY, 14, facts)
    assert any("costs" in what for what in again.reasons(Cause.PRICE))
    assert "whole" in [one.how for one in again.played.planned]
    assert again.decisions[-1].wanted.get(usual, 0) < ran.decisions[MIDDAY + 13].wanted[usual]


def dearer(world: World, place: str, kind: str, purchase: str) -> World:
    offered = world.book.offerings.copy()
    cloud, region = place.split("/")
    row = (offered["cloud"] == cloud) & (offered["region"] == region)
    row &= (offered["instance_type"] == kind) & (offered["purchase"] == purchase)
    offered.loc[row, "price_usd_per_hour"] *= 4
    return replace(world, book=replace(world.book, offerings=offered))


def test_a_surge_is_corrected_and_the_correction_ends(ran: Ran) -> None:
    rps = ran.days.trace.rps.copy()
    rps[:, MIDDAY : MIDDAY + 4] *= 1.6
    surge = replace(ran.days.trace, rps=rps)
    again = ran.from_step(MIDDAY, 8, ran.facts, surge)
    assert again.reasons(Cause.OBSERVED)
    total = [sum(decision.wanted.values()) for decision in again.decisions]
    usual = [sum(one.wanted.values()) for one in ran.decisions[MIDDAY : MIDDAY + 8]]
    assert total[0] == usual[0]  # nobody knew
    assert max(total[2:5]) > 1.3 * usual[0]
    assert total[-1] < max(total[2:5])
    lost = again.played.lost_rps.sum(axis=0)
    assert lost[0] > 0
    assert lost[3] < 0.2 * lost[0]
    plain = replace(HORIZON, corrects=False)
    policy = Rolling(plain, ran.states[MIDDAY], replace(surge, starts=surge.at(MIDDAY),
                     rps=surge.rps[:, MIDDAY : MIDDAY + 8]), surge.rps[:, MIDDAY - 1])  # fmt: skip
    cloud = Cloud(plain.boot)
    for cohort in ran.cohorts[MIDDAY]:
        cloud.running.setdefault(cohort.key, []).append(cohort)
    without = play(policy.trace, lambda _: ran.facts, cloud, policy)
    assert without.lost_rps.sum() > 1.5 * again.played.lost_rps.sum()


def test_corrections_keep_quotas_and_say_what_they_may_not(ran: Ran) -> None:
    """Also while one hour's plan runs on until what the next one's needs has booted."""
    busiest = max(sum(one.wanted.values()) for one in ran.decisions[MIDDAY : MIDDAY + 12])
    quota = QuotaRule(name="few", where=PlaceFilter(), instances_at_most=float(busiest))
    facts = Facts(replace(ran.days.world, rules=(*ran.days.world.rules, quota)))
    rps = ran.days.trace.rps.copy()
    rps[:, MIDDAY : MIDDAY + 14] *= 12.0
    again = ran.from_step(MIDDAY, 14, facts, replace(ran.days.trace, rps=rps))
    assert any("nothing may be added" in what for what in again.reasons(Cause.REFUSED))
    for decision in again.decisions:
        for place in facts.region_index:
            here = sum(n for key, n in decision.wanted.items() if key.place == place)
            assert here <= busiest


def test_nothing_young_is_stopped(ran: Ran) -> None:
    world = replace(ran.days.world, policy=replace(ran.days.world.policy, minimum_run_hours=3))
    rps = ran.days.trace.rps.copy()
    rps[:, MIDDAY : MIDDAY + 3] *= 1.6
    again = ran.from_step(MIDDAY, 9, Facts(world), replace(ran.days.trace, rps=rps))
    before = running(Seen(None, ran.cohorts[MIDDAY]))
    most = max(again.decisions, key=lambda one: sum(one.wanted.values()))
    started = {
        key: n - before.get(key, 0)
        for key, n in most.wanted.items()
        if n > before.get(key, 0) and key.service != "store"  # stateful: no least time
    }
    assert started
    for key, n in started.items():
        assert again.decisions[-1].wanted[key] >= n


def test_nothing_is_dropped_before_what_the_next_hour_runs_has_booted(ran: Ran) -> None:
    """Corrections of a surge outlast the hour that it began in, whatever the next one plans."""
    found = 0
    for hour in range(3, 22):
        first = hour * STEPS_PER_HOUR + 5
        rps = ran.days.trace.rps.copy()
        rps[:, first : first + 12] *= 1.5
        again = ran.from_step(first, 9, ran.facts, replace(ran.days.trace, rps=rps))
        lost = again.played.lost_rps / again.played.asked_rps
        found += int(lost[:, 0].max() > 0.02)
        assert (lost[:, 6] < 0.02).all()  # the last step of the hour
        assert (lost[:, 7] < 0.02).all()
    assert found > 10
