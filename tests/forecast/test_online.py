"""Errors are followed as they come: quantiles are corrected, and models switched for a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import UnusableData
from optimizer.forecast.online import OnlineErrors, Pace

STARTS = datetime(2025, 3, 3, tzinfo=UTC)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
SERIES = (("web", "eu"), ("web", "us"))
Values = NDArray[np.float64]


def at(hour: int) -> datetime:
    return STARTS + timedelta(hours=hour)


def normal(centre: float, width: float) -> Values:
    """Quantiles [level] of a normal distribution."""
    return np.array([NormalDist(centre, width).inv_cdf(level) for level in LEVELS])


def told(models: list[Values]) -> Values:
    """The same quantiles for both series [model, series, level]."""
    return np.stack([np.tile(model, (len(SERIES), 1)) for model in models])


def run(
    follower: OnlineErrors, actual: Values, models: list[Values], first: int = 0
) -> OnlineErrors:
    for hour, value in enumerate(actual, first):
        follower.expect(at(hour), told(models))
        follower.observe(at(hour), np.full(len(SERIES), value))
    return follower


@pytest.mark.parametrize("width", [2.0, 10.0, 50.0])
def test_quantiles_that_promise_too_much_or_too_little_come_to_cover(width: float) -> None:
    """The true deviation is 10."""
    actual = 100 + 10 * np.random.default_rng(1).normal(size=4000)
    follower = run(OnlineErrors(SERIES, ["one"], LEVELS), actual, [normal(100, width)])
    np.testing.assert_allclose(follower.coverage[0], LEVELS, atol=0.03)


def test_coverage_holds_when_demand_changes_its_ways() -> None:
    chance = np.random.default_rng(2)
    actual = 100 + np.repeat([5.0, 30.0, 10.0], 1500) * chance.normal(size=4500)
    follower = run(OnlineErrors(SERIES, ["one"], LEVELS), actual, [normal(100, 10)])
    np.testing.assert_allclose(follower.coverage[0], LEVELS, atol=0.03)


def test_the_better_model_takes_over_and_the_journal_says_why() -> None:
    actual = 100 + np.random.default_rng(3).normal(size=60)
    models = [normal(110, 1), normal(100, 1)]
    follower = run(OnlineErrors(SERIES, ["bad", "good"], LEVELS), actual, models)
    assert follower.in_use.tolist() == [1, 1]
    assert [(s.service, s.origin, s.before, s.after) for s in follower.journal] == [
        ("web", "eu", "bad", "good"),
        ("web", "us", "bad", "good"),
    ]
    assert follower.journal[0].at == at(Pace().least_seen - 1)
    assert "good lost" in follower.journal[0].why
    assert "% less" in follower.journal[0].why


def test_equals_stay_as_they_are() -> None:
    actual = 100 + np.random.default_rng(4).normal(size=500)
    models = [normal(100, 1), normal(100.05, 1)]
    assert not run(OnlineErrors(SERIES, ["a", "b"], LEVELS), actual, models).journal


def test_a_model_that_becomes_better_is_taken_back() -> None:
    chance = np.random.default_rng(5)
    actual = np.concatenate([100 + chance.normal(size=200), 130 + chance.normal(size=200)])
    models = [normal(100, 1), normal(130, 1)]
    follower = run(OnlineErrors(SERIES, ["low", "high"], LEVELS), actual, models)
    assert [switch.after for switch in follower.journal] == ["high", "high"]
    assert follower.journal[0].at > at(200)
    run(follower, 100 + chance.normal(size=400), models, first=400)
    assert follower.in_use.tolist() == [0, 0]


def test_nothing_is_learnt_before_it_is_known() -> None:
    """Given quantiles depend on earlier observations only."""
    actual = 100 + np.random.default_rng(6).normal(size=120)
    other = actual.copy()
    other[60:] = 1e6
    given = []
    for values in (actual, other):
        follower = OnlineErrors(SERIES, ["a", "b"], LEVELS)
        rows = []
        for hour, value in enumerate(values):
            rows.append(follower.expect(at(hour), told([normal(103, 1), normal(100, 1)])))
            follower.observe(at(hour), np.full(2, value))
        given.append(np.stack(rows))
    np.testing.assert_array_equal(given[0][:61], given[1][:61])
    assert (given[0][61:] != given[1][61:]).any()


def test_forecasts_wait_for_their_hour() -> None:
    follower = OnlineErrors(SERIES, ["one"], LEVELS)
    for hour in range(48):
        follower.expect(at(hour), told([normal(100, 1)]))
    follower.observe(at(5), np.array([200.0, np.nan]))
    assert follower.seen.tolist() == [1, 0]
    assert follower.coverage[0].tolist() == [0] * 5
    assert np.isnan(follower.coverage[1]).all()
    assert follower.observe(at(500), np.zeros(2)) == ()
    assert follower.seen.tolist() == [1, 0]


def test_gaps_and_silent_models_count_nothing() -> None:
    follower = OnlineErrors(SERIES, ["a", "b"], LEVELS)
    quantiles = told([normal(100, 1), normal(100, 1)])
    quantiles[1, 0] = np.nan
    follower.expect(at(0), quantiles)
    follower.observe(at(0), np.array([100.0, np.nan]))
    assert np.isnan(follower.mean_loss).tolist() == [[False, True], [True, True]]


def test_quantiles_never_cross_and_are_never_negative() -> None:
    chance = np.random.default_rng(7)
    follower = OnlineErrors(SERIES, ["one"], LEVELS)
    for hour in range(300):
        quantiles = np.sort(5 * chance.random((1, 2, len(LEVELS))), axis=2)
        given = follower.expect(at(hour), quantiles)
        assert (np.diff(given, axis=1) >= 0).all()
        assert (given >= 0).all()
        follower.observe(at(hour), 100 * chance.random(2))


def test_other_units_are_followed_alike() -> None:
    actual = 100 + 3 * np.random.default_rng(8).normal(size=200)
    models = [normal(104, 1), normal(100, 2)]
    plain = run(OnlineErrors(SERIES, ["a", "b"], LEVELS), actual, models)
    scaled = run(OnlineErrors(SERIES, ["a", "b"], LEVELS), 1e3 * actual, [1e3 * m for m in models])
    np.testing.assert_allclose(plain.level_used, scaled.level_used)
    assert [s.at for s in plain.journal] == [s.at for s in scaled.journal]


def test_what_is_kept_goes_on_as_if_nothing_had_happened() -> None:
    actual = 100 + np.random.default_rng(9).normal(size=100)
    models = [normal(102, 1), normal(100, 1)]
    whole = run(OnlineErrors(SERIES, ["a", "b"], LEVELS), actual, models)
    half = run(OnlineErrors(SERIES, ["a", "b"], LEVELS), actual[:50], models)
    half.expect(at(50), told(models))
    half = OnlineErrors.from_json(half.to_json())
    half.observe(at(50), np.full(2, actual[50]))
    run(half, actual[51:], models, first=51)
    assert half.to_json() == whole.to_json()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "series": 3}'])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(UnusableData):
        OnlineErrors.from_json(text)
