"""What it costs to move data out of every region, from a hand-made table of public price lists.

``egress.csv`` holds list prices of the first tier that is paid for, without free allowances and
volume tiers, over each cloud's default network (Google's Premium tier, Microsoft's global network).
A list has a price per pair of regions; the table has one per distance, and where the two differ it
holds the dearer of the common ones (``docs/regions.md`` says where). ``basis`` is ``list``, or the
place whose prices a region is assumed to share because its own were not known.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from models.egress import EgressPrice, EgressPrices

AS_OF: Final = date(2025, 12, 1)
SOURCE: Final = "public price lists, hand-made table"

_TABLE = Path(__file__).with_name("egress.csv")


@cache
def _prices() -> tuple[tuple[str, EgressPrice], ...]:
    with _TABLE.open(newline="", encoding="utf-8") as file:
        return tuple(
            (f"{row['cloud']}/{row['region']}", _price(row)) for row in csv.DictReader(file)
        )


def _price(row: dict[str, str]) -> EgressPrice:
    assumed = "" if row["basis"] == "list" else f"; assumed equal to {row['basis']}"
    return EgressPrice(
        same_continent_usd_per_gb=float(row["same_continent_usd_per_gb"]),
        same_cloud_usd_per_gb=float(row["same_cloud_usd_per_gb"]),
        internet_usd_per_gb=float(row["internet_usd_per_gb"]),
        source=SOURCE + assumed,
        as_of=AS_OF,
    )


def load_egress() -> EgressPrices:
    """Egress prices of every place that ``load_regions`` knows."""
    return dict(_prices())
