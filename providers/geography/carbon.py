"""How much carbon the grid of every region emits per kWh: a table, and files that correct it.

``carbon.csv`` holds Google's figures for its own regions (mean operational emissions of the local
grid in 2025; github.com/GoogleCloudPlatform/region-carbon-info, Apache-2.0). ``basis`` is
``published``, or the place whose figure a region of another cloud is assumed to share: the nearest
one of the same country, and no farther than 500 km where a country has several grids (Australia,
Canada, India, Japan, the United States). Regions without such a place are not in the table.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final

from models.errors import Fault, FaultyInput
from providers.geography.csv_rows import Row, read_rows

COLUMNS: Final = ("place", "gco2e_per_kwh")
DIRTIEST_GCO2E_PER_KWH: Final = 2000.0
"""No grid is dirtier; a larger number is another unit."""

_TABLE = Path(__file__).with_name("carbon.csv")


@cache
def _known() -> dict[str, tuple[float, str]]:
    with _TABLE.open(newline="", encoding="utf-8") as file:
        return {
            f"{row['cloud']}/{row['region']}": (float(row["gco2e_per_kwh"]), row["basis"])
            for row in csv.DictReader(file)
        }


def intensity_of(place: str) -> float | None:
    """Grams of CO2e per kWh of the place's grid; None where nobody knows."""
    known = _known().get(place)
    return None if known is None else known[0]


def basis_of(place: str) -> str | None:
    """``published``, or the place whose figure ``place`` is assumed to share."""
    known = _known().get(place)
    return None if known is None else known[1]


def read_intensities(path: Path, places: Collection[str]) -> dict[str, float]:
    """Grams of CO2e per kWh by place, from a CSV file with the columns ``COLUMNS``.

    Further columns are left alone. Raises ``FaultyInput`` with every fault of the file.
    """
    faults: list[Fault] = []
    found: dict[str, float] = {}
    written: dict[str, int] = {}
    for row in read_rows(path, COLUMNS, "place"):
        wrong = [*_place_faults(row, places), *_intensity_faults(row)]
        faults.extend(wrong)
        if wrong:
            continue
        place, intensity = row.cells["place"], float(row.cells["gco2e_per_kwh"])
        if found.setdefault(place, intensity) != intensity:
            before = f"{found[place]:g} in line {written[place]}"
            said = f"{place} has {intensity:g} gCO2e/kWh here but {before}"
            faults.append(Fault(row.at, said, "keep one of the two"))
        written.setdefault(place, row.at.line)
    if faults:
        raise FaultyInput(faults)
    return found


def _place_faults(row: Row, places: Collection[str]) -> Iterator[Fault]:
    place = row.cells["place"]
    if place not in places:
        near = get_close_matches(place, places, n=1)
        hint = f"did you mean {near[0]}?" if near else "name a place: cloud/region"
        said = f"names {place}, which is not a place" if place else "is empty"
        yield Fault(row.at, f"'place' {said}", hint)


def _intensity_faults(row: Row) -> Iterator[Fault]:
    cell = row.cells["gco2e_per_kwh"]
    try:
        intensity = float(cell)
    except ValueError:
        intensity = math.nan
    if surplus := row.surplus_fault():
        yield surplus
    elif not math.isfinite(intensity):
        said = f"must be a number, not {cell}" if cell else "is empty"
        yield Fault(row.at, f"'gco2e_per_kwh' {said}", "give grams of CO2e per kWh")
    elif not 0 <= intensity <= DIRTIEST_GCO2E_PER_KWH:
        said = f"{intensity:g} gCO2e/kWh is not possible: grids emit between 0 and "
        said += f"{DIRTIEST_GCO2E_PER_KWH:g}"
        yield Fault(row.at, said, "give grams per kWh (equal to kg per MWh)")
