"""Instances run for a minimum time: plans start less often, and none is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from checker import broken
from small_worlds import Asked, asked, book, world

from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.placement import Placement
from models.services import Replica, Service
from models.world import Policy
from optimizer.output.summary import starts_per_day
from optimizer.read import read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend

EAST = "aws/east"
WEB = Service("web", Replica(1, 4, 100))
OFFERS = book([(EAST, "m.1", "on_demand", 0.052, 1, 4), (EAST, "m.2", "on_demand", 0.1, 2, 8)])


def flapping(least: int, *, own: int | None = None, hours: int = 24, count_hours: int = 1) -> Asked:
    """Demand that rises and falls from hour to hour around a daily wave."""
    wave = 1400 + 300 * np.sin(np.arange(hours) / 24 * 2 * np.pi)
    noise = np.random.default_rng(5).uniform(-600, 600, hours)
    of = world(
        [replace(WEB, minimum_run_hours=own)],
        OFFERS,
        places=[EAST],
        origins=["america"],
        policy=Policy(
            horizon_hours=hours,
            headroom=1.0,
            gap_target=0.0,
            minimum_run_hours=least,
            count_hours=count_hours,
            route_hours=count_hours,
        ),
    )
    return asked(of, {("web", "america"): (wave + noise).round().tolist()})


def solved(question: Asked) -> Placement:
    formulation = question.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=20.0)
    assert isinstance(answer, Solved)
    placement = read_placement(formulation, answer, "ortools", 0.0)
    assert broken(question, placement) == []
    return placement


def starts(placement: Placement) -> float:
    return starts_per_day(placement)["web"]


def test_plans_start_less_often_at_little_cost() -> None:
    plans = [solved(flapping(least)) for least in (1, 8, 12)]
    per_day = [starts(plan) for plan in plans]
    cost = [plan.certificate.objective_usd for plan in plans]
    assert per_day[0] > per_day[1] > per_day[2]
    assert per_day[2] < 0.7 * per_day[0]
    assert cost[0] < cost[1] < cost[2] < 1.1 * cost[0]


def test_a_service_may_differ_from_the_policy() -> None:
    same = [solved(flapping(4)), solved(flapping(1, own=4)), solved(flapping(9, own=4))]
    assert len({round(plan.certificate.objective_usd, 6) for plan in same}) == 1
    free = solved(flapping(4, own=1)).certificate.objective_usd
    assert free == pytest.approx(solved(flapping(1)).certificate.objective_usd)


def test_hours_are_rounded_up_to_blocks() -> None:
    two = solved(flapping(2, count_hours=2)).certificate.objective_usd
    assert two == pytest.approx(solved(flapping(1, count_hours=2)).certificate.objective_usd)
    three, four = (solved(flapping(n, count_hours=2)).certificate.objective_usd for n in (3, 4))
    assert three == pytest.approx(four)
    assert three > two


@pytest.mark.parametrize(
    ("fleet", "expected"),
    [
        ((), [5, 1, 1, 1]),  # nothing runs today: the first hour is free
        ((Group("web", EAST, "m.1", Purchase.ON_DEMAND, 5),), [5, 1, 1, 1]),  # so is what runs
        ((Group("web", EAST, "m.1", Purchase.ON_DEMAND, 2),), [5, 3, 3, 1]),  # three start
    ],
)
def test_the_first_hour_follows_what_runs_today(
    fleet: tuple[Group, ...], expected: list[int]
) -> None:
    of = world(
        [WEB],
        book([(EAST, "m.1", "on_demand", 0.05, 1, 4)]),
        places=[EAST],
        origins=["america"],
        policy=Policy(horizon_hours=4, headroom=1.0, gap_target=0.0, minimum_run_hours=3),
        fleet=Fleet(fleet),
    )
    placement = solved(asked(of, {("web", "america"): [500.0, 100.0, 100.0, 100.0]}))
    counts = placement.counts.groupby("period")["count"].sum()
    assert counts.tolist() == expected


def test_the_end_of_the_plan_cuts_short() -> None:
    of = world(
        [WEB],
        book([(EAST, "m.1", "on_demand", 0.05, 1, 4)]),
        places=[EAST],
        origins=["america"],
        policy=Policy(horizon_hours=4, headroom=1.0, gap_target=0.0, minimum_run_hours=24),
    )
    placement = solved(asked(of, {("web", "america"): [100.0, 100.0, 400.0, 100.0]}))
    assert placement.counts["count"].tolist() == [1, 1, 4, 3]  # the first may stop
