"""Plans that the exact method proves hold up to a second look; what breaks a rule does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from planned import demand_given, document_of, looked_at, plan_of
from small_worlds import random_asked

from models.rules import Rule
from optimizer.rebound import SolveAgain
from optimizer.solve.ortools_backend import OrToolsBackend
from optimizer.verify.findings import BoundState, Verdict

SEEDS = [*range(260, 300), 422]
"""In the last, a service that nobody asks for runs its minimum on spot under a spot risk rule."""
DECISIVE = [
    (1, "min"),  # of a stateless service
    (11, "min"),  # of a stateful one
    (1, "pci"),
    (3, "spot"),
    (8, "spread"),  # region
    (14, "spread"),  # cloud
    (26, "spread"),  # zone
    (8, "few"),
    (69, "risk"),
    (92, "risk"),
    (19, "slowly"),
    (53, "slowly"),
    (127, "quota"),
    (13, "fast"),
    (18, "eu"),
    (29, "budget"),
    (95, "budget"),
    (30, "w"),
    (43, "not"),
    (51, "max"),
]
"""Seeds and rules without which the cheapest plan would break them."""
NEEDED = ("service", "place", "instance_type", "purchase", "count_per_hour")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cheapest_plan_is_verified(seed: int) -> None:
    asked = random_asked(seed)
    plan = plan_of(asked)
    if plan is not None:
        found = looked_at(asked, document_of(plan))
        assert (found.violations, found.differences, found.not_checked) == ((), (), ())
        assert found.verdicts == (Verdict.VERIFIED,)
        assert found.world_is_named


def test_most_of_these_worlds_have_a_plan() -> None:
    plans = Counter(plan_of(random_asked(seed)) is not None for seed in SEEDS[:10])
    assert plans[True] >= 5


@pytest.mark.parametrize(("seed", "name"), DECISIVE)
def test_a_plan_made_without_a_rule_breaks_that_rule(seed: int, name: str) -> None:
    asked = random_asked(seed)
    rules = tuple(rule for rule in asked.world.rules if rule.name != name)
    loose = plan_of(replace(asked, world=asked.world.keeping(rules)))
    assert loose is not None
    found = looked_at(asked, document_of(loose))
    assert Verdict.RULES_BROKEN in found.verdicts
    assert Verdict.WORLD_DIFFERS in found.verdicts  # made for a world without the rule
    broken = [violation for violation in found.violations if violation.rule == name]
    assert broken != []
    assert all(violation.by > 0 and violation.unit for violation in broken)


def test_every_kind_of_rule_is_broken_somewhere() -> None:
    rules = [r for seed, name in DECISIVE for r in random_asked(seed).world.rules if r.name == name]
    assert {type(rule) for rule in rules} == {*Rule.__args__}


@pytest.mark.parametrize("seed", [1, 8, 18, 26, 30])
def test_the_bound_is_derived_anew(seed: int) -> None:
    asked = random_asked(seed)
    plan = plan_of(asked)
    assert plan is not None
    again = SolveAgain(OrToolsBackend(), time_limit_s=30.0)
    found = looked_at(asked, document_of(plan), bound=again)
    assert found.bound.state is BoundState.CONFIRMED
    assert found.holds


def test_a_bound_that_is_too_high_is_refuted_by_a_cheaper_plan() -> None:
    """Dearer instances than needed, and a bound that claims that they are the best."""
    asked = random_asked(8)
    plan = plan_of(asked)
    assert plan is not None
    document = document_of(plan)
    row = document["instances"][0]
    row["count_per_hour"] = [count + 1 for count in row["count_per_hour"]]
    for key in ("bill", "cost", "services", "demand"):
        del document[key]
    bill = looked_at(asked, document).bill
    wrong = float(bill.total_usd + bill.shadow_usd) * 0.999
    document["proof"] = {"bound_usd": f"{wrong:.6f}"}
    again = SolveAgain(OrToolsBackend(), time_limit_s=30.0)
    found = looked_at(asked, document, bound=again)
    assert found.violations == ()
    assert found.bound.state is BoundState.REFUTED
    assert found.verdicts == (Verdict.BOUND_NOT_CONFIRMED,)


def test_without_time_the_bound_is_not_confirmed() -> None:
    asked = random_asked(8)
    plan = plan_of(asked)
    assert plan is not None
    found = looked_at(asked, document_of(plan), bound=SolveAgain(OrToolsBackend(), 0.0))
    assert found.bound.state is BoundState.NOT_CONFIRMED


def test_a_plan_of_another_tool_needs_instances_and_routes_alone() -> None:
    asked = random_asked(8)
    plan = plan_of(asked)
    assert plan is not None
    whole = document_of(plan)
    bare = {key: whole[key] for key in ("format", "version", "outcome", "starts", "hours")}
    bare["world"] = {"name": asked.world.name}
    bare["instances"] = [{key: row[key] for key in NEEDED} for row in whole["instances"]]
    bare["routes"] = [{k: v for k, v in row.items() if k != "rtt_ms"} for row in whole["routes"]]
    found = looked_at(asked, bare)
    assert found.holds
    assert (found.claimed_usd, found.bound.state) == (None, BoundState.NOT_CLAIMED)
    assert float(found.bill.total_usd) == pytest.approx(float(plan.placement.bill.total_usd))
    assert not found.world_is_named
    assert demand_given(asked).total_rps is asked.demand_rps


def test_a_decomposed_world_is_decomposed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that the decomposition proves is confirmed without solving the whole problem."""
    monkeypatch.setattr("optimizer.rebound.MOST_SERVICES_AT_ONCE", 0)
    asked = random_asked(13)
    plan = plan_of(asked)
    assert plan is not None
    document = document_of(plan)
    document["proof"] = {"bound_usd": "0.640000"}  # the best plan costs 0.645
    found = looked_at(asked, document, bound=SolveAgain(OrToolsBackend(), 30.0))
    assert found.bound.state is BoundState.CONFIRMED
    assert found.bound.how == "decomposing the world again"
