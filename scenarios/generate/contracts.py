"""Discount contracts with three clouds: what an invented company owns, and what it may buy.

A company owns contracts for what it runs today, of which a better plan would run less; together
they cover about a quarter of what it needs. On offer is more, for each cloud and for the pool that
most would run in if they ran there. Discounts are round figures of the size that the clouds
published in 2025 for general-purpose families; they come from no price list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from models.offerings import Purchase
from scenarios.generate.chance import Chance
from scenarios.generate.needs import Needs

OWNED_SHARE: Final = 0.25
"""Of the list price of all that the company needs, so much is covered by what it owns ..."""
PART_OF: Final = {"aws": 0.5, "azure": 0.2, "gcp": 0.3}
"""... in these parts, which are also how much of its need each cloud offers contracts for."""
GIB_PER_VCPU: Final = 4.0
"""Memory that Google Cloud commits with a vCPU in these worlds."""
FLEXIBLE: Final = ("c2", "e2", "n1", "n2", "n2d")
"""Families of Google Cloud that flexible discounts are for."""
TODAY: Final = {
    "aws": ("aws/us-east-1", "m5"),
    "azure": ("azure/westeurope", "Dsv3"),
    "gcp": ("gcp/us-central1", "n1"),
}
"""A place and a family of each cloud in which companies run what they run today."""


@dataclass(frozen=True, slots=True)
class Product:
    """What a cloud sells: discounts for 1 and 3 years, and its part of the cloud's contracts.

    ``scope``: ``cloud`` covers all of it (or ``families``), ``pool`` one family in one region.
    """

    name: str
    cloud: str
    kind: str
    scope: str
    saved: tuple[float, float]
    part: float
    families: tuple[str, ...] = ()


PRODUCTS: Final = (
    Product("compute-savings-plan", "aws", "spend", "cloud", (0.27, 0.50), 0.5),
    Product("instance-savings-plan", "aws", "spend", "pool", (0.36, 0.56), 0.25),
    Product("reserved-instances", "aws", "resource", "pool", (0.37, 0.57), 0.25),
    Product("savings-plan", "azure", "spend", "cloud", (0.18, 0.38), 0.5),
    Product("reservation", "azure", "resource", "pool", (0.38, 0.58), 0.5),
    Product("flexible-discount", "gcp", "spend", "cloud", (0.28, 0.46), 0.5, FLEXIBLE),
    Product("committed-use", "gcp", "resource", "pool", (0.37, 0.55), 0.5),
)


def contract_items(needs: Needs, offerings: pd.DataFrame, chance: Chance) -> list[dict[str, Any]]:
    """Two contracts per product, as a world file has them: one owned, one on offer.

    Which of them is for one year and which for three is drawn.
    """
    owns_longer = chance.uniform(0, 1, len(PRODUCTS)) < 0.5
    items: list[dict[str, Any]] = []
    for product, longer in zip(PRODUCTS, owns_longer.tolist(), strict=True):
        usd_per_hour = PART_OF[product.cloud] * needs.whole_usd_per_hour
        owned = OWNED_SHARE * product.part * usd_per_hour
        pool = needs.largest_alone(product.cloud)
        best = TODAY[product.cloud] if pool is None else (pool.place, pool.family)
        if product.scope == "pool" and pool is not None:
            usd_per_hour = PART_OF[product.cloud] * needs.alone_usd_per_hour[pool]
        for level, years, owns, at in (
            (owned, 3 if longer else 1, True, TODAY[product.cloud]),
            (usd_per_hour, 1 if longer else 3, False, best),
        ):
            items += _contract(product, years, level, owns, at, offerings)
    return items


def _contract(
    product: Product,
    years: int,
    usd_per_hour: float,
    owns: bool,
    at: tuple[str, str],
    offerings: pd.DataFrame,
) -> list[dict[str, Any]]:
    """A contract that covers that much at list price; none where that rounds to nothing."""
    saved = product.saved[years > 1]
    item: dict[str, Any] = {
        "name": f"{product.cloud}-{product.name}-{years}y",
        "kind": product.kind,
        "cloud": product.cloud,
        "term_years": years,
    }
    place, family = at
    if product.scope == "pool":
        item |= {"families": [family], "where": {"places": [place]}}
    elif product.families:
        item |= {"families": list(product.families)}
    kept = 1 - saved
    verb = "owned" if owns else "at_most"
    if product.kind == "spend":
        level = round(usd_per_hour * kept, 2)
        item |= {"discount": saved, f"{verb}_usd_per_hour": level}
    else:
        usd_per_vcpu = _usd_per_vcpu(place, family, offerings)
        level = float(np.floor(usd_per_hour / usd_per_vcpu))
        item |= {"usd_per_vcpu_hour": round(usd_per_vcpu * kept, 5), f"{verb}_vcpus": int(level)}
        if product.cloud == "gcp":
            item["memory_gib_per_vcpu"] = GIB_PER_VCPU
    return [item] if level > 0 else []


def _usd_per_vcpu(place: str, family: str, offerings: pd.DataFrame) -> float:
    """List price per vCPU of the type of a family whose memory comes closest to the usual."""
    cloud, _, region = place.partition("/")
    rows = offerings[
        (offerings["cloud"].astype(str) == cloud)
        & (offerings["region"].astype(str) == region)
        & (offerings["family"].astype(str) == family)
        & (offerings["purchase"].astype(str) == Purchase.ON_DEMAND.value)
        & ~offerings["burstable"].astype(bool)
    ]
    memory = rows["memory_gib"] / rows["vcpus"]
    near = rows[(memory - GIB_PER_VCPU).abs() == (memory - GIB_PER_VCPU).abs().min()]
    return float((near["price_usd_per_hour"] / near["vcpus"]).min())
