"""Small worlds, decomposed and solved as one problem: the truth lies between plan and bound."""

from __future__ import annotations

import pytest
from checker import broken
from separable import TOLERANCE, decomposed, simple, solved

from optimizer.decompose.answer import NotSeparable, read_decomposed
from optimizer.formulate.reach import measure
from optimizer.solve.answers import ProvenInfeasible, Solved

WORLDS = 160


@pytest.mark.parametrize("first", range(0, WORLDS, 20))
def test_the_truth_lies_between_plan_and_bound(first: int) -> None:
    compared = planned = 0
    for seed in range(first, first + 20):
        asked = simple(seed)
        found = decomposed(asked)
        if isinstance(found, NotSeparable):
            continue
        answer = solved(asked)
        if isinstance(answer, ProvenInfeasible):
            assert found.fleet is None, f"seed {seed}: a plan where there is none"
            continue
        assert isinstance(answer, Solved)
        compared += 1
        assert found.bound_usd <= answer.objective * (1 + TOLERANCE), f"seed {seed}"
        if found.fleet is None:
            continue
        planned += 1
        assert found.usd >= answer.bound * (1 - TOLERANCE), f"seed {seed}"
        placement = read_decomposed(found, found.fleet, measure(asked.world))
        assert broken(asked, placement) == [], f"seed {seed}"
        counted = float(placement.bill.total_usd + placement.bill.shadow_usd)
        assert counted == pytest.approx(found.usd, rel=1e-3), f"seed {seed}"
    assert compared >= 4
    assert planned >= 3


def test_most_plans_cost_little_more_than_the_cheapest() -> None:
    """Worlds of two services are the hardest: nobody else fills what quotas and levels leave."""
    as_good = worlds = 0
    for seed in range(40):
        asked = simple(seed)
        found = decomposed(asked)
        if isinstance(found, NotSeparable) or found.fleet is None:
            continue
        answer = solved(asked)
        assert isinstance(answer, Solved)
        worlds += 1
        as_good += found.usd <= answer.objective * 1.05
    assert as_good >= 0.7 * worlds
