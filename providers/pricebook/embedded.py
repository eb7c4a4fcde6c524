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
    parts = []
    aws, shapes, rejected = aws_section.quotes(sections["ec2_linux"], read_ec2_types())
    notes.update(rejected)
    parts.append(_part(Cloud.AWS, aws, shapes, aws_section.SOURCE, updated))
    azure, shapes, rejected = azure_section.quotes(sections["azure_linux"])
    notes.update(rejected)
    parts.append(_part(Cloud.AZURE, azure, shapes, azure_section.SOURCE, azure_section.PRICE_DATE))
    gcp = gcp_section.quotes(sections["gce_instances"])
    parts.append(
        _part(Cloud.GCP, gcp, gcp_section.SHAPES, gcp_section.SOURCE, gcp_section.PRICE_DATE)
    )
    for cloud, section in (("aws", "ec2_linux"), ("azure", "azure_linux")):
        notes[f"{cloud}_read"] = sum(map(len, sections[section].values()))
    notes["gcp_read"] = len(gcp)
    rows, outside = in_known_regions(pd.concat(parts, ignore_index=True), regions)
    notes.update(outside)
    priced = rows["price_usd_per_hour"] > 0
    missing = unpriced([rows[~priced]])
    offerings = ordered(rows[priced])
    for cloud in Cloud:
        notes[f"{cloud.value}_priced"] = int((offerings["cloud"] == cloud.value).sum())
        notes[f"{cloud.value}_unpriced"] = int((missing["cloud"] == cloud.value).sum())
    return PriceBook(NAME, updated, offerings, missing, dict(sorted(notes.items())))


def _part(
    cloud: Cloud, quotes: pd.DataFrame, shapes: Mapping[str, Shape], source: str, day: date
) -> pd.DataFrame:
    return with_shapes(quotes, shapes).assign(
        cloud=cloud.value, source=source, price_date=day.isoformat()
    )
