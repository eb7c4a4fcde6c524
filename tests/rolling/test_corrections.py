"""Corrections serve what is needed, keep quotas and the share of spot, and keep what runs first."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rolling_worlds import days
from small_worlds import STARTS, book

from models.offerings import Purchase
from models.places import PlaceFilter
from models.rules import QuotaRule, Rule, SpotRiskRule, SpotShareRule
from optimizer.rolling.correct import corrected
from optimizer.rolling.facts import Facts, GroupKey
from optimizer.rolling.state import Cohort

WORLD = days(1).world
HALF = SpotShareRule(name="half", services=("shop",), at_most=0.5)
MOST = SpotShareRule(name="most", services=("shop",), at_most=0.9)
RISK = SpotRiskRule(
    name="risk", services=("shop",), chance_at_most=0.01, interruptions_per_month=1.0
)
SHARES = {(): 1.0, (HALF,): 0.5, (MOST,): 0.9, (MOST, HALF): 0.5, (RISK,): 0.0}
"""What of the shop may run on spot, by rules."""
STEADY = GroupKey("shop", "aws/east", "m.2", Purchase.ON_DEMAND)
SPOT = GroupKey("shop", "aws/east", "m.2", Purchase.SPOT)
EACH_RPS = 40.0
"""What one of either serves: two replicas of 20."""
STOCK = GroupKey("stock", "aws/east", "m.2", Purchase.ON_DEMAND)
CORES = {"m.2": 2, "m.8": 8}


@cache
def facts_with(rules: tuple[Rule, ...]) -> Facts:
    return Facts(replace(WORLD, rules=(*WORLD.rules, *rules)))


def needing(facts: Facts, rps: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    needed = np.zeros(facts.shape)
    needed[facts.world.service_index["shop"], facts.region_index["aws/east"]] = rps
    return needed


def running(steady: int, spot: int) -> tuple[Cohort, ...]:
    both = ((STEADY, steady), (SPOT, spot))
    return tuple(Cohort(key, STARTS, count) for key, count in both if count)


def served(facts: Facts, wanted: dict[GroupKey, int], *, spot: bool | None = None) -> float:
    own = [key for key in wanted if spot is None or (key.purchase is Purchase.SPOT) == spot]
    serves = facts.roster(own).serves_rps
    return sum(wanted[key] * float(rps) for key, rps in zip(own, serves, strict=True))


@pytest.mark.parametrize("rules", SHARES)
@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    st.integers(0, 9), st.integers(0, 9), st.integers(0, 12), st.integers(0, 12),
    st.floats(0.0, 1500.0),
)  # fmt: skip
def test_corrections_serve_what_is_needed_and_keep_to_the_share_of_spot(
    rules: tuple[Rule, ...], steady: int, spot: int, beside: int, beside_spot: int, rps: float
) -> None:
    share, facts = SHARES[rules], facts_with(rules)
    spot = min(spot, int(share * steady / (1 - share) + 1e-9)) if share < 1 else spot
    plan = {key: n for key, n in ((STEADY, steady), (SPOT, spot)) if n}
    runs = running(steady + beside, spot + beside_spot)
    found = corrected(facts, plan, needing(facts, rps), runs).wanted
    assert served(facts, found) >= rps - 1e-6
    assert served(facts, found, spot=True) <= share * served(facts, found) + 1e-6
    assert all(found[key] >= n for key, n in plan.items())
    kept = corrected(facts, plan, needing(facts, rps), runs, starts=False).wanted
    there = {cohort.key: cohort.count for cohort in runs}
    assert all(n <= max(plan.get(key, 0), there.get(key, 0)) for key, n in kept.items())
    assert served(facts, kept, spot=True) <= share * served(facts, kept) + 1e-6


@pytest.mark.parametrize("rules", SHARES)
def test_as_much_is_on_spot_as_may_be(rules: tuple[Rule, ...]) -> None:
    """Spot costs 0.06 here, 0.10 what is on demand."""
    facts = facts_with(rules)
    found = corrected(facts, {}, needing(facts, 20 * EACH_RPS), ()).wanted
    assert served(facts, found, spot=True) == pytest.approx(SHARES[rules] * 20 * EACH_RPS)
    assert served(facts, found) == pytest.approx(20 * EACH_RPS)


def test_what_runs_is_kept_before_anything_cheaper_is_started() -> None:
    facts = facts_with((HALF,))
    found = corrected(facts, {}, needing(facts, 4 * EACH_RPS), running(4, 0)).wanted
    assert found == {STEADY: 4}
    assert corrected(facts, {}, needing(facts, 2 * EACH_RPS), running(4, 3)).wanted == {
        STEADY: 1, SPOT: 1,
    }  # fmt: skip


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=3, max_size=3), st.integers(0, 9), st.integers(0, 80),
    st.integers(0, 30), st.sampled_from((None, True, False)), st.floats(0.0, 2000.0),
)  # fmt: skip
def test_corrections_fill_quotas_and_no_more(
    planned: list[int], beside: int, vcpus: int, instances: int, spot: bool | None, rps: float
) -> None:
    both = QuotaRule(
        name="both",
        where=PlaceFilter(),
        spot=spot,
        vcpus_at_most=vcpus,
        instances_at_most=instances,
    )
    facts = Facts(replace(WORLD, rules=(*WORLD.rules, HALF, both)))
    plan = {key: n for key, n in zip((STEADY, SPOT, STOCK), planned, strict=True) if n}
    needed = needing(facts, rps)
    needed[facts.world.service_index["stock"], facts.region_index["aws/east"]] = rps
    found = corrected(facts, plan, needed, running(beside, beside)).wanted

    def used(groups: dict[GroupKey, int]) -> tuple[int, int]:
        """Virtual cores and instances that count."""
        here = {k: n for k, n in groups.items() if spot in (None, k.purchase is Purchase.SPOT)}
        return sum(n * CORES[k.instance_type] for k, n in here.items()), sum(here.values())

    assert used(found)[0] <= max(vcpus, used(plan)[0])
    assert used(found)[1] <= max(instances, used(plan)[1])
    for steady in (STEADY, STOCK):
        own = {key: n for key, n in found.items() if key.service == steady.service}
        if served(facts, own) < rps - 1e-6:
            cores, count = used({**found, steady: found.get(steady, 0) + 1})
            assert cores > vcpus or count > instances


@cache
def crowded(seed: int) -> Facts:
    """Forty kinds in one place, many of them equally dear."""
    cores = np.random.default_rng(seed).integers(1, 17, 40).tolist()
    offers = [
        ("aws/east", f"k.{i}", "on_demand", round(0.05 * n, 2), n, 2 * n)
        for i, n in enumerate(cores)
    ]
    return Facts(replace(WORLD, book=book(offers), rules=()))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 3), st.floats(0.1, 5000.0))
def test_the_best_to_start_serve_what_lacks_for_the_least(seed: int, lacking: float) -> None:
    facts = crowded(seed)
    at = facts.world.service_index["shop"], facts.region_index["aws/east"]
    rated = []
    for i, row in enumerate(facts.world.book.offerings.to_dict("records")):
        replicas = int(min(row["vcpus"] / 1.0, row["memory_gib"] / 2.0))
        count = np.ceil(lacking / (replicas * 20.0) - 1e-9)
        usd = count * row["price_usd_per_hour"]
        rated.append((usd, count * replicas, i, row["instance_type"]))
    kinds = [key.instance_type for key in facts.spare(*at, lacking)]
    assert kinds == [kind for *_, kind in sorted(rated)[:8]]
