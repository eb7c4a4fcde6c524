"""Priced carbon moves plans, is no money, and is the same for today's fleet and the plan."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from checker import broken
from small_worlds import Asked, asked, book, region, world

from models.carbon import emitted_kg_per_hour, kwh_per_hour
from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.placement import Placement, ShadowTerm
from models.rules import BudgetRule, Rule
from models.services import Replica, Service
from models.world import Policy
from optimizer.formulate.dominance import drop_dominated
from optimizer.formulate.market import survey
from optimizer.read import read_placement
from optimizer.solve.answers import ProvenInfeasible, Solved
from optimizer.solve.ortools_backend import OrToolsBackend
from optimizer.today import look_at_today

WEB = Service("web", Replica(1, 2, 100))
EAST, WEST = "aws/east", "aws/west"  # 350 and 90 g/kWh
OFFERS = [(EAST, "m.4", "on_demand", 0.2, 4, 16), (WEST, "m.4", "on_demand", 0.21, 4, 16)]
KG_EAST = (4 * 2.12 + 16 * 0.392) * 1.135 / 1000 * 0.35  # an hour of m.4


def question(usd_per_tonne: float, *rules: Rule, fleet: Fleet | None = None) -> Asked:
    policy = Policy(
        horizon_hours=2, headroom=1.0, gap_target=0.0, carbon_usd_per_tonne=usd_per_tonne
    )
    of = world([WEB], book(OFFERS), places=[EAST, WEST], rules=rules, policy=policy, fleet=fleet)
    return asked(of, {("web", "america"): [400.0, 400.0]})


def planned(of: Asked) -> Placement | None:
    formulation = of.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=10.0)
    if isinstance(answer, ProvenInfeasible):
        return None
    assert isinstance(answer, Solved)
    placement = read_placement(formulation, answer, "ortools", 0.0)
    assert broken(of, placement) == []
    return placement


def offering(**fields: object) -> pd.DataFrame:
    row = {"cloud": "aws", "region": "east", "vcpus": 2.0, "memory_gib": 8.0, "gpus": 0.0,
           "gpu_model": ""}  # fmt: skip
    return pd.DataFrame([row | fields])


def test_energy_of_an_instance() -> None:
    """Half way from rest to full load for vCPUs, all memory, the overhead of the building."""
    (kwh,) = kwh_per_hour(offering())
    assert kwh == pytest.approx((2 * (0.74 + 3.5) / 2 + 8 * 0.392) * 1.135 / 1000)
    (azure,) = kwh_per_hour(offering(cloud="azure"))
    assert azure == pytest.approx((2 * (0.78 + 3.76) / 2 + 8 * 0.392) * 1.185 / 1000)


@pytest.mark.parametrize(("model", "watts"), [("T4", 70), ("A100", 400), ("X9000", 700)])
def test_gpus_count_and_unknown_ones_as_the_hungriest(model: str, watts: float) -> None:
    (with_gpus,) = kwh_per_hour(offering(gpus=2.0, gpu_model=model))
    (without,) = kwh_per_hour(offering())
    assert with_gpus - without == pytest.approx(2 * 0.57 * watts * 1.135 / 1000)


def test_emissions_follow_the_grid_and_unknown_grids_stay_unknown() -> None:
    regions = {EAST: region(EAST)}
    (kg,) = emitted_kg_per_hour(offering(vcpus=4.0, memory_gib=16.0), regions)
    assert kg == pytest.approx(KG_EAST)
    (unknown,) = emitted_kg_per_hour(offering(region="nowhere"), regions)
    assert np.isnan(unknown)


def test_a_price_on_carbon_moves_the_plan_to_the_cleaner_grid() -> None:
    cheap, clean = planned(question(0.0)), planned(question(10_000.0))
    assert cheap is not None
    assert clean is not None
    assert set(cheap.counts["region"]) == {"east"}
    assert set(clean.counts["region"]) == {"west"}
    assert cheap.bill.shadow == ()
    assert clean.bill.total_usd == Decimal("0.42")  # what is paid
    kg, usd = clean.bill.shadow_of(ShadowTerm.CARBON)
    assert float(kg) == pytest.approx(2 * KG_EAST * 90 / 350, abs=1e-4)
    assert float(usd) == pytest.approx(float(kg) * 10, abs=1e-3)
    decided = clean.bill.total_usd + clean.bill.shadow_usd
    assert clean.certificate.objective_usd == pytest.approx(float(decided), abs=1e-4)


def test_a_budget_counts_what_is_paid_and_not_what_carbon_is_priced_at() -> None:
    """0.405 USD for two hours buy the dirty fleet only, whatever it emits."""
    tight = BudgetRule(name="tight", usd_per_month=0.405 * 730 / 2)
    plan = planned(question(10_000.0, tight))
    assert plan is not None
    assert set(plan.counts["region"]) == {"east"}
    assert planned(question(0.0, BudgetRule(name="less", usd_per_month=0.39 * 730 / 2))) is None


def stays(usd_per_tonne: float, *rules: Rule) -> set[str]:
    """Equal shapes; the dirty one needs four times the memory for its price."""
    offers = book(
        [(EAST, "lean.4", "on_demand", 0.21, 4, 8), (EAST, "fat.4", "on_demand", 0.2, 4, 64)]
    )
    policy = Policy(horizon_hours=2, headroom=1.0, carbon_usd_per_tonne=usd_per_tonne)
    of = world([WEB], offers, places=[EAST], rules=rules, policy=policy)
    kept, _ = drop_dominated(survey(of).options, of, np.array([100]))
    return set(of.book.offerings["instance_type"].iloc[kept.offering])


def test_what_emits_less_for_more_money_stays_when_a_budget_might_want_the_other() -> None:
    budget = BudgetRule(name="total", usd_per_month=100)
    assert stays(0.0) == {"fat.4"}
    assert stays(10_000.0) == {"lean.4"}
    assert stays(0.0, budget) == {"fat.4"}
    assert stays(10_000.0, budget) == {"lean.4", "fat.4"}


def test_todays_fleet_emits_by_the_same_measure() -> None:
    fleet = Fleet((Group("web", EAST, "m.4", Purchase.ON_DEMAND, 3),))
    of = question(100.0, fleet=fleet)
    today = look_at_today(of.world, of.demand_rps, of.direct_rps)
    kg, usd = today.bill.shadow_of(ShadowTerm.CARBON)
    assert float(kg) == pytest.approx(3 * 2 * KG_EAST, abs=1e-4)
    assert float(usd) == pytest.approx(float(kg) / 10, abs=1e-4)
    assert today.bill.total_usd == Decimal("1.2")
