"""Checks the rows of a price file and turns them into the columns of a price book."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.offerings import MONTHLY_INTERRUPTION, Architecture, Purchase
from models.places import Cloud, Region
from providers.pricebook.assembly import KEY
from providers.pricebook.families import family_of
from providers.pricebook.findings import Findings, nearest
from providers.pricebook.places import in_known_regions, misspelt_as

Mask = NDArray[np.bool_]

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What regions, instance types and families look like: no formula, markup or control character
can hide in one."""
TEXT: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_ .,:/()+-]{0,119})?")
"""What GPU models and sources look like; they may be empty."""

LEAST_USD: Final = 1e-5
MOST_USD: Final = 100_000.0
"""No machine costs less, or more, per hour: the file counts in something else."""

_BANDS: Final = {"": np.nan, "<5%": 0.05, "5-10%": 0.1, "10-15%": 0.15, "15-20%": 0.2, ">20%": 0.4}
"""Monthly chance of interruption by band, at its upper end; the last has none, so twice its lower
end stands for it."""

_CLOUDS: Final = frozenset(cloud.value for cloud in Cloud)
_VOCABULARIES: Final = {
    "provider": _CLOUDS,
    "purchase_option": frozenset(purchase.value for purchase in Purchase),
    "arch": frozenset(architecture.value for architecture in Architecture),
    "burstable": frozenset({"true", "false", ""}),
    "interruption_band": frozenset(_BANDS),
}
_PATTERNS: Final = {
    "instance_type": NAME,
    "family": re.compile(rf"(?:{NAME.pattern})?"),
    "gpu_model": TEXT,
    "price_source": TEXT,
}
_OTHER_TEXTS: Final = ("region", "partition", "price_date")
_NUMBERS: Final = (
    "price_usd_per_hour", "vcpus", "memory_gib", "gpu_count", "baseline_vcpus",
    MONTHLY_INTERRUPTION,
)  # fmt: skip

_OTHER_PARTITION: Final = re.compile(r"(?:aws|azure|gcp)-.+")
_I386: Final = "i386"
_RENAMED: Final = {
    "provider": "cloud", "purchase_option": "purchase", "arch": "architecture",
    "gpu_count": "gpus", "price_source": "source",
}  # fmt: skip


def sound_rows(
    table: pd.DataFrame, regions: Mapping[str, Region], findings: Findings, report_unpriced: bool
) -> tuple[pd.DataFrame, Counter[str]]:
    """Rows in columns of a price book, unpriced ones with price 0, and what was rejected.

    ``table`` is indexed by row number of the file. Faults go to ``findings``; when there are any,
    the rows are of no use.
    """
    notes: Counter[str] = Counter()
    rows = _typed(table, findings)
    other = _tested(rows["partition"], partial(_fits, _OTHER_PARTITION))
    rows = _without(other, rows, "other_partition", notes)
    rows = _without((rows["arch"] == _I386).to_numpy(), rows, "32_bit", notes)
    unsized = rows["vcpus"].isna() | rows["memory_gib"].isna() | (rows["arch"] == "")
    rows = _without(unsized.to_numpy(), rows, "unknown_size", notes)
    _check_words(rows, regions, findings)
    _check_numbers(rows, report_unpriced, findings)
    rows = _completed(rows).rename(columns=_RENAMED)
    findings.add_rows(
        rows["instance_type"],
        rows.duplicated(KEY).to_numpy(),
        "is priced twice for its region and purchase option",
        "keep the row that holds",
    )
    known, outside = in_known_regions(rows, regions)
    if known.empty and not findings:
        rejected = ", ".join(f"{count:,} {reason}" for reason, count in (notes + outside).items())
        findings.add("no row can be used", rejected.replace("_", " "))
    return known, notes + outside


