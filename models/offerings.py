"""What can be bought: instance types in regions under purchase options, with prices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

import pandas as pd


class Purchase(StrEnum):
    """A purchase option."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"
    RESERVED_1Y = "reserved_1y"
    RESERVED_3Y = "reserved_3y"


class Architecture(StrEnum):
    """A processor architecture that a service's image may be built for."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


BOOK_COLUMNS: Final[dict[str, str]] = {
    "cloud": "aws, azure or gcp",
    "region": "the cloud's name of the region",
    "instance_type": "the cloud's name of the machine shape",
    "purchase": "on_demand, spot, reserved_1y or reserved_3y",
    "price_usd_per_hour": "USD per hour, Linux, shared tenancy; always > 0",
    "vcpus": "virtual CPUs",
    "baseline_vcpus": "vCPUs that a burstable type sustains; equals vcpus otherwise; "
    "missing where a burstable type's baseline is unknown",
    "memory_gib": "GiB of memory; always > 0",
    "architecture": "x86_64 or arm64",
    "family": "what a quota counts together: the type's series, such as m5 or Dsv3",
    "gpus": "number of GPUs; may be a fraction of one",
    "gpu_model": "GPU model, empty when none",
    "burstable": "whether it earns and spends CPU credits",
    "source": "where the price comes from",
    "price_date": "ISO date of the price in its source",
}
"""Columns of ``PriceBook.offerings``, in order, with their meaning."""

MONTHLY_INTERRUPTION: Final = "monthly_interruption"
"""A further column that a book may have: the chance that a spot instance is interrupted within a
month, from 0 to below 1, missing where it is unknown."""

UNPRICED_COLUMNS: Final = ("cloud", "region", "instance_type", "purchase", "reason")


@dataclass(frozen=True, eq=False)
class PriceBook:
    """Every offering with a usable price, and what was left out and why.

    ``offerings`` has the columns of ``BOOK_COLUMNS`` and one row per (cloud, region, type,
    purchase), sorted by them. ``unpriced`` lists offerings that exist but have no usable price
    (columns ``UNPRICED_COLUMNS``): a zero or missing price is *unpriced*, never 0. ``notes``
    counts, by a stable key, what was read, corrected and rejected on the way.
    """

    name: str
    as_of: date
    offerings: pd.DataFrame
    unpriced: pd.DataFrame
    notes: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offerings)

    @property
    def places(self) -> tuple[str, ...]:
        """Every place with at least one priced offering, sorted."""
        pairs = self.offerings[["cloud", "region"]].drop_duplicates()
        return tuple(sorted(pairs["cloud"].astype(str) + "/" + pairs["region"].astype(str)))

    def matching(self, keep: pd.Series) -> PriceBook:
        """The same book with only the offerings for which ``keep`` is true."""
        return PriceBook(
            self.name,
            self.as_of,
            self.offerings[keep].reset_index(drop=True),
            self.unpriced,
            self.notes,
        )
