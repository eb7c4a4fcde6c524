"""Plans for demand scenarios: unmet demand, the bill of each scenario, and the tail."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from planned import document_of, looked_at, plan_of
from small_worlds import Asked, asked, book, world

from models.risk import CvarPolicy
from models.services import Replica, Service
from models.world import DemandScenario, Policy
from optimizer.verify.findings import Given, Subject

Document = dict[str, Any]


@pytest.fixture(scope="module")
def uncertain() -> Asked:
    """An hour of 100 rps, or 200 now and then; an instance serves 50, a tenth may go unmet."""
    of = world(
        [Service("web", Replica(1, 4, 25), response_kib=10)],
        book([("aws/eu", "m.2", "on_demand", 0.1, 2, 8)]),
        places=["aws/eu"],
        origins=["europe"],
        policy=Policy(
            horizon_hours=1,
            headroom=1.0,
            demand_scenarios=(DemandScenario(0.5, 0.75), DemandScenario(0.9, 0.25)),
            unmet_at_most=0.1,
            unmet_usd_per_million_requests=0.5,
            cvar=CvarPolicy(0.5, 0.5),
        ),
    )
    return asked(of, {("web", "europe"): [200.0]}, [{"europe": 0.5}, {"europe": 1.05}])


@pytest.fixture(scope="module")
def pristine_uncertain(uncertain: Asked) -> Document:
    plan = plan_of(uncertain)
    assert plan is not None
    return document_of(plan)


@pytest.fixture
def document(pristine_uncertain: Document) -> Document:
    return copy.deepcopy(pristine_uncertain)


def test_ten_requests_a_second_go_unmet_when_demand_is_high(
    uncertain: Asked, document: Document
) -> None:
    """Four instances serve 200 of 210 rps: 36,000 requests in a quarter of all cases."""
    assert document["instances"][0]["count_per_hour"] == [4]
    (line,) = document["bill"]["shadow"]
    assert (line["term"], line["quantity"]) == ("unmet_demand", "9000.0000")
    found = looked_at(uncertain, document)
    assert found.holds
    assert float(found.bill.shadow_usd) == pytest.approx(9000 / 1e6 * 0.5)


def test_more_than_the_share_that_may_go_unmet_is_seen(
    uncertain: Asked, document: Document
) -> None:
    """Three instances leave 60 of 210 rps unmet; 21 may be."""
    document["instances"][0]["count_per_hour"] = [3]
    (short,) = looked_at(uncertain, document).violations
    assert short.rule == Given.CAPACITY.value
    assert short.by == pytest.approx(60 - 21)


@pytest.mark.parametrize(
    ("subject", "value", "path"),
    [
        (Subject.WORLD, [], ("policy", "demand_scenarios")),
        (Subject.WORLD, 0.2, ("policy", "unmet_at_most")),
        (Subject.WORLD, {"level": 0.9, "weight": 0.5}, ("policy", "cvar")),
        (Subject.WORLD, 0.8, ("scenarios", 0, "probability")),
        (Subject.BILL, "0.1", ("scenarios", 1, "bill", "total_usd")),
        (Subject.BILL, "9", ("scenarios", 1, "bill", "shadow", 0, "quantity")),
        (Subject.BILL, "0.1", ("scenarios", 0, "counted_usd")),
        (Subject.BILL, "0.1", ("cvar_usd",)),
        (Subject.BILL, "0.1", ("bill", "shadow", 0, "usd")),
        (Subject.BILL, "0.1", ("bill", "shadow_usd")),
        (Subject.PROOF, "0.4", ("proof", "objective_usd")),
    ],
)
def test_a_wrong_statement_about_scenarios_is_seen(
    uncertain: Asked,
    document: Document,
    subject: Subject,
    value: object,
    path: tuple[str | int, ...],
) -> None:
    held: Any = document
    for part in path[:-1]:
        held = held[part]
    held[path[-1]] = value
    found = looked_at(uncertain, document)
    assert subject in {difference.subject for difference in found.differences}


def test_a_scenario_that_is_missing_is_seen(uncertain: Asked, document: Document) -> None:
    del document["scenarios"][0]
    found = looked_at(uncertain, document)
    assert [difference.pointer for difference in found.differences] == ["/scenarios"]
