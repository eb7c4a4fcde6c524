"""Objectives of latency less the way, against sums by hand and every way through a workflow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_worlds import ORIGINS, REGIONS, book, world

from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.rules import LatencyRule, Rule, WorkflowRule
from models.services import Replica, Service, Step, Workflow
from models.world import World
from optimizer.foresight.objectives import STATED, Objective, objectives

PLACES = tuple(sorted(REGIONS))
USERS = tuple(ORIGINS)


def a_world(
    at: dict[str, str], own_ms: dict[str, float], rules: list[Rule], workflows: list[Workflow]
) -> World:
    return world(
        [Service(name, Replica(1.0, 2.0, 50.0, ms)) for name, ms in own_ms.items()],
        book([(place, "m5.large", "on_demand", 0.1, 2, 8) for place in PLACES]),
        fleet=Fleet(
            tuple(Group(n, place, "m5.large", Purchase.ON_DEMAND, 2) for n, place in at.items())
        ),
        rules=rules,
        workflows=workflows,
    )


def trip(it: World, here: str, there: str) -> float:
    """Between two origins or places."""
    points = {o.name: o.coordinates for o in it.origins}
    points |= {r.place: r.coordinates for r in it.regions}
    return float(it.round_trips.between({here: points[here]}, {there: points[there]})[0, 0])


def test_the_tightest_rule_less_the_way_counts_and_what_is_stated_elsewhere() -> None:
    rules: list[Rule] = [
        LatencyRule(name="all", service="a", within_ms=900.0),
        LatencyRule(name="one", service="a", within_ms=850.0, origins=USERS[:1]),
        LatencyRule(name="nowhere", service="c", within_ms=500.0),
        LatencyRule(name="too far", service="d", within_ms=0.001),
    ]
    own = {"a": 20.0, "b": 30.0, "c": 40.0, "d": 0.0}
    it = a_world({"a": PLACES[0], "d": PLACES[0]}, own, rules, [])
    found = objectives(it)
    far = max(trip(it, name, PLACES[0]) for name in USERS)
    near = trip(it, USERS[0], PLACES[0])
    assert found["a"].ms == pytest.approx(min(900.0 - far, 850.0 - near), abs=0.06)
    assert found["a"].of.startswith("a answers users of")
    assert found["b"] == Objective(30.0, STATED)
    assert found["c"] == Objective(40.0, STATED)
    assert "d" not in found  # no rule can be kept, and nothing is stated
    tight: list[Rule] = [LatencyRule(name="tight", service="a", within_ms=far + 19.0)]
    assert objectives(a_world({"a": PLACES[0]}, own, tight, []))["a"] == Objective(20.0, STATED)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.data())
def test_what_a_workflow_leaves_a_service_makes_its_longest_way_exactly_as_long(
    data: st.DataObject,
) -> None:
    names = "abcd"[: data.draw(st.integers(1, 4))]
    steps = tuple(
        Step(name, tuple(data.draw(st.sets(st.sampled_from(names[:i]))) if i else ()))
        for i, name in enumerate(names)
    )
    own = {name: data.draw(st.floats(1.0, 50.0)) for name in names}
    at = {name: data.draw(st.sampled_from(PLACES)) for name in names}
    rule = WorkflowRule(name="w", workflow="w", within_ms=2000.0)
    it = a_world(at, own, [rule], [Workflow("w", steps, 2000.0)])
    after = {step.service: step.after for step in steps}

    def longest(user: str, through: str, takes: float) -> float:
        """The longest of all ways through a service that takes so long itself."""
        times = {**own, through: takes}
        ways = [
            (trip(it, user, at[name]) + times[name], [name]) for name in names if not after[name]
        ]
        found = []
        while ways:
            ms, way = ways.pop()
            found += [ms] if through in way else []
            ways += [
                (ms + trip(it, at[way[-1]], at[name]) + times[name], [*way, name])
                for name in names if way[-1] in after[name]
            ]  # fmt: skip
        return max(found)

    for name, objective in objectives(it).items():
        ends = [longest(user, name, objective.ms) for user in USERS]
        assert np.max(ends) == pytest.approx(2000.0, abs=0.06)
