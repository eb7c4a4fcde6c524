"""Policies look at the past only, whatever the unit of demand, and do what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.simulate.hedged import Hedged
from optimizer.simulate.policies import (
    Foresight,
    Policy,
    Reactive,
    Static,
    Yesterday,
    enough,
    known,
)
from optimizer.simulate.replay import Replica, replay

DAY = 96
REPLICA = Replica(10.0, 3)
BLIND: dict[str, Policy] = {
    "static": Static(3),
    "reactive": Reactive(0.7, 5),
    "yesterday": Yesterday(DAY, 6, 1.1),
    "hedged": Hedged(20.0, DAY),
    "hedged counts with a guard": Hedged(20.0, DAY, 0.5, 0.9),
}


@pytest.fixture(scope="module")
def demand() -> NDArray[np.float64]:
    """Nine days with a daily wave, noise, a burst, and a gap."""
    rng = np.random.default_rng(7)
    step = np.arange(9 * DAY)
    wave = 60.0 + 40.0 * np.sin(2 * np.pi * step / DAY)
    series = rng.gamma(30.0, wave / 30.0)
    series[500:510] *= 3.0
    series[300:320] = np.nan
    return series


@pytest.mark.parametrize("policy", BLIND.values(), ids=BLIND)
@pytest.mark.parametrize("now", [40, 305, 505, 800])
def test_no_policy_sees_the_future(policy: Policy, now: int, demand: NDArray[np.float64]) -> None:
    other = demand.copy()
    other[now:] = np.random.default_rng(now).uniform(0.0, 500.0, demand.size - now)
    before = policy.wanted(demand, REPLICA)[: now + 1]
    assert policy.wanted(other, REPLICA)[: now + 1].tolist() == before.tolist()


@pytest.mark.parametrize("policy", BLIND.values(), ids=BLIND)
def test_the_unit_of_demand_does_not_matter(policy: Policy, demand: NDArray[np.float64]) -> None:
    # A power of two: not even rounding may tell.
    larger = policy.wanted(demand * 64.0, Replica(REPLICA.serves * 64.0, REPLICA.boot_steps))
    assert larger.tolist() == policy.wanted(demand, REPLICA).tolist()


def test_reaction_keeps_the_most_that_it_asked_for_of_late() -> None:
    demand = np.array([10.0, 40.0, 10.0, 10.0, 10.0])
    wanted = Reactive(0.5, 2).wanted(demand, REPLICA)
    assert wanted.tolist() == [2, 2, 8, 8, 2]


def test_foresight_serves_all_at_the_least_cost(demand: NDArray[np.float64]) -> None:
    asked = known(demand)
    at_once = Replica(REPLICA.serves, 0)
    wanted = Foresight().wanted(demand, at_once)
    assert replay(wanted, asked, at_once).unserved_share() == 0.0
    fewer = np.maximum(wanted - 1, 0)
    assert (replay(fewer, asked, at_once).unserved[asked > 0] > 0).all()
    hourly = Foresight(4).wanted(demand, at_once)
    assert (hourly >= wanted).all()
    assert hourly[:4].tolist() == [wanted[:4].max()] * 4


def test_yesterday_follows_the_wave(demand: NDArray[np.float64]) -> None:
    wave = 60.0 + 40.0 * np.sin(2 * np.pi * np.arange(4 * DAY) / DAY)
    wanted = Yesterday(DAY, 6).wanted(wave, REPLICA)
    later = enough(np.roll(wave, -REPLICA.boot_steps), REPLICA)
    told = slice(DAY + 10, -REPLICA.boot_steps)
    assert np.abs(wanted[told] - later[told]).max() <= 1


@pytest.mark.parametrize("make", [lambda w: Hedged(w, DAY), lambda w: Hedged(w, DAY, 0.5)])
def test_a_request_that_is_worth_more_is_served_more_often_and_costs_more(
    make: Callable[[float], Hedged], demand: NDArray[np.float64]
) -> None:
    played = [
        replay(make(worth).wanted(demand, REPLICA), demand, REPLICA) for worth in (3.0, 20.0, 200.0)
    ]
    costs = [one.cost() for one in played]
    shares = [one.unserved_share() for one in played]
    assert costs == sorted(costs)
    assert shares == sorted(shares, reverse=True)
    assert costs[0] < costs[-1]
    assert shares[0] > shares[-1]


def test_a_hedge_keeps_to_its_guard(demand: NDArray[np.float64]) -> None:
    guard = Reactive(0.9).wanted(demand, REPLICA)
    bare = Hedged(5.0, DAY).wanted(demand, REPLICA)
    guarded = Hedged(5.0, DAY, guard=0.9).wanted(demand, REPLICA)
    assert (bare < guard).any()
    assert guarded.tolist() == np.maximum(bare, guard).tolist()


def test_what_stays_the_same_is_met_exactly() -> None:
    flat = np.full(12 * DAY, 35.0)
    wanted = Hedged(50.0, DAY).wanted(flat, REPLICA)
    assert set(wanted[-DAY:].tolist()) == {4}


def test_an_unknown_start_is_no_demand() -> None:
    assert known(np.array([np.nan, 5.0, np.nan])).tolist() == [0.0, 5.0, 5.0]
    nothing = np.full(2 * DAY, np.nan)
    assert set(Hedged(50.0, DAY).wanted(nothing, REPLICA).tolist()) == {1}
