"""Gathers what is wrong with a table of prices: every fault with its line and a suggestion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import Fault, FaultyInput, Location

_FEW: Final = 8
LISTED_AT_MOST: Final = 20
"""Faults of one kind that are listed; the rest are counted."""


class Findings:
    """Faults of one file. ``first_line`` is the line of row 0; 0 when the file has no lines."""

    def __init__(self, file: str, first_line: int) -> None:
        self._file = file
        self._first_line = first_line
        self._faults: list[Fault] = []

    def add(self, message: str, suggestion: str = "") -> None:
        """One fault of the file as a whole."""
        self._faults.append(Fault(Location(self._file), message, suggestion))

    def add_rows(
        self,
        values: pd.Series,
        wrong: NDArray[np.bool_],
        what: str,
        suggestion: str | Callable[[str], str],
    ) -> None:
        """A fault for each wrong value; ``values`` is named after its column, indexed by row."""
        rows = np.flatnonzero(wrong)
        for row in rows[:LISTED_AT_MOST]:
            value = str(values.iloc[row])
            hint = suggestion if isinstance(suggestion, str) else suggestion(value)
            self._add_row(int(values.index[row]), f"{values.name} {value[:60]!r} {what}", hint)
        if len(rows) > LISTED_AT_MOST:
            first = int(values.index[rows[LISTED_AT_MOST]])
            more = len(rows) - LISTED_AT_MOST
            self._add_row(first, f"{values.name} {what}: {more:,} more rows from here on", "")

    def _add_row(self, row: int, message: str, suggestion: str) -> None:
        if self._first_line:
            self._faults.append(
                Fault(Location(self._file, row + self._first_line), message, suggestion)
            )
        else:
            self._faults.append(
                Fault(Location(self._file), f"row {row + 1}: {message}", suggestion)
            )

    def __bool__(self) -> bool:
        return bool(self._faults)

    def stop_if_any(self) -> None:
        """Raises ``FaultyInput`` with everything found so far."""
        if self._faults:
            raise FaultyInput(self._faults)


def nearest(value: str, known: Iterable[str]) -> str:
    """A suggestion that names the known values most like ``value``."""
    names = sorted(filter(None, known))
    close = get_close_matches(value.lower(), names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"write one of {', '.join(names)}" if len(names) <= _FEW else ""
