"""Plans use what is owned, buy what pays, and leave the rest: worlds small enough for a pencil."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from checker import broken
from small_worlds import Asked, asked, book, world

from models.commitments import Commitment, Discount, ResourceCommitment, SpendCommitment
from models.placement import Placement, Term
from models.places import Cloud, PlaceFilter
from models.rules import BudgetRule, Rule
from models.services import Replica, Service
from models.world import Policy
from optimizer.read import read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend

EAST, EU, AZURE = "aws/east", "aws/eu", "azure/eu"
WEB = Service("web", Replica(1, 2, 100), team="shop")
OFFERS = [
    (EAST, "m.2", "on_demand", 0.1, 2, 8),
    (EAST, "c.2", "on_demand", 0.09, 2, 4),
    (AZURE, "m.2", "on_demand", 0.08, 2, 8),
]


def spend(owned: float = 0.0, at_most: float = 0.0, **terms: object) -> SpendCommitment:
    usual: dict[str, object] = {"discounts": (Discount(0.25),)}
    return SpendCommitment(
        name="plan", cloud=Cloud.AWS, term_years=1, owned=owned, at_most=at_most,
        **{**usual, **terms},  # type: ignore[arg-type]
    )  # fmt: skip


def reserved(owned: float = 0.0, at_most: float = 0.0, usd: float = 0.03) -> ResourceCommitment:
    return ResourceCommitment(
        name="m", cloud=Cloud.AWS, term_years=3, where=PlaceFilter(places=frozenset({EAST})),
        families=("m",), owned=owned, at_most=at_most, usd_per_vcpu_hour=usd,
    )  # fmt: skip


def planned(
    rps: Sequence[float],
    *commitments: Commitment,
    rules: Sequence[Rule] = (),
    places: Sequence[str] = (EAST,),
    starts: datetime | None = None,
    policy: Policy | None = None,
) -> Placement:
    """The cheapest plan, checked by a program that shares no code with the formulation."""
    question = ask(rps, commitments, rules, places, starts, policy)
    formulation = question.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=10.0)
    assert isinstance(answer, Solved)
    placement = read_placement(formulation, answer, "ortools", 0.0)
    assert broken(question, placement) == []
    return placement


def ask(
    rps: Sequence[float],
    commitments: Sequence[Commitment],
    rules: Sequence[Rule] = (),
    places: Sequence[str] = (EAST,),
    starts: datetime | None = None,
    policy: Policy | None = None,
) -> Asked:
    offers = book([offer for offer in OFFERS if offer[0] in places])
    policy = policy or Policy(horizon_hours=len(rps), headroom=1.0)
    of = world([WEB], offers, places=places, rules=rules, commitments=commitments, policy=policy)
    return asked(replace(of, starts=starts or of.starts), {("web", "america"): rps})


def types(placement: Placement) -> set[str]:
    return set(placement.counts["instance_type"])


def test_what_is_owned_is_used_first_and_paid_for_in_any_case() -> None:
    """4 vCPUs of m are owned; c would be cheaper at list price, as it is for the rest."""
    placement = planned([800.0, 400.0], reserved(owned=4))
    counts = placement.counts.groupby("instance_type")["count"].agg(list).to_dict()
    assert counts == {"c.2": [2], "m.2": [2, 2]}
    assert placement.bill.by("term") == {
        Term.COMPUTE: 4 * Decimal("0.1") + 2 * Decimal("0.09"),
        Term.COMMITMENTS: 8 * Decimal("0.03"),
        Term.COVERED: -4 * Decimal("0.1"),
    }
    (use,) = placement.commitments
    assert use.utilisation == pytest.approx(1.0)
    assert use.coverage == pytest.approx(1.0)
    assert use.break_even_utilisation == pytest.approx(0.03 * 2 / 0.1)


def test_nothing_owned_is_too_dear_to_be_used() -> None:
    """It is sunk: even at thrice the list price, what is owned costs nothing more to use."""
    placement = planned([400.0], reserved(owned=4, usd=0.15))
    assert types(placement) == {"m.2"}
    (use,) = placement.commitments
    assert use.saving_usd == pytest.approx(0.2 - 0.6)
    assert placement.bill.total_usd == Decimal("0.6")


def test_a_purchase_that_breaks_even_in_the_mean_is_made_and_no_other() -> None:
    """Ten and four instances of 0.09 in turn: covering ten costs 0.75 x 0.9 in every hour.

    The first four pay, being always used. The other six would be used half of the time, and
    three quarters would be needed.
    """
    placement = planned([2000.0, 800.0], spend(at_most=50))
    (use,) = placement.commitments
    assert use.bought == pytest.approx(0.75 * 4 * 0.09)
    assert use.utilisation == pytest.approx(1.0)
    assert use.break_even_utilisation == pytest.approx(0.75)
    assert use.coverage == pytest.approx(8 / 14)
    assert use.pays_back_after_months == pytest.approx(0.75 * 12)
    more = planned([2000.0, 800.0], spend(at_most=50, discounts=(Discount(0.55),)))
    assert more.commitments[0].bought == pytest.approx(0.45 * 10 * 0.09)
    assert more.commitments[0].utilisation == pytest.approx(0.7)


def test_no_more_is_bought_than_is_on_offer() -> None:
    assert planned([2000.0], spend(at_most=0.1)).commitments[0].bought == pytest.approx(0.1)


def test_what_is_owned_stands_before_what_is_bought() -> None:
    (use,) = planned([2000.0, 800.0], spend(owned=0.2, at_most=50)).commitments
    assert use.bought == pytest.approx(0.75 * 4 * 0.09 - 0.2)
    assert use.bought_utilisation == pytest.approx(1.0)
    assert use.utilisation == pytest.approx(1.0)
    assert use.pays_back_after_months == pytest.approx(9.0)


def test_a_commitment_draws_work_from_another_cloud() -> None:
    """Azure is cheaper, until a quarter comes off AWS."""
    both = (EAST, AZURE)
    assert set(planned([400.0], places=both).counts["cloud"]) == {"azure"}
    assert set(planned([400.0], spend(at_most=9), places=both).counts["cloud"]) == {"aws"}


def test_two_commitments_share_the_usage_and_never_cover_it_twice() -> None:
    placement = planned([800.0], reserved(owned=4), spend(at_most=50))
    resource, plan = placement.commitments
    assert resource.covered_usd.tolist() == pytest.approx([0.2])
    assert plan.covered_usd.tolist() == pytest.approx([2 * 0.09])
    assert placement.bill.total_usd == Decimal("0.12") + Decimal("0.135")


def test_what_is_owned_covers_nothing_after_its_end_and_costs_nothing() -> None:
    late = datetime(2026, 3, 2, 23, tzinfo=UTC)
    ends = replace(reserved(owned=4), expires=date(2026, 3, 3))
    placement = planned([400.0, 400.0], ends, starts=late)
    by_hour = placement.counts.set_index("period")["instance_type"].to_dict()
    assert by_hour == {0: "m.2", 1: "c.2"}
    assert placement.bill.by("term")[Term.COMMITMENTS] == Decimal("0.12")


def test_blocks_of_hours_fall_apart_where_a_commitment_ends() -> None:
    """Sizes hold for both hours; only in the first is there something to cover them."""
    late = datetime(2026, 3, 2, 23, tzinfo=UTC)
    ends = replace(reserved(owned=4), expires=date(2026, 3, 3))
    policy = Policy(horizon_hours=2, headroom=1.0, count_hours=2)
    (use,) = planned([400.0, 400.0], ends, starts=late, policy=policy).commitments
    assert use.covered_usd.tolist() == pytest.approx([0.2, 0.0])


def test_blocks_of_hours_share_what_covers_them() -> None:
    policy = Policy(horizon_hours=4, headroom=1.0, count_hours=2)
    question = ask([400.0] * 4, [spend(at_most=9)], policy=policy)
    rows = {family.name: family.size for family in question.formulate().problem.rows}
    assert (rows["commitment_covers"], rows["covered_at_most_used"]) == (2, 2)


MONTH = 730


@pytest.mark.parametrize(
    ("budget", "keeps"),
    [
        (BudgetRule(name="all", usd_per_month=0.271 * MONTH), True),
        (BudgetRule(name="all", usd_per_month=0.269 * MONTH), False),
        (BudgetRule(name="aws", usd_per_month=0.271 * MONTH, cloud=Cloud.AWS), True),
        (BudgetRule(name="aws", usd_per_month=0.269 * MONTH, cloud=Cloud.AWS), False),
        (BudgetRule(name="azure", usd_per_month=0.001, cloud=Cloud.AZURE), True),
        (BudgetRule(name="shop", usd_per_month=0.361 * MONTH, team="shop"), True),
        (BudgetRule(name="shop", usd_per_month=0.359 * MONTH, team="shop"), False),
    ],
)
def test_budgets(budget: BudgetRule, keeps: bool) -> None:
    """Four instances of 0.09 cost 0.36, or 0.27 with a quarter off. Teams see list prices."""
    question = ask([800.0], [spend(at_most=9)], [budget], (EAST,))
    answer = OrToolsBackend().solve(question.formulate().problem, gap=0.0, time_limit_s=10.0)
    assert isinstance(answer, Solved) == keeps
    if keeps:
        planned([800.0], spend(at_most=9), rules=[budget])


def test_what_is_owned_counts_in_a_budget_even_where_nothing_can_use_it() -> None:
    """0.36 of compute and 0.3 that is owned of family m, in a region that is no candidate."""
    budget = BudgetRule(name="all", usd_per_month=0.5 * MONTH)
    idle = replace(reserved(owned=10), where=PlaceFilter(places=frozenset({EU})))
    question = ask([800.0], [idle], [budget], (EAST,))
    answer = OrToolsBackend().solve(question.formulate().problem, gap=0.0, time_limit_s=10.0)
    assert not isinstance(answer, Solved)
    placement = planned([800.0], idle)
    assert placement.bill.total_usd == Decimal("0.36") + Decimal("0.3")
    assert placement.commitments[0].utilisation == 0
