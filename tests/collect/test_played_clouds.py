"""Simulated clouds: the same script plays the same play."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.actions import Effect, Resize, SetWeights, Target
from models.cloud_errors import Conflicting, NotAccepted, QuotaReached, Throttled
from models.inventory import InstanceState
from models.offerings import Purchase
from providers.seam import Scope
from providers.simulated.machines import Machines, Pool
from providers.simulated.script import (
    NeverHealthy,
    NoCapacity,
    Reclaim,
    Script,
    Span,
    Throttling,
)

PLACE = Scope("aws", "simulated", "us-east-1")


def _pool(played: Any, index: int = 0) -> tuple[Any, Any, Pool]:
    clouds, providers = played
    return clouds[0], providers[0], list(clouds[0].machines.pools.values())[index]


def test_new_instances_boot(played: Callable[..., Any]) -> None:
    cloud, provider, pool = _pool(played())
    target = Target("simulated", pool.place, pool.id)
    provider.hands.act(Resize(target, pool.desired + 3), "t")
    states = [one.state for one in provider.inventory.instances(PLACE) if one.group == pool.id]
    assert states.count(InstanceState.STARTING) == 3
    cloud.advance(1.5 * cloud.script.boot_s)
    states = [one.state for one in provider.inventory.instances(PLACE) if one.group == pool.id]
    assert set(states) == {InstanceState.RUNNING}


def test_the_same_seed_plays_the_same(played: Callable[..., Any]) -> None:
    plays = []
    for seed in (3, 3, 4):
        events = (Reclaim(50.0, share=0.5), NoCapacity(purchase="spot", when=Span(0.0, 500.0)))
        clouds, _ = played(*events, seed=seed)
        for cloud in clouds:
            cloud.advance(100.0)
        machines = [one for cloud in clouds for one in cloud.machines.machines.values()]
        plays.append([(one.id, one.zone, one.serves_s) for one in machines])
    assert plays[0] == plays[1]
    assert plays[0] != plays[2]


def test_time_in_one_step_or_in_many(played: Callable[..., Any]) -> None:
    ends = []
    for steps in (1, 50):
        clouds, _ = played(Reclaim(33.0, share=0.7))
        for _ in range(steps):
            clouds[0].advance(100.0 / steps)
        ends.append(sorted(clouds[0].machines.machines))
    assert ends[0] == ends[1]


def test_reclaimed_spot_comes_back_when_there_is_some(played: Callable[..., Any]) -> None:
    lacking = NoCapacity(purchase="spot", when=Span(0.0, 300.0))
    clouds, _ = played(Reclaim(60.0), lacking)
    cloud = clouds[0]
    pool = Pool("p", "p", "aws/us-east-1", ("a",), 0, 4, 9, ("c5.large",), 1, 1.0)
    cloud.machines.pools["p"] = pool
    for i in range(4):
        cloud.machines.start(pool.place, "a", "c5.large", pool.purchase_of(i), "p", running=True)
    cloud.advance(100.0)
    assert [one.purchase for one in cloud.machines.members("p")] == [Purchase.ON_DEMAND]
    assert "no spot capacity" in pool.lacking
    cloud.advance(250.0)
    assert len(cloud.machines.members("p")) == 4
    assert pool.lacking == ""


def test_groups_that_never_get_healthy(played: Callable[..., Any]) -> None:
    cloud, provider, pool = _pool(played(NeverHealthy()))
    before = pool.desired
    provider.hands.act(Resize(Target("simulated", pool.place, pool.id), before + 2), "t")
    cloud.advance(10_000.0)
    (group,) = (one for one in provider.inventory.groups(PLACE) if one.id == pool.id)
    assert group.desired == before + 2
    assert group.healthy == before


def test_quotas_bind(played: Callable[..., Any]) -> None:
    cloud, provider, _ = _pool(played())
    (quota,) = provider.inventory.quotas(PLACE)
    assert quota.families == ("g4dn",)
    pool = next(p for p in cloud.machines.pools.values() if "g4dn" in p.instance_types[0])
    assert quota.used == 16.0 * pool.desired
    before = pool.desired
    with pytest.raises(QuotaReached, match="vCPUs are in use"):
        provider.hands.act(Resize(Target("simulated", pool.place, pool.id), 100_000), "t")
    assert pool.desired == before


def test_too_many_calls_in_a_second(played: Callable[..., Any]) -> None:
    clouds, providers = played(Throttling(2))
    inventory, now_s = providers[0].inventory, [100.0]
    clouds[0].clock = lambda: now_s[0]
    for _ in range(2):  # a second of whoever asks, then one of the play
        list(inventory.groups(PLACE))
        list(inventory.groups(PLACE))
        with pytest.raises(Throttled):
            list(inventory.groups(PLACE))
        now_s[0] += 1.0
    list(inventory.groups(PLACE))
    list(inventory.groups(PLACE))
    clouds[0].advance(1.0)
    list(inventory.groups(PLACE))


def test_a_token_stands_for_one_action(played: Callable[..., Any]) -> None:
    _, provider, pool = _pool(played())
    target = Target("simulated", pool.place, pool.id)
    provider.hands.act(Resize(target, pool.desired + 1), "t")
    with pytest.raises(Conflicting, match="stands for something else"):
        provider.hands.act(Resize(target, pool.desired + 1), "t")


def test_weights(played: Callable[..., Any]) -> None:
    cloud, provider, _ = _pool(played())
    action = SetWeights("simulated", "zone", "www", (("blue", 10), ("green", 90)))
    assert provider.hands.act(action, "a").effect is Effect.DONE
    assert provider.hands.act(action, "b").effect is Effect.ALREADY
    assert cloud.weights["zone", "www"] == {"blue": 10, "green": 90}
    with pytest.raises(NotAccepted):
        provider.hands.act(SetWeights("simulated", "zone", "www", (("blue", 256),)), "c")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 5),
    st.floats(0, 1),
    st.lists(st.integers(0, 12), min_size=1, max_size=6),
)
def test_groups_hold_what_they_should(base: int, share: float, sizes: list[int]) -> None:
    machines = Machines("aws", datetime(2026, 1, 1, tzinfo=UTC), Script())
    pool = Pool("p", "p", "aws/x", ("a", "b"), 0, 0, 99, ("t",), base, share)
    machines.pools["p"] = pool
    for size in sizes:
        pool.desired = size
        machines.settle(pool)
        members = machines.members("p")
        assert len(members) == size
        on_demand = sum(one.purchase is Purchase.ON_DEMAND for one in members)
        spot = size - on_demand
        beyond = max(size - base, 0)
        assert on_demand >= min(size, base)
        assert abs(spot - share * beyond) < 1 + 1e-6
