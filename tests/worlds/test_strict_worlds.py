"""Strict worlds: every kind of rule is there, binds, can be left out alone, and can be kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from models.commitments import CommitmentKind
from models.errors import FaultyInput
from models.placement import Placement
from models.places import Cloud
from models.plan import Plan
from models.rules import BudgetRule, QuotaRule
from models.world import World
from optimizer.formulate.paths import bound_paths
from optimizer.formulate.reach import measure
from optimizer.gather import gather
from optimizer.plan import Method, make_plan
from providers.geography.regions import load_regions
from providers.pricebook.embedded import load_embedded_book
from scenarios.generate.kinds import Kind, Strict, kinds_named
from scenarios.generator import generate_world

ALL = frozenset(Kind)
OF_RULES = {Kind.QUOTAS: "quota", Kind.BUDGETS: "budget"}


@pytest.fixture(scope="module")
def offerings() -> pd.DataFrame:
    return load_embedded_book(load_regions()).offerings


@pytest.fixture(scope="module")
def company(offerings: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> World:
    out = tmp_path_factory.mktemp("strict") / "world"
    generate_world(300, 24, 7, out, Strict(offerings), hourly=True)
    return gather(out)[0]


def written(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((folder / "world.yaml").read_text(encoding="utf-8"))
    for said in ("world", "description"):
        document.pop(said)
    document["demand"].pop("note")
    return document


@pytest.fixture(scope="module")
def everything(offerings: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("strict") / "world"
    generate_world(90, 24, 2, out, Strict(offerings))
    return out


def test_the_same_arguments_give_the_same_files(
    offerings: pd.DataFrame, everything: Path, tmp_path: Path
) -> None:
    generate_world(90, 24, 2, tmp_path / "again", Strict(offerings))
    for path in everything.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def without(document: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """What is left of a world file when a kind of rules is struck from it, by hand."""
    rule = OF_RULES.get(kind, kind)
    left = {**document, "rules": [r for r in document["rules"] if r["kind"] != rule]}
    table = "services"
    fields: tuple[str, ...] = ()
    match kind:
        case Kind.LATENCY:
            fields = ("latency_objective_ms",)
        case Kind.SCENARIOS:
            fields = ("unmet_at_most", "unmet_usd_per_million_requests")
            left["policy"] = {
                k: v for k, v in document["policy"].items() if k != "demand_scenarios"
            }
        case Kind.WORKFLOWS | Kind.COMMITMENTS:
            left.pop(kind)
        case Kind.TRANSFER:
            table, fields = "dependencies", ("request_kib", "response_kib")
    left[table] = [{k: v for k, v in row.items() if k not in fields} for row in left[table]]
    return left


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_that_is_left_out_changes_nothing_else(
    kind: Kind, offerings: pd.DataFrame, everything: Path, tmp_path: Path
) -> None:
    generate_world(90, 24, 2, tmp_path / "world", Strict(offerings, ALL - {kind}))
    whole, part = written(everything), written(tmp_path / "world")
    assert part != whole, f"{kind} is not in the world"
    assert part == without(whole, kind)
    demand = (everything / "demand.csv").read_bytes()
    assert (tmp_path / "world" / "demand.csv").read_bytes() == demand


def test_nothing_is_left_when_no_kind_is_wanted(offerings: pd.DataFrame, tmp_path: Path) -> None:
    generate_world(90, 24, 2, tmp_path / "world", Strict(offerings, frozenset()))
    world = written(tmp_path / "world")
    assert "rules" not in world
    assert not {"commitments", "workflows"} & world.keys()
    assert world["policy"].keys() == {"horizon_hours", "headroom", "count_hours", "route_hours"}


def test_sizes_and_routes_change_every_hour(company: World) -> None:
    assert (company.policy.count_hours, company.policy.route_hours) == (1, 1)


def test_commitments_of_three_clouds_are_owned_and_on_offer(company: World) -> None:
    kinds = {(c.cloud, c.kind, c.owned > 0) for c in company.commitments}
    assert kinds == {(c, k, o) for c in Cloud for k in CommitmentKind for o in (True, False)}
    assert {c.term_years for c in company.commitments} == {1, 3}


def test_most_demand_may_be_left_unmet_at_a_price(company: World) -> None:
    assert len(company.policy.demand_scenarios) == 3
    for service in company.services:
        assert (service.unmet_at_most is None) == service.stateful
        if not service.stateful:
            assert service.unmet_usd_per_million_requests


def test_a_third_of_the_services_have_workflows(company: World) -> None:
    busy = {step.service for workflow in company.workflows for step in workflow.steps}
    assert 0.25 < len(busy) / len(company.services) < 0.42


def test_some_workflows_rule_out_combinations_of_places_and_some_do_not(company: World) -> None:
    distances = measure(company)
    slow = []
    for paths in bound_paths(company):
        from_origin = distances.from_origin[paths.origins]
        near = np.repeat((from_origin < 40)[:, None, :], len(paths.steps), axis=1)
        latest_end = paths.times(from_origin, distances.between, near).latest_end.max()
        slow.append(bool(latest_end > paths.rule.within_ms))
        one_place = [
            paths.times(from_origin[[g]], distances.between, near[[g]] & (place == places))
            .latest_end.max()
            for g in range(len(near))
            for places in [np.arange(len(company.regions))]
            for place in np.flatnonzero(near[g, 0])
        ]  # fmt: skip
        assert max(one_place) <= paths.rule.within_ms
    assert 0.2 < np.mean(slow) < 0.8


def test_quotas_are_of_pools_on_demand_and_on_spot_in_three_clouds(company: World) -> None:
    quotas = [rule for rule in company.rules if isinstance(rule, QuotaRule)]
    places = {place.partition("/")[0] for rule in quotas for place in rule.where.places}
    assert places == {"aws", "azure", "gcp"}
    assert {rule.spot for rule in quotas} == {True, False}
    assert all(rule.families for rule in quotas)


def planned(
    folder: Path, offerings: pd.DataFrame, kinds: frozenset[Kind], services: int, seed: int
) -> Placement:
    generate_world(services, 2, seed, folder, Strict(offerings, kinds), hourly=True)
    world, _ = gather(folder)
    policy = replace(world.policy, gap_target=0.02)
    outcome = make_plan(replace(world, policy=policy), method=Method.EXACT)
    assert isinstance(outcome, Plan)
    return outcome.placement


def test_the_budget_of_a_cloud_binds(offerings: pd.DataFrame, tmp_path: Path) -> None:
    free = planned(tmp_path / "free", offerings, frozenset({Kind.LATENCY}), 20, 3)
    kinds = frozenset({Kind.LATENCY, Kind.BUDGETS})
    bound = planned(tmp_path / "bound", offerings, kinds, 20, 3)
    budgets = [rule for rule in gather(tmp_path / "bound")[0].rules if isinstance(rule, BudgetRule)]
    (cap,) = (rule for rule in budgets if rule.name.endswith("-cap"))
    assert cap.cloud is not None
    spent, left = (float(p.bill.by("cloud")[cap.cloud.value]) * 365 for p in (free, bound))
    assert left <= cap.usd_per_month < spent
    assert bound.certificate.objective_usd > free.certificate.bound_usd


def test_a_world_with_every_kind_has_a_plan(offerings: pd.DataFrame, tmp_path: Path) -> None:
    placement = planned(tmp_path / "world", offerings, ALL, 10, 4)
    assert placement.certificate.gap <= 0.02
    owned = [use for use in placement.commitments if use.commitment.owned > 0]
    assert {use.commitment.cloud for use in owned} == set(Cloud)
    rate = [use.commitment.usd_per_level_hour for use in owned]
    used = sum(r * use.used.sum() for r, use in zip(rate, owned, strict=True))
    paid = sum(r * use.level.sum() for r, use in zip(rate, owned, strict=True))
    assert used > 0.8 * paid


@pytest.mark.parametrize(
    ("rules", "dropped", "kinds"),
    [
        (None, "", None),
        ("all", "", ALL),
        ("none", "", frozenset()),
        ("quotas, latency", "latency", frozenset({Kind.QUOTAS})),
        ("all", "budgets,quotas", ALL - {Kind.BUDGETS, Kind.QUOTAS}),
    ],
)
def test_kinds_are_named(rules: str | None, dropped: str, kinds: frozenset[Kind] | None) -> None:
    assert kinds_named(rules, dropped) == kinds


def test_kinds_that_nobody_knows_are_all_told_at_once() -> None:
    with pytest.raises(FaultyInput) as caught:
        kinds_named("quota,latency", "budget")
    assert len(caught.value.faults) == 2
    assert "quotas" in caught.value.faults[0].suggestion


def test_leaving_kinds_out_of_nothing_is_a_fault() -> None:
    with pytest.raises(FaultyInput, match="--rules"):
        kinds_named(None, "quotas")
