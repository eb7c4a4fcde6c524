"""A company of 120 services, decomposed by the main cycle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import FaultyInput
from models.placement import Proof
from models.plan import Plan
from models.risk import CvarPolicy
from models.world import World
from optimizer.gather import gather
from optimizer.plan import Method, make_plan
from scenarios.generator import generate_world


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("company") / "world"
    generate_world(services=120, hours=6, seed=3, out=folder)
    world, _ = gather(folder)
    return world


def test_a_large_world_is_decomposed_and_its_bill_is_exact(company: World) -> None:
    outcome = make_plan(company)
    assert isinstance(outcome, Plan)
    certificate = outcome.placement.certificate
    assert certificate.backend == "decomposition"
    assert 0 < certificate.bound_usd <= certificate.objective_usd
    assert certificate.gap < 0.15
    paid = float(outcome.placement.bill.total_usd)
    assert paid == pytest.approx(certificate.objective_usd, rel=1e-4)
    assert outcome.placement.counts["count"].gt(0).all()
    shares = outcome.placement.routes.groupby(["service", "origin", "first_period"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1.0, abs=1e-6)


def test_a_loose_target_is_met(company: World) -> None:
    outcome = make_plan(replace(company, policy=replace(company.policy, gap_target=0.5)))
    assert isinstance(outcome, Plan)
    assert outcome.placement.certificate.proof is Proof.WITHIN_GAP


def test_what_cannot_be_decomposed_is_refused_when_asked_for(company: World) -> None:
    fixed = replace(company, policy=replace(company.policy, route_hours=6))
    with pytest.raises(FaultyInput, match="sizes and routes change at different hours"):
        make_plan(fixed, method=Method.DECOMPOSITION)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"minimum_run_hours": 2}, "the policy sets minimum_run_hours"),
        ({"cvar": CvarPolicy(0.9, 0.5)}, "the policy sets cvar"),
    ],
)
def test_whatever_it_does_not_know_is_refused(
    company: World, changed: dict[str, object], why: str
) -> None:
    other = replace(company, policy=replace(company.policy, **changed))  # type: ignore[arg-type]
    with pytest.raises(FaultyInput, match=why):
        make_plan(other, method=Method.DECOMPOSITION)
