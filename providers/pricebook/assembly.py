"""How rows become a price book: the one place that knows its columns, types and order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from models.offerings import BOOK_COLUMNS, MONTHLY_INTERRUPTION, UNPRICED_COLUMNS
from providers.pricebook.shapes import Shape

KEY: Final = ["cloud", "region", "instance_type", "purchase"]
QUOTE_COLUMNS: Final = (
    "region", "instance_type", "purchase", "price_usd_per_hour", "source", "reason",
)  # fmt: skip
"""What a section of a source yields: ``reason`` tells why a price would be missing."""
ZERO_PRICE: Final = "its price is zero or missing in the source"
_TEXT: Final = ("cloud", "region", "instance_type", "purchase", "architecture", "family",
                "gpu_model", "source", "price_date")  # fmt: skip
_NUMBERS: Final = ("price_usd_per_hour", "vcpus", "baseline_vcpus", "memory_gib", "gpus")


def with_shapes(quotes: pd.DataFrame, shapes: Mapping[str, Shape]) -> pd.DataFrame:
    """``quotes`` and the columns of ``BOOK_COLUMNS`` that follow from the instance type."""
    types = pd.Index(list(shapes))
    facts = pd.DataFrame.from_records(list(shapes.values()), columns=list(Shape._fields))
    facts["baseline_vcpus"] = facts["baseline_vcpus"].astype(np.float64)
    facts["baseline_vcpus"] = facts["baseline_vcpus"].where(facts["burstable"], facts["vcpus"])
    rows = types.get_indexer(pd.Index(quotes["instance_type"]))
    taken = facts.take(rows).reset_index(drop=True)
    return pd.concat([quotes.reset_index(drop=True), taken], axis=1)


def ordered(offerings: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``BOOK_COLUMNS``, typed, sorted by cloud, region, type and purchase.

    Chances of interruption follow in a column of their own where any are known.
    """
    columns = list(BOOK_COLUMNS)
    if MONTHLY_INTERRUPTION in offerings and offerings[MONTHLY_INTERRUPTION].notna().any():
        columns.append(MONTHLY_INTERRUPTION)
    return _sorted(offerings[columns]).astype(
        {
            **dict.fromkeys(_TEXT, "str"),
            **dict.fromkeys(_NUMBERS, "float64"),
            "burstable": "bool",
        }
    )


def unpriced(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without a usable price (columns ``UNPRICED_COLUMNS``) as the book lists them."""
    return _sorted(rows[list(UNPRICED_COLUMNS)]).astype("str")


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    """Sorted by ``KEY``: as integers, since comparing strings four columns deep is slow."""
    ranks = [pd.factorize(frame[column], sort=True)[0] for column in reversed(KEY)]
    return frame.take(np.lexsort(ranks)).reset_index(drop=True)
