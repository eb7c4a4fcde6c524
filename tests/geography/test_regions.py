"""The table of regions is complete, ordinary, and right where it can be checked."""

import json
from collections import Counter
from pathlib import Path

import libcloud
import pytest

from models.latency import great_circle_km
from models.places import Cloud
from providers.geography import regions
from providers.geography.regions import NOT_ORDINARY, load_regions

CONTINENTS = {"Africa", "Asia", "Europe", "North America", "Oceania", "South America"}


def priced_by_libcloud() -> set[str]:
    file = Path(libcloud.__file__).parent / "data" / "pricing.json"
    compute = json.loads(file.read_text(encoding="utf-8"))["compute"]
    aws = {f"aws/{region}" for prices in compute["ec2_linux"].values() for region in prices}
    azure = {f"azure/{region}" for prices in compute["azure_linux"].values() for region in prices}
    gcp = {
        f"gcp/{region}"
        for machine in compute["gce_instances"].values()
        for part in machine.values()
        if isinstance(part, dict)
        for prices in part.values()
        if isinstance(prices, dict)
        for region in prices
    }
    return aws | azure | gcp


def test_every_region_that_libcloud_prices_is_known_or_left_out_for_a_reason() -> None:
    priced = priced_by_libcloud()
    assert len(priced) > 90
    assert priced - load_regions().keys() - NOT_ORDINARY.keys() == set()


def test_regions_are_sorted_unique_and_never_both_ordinary_and_not() -> None:
    places = list(load_regions())
    table = Path(regions.__file__).with_name("regions.csv")
    rows = table.read_text(encoding="utf-8").splitlines()
    assert places == sorted(places)
    assert len(places) == len(rows) - 1
    assert not NOT_ORDINARY.keys() & set(places)
    assert all(reason for reason in NOT_ORDINARY.values())


def test_every_cloud_has_its_regions() -> None:
    count = Counter(region.cloud for region in load_regions().values())
    assert count == {Cloud.AWS: 34, Cloud.AZURE: 60, Cloud.GCP: 43}


def test_a_changed_answer_does_not_change_the_next() -> None:
    load_regions().clear()
    assert load_regions()


@pytest.mark.parametrize(
    ("place", "country", "continent", "zones"),
    [
        ("aws/us-east-1", "US", "North America", 6),
        ("aws/us-west-1", "US", "North America", 2),
        ("azure/mexicocentral", "MX", "North America", 3),
        ("azure/germanynorth", "DE", "Europe", 1),
        ("gcp/us-central1", "US", "North America", 4),
        ("gcp/me-west1", "IL", "Asia", 3),
    ],
)
def test_a_region_is_where_it_is(place: str, country: str, continent: str, zones: int) -> None:
    region = load_regions()[place]
    assert region.place == place
    assert (region.country, region.continent, region.zones) == (country, continent, zones)


def test_fields_are_in_their_ranges() -> None:
    for region in load_regions().values():
        assert region.continent in CONTINENTS
        assert len(region.country) == 2
        assert region.country.isupper()
        assert 1 <= region.zones <= 6
        assert region.display_name


def test_regions_of_one_country_are_not_a_continent_apart() -> None:
    """A swapped sign or a typo in a coordinate puts a region in the sea."""
    known = list(load_regions().values())
    points = [region.coordinates for region in known]
    distance = great_circle_km(points, points)
    widest = {"US": 4200, "CA": 3500, "AU": 1000, "IN": 1900, "BR": 500, "ZA": 1400, "DE": 600}
    for i, one in enumerate(known):
        for j, other in enumerate(known):
            if one.country == other.country:
                assert distance[i, j] <= widest.get(one.country, 700), (one.place, other.place)


def test_clouds_agree_on_cities() -> None:
    known = load_regions()
    same_city = [
        ("aws/eu-central-1", "azure/germanywestcentral", "gcp/europe-west3"),
        ("aws/ap-northeast-1", "azure/japaneast", "gcp/asia-northeast1"),
        ("aws/sa-east-1", "azure/brazilsouth", "gcp/southamerica-east1"),
        ("aws/us-east-1", "azure/eastus", "gcp/us-east4"),
    ]
    for places in same_city:
        points = [known[place].coordinates for place in places]
        assert great_circle_km(points, points).max() < 60
