"""Silences begin after some steps without demand, end after some with it, and hide nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.forecast.silence import LEAST_STEPS, Silences, silences

DAY = 48


def _busy(days: int = 6) -> np.ndarray:
    return np.random.default_rng(1).poisson(30.0, days * DAY).astype(float)


def _found(demand: np.ndarray) -> Silences:
    return silences(demand, np.ones(demand.size, dtype=bool), DAY)


def test_a_silence_is_filled_with_the_day_before_however_long_it_lasts() -> None:
    demand = _busy()
    gone = slice(3 * DAY, 5 * DAY)
    demand[gone] = 0.0
    seen = _found(demand)
    begun = gone.start + LEAST_STEPS - 1
    assert seen.within[begun : gone.stop].all()
    assert not seen.within[:begun].any()
    assert seen.usual[begun : gone.stop][: DAY - 2] == pytest.approx(
        demand[begun - DAY : gone.start]
    )
    assert seen.usual[4 * DAY + 5] == seen.usual[3 * DAY + 5] == demand[2 * DAY + 5]
    assert seen.age[gone.stop - 1] == gone.stop - gone.start


def test_a_trickle_does_not_end_it_and_some_steps_with_demand_do() -> None:
    demand = _busy()
    demand[3 * DAY : 3 * DAY + 30] = 0.0
    demand[3 * DAY + 10 : 3 * DAY + 12] = 4.0
    seen = _found(demand)
    back = 3 * DAY + 30
    assert seen.within[3 * DAY + 9 : back].all()
    assert (seen.age[3 * DAY + 10 : 3 * DAY + 12] == 0).all()
    assert seen.age[3 * DAY + 12] == 13
    assert seen.within[back : back + LEAST_STEPS].tolist() == [True] * (LEAST_STEPS - 1) + [False]


def test_where_nothing_is_usual_nothing_is_a_silence() -> None:
    demand = _busy()
    demand[np.random.default_rng(2).random(demand.size) < 0.4] = 0.0
    demand[-20:] = 0.0
    assert not _found(demand).within.any()


def test_the_longer_it_has_lasted_the_longer_it_is_going_to() -> None:
    demand = _busy()
    demand[4 * DAY :] = 0.0
    seen = _found(demand)
    begun = 4 * DAY + LEAST_STEPS - 1
    assert seen.chance(5)[begun:] == pytest.approx(
        [5 / (age + 5) for age in range(LEAST_STEPS, 2 * DAY + 1)]
    )
    assert (seen.chance(5)[:begun] == 1.0).all()


@given(st.integers(2 * DAY, 5 * DAY), st.integers(0, 2**32 - 1))
def test_what_comes_later_changes_nothing_before(cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    demand = rng.poisson(30.0, 5 * DAY) * (rng.random(5 * DAY) > 0.005).astype(float)
    demand[rng.integers(2 * DAY, 4 * DAY) :][: rng.integers(1, 60)] = 0.0
    whole, part = _found(demand), _found(demand[:cut])
    for name in ("within", "age", "usual"):
        assert (getattr(whole, name)[:cut] == getattr(part, name)).all()
