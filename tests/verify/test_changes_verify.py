"""The second look at what a plan changes of today's fleet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planned import document_of, looked_at, plan_of
from small_worlds import Asked, asked, book, world

from models.changes import ChangeCosts
from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.services import Replica, Service
from models.world import Policy
from optimizer.verify.findings import Subject, Verdict

EAST, EU = "aws/east", "aws/eu"
DB = Service("db", Replica(1, 4, 100), stateful=True, state_gib=100.0)
WEB = Service("web", Replica(1, 4, 100))
OFFERS = book([
    (EAST, "old.4", "on_demand", 0.20, 4, 16),
    (EU, "new.4", "on_demand", 0.15, 4, 16),
    (EU, "new.1", "on_demand", 0.039, 1, 4),
])  # fmt: skip
COSTS = ChangeCosts(
    usd_per_started_instance=3.0,
    usd_per_gib_of_state_moved=0.1,
    minimum_saving_usd_per_month=10.0,
    minimum_saving_share=0.05,
)


def moving(costs: ChangeCosts = COSTS, least: int = 1) -> Asked:
    of = world(
        [WEB, DB],
        OFFERS,
        places=[EAST, EU],
        origins=["america"],
        policy=Policy(
            horizon_hours=4,
            headroom=1.0,
            gap_target=0.0,
            changes=costs,
            minimum_run_hours=least,
        ),
        fleet=Fleet(tuple(Group(s, EAST, "old.4", Purchase.ON_DEMAND, 2) for s in ("web", "db"))),
    )
    rps = [800.0, 200.0, 800.0, 200.0]
    return asked(of, {("web", "america"): rps, ("db", "america"): [800.0] * 4})


def test_moves_and_minimum_savings_are_reckoned_anew() -> None:
    question = moving()
    plan = plan_of(question)
    assert plan is not None
    terms = plan.placement.bill.by("term")
    assert terms["moves"] > 0
    assert plan.placement.bill.shadow_usd > 0
    found = looked_at(question, document_of(plan))
    assert found.verdicts == (Verdict.VERIFIED,)
    assert found.bill.by("term") == terms
    assert found.bill.shadow_usd == plan.placement.bill.shadow_usd


@pytest.mark.parametrize("field", ["usd_per_started_instance", "usd_per_gib_of_state_moved"])
def test_moves_that_are_left_out_are_missed(field: str) -> None:
    cheap = plan_of(moving(replace(COSTS, **{field: 0.0})))
    assert cheap is not None
    found = looked_at(moving(), document_of(cheap))
    assert Subject.BILL in {difference.subject for difference in found.differences}


def test_a_hurdle_that_is_left_out_is_missed() -> None:
    question = moving()
    plan = plan_of(question)
    assert plan is not None
    document = document_of(plan)
    document["bill"]["shadow"] = []
    document["bill"]["shadow_usd"] = "0"
    found = looked_at(question, document)
    assert any("minimum_saving of web" in d.what for d in found.differences)


def test_what_stops_too_soon_is_seen() -> None:
    flapping = plan_of(moving(ChangeCosts()))
    assert flapping is not None
    found = looked_at(moving(ChangeCosts(), least=3), document_of(flapping))
    soon = [violation for violation in found.violations if violation.rule == "steadiness"]
    assert soon != []
    assert all("within 3 h of its start" in violation.what for violation in soon)
    assert all(violation.by > 0 for violation in soon)
    kept = plan_of(moving(ChangeCosts(), least=3))
    assert kept is not None
    assert looked_at(moving(ChangeCosts(), least=3), document_of(kept)).holds
