"""What a replica costs, where, and how long requests may wait for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from played_worlds import played_world
from small_worlds import ORIGINS

from models.errors import FaultyInput
from models.rules import LatencyRule, SpotShareRule
from models.services import Replica, Service
from optimizer.simulate.asked import asked_by_history
from optimizer.simulate.cloud import LATE_SHARE, Billing, knee
from optimizer.simulate.machines import Settings, bought
from optimizer.simulate.waiting import late_share


def test_replicas_are_bought_where_users_may_be_served() -> None:
    world = played_world()
    front, back = bought(world, asked_by_history(world), Settings())
    # Its users are in Europe, and within 60 ms; the other place is cheaper.
    assert (front.place, front.instance_type, front.purchase) == ("aws/eu", "m5.large", "on_demand")
    assert front.machine.usd_per_hour == pytest.approx(0.05)
    assert not front.machine.spot
    (rtt,) = world.round_trips.between(
        {"europe": ORIGINS["europe"].coordinates},
        {"aws/eu": next(r.coordinates for r in world.regions if r.place == "aws/eu")},
    ).ravel()
    assert front.machine.wait_s == pytest.approx((60.0 - 20.0 - rtt) / 1000)
    assert front.machine.boot_s == 60.0
    # Only called: any place will do. The large type would hold a hundred, and few are needed.
    assert (back.place, back.instance_type) == ("aws/east", "m5.large")
    assert back.machine.usd_per_hour == pytest.approx(0.04)
    assert back.machine.wait_s == 0.1
    assert back.machine.boot_s == 120.0


def test_spot_is_used_where_nothing_limits_it() -> None:
    world = played_world(spot=True)
    front, _ = bought(world, asked_by_history(world), Settings())
    assert (front.purchase, front.machine.spot) == ("spot", True)
    assert front.machine.usd_per_hour == pytest.approx(0.02)
    assert front.machine.on_demand_usd_per_hour == pytest.approx(0.05)
    assert front.machine.hazards.monthly_interruption == 0.05
    limit = SpotShareRule(name="half", services=("front",), at_most=0.5)
    limited = played_world((limit,), spot=True)
    front, _ = bought(limited, asked_by_history(limited), Settings(monthly_interruption=0.2))
    assert front.purchase == "on_demand"
    assert front.machine.hazards.monthly_interruption == 0.2


def test_services_that_may_run_nowhere_are_named() -> None:
    far = LatencyRule(name="now", service="back", within_ms=1.0)
    world = played_world((far,))
    with pytest.raises(FaultyInput, match="no offering may hold a replica of 'back'"):
        bought(world, asked_by_history(world), Settings())


def test_the_knee_is_where_one_replica_just_keeps_its_objective() -> None:
    for slots, wait_s in ((1, 0.05), (4, 0.02), (1, 0.0), (20, 1.0)):
        load = knee(slots, 10.0, wait_s)
        assert 0 < load <= 1
        late = late_share(load, float(slots), load * slots / 10.0, wait_s, 1.0)
        assert late == pytest.approx(LATE_SHARE, rel=1e-6)


@pytest.mark.parametrize(
    ("billing", "life_s", "paid_s"),
    [
        (Billing(), 5, 60), (Billing(), 61, 61), (Billing(3600, 3600), 3600, 3600),
        (Billing(3600, 3600), 3601, 7200), (Billing(1, 0), 0, 0),
    ],
)  # fmt: skip
def test_bills_are_in_whole_steps(billing: Billing, life_s: int, paid_s: int) -> None:
    assert billing.seconds(life_s) == paid_s


def test_min_replicas_are_the_services() -> None:
    world = played_world()
    several = Service("front", Replica(1.0, 2.0, 10.0, 20.0), min_replicas=7)
    world = replace(world, services=(several, world.services[1]))
    front, _ = bought(world, asked_by_history(world), Settings(max_replicas=9))
    assert (front.machine.min_replicas, front.machine.max_replicas) == (7, 9)
