"""Services that call each other, solved as programmes, against the one problem.

Nothing else ties these worlds together, so that the bounds of their units add up to the optimum,
but for what units are solved with and what the one problem would not have found.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from checker import broken
from small_worlds import ORIGINS, Asked, asked, book, world

from models.rules import Extent, LatencyRule, MinReplicasRule, Rule, SpreadRule
from models.services import Dependency, Replica, Service
from models.world import DemandScenario, Policy
from optimizer.decompose.answer import Decomposed, decompose, read_decomposed
from optimizer.decompose.dual import run
from optimizer.decompose.refining import OFF, PRECISE, Refining, refinable, unit_costs
from optimizer.decompose.shards import Effort, subproblems
from optimizer.executor.seam import IN_PROCESS
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend

PLACES = ("aws/east", "aws/west", "gcp/eu")
TOLERANCE = 1e-6


def calling(seed: int, origins: int, *, apart: bool, extent: Extent | None = None) -> Asked:
    """Two or three services that send each other about as much data as replicas cost."""
    rng = np.random.default_rng([seed, origins, apart])
    offers = [
        (place, f"m.{vcpus}", "on_demand", round(vcpus * rng.uniform(0.03, 0.06), 4), vcpus,
         vcpus * 4.0)
        for place in PLACES
        for vcpus in (1, 2)
    ]  # fmt: skip
    names = ("web", "logic", "store")[: int(rng.integers(2, 4))]
    services = [
        Service(name, Replica(1, 2, 10.0, 20.0), response_kib=float(rng.choice([0.0, 20.0])))
        for name in names
    ]
    calls = [
        Dependency(a, b, float(rng.choice([0.5, 1.0])), *rng.choice([1.0, 30.0, 100.0], 2).tolist())
        for a, b in pairwise(names)
    ]
    scenarios = (DemandScenario(0.5, 0.6), DemandScenario(0.95, 0.4))
    policy = Policy(
        horizon_hours=1,
        headroom=1.0,
        gap_target=1e-6,
        time_limit_s=20,
        demand_scenarios=scenarios,
        unmet_at_most=float(rng.choice([0.05, 0.3])),
        unmet_usd_per_million_requests=float(rng.choice([0.5, 2.0, 8.0])),
    )
    rules: list[Rule] = []
    if apart:
        rules += [LatencyRule(name=f"near-{s}", service=s, within_ms=100.0) for s in names]
    if rng.random() < 0.5:
        rules.append(MinReplicasRule(name="least", service="web", at_least=int(rng.integers(2, 6))))
    if extent is not None:
        rules.append(SpreadRule(name="spread", services=names[:1], survives=extent, share=0.5))
    of = world(
        services, book(offers), places=PLACES, rules=rules, dependencies=calls, policy=policy
    )
    direct = {("web", origin): [round(rng.uniform(3, 25), 1)] for origin in list(ORIGINS)[:origins]}
    return asked(of, direct, [dict.fromkeys(ORIGINS, 0.8), dict.fromkeys(ORIGINS, 1.1)])


def decomposed(of: Asked) -> Decomposed:
    found = decompose(
        of.world, survey(of.world), measure(of.world), of.demand_rps, of.direct_rps, of.outlook
    )
    assert isinstance(found, Decomposed)
    return found


CASES = [
    (2, False, None),
    (2, True, None),
    (2, True, Extent.ZONE),
    (1, False, Extent.ZONE),
    (1, False, Extent.REGION),
    (1, False, Extent.CLOUD),
]


@pytest.mark.parametrize(("origins", "apart", "extent"), CASES)
def test_exact_units_are_no_dearer_than_the_optimum_and_hardly_cheaper(
    origins: int, apart: bool, extent: Extent | None
) -> None:
    raised = refined = tight = 0
    for seed in range(12):
        of = calling(seed, origins, apart=apart, extent=extent)
        found = decomposed(of)
        answer = OrToolsBackend().solve(of.formulate().problem, gap=0.0, time_limit_s=30)
        if not isinstance(answer, Solved):
            assert found.fleet is None, f"seed {seed}: a plan where there is none"
            continue
        assert found.bound_usd <= answer.objective * (1 + TOLERANCE), f"seed {seed}"
        if found.fleet is None:
            continue
        assert found.usd >= answer.bound * (1 - TOLERANCE), f"seed {seed}"
        placement = read_decomposed(found, found.fleet, measure(of.world))
        assert broken(of, placement) == [], f"seed {seed}"
        counted = float(placement.bill.total_usd + placement.bill.shadow_usd)
        assert counted == pytest.approx(found.usd, rel=1e-3), f"seed {seed}"
        raised += found.bound_usd > found.cells_bound_usd
        if refinable(found.case).all():
            tight += _as_dear_as(found, answer.objective)
            refined += 1
    assert raised >= 1
    assert refined >= 8
    assert tight >= 3


def _as_dear_as(found: Decomposed, optimum: float) -> bool:
    """Whether the units of the world, at the prices of the plan, cost what the optimum costs.

    They never cost more; less where cells have too many holdings, or where bounds must let more go
    unmet than plans may.
    """
    case, prices, fleet = found.case, found.prices, found.fleet
    assert fleet is not None
    at = run(case, prices, subproblems(case.whole, case.parts, IN_PROCESS), Effort.EXACT)
    refining = Refining(case, prices, at.value, at.between)
    costs = unit_costs(fleet, prices)
    assert costs.sum() == pytest.approx(found.usd)
    slack = np.maximum(costs - refining.least, 0.0)
    bounds = [refining.solve(u, float(slack[u])).bound for u in range(case.units)]
    assert sum(bounds) <= optimum * (1 + TOLERANCE)
    off = PRECISE * slack.sum() + 2 * OFF * optimum
    return bool(sum(bounds) >= min(optimum, found.usd) - off)
