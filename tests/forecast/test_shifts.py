"""A level that has moved is found, dated and forgotten; what only looks like one is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.forecast.demand import LEVELS, _foresee
from optimizer.forecast.grid import Grid
from optimizer.forecast.shifts import Shifts, last_shifts

HOURS = 1008
Values = NDArray[np.float64]


def traffic(series: int = 20, noise: float = 0.15, seed: int = 2) -> Values:
    """Swings, calm weekends, and noise that lasts for hours [series, hour]."""
    h = np.arange(-HOURS, 0)
    swing = 100 * (1 + 0.5 * np.sin(2 * np.pi * h / 24) - 0.4 * (h // 24 % 7 > 4))
    noises = np.random.default_rng(seed).normal(size=(series, HOURS))
    for t in range(1, HOURS):
        noises[:, t] += 0.8 * noises[:, t - 1]
    rps: Values = swing * np.exp(0.6 * noise * noises)
    return rps


def found(rps: Values) -> Shifts:
    return last_shifts(Grid(tuple((f"s{i:02d}", "eu") for i in range(len(rps))), rps))


@pytest.mark.parametrize("factor", [0.3, 2.0, 10.0])
@pytest.mark.parametrize("days", [2, 5, 15])
def test_shifts_are_found_with_their_day_and_size(factor: float, days: int) -> None:
    rps = traffic()
    rps[:, -24 * days :] *= factor
    shifts = found(rps)
    assert (shifts.since_hour == HOURS - 24 * days).mean() >= 0.9
    hit = shifts.since_hour == HOURS - 24 * days
    np.testing.assert_allclose(shifts.factor[hit], factor, rtol=0.35)


def test_a_shift_at_noon_is_dated_to_a_day_nearby() -> None:
    rps = traffic()
    rps[:, -24 * 6 + 12 :] *= 4
    since = found(rps).since_hour
    assert set(since.tolist()) <= {HOURS - 24 * 6, HOURS - 24 * 5}


def test_noise_growth_and_single_days_are_no_shifts() -> None:
    plain, growing, odd = traffic(200), traffic(), traffic()
    growing *= np.linspace(1, 3, HOURS)
    odd[:, -72:-48] *= 5
    assert not found(plain).since_hour.any()
    assert not found(growing).since_hour.any()
    assert not found(growing[:, :672] * np.linspace(1, 3, 672)).since_hour.any()
    assert not found(odd).since_hour.any()


def test_a_wild_series_is_given_no_shift() -> None:
    chance = np.random.default_rng(5)
    wild = traffic() * np.repeat(np.exp(chance.normal(size=(20, HOURS // 24))), 24, axis=1)
    assert found(wild).since_hour.astype(bool).mean() <= 0.05


def test_gaps_and_silence_are_no_shifts() -> None:
    rps = traffic(3)
    rps[0, -24 * 4 :] = np.nan
    rps[1, -24 * 4 :] = 0.0
    rps[2, : -24 * 5] = np.nan
    assert not found(rps).since_hour.any()


def test_other_units_have_the_same_shifts() -> None:
    rps = traffic()
    rps[:, -24 * 4 :] *= 3
    plain, scaled = found(rps), found(1e4 * rps)
    np.testing.assert_array_equal(plain.since_hour, scaled.since_hour)
    np.testing.assert_allclose(plain.factor, scaled.factor)


def test_forecasts_stand_on_the_new_level_and_say_so() -> None:
    rps, truth = traffic(20, 0.05), traffic(1, 0)[0, -168:-120]
    rps[:, -24 * 3 :] *= 4
    grid = Grid(tuple((f"s{i:02d}", "eu") for i in range(20)), rps)
    made = _foresee(grid, 48, np.asarray(LEVELS))
    median = made.quantiles_rps[:, :, LEVELS.index(0.5)]
    assert np.abs(median / (4 * truth) - 1).mean() < 0.12
    assert all("demand moved to" in choice.why for choice in made.choices)
    assert all("3 days before the end" in choice.why for choice in made.choices)
