"""Values that JSON can hold, and JSON that people can read."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RPS_DIGITS: Final = 9
"""Significant digits of request rates: far more than is known, and short to read."""

Document = dict[str, Any]


def json_text(document: Document) -> str:
    """The document as JSON with one line per key and per row of a table.

    Only ASCII is written: other characters are escaped, so that no name reaches a terminal raw.
    """
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n    ".join(_compact(row) for row in value)
            lines.append(f"  {_compact(key)}: [\n    {rows}\n  ]")
        else:
            lines.append(f"  {_compact(key)}: {_compact(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def finite_or_null(value: float) -> float | None:
    """The number, or None when it is infinite or not a number: JSON knows neither."""
    return float(value) if math.isfinite(value) else None


def usd_or_null(usd: float) -> str | None:
    """A solver's amount to the millionth of a dollar, or None when it is not finite."""
    return f"{usd:.6f}" if math.isfinite(usd) else None


def utc_text(moment: datetime) -> str:
    """``2026-03-01T00:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def significant(values: NDArray[np.float64], digits: int = RPS_DIGITS) -> NDArray[np.float64]:
    """Values rounded to ``digits`` significant decimal digits; zeros and non-finite unchanged."""
    plain = np.isfinite(values) & (values != 0)
    exponent = np.floor(np.log10(np.abs(values, where=plain, out=np.ones_like(values))))
    places = digits - 1 - exponent
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    rounded = np.rint(np.where(plain, values, 0.0) * up / down) / up * down
    return np.where(plain, rounded, values)


def _compact(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(", ", ": "))


def rates(values: NDArray[np.float64]) -> list[Any]:
    """Rates as nested lists: short, with null for what is not finite."""
    rounded = significant(values.astype(np.float64))
    finite = np.isfinite(rounded)
    if finite.all():
        nested: list[Any] = rounded.tolist()
        return nested
    holes = rounded.astype(object)
    holes[~finite] = None
    with_nulls: list[Any] = holes.tolist()
    return with_nulls


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table, one mapping each."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
