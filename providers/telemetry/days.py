"""A day of signals as Parquet: one row per series and step that was measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.errors import UnusableData
from models.signals import SIGNALS, SignalKey, Signals
from providers.telemetry.layout import DayOf

Ints = NDArray[np.int64]

DAY_S: Final = 86_400

MOST_VALUES: Final = 250_000_000
"""A day is laid out whole: 2 GB, and some times that while it is written or read."""

_NAMES: Final = ("signal", "service", "origin", "instance", "callee")
_STEP: Final = b"trimtab.step_s"
_MERGED: Final = b"trimtab.merged"
_NAME_TYPE: Final = pa.dictionary(pa.int32(), pa.string())
_SCHEMA: Final = pa.schema(
    [
        *(pa.field(name, _NAME_TYPE, nullable=False) for name in _NAMES),
        pa.field("ts", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which signals of which services are read; None: all."""

    signals: frozenset[str] | None = None
    services: frozenset[str] | None = None

    @property
    def filters(self) -> list[tuple[str, str, Collection[str]]] | None:
        chosen = (("signal", self.signals), ("service", self.services))
        found = [(name, "in", sorted(some)) for name, some in chosen if some is not None]
        return found or None  # type: ignore[return-value]


ALL: Final = Wanted()


class Vanished(Exception):
    """An increment went into its day while we read: look again."""


@dataclass(frozen=True, eq=False)
class KeptDay:
    """``merged``: the number of the last increment that the file of the day holds; ``newest``: of
    the last increment there is, all of which are in ``signals``.
    """

    signals: Signals
    merged: int = 0
    newest: int = 0


@dataclass(frozen=True, eq=False)
class Cells:
    """Values one by one: ``value[i]`` is of ``keys[row[i]]`` in step ``step[i]``."""

    starts: datetime
    step_s: int
    keys: Sequence[SignalKey]
    row: Ints
    step: Ints
    value: NDArray[np.float64]


def cells_of(signals: Signals) -> Cells:
    """What is measured of signals, by key and time."""
    row, step = np.nonzero(~np.isnan(signals.values))
    value = signals.values[row, step]
    return Cells(signals.starts, signals.step_s, signals.keys, row, step, value)


def table_of(cells: Cells, merged: int = 0) -> pa.Table:
    """Rows in the order of the cells; ``merged``: see ``KeptDay``."""
    columns = []
    for i in range(len(_NAMES)):
        texts = pa.array([parts_of(key)[i] for key in cells.keys], pa.string())
        encoded = texts.dictionary_encode()
        codes = pa.array(encoded.indices.to_numpy()[cells.row], pa.int32())
        columns.append(pa.DictionaryArray.from_arrays(codes, encoded.dictionary))
    ts_ms = int(cells.starts.timestamp()) * 1000 + cells.step * cells.step_s * 1000
    columns.append(pa.array(ts_ms, pa.timestamp("ms", "UTC")))
    columns.append(pa.array(cells.value, pa.float64()))
    about = {_STEP: str(cells.step_s).encode(), _MERGED: str(merged).encode()}
    return pa.Table.from_arrays(columns, schema=_SCHEMA.with_metadata(about))


def read_day(folder: Path, of: DayOf, newest: int, wanted: Wanted = ALL) -> KeptDay | None:
    """The whole day on its grid, with its increments up to number ``newest``; None when there is
    neither.

    The file of the day says which increments it holds: whether it is read as it was before a merge
    or after it, the same values come out. Raises ``Vanished`` when an increment went into it in
    between, ``UnusableData`` when a file is not one of ours.
    """
    path = of.path(folder)
    try:
        read = [_read(path, wanted)]
    except FileNotFoundError:
        read = []
    merged = read[0].merged if read else 0
    try:
        read += [_read(of.increment(folder, n), wanted) for n in range(merged + 1, newest + 1)]
    except FileNotFoundError:
        raise Vanished from None
    if not read:
        return None
    if len({one.step_s for one in read}) > 1:
        raise UnusableData(f"{path} and its increments are not of one step")
    return KeptDay(_signals(path, of, read), merged, max(merged, newest))


