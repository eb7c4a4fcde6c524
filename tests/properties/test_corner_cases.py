"""Small worlds that random ones seldom hit."""

from __future__ import annotations

import pytest
from checker import broken
from referee import cheapest_usd
from small_worlds import asked, book, world

from models.rules import Extent, SpreadRule
from models.services import Replica, Service
from optimizer.read import read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend


@pytest.mark.parametrize("rps", [80.0, 380.0, 480.0, 890.0])
@pytest.mark.parametrize("sizes", [(4,), (3, 4), (4, 8)])
def test_one_of_two_zones_may_be_lost_where_data_is_kept(
    sizes: tuple[int, ...], rps: float
) -> None:
    """Up to twice the replicas asked for must fit into a place that is open or not."""
    rule = SpreadRule(name="zones", services=("db",), survives=Extent.ZONE)
    offers = [("aws/west", f"m.{n}", "on_demand", 0.05 * n + 0.01, n, 4 * n) for n in sizes]
    service = Service("db", Replica(1, 4, 100), stateful=True)
    of = world([service], book(offers), places=["aws/west"], rules=[rule])
    question = asked(of, {("db", "america"): [rps, rps]})
    formulation = question.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=10.0)
    assert isinstance(answer, Solved)
    assert answer.objective == pytest.approx(cheapest_usd(question))
    placement = read_placement(formulation, answer, "ortools", 0.0)
    assert broken(question, placement) == []
