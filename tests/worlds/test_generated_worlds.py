"""Generated worlds load without a fault and hold what they promise."""

from __future__ import annotations

import pytest

from models.offerings import Architecture
from models.rules import SpreadRule
from models.services import call_order
from models.world import World
from optimizer.formulate.reach import measure
from optimizer.gather import gather
from scenarios.generator import generate_world

SIZES_AND_SEEDS = [(1, 0), (4, 0), (10, 2), (10, 3), (30, 3), (30, 4), (300, 7), (300, 9)]


@pytest.fixture(
    scope="module", params=SIZES_AND_SEEDS, ids=lambda p: f"{p[0]}-services-seed-{p[1]}"
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    services, seed = request.param
    out = tmp_path_factory.mktemp("generated") / "world"
    generate_world(services, 36, seed, out)
    made, _ = gather(out)
    assert len(made.services) == services
    return made


def test_it_is_said_to_be_invented(world: World) -> None:
    assert "synthetic" in world.description
    assert "generate_world(" in world.history.note


def test_horizon_and_history(world: World) -> None:
    assert world.policy.horizon_hours == 36
    weeks = 4 if len(world.services) <= 200 else 2
    sizes = world.history.frame.groupby(["service", "origin"], observed=True).size()
    assert set(sizes) == {weeks * 168}


def test_three_clouds_have_a_place_near_every_origin(world: World) -> None:
    distances = measure(world)
    for rtt_ms in distances.from_origin:
        near = {r.cloud for r, ms in zip(world.regions, rtt_ms, strict=True) if ms < 40}
        assert len(near) == 3


def test_calls_have_no_cycle_and_reach_every_service_without_users(world: World) -> None:
    callers: dict[str, tuple[str, ...]] = {service.name: () for service in world.services}
    for dependency in world.dependencies:
        callers[dependency.callee] = (*callers[dependency.callee], dependency.caller)
    call_order(callers)  # raises on a cycle
    direct = set(world.history.frame["service"].astype(str))
    assert direct == {name for name, who in callers.items() if not who}


def test_workflows_leave_room_for_the_network(world: World) -> None:
    time_ms = {service.name: service.replica.service_time_ms for service in world.services}
    for workflow in world.workflows:
        ends: dict[str, float] = {}
        for step in workflow.in_order():
            begins = max((ends[name] for name in step.after), default=0.0)
            ends[step.service] = begins + time_ms[step.service]
        assert workflow.latency_objective_ms >= max(ends.values()) + 190


def test_every_service_runs_today(world: World) -> None:
    assert {group.service for group in world.fleet.groups} == {s.name for s in world.services}


def test_rules_are_mixed(world: World) -> None:
    kinds = {type(rule).__name__ for rule in world.rules}
    assert kinds >= {"BudgetRule", "QuotaRule"}
    if len(world.services) >= 10:
        assert kinds >= {"LatencyRule", "SpreadRule"}
    if len(world.services) >= 300:
        extents = {rule.survives.value for rule in world.rules if isinstance(rule, SpreadRule)}
        assert extents == {"zone", "region", "cloud"}
        assert len(kinds) == 11
        assert any(Architecture.ARM64 in s.architectures for s in world.services)
        assert any(s.replica.gpus for s in world.services)
        assert any(s.stateful for s in world.services)
