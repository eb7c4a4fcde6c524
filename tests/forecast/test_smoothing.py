"""The level of many series at once is the one that statsforecast finds for each."""

from __future__ import annotations

import numpy as np
from statsforecast.ets import ets_f, forecast_ets

from optimizer.forecast.smoothing import smoothed_levels

RATE = 0.2


def test_levels_are_those_of_exponential_smoothing() -> None:
    chance = np.random.default_rng(3)
    values = np.cumsum(chance.normal(size=(8, 300)), axis=1) + chance.normal(size=(8, 300))
    known = []
    for row in values:
        of_row = np.array([RATE, np.nan, np.nan, np.nan, row[0]])  # α and the first level
        model = {"m": 1, "components": "ANNN", "par": of_row, "fit": None, "n_params": 2}
        known.append(forecast_ets(ets_f(row, 1, model=model), 1)["mean"][0])
    np.testing.assert_allclose(smoothed_levels(values, RATE), known, rtol=1e-9)


def test_hours_that_were_not_observed_count_nothing() -> None:
    values = np.random.default_rng(3).normal(size=(4, 60))
    padded = np.concatenate([np.full((4, 40), np.nan), values], axis=1)
    np.testing.assert_allclose(
        smoothed_levels(padded, RATE), smoothed_levels(values, RATE), rtol=1e-12
    )
    assert smoothed_levels(np.array([[np.nan, 5.0, np.nan]]), RATE).tolist() == [5.0]
