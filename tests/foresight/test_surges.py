"""Surges and drops: chances against what came, early signs, and nothing of the future."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.foresight.surges import (
    BEFORE,
    Crossing,
    chance_over,
    often,
    over_days,
    pooled,
    soon,
    usual,
)

Values = NDArray[np.float64]
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def test_chances_follow_quantiles_and_fall_with_the_bound() -> None:
    quantiles = np.tile(np.array([10.0, 20, 30, 40, 50, 60]), (7, 1))
    bounds = np.array([0.0, 10, 30, 45, 60, 80, np.nan])
    found = chance_over(bounds, quantiles, LEVELS)
    assert found[[1, 2, 3, 4, 6]] == pytest.approx([0.95, 0.5, 0.15, 0.01, 0.0])
    assert 0.95 < found[0] < 1.0
    assert 0.0 < found[5] < 0.001


def test_days_are_independent_and_hours_of_a_day_are_one() -> None:
    crossing = over_days(np.array([0.1, 0.5, 0.2, 0.0, 0.5, 0.1]), 3)
    assert crossing.reached == pytest.approx([0.1, 0.5, 0.5, 0.5, 0.75, 0.75])
    assert crossing.hour(0.5) == 2


def test_the_usual_is_the_median_of_the_weeks_before() -> None:
    rps = np.arange(35.0)[None]
    found = usual(rps, 7, 7)
    assert np.isnan(found[0, :7]).all()
    assert found[0, 14] == (7 + 0) / 2
    assert found[0, 35] == np.median([28, 21, 14, 7])
    changed = rps.copy()
    changed[0, 20:] = 99.0
    np.testing.assert_array_equal(usual(changed, 7, 0)[0, :21], found[0, :21])


def test_the_past_is_pooled_with_the_forecast() -> None:
    crossed = np.zeros(10, bool)
    crossed[4] = True
    assert often(crossed, 3) == (3 + 0.5) / (8 + 1)  # of eight stretches three hold it
    assert often(np.ones(5, bool), 3) > 0.8
    assert often(np.zeros(0, bool), 3) == 0.25
    both = pooled(Crossing(np.array([0.0, 1.0])), 0.5)
    assert both.reached == pytest.approx([0.25 * BEFORE, 1 - BEFORE + 0.5 * BEFORE])


def surging(seed: int, lag: int) -> tuple[Values, Values]:
    """Demand over its usual, and that of a caller who has the same ``lag`` hours earlier."""
    chance = np.random.default_rng(seed)
    calm = np.exp(0.03 * chance.normal(size=700))
    for start in range(40, 690, 60):  # a surge of some hours now and then
        calm[start : start + 12] *= 1 + np.hanning(12)
    late = np.concatenate([np.ones(lag), calm[:-lag]])
    return late * np.exp(0.02 * chance.normal(size=700)), calm


def test_callers_tell_of_surges_before_they_come() -> None:
    mine, callers = surging(1, 4)
    expected = np.full(712, 1.0)
    now = 640 + 5  # callers have begun, and this one has not
    seen = soon(mine[:now], expected[: now + 12], callers[:now], 1.5).probability
    alone = soon(mine[:now], expected[: now + 12], None, 1.5).probability
    calm = soon(mine[:630], expected[:642], callers[:630], 1.5).probability
    assert seen > 0.5
    assert seen > alone + 0.1
    assert calm < 0.1


def test_too_little_says_nothing() -> None:
    mine, callers = surging(2, 2)
    assert soon(mine[:50], np.ones(62), callers[:50], 1.5).probability == 0.0
    gappy = mine.copy()
    gappy[-1] = np.nan
    assert soon(gappy, np.ones(712), None, 1.5).probability == 0.0
