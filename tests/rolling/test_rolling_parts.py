"""The parts of a rolling horizon, each against a slower way of saying the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rolling_worlds import STEP_S, days
from small_worlds import STARTS

from models.demand import HISTORY_COLUMNS
from models.errors import UnusableData
from models.events import DemandEvent
from models.offerings import Purchase
from models.signals import SignalKey, Signals
from optimizer.forecast.demand import LEVELS
from optimizer.problem import Floats
from optimizer.rolling.carry import joined, rerouted
from optimizer.rolling.facts import Facts, GroupKey
from optimizer.rolling.hedge import (
    NO_CORRECTIONS,
    Grid,
    Lookback,
    choose,
    play_back,
    usual_hedge,
)
from optimizer.rolling.past import HOUR, Past
from optimizer.rolling.planning import foreseen
from optimizer.rolling.play import Cloud, Played, Trace, play
from optimizer.rolling.simulated import _figures, direct_trace
from optimizer.rolling.state import Ahead, Cohort, Decision, Routes

FACTS = Facts(days(1).world)
EAST = GroupKey("shop", "aws/east", "m.2", Purchase.ON_DEMAND)
EU = GroupKey("shop", "aws/eu", "m.8", Purchase.ON_DEMAND)
STOCK = GroupKey("stock", "aws/eu", "m.2", Purchase.ON_DEMAND)
ROUTES = Routes(
    np.array([0, 0, 0, 1, 1]), np.array([0, 1, 1, 0, 1]), np.array([0, 0, 2, 2, 2]),
    np.array([1.0, 0.25, 0.75, 1.0, 1.0]),
)  # fmt: skip
"""Regions in order: aws/east, aws/eu, aws/west, azure/eu are sorted by name."""


def region(place: str) -> int:
    return FACTS.region_index[place]


# What was asked so far


def test_the_first_event_of_its_kind_surprises_a_replay() -> None:
    starts = FACTS.world.starts
    sale = DemandEvent("sale", "sale", starts + HOUR, starts + 5 * HOUR)
    surprised = Facts(replace(FACTS.world, events=(sale,)))
    told = Facts(replace(FACTS.world, events=(replace(sale, factor=3.0),)))
    past = Past.of(FACTS.world.history, starts, STEP_S)
    usual, same, more = (
        foreseen(facts, past, starts).forecast.mean_rps for facts in (FACTS, surprised, told)
    )
    np.testing.assert_array_equal(same, usual)
    np.testing.assert_allclose(more[:, 1:5], 3 * usual[:, 1:5])


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_hours_are_means_of_the_steps_that_were_seen(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    rps = rng.uniform(0, 100, (2, steps))
    rps[rng.random(rps.shape) < 0.2] = np.nan
    past = Past.of(FACTS.world.history, FACTS.world.starts, STEP_S)
    before = past.hourly.shape[1]
    for column in rps.T:
        past = past.after(column, 1000)
    told = past.history().frame.set_index(["service", "origin", "ts"])["rps"]
    for i, (service, origin) in enumerate(past.series):
        for hour in range(-(-steps // 12)):
            own = rps[i, hour * 12 : hour * 12 + 12]
            own = own[~np.isnan(own)]
            key = (service, origin, FACTS.world.starts + hour * HOUR)
            assert (key in told.index) == (len(own) >= 6)
            if len(own) >= 6:
                assert told[key] == pytest.approx(own.mean())
    assert past.hourly.shape[1] == before + steps // 12
    assert list(past.history().frame.columns) == list(HISTORY_COLUMNS)


def test_nothing_of_a_history_after_now_is_read() -> None:
    now = FACTS.world.starts - timedelta(days=3)
    past = Past.of(FACTS.world.history, now, STEP_S)
    assert past.history().frame["ts"].max() == now - HOUR


def test_steps_divide_an_hour() -> None:
    with pytest.raises(ValueError, match="no whole number of steps"):
        Past.of(FACTS.world.history, FACTS.world.starts, 7)


# The hedge

EXTRA = 0.5
"""What a start costs beside its boot, in steps of rent."""


def lookback(seed: int, hours: int = 48) -> Lookback:
    rng = np.random.default_rng(seed)
    level = 100 + 60 * np.sin(2 * np.pi * np.arange(hours) / 24)
    actual = np.repeat(level * rng.lognormal(0, 0.15, hours), 12)
    load = actual * rng.gamma(100, 1 / 100, actual.size)
    spread = np.array([-1.64, -1.28, -0.67, 0, 0.67, 1.28, 1.64, 2.33]) * 0.15
    return Lookback(load[None], (level[:, None] * np.exp(spread))[None], np.array([10.0]),
                    np.array([1.2]))  # fmt: skip


def slowly(look: Lookback, level: float, target: float, boot: int, hold: int) -> Floats:
    """Cost, and shares unserved in all and on the worst day, of one place, step by step."""
    load, foretold, serves = look.load_rps[0], look.foretold_rps[0], float(look.serves_rps[0])
    hours, steps = len(foretold), load.size

    def quantile(hour: int) -> float:
        return float(np.interp(level, LEVELS, foretold[min(hour, hours - 1)]))

    def shape(step: int) -> float:
        at = (min(step, steps - 1) + 0.5) / 12 - 0.5
        return float(np.interp(at, np.arange(hours), foretold[:, LEVELS.index(0.5)]))

    def asked(step: int) -> float:
        grown = np.clip(shape(step + boot + 1) / shape(step), 0.5, 2.0)
        return float(load[step] * grown / target)

    base = [max(quantile(h // 12) for h in range(t, t + boot + 1)) for t in range(steps)]
    seen = [max(asked(max(t - 1 - k, 0)) for k in range(hold)) for t in range(steps)]
    planned = [max(int(np.ceil(b / serves - 1e-9)), 1) for b in base]
    wanted = [max(p, int(np.ceil(a / serves - 1e-9))) for p, a in zip(planned, seen, strict=True)]
    lost, paid = np.zeros(steps), 0.0
    for t in range(steps):
        serving = min(wanted[max(t - k, 0)] for k in range(boot + 1))
        lost[t] = max(load[t] - serving * serves, 0.0)
        more = wanted[t] - planned[t] + EXTRA * max(wanted[t] - wanted[max(t - 1, 0)], 0)
        paid += serves * (planned[t] + 1.2 * more)
    first = steps % (24 * 12)
    days = [slice(first + 24 * 12 * d, first + 24 * 12 * (d + 1)) for d in range(hours // 24)]
    days[0] = slice(0, days[0].stop)
    worst = max(lost[day].sum() / load[day].sum() for day in days)
    return np.array([paid, lost.sum() / load.sum(), worst])


@pytest.mark.parametrize("hours", [24, 48, 53, 77])
@pytest.mark.parametrize(("level", "target"), [(0.5, 0.8), (0.1, 0.6), (0.9, 1.0), (0.99, np.inf)])
def test_a_hedge_is_played_back_as_it_would_have_gone(
    hours: int, level: float, target: float
) -> None:
    look = lookback(hours, hours)
    for hold in (1, 3):
        found = play_back(look, Grid((level,), (target,), (hold,)), 2, EXTRA)[level, target, hold]
        told = (found.paid, found.unserved, found.worst_day)
        assert told == pytest.approx(slowly(look, level, target, 2, hold))


@settings(derandomize=True, max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_more_hedging_never_serves_less(seed: int, boot: int) -> None:
    look = lookback(seed, 26)
    grid = Grid((0.1, 0.5, 0.95), (0.6, 0.9), (1, 2, 5))
    tried = play_back(look, grid, boot)
    lost = np.array(
        [[[tried[q, u, h].unserved for h in grid.holds] for u in grid.targets] for q in grid.levels]
    )
    assert (np.diff(lost, axis=0) <= 1e-12).all()
    assert (np.diff(lost, axis=1) >= -1e-12).all()
    assert (np.diff(lost, axis=2) <= 1e-12).all()


def test_the_cheapest_hedge_that_keeps_the_objective_is_taken() -> None:
    look, now = lookback(1), datetime(2026, 3, 1, tzinfo=UTC)
    grid, usual = (
        Grid((0.25, 0.5, 0.9, 0.99), (0.5, 0.75, 0.95), (1, 3)),
        usual_hedge(2, 0.9, now, 60),
    )
    hedge = choose([look, None], np.array([0.01, 0.01]), usual, [grid, grid], 2, EXTRA)
    tried = play_back(look, grid, 2, EXTRA)
    best = tried[hedge.level[0], hedge.target[0], hedge.hold[0]]
    assert best.unserved <= 0.005
    assert best.worst_day <= 0.01
    kept = [one for one in tried.values() if one.unserved <= 0.005 and one.worst_day <= 0.01]
    assert best.paid == min(one.paid for one in kept)
    assert len(kept) < len(tried)
    assert (hedge.level[1], hedge.hold[1]) == (0.9, 5)
    assert "too little is known" in hedge.why[1]
    bare = Grid((0.5, 0.99), NO_CORRECTIONS, (1,))
    strict = choose([look], np.array([1e-9]), usual_hedge(1, 0.9, now, 60), [bare], 2)
    assert strict.level[0] == 0.99
    assert "none of 2 kept" in strict.why[0]


def test_one_bad_day_is_too_much() -> None:
    """Objectives hold day by day: what six calm days leave over does not make up for a seventh."""
    look = lookback(3, 72)
    load = look.load_rps.copy()
    load[0, 300:310] *= 2.5
    burst = Lookback(load, look.foretold_rps, look.serves_rps, look.premium)
    tried = play_back(burst, Grid((0.5,), (0.6,), (3,)), 2)[0.5, 0.6, 3]
    objective = tried.unserved * 2.2
    assert tried.worst_day > objective
    assert not tried.keeps(objective)
    assert tried.keeps(tried.worst_day)


# Clouds and play


def decided(wanted: list[dict[GroupKey, int]], trace: Trace) -> list[Decision]:
    return [Decision(trace.at(t), one, ROUTES, ()) for t, one in enumerate(wanted)]


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_play_counts_as_a_clock_would(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps, boot = 12, int(rng.integers(0, 4))
    rps = rng.uniform(0, 400, (2, steps)).round()
    rps[:, 5] = np.nan
    trace = Trace((("shop", "america"), ("shop", "europe")), STARTS, STEP_S, rps)
    wanted = [
        {key: int(rng.integers(0, 9)) for key in (EAST, EU, STOCK) if rng.random() < 0.8}
        for _ in range(steps)
    ]
    decisions = decided(wanted, trace)
    cloud = Cloud(timedelta(seconds=boot * STEP_S))
    played = play(trace, lambda _: FACTS, cloud, lambda facts, step, cloud: decisions[step])

    price = {EAST: 0.10, EU: 0.47, STOCK: 0.12}
    serves = {EAST: 40.0, EU: 160.0, STOCK: 100.0}  # whole replicas at full headroom
    for t in range(steps):
        usd = sum(wanted[t].get(key, 0) * price[key] for key in price) * STEP_S / 3600
        assert played.usd[:, t].sum() == pytest.approx(usd)
        before = [wanted[max(t - k, 0)] for k in range(boot + 1)]
        able = {key: min(one.get(key, 0) for one in before) * serves[key] for key in price}
        if t == 5:
            assert played.lost_rps[:, t].sum() == 0
            continue
        america, europe = rps[:, t]
        held = {"aws/east": able[EAST], "aws/eu": able[EU]}
        names = sorted(FACTS.region_index, key=region)
        asked = dict.fromkeys(names, 0.0)
        asked[names[0]] += america + 0.25 * europe
        asked[names[2]] += 0.75 * europe
        lost = sum(max(asked[name] - held.get(name, 0.0), 0.0) for name in names)
        assert played.lost_rps[0, t] == pytest.approx(lost)
        at = {names[2]: able[STOCK] if names[2] == "aws/eu" else 0.0}
        assert played.lost_rps[1, t] == pytest.approx(max(america + europe - at[names[2]], 0.0))
    changes = np.array(
        [
            [b.get(k, 0) - a.get(k, 0) for k in price]
            for a, b in zip([wanted[0], *wanted], wanted, strict=False)
        ]
    )
    assert played.started.sum(axis=0).tolist() == np.maximum(changes, 0).sum(axis=1).tolist()
    assert played.stopped.sum(axis=0).tolist() == np.maximum(-changes, 0).sum(axis=1).tolist()


def test_the_youngest_leave_first() -> None:
    cloud = Cloud(timedelta(minutes=5))
    old, new = STARTS, STARTS + HOUR
    cloud.follow({EAST: 3}, old)
    cloud.follow({EAST: 5}, new)
    cloud.follow({EAST: 4}, new)
    assert cloud.cohorts() == (Cohort(EAST, old, 3), Cohort(EAST, new, 1))


def test_traffic_of_a_lost_place_goes_where_the_service_runs() -> None:
    first = ROUTES.region[0]
    lost = replace(FACTS, lost=frozenset({FACTS.world.regions[first].place}))
    moved = rerouted(lost, ROUTES)
    assert not (moved.region == first).any()
    share = np.zeros((2, 2))
    np.add.at(share, (moved.service, moved.origin), moved.share)
    assert share == pytest.approx(np.ones((2, 2)))
    europe = moved.share[(moved.service == 0) & (moved.origin == 1)]
    assert europe.tolist() == [1.0]  # what ran there besides takes it all
    stranded = (moved.service == 0) & (moved.origin == 0)
    (place,) = moved.region[stranded]
    assert lost.allowed[0, 0, place]


# Plans in force


def plan(starts: datetime, hours: int, count: int, key: GroupKey = EAST) -> Ahead:
    return Ahead(
        starts, (key,), np.full((1, hours), count), np.array([0.1]), np.array([[0], [0], [0]]),
        np.ones((1, hours)), np.full((3, 2, hours), 10.0 * count), np.full((3, hours), 1.0),
    )  # fmt: skip


def test_a_former_plan_holds_until_the_new_one_begins() -> None:
    both = joined(
        plan(STARTS, 24, 3), plan(STARTS + 5 * HOUR, 24, 7, EU), STARTS + 4.5 * HOUR, FACTS
    )
    assert both.starts == STARTS + 4 * HOUR
    at = {key: i for i, key in enumerate(both.keys)}
    assert both.counts_at(STARTS + 4.9 * HOUR)[[at[EAST], at[EU]]].tolist() == [3, 0]
    assert both.counts_at(STARTS + 5 * HOUR)[[at[EAST], at[EU]]].tolist() == [0, 7]
    ahead = both.most_until(STARTS + 4.95 * HOUR, STARTS + 5.05 * HOUR)
    assert ahead[[at[EAST], at[EU]]].tolist() == [3, 7]
    assert both.mean_at(STARTS + 5 * HOUR)[0, 0] == pytest.approx((30 + 70) / 2)


def test_beyond_its_end_a_plan_repeats_its_last_day() -> None:
    one = plan(STARTS, 36, 1)
    one = replace(one, counts=np.arange(36)[None])
    assert [int(one.counts_at(STARTS + h * HOUR)[0]) for h in (35, 36, 37, 60)] == [35, 12, 13, 12]


# Demand to roll over


def test_demand_is_split_over_origins_and_begins_with_an_hour() -> None:
    keys = (SignalKey("requests_rps", "shop"), SignalKey("requests_rps", "stock", "europe"))
    values = np.stack([np.arange(360.0), np.full(360, 5.0)])  # steps of 30 s from half past
    signals = Signals(STARTS + HOUR / 2, 30, keys, values)
    trace = direct_trace(FACTS.world, signals)
    assert trace.starts == STARTS + HOUR
    assert trace.series == (("shop", "america"), ("shop", "europe"), ("stock", "europe"))
    assert trace.rps.shape == (3, 120)
    assert trace.rps[:2].sum(axis=0) == pytest.approx(np.arange(60.5, 300.0, 2.0))
    assert trace.rps[2] == pytest.approx(np.full(120, 5.0))
    frame = FACTS.world.history.frame
    share = frame[frame["origin"] == "america"]["rps"].sum() / frame["rps"].sum()
    assert trace.rps[0] == pytest.approx(share * trace.rps[:2].sum(axis=0))


def test_minutes_of_which_nobody_knows_count_for_nothing() -> None:
    ones, known = np.ones((1, 6)), np.array([True, True, False, False, True, True])
    counts = np.ones((1, 6), np.int64)
    played = Played(60, ones, ones * known, ones * 0.0, counts, counts)
    found = _figures(played, 0, slice(1, None), known)
    assert (found.usd, found.minutes, found.starts, found.stops) == (3.0, 3, 3, 3)
    assert (found.asked, found.lost, found.missed_minutes) == (180.0, 0.0, 0)


def test_without_requests_there_is_nothing_to_roll_over() -> None:
    signals = Signals(STARTS, 60, (SignalKey("errors_rps", "shop"),), np.ones((1, 60)))
    with pytest.raises(UnusableData, match="nothing was asked"):
        direct_trace(FACTS.world, signals)