def _typed(table: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Text columns as text (missing: empty), number columns as floats (missing: NaN)."""
    columns: dict[str, pd.Series] = {}
    for name in (*_VOCABULARIES, *_PATTERNS, *_OTHER_TEXTS):
        given = table[name] if name in table else pd.Series("", index=table.index)
        columns[name] = given.astype("str").fillna("")
    columns["burstable"] = columns["burstable"].str.lower()
    for name in _NUMBERS:
        given = table[name] if name in table else pd.Series(np.nan, index=table.index)
        if not pd.api.types.is_numeric_dtype(given):
            text = given.astype("str").fillna("").rename(name)
            given = pd.to_numeric(text, errors="coerce")
            garbled = (given.isna() & (text != "")).to_numpy()
            findings.add_rows(text, garbled, "is not a number", "write a number such as 0.096")
            given = given.mask(garbled, 1.0)  # one fault is enough
        columns[name] = given.astype("float64")
    return pd.DataFrame(columns)


def _without(unwanted: Mask, rows: pd.DataFrame, reason: str, notes: Counter[str]) -> pd.DataFrame:
    if not unwanted.any():
        return rows
    notes[f"rejected_{reason}"] += int(unwanted.sum())
    return rows[~unwanted]


def _check_words(rows: pd.DataFrame, regions: Mapping[str, Region], findings: Findings) -> None:
    for column, known in _VOCABULARIES.items():
        unknown = ~_tested(rows[column], known.__contains__)
        findings.add_rows(rows[column], unknown, "is not known", partial(nearest, known=known))
    for column, pattern in _PATTERNS.items():
        odd = ~_tested(rows[column], partial(_fits, pattern))
        findings.add_rows(
            rows[column], odd, "is not a plain name", "use letters, digits and . _ - only"
        )
    undated = ~_tested(rows["price_date"], _is_date)
    findings.add_rows(
        rows["price_date"], undated, "is not a date", "write a date such as 2026-01-31"
    )
    places = (rows["provider"] + "/" + rows["region"]).rename("place")
    odd = _tested(
        places,
        lambda place: not _fits(NAME, place.partition("/")[2]) or misspelt_as(place, regions) != "",
    )
    findings.add_rows(
        places,
        odd,
        "is not known",
        lambda place: nearest(misspelt_as(place, regions) or place, regions),
    )


def _check_numbers(rows: pd.DataFrame, report_unpriced: bool, findings: Findings) -> None:
    price = rows["price_usd_per_hour"]
    if not report_unpriced:
        findings.add_rows(
            price,
            (price.isna() | (price == 0)).to_numpy(),
            "is no price",
            "correct it, or let such rows count as unpriced with `unpriced: report`",
        )
    wrong = (price < 0) | np.isinf(price)
    findings.add_rows(price, wrong.to_numpy(), "is no price", "write USD per hour, above 0")
    absurd = ((price > 0) & (price < LEAST_USD)) | (np.isfinite(price) & (price > MOST_USD))
    findings.add_rows(
        price,
        absurd.to_numpy(),
        "is no believable price",
        f"write USD per hour, from {LEAST_USD:g} to {MOST_USD:,.0f}",
    )
    for column in ("vcpus", "memory_gib"):
        wrong = (rows[column] <= 0) | np.isinf(rows[column])
        findings.add_rows(rows[column], wrong.to_numpy(), "is no size", "write a number above 0")
    for column in ("gpu_count", "baseline_vcpus"):
        wrong = (rows[column] < 0) | np.isinf(rows[column])
        findings.add_rows(rows[column], wrong.to_numpy(), "is no count", "write 0 or more")
    chance = rows[MONTHLY_INTERRUPTION]
    findings.add_rows(
        chance,
        ((chance < 0) | (chance >= 1)).to_numpy(),
        "is no chance",
        "write the chance of an interruption within a month, from 0 to below 1",
    )
    over = (rows["baseline_vcpus"] > rows["vcpus"]).to_numpy()
    findings.add_rows(
        rows["baseline_vcpus"], over, "is more than vcpus", "write what the type sustains"
    )


def _completed(rows: pd.DataFrame) -> pd.DataFrame:
    """What optional columns leave out, filled in from the others."""
    burstable = (rows["burstable"] == "true") | (rows["baseline_vcpus"] < rows["vcpus"])
    full = rows["vcpus"].mask(burstable)
    family = rows["instance_type"].map(
        {name: family_of(name) for name in rows["instance_type"].unique()}
    )
    return rows.assign(
        price_usd_per_hour=rows["price_usd_per_hour"].fillna(0.0),
        burstable=burstable,
        baseline_vcpus=rows["baseline_vcpus"].fillna(full),
        family=rows["family"].where(rows["family"] != "", family),
        gpu_count=rows["gpu_count"].fillna(0.0),
        monthly_interruption=rows[MONTHLY_INTERRUPTION]
        .fillna(rows["interruption_band"].map(_BANDS))
        .where(rows["purchase_option"] == Purchase.SPOT.value),
    )


def _tested(values: pd.Series, test: Callable[[str], bool]) -> Mask:
    """``test`` of every value, asked once per distinct value."""
    codes, words = pd.factorize(values)
    return np.array([test(str(word)) for word in words], dtype=np.bool_)[codes]


def _fits(pattern: re.Pattern[str], word: str) -> bool:
    return pattern.fullmatch(word) is not None


def _is_date(word: str) -> bool:
    try:
        return word == "" or bool(date.fromisoformat(word))
    except ValueError:
        return False
