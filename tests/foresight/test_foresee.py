"""A whole world, seen through its signals: every kind of prediction, and their order in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from small_worlds import book, world

from models.errors import UnusableData
from models.fleet import Fleet, Group
from models.foreseen import Anomaly, Kind, Prediction
from models.offerings import MONTHLY_INTERRUPTION, PriceBook, Purchase
from models.rules import BudgetRule, LatencyRule
from models.services import Dependency, Replica, Service
from models.signals import SignalKey, Signals
from models.world import World
from optimizer.foresight.foresee import Foresight, foresee

Values = NDArray[np.float64]
PLACE = "aws/east"
STARTS = datetime(2026, 2, 23, tzinfo=UTC)
HOURS = 33 * 24
WEEK = timedelta(days=7)


def a_world(budget_usd: float = 10_000.0) -> World:
    offers = book(
        [(PLACE, "m5.large", "on_demand", 0.1, 2, 8), (PLACE, "m5.large", "spot", 0.04, 2, 8)]
    )
    frame = offers.offerings.assign(**{MONTHLY_INTERRUPTION: [np.nan, 0.9]})
    fleet = Fleet(
        (
            Group("front", PLACE, "m5.large", Purchase.ON_DEMAND, 10),
            Group("back", PLACE, "m5.large", Purchase.SPOT, 4),
        )
    )
    return world(
        [
            Service("front", Replica(1.0, 2.0, 50.0, 20.0)),
            Service("back", Replica(1.0, 2.0, 50.0, 20.0)),
        ],
        PriceBook("test", offers.as_of, frame, offers.unpriced),
        fleet=fleet,
        dependencies=[Dependency("front", "back", 1.0)],
        rules=[BudgetRule(name="total", usd_per_month=budget_usd)],
    )


def signals(seed: int = 0, **changed: Values) -> Signals:
    """A calm month; ``changed`` by ``service__signal``."""
    chance = np.random.default_rng(seed)
    wave = 100 + 40 * np.sin(2 * np.pi * np.arange(HOURS) / 24)
    rows: dict[SignalKey, Values] = {}
    for name in ("front", "back"):
        rows[SignalKey("requests_rps", name)] = wave * np.exp(0.03 * chance.normal(size=HOURS))
        rows[SignalKey("replicas", name)] = np.full(HOURS, 10.0)
        rows[SignalKey("disk_share", name)] = 0.5 + chance.normal(0, 0.004, HOURS)
    for name, values in changed.items():
        service, signal = name.split("__")
        rows[SignalKey(signal, service)] = values
    keys = tuple(sorted(rows))
    return Signals(STARTS, 3600, keys, np.stack([rows[key] for key in keys]))


def find(seen: Foresight, kind: Kind, of: str, what: str) -> Prediction:
    (one,) = [p for p in seen.predictions if (p.kind, p.of) == (kind, of) and what in p.what]
    return one


def test_a_calm_month_has_no_alarm_but_spot() -> None:
    seen = foresee(a_world(), signals(), WEEK)
    assert {(one.kind, one.of) for one in seen.likely(0.3)} <= {(Kind.FAILURE, "back")}
    spot = find(seen, Kind.FAILURE, "back", "spot")
    assert spot.probability == pytest.approx(1 - 0.1 ** (168 / 730))
    assert seen.made_at == STARTS + timedelta(hours=HOURS)


def test_demand_above_what_runs_is_a_surge_that_is_expected() -> None:
    few = np.full(HOURS, 10.0)
    few[-24:] = 2.0  # serve 100 rps; demand reaches 140 every day
    one = find(foresee(a_world(), signals(front__replicas=few), WEEK), Kind.SURGE, "front", "runs")
    assert one.probability > 0.95
    assert one.expected_at - one.made_at <= timedelta(hours=24)
    enough = find(foresee(a_world(), signals(), WEEK), Kind.SURGE, "front", "runs")
    assert enough.probability < 0.05
    many = foresee(a_world(), signals(front__replicas=np.full(HOURS, 30.0)), WEEK)
    said = find(many, Kind.SURGE, "front", "runs").evidence
    assert said[0] == "replicas that run now serve 1,500 rps"


def test_what_stays_high_is_a_surge_and_what_stays_low_a_drop() -> None:
    rps = signals().of(SignalKey("requests_rps", "back")).copy()
    rps[-30:] *= 2.2
    up = foresee(a_world(), signals(back__requests_rps=rps), WEEK)
    assert find(up, Kind.SURGE, "back", "times").probability > 0.8
    assert find(up, Kind.DROP, "back", "times").probability < 0.2
    rps[-30:] /= 2.2 * 2.2
    down = foresee(a_world(), signals(back__requests_rps=rps), WEEK)
    assert find(down, Kind.DROP, "back", "times").probability > 0.8


@pytest.mark.parametrize(("usd", "low", "high"), [(800.0, 0.9, 1.0), (900.0, 0.0, 0.1)])
def test_budgets_are_held_against_what_the_fleet_costs(usd: float, low: float, high: float) -> None:
    # 10 at 0.10 and 4 at 0.04 USD/h are 27.84 USD a day: 863 in March, 752 by the 28th.
    seen = foresee(a_world(usd), signals(), WEEK)
    one = find(seen, Kind.EXHAUSTION, "small", "budget total")
    assert low <= one.probability <= high
    assert one.evidence[0].startswith("752 of")


def test_fresh_anomalies_of_a_service_make_its_failure_more_probable() -> None:
    made_at = STARTS + timedelta(hours=HOURS)

    def strayed(service: str, signal: str, ago: timedelta) -> Anomaly:
        key = SignalKey(signal, service)
        return Anomaly(key, made_at - ago, made_at - ago, 0.9, 2.0, 1.0, "twice the usual")

    def look(*anomalies: Anomaly) -> dict[str, Prediction]:
        seen = foresee(a_world(), signals(), WEEK, anomalies=anomalies)
        return {one.of: one for one in seen.predictions if one.kind is Kind.FAILURE}

    old = strayed("back", "memory_share", timedelta(days=3))
    other = strayed("front", "requests_rps", timedelta(0))
    near = strayed("back", "memory_share", timedelta(hours=2))
    calm = look(old, other)["back"]
    assert calm == look()["back"]
    told = look(old, other, near)["back"]
    spot, usual = calm.probability, 0.5 / (HOURS / 24 + 1)  # a day without failures is rarer
    after = 5.0 * usual / (1 - usual + 5.0 * usual)
    assert told.probability == pytest.approx(1 - (1 - spot) * (1 - after))
    assert "a spot pool is reclaimed: 41 %" in told.evidence
    assert told.evidence[-1] == "anomaly: memory_share of back: twice the usual"
    assert told.what == "a spot pool is reclaimed; failure after an anomaly"
    assert look(other)["front"].probability < 0.05


def test_what_is_so_already_is_told_with_its_beginning() -> None:
    step = np.arange(HOURS)
    rps = signals().of(SignalKey("requests_rps", "back")).copy()
    rps[-5:] *= 3.0
    full = np.where(step >= HOURS - 30, 1.0, 0.5)
    full[-20:-10] = np.nan
    few = np.where(step >= HOURS - 7, 1.0, 10.0)
    slow = np.where(step >= HOURS - 9, 40.0, 12.0)  # 20 ms is the objective
    slow[-50] = 40.0
    world = a_world(500.0)
    changed = {
        "back__requests_rps": rps, "front__disk_share": full, "front__replicas": few,
        "back__latency_p95_ms": slow,
    }  # fmt: skip
    seen = foresee(world, signals(0, **changed), WEEK)
    hours = {
        (Kind.SURGE, "back", "times"): 5,
        (Kind.EXHAUSTION, "front", "disk"): 30,
        (Kind.SURGE, "front", "runs"): 7,
        (Kind.BOTTLENECK, "back", "latency"): 9,
    }
    for which, ago in hours.items():
        one = find(seen, *which)
        assert one.since == one.made_at - timedelta(hours=ago)
        assert (one.probability, one.earliest_at, one.expected_at) == (
            1.0, one.made_at, one.made_at
        )  # fmt: skip
        assert one.evidence[0].startswith("it is so now, since ")
    spent = find(seen, Kind.EXHAUSTION, "small", "budget total")
    assert spent.since == datetime(2026, 3, 4, tzinfo=UTC)  # ten times today's replicas
    assert find(seen, Kind.EXHAUSTION, "back", "disk").since is None
    ended = slow.copy()
    ended[-3:] = 12.0
    calm = foresee(world, signals(0, **{**changed, "back__latency_p95_ms": ended}), WEEK)
    assert not [p for p in calm.predictions if p.kind is Kind.BOTTLENECK and p.since]


def test_an_objective_is_what_the_rule_leaves_and_what_is_stated_else() -> None:
    slow = np.full(HOURS, 12.0)
    slow[-9:] = 40.0
    measured = signals(0, back__latency_p95_ms=slow)
    it = a_world()
    rule = LatencyRule(name="back", service="back", within_ms=300.0)
    (own,) = foresee(it, measured, WEEK).curves
    (ruled,) = foresee(replace(it, rules=(rule,)), measured, WEEK).curves
    assert (own.objective_ms, own.objective_of) == (20.0, "service_time_ms")
    assert own.prediction is not None
    assert own.prediction.since == own.prediction.made_at - timedelta(hours=9)
    assert 40.0 < ruled.objective_ms < 300.0  # users of Europe are far from there
    assert ruled.objective_of.startswith("back answers users of every origin within 300 ms; ")
    assert ruled.prediction is None or ruled.prediction.since is None


def test_times_are_in_order_whatever_is_measured() -> None:
    chance = np.random.default_rng(3)
    wild = np.cumsum(chance.normal(0.002, 0.02, HOURS)).clip(0, 0.99)
    wild[chance.random(HOURS) < 0.2] = np.nan
    errors = chance.poisson(np.linspace(1, 400, HOURS)) / 3600
    seen = foresee(a_world(), signals(front__disk_share=wild, front__errors_rps=errors), WEEK)
    for one in seen.predictions:
        assert one.made_at <= one.earliest_at <= one.expected_at <= one.made_at + WEEK
        assert 0.0 <= one.probability <= 1.0
        assert one.evidence


def test_nothing_measured_says_nothing() -> None:
    with pytest.raises(UnusableData, match="nothing was measured"):
        foresee(a_world(), Signals(STARTS, 3600, (), np.zeros((0, 0))), WEEK)
    gaps = np.full(HOURS, np.nan)
    seen = foresee(a_world(), signals(front__disk_share=gaps, front__requests_rps=gaps), WEEK)
    assert find(seen, Kind.EXHAUSTION, "front", "disk").probability == 0.0
    assert not [one for one in seen.predictions if one.kind in (Kind.SURGE, Kind.DROP)
                and one.of == "front"]  # fmt: skip
