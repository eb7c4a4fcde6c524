"""Rows as Parquet: a table per kind of row, whose columns follow from the fields of the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa

from models.inventory import (
    CommittedRate,
    Instance,
    InstanceGroup,
    InstanceType,
    Labels,
    OwnedCommitment,
    Price,
    Quota,
    RejectedPrice,
    Sample,
)
from providers.seam import Reading

Row = (
    Instance
    | InstanceGroup
    | InstanceType
    | Quota
    | Price
    | RejectedPrice
    | CommittedRate
    | OwnedCommitment
    | Sample
)

Kind = TypeVar("Kind")

TABLES: Final[dict[str, type[Any]]] = {
    "instances": Instance,
    "groups": InstanceGroup,
    "instance_types": InstanceType,
    "quotas": Quota,
    "owned_commitments": OwnedCommitment,
    "prices": Price,
    "rejected_prices": RejectedPrice,
    "committed_rates": CommittedRate,
    "samples": Sample,
}
"""The tables of a snapshot, by name."""

TABLE_OF: Final[dict[type[Any], str]] = {row: name for name, row in TABLES.items()}

TABLES_OF_READING: Final[dict[Reading, tuple[str, ...]]] = {
    Reading.INSTANCES: ("instances",),
    Reading.GROUPS: ("groups",),
    Reading.INSTANCE_TYPES: ("instance_types",),
    Reading.QUOTAS: ("quotas",),
    Reading.COMMITMENTS: ("owned_commitments",),
    Reading.PRICES: ("prices", "rejected_prices", "committed_rates"),
    Reading.SAMPLES: ("samples",),
}
"""What each reading fills."""

_PLAIN: Final[dict[Any, pa.DataType]] = {
    str: pa.string(),
    float: pa.float64(),
    int: pa.int64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", "UTC"),
    Labels: pa.map_(pa.string(), pa.string()),
    tuple[str, ...]: pa.list_(pa.string()),
}


@cache
def schema_of(table: str) -> pa.Schema:
    """The columns of one of ``TABLES``."""
    return pa.schema([_column(name, kind) for name, kind in _columns(TABLES[table]).items()])


def _columns(row: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(row)
    return {field.name: hints[field.name] for field in fields(row)}


def _column(name: str, kind: Any) -> pa.Field:
    options = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    (one,) = (option for option in options if option is not NoneType)
    if isinstance(one, type) and issubclass(one, StrEnum):
        one = str
    return pa.field(name, _PLAIN[one], nullable=NoneType in options)


def batch_of(rows: Sequence[Row]) -> pa.RecordBatch:
    """Rows of one kind as columns."""
    schema = schema_of(TABLE_OF[type(rows[0])])
    columns = [_array(list(map(attrgetter(field.name), rows)), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind, from_pandas=False)
    except UnicodeEncodeError:  # half a character in a tag must not lose its region
        return pa.array([_writable(value) for value in values], kind, from_pandas=False)


def _writable(value: Any) -> Any:
    """``value`` with ``?`` for what no encoding can write."""
    if isinstance(value, tuple):
        return tuple(map(_writable, value))
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def rows_of(table: pa.Table, row: type[Kind]) -> list[Kind]:
    """The rows of a table."""
    columns = [
        _values(table.column(name).to_pylist(), kind) for name, kind in _columns(row).items()
    ]
    return [row(*values) for values in zip(*columns, strict=True)]


def _values(column: list[Any], kind: Any) -> list[Any]:
    options = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    (one,) = (option for option in options if option is not NoneType)
    if isinstance(one, type) and issubclass(one, StrEnum):
        return [None if value is None else one(value) for value in column]
    if get_origin(one) is tuple:
        return [None if value is None else tuple(map(_frozen, value)) for value in column]
    return column


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
