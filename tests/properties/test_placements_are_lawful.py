"""Every placement keeps every rule and is billed right, by a checker that shares no code."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from checker import broken
from small_worlds import Asked, random_asked

from models.placement import BillLine, Placement, Term
from models.rules import Extent, SpreadRule
from models.world import World
from optimizer.bill import compute_lines
from optimizer.emissions import carbon_of_counts
from optimizer.read import read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend

SLOW = {152, 239}
SEEDS = [seed for seed in range(140, 260) if seed not in SLOW]
CHECKED_IN_DEPTH = [1, 2, 8, 12, 16, 18, 39]
DECISIVE = [
    (1, "min"),  # of a stateless service
    (11, "min"),  # of a stateful one
    (1, "pci"),
    (58, "pci"),
    (3, "spot"),
    (14, "spot"),
    (8, "spread"),  # region
    (14, "spread"),  # cloud
    (26, "spread"),  # zone
    (8, "few"),
    (127, "quota"),
    (13, "fast"),
    (18, "eu"),
    (29, "budget"),
    (95, "budget"),
    (30, "w"),
    (43, "not"),
    (51, "max"),
    (69, "risk"),
    (92, "risk"),
    (19, "slowly"),
    (53, "slowly"),
]
"""Seeds and rules without which the plan would cost less."""


def placement_for(asked: Asked) -> Placement | None:
    formulation = asked.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=30.0)
    if not isinstance(answer, Solved):
        return None
    return read_placement(formulation, answer, "ortools", 0.0)


def lawful(seed: int) -> tuple[Asked, Placement]:
    asked = random_asked(seed)
    placement = placement_for(asked)
    assert placement is not None
    return asked, placement


@pytest.mark.parametrize("seed", SEEDS)
def test_random_placements_are_lawful(seed: int) -> None:
    asked = random_asked(seed)
    placement = placement_for(asked)
    if placement is not None:
        assert broken(asked, placement) == []


@pytest.mark.parametrize("seed", CHECKED_IN_DEPTH)
def test_an_instance_less_is_noticed(seed: int) -> None:
    """The plan is the cheapest lawful one, so whatever costs less breaks a rule."""
    asked, placement = lawful(seed)
    for row in range(len(placement.counts)):
        one = pd.Series(range(len(placement.counts))).eq(row).astype(int)
        counts = placement.counts.assign(count=placement.counts["count"] - one)
        fewer = replace(placement, counts=counts[counts["count"] > 0].reset_index(drop=True))
        assert broken(asked, rebilled(fewer, asked.world)) != []


@pytest.mark.parametrize(("seed", "name"), DECISIVE)
def test_what_is_cheaper_without_a_rule_is_seen_to_break_it(seed: int, name: str) -> None:
    asked, placement = lawful(seed)
    rules = tuple(rule for rule in asked.world.rules if rule.name != name)
    loose = placement_for(replace(asked, world=asked.world.keeping(rules)))
    assert loose is not None
    assert loose.certificate.objective_usd < placement.certificate.objective_usd
    assert any(fault.startswith(f"{name}: ") for fault in broken(asked, loose))


def test_every_kind_of_rule_is_decisive_somewhere() -> None:
    rules = [r for seed, name in DECISIVE for r in random_asked(seed).world.rules if r.name == name]
    assert len({type(rule) for rule in rules}) == 13
    assert {r.survives for r in rules if isinstance(r, SpreadRule)} == set(Extent)


def rebilled(placement: Placement, world: World) -> Placement:
    """With compute and carbon as its counts deserve, so that only rules can be broken."""
    others = [line for line in placement.bill.lines if line.term is not Term.COMPUTE]
    lines = (*compute_lines(placement.counts), *others)
    bill = replace(placement.bill, lines=lines, shadow=carbon_of_counts(world, placement.counts))
    objective = float(bill.total_usd + bill.shadow_usd)
    certificate = replace(placement.certificate, objective_usd=objective)
    return replace(placement, bill=bill, certificate=certificate)


@pytest.mark.parametrize("seed", CHECKED_IN_DEPTH)
def test_a_route_to_where_nothing_runs_is_noticed(seed: int) -> None:
    asked, placement = lawful(seed)
    counts = placement.counts
    tried = 0
    for row, service in enumerate(placement.routes["service"]):
        own = counts[counts["service"] == service]
        runs = set(own["cloud"].astype(str) + "/" + own["region"].astype(str))
        for region in asked.world.regions:
            if region.place not in runs:
                routes = placement.routes.copy()
                routes.loc[row, ["cloud", "region"]] = [region.cloud.value, region.name]
                assert broken(asked, replace(placement, routes=routes)) != []
                tried += 1
    assert tried > 0


@pytest.mark.parametrize("seed", CHECKED_IN_DEPTH)
def test_half_of_all_routes_is_noticed(seed: int) -> None:
    asked, placement = lawful(seed)
    routes = placement.routes.assign(share=placement.routes["share"] / 2)
    assert any("add up" in fault for fault in broken(asked, replace(placement, routes=routes)))


@pytest.mark.parametrize("term", [Term.COMPUTE, Term.EGRESS_INTERNET])
def test_a_wrong_bill_is_noticed(term: Term) -> None:
    asked, placement = lawful(8)

    def dearer(line: BillLine) -> BillLine:
        return replace(line, usd=line.usd * 2) if line.term is term else line

    bill = replace(placement.bill, lines=tuple(map(dearer, placement.bill.lines)))
    assert broken(asked, replace(placement, bill=bill)) != []
