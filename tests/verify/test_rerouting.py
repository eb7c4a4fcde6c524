"""What can still be served after a loss, against a linear program that says the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from optimizer.verify.case import Bools, Floats
from optimizer.verify.reroute import unserved


def by_linear_program(asked: Floats, capacity: Floats, reach: Bools) -> float:
    """The most that can be sent along allowed pairs, subtracted from what is asked."""
    pairs = np.argwhere(reach)
    leaves = [(pairs[:, 0] == g).astype(float) for g in range(len(asked))]
    arrives = [(pairs[:, 1] == r).astype(float) for r in range(len(capacity))]
    sent = linprog(
        -np.ones(len(pairs)), A_ub=np.array([*leaves, *arrives]), b_ub=[*asked, *capacity]
    )
    return float(asked.sum() + sent.fun)


@pytest.mark.parametrize("seed", range(60))
def test_the_flow_is_largest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    origins, regions = int(rng.integers(1, 6)), int(rng.integers(1, 7))
    reach = rng.random((origins, regions)) < 0.5
    reach[0, 0] = True
    asked = rng.uniform(0, 1000, (4, origins)).round(3)
    capacity = rng.uniform(0, 900, (4, regions)).round(3)
    left = unserved(asked, capacity, reach)
    for i in range(4):
        assert left[i] == pytest.approx(by_linear_program(asked[i], capacity[i], reach), abs=1e-3)


def test_greed_alone_would_fail_here() -> None:
    """The first origin must leave the place that the second one can only use."""
    reach = np.array([[True, True, False], [True, False, True], [False, True, True]])
    asked = np.array([[100.0, 100.0, 100.0]])
    assert unserved(asked, np.array([[50.0, 150.0, 100.0]]), reach) == pytest.approx([0.0])
    assert unserved(asked, np.array([[50.0, 150.0, 99.0]]), reach) == pytest.approx([1.0], abs=1e-4)


def test_nothing_asked_and_nothing_left() -> None:
    nothing = np.zeros((1, 2))
    assert unserved(nothing, nothing, np.ones((2, 2), np.bool_)) == pytest.approx([0.0])
    asked = np.array([[3.0, 4.0]])
    assert unserved(asked, nothing, np.ones((2, 2), np.bool_)) == pytest.approx([7.0])
    assert unserved(asked, asked, np.zeros((2, 2), np.bool_)) == pytest.approx([7.0])
