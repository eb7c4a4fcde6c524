"""Legal areas follow from the country; certificates are held only where the table says so."""

import pytest

from models.places import Cloud
from providers.geography.certifications import certifications_of, known_certificates
from providers.geography.jurisdictions import (
    ADEQUATE_COUNTRIES,
    EEA_MEMBERS,
    EU_MEMBERS,
    jurisdictions_of,
)
from providers.geography.regions import load_regions


def test_the_union_has_27_members_and_the_area_30() -> None:
    assert len(EU_MEMBERS) == 27
    assert len(EEA_MEMBERS) == 30
    assert not ADEQUATE_COUNTRIES & EEA_MEMBERS


@pytest.mark.parametrize(
    ("country", "areas"),
    [
        ("DE", {"DE", "EU", "EEA", "EU-ADEQUATE"}),
        ("NO", {"NO", "EEA", "EU-ADEQUATE"}),
        ("GB", {"GB", "UK", "EU-ADEQUATE"}),
        ("CH", {"CH", "EU-ADEQUATE"}),
        ("JP", {"JP", "EU-ADEQUATE"}),
        ("US", {"US"}),
        ("CA", {"CA"}),
        ("IN", {"IN"}),
    ],
)
def test_areas_of_a_country(country: str, areas: set[str]) -> None:
    assert jurisdictions_of(country) == areas


def test_regions_in_europe_are_in_the_area_or_adequate() -> None:
    for region in load_regions().values():
        assert region.country in region.jurisdictions
        if region.continent == "Europe":
            assert "EU-ADEQUATE" in region.jurisdictions


@pytest.mark.parametrize(
    ("place", "certificate", "held"),
    [
        ("aws/eu-west-1", "pci-dss", True),
        ("azure/germanywestcentral", "c5", True),
        ("azure/eastus", "c5", False),
        ("gcp/europe-west9", "hds", True),
        ("aws/eu-central-1", "hds", False),
        ("aws/ap-northeast-2", "k-isms", True),
        ("gcp/asia-northeast3", "k-isms", False),
        ("aws/us-east-1", "hipaa", True),
        ("aws/ap-east-2", "pci-dss", False),  # opened in 2025
    ],
)
def test_a_certificate_is_held_where_the_table_says_so(
    place: str, certificate: str, held: bool
) -> None:
    assert (certificate in load_regions()[place].certifications) is held


def test_what_the_table_does_not_know_is_not_held() -> None:
    assert "c5" not in certifications_of(Cloud.AWS, "xx-new-1", "XX")
    assert not any("unheard-of" in r.certifications for r in load_regions().values())


def test_every_certificate_is_held_somewhere_and_every_exception_is_a_region() -> None:
    regions = load_regions()
    assert frozenset().union(*(r.certifications for r in regions.values())) == known_certificates()
    without = {place for place, region in regions.items() if "pci-dss" not in region.certifications}
    assert len(without) == 13
