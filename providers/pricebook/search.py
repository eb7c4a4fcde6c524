"""Looks offerings up in a price book."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from models.errors import NOWHERE, Fault, FaultyInput
from models.offerings import Architecture, PriceBook, Purchase
from models.places import Cloud
from providers.pricebook.findings import nearest


def search(
    book: PriceBook,
    *,
    clouds: Collection[Cloud] = (),
    regions: Collection[str] = (),
    vcpus_min: float = 0.0,
    memory_gib_min: float = 0.0,
    architectures: Collection[Architecture] = (),
    purchases: Collection[Purchase] = (),
    gpus_min: float = 0.0,
    text: str = "",
    cheapest: int | None = None,
) -> pd.DataFrame:
    """Offerings that match every filter, the cheapest first, then by name.

    An empty filter lets everything through. ``regions`` are places (``aws/us-east-1``) or the
    cloud's own names (``us-east-1``); ``text`` is looked for in type, family and GPU model,
    whatever its case; ``cheapest`` keeps that many rows. Columns are those of the book.
    Raises ``FaultyInput`` for regions that the book does not price, with the nearest ones.
    """
    rows = book.offerings
    keep = (
        (rows["vcpus"] >= vcpus_min)
        & (rows["memory_gib"] >= memory_gib_min)
        & (rows["gpus"] >= gpus_min)
    )
    for column, wanted in (
        ("cloud", clouds),
        ("architecture", architectures),
        ("purchase", purchases),
    ):
        if wanted:
            keep &= rows[column].isin([value.value for value in wanted])
    if regions:
        _check_regions(book, regions)
        place = rows["cloud"] + "/" + rows["region"]
        keep &= place.isin(list(regions)) | rows["region"].isin(list(regions))
    if text:
        found = np.zeros(len(rows), dtype=np.bool_)
        for column in ("instance_type", "family", "gpu_model"):
            found |= rows[column].str.contains(text, case=False, regex=False).to_numpy(np.bool_)
        keep &= found
    ranked = rows[keep].sort_values(
        ["price_usd_per_hour", "cloud", "region", "instance_type", "purchase"], ignore_index=True
    )
    return ranked if cheapest is None else ranked.head(cheapest)


def _check_regions(book: PriceBook, regions: Collection[str]) -> None:
    places = book.places
    known = {*places, *(place.partition("/")[2] for place in places)}
    faults = [
        Fault(
            NOWHERE,
            f"no region {region!r} is in the price book",
            nearest(region, places if "/" in region else known - set(places)),
        )
        for region in regions
        if region not in known
    ]
    if faults:
        raise FaultyInput(faults)
