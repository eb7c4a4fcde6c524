"""Greedy plans that benchmarks compare with: real plans, billed and checked like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.baselines import FirstFit, cheapest_unit_price, greedy_plan
from benchmarks.fleet_growth import exponent
from benchmarks.fleet_worlds import strict_world
from models.placement import Bill, Term
from models.rules import QuotaRule
from models.world import World
from optimizer.plan import foresee
from optimizer.verify.case import Demand, demand_of
from optimizer.verify.entries import PlanEntry
from optimizer.verify.findings import Given, Verification
from optimizer.verify.verify import examine


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("company") / "world"
    return strict_world(40, 6, folder)


@pytest.fixture(scope="module")
def demand(world: World) -> Demand:
    return demand_of(world)


@pytest.fixture(scope="module")
def plans(world: World, demand: Demand) -> dict[str, Verification]:
    rps = foresee(world).outlook.highest_rps
    found = {}
    for name, method in (("first fit", FirstFit(world)), ("unit price", cheapest_unit_price)):
        entry = PlanEntry.model_validate(greedy_plan(world, rps, method))
        found[name] = examine(entry, world, demand, Bill(world.policy.horizon_hours, ()))
    return found


@pytest.mark.parametrize("method", ["first fit", "unit price"])
def test_they_serve_everybody_within_reach(plans: dict[str, Verification], method: str) -> None:
    broken = {violation.rule for violation in plans[method].violations}
    assert not broken & {kind.value for kind in Given}
    latency = {name for name in broken if name.startswith(("latency:", "min_replicas:"))}
    assert latency == set()


def test_first_fit_stays_within_quotas(world: World, plans: dict[str, Verification]) -> None:
    quotas = {rule.name for rule in world.rules if isinstance(rule, QuotaRule)}
    broken = {name: {v.rule for v in found.violations} for name, found in plans.items()}
    assert not broken["first fit"] & quotas
    assert broken["unit price"] & quotas


def test_owned_commitments_cover_what_they_can(plans: dict[str, Verification]) -> None:
    for found in plans.values():
        bill = found.bill.by("term")
        assert bill[Term.COMMITMENTS.value] > 0 > bill[Term.COVERED.value]


def test_unit_prices_beat_small_instances(plans: dict[str, Verification]) -> None:
    cost = {name: float(found.bill.by("term")["compute"]) for name, found in plans.items()}
    assert cost["unit price"] < cost["first fit"]


def test_the_exponent_is_the_slope_between_logarithms() -> None:
    assert exponent([(n, 0.01 * n**1.2) for n in (100, 1000, 10_000)]) == pytest.approx(1.2)
    assert exponent([(100, 1.0), (1000, 10.0)]) is None
    noisy = [(n, 3.0 * n * (1 + 0.1 * (-1) ** i)) for i, n in enumerate((100, 316, 1000, 3162))]
    assert exponent(noisy) == pytest.approx(1.0, abs=np.log(1.1))