@dataclass(frozen=True, eq=False)
class _Read:
    table: pa.Table
    step_s: int
    merged: int


def _read(path: Path, wanted: Wanted) -> _Read:
    """A file, opened once: it may be replaced at any time."""
    try:
        with pa.OSFile(str(path)) as file:
            found = pq.ParquetFile(file).schema_arrow
            about = found.metadata or {}
            step_s, merged = int(about[_STEP]), int(about.get(_MERGED, 0))
            if (
                not found.remove_metadata().equals(_SCHEMA)
                or step_s < 1
                or DAY_S % step_s
                or merged < 0
            ):
                raise KeyError(_STEP)
            table = pq.read_table(file, schema=_SCHEMA, filters=wanted.filters)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, pa.ArrowException):
            raise _unreadable(path, error) from error
        raise UnusableData(f"{path} is not telemetry as this version writes it") from error
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    return _Read(table, step_s, merged)


def check_room(where: object, series: int, step_s: int) -> None:
    """Refuse a day of more values than fit in memory, all of whose steps are laid out."""
    if series * (DAY_S // step_s) > MOST_VALUES:
        raise UnusableData(
            f"{where}: {series:,} series in steps of {step_s} s are more than {MOST_VALUES:,} "
            "values a day\n    → keep longer steps, or fewer series"
        )


def _unreadable(path: Path, error: Exception) -> UnusableData:
    return UnusableData(f"{path} is not readable Parquet: {str(error)[:200]}")


def _signals(path: Path, of: DayOf, read: Sequence[_Read]) -> Signals:
    """All that was read on the grid of the day; later files count."""
    starts = datetime(of.day.year, of.day.month, of.day.day, tzinfo=UTC)
    step_s, steps = read[0].step_s, DAY_S // read[0].step_s
    table = pa.concat_tables([one.table for one in read])
    keys, row = _keys_of(table)
    if not {key.signal for key in keys} <= SIGNALS.keys():
        raise UnusableData(f"{path} holds signals that this version does not know")
    ts_ms = table.column("ts").cast(pa.int64()).to_numpy() - int(starts.timestamp()) * 1000
    step, off = np.divmod(ts_ms, step_s * 1000)
    value = table.column("value").to_numpy()
    if off.any() or not ((step >= 0) & (step < steps)).all() or not np.isfinite(value).all():
        raise UnusableData(f"{path}, or an increment of it, holds rows that are not of its day")
    check_room(path, len(keys), step_s)
    values = np.full((len(keys), steps), np.nan)
    low = 0
    for one in read:
        high = low + one.table.num_rows
        values[row[low:high], step[low:high]] = value[low:high]
        low = high
    return Signals(starts, step_s, keys, values)


def _keys_of(table: pa.Table) -> tuple[tuple[SignalKey, ...], Ints]:
    """The keys, sorted, and the key of every row."""
    codes, names = [], []
    for name in _NAMES:
        column: Any = table.column(name).unify_dictionaries().combine_chunks()
        codes.append(column.indices.to_numpy().astype(np.int64))
        names.append(column.dictionary.to_pylist())
    new = np.zeros(table.num_rows, np.bool_)
    new[:1] = True
    for code in codes:
        new[1:] |= np.diff(code) != 0
    begins = np.flatnonzero(new)  # of stretches of rows of one key
    total = np.zeros(len(begins), np.int64)
    for own, code in zip(names, codes, strict=True):
        _, total = np.unique(total * max(len(own), 1) + code[begins], return_inverse=True)
    _, first, of = np.unique(total, return_index=True, return_inverse=True)
    keys = [
        SignalKey(*(own[code[begins[i]]] for own, code in zip(names, codes, strict=True)))
        for i in first
    ]
    order = sorted(range(len(keys)), key=lambda i: parts_of(keys[i]))
    place = np.empty(len(keys), np.int64)
    place[order] = np.arange(len(keys))
    return tuple(keys[i] for i in order), place[of][np.cumsum(new) - 1]


def parts_of(key: SignalKey) -> tuple[str, str, str, str, str]:
    """What keys are sorted by."""
    return key.signal, key.service, key.origin, key.instance, key.callee
