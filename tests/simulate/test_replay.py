"""What replicas cost and serve, against a clock that follows each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.simulate.replay import Replica, over_last, replay

WANTED = st.lists(st.integers(0, 6), min_size=1, max_size=40)


def _followed(wanted: list[int], boot_steps: int) -> list[int]:
    """Replicas that serve in every step, each followed by its age; the youngest leave first."""
    ages = [boot_steps] * wanted[0]
    serving = []
    for number in wanted:
        ages = ages[:number] + [0] * (number - len(ages))
        serving.append(sum(age >= boot_steps for age in ages))
        ages = [age + 1 for age in ages]
    return serving


@given(WANTED, st.integers(0, 5))
def test_replicas_serve_once_they_have_booted(wanted: list[int], boot_steps: int) -> None:
    demand = np.ones(len(wanted))
    played = replay(np.array(wanted), demand, Replica(1.0, boot_steps))
    assert played.serving.tolist() == _followed(wanted, boot_steps)
    assert played.cost() == sum(wanted)


def test_what_is_beyond_the_replicas_that_serve_is_lost() -> None:
    played = replay(np.array([1, 3, 3, 1]), np.array([10.0, 25.0, 25.0, 5.0]), Replica(10.0, 1))
    assert played.unserved.tolist() == [0.0, 15.0, 0.0, 0.0]
    assert played.unserved_share() == pytest.approx(15 / 65)
    assert played.unserved_share(slice(2, None)) == 0.0
    assert played.starts() == 2


def test_steps_of_which_nobody_knows_count_for_nothing() -> None:
    played = replay(np.array([2, 2, 2]), np.array([30.0, np.nan, 10.0]), Replica(10.0, 0))
    assert played.cost() == 4
    assert played.unserved_share() == pytest.approx(10 / 40)


def test_no_demand_at_all_is_served() -> None:
    assert replay(np.array([1]), np.array([0.0]), Replica(1.0, 3)).unserved_share() == 0.0


@given(WANTED, st.integers(1, 50))
def test_the_most_and_least_of_the_last_steps(wanted: list[int], steps: int) -> None:
    for of, one in ((np.minimum, min), (np.maximum, max)):
        found = over_last(of, np.array(wanted), steps)
        assert found.tolist() == [
            one(wanted[max(i - steps + 1, 0) : i + 1] + wanted[:1] * (i < steps))
            for i in range(len(wanted))
        ]
