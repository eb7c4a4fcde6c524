"""Failures, spending and quotas against enumeration, simulation and planted histories."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.foreseen import Kind, Prediction
from models.inventory import Quota, QuotaUnit
from models.signals import Signals
from optimizer.foresight.failing import failing
from optimizer.foresight.failures import rate_change, reclaimed, restarts_again
from optimizer.foresight.quotas import quota_exhaustions
from optimizer.foresight.saying import Moment
from optimizer.foresight.spending import overspending

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_chance_alone_is_rarely_taken_for_more_errors() -> None:
    chance = np.random.default_rng(0)
    requests = np.full(200, 5000.0)
    found = [rate_change(chance.poisson(5.0, 200).astype(float), requests, 6) for _ in range(400)]
    p_values = np.array([one.p_value for one in found if one is not None])
    assert len(p_values) == 400
    assert (p_values < 0.05).mean() == pytest.approx(0.05, abs=0.025)


def test_bursty_errors_need_more_to_stand_out() -> None:
    chance = np.random.default_rng(1)
    requests = np.full(200, 5000.0)
    bursty = chance.negative_binomial(0.5, 0.5 / 5.5, 200).astype(float)
    bursty[-6:] = 12.0
    even = chance.poisson(5.0, 200).astype(float)
    even[-6:] = 12.0
    one, two = rate_change(bursty, requests, 6), rate_change(even, requests, 6)
    assert one is not None
    assert two is not None
    assert two.p_value < 1e-6 < one.p_value
    assert one.dispersion > 3 > two.dispersion


def test_errors_without_requests_say_nothing() -> None:
    nothing = np.zeros(50)
    assert rate_change(nothing, nothing, 6) is None
    assert rate_change(np.full(50, np.nan), np.ones(50), 6) is None


def test_what_restarts_now_restarts_again_and_what_never_did_hardly() -> None:
    counts = np.zeros((3, 240))
    counts[0, -10::2] = 1.0
    counts[1, :50:5] = 1.0  # long ago
    counts[2, 5:9] = np.nan
    now, before, never = restarts_again(counts, 1.0, 24.0).tolist()
    assert now > 0.8
    assert never < before + 0.02
    assert before < 0.3


def test_chances_to_restart_again_come_true_as_often_as_they_say() -> None:
    """Bursts as they are thought of, played: rates gamma distributed, lengths exponential."""
    chance, hours, day = np.random.default_rng(8), 240, 24
    said, came = [], []
    for _ in range(2000):
        rate = chance.gamma(2.0, 0.1) + 0.02
        ends = 100 + min(chance.exponential(36.0), 130.0)
        at = 100 + np.cumsum(chance.exponential(1 / rate, 200))
        counts = np.histogram(at[at < ends], np.arange(hours + 1))[0].astype(float)
        now = int(chance.integers(104, 200))
        if counts[now - 2 * day : now].sum() >= 2:
            beside = np.vstack([counts[:now], np.zeros((50, now))])  # of which none restarts
            said.append(restarts_again(beside, 1.0, float(day))[0])
            came.append(counts[now : now + day].any())
    chances, happened = np.array(said), np.array(came)
    assert chances.size > 700
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        part = (chances >= low) & (chances < high)
        assert happened[part].mean() == pytest.approx(chances[part].mean(), abs=0.1)


def part(probability: float, early: float, middle: float, what: str = "it") -> Prediction:
    at = [NOW + timedelta(hours=hours) for hours in (early, middle)]
    return Prediction(Kind.FAILURE, "web", what, NOW, at[0], at[1], probability, ("why",))


NOTHING = Signals(NOW - timedelta(days=2), 3600, (), np.zeros((0, 48)))
WEEK = Moment(NOW, 3600, timedelta(days=7))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 80.0), st.floats(0.0, 80.0)),
        min_size=1,
        max_size=4,
    )
)
def test_a_service_fails_unless_no_part_does(drawn: list[tuple[float, float, float]]) -> None:
    parts = [part(p, a, a + b, f"part {k}") for k, (p, a, b) in enumerate(drawn)]
    (one,) = failing(parts, NOTHING, WEEK, ())
    none = 1.0
    for p, _, _ in drawn:
        none *= 1 - p
    assert one.probability == pytest.approx(1 - none, abs=1e-12)
    assert one.made_at <= one.earliest_at <= one.expected_at <= NOW + WEEK.horizon
    if one.probability > 0:
        first = min(early for _, early, _ in drawn)
        assert one.expected_at >= NOW + timedelta(hours=0.4 * first - 1)


def test_what_fails_already_fails_now() -> None:
    now = replace(part(1.0, 0, 0), since=NOW - timedelta(hours=3))
    (one,) = failing([part(0.3, 5, 30), now], NOTHING, WEEK, ())
    assert (one.probability, one.since) == (1.0, NOW - timedelta(hours=3))
    assert one.expected_at == NOW


def test_reclaim_is_that_of_independent_pools() -> None:
    monthly = np.array([0.2, 0.05])
    week = [1 - (1 - p) ** (168 / 730) for p in monthly]
    assert reclaimed(monthly, 0, 168.0) == pytest.approx(1 - (1 - week[0]) * (1 - week[1]))
    assert reclaimed(monthly, 1, 168.0) == pytest.approx(week[0] * week[1])


@pytest.mark.parametrize(("budget", "low", "high"), [(2500.0, 0.9, 1.0), (3700.0, 0.0, 0.1)])
def test_budgets(budget: float, low: float, high: float) -> None:
    chance = np.random.default_rng(2)
    days = 100.0 * np.exp(0.03 * chance.normal(size=40))
    found = overspending(days, NOW, budget)
    assert found is not None
    assert low <= found.probability <= high
    assert found.expected_usd == pytest.approx(3100, rel=0.05)
    assert found.so_far_usd == pytest.approx(1900, rel=0.05)
    if low > 0.5:  # six days of about 100 USD are left
        assert found.earliest_at <= found.expected_at
        assert found.expected_at == pytest.approx(NOW + timedelta(days=6), abs=timedelta(days=1))


def test_what_is_spent_is_certain_and_unknown_days_say_nothing() -> None:
    days = np.full(30, 100.0)
    found = overspending(days, NOW, 1500.0)
    assert found is not None
    assert (found.probability, found.expected_at) == (1.0, NOW)
    days[-3] = np.nan
    assert overspending(days, NOW, 1500.0) is None


def quota(used: float) -> Quota:
    return Quota("acc", "aws/eu-central-1", "vcpus", QuotaUnit.VCPUS, 1000.0, used)


def test_a_quota_that_fills_is_foreseen_and_a_steady_one_is_not() -> None:
    def look(uses: list[float]) -> float:
        readings = [
            (NOW - timedelta(days=len(uses) - i, hours=-1), quota(u)) for i, u in enumerate(uses)
        ]
        readings.append((NOW + timedelta(days=1), quota(1000.0)))  # not known yet
        (one,) = quota_exhaustions(readings, Moment(NOW, 3600, timedelta(days=14)))
        assert one.earliest_at <= one.expected_at
        return one.probability

    assert look([400.0 + 20 * i for i in range(25)]) > 0.7
    assert look([800.0, 810.0] * 12) < 0.2
    assert look([100.0] * 4) < 0.2
