"""Parts of exact cells against programmes that know nothing of how they are solved."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from optimizer.decompose.capped import STEPS, cheapest_within
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.transport import cheapest_routes

Floats = NDArray[np.float64]


def _best_within(usd: Floats, missing: Floats, cap: float, minimum: int) -> float:
    """By trying every combination."""
    best = INFINITE
    for chosen in product(range(usd.shape[1]), repeat=len(usd)):
        every = np.arange(len(usd))
        if missing[every, chosen].sum() <= cap and sum(chosen) >= minimum:
            best = min(best, float(usd[every, chosen].sum()))
    return best


@pytest.mark.parametrize("seed", range(40))
def test_cells_share_a_cap_and_a_minimum_as_well_as_they_can(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells, options = int(rng.integers(1, 4)), int(rng.integers(2, 6))
    usd = np.sort(rng.uniform(0, 3, (cells, options)), axis=1)
    usd[rng.random(usd.shape) < 0.1] = INFINITE
    missing = np.sort(rng.uniform(0, 1, usd.shape), axis=1)[:, ::-1].copy()
    missing[:, -1] = 0.0
    cap, minimum = float(rng.uniform(0, 1.5)), int(rng.integers(0, cells * options))
    taken = np.zeros(cells, np.int64)
    exact = _best_within(usd, missing, cap, minimum)
    # Every cell's missing demand is counted in steps, and so may be off by one of them.
    off = cells * cap / STEPS
    assert _best_within(usd, missing, cap + off, minimum) <= exact
    bound = cheapest_within(usd, missing, cap, minimum, False, taken)
    assert _best_within(usd, missing, cap + off, minimum) - 1e-9 <= bound <= exact + 1e-9
    plan = cheapest_within(usd, missing, cap, minimum, True, taken)
    assert exact - 1e-9 <= plan <= _best_within(usd, missing, cap - off, minimum) + 1e-9
    if plan < INFINITE:
        every = np.arange(cells)
        assert missing[every, taken].sum() <= cap * (1 + 1e-6)
        assert taken.sum() >= minimum
        assert usd[every, taken].sum() == pytest.approx(plan)


def test_both_a_cap_and_a_minimum_bind_somewhere() -> None:
    usd, missing = np.array([[0.0, 1.0, 2.0]] * 2), np.array([[0.5, 0.2, 0.0]] * 2)
    taken = np.zeros(2, np.int64)
    for cap, minimum, least in ((2.0, 0, 0.0), (0.4, 0, 2.0), (0.0, 0, 4.0), (2.0, 3, 3.0)):
        assert cheapest_within(usd, missing, cap, minimum, True, taken) == pytest.approx(least)
    assert cheapest_within(usd, missing, 2.0, 5, True, taken) >= INFINITE


@pytest.mark.parametrize("seed", range(60))
def test_routes_beyond_what_places_hold_are_the_cheapest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    origins, places = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    busy = rng.uniform(0.1, 3, origins)
    prices = rng.uniform(-1, 3, (origins, places))
    may = rng.random(prices.shape) < 0.8
    may[:, 0] = True
    room = rng.integers(0, 4, places).astype(np.float64)
    spare, spare_usd = float(rng.choice([0.0, 0.4, 2.0])), float(rng.uniform(0, 2))
    share = np.zeros(prices.shape)
    usd = cheapest_routes(room, busy, prices, may, spare, spare_usd, share)
    # x [origin, place], then what is beyond the room of each place.
    count = origins * places
    cost = np.concatenate([prices.ravel(), np.full(places, spare_usd)])
    loads = np.hstack([np.kron(busy, np.eye(places)), -np.eye(places)])
    beyond = np.concatenate([np.zeros(count), np.ones(places)])
    whole = np.hstack([np.kron(np.eye(origins), np.ones(places)), np.zeros((origins, places))])
    bounds = [(0, 1 if allowed else 0) for allowed in may.ravel()] + [(0, None)] * places
    found = linprog(
        cost, A_ub=np.vstack([loads, beyond]), b_ub=np.append(room, spare), A_eq=whole,
        b_eq=np.ones(origins), bounds=bounds,
    )  # fmt: skip
    if found.x is None:
        assert usd >= INFINITE
        return
    assert usd == pytest.approx(found.fun, abs=1e-6)
    assert share.sum(axis=1) == pytest.approx(np.ones(origins))
    assert not share[~may].any()
    assert np.maximum(busy @ share - room, 0.0).sum() <= spare + 1e-6
