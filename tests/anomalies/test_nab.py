"""The score of the Numenta Anomaly Benchmark, against its own tests and cases worked by hand."""

from __future__ import annotations

from math import exp, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.nab import (
    IN_PROBATION,
    OUTSIDE,
    Labelled,
    best_result,
    every_threshold,
    leave_one_group_out,
    result_at,
    worth,
    worths,
)

exactly = settings(derandomize=True, deadline=None, max_examples=60)


@pytest.mark.parametrize(
    ("position", "value"),
    [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (1.0, -0.98661), (3.0, -1.0), (9.0, -1.0)],
)
def test_an_alarm_is_worth_what_the_benchmark_documents(position: float, value: float) -> None:
    assert worth(np.array([position]))[0] == pytest.approx(value, abs=5e-6)


@pytest.mark.parametrize(
    ("steps", "probation"), [(100, 15), (4032, 604), (5000, 750), (6000, 750), (22695, 750)]
)
def test_the_first_steps_are_on_probation(steps: int, probation: int) -> None:
    assert Labelled("g", steps, ()).probation == probation


def test_alarms_earn_inside_windows_only() -> None:
    series = Labelled("g", 100, ((30, 39), (75, 95)))
    of_alarm, window_of = worths(series)
    assert (window_of == IN_PROBATION).sum() == 15
    assert (window_of >= 0).sum() == 10 + 21
    assert (of_alarm[window_of >= 0] > 0).all()
    assert (of_alarm[window_of == OUTSIDE] < 0).all()
    assert of_alarm[20] == -0.11  # no window before it
    assert of_alarm[40] == pytest.approx(0.11 * (2 / (1 + exp(5 / 9)) - 1))
    assert of_alarm[66] == pytest.approx(-0.11)  # three widths behind
    assert of_alarm[30] == pytest.approx(1.0)
    last = (2 / (1 + exp(-5 / 10)) - 1) / (2 / (1 + exp(-5)) - 1)
    assert of_alarm[39] == pytest.approx(last)


def test_every_threshold_earns_what_one_works_out_by_hand() -> None:
    series = {"a": Labelled("g", 100, ((30, 39), (75, 95)))}
    of_alarm, _ = worths(series["a"])
    scores = np.zeros(100)
    scores[5] = 0.9  # on probation
    scores[[20, 35, 32, 60]] = 0.5, 0.5, 0.3, 0.2
    results = every_threshold(series, {"a": scores})
    assert [r.threshold for r in results[1:]] == [0.5, 0.3, 0.2]
    assert [r.earned for r in results] == pytest.approx(
        [
            -2.0,
            -0.11 + of_alarm[35] - 1,
            -0.11 + of_alarm[32] - 1,
            -0.11 + of_alarm[32] - 1 + of_alarm[60],
        ]
    )
    assert [r.missed for r in results] == [2, 1, 1, 1]
    assert [r.false for r in results] == [0, 1, 1, 2]
    assert best_result(series, {"a": scores}).threshold == 0.3
    assert result_at(series, {"a": scores}, 0.4).earned == results[1].earned


def test_no_alarms_score_nothing_and_perfect_ones_all() -> None:
    series = {"a": Labelled("g", 1000, ((300, 349),)), "b": Labelled("h", 1000, ())}
    silent = {name: np.zeros(1000) for name in series}
    assert best_result(series, silent).score == 0.0
    perfect = {name: np.zeros(1000) for name in series}
    perfect["a"][300] = 1.0
    assert best_result(series, perfect).score == pytest.approx(100.0)
    assert leave_one_group_out(series, perfect).windows == 1
    assert isnan(result_at({"b": series["b"]}, silent, 0.5).score)


@exactly
@given(st.integers(0, 10**6), st.integers(0, 3))
def test_thresholds_agree_with_counting_alarm_by_alarm(seed: int, windows: int) -> None:
    chance = np.random.default_rng(seed)
    starts = sorted(chance.choice(np.arange(3, 20), windows, replace=False).tolist())
    series = {"a": Labelled("g", 200, tuple((10 * s, 10 * s + 6) for s in starts))}
    scores = {"a": chance.integers(0, 6, 200) / 5.0}
    of_alarm, window_of = worths(series["a"])
    for result in every_threshold(series, scores):
        alarm = (scores["a"] >= result.threshold) & (scores["a"] > 0)
        earned = of_alarm[alarm & (window_of == OUTSIDE)].sum()
        for window in range(windows):
            found = of_alarm[alarm & (window_of == window)]
            earned += found.max() if found.size else -1.0
        assert result.earned == pytest.approx(earned)
