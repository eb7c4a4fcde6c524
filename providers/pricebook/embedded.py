"""The price book that ships with the product: three clouds, from apache-libcloud's price file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Final

import pandas as pd

from models.offerings import PriceBook
from models.places import Cloud, Region
from providers.pricebook import aws_section, azure_section, gcp_section
from providers.pricebook.assembly import ordered, unpriced, with_shapes
from providers.pricebook.libcloud_files import read_ec2_types, read_prices
from providers.pricebook.places import in_known_regions
from providers.pricebook.shapes import Shape

NAME: Final = "embedded"


def load_embedded_book(regions: Mapping[str, Region]) -> PriceBook:
    """Every offering of the three clouds in ``regions`` (keyed by place) that has a price.

    See docs/prices.md for what is corrected, what is rejected, and how old the prices are.
    Raises ``UnusableData`` when the price file of apache-libcloud is missing or damaged.
    """
    sections, updated = read_prices()
    notes: Counter[str] = Counter()
    aws, aws_shapes, rejected = aws_section.quotes(sections, read_ec2_types())
    notes.update(rejected)
    azure, azure_shapes, rejected = azure_section.quotes(sections["azure_linux"])
    notes.update(rejected)
    gcp = gcp_section.quotes(sections["gce_instances"])
    notes["aws_read"] = sum(map(len, sections["ec2_linux"].values()))
    notes["azure_read"] = sum(map(len, sections["azure_linux"].values()))
    notes["gcp_read"] = len(gcp)
    parts = [
        _part(Cloud.AWS, aws, aws_shapes, updated),
        _part(Cloud.AZURE, azure, azure_shapes, azure_section.PRICE_DATE),
        _part(Cloud.GCP, gcp, gcp_section.SHAPES, gcp_section.PRICE_DATE),
    ]
    rows, outside = in_known_regions(pd.concat(parts, ignore_index=True), regions)
    notes.update(outside)
    priced = rows["price_usd_per_hour"] > 0
    offerings, missing = ordered(rows[priced]), unpriced(rows[~priced])
    for cloud in Cloud:
        notes[f"{cloud.value}_priced"] = _count(offerings["cloud"], cloud.value)
        notes[f"{cloud.value}_unpriced"] = _count(missing["cloud"], cloud.value)
    corrected = _count(offerings["source"], aws_section.CORRECTED_SOURCE)
    notes["aws_dedicated_tenancy_corrected"] = corrected
    notes["aws_dedicated_tenancy_rejected"] = _count(missing["reason"], aws_section.NOT_SHARED)
    return PriceBook(NAME, updated, offerings, missing, dict(sorted(notes.items())))


def _part(
    cloud: Cloud, quotes: pd.DataFrame, shapes: Mapping[str, Shape], day: date
) -> pd.DataFrame:
    return with_shapes(quotes, shapes).assign(cloud=cloud.value, price_date=day.isoformat())


def _count(column: pd.Series, value: str) -> int:
    return int((column == value).sum())
