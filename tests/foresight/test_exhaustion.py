"""When things run out: planted growth is found, look-alikes are not, and the future is not seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer.foresight.exhaustion import Passage, passage

Values = NDArray[np.float64]
DAY, HORIZON = 24, 168


def look(values: Values) -> Passage:
    return passage(np.atleast_2d(values), DAY, values.shape[-1] % 168, HORIZON)


def noisy(values: Values, seed: int = 0, size: float = 0.004) -> Values:
    return values + np.random.default_rng(seed).normal(0.0, size, values.shape)


HOUR = np.arange(21 * DAY, dtype=np.float64)
RAMP = 0.3 + 0.003 * np.maximum(HOUR - 336, 0.0)  # 0.80 at the end, full 66 hours later


def test_even_growth_is_foreseen_at_its_time() -> None:
    ahead = look(noisy(RAMP))
    assert ahead.probability[0] > 0.8
    assert ahead.quantile(0.1)[0] <= 66 <= ahead.quantile(0.9)[0]
    assert ahead.quantile(0.5)[0] == pytest.approx(66, abs=10)


def test_accelerating_growth_comes_before_a_straight_line_says() -> None:
    z = np.maximum(HOUR - 264, 0.0) / 240
    values = noisy(0.2 + 0.5 * z**2)  # 0.70 at the end, full in 63 hours; by a line in 72
    ahead = look(values)
    assert ahead.probability[0] > 0.7
    assert ahead.quantile(0.5)[0] == pytest.approx(63, abs=12)


def test_a_daily_wave_brings_the_limit_nearer() -> None:
    wave = 0.06 * np.sin(2 * np.pi * HOUR / DAY)
    flat, waving = look(noisy(RAMP)), look(noisy(RAMP + wave))
    assert waving.wave_height[0] == pytest.approx(0.12, abs=0.03)
    assert waving.quantile(0.5)[0] < flat.quantile(0.5)[0]


def test_a_leak_is_timed_within_its_life() -> None:
    age = HOUR % 150
    ahead = look(noisy(np.where(HOUR >= 450, 0.3 + 0.008 * (HOUR - 450), 0.3 + 0.001 * age)))
    assert len(ahead.lives.cuts[0]) >= 3
    assert ahead.quantile(0.5)[0] == pytest.approx((1 - 0.3) / 0.008 - 54, abs=10)
    assert ahead.growth.rate[0] == pytest.approx(0.008 * ahead.block, rel=0.15)


def test_what_is_always_emptied_in_time_does_not_run_out() -> None:
    every = 60.0
    sawtooth = 0.2 + 0.6 * (HOUR % every) / every
    assert look(noisy(sawtooth)).probability[0] < 0.3


def test_what_ended_full_before_ends_full_again() -> None:
    every = 72.0
    leak = 0.3 + 0.7 * (HOUR % every) / every
    assert look(noisy(np.minimum(leak, 1.0))[: 6 * 72 + 48]).probability[0] > 0.7


@pytest.mark.parametrize(
    "values",
    [
        np.full(HOUR.size, 0.97),
        noisy(np.full(HOUR.size, 0.6)),
        0.85 - 0.6 * np.exp(-HOUR / 60),
        0.3 + 0.4 * np.clip((HOUR - 400) / 6, 0, 1),
        np.where(HOUR % 24 < 2, 0.9, 0.5),
        0.6 + 0.2 * np.sin(2 * np.pi * HOUR / 168),
        0.8 - 0.001 * HOUR,
        np.full(HOUR.size, np.nan),
        np.where(HOUR < 470, RAMP, np.nan),
    ],
    ids=["constant", "noise", "cache", "bulk", "backups", "week", "falling", "nothing", "stale"],
)
def test_look_alikes_and_gaps_make_no_alarm(values: Values) -> None:
    assert look(values).probability[0] < 0.3


def test_a_gap_within_growth_hides_nothing() -> None:
    values = noisy(RAMP)
    values[400:420] = np.nan
    values[::7] = np.nan
    assert look(values).quantile(0.5)[0] == pytest.approx(66, abs=12)


@pytest.mark.parametrize("horizon", [1, 7, 24, 671])
def test_nothing_is_expected_behind_the_horizon(horizon: int) -> None:
    ahead = passage(noisy(RAMP)[None], DAY, HOUR.size % 168, horizon)
    assert ahead.quantile(0.5)[0] <= horizon
    assert ahead.probability[0] < 0.1 if horizon <= 24 else ahead.probability[0] > 0.8


def test_what_is_full_is_certain() -> None:
    ahead = look(np.where(HOUR > 500, 1.0, 0.5))
    assert ahead.full_for[0] == HOUR.size - 501
    assert ahead.probability[0] == 1.0


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 20])
def test_a_record_that_has_just_begun_says_nothing(steps: int) -> None:
    assert look(np.full(steps, 0.9)).probability[0] < 0.3
    assert steps == 0 or look(np.full(steps, 1.0)).probability[0] == 1.0


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), cut=st.integers(60, 480), junk=st.floats(0.0, 1.0))
def test_the_future_is_never_seen(seed: int, cut: int, junk: float) -> None:
    chance = np.random.default_rng(seed)
    whole = np.cumsum(chance.normal(0.002, 0.02, (2, 504)), axis=1).clip(0, 0.99)
    other = whole.copy()
    other[:, cut:] = junk
    one, two = (passage(v[:, :cut], DAY, cut % 168, HORIZON) for v in (whole, other))
    np.testing.assert_array_equal(one.reached, two.reached)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_chances_only_grow_with_time_and_the_earliest_is_not_after_the_expected(seed: int) -> None:
    chance = np.random.default_rng(seed)
    values = np.cumsum(chance.normal(0.001, 0.01, (3, 400)), axis=1).clip(0, 1)
    values[chance.random(values.shape) < 0.1] = np.nan
    ahead = look(values)
    assert np.isfinite(ahead.reached).all()
    assert (np.diff(ahead.reached, axis=1) >= -1e-12).all()
    assert (ahead.reached >= 0).all()
    assert (ahead.reached <= 1 + 1e-12).all()
    assert (ahead.quantile(0.1) <= ahead.quantile(0.5)).all()
    assert (ahead.quantile(0.5) <= HORIZON).all()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), unit=st.sampled_from([2.0, 0.5, 4.0]))
def test_series_do_not_touch_each_other(seed: int, unit: float) -> None:
    chance = np.random.default_rng(seed)
    values = noisy(np.stack([RAMP, unit * 0.1 + 0 * RAMP, 0.9 * RAMP]), seed)
    order = chance.permutation(3)
    np.testing.assert_allclose(look(values).reached[order], look(values[order]).reached, atol=1e-9)


def test_not_before_is_the_start_of_the_piece_and_never_after_the_quantile() -> None:
    ahead = look(noisy(RAMP))
    before, at = ahead.not_before(0.1)[0], ahead.quantile(0.1)[0]
    assert before <= at <= before + np.diff(ahead.times).max()
    assert before in (0.0, *ahead.times)
