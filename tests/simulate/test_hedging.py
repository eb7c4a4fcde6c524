"""Hedges against enumeration, and expected excesses against their definition."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.forecast.next_steps import foreseen
from optimizer.forecast.straying import GRID, REFRESH_STEPS, Straying, straying
from optimizer.simulate.hedged import Hedged, Outlook
from optimizer.simulate.replay import Replica

HORIZON = 8
BOOT = 3


def _excess(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    excess: NDArray[np.float64] = np.maximum(errors[None, :] - GRID[:, None], 0.0).mean(axis=1)
    return excess


def _work(seen: list[Straying], errors: NDArray[np.float64], k: int, serves: float) -> list[float]:
    """Expected share of the k-th replica's time that it has work, in every coming step."""
    return [
        float(np.clip((one.expected[0] + one.scale[0] * errors - serves * k) / serves, 0, 1).mean())
        for one in seen
    ]


def _best(gains: list[float], now: int, *, runs: bool) -> float:
    """The most that a replica can bring whose first decision is ``now``."""
    best = -np.inf
    for rest in product((0, 1), repeat=HORIZON - 1):
        wanted = [runs * 1] * BOOT + [now, *rest]
        value = 0.0
        for h in range(HORIZON):
            serves = all(wanted[h : h + BOOT + 1])
            value += wanted[h + BOOT] * (gains[h] * serves - 1.0)
        best = max(best, value)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_first_decision_is_that_of_the_best_of_all_schedules(seed: int) -> None:
    rng = np.random.default_rng(seed)
    serves, worth = 10.0, float(rng.choice([2.0, 4.0, 10.0]))
    chance = float(rng.choice([0.3, 1.0]))
    errors = np.clip(rng.standard_t(3, 400), -6.0, 14.0)
    table = np.stack([_excess(errors)])
    level = rng.uniform(5.0, 60.0) + rng.uniform(-6.0, 6.0) * np.arange(HORIZON)
    seen = [
        Straying(np.array([max(mean, 0.0)]), np.array([rng.uniform(1.0, 8.0)]), table)
        for mean in level
    ]
    wanted = Hedged(worth, 96).decided(
        Outlook(tuple(seen), (np.array([chance]),) * HORIZON), Replica(serves, BOOT)
    )
    pays = []
    for k in range(30):
        gains = [worth * chance * share for share in _work(seen, errors, k, serves)]
        runs = k == 0  # one replica runs at first
        keep, leave = _best(gains, 1, runs=runs), _best(gains, 0, runs=runs)
        pays.append(keep >= leave if runs else keep > max(leave, 0.0))
    most = max((k + 1 for k in range(30) if pays[k]), default=1)
    assert wanted.tolist() == [max(most, 1)]


def test_excesses_are_those_of_the_errors_that_were() -> None:
    rng = np.random.default_rng(3)
    demand = rng.gamma(20.0, 5.0, 3 * REFRESH_STEPS)
    known = np.ones(demand.size, dtype=bool)
    expected = np.full(demand.size, 100.0)
    seen = straying(demand, known, expected, 2, 96, 10.0, 1.0)
    last = 2 * REFRESH_STEPS - 2
    errors = (demand[2:] - 100.0)[:last] / seen.scale[:last]
    assert seen.excess[2] == pytest.approx(_excess(errors))
    assert (np.diff(seen.excess, axis=1) <= 1e-12).all()


def test_scales_follow_storms() -> None:
    rng = np.random.default_rng(4)
    calm, storm = rng.normal(100.0, 2.0, 600), rng.normal(100.0, 30.0, 200)
    demand = np.concatenate([calm, storm])
    known = np.ones(demand.size, dtype=bool)
    seen = straying(demand, known, np.full(800, 100.0), 1, 96, 10.0, 1.0)
    assert seen.scale[-50:].mean() > 3 * seen.scale[300:600].mean()


def test_a_daily_wave_is_foreseen_better_than_by_standing_still() -> None:
    step = np.arange(20 * 96)
    rng = np.random.default_rng(5)
    demand = (100.0 + 80.0 * np.sin(2 * np.pi * step / 96)) * rng.gamma(400.0, 1 / 400.0, step.size)
    known = np.ones(demand.size, dtype=bool)
    ahead = 8
    said = foreseen(demand, known, ahead, 96)[:-ahead]
    late = slice(14 * 96, None)
    error = np.abs(said - demand[ahead:])[late].mean()
    still = np.abs(demand[:-ahead] - demand[ahead:])[late].mean()
    assert error < 0.35 * still


def test_replicas_that_serve_at_once_are_wanted_while_they_pay() -> None:
    demand = np.repeat([25.0, 75.0, 5.0], 600)
    wanted = Hedged(4.0, 96).wanted(demand, Replica(10.0, 0))
    assert [wanted[i] for i in (590, 1190, 1790)] == [3, 8, 1]


def test_an_outage_upstream_leaves_what_its_end_will_ask_for() -> None:
    """Where requests are dear; where they are cheap, nothing waits for long."""
    rng = np.random.default_rng(6)
    demand = rng.poisson(50.0, 12 * 96).astype(float)
    demand[-40:] = 0.0
    wanted = {worth: Hedged(worth, 96).wanted(demand, Replica(10.0, 3)) for worth in (5.0, 1e4)}
    assert wanted[5.0][-1] == 1
    assert wanted[1e4][-1] >= 5
    demand[::7] = 0.0  # and where nothing is asked now and then, that is no outage
    assert Hedged(1e4, 96).wanted(demand, Replica(10.0, 3))[-1] < 5
