"""Demand history: a CSV or Parquet file, checked with whole columns at a time."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.demand import HISTORY_COLUMNS
from models.errors import Location
from scenarios.faults import Faults, nearest, shown
from scenarios.table_rows import TableRows, has_columns
from scenarios.tables import first_line

MAX_ROWS: Final = 50_000_000
_SHOWN = 3  # gaps that a fault names; it counts the others
_NAMES_SHOWN = 20  # unknown names that get a fault of their own
_SERIES_SHOWN = 20  # series with gaps that get a fault of their own
_FIRST_HOUR = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) // 3600
_LAST_HOUR = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) // 3600
_BAD, _ZONELESS, _OFF_HOUR, _FAR = (np.iinfo(np.int64).min + i for i in range(4))
_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?(?P<zone>Z|[+-]\d\d(:?\d\d)?)?"
)
_TICKS_PER_HOUR = {"s": 3600, "ms": 3600 * 10**3, "us": 3600 * 10**6, "ns": 3600 * 10**9}
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())


def read_history(
    path: Path, services: Iterable[str], origins: Iterable[str], gaps_are_fine: bool, faults: Faults
) -> pd.DataFrame | None:
    """The table of a history (see ``models.demand.History``); ``service`` and ``origin`` are
    categorical. Adds every fault that the file holds; None when it holds any.

    ``path`` is a .csv or .parquet file. Rows of different series may be mixed, but each series
    must be in order of time.
    """
    table = _read(path, faults)
    if table is None:
        return None
    return checked_history(table, path, services, origins, gaps_are_fine, faults)


def checked_history(
    table: Any, path: Path, services: Iterable[str], origins: Iterable[str], gaps_are_fine: bool,
    faults: Faults,
) -> pd.DataFrame | None:  # fmt: skip
    """The same of an Arrow table with the columns of a history, which came from ``path``."""
    before = faults.count
    if table.num_rows == 0:
        faults.add(Location(str(path)), "the history holds no rows", "give at least two hours")
        return None
    rows = TableRows(path, faults)
    hours = _hours(rows, table["ts"])
    service = _codes(rows, table["service"], "service", sorted(set(services)))
    origin = _codes(rows, table["origin"], "origin", sorted(set(origins)))
    rps = _rates(rows, table["rps"])
    _check_series(rows, hours, service, origin, gaps_are_fine)
    if faults.count > before:
        return None
    order = np.lexsort((hours, origin.codes, service.codes))
    return pd.DataFrame(
        {
            "ts": pd.to_datetime(hours[order] * 3600, unit="s", utc=True).as_unit("us"),
            "service": service[order],
            "origin": origin[order],
            "rps": rps[order],
        }
    )


def _read(path: Path, faults: Faults) -> Any | None:
    """The four columns as an Arrow table; None with a fault when that is not possible."""
    at = Location(str(path))
    try:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                header = next(csv.reader([file.readline(2**16)]), [])
            sound = has_columns(path, header, HISTORY_COLUMNS, faults)
            return _read_csv(path, faults) if sound else None
        with pq.ParquetFile(path) as parquet:
            if parquet.metadata.num_rows > MAX_ROWS:
                faults.add(at, f"the history has more than {MAX_ROWS:,} rows", "keep recent hours")
                return None
            if not has_columns(path, parquet.schema_arrow.names, HISTORY_COLUMNS, faults):
                return None
            dictionaries = [
                name
                for name in HISTORY_COLUMNS
                if pa.types.is_string(parquet.schema_arrow.field(name).type)
            ]
        return pq.read_table(path, columns=list(HISTORY_COLUMNS), read_dictionary=dictionaries)
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        kind = "CSV" if path.suffix == ".csv" else "Parquet"
        faults.add(at, f"the file is not readable {kind}: {first_line(error)}", "export it again")
        return None


def _read_csv(path: Path, faults: Faults) -> Any:
    types = dict.fromkeys(HISTORY_COLUMNS[:3], _DICTIONARY)
    parse = pa_csv.ParseOptions(newlines_in_values=False)
    for rate_type in (pa.float64(), pa.string()):  # as text, only to say which rows are wrong
        convert = pa_csv.ConvertOptions(
            column_types={**types, "rps": rate_type}, include_columns=list(HISTORY_COLUMNS)
        )
        try:
            return pa_csv.read_csv(path, parse_options=parse, convert_options=convert)
        except pa.ArrowInvalid:
            if rate_type == pa.string():
                raise
    return None


def _hours(rows: TableRows, column: Any) -> NDArray[np.int64]:
    """Hours since 1970 UTC; a negative marker where a timestamp cannot be used (with faults)."""
    if pa.types.is_timestamp(column.type):
        hours = _hours_of_timestamps(column)
    else:
        hours = _hours_of_text(column)
    far = ((hours < _FIRST_HOUR) & (hours > _FAR)) | (hours >= _LAST_HOUR)
    hours = np.where(far, _FAR, hours)
    utc = "write the start of the hour in UTC, such as 2026-03-01T14:00:00Z"
    rows.add(hours == _ZONELESS, "timestamps without a time zone", f"{utc}, or with an offset")
    rows.add(hours == _OFF_HOUR, "timestamps that are not on the hour", f"{utc}; sum up by hour")
    rows.add(hours == _FAR, "timestamps outside the years 1990 to 2099", utc)
    rows.add(hours == _BAD, "what is no timestamp", utc)
    return hours


def _hours_of_timestamps(column: Any) -> NDArray[np.int64]:
    if column.type.tz is None:
        return np.full(len(column), _ZONELESS)
    ticks = pc.fill_null(column.cast(pa.int64()), _BAD).to_numpy()
    hours, rest = np.divmod(ticks, _TICKS_PER_HOUR[column.type.unit])
    return np.where(ticks == _BAD, _BAD, np.where(rest == 0, hours, _OFF_HOUR))


def _hours_of_text(column: Any) -> NDArray[np.int64]:
    """Few timestamps are distinct: each is read once."""
    if not pa.types.is_dictionary(column.type):
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            return np.full(len(column), _BAD)
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    distinct = np.array([_hour(text) for text in whole.dictionary.to_pylist()] + [_BAD])
    indices = pc.fill_null(whole.indices, len(distinct) - 1).to_numpy(zero_copy_only=False)
    read: NDArray[np.int64] = distinct[indices]
    return read


def _hour(text: str | None) -> int:
    match = _TIMESTAMP.fullmatch((text or "").strip())
    if not match:
        return _BAD
    if match["zone"] is None:
        return _ZONELESS
    try:
        hours, rest = divmod(
            datetime.fromisoformat(match[0].replace(" ", "T", 1)).timestamp(), 3600
        )
    except (ValueError, OverflowError):
        return _BAD
    return int(hours) if rest == 0 else _OFF_HOUR


def _codes(rows: TableRows, column: Any, what: str, known: list[str]) -> pd.Categorical[str]:
    """Names as a categorical of ``known``; unknown names have code -1 (with faults)."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    names = [str(name) for name in whole.dictionary.to_pylist()]
    index = {name: i for i, name in enumerate(known)}
    indices = pc.fill_null(whole.indices, len(names)).to_numpy(zero_copy_only=False)
    translated = np.array([index.get(name, -1) for name in names] + [-1], np.int64)
    codes: NDArray[np.int64] = translated[indices]
    unknown = [i for i, name in enumerate(names) if name not in index]
    for i in unknown[:_NAMES_SHOWN]:
        hint = nearest(names[i], known)
        rows.add(indices == i, f"unknown {what} {shown(names[i])}", hint)
    if len(unknown) > _NAMES_SHOWN:
        others = np.isin(indices, unknown[_NAMES_SHOWN:])
        more = f"{len(unknown) - _NAMES_SHOWN:,} more unknown {what}s"
        rows.add(others, more, f"only {what}s of the world may have a history")
    rows.add(indices == len(names), f"no {what}", f"fill in the {what}")
    return pd.Categorical.from_codes(codes, categories=pd.Index(known))


