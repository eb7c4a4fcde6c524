"""The clock that skips against one that looks at every replica in every second, and its laws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from slow_clock import Totals, watched

from optimizer.simulate.autoscalers import Hpa, Tracking
from optimizer.simulate.cloud import PER_HOUR, Billing, Fate, Hazards, Machine, fate
from optimizer.simulate.play import Played, follow, react
from optimizer.simulate.replay import Replica, replay

STEP_S = 20
EVERY_S = 30
CALM = fate(Machine(1.0, 0.0), 0, 0)
checked = settings(derandomize=True, deadline=None, max_examples=40)

WANTED = st.lists(st.integers(0, 6), min_size=2, max_size=12)
MACHINES = st.builds(
    Machine,
    serves_rps=st.sampled_from([1.0, 2.5]),
    boot_s=st.sampled_from([0.0, 7.0, 45.0]),
    usd_per_hour=st.just(0.7),
    boot_spread=st.sampled_from([0.0, 0.4]),
    billing=st.sampled_from([Billing(), Billing(1, 0), PER_HOUR, Billing(60, 600)]),
    hazards=st.builds(
        Hazards,
        failures_per_month=st.sampled_from([0.0, 20_000.0]),
        restart_s=st.just(13),
        monthly_interruption=st.just(0.5),
        notice_s=st.sampled_from([0, 30]),
        outage_hours=st.just(0.02),
    ),
    spot=st.booleans(),
    on_demand_usd_per_hour=st.just(1.9),
    min_replicas=st.sampled_from([0, 2]),
    max_replicas=st.sampled_from([None, 4]),
    cooldown_s=st.sampled_from([0, 40]),
    patience_s=st.sampled_from([0, 3, 25]),
)


def _demand(seed: int, steps: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(steps) < 0.15, 0.0, rng.gamma(1.5, 4.0, steps).round(2))


def _fate(machine: Machine, rps: NDArray[np.float64], seed: int) -> Fate:
    """With a spot pool that goes once or twice within minutes, or never."""
    drawn = fate(machine, 0, seed)
    rng = np.random.default_rng(seed)
    struck = np.sort(rng.integers(0, rps.size * STEP_S, rng.integers(0, 3)))
    return replace(drawn, reclaims=struck if machine.spot else drawn.reclaims)


def _agree(played: Played, slow: Totals) -> None:
    told = {
        name: played.sum(name) for name in ("asked", "served", "lost", "usd", "starts", "stops")
    }
    assert told == pytest.approx({name: getattr(slow, name) for name in told}, abs=1e-6)
    assert played.sum("failures") == slow.failures
    assert played.sum("serving_s") == sum(slow.serving)
    assert played.of("waiting")[-1] == pytest.approx(slow.waiting, abs=1e-6)


@checked
@given(WANTED, MACHINES, st.integers(0, 10**6), st.sampled_from([0, 10, 65]))
def test_skipping_seconds_changes_nothing(
    wanted: list[int], machine: Machine, seed: int, lag_s: int
) -> None:
    rps = _demand(seed, math.ceil(len(wanted) * EVERY_S / STEP_S))
    drawn = _fate(machine, rps, seed)

    def decided(now: int, done: list[float], serving: list[int], staying: int) -> int | None:
        del done, serving, staying
        index, rest = divmod(now - lag_s, EVERY_S)
        return wanted[min(index, len(wanted) - 1)] if index >= 0 and rest == 0 else None

    most = machine.max_replicas or max(wanted)
    least = machine.min_replicas
    bounded = replace(machine, max_replicas=max(most, least, 1))
    first = min(max(wanted[0], least), max(most, least, 1))
    slow = watched(decided, first, np.repeat(rps, STEP_S).tolist(), bounded, drawn)
    _agree(follow(np.array(wanted), EVERY_S, rps, STEP_S, bounded, drawn, lag_s), slow)


@checked
@given(MACHINES, st.integers(0, 10**6), st.sampled_from([0.5, 0.8]), st.sampled_from([0, 15, 20]))
def test_the_pod_autoscaler_does_what_its_documentation_says(
    machine: Machine, seed: int, target: float, lag_s: int
) -> None:
    rps = _demand(seed, 36)
    machine = replace(machine, max_replicas=40)
    drawn = _fate(machine, rps, seed)
    loop = Hpa(target, 60, lag_s=lag_s)
    late = math.ceil(lag_s / 15)
    first = max(math.ceil(rps[0] / (machine.serves_rps * target) - 1e-9), 1)
    first = int(max(first, machine.min_replicas))
    said = [first] * 5

    def decided(now: int, done: list[float], serving: list[int], staying: int) -> int | None:
        begin = now - 15 * (late + 1)
        if now % 15 or now == 0:
            return None
        if begin < 0 or not sum(serving[begin : begin + 15]):
            return None
        busy = sum(done[begin : begin + 15]) / 15 / machine.serves_rps
        up = round(sum(serving[begin : begin + 15]) / 15)
        ratio = busy / up / target if up else 1.0
        advice = staying
        if up and ratio > 1 and staying > up:
            spread = busy / staying / target
            if spread > 1.1 + 1e-9:
                advice = math.ceil(spread * staying - 1e-9)
        elif up and abs(ratio - 1) > 0.1 + 1e-9:
            advice = math.ceil(ratio * up - 1e-9)
        said.insert(0, advice)
        del said[5:]
        if advice < staying:
            return int(min(staying, max(said)))
        return int(min(advice, max(2 * staying, staying + 4)))

    slow = watched(decided, first, np.repeat(rps, STEP_S).tolist(), machine, drawn)
    _agree(react(loop, rps, STEP_S, machine, drawn), slow)


@checked
@given(WANTED, st.integers(0, 5), st.integers(0, 10**6))
def test_the_clock_and_the_replay_of_steps_agree(
    wanted: list[int], boot_steps: int, seed: int
) -> None:
    demand = _demand(seed, len(wanted))
    machine = Machine(
        2.0, 60.0 * boot_steps, 60.0, billing=Billing(1, 0), patience_s=0, min_replicas=0
    )
    played = follow(np.array(wanted), 60, demand, 60, machine, _fate(machine, demand, seed))
    steps = replay(np.array(wanted), 60 * demand, Replica(120.0, boot_steps))
    assert played.sum("usd") == pytest.approx(steps.cost())
    assert played.of("lost") == pytest.approx(steps.unserved, abs=1e-9)
    assert (played.of("serving_s") / 60).tolist() == steps.serving.tolist()
    assert played.sum("starts") == steps.starts()


@checked
@given(WANTED, MACHINES, st.integers(0, 10**6))
def test_nothing_is_served_twice_and_nothing_disappears(
    wanted: list[int], machine: Machine, seed: int
) -> None:
    rps = _demand(seed, 2 * len(wanted))
    played = follow(np.array(wanted), EVERY_S, rps, STEP_S, machine, _fate(machine, rps, seed))
    waits = np.diff(played.of("waiting"), prepend=0.0)
    gone = played.of("served") + played.of("lost") + waits
    assert gone == pytest.approx(played.of("asked"), abs=1e-6)
    assert played.sum("asked") == pytest.approx(rps.sum() * STEP_S)
    assert (played.of("served") <= played.of("serving_s") * machine.serves_rps + 1e-6).all()
    assert (played.of("late") <= played.of("served") + 1e-9).all()
    assert (played.told >= -1e-9).all()


@checked
@given(WANTED, MACHINES, st.integers(0, 10**6))
def test_one_more_replica_never_serves_less_nor_costs_less(
    wanted: list[int], machine: Machine, seed: int
) -> None:
    # Without chance: draws are dealt out in the order of starts.
    machine = replace(machine, boot_spread=0.0, hazards=Hazards(), max_replicas=None, cooldown_s=0)
    rps = _demand(seed, 2 * len(wanted))
    few = follow(np.array(wanted), EVERY_S, rps, STEP_S, machine, _fate(machine, rps, seed))
    many = follow(np.array(wanted) + 1, EVERY_S, rps, STEP_S, machine, _fate(machine, rps, seed))
    assert many.sum("served") >= few.sum("served") - 1e-6
    assert many.sum("lost") <= few.sum("lost") + 1e-6
    assert many.sum("usd") >= few.sum("usd") - 1e-9


@checked
@given(WANTED, MACHINES, st.integers(0, 10**6))
def test_who_waits_longer_loses_less(wanted: list[int], machine: Machine, seed: int) -> None:
    rps = _demand(seed, 2 * len(wanted))
    drawn = _fate(machine, rps, seed)
    lost = [
        follow(
            np.array(wanted), EVERY_S, rps, STEP_S, replace(machine, patience_s=patience), drawn
        ).sum("lost")
        for patience in (0, 2, 10, 60)
    ]
    assert lost == pytest.approx(sorted(lost, reverse=True), abs=1e-6)


def test_a_small_case_by_hand() -> None:
    # One replica of 1/s; at 60 s a second one is wanted, serves from 90 s, and goes at 120 s.
    machine = Machine(1.0, 30.0, 3600.0, billing=Billing(1, 90), patience_s=5, wait_s=2.0)
    played = follow(np.array([1, 2, 1]), 60, np.array([0.5, 2.0, 0.0]), 60, machine, CALM)
    # 2/s against 1/s: the line grows by one a second until it holds what came in 5 s, at 70 s; then
    # one a second is lost. From 90 s on it stays as it is, and in the end half of it is served.
    assert played.of("asked").tolist() == [30.0, 120.0, 0.0]
    assert played.of("lost").tolist() == pytest.approx([0.0, 20.0, 5.0])
    assert played.of("waiting").tolist() == pytest.approx([0.0, 10.0, 0.0])
    assert played.of("served").tolist() == pytest.approx([30.0, 90.0, 5.0])
    # It ran 60 s of the 90 s that are paid at least.
    assert played.of("usd").tolist() == [60.0, 120.0, 60.0 + 30.0]
    assert played.of("starts").tolist() == [0, 1, 0]
    assert played.of("stops").tolist() == [0, 0, 1]


def test_a_reclaimed_pool_is_replaced_on_demand() -> None:
    hazards = Hazards(monthly_interruption=0.999_999, notice_s=60, outage_hours=1.0)
    machine = Machine(
        10.0, 30.0, 36.0, hazards=hazards, spot=True, on_demand_usd_per_hour=90.0,
        billing=Billing(1, 0), patience_s=0,
    )  # fmt: skip
    day = 86_400
    seed = next(s for s in range(100) if len(fate(machine, day, s).reclaims) == 1)
    drawn = fate(machine, day, seed)
    (struck,) = drawn.reclaims
    wanted, rps = np.full(day // 60, 3), np.full(day // 60, 25.0)
    played = follow(wanted, 60, rps, 60, machine, drawn)
    assert played.sum("reclaims") == played.survived() == 1
    assert played.sum("lost") == 0
    # Three run beside three for the notice; then those that replace them cost more for good.
    after = day - struck
    usd = 3 * (day - after + 60) * 0.01 + 3 * after * 0.025
    assert played.sum("usd") == pytest.approx(usd)
    slow = replace(machine, boot_s=100.0)
    harmed = follow(wanted, 60, rps, 60, slow, drawn)
    assert harmed.survived() == 0
    assert harmed.sum("lost") == pytest.approx(25.0 * 40)


def test_seconds_of_which_nobody_knows_count_for_nothing() -> None:
    machine = Machine(1.0, 0.0, 3600.0, billing=Billing(1, 0), patience_s=0)
    played = follow(np.array([2, 2, 2]), 60, np.array([3.0, np.nan, 1.0]), 60, machine, CALM)
    assert played.sum("usd") == 240
    assert played.sum("asked") == 240
    assert played.unserved_share() == pytest.approx(60 / 240)
    assert played.sum("told_s") == 120


def test_minutes_with_late_requests_are_missed() -> None:
    machine = Machine(1.0, 0.0, slots=1, patience_s=10, wait_s=4.0)
    rps = np.concatenate([np.full(60, 0.05), np.full(60, 1.2), np.full(60, 0.05)])
    played = follow(np.ones(3, np.int64), 60, rps, 1, machine, CALM)
    assert played.missed_minutes() == 2  # the line is there in the third minute still
    assert played.missed_minutes(slice(0, 1)) == 0
    twice = follow(np.full(3, 4), 60, rps, 1, machine, CALM)
    assert twice.missed_minutes() == 0


def test_cloud_target_tracking_waits_for_its_alarms() -> None:
    # Two of 1/s at 0.5 each; from minute 5 on 1.8/s are busy 0.9, above 0.6: three such minutes
    # alarm, and 1.8 / 0.6 = 3 are wanted. From minute 12 on, 0.3/s is below for fifteen minutes.
    machine = Machine(1.0, 60.0, 60.0, billing=Billing(1, 0), patience_s=0)
    rps = np.repeat([1.0, 1.8, 0.3], [5, 7, 30])
    played = react(Tracking(0.6), rps, 60, machine, CALM)
    paid = (played.of("paid_s") / 60).tolist()
    assert paid == [2.0] * 8 + [3.0] * 19 + [1.0] * 15
    assert played.sum("lost") == 0


def test_a_cooldown_keeps_what_was_just_started() -> None:
    machine = Machine(1.0, 0.0, 60.0, billing=Billing(1, 0), cooldown_s=150)
    played = follow(np.array([1, 3, 1, 1, 1]), 60, np.zeros(5), 60, machine, CALM)
    assert (played.of("paid_s")).tolist() == [60, 180, 180, 120, 60]
