"""Every region has egress prices, and their order and spread are what price lists show."""

import pytest

from models.places import Cloud
from providers.geography.egress import AS_OF, SOURCE, load_egress
from providers.geography.regions import load_regions


def test_every_region_has_egress_prices_and_nothing_else_has() -> None:
    assert load_egress().keys() == load_regions().keys()


def test_every_price_says_where_it_comes_from_and_when() -> None:
    for price in load_egress().values():
        assert price.source.startswith(SOURCE)
        assert price.as_of == AS_OF


@pytest.mark.parametrize(
    ("place", "levels"),
    [
        ("aws/us-east-1", (0.02, 0.02, 0.09)),
        ("aws/sa-east-1", (0.138, 0.138, 0.15)),
        ("aws/af-south-1", (0.147, 0.147, 0.154)),
        ("azure/westeurope", (0.02, 0.05, 0.087)),
        ("azure/brazilsouth", (0.16, 0.16, 0.181)),
        ("gcp/us-central1", (0.02, 0.08, 0.12)),
        ("gcp/australia-southeast1", (0.08, 0.10, 0.19)),
    ],
)
def test_prices_of_well_known_regions(place: str, levels: tuple[float, float, float]) -> None:
    price = load_egress()[place]
    assert levels == (
        price.same_continent_usd_per_gb,
        price.same_cloud_usd_per_gb,
        price.internet_usd_per_gb,
    )


def test_an_assumed_price_equals_the_price_it_is_assumed_from() -> None:
    prices = load_egress()
    assumed = {p: price for p, price in prices.items() if "assumed equal to" in price.source}
    assert "aws/ap-southeast-6" in assumed
    for place, price in assumed.items():
        origin = prices[price.source.split("assumed equal to ")[1]]
        assert "assumed" not in origin.source
        assert place.split("/")[0] in price.source
        assert price.internet_usd_per_gb == origin.internet_usd_per_gb
        assert price.same_cloud_usd_per_gb == origin.same_cloud_usd_per_gb
        assert price.same_continent_usd_per_gb == origin.same_continent_usd_per_gb


@pytest.mark.parametrize("cloud", Cloud)
def test_europe_and_north_america_are_the_cheapest_to_leave(cloud: Cloud) -> None:
    regions, prices = load_regions(), load_egress()
    near: list[float] = []
    far: list[float] = []
    for place, region in regions.items():
        if region.cloud is cloud:
            home = region.continent in {"Europe", "North America"}
            (near if home else far).append(prices[place].internet_usd_per_gb)
    assert max(near) <= min(far)
