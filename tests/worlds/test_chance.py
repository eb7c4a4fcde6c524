"""Random numbers follow the distributions that they claim, on every machine."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from scenarios.generate.chance import Chance

MANY = 20_000


FIRST_OF_SEED_1 = [0.5118216247002567, 0.9504636963259353, 0.14415961271963373]


def test_first_numbers_never_change() -> None:
    assert Chance(1).uniform(0, 1, 3).tolist() == FIRST_OF_SEED_1


def test_normal_numbers_come_from_pairs_of_uniform_ones() -> None:
    first, _, third = FIRST_OF_SEED_1
    expected = math.sqrt(-2 * math.log(1 - first)) * math.cos(2 * math.pi * third)
    assert Chance(1).normal(2)[0] == pytest.approx(expected, rel=1e-12)


def test_normal_numbers_are_normal() -> None:
    assert stats.kstest(Chance(2).normal(MANY), stats.norm.cdf).pvalue > 0.01


def test_lognormal_numbers_have_the_median_and_spread_asked_for() -> None:
    drawn = Chance(3).lognormal(10.0, 0.5, MANY)
    assert stats.kstest(drawn, stats.lognorm(s=0.5, scale=10.0).cdf).pvalue > 0.01


def test_pareto_numbers_have_the_tail_asked_for_and_stay_below_the_cut() -> None:
    drawn = Chance(4).pareto(2.0, 1.1, 500.0, MANY)
    assert drawn.min() >= 2.0
    assert drawn.max() <= 500.0
    cut = stats.truncpareto(b=1.1, c=250.0, scale=2.0)
    assert stats.kstest(drawn, cut.cdf).pvalue > 0.01


def test_whole_numbers_stay_below_their_limits_and_reach_each() -> None:
    limits = np.array([1, 2, 5] * 500)
    drawn = Chance(5).below(limits).reshape(-1, 3)
    assert [sorted(set(column.tolist())) for column in drawn.T] == [[0], [0, 1], [0, 1, 2, 3, 4]]


def test_picks_come_in_proportion_to_their_weights() -> None:
    picks = Chance(6).pick(("often", "never", "rarely"), (9, 0, 1), MANY)
    assert picks.count("never") == 0
    assert picks.count("often") / MANY == pytest.approx(0.9, abs=0.01)
