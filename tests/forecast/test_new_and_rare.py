"""Series of a few days, and series that are seldom asked."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.forecast.demand import LEVELS, _foresee
from optimizer.forecast.grid import Grid
from optimizer.forecast.intermittent import RarelyAsked

Values = NDArray[np.float64]


def grid(rps: Values) -> Grid:
    return Grid(tuple((f"s{i:03d}", "eu") for i in range(len(rps))), rps)


def quantiles(rps: Values, hours: int = 24) -> Values:
    made: Values = _foresee(grid(rps), hours, np.asarray(LEVELS)).quantiles_rps
    return made


def days(count: int, series: int = 30, noise: float = 0.1) -> tuple[Values, Values]:
    """Histories of so many days in a grid of six weeks, and the day that follows."""
    h = np.arange(1032)
    chance = np.random.default_rng(1)
    swing = 100 * (1 + 0.6 * np.sin(2 * np.pi * h / 24))
    rps = swing * np.exp(noise * chance.normal(size=(series, h.size)))
    rps[:, : 1008 - 24 * count] = np.nan
    return rps[:, :1008], rps[:, 1008:]


@pytest.mark.parametrize("count", [3, 5, 9])
def test_a_few_days_show_the_swing_of_the_next(count: int) -> None:
    known, actual = days(count)
    made = quantiles(known)
    error = np.abs(made[:, :, LEVELS.index(0.5)] - actual).mean()
    naive = np.abs(known[:, -24:] - actual).mean()
    assert error < (1.03 if count < 5 else 0.9) * naive
    inside = (actual >= made[:, :, LEVELS.index(0.05)]) & (actual <= made[:, :, LEVELS.index(0.95)])
    assert 0.8 <= inside.mean() <= 0.99


@pytest.mark.parametrize("chance_of_one", [0.05, 0.2, 0.45])
def test_rare_requests_have_quantiles_of_what_comes(chance_of_one: float) -> None:
    chance = np.random.default_rng(6)
    busy = chance.random((60, 720)) < chance_of_one
    rps = np.where(busy, chance.gamma(4, 5, size=busy.shape), 0.0)
    known, actual = rps[:, :696], rps[:, 696:]
    made = quantiles(known)
    for level in (0.5, 0.75, 0.9, 0.95, 0.99):
        covered = (actual <= made[:, :, LEVELS.index(level)]).mean()
        most = max(level, 1 - chance_of_one)
        assert level - 0.04 <= covered <= most + 0.04, level


def test_chance_times_size_is_the_mean_of_what_comes() -> None:
    chance = np.random.default_rng(7)
    busy = chance.random((200, 900)) < 0.1
    rps = np.where(busy, chance.gamma(4, 5, size=busy.shape), 0.0)
    ahead = RarelyAsked().foresee(grid(rps), (900,), 3)[0]
    assert ahead.mean() == pytest.approx(0.1 * 20, rel=0.08)


def test_a_series_out_of_use_fades() -> None:
    rps = np.where(np.random.default_rng(8).random((20, 900)) < 0.2, 10.0, 0.0)
    rps[:, 500:] = 0.0
    before, after = RarelyAsked().foresee(grid(rps), (500, 900), 1)
    assert (after < 0.05 * before.mean()).all()


def test_rare_requests_in_working_hours_stay_in_working_hours() -> None:
    chance = np.random.default_rng(9)
    h = np.arange(744)
    works = (h % 24 >= 9) & (h % 24 < 17)
    rps = np.where(works & (chance.random((30, 744)) < 0.5), 10.0, 0.0)
    made = quantiles(rps[:, :720])[:, :, LEVELS.index(0.9)]
    assert made[:, works[720:]].mean() > 8
    assert made[:, ~works[720:]].mean() < 2
