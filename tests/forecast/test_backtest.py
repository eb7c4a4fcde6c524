"""Backtests are fair: the same hours for every model, and none of them seen before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.forecast.backtest import WINDOWS, Trials, backtest, mean_level
from optimizer.forecast.candidates import CANDIDATES, Candidate
from optimizer.forecast.combine import Combined, combined
from optimizer.forecast.grid import Grid
from optimizer.forecast.spread import error_quantiles, mean_error, quantile_loss, widening

LEVELS = np.array([0.1, 0.5, 0.9])


@dataclass(frozen=True)
class Same:
    """Foresees one number, or nothing where that number is NaN or too little is known."""

    rps: float
    least_known_hours: int = 0

    @property
    def name(self) -> str:
        return f"same {self.rps}"

    def foresee(self, grid: Grid, origins: Sequence[int], hours: int) -> NDArray[np.float64]:
        spans = [grid.first(origin).span_hours for origin in origins]
        answer = np.where(np.array(spans) < self.least_known_hours, np.nan, self.rps)
        return np.repeat(answer[:, :, None], hours, axis=2)


@dataclass(frozen=True)
class Spy:
    """Foresees the last value known: the grid holds the number of each hour."""

    name: str = "spy"

    def foresee(self, grid: Grid, origins: Sequence[int], hours: int) -> NDArray[np.float64]:
        last = np.stack([grid.rps[:, origin - 1] for origin in origins])
        return np.repeat(last[:, :, None], hours, axis=2)


def grid(rps: NDArray[np.float64]) -> Grid:
    return Grid((("web", "eu"),), rps[None, :])


def noisy(hours: int = 672) -> Grid:
    return grid(100 + np.random.default_rng(0).normal(size=hours))


def together(known: Grid, models: tuple[Candidate, ...]) -> tuple[Trials, Combined]:
    trials = backtest(known, models, 24)
    return trials, combined(trials, mean_level(known), LEVELS)


def test_a_far_better_model_is_taken_alone() -> None:
    _, made = together(noisy(), (Same(0.0), Spy(), Same(100.0)))
    assert made.weight[0, 0] == 0
    assert made.weight[2, 0] > 0.8


def test_equal_models_count_alike() -> None:
    _, made = together(noisy(), (Same(100.0), Same(100.0)))
    np.testing.assert_allclose(made.weight[:, 0], 0.5)


def test_of_models_that_are_right_the_first_is_taken() -> None:
    known = grid(np.append(np.random.default_rng(0).normal(100, 1, 300), np.full(372, 100.0)))
    _, made = together(known, (Same(99.0), Same(100.0), Same(100.0)))
    assert made.weight[:, 0].tolist() == [0, 1, 0]


def test_models_that_err_apart_do_better_together() -> None:
    trials, made = together(noisy(), (Same(98.0), Same(101.5)))
    assert made.score[0] < 0.7 * trials.score[:, 0].min()


def test_a_window_has_no_say_in_the_weights_that_it_is_foreseen_with() -> None:
    """Demand of one day is another: with it left out, the model that knows it counts nothing."""
    rps = 100 + 0.01 * np.random.default_rng(0).normal(size=672)
    rps[-24:] = 500.0
    _, made = together(grid(rps), (Same(100.0), Same(500.0)))
    errors = made.errors.reshape(WINDOWS, 24)
    assert abs(errors[0]).min() > 100
    assert abs(errors[1:]).max() < 10


def test_a_model_without_an_answer_is_not_scored() -> None:
    models = (Same(float("nan")), Same(100.0, least_known_hours=480), Same(90.0))
    trials, made = together(noisy(), models)
    assert np.isnan(trials.score[:, 0]).tolist() == [True, True, False]
    assert made.weight[:, 0].tolist() == [0, 0, 1]
    assert made.ahead_rps.tolist() == [[90.0] * 24]


@pytest.mark.parametrize("hours", [1, 24, 48])
def test_every_origin_is_a_day_apart_and_sees_nothing_later(hours: int) -> None:
    trials = backtest(grid(np.arange(672.0)), (Spy(),), hours)
    assert trials.windows.tolist() == [WINDOWS]
    errors = (trials.actual_rps - trials.point_rps[0])[:, 0]
    np.testing.assert_allclose(errors, np.tile(np.arange(1.0, hours + 1), (WINDOWS, 1)))


@pytest.mark.parametrize("model", CANDIDATES, ids=lambda model: model.name)
def test_no_model_sees_what_comes_after_its_origin(model: Candidate) -> None:
    chance = np.random.default_rng(4)
    known = 100 + 30 * np.sin(np.arange(700) * np.pi / 12) + chance.normal(size=(3, 700))
    known[1, 300:320] = np.nan
    known[2, :200] = np.nan
    names = tuple((f"s{i}", "eu") for i in range(3))
    other = known.copy()
    other[:, 600:] = 1e6 * chance.random((3, 100))
    several = model.foresee(Grid(names, known), (500, 600, 700), 30)
    changed = model.foresee(Grid(names, other), (500, 600, 700), 30)
    alone = model.foresee(Grid(names, known[:, :600]), (600,), 30)
    np.testing.assert_array_equal(several[:2], changed[:2])
    assert np.isfinite(several[1:]).all()
    np.testing.assert_allclose(several[1], alone[0], rtol=1e-6)


def test_half_the_history_stays_out_of_the_test() -> None:
    assert backtest(grid(np.arange(96.0)), (Spy(),), 24).windows.tolist() == [2]


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
    levels = np.array([1 / 6, 0.5, 5 / 6])
    low, median, high = error_quantiles(errors, levels, np.full(1, 1.5))[0]
    assert median == 3
    assert high == pytest.approx(6)
    assert low == pytest.approx(0)


def test_few_and_long_windows_say_less_than_many_short_ones() -> None:
    day, week = widening(np.array([10, 2]), 24), widening(np.array([10, 2]), 168)
    assert day[0] == pytest.approx(1.08)
    assert (day < week).all()
    assert day[0] < day[1]


def test_one_bad_hour_hardly_moves_the_mean_error() -> None:
    errors = np.append(np.tile([-1.0, 1.0], 50), 1e6)[None, :]
    assert abs(mean_error(errors)[0]) < 0.1
