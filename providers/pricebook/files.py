"""Reads a price book that a person brings: a Parquet or CSV file, one row per offering.

Columns (``REQUIRED``, ``OPTIONAL``) are described in docs/prices.md. Rows that are sound but
cannot be planned with (other partitions, 32-bit types, types of unknown size, regions that nobody
knows) are rejected and counted; everything else that is wrong is a fault, and all faults come at
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import Fault, FaultyInput, Location
from models.offerings import PriceBook
from models.places import Region
from providers.pricebook import assembly
from providers.pricebook.findings import Findings, nearest
from providers.pricebook.rows import sound_rows

MAX_BYTES: Final = 512 * 2**20

REQUIRED: Final = (
    "provider", "region", "instance_type", "purchase_option",
    "price_usd_per_hour", "vcpus", "memory_gib", "arch",
)  # fmt: skip
OPTIONAL: Final = (
    "partition", "family", "gpu_count", "gpu_model", "burstable", "baseline_vcpus",
    "price_source", "price_date", "monthly_interruption", "interruption_band",
)  # fmt: skip

_PARQUET_MAGIC: Final = b"PAR1"
_FIRST_CSV_LINE: Final = 2  # the header is line 1


def read_book(
    path: Path, regions: Mapping[str, Region], unpriced: Literal["reject", "report"] = "reject"
) -> PriceBook:
    """The price book in a Parquet or CSV file, for the places in ``regions``.

    Zero or missing prices are faults; with ``unpriced="report"`` they become unpriced offerings.
    Raises ``FaultyInput`` with every fault of the file.
    """
    table, first_line = _read_table(path)
    findings = Findings(str(path), first_line)
    if table.empty:
        findings.add("the file has no rows", "write one row per offering below the header")
        findings.stop_if_any()

    rows, notes = sound_rows(table, regions, findings, report_unpriced=unpriced == "report")
    findings.stop_if_any()
    priced = rows["price_usd_per_hour"] > 0
    dates = rows.loc[rows["price_date"] != "", "price_date"]
    as_of = (
        datetime.fromisoformat(str(dates.max()))
        if len(dates)
        else datetime.fromtimestamp(path.stat().st_mtime, UTC)
    )
    offerings = assembly.ordered(rows[priced])
    missing = assembly.unpriced(rows[~priced].assign(reason=assembly.ZERO_PRICE))
    counts = {"read": len(table), "priced": len(offerings), "unpriced": len(missing), **notes}
    return PriceBook(str(path), as_of.date(), offerings, missing, dict(sorted(counts.items())))


def _read_table(path: Path) -> tuple[pd.DataFrame, int]:
    """Known columns of the file, and the line of its first row (0: the file has no lines)."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic = file.read(len(_PARQUET_MAGIC))
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}", "check the path") from error
    if size == 0:
        raise _unreadable(path, "is empty", "write a header and one row per offering")
    if size > MAX_BYTES:
        raise _unreadable(
            path,
            f"has {size / 2**20:,.0f} MiB, more than the {MAX_BYTES // 2**20} MiB that are read",
            "keep only the clouds and regions you plan for",
        )
    if magic == _PARQUET_MAGIC:
        return _read_parquet(path), 0
    return _read_csv(path), _FIRST_CSV_LINE


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        names = pq.read_schema(path).names
        _check_columns(path, names)
        known = [name for name in (*REQUIRED, *OPTIONAL) if name in names]
        table: pd.DataFrame = pq.read_table(path, columns=known).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, f"is a damaged Parquet file: {error}", "write it anew") from error
    return table.reset_index(drop=True)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            path,
            dtype=str,
            index_col=False,
            keep_default_na=False,
            skip_blank_lines=False,  # so that rows keep their line numbers
            encoding="utf-8-sig",
        )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _unreadable(
            path,
            f"is neither Parquet nor CSV: {str(error).strip()}",
            "write UTF-8 CSV with a header and commas, or Parquet",
        ) from error
    _check_columns(path, list(table.columns))
    return table[(table.fillna("") != "").any(axis=1)]


def _check_columns(path: Path, names: list[str]) -> None:
    unused = set(names) - set(REQUIRED) - set(OPTIONAL)
    missing = [
        Fault(
            Location(str(path)),
            f"the column {column} is missing",
            nearest(column, unused) if unused else f"columns needed: {', '.join(REQUIRED)}",
        )
        for column in REQUIRED
        if column not in names
    ]
    if missing:
        raise FaultyInput(missing)


def _unreadable(path: Path, message: str, suggestion: str) -> FaultyInput:
    return FaultyInput([Fault(Location(str(path)), f"the price file {message}", suggestion)])
