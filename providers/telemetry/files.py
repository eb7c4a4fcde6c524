"""Signals from CSV and Parquet files: one row per sample, checked with whole columns at a time."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
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

from models.errors import Location, SourceFailed
from models.measured import COUNTERS, Grid, Samples
from models.signals import SIGNALS, SignalKey
from providers.telemetry.seam import ONE_DAY, Chunk, Listener, Part
from scenarios.faults import Faults, nearest, shown
from scenarios.fields import NAME_PATTERN
from scenarios.observing import Telemetry
from scenarios.table_rows import TableRows, has_columns
from scenarios.tables import first_line
from scenarios.telemetry_entries import FilesEntry

NEEDED: Final = ("ts", "signal", "service", "value")
NAMES: Final = ("signal", "service", "origin", "instance", "callee")
MAX_ROWS: Final = 50_000_000
_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())
_FIRST_MS: Final = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * 1000
_LAST_MS: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000
_BAD, _ZONELESS, _FAR = (np.iinfo(np.int64).min + i for i in range(3))
_PER_MS: Final = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 10**6)}
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?(?P<zone>Z|[+-]\d\d(:?\d\d)?)?"
)
_UTC_HINT: Final = (
    "write the moment in UTC, such as 2026-03-01T14:05:00Z, or with an offset: "
    "a local time without one happens twice when clocks are put back"
)


def parts_of(telemetry: Telemetry, name: str, entry: FilesEntry) -> list[Part]:
    """One part per name or pattern of files."""
    return [
        Part(
            name, pattern, f"covers {entry.covers_s}",
            _Reading(name, telemetry.folder, pattern, entry.covers_s).chunks,
        )
        for pattern in entry.files
    ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Reading:
    source: str
    folder: Path
    pattern: str
    covers_s: int
    _known: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Size and time of change of files that were read to their end."""

    def chunks(self, grid: Grid, listener: Listener) -> Iterator[Chunk]:
        for path in self._paths():
            if listener.stopping():
                return
            status = path.stat()
            state = status.st_size, status.st_mtime_ns
            if self._known.get(path) == state:
                continue
            faults = Faults()
            found = read_samples(path, faults, self.covers_s, datetime.now(UTC))
            if faults.count:
                raise faults.refusal()
            for samples in found:
                yield Chunk(grid, samples)
            self._known[path] = state

    def _paths(self) -> list[Path]:
        try:
            if "*" not in self.pattern:
                found = [self.folder / self.pattern]
            elif Path(self.pattern).is_absolute():
                root = Path(self.pattern).anchor
                found = sorted(Path(root).glob(str(Path(self.pattern).relative_to(root))))
            else:
                found = sorted(self.folder.glob(self.pattern))
        except (OSError, ValueError, NotImplementedError) as error:
            why = f"{self.pattern} cannot be looked for: {type(error).__name__}"
            raise SourceFailed(self.source, why, "check 'files'") from error
        if not found or not all(path.is_file() for path in found):
            why = f"there is no file {self.pattern}"
            raise SourceFailed(self.source, why, f"it is looked for in {self.folder}/")
        return found


def read_samples(path: Path, faults: Faults, covers_s: int, now: datetime) -> list[Samples]:
    """The samples of a file, one value per kind; empty when faults were added.

    What claims to be of more than a day after ``now`` is a fault: it has not been measured.
    """
    table = _read(path, faults)
    if table is None or table.num_rows == 0:
        return []
    before = faults.count
    rows = TableRows(path, faults)
    at_ms = _moments(rows, table["ts"], int((now + ONE_DAY).timestamp() * 1000))
    named = {name: _texts(rows, table, name) for name in NAMES}
    signals = named["signal"]
    known = (*SIGNALS, *COUNTERS)
    for i, name in enumerate(signals.names):
        if name and name not in known:
            rows.add(signals.code == i, f"unknown signal {shown(name)}", nearest(name, known))
    value = _values(rows, table["value"])
    if faults.count > before:
        return []
    return list(_of_kinds(named, at_ms, value, covers_s * 1000))


@dataclass(frozen=True, eq=False)
class _Texts:
    """A column of names: every row's index in ``names``."""

    names: list[str]
    code: NDArray[np.int64]


def _of_kinds(
    named: dict[str, _Texts], at_ms: NDArray[np.int64], value: NDArray[np.float64], covers_ms: int
) -> Iterator[Samples]:
    """Levels in one value, running totals in one value per kind."""
    total = np.zeros(len(value), np.int64)
    for one in named.values():
        total = total * (len(one.names) + 1) + one.code
    _, first, series = np.unique(total, return_index=True, return_inverse=True)
    columns = {name: [one.names[one.code[row]] for row in first] for name, one in named.items()}
    kinds = np.array(
        [[*COUNTERS].index(name) if name in COUNTERS else -1 for name in columns["signal"]]
    )
    counters = list(COUNTERS.values())
    for kind in np.unique(kinds):
        own = np.flatnonzero(kinds == kind)
        index = np.full(len(first), -1)
        index[own] = np.arange(len(own))
        rows = np.flatnonzero(kinds[series] == kind)
        counter = counters[kind] if kind >= 0 else None
        keys = tuple(
            SignalKey(
                columns["signal"][i] if counter is None else counter.signal,
                *(columns[name][i] for name in NAMES[1:]),
            )
            for i in own
        )
        covers = covers_ms if counter is None else 0
        yield Samples(keys, index[series[rows]], at_ms[rows], value[rows], covers, counter)


