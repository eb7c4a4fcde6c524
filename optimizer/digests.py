"""Digests of the parts of a world, so that a plan says which world it was made for.

A part is a field of ``World``. What decides nothing is left out: where things are written, why,
descriptions and notes, and how long a solver may take. So are fields that hold their default: a
field that a later version adds does not change the digests of worlds that do not use it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any, Final

import numpy as np
import pandas as pd

from models.demand import History
from models.offerings import PriceBook
from models.world import World

_SAYS_NOTHING: Final = {"at", "why", "description", "note", "gap_target", "time_limit_s"}
_NOT_A_PART: Final = {"name", "description", "at", "starts"}


def world_digests(world: World) -> dict[str, str]:
    """SHA-256, in hexadecimal, of every part of ``world`` that is not empty, by its name."""
    parts = {field.name: field for field in fields(World) if field.name not in _NOT_A_PART}
    held = {name: getattr(world, name) for name in parts}
    return {
        name: hashlib.sha256(_text(value).encode()).hexdigest()
        for name, value in held.items()
        if not _is_default(parts[name], value)
    }


def _text(value: object) -> str:
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=True)


def _plain(value: Any) -> Any:
    """What JSON can hold and is the same in every process."""
    if isinstance(value, PriceBook):
        return _frame_digest(value.offerings)
    if isinstance(value, History):
        return _frame_digest(value.frame)
    if is_dataclass(value) and not isinstance(value, type):
        held = [(field, getattr(value, field.name)) for field in fields(value)]
        told = {
            field.name: _plain(one)
            for field, one in held
            if field.name not in _SAYS_NOTHING and not _is_default(field, one)
        }
        return [type(value).__name__, told]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, Mapping):
        return sorted(([_plain(key), _plain(item)] for key, item in value.items()), key=str)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return value


def _is_default(field: Field[Any], value: object) -> bool:
    if field.default is not MISSING:
        return bool(value == field.default)
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return False


def _frame_digest(frame: pd.DataFrame) -> str:
    """Of the columns by name and the rows in their order; text by what it says."""
    digest = hashlib.sha256()
    for name, column in frame.items():
        digest.update(f"{name}\0{len(column)}\0".encode())
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            moments = column.astype("datetime64[us, UTC]").astype(np.int64)
            digest.update(moments.to_numpy().astype("<i8").tobytes())
        elif column.dtype == np.bool_ or pd.api.types.is_numeric_dtype(column.dtype):
            numbers = column.to_numpy(np.float64)
            digest.update(np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes())
        else:
            codes, texts = pd.factorize(column.astype(object), use_na_sentinel=True)
            digest.update("\0".join(map(str, texts)).encode(errors="surrogatepass"))
            digest.update(codes.astype("<i8").tobytes())
    return digest.hexdigest()
