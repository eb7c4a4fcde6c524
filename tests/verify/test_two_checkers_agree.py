"""Tampered placements are lawful to the verifier exactly when the naive checker says so.

The checker of the tests and the verifier share no code: sets of origins here, rerouting there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from checker import broken
from planned import document_of, laid_out, looked_at, plan_of
from small_worlds import Asked, random_asked

from models.placement import Placement
from models.rules import BudgetRule

SEEDS = range(24)
ABOUT_MONEY = ("cost", "count as", "counts as", "the bill", "cannot cover")


def without_budgets(seed: int) -> Asked:
    """The checker takes budgets from the stated bill, the verifier from what it comes to."""
    asked = random_asked(seed)
    rules = tuple(rule for rule in asked.world.rules if not isinstance(rule, BudgetRule))
    return replace(asked, world=asked.world.keeping(rules))


def tampered(asked: Asked, placement: Placement, seed: int) -> Iterator[Placement]:
    """An instance more or less, a route elsewhere, two sizes exchanged."""
    rng = np.random.default_rng(seed)
    for _ in range(3):
        counts = placement.counts.copy()
        i, j = rng.integers(len(counts), size=2).tolist()
        counts.loc[i, "count"] += int(rng.choice([-1, 1]))
        yield replace(placement, counts=counts[counts["count"] > 0].reset_index(drop=True))
        counts = placement.counts.copy()
        sizes = counts["count"].tolist()
        counts.loc[i, "count"], counts.loc[j, "count"] = sizes[j], sizes[i]
        yield replace(placement, counts=counts)
        routes = placement.routes.copy()
        region = asked.world.regions[rng.integers(len(asked.world.regions))]
        if len(routes) and not (routes["region"] == region.name).any():
            i = int(rng.integers(len(routes)))
            routes.loc[i, ["cloud", "region"]] = [region.cloud.value, region.name]
            yield replace(placement, routes=routes)


@pytest.mark.parametrize("seed", SEEDS)
def test_they_agree_on_what_is_lawful(seed: int) -> None:
    asked = without_budgets(seed)
    plan = plan_of(asked)
    if plan is None:
        return
    for placement in tampered(asked, plan.placement, seed):
        said = [fault for fault in broken(asked, placement) if not is_about_money(fault)]
        found = looked_at(asked, document_of(laid_out(asked, placement)))
        assert bool(found.violations) == bool(said), (said, found.violations)


def is_about_money(fault: str) -> bool:
    return any(word in fault for word in ABOUT_MONEY)


def test_both_lawful_and_unlawful_ones_are_seen() -> None:
    seen = set()
    for seed in SEEDS[:4]:
        asked = without_budgets(seed)
        plan = plan_of(asked)
        if plan is not None:
            for placement in tampered(asked, plan.placement, seed):
                document = document_of(laid_out(asked, placement))
                seen.add(bool(looked_at(asked, document).violations))
    assert seen == {True, False}
