"""What it takes to leave today's fleet: costs once, hurdles, and limits by the day."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from checker import broken
from small_worlds import Asked, asked, book, world

from models.changes import ChangeCosts
from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.placement import Placement, ShadowTerm, Term
from models.rules import (
    BudgetRule,
    DisruptionRule,
    Extent,
    MaxPlacesRule,
    MinReplicasRule,
    Rule,
    SpreadRule,
)
from models.services import Replica, Service
from models.world import Policy
from optimizer.formulate.assemble import Formulation
from optimizer.moves import changes_table, without_hurdles_where_nothing_changes
from optimizer.read import read_counts, read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend
from optimizer.today import look_at_today

EAST, EU = "aws/east", "aws/eu"
WEB = Service("web", Replica(1, 4, 100))
DB = Service("db", Replica(1, 4, 100), stateful=True, state_gib=100.0)
OFFERS = book([
    (EAST, "old.4", "on_demand", 0.20, 4, 16),
    (EAST, "new.4", "on_demand", 0.19, 4, 16),
    (EAST, "new.1", "on_demand", 0.05, 1, 4),
    (EU, "new.4", "on_demand", 0.15, 4, 16),
])  # fmt: skip


def running(
    costs: ChangeCosts,
    *,
    services: tuple[Service, ...] = (WEB,),
    rules: tuple[Rule, ...] = (),
    kind: str = "old.4",
    count: int = 2,
    hours: int = 24,
    rps: float = 800.0,
) -> Asked:
    """Each service runs ``count`` instances in aws/east, which hold four replicas each."""
    of = world(
        services,
        OFFERS,
        places=[EAST, EU],
        origins=["america"],
        rules=rules,
        policy=Policy(horizon_hours=hours, headroom=1.0, gap_target=0.0, changes=costs),
        fleet=Fleet(tuple(Group(s.name, EAST, kind, Purchase.ON_DEMAND, count) for s in services)),
    )
    return asked(of, {(s.name, "america"): [rps] * hours for s in services})


def solved(question: Asked) -> tuple[Formulation, Solved, Placement]:
    formulation = question.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=20.0)
    assert isinstance(answer, Solved)
    placement = read_placement(formulation, answer, "ortools", 0.0)
    assert broken(question, placement) == []
    return formulation, answer, placement


def types(placement: Placement) -> set[str]:
    counts = placement.counts
    where = counts["cloud"].astype(str) + "/" + counts["region"].astype(str)
    return set(where + " " + counts["instance_type"].astype(str))


STAYS, LEAVES = {"aws/east old.4"}, {"aws/eu new.4"}


def test_without_costs_everything_moves() -> None:
    assert types(solved(running(ChangeCosts()))[2]) == LEAVES


@pytest.mark.parametrize(
    ("per_start", "over", "expected"),
    [(35.0, 720, LEAVES), (37.0, 720, STAYS), (37.0, 1440, LEAVES)],
)
def test_a_start_pays_when_the_price_falls_by_more(
    per_start: float, over: float, expected: set[str]
) -> None:
    """0.05 USD an hour cheaper: 36 USD in 720 hours."""
    costs = ChangeCosts(usd_per_started_instance=per_start, amortise_over_hours=over)
    _, _, placement = solved(running(costs))
    assert types(placement) == expected
    moves = placement.bill.by("term").get(Term.MOVES, Decimal(0))
    due = 0 if expected == STAYS else 2 * per_start * 24 / over
    assert float(moves) == pytest.approx(due, abs=1e-4)


def test_moving_in_a_later_hour_is_no_way_around_the_cost() -> None:
    costs = ChangeCosts(usd_per_started_instance=37.0)
    _, _, placement = solved(running(costs, hours=3))
    assert types(placement) == STAYS


@pytest.mark.parametrize(("per_gib", "place"), [(0.57, EU), (0.58, EAST)])
def test_state_that_moves_is_paid_for(per_gib: float, place: str) -> None:
    """100 GiB. Two new.4 save 72 USD in 720 hours in aws/eu, and 14.4 where the state is."""
    one = MaxPlacesRule(name="one", service="db", at_most=1)
    costs = ChangeCosts(usd_per_gib_of_state_moved=per_gib)
    _, _, placement = solved(running(costs, services=(DB,), rules=(one,)))
    assert types(placement) == {f"{place} new.4"}
    moves = placement.bill.by("term").get(Term.MOVES, Decimal(0))
    assert float(moves) == pytest.approx(100 * per_gib * 24 / 720 * (place == EU), abs=1e-4)


@pytest.mark.parametrize(
    ("usd", "share", "expected"),
    [
        (72.9, 0.0, LEAVES),  # two instances save 0.1 USD an hour, 73 a month of 292
        (73.1, 0.0, STAYS),
        (0.0, 0.249, LEAVES),
        (0.0, 0.251, STAYS),
        (72.9, 0.251, STAYS),  # both must be met
    ],
)
def test_a_change_must_save_more_than_its_minimum(
    usd: float, share: float, expected: set[str]
) -> None:
    costs = ChangeCosts(minimum_saving_usd_per_month=usd, minimum_saving_share=share)
    _, _, placement = solved(running(costs))
    assert types(placement) == expected
    charged = placement.bill.shadow_of(ShadowTerm.MINIMUM_SAVING)[1]
    assert (charged > 0) is (expected == LEAVES)
    paid = placement.bill.total_usd
    assert float(paid) == pytest.approx(24 * 2 * (0.15 if expected == LEAVES else 0.20))


def test_minimum_savings_are_in_no_budget() -> None:
    """219 USD a month are enough for what is paid, and not for the hurdle beside it."""
    costs = ChangeCosts(minimum_saving_usd_per_month=70)
    budget = BudgetRule(name="tight", usd_per_month=220)
    assert types(solved(running(costs, rules=(budget,)))[2]) == LEAVES


@pytest.mark.parametrize(("kind", "rps", "count"), [("unknown.4", 800.0, 2), ("old.4", 900.0, 2)])
def test_what_cannot_stay_changes_at_no_hurdle(kind: str, rps: float, count: int) -> None:
    """Nobody may use the one, and the other is too small."""
    costs = ChangeCosts(minimum_saving_usd_per_month=1e6)
    _, _, placement = solved(running(costs, kind=kind, rps=rps, count=count))
    assert types(placement) >= LEAVES
    assert placement.bill.shadow_usd == 0


@pytest.mark.parametrize(
    "rule",
    [
        MinReplicasRule(name="r", service="web", at_least=9),
        SpreadRule(name="r", services=("web",), survives=Extent.REGION, share=0.1),
        SpreadRule(name="r", services=("web",), survives=Extent.ZONE, share=0.6),
    ],
    ids=["min", "region", "zone"],
)
def test_rules_that_today_breaks_make_it_change_at_no_hurdle(rule: Rule) -> None:
    """Two instances of four replicas in one of three zones each: half is left without a zone."""
    costs = ChangeCosts(minimum_saving_usd_per_month=1e6)
    formulation, _, placement = solved(running(costs, rules=(rule,)))
    assert formulation.moves is not None
    assert formulation.moves.hurdle_usd.tolist() == [0.0]
    assert placement.bill.shadow_usd == 0


@pytest.mark.parametrize(
    "rule",
    [
        MinReplicasRule(name="r", service="web", at_least=8),
        SpreadRule(name="r", services=("web",), survives=Extent.ZONE, share=0.5),
    ],
    ids=["min", "zone"],
)
def test_rules_that_today_keeps_leave_the_hurdle(rule: Rule) -> None:
    costs = ChangeCosts(minimum_saving_usd_per_month=1e6)
    assert types(solved(running(costs, rules=(rule,)))[2]) == STAYS


def test_what_stays_says_what_it_would_save() -> None:
    costs = ChangeCosts(minimum_saving_usd_per_month=80, usd_per_started_instance=3.6)
    question = running(costs)
    formulation, answer, placement = solved(question)
    problem = without_hurdles_where_nothing_changes(formulation, answer.values)
    free = OrToolsBackend().solve(problem, gap=0.0, time_limit_s=10.0)
    assert isinstance(free, Solved)
    counts = read_counts(formulation, free.values)
    assert set(counts["instance_type"]) == {"new.4"}
    of = question.world
    today = look_at_today(of, question.demand_rps, question.direct_rps).bill
    freely = read_placement(formulation, free, "ortools", 0.0).bill
    (row,) = changes_table(formulation, answer.values, placement.bill, today, freely).to_dict(
        "records"
    )
    assert (row["service"], row["changes"], row["started"], row["stopped"]) == ("web", "no", 0, 0)
    assert row["saving_usd_per_month"] == Decimal("65.70")  # 73 less 7.30 for moves
    assert row["why"] == "would save 65.70 USD/month, below the minimum of 80.00"
    cheap = running(replace(costs, minimum_saving_usd_per_month=60))
    formulation, answer, placement = solved(cheap)
    (row,) = changes_table(formulation, answer.values, placement.bill, today, None).to_dict(
        "records"
    )
    assert (row["changes"], row["started"], row["stopped"]) == ("yes", 2, 2)
    assert row["moves_usd_per_month"] == Decimal("7.30")
    assert row["why"] == "saves 65.70 USD/month; the minimum is 60.00"


@pytest.mark.parametrize(("limit", "moved_at"), [(4, 0), (2, 24), (3, 24), (1, None), (0, None)])
def test_a_day_starts_and_stops_only_so_many(limit: int, moved_at: int | None) -> None:
    """Two instances are replaced: four changes at once, or two a day."""
    rule = DisruptionRule(name="slowly", services=("web",), at_most_per_day=limit)
    question = running(ChangeCosts(), rules=(rule,), hours=48)
    _, _, placement = solved(question)
    counts = placement.counts
    old = counts[counts["instance_type"] == "old.4"]
    last = int(old["period"].max()) if len(old) else -1
    assert last == {0: -1, 24: 23, None: 47}[moved_at]


def test_services_share_a_limit() -> None:
    other = replace(WEB, name="api")
    rule = DisruptionRule(name="slowly", services=("web", "api"), in_all_per_day=4)
    _, _, placement = solved(running(ChangeCosts(), services=(WEB, other), rules=(rule,)))
    left = placement.counts[placement.counts["instance_type"] == "new.4"]["service"]
    assert left.nunique() == 1


def test_services_that_do_not_run_today_start_freely() -> None:
    rule = DisruptionRule(name="slowly", services=("web",), at_most_per_day=0)
    costs = ChangeCosts(usd_per_started_instance=1e3, minimum_saving_usd_per_month=1e3)
    question = running(costs, rules=(rule,))
    empty = replace(question, world=replace(question.world, fleet=Fleet()))
    _, _, placement = solved(empty)
    assert types(placement) == LEAVES
    assert placement.bill.shadow_usd == 0
    assert Term.MOVES not in placement.bill.by("term")
