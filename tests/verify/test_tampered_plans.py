"""One way to spoil a plan for every kind of thing that is checked, and each is seen."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_args

import pytest
from planned import looked_at
from small_worlds import Asked

from models.rules import Rule
from optimizer.verify.findings import Given, Subject, Verdict

Document = dict[str, Any]
Tamper = Callable[[Document], None]
HOURS = 4
WHOLE = [0, 1, 2, 3]


def row(document: Document, service: str, place: str, purchase: str = "on_demand") -> Document:
    found: Document = next(
        r
        for r in document["instances"]
        if (r["service"], r["place"], r["purchase"]) == (service, place, purchase)
    )
    return found


def sized(service: str, place: str, counts: list[int], purchase: str = "on_demand") -> Tamper:
    def tamper(document: Document) -> None:
        row(document, service, place, purchase)["count_per_hour"] = counts

    return tamper


def added(
    service: str, place: str, count: int, kind: str = "m.4", how: str = "on_demand"
) -> Tamper:
    def tamper(document: Document) -> None:
        document["instances"].append(
            {"service": service, "place": place, "instance_type": kind, "purchase": how,
             "count_per_hour": [count] * HOURS}
        )  # fmt: skip

    return tamper


def moved(service: str, origin: str, to: str) -> Tamper:
    """All of an origin's traffic goes to one place."""

    def tamper(document: Document) -> None:
        for route in document["routes"]:
            if (route["service"], route["origin"]) == (service, origin):
                route["place"] = to
                del route["rtt_ms"]

    return tamper


def both(*tampers: Tamper) -> Tamper:
    def tamper(document: Document) -> None:
        for one in tampers:
            one(document)

    return tamper


def stated(value: object, *path: str | int) -> Tamper:
    """Another value at a path of the document."""

    def tamper(document: Document) -> None:
        held: Any = document
        for part in path[:-1]:
            held = held[part]
        held[path[-1]] = value

    return tamper


def without(*path: str | int) -> Tamper:
    def tamper(document: Document) -> None:
        held: Any = document
        for part in path[:-1]:
            held = held[part]
        del held[path[-1]]

    return tamper


RULES: dict[str, tuple[Tamper, float | None, str]] = {
    "fast": (moved("web", "europe", "aws/east"), 92 + 20 - 111, "ms"),
    "eu-db": (both(added("db", "aws/east", 4), moved("db", "europe", "aws/east")), 700, "rps"),
    "cards": (both(added("db", "gcp/eu", 4), moved("db", "america", "gcp/eu")), 420, "rps"),
    "no-west": (added("web", "aws/west", 3), 3 * 4, "replicas"),
    "buy": (moved("web", "europe", "aws/east"), 92 + 20 + 82 + 5 - 140, "ms"),
    "min-web": (
        both(
            sized("web", "aws/eu", [0, 0, 0, 0]),
            sized("web", "aws/eu", [0, 0, 0, 0], "spot"),
            sized("web", "azure/eu", [0, 0, 1, 1]),
            sized("web", "azure/eu", [1, 1, 1, 1], "spot"),
        ),
        6 - 4,
        "replicas",
    ),
    "min-db": (sized("db", "azure/eu", [1, 1, 1, 1]), 3 - 2, "replicas"),
    "few-dbs": (added("db", "aws/east", 2), 3 - 2, "places"),
    "lose-a-region": (nothing_of_web_in_azure := both(
        sized("web", "azure/eu", [0, 0, 0, 0]), sized("web", "azure/eu", [0, 0, 0, 0], "spot")
    ), 1100 * 0.5, "rps"),
    "slowly": (added("web", "aws/eu", 60), None, "instances"),
    "lose-a-cloud": (nothing_of_web_in_azure, 1100 * 0.3, "rps"),
    "lose-a-zone": (sized("db", "aws/eu", [1, 1, 1, 1]), 1100 * 0.5 - 2 * 150, "rps"),
    "some-spot": (stated("spot", "instances", 2, "purchase"), 8 - 8 * 0.5, "replicas"),
    "outages": (
        both(
            sized("web", "aws/eu", [0, 0, 0, 0]),
            sized("web", "aws/eu", [0, 0, 0, 0], "spot"),
            sized("web", "azure/eu", [0, 0, 0, 0]),
            sized("web", "azure/eu", [3, 3, 3, 3], "spot"),
        ),
        1100 * 0.5,
        "rps",
    ),
    "quota": (sized("web", "aws/eu", [9, 9, 9, 9]), 9 + 1 + 2 - 10, "instances"),
    "total": (sized("web", "aws/eu", [40, 40, 40, 40]), None, "USD per month"),
    "data": (sized("db", "azure/eu", [40, 40, 40, 40]), None, "USD per month"),
}  # fmt: skip
"""By name of the rule: what breaks it, by how much in the worst hour, and the unit."""

