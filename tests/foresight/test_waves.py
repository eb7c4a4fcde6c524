"""Waves of day and week against those that were put in."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.foresight.waves import daily_wave, moving_mean, weekly_wave

HOUR = np.arange(42 * 24, dtype=np.float64)


def test_a_daily_wave_is_found_beside_growth() -> None:
    wave = 0.1 * np.sin(2 * np.pi * HOUR / 24)
    found = daily_wave((0.2 + 0.0005 * HOUR + wave)[None], 24, 48)
    assert found.shape == (1, HOUR.size + 48)
    np.testing.assert_allclose(found[0, : HOUR.size], wave, atol=0.005)
    np.testing.assert_allclose(found[0, -48:], wave[:48], atol=0.005)


def test_chance_is_no_wave() -> None:
    chance = np.random.default_rng(1)
    found = daily_wave(chance.normal(0.0, 0.1, (20, HOUR.size)), 24, 0)
    assert np.abs(found).mean() < 0.01


@pytest.mark.parametrize("weeks", [2, 3, 6])
def test_a_weekend_is_found_beside_growth(weeks: int) -> None:
    hour = HOUR[: weeks * 168]
    weekend = np.where(hour // 24 % 7 > 4, -0.2, 0.0)
    found = weekly_wave((0.001 * hour + weekend)[None], 24, 168)[0, -168:]
    np.testing.assert_allclose(found[:120].mean() - found[120:].mean(), 0.2, atol=0.06)


def test_moving_means_are_those_of_pandas() -> None:
    import pandas as pd

    values = np.random.default_rng(2).normal(size=(1, 60))
    values[0, 20:25] = np.nan
    odd = pd.Series(values[0]).rolling(7, center=True, min_periods=4).mean().to_numpy().copy()
    odd[:3] = odd[-3:] = np.nan  # ends are left out here
    np.testing.assert_allclose(moving_mean(values, 7)[0], odd)
