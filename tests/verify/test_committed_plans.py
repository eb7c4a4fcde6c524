"""Plans that buy commitments: what is on offer, what it costs, and what it covers at best."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from planned import document_of, looked_at, plan_of
from small_worlds import Asked, asked, book, world

from models.commitments import Discount, ResourceCommitment, SpendCommitment
from models.placement import Term
from models.places import Cloud
from models.services import Replica, Service
from models.world import Policy
from optimizer.verify.findings import Given, Subject

Document = dict[str, Any]


@pytest.fixture(scope="module")
def committed() -> Asked:
    """Two instances of 2 vCPUs at 0.10 USD all day; half off for spend, and 2 vCPUs are owned."""
    of = world(
        [Service("web", Replica(1, 4, 25))],
        book([("aws/eu", "m.2", "on_demand", 0.1, 2, 8)]),
        places=["aws/eu"],
        origins=["europe"],
        policy=Policy(horizon_hours=2, headroom=1.0),
        commitments=[
            SpendCommitment(
                name="savings", cloud=Cloud.AWS, term_years=1, at_most=1.0,
                discounts=(Discount(0.5),),
            ),
            ResourceCommitment(
                name="reserved", cloud=Cloud.AWS, term_years=3, owned=2.0, families=("m",),
                usd_per_vcpu_hour=0.04,
            ),
        ],
    )  # fmt: skip
    return asked(of, {("web", "europe"): [100.0, 100.0]})


@pytest.fixture(scope="module")
def pristine_committed(committed: Asked) -> Document:
    plan = plan_of(committed)
    assert plan is not None
    return document_of(plan)


@pytest.fixture
def document(pristine_committed: Document) -> Document:
    return copy.deepcopy(pristine_committed)


def test_one_instance_is_covered_by_each(committed: Asked, document: Document) -> None:
    """0.05 USD/h of savings cover one instance, what is owned the other: 0.13 USD/h in all."""
    assert [entry["bought"] for entry in document["commitments"]] == pytest.approx([0.05, 0.0])
    found = looked_at(committed, document)
    assert found.holds
    by_term = found.bill.by("term")
    assert float(by_term[Term.COMPUTE]) == pytest.approx(0.4)
    assert float(by_term[Term.COVERED]) == pytest.approx(-0.4)
    assert float(found.bill.total_usd) == pytest.approx(2 * 0.13)


@pytest.mark.parametrize(
    ("subject", "value", "path"),
    [
        (Subject.FACTS, 9.0, ("commitments", 1, "owned")),
        (Subject.BILL, "9", ("commitments", 0, "cost_usd")),
        (Subject.BILL, 0.1, ("commitments", 0, "bought")),
        (Subject.BILL, "0.05", ("bill", "by_term_usd", "commitments")),
        (Subject.BILL, "0.2", ("bill", "total_usd")),
    ],
)
def test_a_wrong_statement_about_commitments_is_seen(
    committed: Asked,
    document: Document,
    subject: Subject,
    value: object,
    path: tuple[str | int, ...],
) -> None:
    held: Any = document
    for part in path[:-1]:
        held = held[part]
    held[path[-1]] = value
    found = looked_at(committed, document)
    assert subject in {difference.subject for difference in found.differences}


def test_more_than_is_on_offer_is_seen(committed: Asked, document: Document) -> None:
    document["commitments"][0]["bought"] = 3.0
    (beyond,) = looked_at(committed, document).violations
    assert (beyond.rule, beyond.by, beyond.unit) == (Given.COMMITMENTS.value, 2.0, "USD/h")


def test_covering_more_than_is_possible_is_seen(committed: Asked, document: Document) -> None:
    """A dollar off the bill that no commitment pays for."""
    line = next(line for line in document["bill"]["lines"] if line["term"] == "covered")
    line["usd"] = str(float(line["usd"]) - 1)
    found = looked_at(committed, document)
    assert "/bill/total_usd" in {difference.pointer for difference in found.differences}
