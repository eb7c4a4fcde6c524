"""The bundled what-ifs can be asked of the bundled shop, and each supposes what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.places import Cloud
from models.rules import AllowedPlacesRule, BudgetRule, ResidencyRule, SpreadRule
from models.world import Catalogue, World
from optimizer.gather import gather
from scenarios.whatif import apply, read_scenario

SHOP = Path(__file__).parents[2] / "scenarios" / "shop"
FILES = sorted((SHOP / "whatifs").glob("*.yaml"))
PROMISED = {
    "budget-cut-20", "cloud-forbidden", "flash-sale", "loss-of-cloud", "loss-of-region",
    "price-rise", "savings-plan", "spot-withdrawn", "stricter-residency", "traffic-doubled",
}  # fmt: skip


@pytest.fixture(scope="module")
def base() -> tuple[World, Catalogue]:
    return gather(SHOP)


def under(name: str, base: tuple[World, Catalogue]) -> World:
    world, catalogue = base
    return apply(read_scenario(SHOP / "whatifs" / f"{name}.yaml"), world, catalogue)


def budgets(world: World) -> dict[str, float]:
    return {r.name: r.usd_per_month for r in world.rules if isinstance(r, BudgetRule)}


def median_price(world: World, cloud: str, purchase: str) -> float:
    book = world.book.offerings
    chosen = (book["cloud"].astype(str) == cloud) & (book["purchase"].astype(str) == purchase)
    return float(book.loc[chosen, "price_usd_per_hour"].median())


def test_every_promised_question_is_there() -> None:
    assert {path.stem for path in FILES} >= PROMISED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_can_be_asked_and_says_what_it_supposes(
    path: Path, base: tuple[World, Catalogue]
) -> None:
    scenario = read_scenario(path)
    assert scenario.name == path.stem
    assert len(scenario.description) > 60
    assert len(scenario.in_words) == len(scenario.changes) > 0
    changed = apply(scenario, *base)
    assert [s.name for s in changed.services] == [s.name for s in base[0].services]


def test_traffic_doubled(base: tuple[World, Catalogue]) -> None:
    changed = under("traffic-doubled", base)
    assert [factor.factor for factor in changed.demand_factors] == [2]
    assert budgets(changed) == {name: 2 * usd for name, usd in budgets(base[0]).items()}


def test_flash_sale(base: tuple[World, Catalogue]) -> None:
    changed = under("flash-sale", base)
    (factor,) = changed.demand_factors
    assert factor.services == {"storefront", "mobile-api"}
    assert (factor.first_hour, factor.last_hour) == (17, 22)
    assert not budgets(changed)


def test_losses(base: tuple[World, Catalogue]) -> None:
    places = {region.place for region in base[0].regions}
    assert {r.place for r in under("loss-of-region", base).regions} == places - {"aws/eu-central-1"}
    for name, cloud in (("loss-of-cloud", Cloud.AZURE), ("loss-of-aws", Cloud.AWS)):
        assert {r.cloud for r in under(name, base).regions} == set(Cloud) - {cloud}


def test_price_rise(base: tuple[World, Catalogue]) -> None:
    changed = under("price-rise", base)
    for cloud, purchase, factor in (
        ("aws", "on_demand", 1.15), ("gcp", "on_demand", 1.0), ("gcp", "spot", 2.0)
    ):  # fmt: skip
        before = median_price(base[0], cloud, purchase)
        assert median_price(changed, cloud, purchase) == pytest.approx(factor * before)


def test_savings_plan(base: tuple[World, Catalogue]) -> None:
    """What is owned fits the fleet that it was bought for; the rest is on offer."""
    assert base[0].commitments == ()
    owned, offered = under("savings-plan", base).commitments
    vcpus = sum(
        16 * group.count
        for group in base[0].fleet.groups
        if (group.place, group.instance_type) == ("aws/us-east-1", "m5.4xlarge")
    )
    assert (owned.owned, owned.at_most) == (vcpus, 0)
    assert (offered.owned, offered.at_most) == (0, 20)


def test_cloud_forbidden(base: tuple[World, Catalogue]) -> None:
    (rule,) = [r for r in under("cloud-forbidden", base).rules if isinstance(r, AllowedPlacesRule)]
    assert rule.forbid is not None
    assert rule.forbid.clouds == {Cloud.GCP}
    assert set(rule.services) == {service.name for service in base[0].services}


def test_stricter_residency(base: tuple[World, Catalogue]) -> None:
    rules = [r for r in under("stricter-residency", base).rules if isinstance(r, ResidencyRule)]
    before = [rule for rule in base[0].rules if isinstance(rule, ResidencyRule)]
    assert len(rules) == len(before) + 3


def test_spot_withdrawn(base: tuple[World, Catalogue]) -> None:
    changed = under("spot-withdrawn", base)
    assert {purchase.value for purchase in changed.policy.purchases} == {"on_demand"}


def test_budget_cut(base: tuple[World, Catalogue]) -> None:
    before, after = budgets(base[0]), budgets(under("budget-cut-20", base))
    assert after == {**before, "total": pytest.approx(0.8 * before["total"])}


def test_caution_has_rules_that_can_be_lifted_and_tightened(base: tuple[World, Catalogue]) -> None:
    spreads = {
        name: sum(isinstance(rule, SpreadRule) for rule in under(name, base).rules)
        for name in ("rules-of-caution-lifted", "loss-of-region", "survive-any-region")
    }
    assert list(spreads.values()) == [0, 2, 4]
