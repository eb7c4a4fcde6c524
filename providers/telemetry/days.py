"""A day of signals as Parquet: one row per series and step that was measured."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.errors import UnusableData
from models.signals import SignalKey, Signals

Ints = NDArray[np.int64]

DAY_S: Final = 86_400
_NAMES: Final = ("signal", "service", "origin", "instance", "callee")
_STEP: Final = b"trimtab.step_s"
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


def table_of(signals: Signals) -> pa.Table:
    """What is measured of signals, sorted by key and time."""
    row, step = np.nonzero(~np.isnan(signals.values))
    columns = []
    for i in range(len(_NAMES)):
        names, code = np.unique([_parts(key)[i] for key in signals.keys], return_inverse=True)
        texts = pa.array(names.tolist(), pa.string())
        codes = pa.array(code.astype(np.int32)[row], pa.int32())
        columns.append(pa.DictionaryArray.from_arrays(codes, texts))
    first_ms = int(signals.starts.timestamp()) * 1000
    columns.append(pa.array(first_ms + step * signals.step_s * 1000, pa.timestamp("ms", "UTC")))
    columns.append(pa.array(signals.values[row, step], pa.float64()))
    schema = _SCHEMA.with_metadata({_STEP: str(signals.step_s).encode()})
    return pa.Table.from_arrays(columns, schema=schema)


def read_day(path: Path, day: date, wanted: Wanted = ALL) -> Signals:
    """The whole day on its grid; raises ``UnusableData`` when the file is not one of ours."""
    try:
        found = pq.read_schema(path)
        step_s = int((found.metadata or {})[_STEP])
        if not found.remove_metadata().equals(_SCHEMA) or DAY_S % step_s:
            raise KeyError(_STEP)
        table = pq.read_table(path, schema=_SCHEMA, filters=wanted.filters)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise UnusableData(f"{path} is not telemetry as this version writes it") from error
    except (OSError, pa.ArrowException) as error:
        raise UnusableData(f"{path} is not readable Parquet: {str(error)[:200]}") from error
    starts = datetime(day.year, day.month, day.day, tzinfo=UTC)
    keys, row = _keys_of(table)
    ts_ms = table.column("ts").cast(pa.int64()).to_numpy() - int(starts.timestamp()) * 1000
    step, off = np.divmod(ts_ms, step_s * 1000)
    value = table.column("value").to_numpy()
    steps = DAY_S // step_s
    sound = not off.any() and ((step >= 0) & (step < steps)).all() and np.isfinite(value).all()
    if not sound or list(keys) != sorted(set(keys)):
        raise UnusableData(f"{path} holds rows that are not of its day")
    values = np.full((len(keys), steps), np.nan)
    values[row, step] = value
    return Signals(starts, step_s, keys, values)


def _keys_of(table: pa.Table) -> tuple[tuple[SignalKey, ...], Ints]:
    """The keys in the order of the rows, and the key of every row. Rows of a key lie together."""
    codes, names = [], []
    for name in _NAMES:
        column: Any = table.column(name).unify_dictionaries().combine_chunks()
        codes.append(column.indices.to_numpy().astype(np.int64))
        names.append(column.dictionary.to_pylist())
    new = np.zeros(table.num_rows, np.bool_)
    new[:1] = True
    for code in codes:
        new[1:] |= np.diff(code) != 0
    keys = tuple(
        SignalKey(*(own[code[i]] for own, code in zip(names, codes, strict=True)))
        for i in np.flatnonzero(new)
    )
    return keys, np.cumsum(new) - 1


def _parts(key: SignalKey) -> tuple[str, str, str, str, str]:
    return key.signal, key.service, key.origin, key.instance, key.callee
