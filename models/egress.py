"""What it costs to move data out of a region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

GB_PER_KIB = 1024 / 1e9
"""Price lists count in GB of 10⁹ bytes, services in KiB of 1,024."""
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class EgressPrice:
    """Prices of data that leaves one region, USD per GB (10⁹ bytes), by how far it goes.

    The levels are nested: a farther level never costs less than a nearer one. Traffic inside the
    region is not charged here (zone-to-zone traffic is left out of the bill; see the docs).
    """

    same_continent_usd_per_gb: float
    """To another region of the same cloud on the same continent."""
    same_cloud_usd_per_gb: float
    """To another region of the same cloud on another continent."""
    internet_usd_per_gb: float
    """To users on the internet, or to another cloud."""
    source: str
    as_of: date

    def __post_init__(self) -> None:
        levels = (
            self.same_continent_usd_per_gb,
            self.same_cloud_usd_per_gb,
            self.internet_usd_per_gb,
        )
        if not 0 <= levels[0] <= levels[1] <= levels[2]:
            raise ValueError(f"egress prices must not fall with distance: {levels}")


EgressPrices = Mapping[str, EgressPrice]
"""Egress price of every place, keyed by ``cloud/region``."""
