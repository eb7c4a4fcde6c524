"""What-ifs change a world as they say, leave the world itself alone, and name their faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import Fault, FaultyInput
from models.offerings import Purchase
from models.places import Cloud, PlaceFilter
from models.rules import AllowedPlacesRule, BudgetRule, ResidencyRule, SpotRiskRule
from models.world import Catalogue, DemandFactor, World
from scenarios.whatif import Scenario, apply, read_scenario

WhatIf = Callable[[str], Scenario]


@pytest.fixture
def what_if(tmp_path: Path) -> WhatIf:
    """A scenario with the given changes."""

    def read(changes: str) -> Scenario:
        path = tmp_path / "what-if.yaml"
        head = "trimtab: 1\nscenario: storm\ndescription: What if?\nchanges:\n"
        path.write_text(f"{head}  - {changes}\n", encoding="utf-8")
        return read_scenario(path)

    return read


@pytest.fixture
def faults_in(what_if: WhatIf, world: World, catalogue: Catalogue) -> Callable[[str], list[Fault]]:
    def found(changes: str) -> list[Fault]:
        with pytest.raises(FaultyInput) as raised:
            apply(what_if(changes), world, catalogue)
        return list(raised.value.faults)

    return found


def test_price_carbon(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    scenario = what_if("price_carbon: {usd_per_tonne: 80}")
    known = replace(world, regions=tuple(replace(r, gco2e_per_kwh=300.0) for r in world.regions))
    assert apply(scenario, known, catalogue).policy.carbon_usd_per_tonne == 80
    assert known.policy.carbon_usd_per_tonne == 0
    assert scenario.in_words == ("carbon priced at 80 USD per tonne",)


def test_price_carbon_where_grids_are_unknown(
    faults_in: Callable[[str], list[Fault]],
) -> None:
    (fault,) = faults_in("price_carbon: {usd_per_tonne: 80}")
    assert "not known for aws/eu-west-1" in fault.message
    assert "elsewhere_gco2e_per_kwh" in fault.suggestion


def test_heading(what_if: WhatIf) -> None:
    scenario = what_if("scale_demand: {by: 2}")
    assert (scenario.name, scenario.description) == ("storm", "What if?")
    assert scenario.at.line == 2


def test_scale_demand(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    text = "scale_demand: {by: 3, services: [web], origins: [europe], hours: [18, 22]}"
    scenario = what_if(f"{text}\n  - scale_demand: {{by: 0.5}}")
    changed = apply(scenario, world, catalogue)
    assert changed.demand_factors == (
        DemandFactor(3, frozenset({"web"}), frozenset({"europe"}), 18, 22),
        DemandFactor(0.5),
    )
    assert world.demand_factors == ()
    assert scenario.in_words == (
        "demand for web from europe times 3 in hours 18 to 22",
        "demand times 0.5",
    )


def test_scale_prices(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    scenario = what_if("scale_prices: {by: 1.15, where: {clouds: [aws]}, purchases: [on_demand]}")
    changed = apply(scenario, world, catalogue).book.offerings
    before = world.book.offerings
    hit = (before["cloud"] == "aws") & (before["purchase"] == "on_demand")
    factor = np.where(hit, 1.15, 1.0)
    np.testing.assert_allclose(
        changed["price_usd_per_hour"], before["price_usd_per_hour"] * factor, rtol=1e-12
    )
    assert set(changed.loc[hit, "source"]) == {"a list × 1.15 (what-if storm)"}
    assert set(changed.loc[~hit, "source"]) == {"a list"}
    assert set(before["source"]) == {"a list"}
    assert scenario.in_words == ("on-demand prices in AWS times 1.15",)


def test_lose_regions(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    changed = apply(what_if("lose: {regions: [aws/us-east-1]}"), world, catalogue)
    assert [region.place for region in changed.regions] == ["aws/eu-west-1", "gcp/europe-west1"]
    assert changed.book.places == ("aws/eu-west-1", "gcp/europe-west1")
    assert [group.place for group in changed.fleet.groups] == ["aws/eu-west-1"]
    assert len(world.regions) == 3


def test_lose_clouds(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    scenario = what_if("lose: {clouds: [aws]}")
    changed = apply(scenario, world, catalogue)
    assert [region.place for region in changed.regions] == ["gcp/europe-west1"]
    assert changed.fleet.groups == ()
    assert scenario.in_words == ("AWS lost",)


def test_forbid(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    text = "forbid: {services: {team: back}, where: {clouds: [azure]}, why: politics}"
    scenario = what_if(f"{text}\n  - forbid: {{where: {{places: [aws/us-east-1]}}}}")
    first, second = apply(scenario, world, catalogue).rules[-2:]
    assert first == AllowedPlacesRule(
        name="forbid-1",
        at=first.at,
        why="politics",
        services=("stock",),
        forbid=PlaceFilter(clouds=frozenset({Cloud.AZURE})),
    )
    assert (Path(first.at.file).name, first.at.line) == ("what-if.yaml", 5)
    assert (second.name, second.at.line) == ("forbid-2", 6)
    assert isinstance(second, AllowedPlacesRule)
    assert second.services == ("web", "stock")
    assert scenario.in_words == (
        "team back kept out of Azure",
        "every service kept out of aws/us-east-1",
    )


def test_withdraw(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    scenario = what_if("withdraw: {purchases: [spot]}")
    changed = apply(scenario, world, catalogue)
    assert changed.policy.purchases == {Purchase.ON_DEMAND}
    assert world.policy.purchases == {Purchase.ON_DEMAND, Purchase.SPOT}
    assert scenario.in_words == ("spot capacity withdrawn",)


@pytest.mark.parametrize(
    ("rules", "total", "front"), [("", 4000, 720), (", rules: [total]", 4000, 900)]
)
def test_scale_budget(
    what_if: WhatIf, world: World, catalogue: Catalogue, rules: str, total: float, front: float
) -> None:
    changed = apply(what_if(f"scale_budget: {{by: 0.8{rules}}}"), world, catalogue)
    budgets = {r.name: r.usd_per_month for r in changed.rules if isinstance(r, BudgetRule)}
    assert budgets == {"total": total, "front": front}
    assert len(changed.rules) == len(world.rules)


def test_scale_interruptions(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    risk = "{kind: spot_risk, name: r, services: [web], chance_at_most: 0.01, "
    rates = "rates: [{interruptions_per_month: 4, families: [m5]}]"
    added = f"add_rules: [{risk}interruptions_per_month: 2, {rates}}}]"
    scenario = what_if(f"{added}\n  - scale_interruptions: {{by: 3, where: {{clouds: [aws]}}}}")
    changed = apply(scenario, world, catalogue)
    rule = changed.rules[-1]
    assert isinstance(rule, SpotRiskRule)
    found = {
        (region.place, family, known): rule.per_month(region, family, known)
        for region in world.regions
        for family, known in (("m5", 1.0), ("n2", None), ("n2", 1.0))
    }
    assert found["aws/us-east-1", "m5", 1.0] == 12
    assert found["aws/us-east-1", "n2", None] == 6
    assert found["aws/us-east-1", "n2", 1.0] == 3
    assert found["gcp/europe-west1", "m5", 1.0] == 4
    assert found["gcp/europe-west1", "n2", 1.0] == 1
    assert scenario.in_words[1] == "interruptions of spot capacity in AWS times 3"


def test_add_and_drop_rules(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    added = "add_rules: [{kind: residency, services: [web], within: [BE], why: strict}]"
    scenario = what_if(f"{added}\n  - drop_rules: ['latency:web', total, spread-1]")
    changed = apply(scenario, world, catalogue)
    rule = changed.rules[-1]
    assert rule == ResidencyRule(
        name="residency-1",
        at=rule.at,
        why="strict",
        services=("web",),
        jurisdictions=frozenset({"BE"}),
    )
    dropped = {rule.name for rule in world.rules} - {rule.name for rule in changed.rules}
    assert dropped == {"latency:web", "total", "spread-1"}
    assert scenario.in_words == (
        "rules added: residency (residency)",
        "rules dropped: latency:web, total, spread-1",
    )


def test_changes_are_applied_in_order(what_if: WhatIf, world: World, catalogue: Catalogue) -> None:
    text = "drop_rules: [total]\n  - add_rules: [{kind: budget, name: total, usd_per_month: 10}]"
    changed = apply(
        what_if(f"{text}\n  - scale_budget: {{by: 2, rules: [total]}}"), world, catalogue
    )
    (budget,) = [rule for rule in changed.rules if rule.name == "total"]
    assert isinstance(budget, BudgetRule)
    assert budget.usd_per_month == 20


@pytest.mark.parametrize(
    ("change", "message", "suggestion"),
    [
        ("scale_demand: {by: 2, services: [wbe]}", "unknown service 'wbe'", "'web'"),
        ("scale_demand: {by: 2, services: [stock]}", "'stock' has no users of its own", "call it"),
        ("scale_demand: {by: 2, origins: [erope]}", "unknown origin 'erope'", "'europe'"),
        ("scale_demand: {by: 2, hours: [22, 18]}", "hours 22 to 18 hold no hour", "count from 0"),
        ("scale_demand: {by: 2, hours: [50, 60]}", "hold no hour of the plan", "the plan has 48"),
        ("scale_prices: {by: 2, where: {places: [aws/eu-west-9]}}", "unknown place", "eu-west-1"),
        ("scale_prices: {by: 2, where: {}}", "an empty set of places", "clouds"),
        ("lose: {regions: [azure/japaneast]}", "unknown region of this world", "known: aws/eu"),
        ("lose: {}", "nothing is lost", "regions"),
        ("lose: {clouds: [aws, gcp]}", "no place is left", "fewer"),
        ("forbid: {services: [stok], where: {clouds: [aws]}}", "unknown service", "'stock'"),
        ("forbid: {services: {team: bakc}, where: {clouds: [aws]}}", "unknown team", "'back'"),
        ("withdraw: {purchases: [spot, on_demand]}", "no purchase option is left", "on_demand"),
        ("scale_budget: {by: 2, rules: [eu-stock]}", "unknown budget rule 'eu-stock'", "total"),
        ("scale_interruptions: {by: 2}", "no spot risk rule", "add_rules"),
        ("add_rules: [{kind: residency, services: all, within: [UE]}]", "'UE'", "EU"),
        ("add_rules: [{kind: budget, name: total, usd_per_month: 1}]", "already in use", "own"),
        ("drop_rules: [totl]", "unknown rule 'totl'", "'total'"),
    ],
)
def test_unknown_names(
    faults_in: Callable[[str], list[Fault]], change: str, message: str, suggestion: str
) -> None:
    (fault,) = faults_in(change)
    assert message in fault.message
    assert suggestion in fault.suggestion
    assert (Path(fault.at.file).name, fault.at.line) == ("what-if.yaml", 5)


def test_all_faults_of_a_scenario_at_once(faults_in: Callable[[str], list[Fault]]) -> None:
    text = "drop_rules: [a, b]\n  - lose: {regions: [c]}\n  - scale_demand: {by: 2, origins: [d]}"
    assert [fault.at.line for fault in faults_in(text)] == [5, 5, 6, 7]


@pytest.mark.parametrize(
    ("change", "message", "suggestion"),
    [
        ("scale_demnd: {by: 2}", "unknown kind 'scale_demnd'", "did you mean 'scale_demand'"),
        ("{}", "does not say of what kind", "one of scale_demand"),
        ("scale_demand", "must be a mapping", ""),
        ("{withdraw: {purchases: [spot]}, lose: {clouds: [aws]}}", "unknown key changes[1].lose",
         "known: withdraw"),
        ("scale_demand: {by: -1}", "by must be at least 0", ""),
        ("scale_demand: {by: 2x}", "must be a number, not '2x'", "plain number"),
        ("scale_demand: {by: .nan}", "must be a finite number", ""),
        ("scale_demand: {by: 2, hours: [1]}", "hours", ""),
        ("scale_demand: {by: 2, hours: [1, 2, 3]}", "hours", ""),
        ("scale_prices: {by: 0}", "by must be greater than 0", ""),
        ("scale_budget: {by: 0}", "by must be greater than 0", ""),
        ("withdraw: {purchases: [sopt]}", "cannot be 'sopt'", "'spot'"),
        ("drop_rules: []", "drop_rules is empty", ""),
        ("add_rules: [{kind: budget}]", "usd_per_month is missing", "USD per month"),
    ],
)  # fmt: skip
def test_faulty_text(what_if: WhatIf, change: str, message: str, suggestion: str) -> None:
    with pytest.raises(FaultyInput) as raised:
        what_if(change)
    fault = next((f for f in raised.value.faults if message in f.message), None)
    assert fault is not None, str(raised.value)
    assert suggestion in fault.suggestion
    assert fault.at.line == 5


def test_a_world_is_not_a_scenario(write: Callable[..., Path]) -> None:
    with pytest.raises(FaultyInput, match="this is not a scenario file"):
        read_scenario(write())
