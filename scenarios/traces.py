"""Traces of demand: requests per second at steps of a second to an hour, in CSV or Parquet."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.errors import Location
from models.signals import SignalKey, Signals
from scenarios.faults import Faults, nearest, shown
from scenarios.tables import first_line

REQUESTS: Final = "requests_rps"
MOST_ROWS: Final = 50_000_000
MOST_CELLS: Final = 200_000_000
_SHOWN: Final = 3
_FIRST: Final = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
_ZONED: Final = re.compile(r".*(Z|[+-]\d\d(:?\d\d)?)\s*")
_WRITE_TS: Final = "write the start of the step with its time zone, such as 2026-03-01T14:00:05Z"
_WRITE_RPS: Final = "write requests per second as a plain number, 0 or more; leave gaps out"


def read_trace(
    path: Path, services: Collection[str], origins: Collection[str], service: str | None,
    faults: Faults,
) -> Signals | None:  # fmt: skip
    """Requests per second of services and origins, NaN where the file says nothing.

    Columns ``ts``, ``rps``, and ``service`` and ``origin`` where there are several: without
    ``service``, all is asked of ``service``; without ``origin``, nobody knows where from. The step
    is the commonest distance between two times: 1 to 60 s that divide a minute, or whole minutes
    up to an hour. Adds every fault that the file holds; None when it holds any.
    """
    before = faults.count
    frame = _read(path, faults)
    if frame is None:
        return None
    if frame.empty:
        faults.add(Location(str(path)), "the trace holds no rows", "give at least two steps")
        return None
    rows = _Rows(path, faults)
    seconds = _seconds(rows, frame["ts"])
    rps = _rates(rows, frame["rps"])
    series = _series(rows, frame, services, origins, service)
    if faults.count > before:
        return None
    step_s = _step_s(rows, seconds)
    if step_s is None:
        return None
    return _laid(rows, seconds, rps, series, step_s)


class _Rows:
    """Speaks about rows of a file: the first few by line (of CSV) or number, and how many."""

    def __init__(self, path: Path, faults: Faults) -> None:
        self.path, self.faults = path, faults
        self.csv = path.suffix == ".csv"

    def add(self, wrong: NDArray[np.bool_], message: str, suggestion: str) -> None:
        found = np.flatnonzero(wrong)
        if not found.size:
            return
        lines = [int(row) + 1 + self.csv for row in found[:_SHOWN]]
        what = ("line" if self.csv else "row") + ("s" if found.size > 1 else "")
        more = f" and {found.size - _SHOWN:,} more" if found.size > _SHOWN else ""
        listed = ", ".join(map(str, lines))
        at = Location(str(self.path), lines[0])
        self.faults.add(at, f"{message} ({what} {listed}{more})", suggestion)


def _read(path: Path, faults: Faults) -> pd.DataFrame | None:
    """The columns that count; None, with faults, when they cannot be read."""
    at = Location(str(path))
    if path.suffix not in (".csv", ".parquet"):
        faults.add(at, "a trace is a .csv or a .parquet file", "rename or convert it")
        return None
    try:
        table = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    except FileNotFoundError:
        faults.add(at, "there is no such file", "check the path")
        return None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        kind = "CSV" if path.suffix == ".csv" else "Parquet"
        faults.add(at, f"the file is not readable {kind}: {first_line(error)}", "export it again")
        return None
    names = table.column_names
    missing = [name for name in ("ts", "rps") if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    for name in twice:
        faults.add(at, f"the column {shown(name)} stands twice", "remove one")
    if missing:
        hint = f"the file has: {', '.join(names)[:200]}"
        faults.add(at, f"missing columns: {', '.join(missing)}", hint)
    if table.num_rows > MOST_ROWS:
        faults.add(at, f"the trace has more than {MOST_ROWS:,} rows", "use longer steps")
    if missing or twice or table.num_rows > MOST_ROWS:
        return None
    wanted = [name for name in ("ts", "service", "origin", "rps") if name in names]
    frame: pd.DataFrame = table.select(wanted).to_pandas(date_as_object=False)
    return frame


def _read_csv(path: Path) -> Any:
    names = pa.dictionary(pa.int32(), pa.string())
    parse = pa_csv.ParseOptions(newlines_in_values=False, ignore_empty_lines=False)
    types = {"service": names, "origin": names, "rps": pa.float64()}
    for more in ({"ts": pa.timestamp("ms", "UTC")}, {"ts": pa.string(), "rps": pa.string()}):
        # The second, as text, is only to say which rows are wrong.
        convert = pa_csv.ConvertOptions(
            column_types={**types, **more}, null_values=[""], strings_can_be_null=True
        )
        try:
            return pa_csv.read_csv(path, parse_options=parse, convert_options=convert)
        except pa.ArrowInvalid:
            if more["ts"] == pa.string():
                raise
    return None


def _read_parquet(path: Path) -> Any:
    with pq.ParquetFile(path) as parquet:
        wanted = [n for n in parquet.schema_arrow.names if n in ("ts", "service", "origin", "rps")]
        return parquet.read(columns=wanted)


def _seconds(rows: _Rows, column: pd.Series) -> NDArray[np.int64]:
    """Seconds since 1970 UTC; 0 where a time cannot be used (with faults)."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        read = column
    elif pd.api.types.is_datetime64_dtype(column.dtype):
        rows.add(np.ones(len(column), np.bool_), "timestamps without a time zone", _WRITE_TS)
        return np.zeros(len(column), np.int64)
    else:
        text = column.astype("string").fillna("")
        read = pd.Series(pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601"))
        zoned = text.str.fullmatch(_ZONED).to_numpy(np.bool_)
        zoneless = read.notna().to_numpy() & ~zoned
        rows.add(zoneless, "timestamps without a time zone", _WRITE_TS)
    bad = read.isna().to_numpy()
    moments = read.dt.as_unit("ms").dt.tz_convert(None).to_numpy()
    seconds, rest = np.divmod(np.where(bad, 0, moments.astype(np.int64)), 1000)
    far = ~bad & ((seconds < _FIRST) | (seconds >= _LAST))
    rows.add(bad, "what is no timestamp", _WRITE_TS)
    rows.add(rest > 0, "timestamps within a second", "steps are of a second or more")
    rows.add(far, "timestamps outside the years 1990 to 2099", _WRITE_TS)
    return seconds


def _rates(rows: _Rows, column: pd.Series) -> NDArray[np.float64]:
    rps: NDArray[np.float64] = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    rows.add(np.isnan(rps), "rps that are missing or no number", _WRITE_RPS)
    rows.add((rps < 0) | (rps > 1e12), "rps below 0 or beyond 10^12", _WRITE_RPS)
    return rps


def _series(
    rows: _Rows, frame: pd.DataFrame, services: Collection[str], origins: Collection[str],
    service: str | None,
) -> tuple[NDArray[np.int64], tuple[SignalKey, ...]]:  # fmt: skip
    """Which series each row is of, and what the series are."""
    of_service, names = _names(rows, frame, "service", services, service or "")
    of_origin, places = _names(rows, frame, "origin", origins, "")
    if "service" not in frame and service is None:
        some = ", ".join(sorted(services)[:8])
        hint = f"add the column, or say which with --service: {some}"
        rows.faults.add(Location(str(rows.path)), "the trace does not say of which service", hint)
    pair, pairs = pd.factorize(of_service * np.int64(len(places)) + of_origin)
    keys = [SignalKey(REQUESTS, *_pair(int(p), names, places)) for p in pairs]
    return pair.astype(np.int64), tuple(keys)


def _pair(number: int, names: Sequence[str], places: Sequence[str]) -> tuple[str, str]:
    return names[number // len(places)], places[number % len(places)]


def _names(
    rows: _Rows, frame: pd.DataFrame, what: str, known: Collection[str], without: str
) -> tuple[NDArray[np.int64], list[str]]:
    """Codes and names of a column; ``without`` it, all have that name."""
    if what not in frame:
        return np.zeros(len(frame), np.int64), [without]
    codes, found = pd.factorize(frame[what].astype(object), use_na_sentinel=True)
    names = [str(name) for name in found]
    rows.add(codes < 0, f"no {what}", f"fill in the {what}")
    for code, name in enumerate(names):
        if name not in known:
            rows.add(codes == code, f"unknown {what} {shown(name)}", nearest(name, known))
    return np.maximum(codes, 0).astype(np.int64), names or [without]


def _step_s(rows: _Rows, seconds: NDArray[np.int64]) -> int | None:
    """The commonest distance between two times that follow each other; a fault if it is none."""
    apart = np.diff(np.unique(seconds))
    if not apart.size:
        message = "the trace has one step only"
        rows.faults.add(Location(str(rows.path)), message, "give at least two steps")
        return None
    lengths, counts = np.unique(apart, return_counts=True)
    step_s = int(lengths[counts.argmax()])
    if step_s > 3600 or (60 % step_s and step_s % 60):
        message = f"steps of {step_s:,} s"
        hint = "give steps of 1 to 60 s that divide a minute, or of whole minutes up to an hour"
        rows.faults.add(Location(str(rows.path)), message, hint)
        return None
    off = (seconds - int(seconds.min())) % step_s != 0
    hint = f"give every time as the first one and a multiple of {step_s} s"
    before = rows.faults.count
    rows.add(off, f"timestamps between steps of {step_s} s", hint)
    return step_s if rows.faults.count == before else None


def _laid(
    rows: _Rows, seconds: NDArray[np.int64], rps: NDArray[np.float64],
    series: tuple[NDArray[np.int64], tuple[SignalKey, ...]], step_s: int,
) -> Signals | None:  # fmt: skip
    of, keys = series
    first = int(seconds.min())
    steps = (int(seconds.max()) - first) // step_s + 1
    if steps * len(keys) > MOST_CELLS:
        message = f"the trace spans {steps:,} steps of {step_s} s"
        rows.faults.add(Location(str(rows.path)), message, "give longer steps, or a shorter time")
        return None
    cell = of * steps + (seconds - first) // step_s
    order = np.argsort(cell, kind="stable")
    again = np.zeros(len(cell), np.bool_)
    again[order[1:]] = cell[order[1:]] == cell[order[:-1]]
    before = rows.faults.count
    rows.add(again, "a step of a series stands again", "keep one row per series and step")
    if rows.faults.count > before:
        return None
    values = np.full(len(keys) * steps, np.nan)
    values[cell] = rps
    by_name = sorted(range(len(keys)), key=keys.__getitem__)
    starts = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=first)
    grid = values.reshape(len(keys), steps)[by_name]
    return Signals(starts, step_s, tuple(keys[i] for i in by_name), grid)
