"""Digests tell worlds apart by what decides, and by nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from small_worlds import Asked

from models.errors import Location
from models.latency import RoundTrips
from models.world import DemandFactor, World
from optimizer.digests import world_digests
from optimizer.gather import gather

SHOP = Path("scenarios/shop/world.yaml")
CHANGES: dict[str, Callable[[World], World]] = {
    "services": lambda w: replace(
        w, services=(replace(w.services[0], min_replicas=9), w.services[1])
    ),
    "origins": lambda w: replace(w, origins=w.origins[:1]),
    "dependencies": lambda w: replace(w, dependencies=()),
    "workflows": lambda w: replace(w, workflows=()),
    "rules": lambda w: replace(w, rules=w.rules[1:]),
    "policy": lambda w: replace(w, policy=replace(w.policy, headroom=0.5)),
    "fleet": lambda w: replace(w, fleet=replace(w.fleet, groups=())),
    "history": lambda w: replace(
        w, history=replace(w.history, frame=w.history.frame.reindex(columns=["rps"]))
    ),
    "regions": lambda w: replace(w, regions=(replace(w.regions[0], zones=9), *w.regions[1:])),
    "book": lambda w: replace(
        w, book=w.book.matching(w.book.offerings["price_usd_per_hour"] > 0.05)
    ),
    "egress": lambda w: replace(
        w, egress={**w.egress, "aws/eu": replace(w.egress["aws/eu"], internet_usd_per_gb=9.0)}
    ),
    "round_trips": lambda w: replace(w, round_trips=RoundTrips(factor=2.0)),
    "demand_factors": lambda w: replace(w, demand_factors=(DemandFactor(2.0),)),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_change_shows_in_its_own_part_alone(case: Asked, part: str) -> None:
    before, after = world_digests(case.world), world_digests(CHANGES[part](case.world))
    differ = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert differ == {part}


def test_what_decides_nothing_is_left_out(case: Asked) -> None:
    world = case.world
    said = replace(
        world,
        at=Location("elsewhere.yaml", 7),
        description="other words",
        rules=tuple(replace(rule, at=Location("a", 1), why="so") for rule in world.rules),
        policy=replace(world.policy, time_limit_s=1.0, gap_target=0.5),
    )
    assert world_digests(said) == world_digests(world)


def test_another_process_finds_the_same() -> None:
    """Sets are ordered anew in every process; digests are not."""
    world, _ = gather(SHOP)
    code = (
        "from pathlib import Path; from optimizer.gather import gather; "
        "from optimizer.digests import world_digests; "
        f"print(sorted(world_digests(gather(Path({str(SHOP)!r}))[0]).items()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == str(sorted(world_digests(world).items()))