GIVENS: dict[str, tuple[Given, Tamper]] = {
    "unknown type": (Given.OFFERINGS, stated("z9.huge", "instances", 0, "instance_type")),
    "unknown place": (Given.OFFERINGS, stated("aws/moon", "instances", 0, "place")),
    "unknown service": (Given.OFFERINGS, stated("nobody", "instances", 0, "service")),
    "spot not tolerated": (Given.OFFERINGS, added("db", "aws/eu", 1, how="spot")),
    "wrong architecture": (Given.OFFERINGS, added("web", "aws/eu", 1, kind="mg.4")),
    "too small": (Given.OFFERINGS, added("web", "aws/eu", 1, kind="m.1")),
    "route to nowhere": (Given.ROUTES, stated("aws/moon", "routes", 0, "place")),
    "route of nobody": (Given.ROUTES, stated("mars", "routes", 0, "origin")),
    "half a route": (Given.ROUTES, stated(0.5, "routes", 0, "share")),
    "no route": (Given.ROUTES, without("routes", 0)),
    "one instance less": (Given.CAPACITY, sized("web", "aws/eu", [1, 1, 0, 0], "spot")),
    "one instance less for two hours": (Given.CAPACITY, sized("web", "azure/eu", [0, 0, 1, 1])),
    "where nobody is served": (Given.USEFULNESS, added("web", "aws/west", 1)),
    "size within a block": (Given.STEADINESS, sized("web", "azure/eu", [1, 2, 1, 1])),
    "size of state": (Given.STEADINESS, sized("db", "aws/eu", [2, 2, 3, 3])),
    "a contract that is not on offer": (
        Given.COMMITMENTS,
        stated([{"commitment": "none", "bought": 1.0}], "commitments"),
    ),
    "route within a block": (Given.STEADINESS, stated(1, "routes", 4, "hours")),
}  # fmt: skip
"""What every plan must keep, and what breaks it."""

CLAIMS: dict[str, tuple[Subject, Tamper]] = {
    "world": (Subject.WORLD, stated("other", "world", "name")),
    "prices of the world": (Subject.WORLD, stated("0" * 64, "world", "digests", "book")),
    "a part of the world": (Subject.WORLD, without("world", "digests", "rules")),
    "policy": (Subject.WORLD, stated(0.5, "policy", "headroom")),
    "purchases": (Subject.WORLD, stated(["spot"], "policy", "purchases")),
    "demand": (Subject.DEMAND, stated([1, 2, 3, 4], "demand", 0, "planned_rps")),
    "no demand": (Subject.DEMAND, stated([None] * 4, "demand", 0, "mean_rps")),
    "demand of nobody": (Subject.DEMAND, stated("nobody", "demand", 0, "service")),
    "total": (Subject.BILL, stated("11.09", "bill", "total_usd")),
    "line": (Subject.BILL, stated("0.000001", "bill", "lines", 0, "usd")),
    "no line": (Subject.BILL, without("bill", "lines", 0)),
    "term": (Subject.BILL, stated("5.07", "bill", "by_term_usd", "compute")),
    "cloud": (Subject.BILL, stated("5.07", "bill", "by_cloud_usd", "aws")),
    "term without lines": (
        Subject.BILL,
        both(without("bill", "lines"), stated("5.07", "bill", "by_term_usd", "compute")),
    ),
    "bill per month": (Subject.BILL, stated("2000.00", "bill", "usd_per_month")),
    "cost per month": (Subject.BILL, stated("2000.00", "cost", "usd_per_month")),
    "cost of today": (Subject.BILL, stated("5000.00", "cost", "today_usd_per_month")),
    "bill of today": (Subject.BILL, stated("30.00", "today", "bill", "total_usd")),
    "saving": (Subject.BILL, stated("5000.00", "cost", "saving_usd_per_month")),
    "saved share": (Subject.BILL, stated(0.99, "cost", "saved_share")),
    "price": (Subject.BILL, stated("0.19", "instances", 0, "price_usd_per_hour")),
    "cost of a service": (Subject.BILL, stated("1.00", "services", 0, "usd_per_month")),
    "objective": (Subject.PROOF, stated("10.000000", "proof", "objective_usd")),
    "gap": (Subject.PROOF, stated(0.25, "proof", "gap")),
    "grade": (
        Subject.PROOF,
        both(stated("8.000000", "proof", "bound_usd"), without("proof", "gap")),
    ),
    "replicas": (Subject.FACTS, stated(3, "instances", 0, "replicas_per_instance")),
    "capacity": (Subject.FACTS, stated(1.0, "instances", 0, "capacity_rps_per_instance")),
    "capacity of a service": (Subject.FACTS, stated([9] * 4, "demand", 0, "capacity_rps")),
    "round trip": (Subject.FACTS, stated(1.0, "routes", 0, "rtt_ms")),
}  # fmt: skip
"""What a plan states, and another thing to state instead."""


