"""Backtests are fair: the same hours for every model, and none of them seen before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.forecast.backtest import WINDOWS, backtest
from optimizer.forecast.choice import chosen
from optimizer.forecast.grid import Grid
from optimizer.forecast.spread import WIDENING, error_quantiles, mean_error, quantile_loss

LEVELS = np.array([0.1, 0.5, 0.9])


@dataclass(frozen=True)
class Same:
    """Foresees one number, or nothing where that number is NaN or too little is known."""

    rps: float
    least_known_hours: int = 0

    @property
    def name(self) -> str:
        return f"same {self.rps}"

    def ahead(self, known: Grid, hours: int) -> NDArray[np.float64]:
        silent = known.span_hours < self.least_known_hours
        answer = np.where(silent, np.nan, self.rps)
        return np.repeat(answer[:, None], hours, axis=1)


@dataclass(frozen=True)
class Spy:
    """Foresees the last value known: the grid holds the number of each hour."""

    name: str = "spy"

    def ahead(self, known: Grid, hours: int) -> NDArray[np.float64]:
        return np.repeat(known.rps[:, -1:], hours, axis=1)


def grid(rps: NDArray[np.float64]) -> Grid:
    return Grid((("web", "eu"),), rps[None, :])


def test_the_nearer_model_wins() -> None:
    noise = np.random.default_rng(0).normal(size=672)
    trials = backtest(grid(100 + noise), (Same(0.0), Spy(), Same(100.0)), 24, LEVELS)
    assert chosen(trials).tolist() == [2]


def test_equal_models_leave_it_to_the_first() -> None:
    noise = np.random.default_rng(0).normal(size=672)
    trials = backtest(grid(100 + noise), (Same(100.0), Same(100.0)), 24, LEVELS)
    assert chosen(trials).tolist() == [0]


def test_a_model_without_an_answer_is_not_scored() -> None:
    noise = np.random.default_rng(0).normal(size=672)
    models = (Same(float("nan")), Same(100.0, least_known_hours=480), Same(90.0))
    trials = backtest(grid(100 + noise), models, 24, LEVELS)
    assert np.isnan([trial.score[0] for trial in trials]).tolist() == [True, True, False]
    assert chosen(trials).tolist() == [2]


@pytest.mark.parametrize("hours", [1, 24, 48])
def test_every_origin_is_a_day_apart_and_sees_nothing_later(hours: int) -> None:
    trial = backtest(grid(np.arange(672.0)), (Spy(),), hours, LEVELS)[0]
    assert trial.windows.tolist() == [WINDOWS]
    growth = np.sqrt(1 + np.arange(hours) / 24)
    errors = trial.errors.reshape(WINDOWS, hours)
    assert trial.power.tolist() == [0.0]
    np.testing.assert_allclose(errors * growth, np.tile(np.arange(1.0, hours + 1), (WINDOWS, 1)))


def test_half_the_history_stays_out_of_the_test() -> None:
    trial = backtest(grid(np.arange(96.0)), (Spy(),), 24, LEVELS)[0]
    assert trial.windows.tolist() == [2]


def test_quantile_loss_is_least_at_the_quantile() -> None:
    actual = np.arange(1.0, 100.0)
    losses = [
        quantile_loss(actual, np.full((99, 1), guess), np.array([0.9])).mean()
        for guess in (80.0, 90.0, 99.0)
    ]
    assert losses[1] == min(losses)
    assert quantile_loss(np.array([3.0]), np.array([[1.0]]), np.array([0.9])) == pytest.approx(1.8)


def test_quantiles_of_errors_stretch_from_the_median_and_skip_what_is_missing() -> None:
    errors = np.array([[np.nan, 4.0, 1.0, 3.0, 2.0, np.nan, 5.0]])
    low, median, high = error_quantiles(errors, np.array([1 / 6, 0.5, 5 / 6]))[0]
    assert median == 3
    assert high == pytest.approx(3 + 2 * WIDENING)
    assert low == pytest.approx(3 - 2 * WIDENING)


def test_one_bad_hour_hardly_moves_the_mean_error() -> None:
    errors = np.append(np.tile([-1.0, 1.0], 50), 1e6)[None, :]
    assert abs(mean_error(errors)[0]) < 0.1
