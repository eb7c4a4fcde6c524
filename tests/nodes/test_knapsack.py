"""The filling of one node: against every possible filling, and against another LP solver."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from optimizer.nodes.instance import everything_together
from optimizer.nodes.knapsack import above, best_filling, relaxed


@pytest.mark.parametrize("seed", range(60))
def test_a_filling_is_the_best_and_its_bounds_hold(seed: int) -> None:
    chance = np.random.default_rng(seed)
    items, resources = int(chance.integers(1, 6)), int(chance.integers(1, 4))
    sizes = chance.integers(0, 30, (items, resources))
    capacity = chance.integers(0, 60, resources)
    values, most = chance.integers(0, 50, items), chance.integers(0, 4, items)
    apart = everything_together()
    if seed % 2:
        apart = np.triu(chance.random((items, items)) < 0.4, 1)
        apart = apart | apart.T
    fillings = [np.array(x) for x in product(*(range(n + 1) for n in most.tolist()))]
    allowed = [
        x for x in fillings
        if (x @ sizes <= capacity).all()
        and not (apart.size and (apart & np.outer(x > 0, x > 0)).any())
    ]  # fmt: skip
    best = max(int(values @ x) for x in allowed)

    x, value, bound = best_filling(values, sizes, capacity, most, apart, 0, 100_000)
    assert value == bound == best == values @ x
    assert any((x == other).all() for other in allowed)
    for budget in (1, 3, 10):
        _, value, bound = best_filling(values, sizes, capacity, most, apart, 0, budget)
        assert value <= best <= bound

    fraction, u = relaxed(values, sizes, capacity, most)
    solved = linprog(-values, sizes.T, capacity, bounds=[(0, n) for n in most.tolist()])
    assert solved.fun is not None
    reference = -solved.fun
    assert values @ fraction == pytest.approx(reference, abs=1e-6)
    assert (u >= 0).all()
    assert reference <= above(values, sizes, capacity, most, u) <= reference + 0.1
    rounded = np.round(u)  # whatever the multipliers are
    assert above(values, sizes, capacity, most, rounded) >= best


def test_only_fillings_above_the_floor_count() -> None:
    values, sizes = np.array([3, 5]), np.array([[2], [3]])
    most, capacity = np.array([2, 1]), np.array([4])
    apart = everything_together()
    x, value, bound = best_filling(values, sizes, capacity, most, apart, 5, 1000)
    assert (x.tolist(), value, bound) == ([2, 0], 6, 6)
    x, value, bound = best_filling(values, sizes, capacity, most, apart, 6, 1000)
    assert (x.tolist(), value, bound) == ([0, 0], 6, 6)


def test_big_nodes_are_filled_from_the_rounded_relaxation() -> None:
    sizes = np.array([[100, 400, 1], [1500, 100, 1], [250, 1024, 1]])
    values, most = np.array([101, 640, 270]), np.full(3, 5000)
    capacity = np.array([96_000, 200_000, 250])
    x, value, bound = best_filling(values, sizes, capacity, most, everything_together(), 0, 5_000)
    assert (x @ sizes <= capacity).all()
    assert x.sum() > 24
    assert value == values @ x
    assert value <= bound <= value * 1.01