def test_the_plan_as_it_is_holds(case: Asked, document: Document) -> None:
    assert looked_at(case, document).holds


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_is_seen(case: Asked, document: Document, name: str) -> None:
    tamper, by, unit = RULES[name]
    tamper(document)
    found = looked_at(case, document)
    assert Verdict.RULES_BROKEN in found.verdicts
    own = [(v.by, v.unit) for v in found.violations if v.rule == name]
    worst = max((amount for amount, of in own if of == unit), default=0.0)
    assert worst > 0
    assert by is None or worst == pytest.approx(by, abs=0.01)


def test_every_rule_is_broken_and_every_kind_is_there(case: Asked) -> None:
    assert {rule.name for rule in case.world.rules} == set(RULES)
    assert {type(rule) for rule in case.world.rules} == set(get_args(Rule))


@pytest.mark.parametrize("name", GIVENS)
def test_what_needs_no_rule_is_seen(case: Asked, document: Document, name: str) -> None:
    kind, tamper = GIVENS[name]
    tamper(document)
    found = looked_at(case, document)
    assert Verdict.RULES_BROKEN in found.verdicts
    assert kind.value in {violation.rule for violation in found.violations}


def test_everything_that_needs_no_rule_is_broken() -> None:
    assert {kind for kind, _ in GIVENS.values()} == set(Given)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_wrong_statement_is_seen(case: Asked, document: Document, name: str) -> None:
    subject, tamper = CLAIMS[name]
    tamper(document)
    found = looked_at(case, document)
    assert subject in {difference.subject for difference in found.differences}
    assert found.violations == ()
    assert not found.holds


def test_every_subject_is_misstated() -> None:
    assert {subject for subject, _ in CLAIMS.values()} == set(Subject)


def test_the_hours_of_a_violation_are_named(case: Asked, document: Document) -> None:
    sized("web", "azure/eu", [0, 0, 1, 1])(document)
    (short,) = [v for v in looked_at(case, document).violations if v.rule == "capacity"]
    assert (short.hours, short.place, short.service) == ((0, 1), "azure/eu", "web")
    assert short.by == pytest.approx(400)


def test_a_lawful_plan_below_its_own_bound_refutes_it(case: Asked, document: Document) -> None:
    stated("12.000000", "proof", "bound_usd")(document)
    found = looked_at(case, document)
    assert Verdict.BOUND_NOT_CONFIRMED in found.verdicts
    assert "the plan itself" in found.bound.words


def test_a_part_of_the_bill_that_nobody_knows_is_not_certified(
    case: Asked, document: Document
) -> None:
    """A dollar for something new: what is known of the bill is still right."""
    bill = document["bill"]
    del bill["lines"], bill["usd_per_month"], document["cost"], document["proof"]
    bill["by_term_usd"]["quantum"] = "1.00"
    bill["total_usd"] = str(Decimal(bill["total_usd"]) + 1)
    found = looked_at(case, document)
    assert found.verdicts == (Verdict.NOT_CHECKED,)
    assert [unknown.what for unknown in found.not_checked] == ["bill: quantum"]
