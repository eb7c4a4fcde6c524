"""Every ordinary commercial region of the three clouds, from a hand-made table.

``regions.csv`` gives each region the coordinates of the city (or of the metropolitan area) that it
is in; the clouds do not publish street addresses. ``zones`` counts the availability zones that a
new account can use; 1 where the region has none, and the smaller number where sources differ.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Final

from models.places import Cloud, Coordinates, Region
from providers.geography.carbon import intensity_of
from providers.geography.certifications import certifications_of
from providers.geography.jurisdictions import jurisdictions_of

_TABLE = Path(__file__).with_name("regions.csv")

_GOVERNMENT = "a government region: only vetted customers may use it"
_CHINA = "a China region: a separate partition with its own accounts, prices and operator"
_SOVEREIGN = "a sovereign region: a separate partition with its own accounts and prices"
_CLOSED = "Microsoft Cloud Germany, closed in October 2021"
_NOT_OPEN = "announced; not known to be open to every customer"
_EDGE = "a local zone: an extension of its parent region, not a region"
_CANARY = "an early-access region that is not for production"

NOT_ORDINARY: Final[dict[str, str]] = {
    "aws/cn-north-1": _CHINA,
    "aws/cn-northwest-1": _CHINA,
    "aws/eusc-de-east-1": _SOVEREIGN,
    "aws/me-west-1": _NOT_OPEN,
    "aws/sa-west-1": _NOT_OPEN,
    "aws/us-gov-east-1": _GOVERNMENT,
    "aws/us-gov-west-1": _GOVERNMENT,
    "aws/us-west-2-lax-1": _EDGE,
    "azure/brazilus": "never opened to customers",
    "azure/centraluseuap": _CANARY,
    "azure/chinaeast": _CHINA,
    "azure/chinaeast2": _CHINA,
    "azure/chinaeast3": _CHINA,
    "azure/chinanorth": _CHINA,
    "azure/chinanorth2": _CHINA,
    "azure/chinanorth3": _CHINA,
    "azure/eastus2euap": _CANARY,
    "azure/eastusstg": _CANARY,
    "azure/germanycentral": _CLOSED,
    "azure/germanynortheast": _CLOSED,
    "azure/usdodcentral": _GOVERNMENT,
    "azure/usdodeast": _GOVERNMENT,
    "azure/usgovarizona": _GOVERNMENT,
    "azure/usgoviowa": _GOVERNMENT,
    "azure/usgovtexas": _GOVERNMENT,
    "azure/usgovvirginia": _GOVERNMENT,
}
"""Places that price lists name and that are left out on purpose, with the reason."""


@cache
def _regions() -> tuple[Region, ...]:
    with _TABLE.open(newline="", encoding="utf-8") as file:
        regions = [_region(row) for row in csv.DictReader(file)]
    return tuple(sorted(regions, key=lambda region: region.place))


def _region(row: dict[str, str]) -> Region:
    cloud, name, country = Cloud(row["cloud"]), row["region"], row["country"]
    return Region(
        cloud=cloud,
        name=name,
        display_name=row["display_name"],
        coordinates=Coordinates(float(row["latitude_deg"]), float(row["longitude_deg"])),
        country=country,
        continent=row["continent"],
        jurisdictions=jurisdictions_of(country),
        zones=int(row["zones"]),
        certifications=certifications_of(cloud, name, country),
        gco2e_per_kwh=intensity_of(f"{cloud.value}/{name}"),
    )


def load_regions() -> dict[str, Region]:
    """Every ordinary region by its place (``aws/us-east-1``), sorted by place."""
    return {region.place: region for region in _regions()}
