"""Minutes ahead: quantiles that cover, from the past alone."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from models.demand import Forecast
from optimizer.forecast.demand import LEVELS
from optimizer.forecast.short import foresee_short

STARTS = datetime(2025, 3, 3, tzinfo=UTC)
PAIR = (("web", "eu"),)
DAY_STEPS = 288
Values = NDArray[np.float64]


def traffic(steps: int = 6 * DAY_STEPS, seed: int = 1, noise: float = 0.1) -> Values:
    """Five-minute steps that swing over the day, with noise of which half lasts."""
    chance = np.random.default_rng(seed)
    lasting = np.zeros(steps)
    for t in range(1, steps):
        lasting[t] = 0.98 * lasting[t - 1] + 0.2 * chance.normal()
    swing = 1 + 0.6 * np.sin(2 * np.pi * np.arange(steps) / DAY_STEPS)
    rps: Values = 100 * swing * np.exp(noise * (lasting + chance.normal(size=steps)) / 2)
    return rps


def made(rps: Values, steps: int = 12) -> Forecast:
    return foresee_short(PAIR, rps[None, :], STARTS, 300, steps)


def test_quantiles_cover_what_comes() -> None:
    inside, under = [], []
    for end in range(5 * DAY_STEPS, 6 * DAY_STEPS - 12, 48):
        rps = traffic(seed=end)
        quantiles = made(rps[:end]).quantiles_rps[0]
        actual = rps[end : end + 12]
        inside.append((actual >= quantiles[:, 0]) & (actual <= quantiles[:, LEVELS.index(0.95)]))
        under.append(actual <= quantiles[:, LEVELS.index(0.5)])
    assert 0.8 <= np.mean(inside) <= 0.98
    assert 0.35 <= np.mean(under) <= 0.65


def test_an_hour_ahead_the_daily_swing_is_followed() -> None:
    rps = traffic(noise=0.02)
    end = 5 * DAY_STEPS + 40
    forecast = made(rps[:end])
    assert np.abs(forecast.at_level(0.5)[0] / rps[end : end + 12] - 1).max() < 0.1
    assert forecast.step_s == 300
    assert forecast.choices[0].model == "next_steps"


def test_farther_is_less_sure() -> None:
    quantiles = made(traffic(), 48).quantiles_rps[0]
    width = (quantiles[:, -1] - quantiles[:, 0]) / quantiles[:, LEVELS.index(0.5)]
    assert width[-1] > 1.2 * width[0]


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_quantiles_never_cross_and_are_never_negative(steps: int) -> None:
    rps = np.maximum(traffic(noise=1.0) - 120, 0)
    quantiles = made(rps, steps).quantiles_rps
    assert quantiles.shape == (1, steps, len(LEVELS))
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert (quantiles >= 0).all()


def test_other_units_give_the_same_forecast() -> None:
    plain, scaled = made(traffic()), made(1e4 * traffic())
    np.testing.assert_allclose(scaled.quantiles_rps, 1e4 * plain.quantiles_rps, rtol=1e-6)


def test_gaps_are_not_zero() -> None:
    rps = traffic(noise=0.02)
    rps[-DAY_STEPS : -DAY_STEPS + 40] = np.nan
    rps[-3:] = np.nan
    forecast = made(rps)
    assert forecast.at_level(0.5).min() > 60
    assert "43 of them unknown" in forecast.choices[0].why


@pytest.mark.parametrize(("steps", "model"), [(0, "mean"), (1, "mean"), (30, "mean")])
def test_short_histories_say_so(steps: int, model: str) -> None:
    forecast = made(traffic(steps) if steps else np.full(5, np.nan))
    assert forecast.choices[0].model == model
    assert "too few" in forecast.choices[0].why
    assert np.isfinite(forecast.quantiles_rps).all()


def test_idle_stays_idle() -> None:
    assert not made(np.zeros(500)).quantiles_rps.any()


@pytest.mark.parametrize(("step_s", "steps"), [(0, 5), (700, 5), (60, 0), (60, 100_000)])
def test_impossible_steps_are_refused(step_s: int, steps: int) -> None:
    with pytest.raises(ValueError, match="cannot be foreseen"):
        foresee_short(PAIR, np.ones((1, 100)), STARTS, step_s, steps)
