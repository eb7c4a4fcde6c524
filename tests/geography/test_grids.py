"""What grids emit: a table that says where its figures come from, and files that correct it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import Fault, FaultyInput
from models.latency import great_circle_km
from models.places import Cloud
from providers.geography.carbon import basis_of, intensity_of, read_intensities
from providers.geography.regions import load_regions

REGIONS = load_regions()
MANY_GRIDS = {"AU", "CA", "IN", "JP", "US"}


def test_every_google_region_is_published_and_the_range_is_that_of_real_grids() -> None:
    known = [place for place in REGIONS if basis_of(place) == "published"]
    assert known == [place for place, r in REGIONS.items() if r.cloud is Cloud.GCP]
    figures = [r.gco2e_per_kwh for r in REGIONS.values() if r.gco2e_per_kwh is not None]
    assert len(figures) == 117
    assert 10 < min(figures) < 20  # France
    assert 600 < max(figures) < 700  # South Africa


def test_other_regions_share_the_figure_of_the_nearest_of_their_country() -> None:
    assumed = {p: b for p in REGIONS if (b := basis_of(p)) not in (None, "published")}
    assert len(assumed) == 74
    for place, basis in assumed.items():
        region, neighbour = REGIONS[place], REGIONS[str(basis)]
        assert region.gco2e_per_kwh == neighbour.gco2e_per_kwh
        same = [r for r in REGIONS.values() if r.cloud is Cloud.GCP and r.country == region.country]
        assert neighbour in same
        km = great_circle_km([region.coordinates], [r.coordinates for r in same])[0]
        assert same[int(km.argmin())].gco2e_per_kwh == neighbour.gco2e_per_kwh
        assert km.min() <= 500 or region.country not in MANY_GRIDS


@pytest.mark.parametrize("place", ["aws/eu-west-1", "azure/northeurope", "azure/southindia"])
def test_where_nobody_knows_nothing_is_said(place: str) -> None:
    assert intensity_of(place) is None
    assert REGIONS[place].gco2e_per_kwh is None


def written(folder: Path, text: str) -> Path:
    path = folder / "grids.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_gives_figures(tmp_path: Path) -> None:
    path = written(tmp_path, "note,place,gco2e_per_kwh\nx,aws/eu-west-1,280.5\ny,gcp/us-west1,0\n")
    assert read_intensities(path, REGIONS) == {"aws/eu-west-1": 280.5, "gcp/us-west1": 0.0}


@pytest.mark.parametrize(
    ("line", "message", "suggestion"),
    [
        ("aws/eu-wst-1,280", "'place' names aws/eu-wst-1", "did you mean aws/eu-west-1?"),
        (",280", "'place' is empty", "cloud/region"),
        ("aws/eu-west-1,", "'gco2e_per_kwh' is empty", "grams"),
        ("aws/eu-west-1,low", "must be a number, not low", "grams"),
        ("aws/eu-west-1,nan", "must be a number", "grams"),
        ("aws/eu-west-1,-1", "is not possible", "grams per kWh"),
        ("aws/eu-west-1,280000", "280000 gCO2e/kWh is not possible", "kg per MWh"),
        ("aws/eu-west-1,280,5", "1 more cell", "point"),
        ("aws/us-east-1,300", "has 300 gCO2e/kWh here but 310 in line 2", "keep one"),
    ],
)
def test_every_fault_has_its_line(line: str, message: str, suggestion: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"place,gco2e_per_kwh\naws/us-east-1,310\n{line}\n")
    with pytest.raises(FaultyInput) as caught:
        read_intensities(path, REGIONS)
    (fault,) = caught.value.faults
    assert isinstance(fault, Fault)
    assert fault.at.line == 3
    assert message in fault.message
    assert suggestion in fault.suggestion
