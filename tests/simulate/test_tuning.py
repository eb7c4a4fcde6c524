"""Choosing by a price on what is not served, and reading frontiers."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.simulate.replay import Replica, replay
from optimizer.simulate.tuning import cheapest, cost_at, frontier, total

REPLICA = Replica(10.0, 0)
DEMAND = np.array([10.0, 20.0, 30.0, 20.0])
ALL = slice(None)


def test_what_is_left_undone_has_its_price() -> None:
    one = replay(np.array([1, 1, 1, 1]), DEMAND, REPLICA)
    assert total(one, ALL, REPLICA.serves, 5.0) == 4 + 5.0 * 4
    assert total(one, slice(0, 2), REPLICA.serves, 5.0) == 2 + 5.0 * 1


def test_the_dearer_a_request_the_more_replicas() -> None:
    tried = {n: replay(np.full(4, n), DEMAND, REPLICA) for n in (1, 2, 3)}
    chosen = [cheapest(tried, ALL, REPLICA.serves, worth) for worth in (1.0, 2.0, 10.0)]
    assert chosen == [1, 2, 3]


def test_frontiers_have_only_what_nothing_beats() -> None:
    points = np.array([[1.0, 1e-1], [1.2, 1e-2], [1.3, 2e-2], [2.0, 1e-4], [2.5, 1e-3]])
    assert frontier(points).tolist() == [[2.0, 1e-4], [1.2, 1e-2], [1.0, 1e-1]]
    assert cost_at(points, 1e-3) == pytest.approx(1.6)
    assert cost_at(points, 0.5) == 1.0
    assert np.isnan(cost_at(points, 1e-5))
