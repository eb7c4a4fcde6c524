"""What is provably wasted: the arithmetic of grades, and what they refuse to say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from planned import plan_of
from small_worlds import Asked, asked, book, random_asked, world

from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.places import Cloud, PlaceFilter
from models.rules import AllowedPlacesRule
from models.services import Replica, Service
from models.world import Policy
from optimizer.grade import NO_CLOUD, Grade, Standing, grade, graded_world, letter_for

WEB = Service("web", Replica(1, 4, 25), team="shop")
API = Service("api", Replica(1, 4, 25), team="core")
OFFERS = book([
    ("aws/eu", "m.2", "on_demand", 0.1, 2, 8),
    ("gcp/eu", "m.2", "on_demand", 0.2, 2, 8),
])  # fmt: skip
NOT_IN_AWS = PlaceFilter(clouds=frozenset({Cloud.AWS}))


def fleet(*groups: tuple[str, str, int]) -> Fleet:
    on_demand = Purchase.ON_DEMAND
    return Fleet(tuple(Group(s, place, "m.2", on_demand, n) for s, place, n in groups))


def question(runs: Fleet, forbid: PlaceFilter | None = None) -> Asked:
    """Two hours of 100 rps for web and 50 for api: two instances and one are enough."""
    rules = [AllowedPlacesRule(name="not", services=("web",), forbid=forbid)] if forbid else []
    of = world(
        [WEB, API],
        OFFERS,
        places=["aws/eu", "gcp/eu"],
        origins=["europe"],
        rules=rules,
        policy=Policy(horizon_hours=2, headroom=1.0),
        fleet=runs,
    )
    return asked(of, {("web", "europe"): [100.0, 100.0], ("api", "europe"): [50.0, 50.0]})


def graded(runs: Fleet, forbid: PlaceFilter | None = None) -> Grade:
    plan = plan_of(question(runs, forbid))
    assert plan is not None
    return grade(plan)


@pytest.mark.parametrize(
    ("wasted", "letter"),
    [("-0.2", "A"), ("0.05", "A"), ("0.051", "B"), ("0.15", "B"), ("0.3", "C"), ("0.31", "D"),
     ("0.5", "D"), ("0.51", "F"), ("1", "F")],
)  # fmt: skip
def test_letters(wasted: str, letter: str) -> None:
    assert letter_for(Decimal(wasted)) == letter


def test_half_of_a_fleet_of_twice_the_size_is_wasted() -> None:
    """Six instances at 0.10 USD where three do: 0.60 of 1.20 USD in two hours."""
    found = graded(fleet(("web", "aws/eu", 4), ("api", "aws/eu", 2)))
    assert found.standing is Standing.WASTEFUL
    assert (found.whole.today_usd, found.whole.plan_usd) == (Decimal("1.2"), Decimal("0.6"))
    assert found.at_least == Decimal("0.5")
    assert float(found.at_most or 0) == pytest.approx(0.5)
    assert (found.letter, found.whole.too_much_usd) == ("D", Decimal("0.6"))
    assert found.whole.too_dear_usd == found.whole.transfer_usd == 0


def test_too_dear_is_told_apart_from_too_much() -> None:
    """Web runs four instances at 0.20 USD: two too many, and two that cost 0.10 elsewhere."""
    found = graded(fleet(("web", "gcp/eu", 4), ("api", "aws/eu", 1)))
    (web,) = [part for part in found.services if part.name == "web"]
    assert (web.today_usd, web.plan_usd) == (Decimal("1.6"), Decimal("0.4"))
    assert (web.too_much_usd, web.too_dear_usd) == (Decimal("0.8"), Decimal("0.4"))
    assert [part.name for part in found.teams] == ["shop", "core"]


def test_a_cloud_wastes_what_its_services_do_although_the_plan_leaves_it() -> None:
    """Web pays AWS and Google Cloud 0.40 and 0.80 USD; its work costs 0.40."""
    found = graded(fleet(("web", "aws/eu", 2), ("web", "gcp/eu", 2)))
    clouds = {part.name: (float(part.today_usd), float(part.plan_usd)) for part in found.clouds}
    assert clouds["aws"] == pytest.approx((0.4, 0.4 / 3))
    assert clouds["gcp"] == pytest.approx((0.8, 0.8 / 3))
    assert clouds[NO_CLOUD] == pytest.approx((0.0, 0.2))  # api does not run today


def test_the_best_fleet_wastes_nothing() -> None:
    found = graded(fleet(("web", "aws/eu", 2), ("api", "aws/eu", 1)))
    assert found.standing is Standing.NOTHING_PROVEN
    assert found.letter == "A"
    assert found.at_least == 0
    assert float(found.at_most or 0) == pytest.approx(0, abs=1e-6)


def test_a_fleet_that_is_cheap_because_it_breaks_a_rule_gets_no_grade() -> None:
    found = graded(fleet(("web", "aws/eu", 2), ("api", "aws/eu", 1)), NOT_IN_AWS)
    assert found.standing is Standing.NOT_COMPARABLE
    assert found.letter is None
    assert found.at_least is None
    assert found.at_most is None


def test_a_fleet_that_cannot_carry_the_peak_gets_no_grade() -> None:
    found = graded(fleet(("web", "aws/eu", 1), ("api", "aws/eu", 1)))
    assert (found.standing, found.short) == (Standing.NOT_COMPARABLE, ("web",))


def test_waste_is_real_also_where_rules_are_broken() -> None:
    found = graded(fleet(("web", "aws/eu", 20)), NOT_IN_AWS)
    assert found.standing is Standing.WASTEFUL
    assert found.plan.today.broken


@pytest.mark.parametrize("seed", [8, 11, 14, 26, 33, 46, 56])
def test_parts_add_up(seed: int) -> None:
    one = random_asked(seed)
    groups = tuple(
        Group(service.name, region.place, "m.16", Purchase.ON_DEMAND, 3)
        for service in one.world.services
        for region in one.world.regions
    )
    plan = plan_of(replace(one, world=replace(graded_world(one.world), fleet=Fleet(groups))))
    assert plan is not None
    found = grade(plan)
    assert float(found.whole.today_usd) == pytest.approx(float(plan.today.bill.total_usd))
    assert float(found.whole.plan_usd) == pytest.approx(float(plan.placement.bill.total_usd))
    for parts in (found.teams, found.clouds, found.services):
        wasted = sum(float(part.wasted_usd) for part in parts)
        assert wasted == pytest.approx(float(found.whole.wasted_usd))
        for part in parts:
            reasons = part.too_much_usd + part.too_dear_usd + part.transfer_usd
            assert float(reasons) == pytest.approx(float(part.wasted_usd))
    if found.at_least is not None and found.at_most is not None:
        assert 0 <= found.at_least <= found.at_most


def test_only_money_counts_in_a_graded_world() -> None:
    worlds = [random_asked(seed).world for seed in range(40)]
    assert any(world.counts_besides for world in worlds)
    assert not any(graded_world(world).counts_besides for world in worlds)