def _rates(rows: TableRows, column: Any) -> NDArray[np.float64]:
    """Requests per second, with faults for what is not a finite number ≥ 0."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        rps: NDArray[np.float64] = column.to_numpy().astype(np.float64)
    else:
        rps = pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(np.float64)
    number = "write the hour's mean requests per second as a plain number, 0 or more"
    rows.add(np.isnan(rps), "rps that are missing or no number", number)
    rows.add(np.isinf(rps), "rps that are infinite", number)
    rows.add((rps < 0) & ~np.isinf(rps), "negative rps", number)
    rows.add((rps > 1e12) & ~np.isinf(rps), "rps beyond 10^12", number)
    return rps


@dataclass(frozen=True)
class _Series:
    """Rows put in order of series and hour: series ``i`` is ``[starts[i] : ends[i]]``."""

    order: NDArray[np.int64]
    hours: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    names: list[str]


def _check_series(
    rows: TableRows,
    hours: NDArray[np.int64],
    service: pd.Categorical[str],
    origin: pd.Categorical[str],
    gaps_are_fine: bool,
) -> None:
    """Order, duplicates, gaps and length of every series, as far as their rows are known."""
    number = service.codes.astype(np.int64) * len(origin.categories) + origin.codes
    placed = (hours >= _FIRST_HOUR) & (service.codes >= 0) & (origin.codes >= 0)
    order = np.flatnonzero(placed)
    if not order.size:
        return
    order = order[np.argsort(number[order], kind="stable")]
    backwards = (np.diff(number[order]) == 0) & (np.diff(hours[order]) < 0)
    if backwards.any():
        rows.add_at(order[1:][backwards], "timestamps run backwards", "sort each series by ts")
        order = order[np.lexsort((hours[order], number[order]))]
    same = np.diff(number[order]) == 0
    again = same & (np.diff(hours[order]) == 0)
    rows.add_at(
        order[1:][again], "an hour of a series stands again", "keep one row per series and hour"
    )
    starts = np.flatnonzero(np.r_[True, ~same])
    first = order[starts]
    pairs = zip(service[first], origin[first], strict=True)
    names = [f"{of!r} from {place!r}" for of, place in pairs]
    series = _Series(order, hours[order], starts, np.r_[starts[1:], order.size], names)
    for i in np.flatnonzero(series.hours[series.starts] == series.hours[series.ends - 1]):
        row = series.order[series.starts[i : i + 1]]
        rows.add_at(row, f"one hour only of {names[i]}", "give at least two hours of each series")
    if not gaps_are_fine and placed.all():
        _check_gaps(rows, series)


def _check_gaps(rows: TableRows, series: _Series) -> None:
    """One fault for each series with missing hours, and one for the series beyond the first few.

    A series may start late, as new services do, but none may end before the others.
    """
    last = int(series.hours.max())
    end_hours = series.hours[series.ends - 1]
    steps = np.diff(series.hours, append=0)
    steps[series.ends - 1] = last - end_hours + 1  # as if each were followed by the hour after all
    gaps = np.flatnonzero(steps > 1)
    of = np.searchsorted(series.starts, gaps, side="right") - 1
    suggestion = "complete the history, or set 'gaps: fill' under 'demand'"
    with_gaps = np.unique(of)
    for i in with_gaps[:_SERIES_SHOWN]:
        mine = gaps[of == i]
        missing = int((steps[mine] - 1).sum())
        spans = ", ".join(_span(series.hours[gap], steps[gap]) for gap in mine[:_SHOWN])
        more = f" and {mine.size - _SHOWN:,} more gaps" if mine.size > _SHOWN else ""
        what = "hour is" if missing == 1 else "hours are"
        message = f"{missing:,} {what} missing of {series.names[i]}: {spans}{more}"
        line = rows.lines(series.order[mine[:1]])[0]
        rows.faults.add(Location(str(rows.path), line), message, suggestion)
    if with_gaps.size > _SERIES_SHOWN:
        message = f"hours are missing in {with_gaps.size - _SERIES_SHOWN:,} more series"
        rows.faults.add(Location(str(rows.path)), message, suggestion)


def _span(before: int, step: int) -> str:
    """The hours between ``before`` and ``before + step``, both not included."""
    first, final = (
        datetime.fromtimestamp(int(hour) * 3600, UTC).strftime("%Y-%m-%dT%H:00Z")
        for hour in (before + 1, before + step - 1)
    )
    return first if step == 2 else f"{first} to {final}"