def _read(path: Path, faults: Faults) -> Any | None:
    """The columns as an Arrow table; None with a fault when that is not possible."""
    at = Location(str(path))
    if path.suffix not in (".csv", ".parquet"):
        faults.add(at, "the file is neither .csv nor .parquet", "rename or convert it")
        return None
    try:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                header = next(csv.reader([file.readline(2**16)]), [])
            sound = has_columns(path, header, NEEDED, faults, NAMES)
            return _read_csv(path, header) if sound else None
        with pq.ParquetFile(path) as parquet:
            if parquet.metadata.num_rows > MAX_ROWS:
                faults.add(at, f"the file has more than {MAX_ROWS:,} rows", "split it")
                return None
            columns = parquet.schema_arrow.names
        if not has_columns(path, columns, NEEDED, faults, NAMES):
            return None
        return pq.read_table(path, columns=[c for c in columns if c in _COLUMNS])
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        kind = "CSV" if path.suffix == ".csv" else "Parquet"
        faults.add(at, f"the file is not readable {kind}: {first_line(error)}", "export it again")
        return None


_COLUMNS: Final = {*NEEDED, *NAMES}


def _read_csv(path: Path, header: list[str]) -> Any:
    names = {name: _DICTIONARY for name in header if name in _COLUMNS - {"value"}}
    parse = pa_csv.ParseOptions(newlines_in_values=False)
    for number in (pa.float64(), pa.string()):  # as text, only to say which rows are wrong
        convert = pa_csv.ConvertOptions(
            column_types={**names, "value": number}, include_columns=[*names, "value"],
            strings_can_be_null=True, null_values=["", "null", "NULL"],
        )  # fmt: skip
        try:
            return pa_csv.read_csv(path, parse_options=parse, convert_options=convert)
        except pa.ArrowInvalid:
            if number == pa.string():
                raise
    return None


def _moments(rows: TableRows, column: Any, latest_ms: int) -> NDArray[np.int64]:
    """Milliseconds since 1970 UTC; a marker < 0 where a moment cannot be used (with faults)."""
    found = _of_timestamps(column) if pa.types.is_timestamp(column.type) else _of_texts(column)
    far = ((found < _FIRST_MS) & (found > _FAR)) | (found >= _LAST_MS)
    found = np.where(far, _FAR, found)
    rows.add(
        (found > latest_ms) & (found < _LAST_MS), "timestamps beyond tomorrow",
        "leave out what has not been measured yet, or mend the clock",
    )  # fmt: skip
    rows.add(found == _ZONELESS, "timestamps without a time zone", _UTC_HINT)
    rows.add(found == _FAR, "timestamps outside the years 1990 to 2099", _UTC_HINT)
    rows.add(found == _BAD, "what is no timestamp", _UTC_HINT)
    return found


def _of_timestamps(column: Any) -> NDArray[np.int64]:
    if column.type.tz is None:
        return np.full(len(column), _ZONELESS)
    times, over = _PER_MS[column.type.unit]
    ticks = pc.fill_null(column.cast(pa.int64()), _BAD).to_numpy()
    return np.where(ticks == _BAD, _BAD, ticks // over * times)


def _of_texts(column: Any) -> NDArray[np.int64]:
    """Few timestamps are distinct: each is read once."""
    if not pa.types.is_dictionary(column.type):
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            return np.full(len(column), _BAD)
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    distinct = np.array([_moment(text) for text in whole.dictionary.to_pylist()] + [_BAD])
    indices = pc.fill_null(whole.indices, len(distinct) - 1).to_numpy(zero_copy_only=False)
    found: NDArray[np.int64] = distinct[indices]
    return found


def _moment(text: str | None) -> int:
    match = _TIMESTAMP.fullmatch((text or "").strip())
    if not match:
        return _BAD
    if match["zone"] is None:
        return _ZONELESS
    try:
        seconds = datetime.fromisoformat(match[0].replace(" ", "T", 1)).timestamp()
    except (ValueError, OverflowError):
        return _BAD
    return round(seconds * 1000)


def _texts(rows: TableRows, table: Any, name: str) -> _Texts:
    """A column of names; missing ones are empty, which some columns may not be."""
    if name not in table.column_names:
        return _Texts([""], np.zeros(table.num_rows, np.int64))
    column = table[name]
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    names = [str(text or "") for text in whole.dictionary.to_pylist()] + [""]
    code = pc.fill_null(whole.indices, len(names) - 1).to_numpy(zero_copy_only=False)
    unnamed = np.array([text == "" for text in names])
    if name in NEEDED:
        rows.add(unnamed[code], f"no {name}", f"fill in the {name}")
    odd = np.array([bool(text) and not re.match(NAME_PATTERN, text) for text in names])
    rows.add(odd[code], f"{name} with control characters", "use printable characters only")
    distinct = sorted(set(names))
    return _Texts(distinct, np.searchsorted(distinct, names)[code].astype(np.int64))


def _values(rows: TableRows, column: Any) -> NDArray[np.float64]:
    """Numbers; an empty cell is a gap, and so is NaN."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    texts = column.cast(pa.string()).to_pandas()
    number: NDArray[np.float64] = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    given = ~texts.isna().to_numpy() & ~texts.str.lower().isin(["nan"]).to_numpy(bool)
    rows.add(np.isnan(number) & given, "values that are no number", "write a plain number")
    return number
