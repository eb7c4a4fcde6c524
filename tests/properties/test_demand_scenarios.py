"""Demand scenarios, demand that may go unmet at a price, and a dislike of dear outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from checker import broken
from small_worlds import Asked, asked, book, world

from models.placement import Placement, ShadowTerm
from models.risk import CvarPolicy, cvar
from models.rules import Extent, SpreadRule
from models.services import Replica, Service
from models.world import DemandScenario, Policy
from optimizer.problem import to_lp
from optimizer.read import read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend

EAST = "aws/east"
WEB = Service("web", Replica(1, 2, 100), response_kib=1.0)
USUAL_AND_RUSH = (DemandScenario(0.5, 0.9), DemandScenario(0.99, 0.1))
A_REPLICA_HOUR = 0.1  # USD; one replica per instance


def question(
    policy: Policy,
    times: Sequence[float] = (),
    service: Service = WEB,
    rules: Sequence[SpreadRule] = (),
) -> Asked:
    """400 rps, which are four replicas, times a factor per scenario."""
    policy = replace(policy, horizon_hours=1, headroom=1.0, gap_target=0.0)
    offers = book([(p, "m.1", "on_demand", A_REPLICA_HOUR, 1, 4) for p in (EAST, "aws/west")])
    places = [EAST, "aws/west"] if rules else [EAST]
    of = world([service], offers, places=places, policy=policy, rules=rules)
    factors = [{"america": factor} for factor in times]
    return asked(of, {("web", "america"): [400.0]}, factors)


def planned(of: Asked) -> Placement:
    formulation = of.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=10.0)
    assert isinstance(answer, Solved)
    placement = read_placement(formulation, answer, "ortools", 0.0)
    assert broken(of, placement) == []
    return placement


def replicas(policy: Policy, times: Sequence[float] = (), service: Service = WEB) -> int:
    return int(planned(question(policy, times, service)).counts["count"].sum())


def unmet(at_most: float, usd: float, **more: object) -> Policy:
    policy = Policy(unmet_at_most=at_most, unmet_usd_per_million_requests=usd)
    return replace(policy, **more)  # type: ignore[arg-type]


def test_one_sure_scenario_is_the_problem_without_scenarios() -> None:
    sure = Policy(demand_scenarios=(DemandScenario(0.9, 1.0),))
    without, with_it = question(Policy()), question(sure, [1.0])
    assert to_lp(with_it.formulate().problem) == to_lp(without.formulate().problem)


def test_where_nothing_may_go_unmet_the_highest_scenario_decides() -> None:
    assert replicas(Policy(demand_scenarios=USUAL_AND_RUSH), [1.0, 2.5]) == 10


@pytest.mark.parametrize(("usd", "held"), [(0.2, 5), (0.3, 10)])
def test_a_replica_runs_when_it_costs_less_than_what_it_serves(usd: float, held: int) -> None:
    """0.36 million requests an hour: at 0.2 USD a million a replica is worth 0.072, at 0.3 0.108.

    Ten replicas of demand; at most half may go unmet.
    """
    sure = (DemandScenario(0.5, 1.0),)
    assert replicas(unmet(0.5, usd, demand_scenarios=sure), [2.5]) == held


def test_rare_demand_is_worth_little_and_services_may_think_otherwise() -> None:
    """The rush has probability 0.1, so serving it is worth a tenth of what it is when sure."""
    policy = unmet(0.5, 2.0, demand_scenarios=USUAL_AND_RUSH)
    assert replicas(policy, [1.0, 2.0]) == 4
    dear = replace(WEB, unmet_usd_per_million_requests=20.0)
    assert replicas(policy, [1.0, 2.0], dear) == 8
    firm = replace(WEB, unmet_at_most=0.0)
    assert replicas(policy, [1.0, 2.0], firm) == 8


def test_the_cap_holds_in_every_hour_of_every_scenario() -> None:
    policy = unmet(0.2, 0.001, demand_scenarios=USUAL_AND_RUSH)
    assert replicas(policy, [1.0, 2.5]) == 8  # 80 % of ten


def test_bills_of_scenarios_and_their_mean() -> None:
    policy = unmet(0.5, 2.0, demand_scenarios=USUAL_AND_RUSH)
    plan = planned(question(policy, [1.0, 2.0]))
    usual, rush = plan.scenarios
    assert [usual.name, rush.name] == ["q0.5", "q0.99"]
    assert usual.bill.shadow == ()
    requests, usd = rush.bill.shadow_of(ShadowTerm.UNMET_DEMAND)
    assert requests == 400 * 3600
    assert float(usd) == pytest.approx(2 * 1.44)
    egress = [float(one.bill.by("term")["egress_internet"]) for one in plan.scenarios]
    assert egress[1] == pytest.approx(2 * egress[0], abs=1e-3)
    expected = sum(one.probability * float(one.counted_usd) for one in plan.scenarios)
    counted = plan.bill.total_usd + plan.bill.shadow_usd
    assert float(counted) == pytest.approx(expected, abs=1e-3)
    assert plan.certificate.objective_usd == pytest.approx(expected, abs=1e-3)


def test_spread_is_about_the_policys_quantile_whatever_may_go_unmet() -> None:
    rule = SpreadRule(name="safe", services=("web",), survives=Extent.REGION)
    policy = unmet(0.5, 0.001, demand_scenarios=USUAL_AND_RUSH)
    plan = planned(question(policy, [0.5, 2.0], rules=[rule]))
    assert plan.counts.groupby("region")["count"].sum().to_dict() == {"east": 4, "west": 4}


def test_a_dislike_of_dear_outcomes_buys_capacity_for_them() -> None:
    """A rush hour's replica is worth 0.072 USD when expected, 0.36 USD in the tail."""
    neutral = unmet(0.5, 2.0, demand_scenarios=USUAL_AND_RUSH)
    averse = replace(neutral, cvar=CvarPolicy(0.9, 0.5))
    calm, careful = (planned(question(p, [1.0, 2.0])) for p in (neutral, averse))
    assert (calm.counts["count"].sum(), careful.counts["count"].sum()) == (4, 8)
    tails = [cvar([(s.probability, float(s.counted_usd)) for s in plan.scenarios], 0.9)
             for plan in (calm, careful)]  # fmt: skip
    assert tails[1] < tails[0]
    mean = float(careful.bill.total_usd + careful.bill.shadow_usd)
    assert careful.certificate.objective_usd == pytest.approx((mean + tails[1]) / 2, abs=1e-3)


def test_cvar_is_the_mean_of_the_dearest_share() -> None:
    outcomes = [(0.5, 10.0), (0.3, 20.0), (0.2, 100.0)]
    assert cvar(outcomes, 0.8) == pytest.approx(100.0)
    assert cvar(outcomes, 0.6) == pytest.approx((0.2 * 100 + 0.2 * 20) / 0.4)
    assert cvar(outcomes, 0.95) == pytest.approx(100.0)
    near_zero = float(np.nextafter(0, 1))
    assert cvar(outcomes, near_zero) == pytest.approx(0.5 * 10 + 0.3 * 20 + 0.2 * 100)
