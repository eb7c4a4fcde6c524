"""Planning again from what the last plan left behind: what is the same stays, and rules hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checker import broken
from separable import TOLERANCE, decomposed, simple, solved
from small_worlds import Asked

from models.errors import FaultyInput
from models.places import PlaceFilter
from models.plan import Plan
from models.rules import AllowedPlacesRule
from models.world import World
from optimizer.decompose.answer import Decomposed, Last, decompose, read_decomposed
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.gather import gather
from optimizer.plan import Memory, make_plan
from optimizer.solve.answers import Solved
from scenarios.generator import generate_world


def planned(seeds: Sequence[int]) -> list[tuple[Asked, Decomposed]]:
    """Small worlds that have a decomposed plan."""
    found = []
    for seed in seeds:
        asked = simple(seed)
        answer = decomposed(asked)
        if isinstance(answer, Decomposed) and answer.fleet is not None:
            found.append((asked, answer))
    return found


def again(asked: Asked, last: Last | None) -> Decomposed:
    world = asked.world
    found = decompose(
        world,
        survey(world),
        measure(world),
        asked.demand_rps,
        asked.direct_rps,
        asked.outlook,
        last,
    )
    assert isinstance(found, Decomposed)
    return found


@pytest.mark.parametrize("first", range(0, 60, 15))
def test_after_a_change_of_demand_rules_hold_and_the_bound_is_one(first: int) -> None:
    compared = 0
    for asked, before in planned(range(first, first + 15)):
        grown = np.ones(len(asked.world.services))
        grown[0] = 1.3
        outlook = asked.outlook
        changed = replace(
            asked,
            demand_rps=asked.demand_rps * grown[:, None, None],
            direct_rps=asked.direct_rps * grown[:, None, None],
            outlook=replace(
                outlook,
                scenario_rps=outlook.scenario_rps * grown[:, None, None],
                direct_rps=outlook.direct_rps * grown[:, None, None],
            ),
        )
        found = again(changed, before.left_behind())
        world = asked.world
        answer = solved(changed)
        if not isinstance(answer, Solved):
            assert found.fleet is None
            continue
        assert found.bound_usd <= answer.objective * (1 + TOLERANCE)
        compared += 1
        if found.fleet is not None:
            assert found.usd >= answer.bound * (1 - TOLERANCE)
            assert broken(changed, read_decomposed(found, found.fleet, measure(world))) == []
    assert compared >= 2


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("again") / "world"
    generate_world(services=80, hours=4, seed=5, out=folder, hourly=True)
    world, _ = gather(folder)
    return world


def test_the_same_world_keeps_its_plan(company: World, tmp_path: Path) -> None:
    first = Memory()
    before = make_plan(company, memory=first)
    assert first.left is not None
    file = tmp_path / "memory.npz"
    file.write_bytes(first.left.as_bytes())
    second = Memory(Last.load(file))
    after = make_plan(company, memory=second)
    assert isinstance(before, Plan)
    assert isinstance(after, Plan)
    assert after.placement.counts.equals(before.placement.counts)
    assert after.placement.routes.equals(before.placement.routes)
    assert "1 rounds" in after.placement.certificate.solver


def test_services_that_ask_for_the_same_stay_as_they_are(company: World) -> None:
    memory = Memory()
    before = make_plan(company, memory=memory)
    users = company.history.frame["service"].astype(str)
    called = {d.callee for d in company.dependencies}
    alone = next(s for s in users.unique() if s not in called)
    own = {alone}
    for _ in range(len(company.services)):
        own |= {d.callee for d in company.dependencies if d.caller in own}
    frame = company.history.frame
    grown = frame.assign(rps=frame["rps"].where(users != alone, frame["rps"] * 1.2))
    changed = replace(company, history=replace(company.history, frame=grown))
    after = make_plan(changed, memory=Memory(memory.left))
    assert isinstance(before, Plan)
    assert isinstance(after, Plan)

    def others(plan: Plan) -> list[tuple[object, ...]]:
        counts = plan.placement.counts
        kept = counts[~counts["service"].astype(str).isin(own)]
        columns = ["service", "region", "instance_type", "period", "count"]
        return sorted(map(tuple, kept[columns].astype(str).to_numpy().tolist()))

    assert others(after) == others(before)
    assert after.placement.certificate.bound_usd <= after.placement.certificate.objective_usd


def test_nobody_stays_in_a_lost_region(company: World) -> None:
    memory = Memory()
    before = make_plan(company, memory=memory)
    assert isinstance(before, Plan)
    counts = before.placement.counts
    places = counts["cloud"].astype(str) + "/" + counts["region"].astype(str)
    lost = places.value_counts().index[-1]
    everybody = tuple(service.name for service in company.services)
    gone = PlaceFilter(places=frozenset({lost}))
    rule = AllowedPlacesRule(name="lost", services=everybody, forbid=gone)
    after = make_plan(replace(company, rules=(*company.rules, rule)), memory=Memory(memory.left))
    assert isinstance(after, Plan)
    counts = after.placement.counts
    assert lost not in set(counts["cloud"].astype(str) + "/" + counts["region"].astype(str))


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04broken"])
def test_a_damaged_memory_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "memory.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FaultyInput, match=r"memory\.npz does not hold"):
        Last.load(file)
