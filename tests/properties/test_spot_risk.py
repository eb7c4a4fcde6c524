"""What a spot risk rule grants is what happens: outages drawn at random, and every set of them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from referee import chance_that_more_go, may_go_at_once
from small_worlds import asked, book, world

from models.interruptions import chance_of_more, chance_of_outage, per_month_of, pools_at_once
from models.placement import Placement
from models.rules import SpotRiskRule
from models.services import Replica, Service
from models.world import Policy
from optimizer.read import read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend

PLACES = ["aws/east", "aws/west", "aws/eu", "gcp/eu"]
FAMILIES = "mcr"
RPS = 2_000.0
DRAWS = 200_000


def diversified(chance_at_most: float, per_month: float, share: float = 1.0) -> Placement:
    """The cheapest plan on twelve spot pools of different prices, with on demand dear."""
    offers = [
        (place, f"{family}.{n}", "spot", round(n * (0.01 + 0.001 * (i + j)), 4), n, 4.0 * n)
        for i, place in enumerate(PLACES)
        for j, family in enumerate(FAMILIES)
        for n in (1.0, 4.0)
    ] + [(place, "m.1", "on_demand", 0.08, 1.0, 4.0) for place in PLACES]  # fmt: skip
    rule = SpotRiskRule(
        name="risk",
        services=("web",),
        chance_at_most=chance_at_most,
        interruptions_per_month=per_month,
        share=share,
        outage_hours=2,
    )
    of = world(
        [Service("web", Replica(1, 2, 100), spot_tolerant=True)],
        book(offers),
        places=PLACES,
        rules=[rule],
        policy=Policy(horizon_hours=1, headroom=1.0),
    )
    question = asked(of, {("web", "america"): [RPS / 2], ("web", "europe"): [RPS / 2]})
    formulation = question.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=1e-3, time_limit_s=20.0)
    assert isinstance(answer, Solved)
    return read_placement(formulation, answer, "ortools", 0.0)


def capacities(placement: Placement) -> tuple[float, np.ndarray]:
    """rps on demand, and of each spot pool (place and family)."""
    counts = placement.counts.assign(family=placement.counts["instance_type"].str[0])
    spot = counts[counts["purchase"] == "spot"]
    pools = spot.groupby(["cloud", "region", "family"])["capacity_rps"].sum().to_numpy()
    return float(counts["capacity_rps"].sum() - pools.sum()), pools


@pytest.mark.parametrize(
    ("chance_at_most", "per_month", "share"),
    [(0.05, 30, 1.0), (0.01, 30, 0.8), (0.001, 30, 0.5), (0.02, 60, 1.0)],
)
def test_too_little_is_left_no_more_often_than_granted(
    chance_at_most: float, per_month: float, share: float
) -> None:
    placement = diversified(chance_at_most, per_month, share)
    always, pools = capacities(placement)
    assert len(pools) >= 3  # it does pay to spread
    gone = np.random.default_rng(7).random((DRAWS, len(pools))) < chance_of_outage(per_month, 2)
    left = always + (~gone) @ pools
    short = float(np.mean(left < share * RPS - 1e-6))
    deviation = np.sqrt(chance_at_most / DRAWS)
    assert short <= chance_at_most + 4 * deviation
    assert placement.spot_risk["chance_in_plan"].max() <= chance_at_most


def test_without_the_rule_one_outage_would_be_too_much() -> None:
    always, pools = capacities(diversified(0.9, 30))
    assert always == 0
    assert len(pools) == 1


def test_whatever_may_go_at_once_leaves_enough() -> None:
    placement = diversified(0.01, 30, 0.8)
    at_once = int(placement.spot_risk["at_once"].iloc[0])
    assert at_once >= 2
    always, pools = capacities(placement)
    for lost in combinations(range(len(pools)), at_once):
        assert always + np.delete(pools, lost).sum() >= 0.8 * RPS - 1e-6


def test_the_tail_is_that_of_every_set_of_pools() -> None:
    rng = np.random.default_rng(3)
    for size in range(9):
        chances = rng.uniform(0, 0.6, size)
        for at_once in range(size + 1):
            expected = chance_that_more_go(chances.tolist(), at_once)
            assert chance_of_more(chances, at_once) == pytest.approx(expected, rel=1e-12)
        for granted in (0.5, 0.03, 1e-5):
            assert pools_at_once(chances, granted) == may_go_at_once(chances.tolist(), granted)


def test_tiny_tails_keep_their_digits() -> None:
    chances = np.full(3, 1e-6)
    assert chance_of_more(chances, 2) == pytest.approx(1e-18, rel=1e-6)


def test_chances_follow_from_how_often_and_how_long() -> None:
    assert chance_of_outage(0.0, 5.0) == 0.0
    assert chance_of_outage(7.3, 1.0) == pytest.approx(1 - np.exp(-0.01))
    assert chance_of_outage(per_month_of(0.2), 730.0) == pytest.approx(0.2)
