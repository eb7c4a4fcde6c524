"""A rule binds where it holds something back, and nowhere else."""

from __future__ import annotations

from small_worlds import asked, book, world

from models.places import PlaceFilter
from models.rules import MinReplicasRule, QuotaRule, Rule
from models.services import Replica, Service
from optimizer.read import read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend

AT_LEAST_3 = MinReplicasRule(name="min", service="ledger", at_least=3)
PLACES = ("aws/east", "aws/west", "gcp/eu")


def binding_rows(rule: Rule, rps: float) -> tuple[int, int]:
    """Rows of ``rule`` and how many bind; a stateful ledger with three places, aws/east cheapest.

    One replica serves 100 rps on an instance of its own.
    """
    ledger = Service("ledger", Replica(1, 2, 100), stateful=True)
    prices = zip(PLACES, (0.01, 0.05, 0.05), strict=True)
    offers = book([(place, "m.1", "on_demand", usd, 1, 2) for place, usd in prices])
    case = asked(
        world([ledger], offers, places=PLACES, rules=[rule]), {("ledger", "europe"): [rps, rps]}
    )
    formulation = case.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=30)
    assert isinstance(answer, Solved)
    placement = read_placement(formulation, answer, "ortools", 0.0)
    assert set(placement.counts["region"]) == {"east"}
    binding = placement.binding
    own = binding.loc[binding["rule"] == rule.name, ["rows", "binding_rows"]]
    rows, tight = own.to_numpy().tolist()[0]
    return rows, tight


def test_least_replicas_bind_where_the_service_runs_and_not_where_it_does_not() -> None:
    assert binding_rows(AT_LEAST_3, rps=10.0) == (3, 1)


def test_least_replicas_that_demand_exceeds_do_not_bind() -> None:
    assert binding_rows(AT_LEAST_3, rps=450.0) == (3, 0)


def test_a_quota_that_is_used_up_binds() -> None:
    quota = QuotaRule(name="quota", where=PlaceFilter(), instances_at_most=5.0)
    rows, binding = binding_rows(quota, rps=450.0)
    assert 0 < binding < rows
