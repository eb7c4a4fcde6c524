"""Rows of a table that are wrong: told by line, the first few of each kind, and counted."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import Location
from scenarios.faults import Faults

SHOWN: Final = 3
"""Rows that a fault names; it counts the others."""


@dataclass(frozen=True)
class TableRows:
    """Speaks about rows of a file."""

    path: Path
    faults: Faults

    def add(self, wrong: NDArray[np.bool_], message: str, suggestion: str) -> None:
        """One fault for all rows where ``wrong`` is true: the first few lines, and how many."""
        self.add_at(np.flatnonzero(wrong), message, suggestion)

    def add_at(self, rows: NDArray[np.int64], message: str, suggestion: str) -> None:
        """One fault for ``rows``, if any: the first few lines, and how many."""
        if not rows.size:
            return
        lines = self.lines(rows[:SHOWN])
        what = "line" if self.path.suffix == ".csv" else "row"
        what += "s" if rows.size > 1 else ""
        listed = ", ".join(str(line) for line in lines)
        more = f" and {rows.size - SHOWN:,} more" if rows.size > SHOWN else ""
        self.faults.add(
            Location(str(self.path), lines[0]), f"{message} ({what} {listed}{more})", suggestion
        )

    def lines(self, rows: NDArray[np.int64]) -> list[int]:
        """1-based lines of the file (CSV; quoted cells may hold newlines) or rows (Parquet)."""
        wanted = [int(row) for row in rows]
        if self.path.suffix != ".csv":
            return [row + 1 for row in wanted]
        found: dict[int, int] = {}
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file)
            row = -2  # the header comes first
            try:
                for cells in reader:
                    row += bool(cells)
                    if row in wanted:
                        found[row] = reader.line_num
                    if row >= max(wanted):
                        break
            except csv.Error:  # a cell too long for this reader: count as if each row were a line
                pass
        return [found.get(row, row + 2) for row in wanted]


def has_columns(
    path: Path, found: Sequence[str], needed: Sequence[str], faults: Faults,
    also: Collection[str] = (),
) -> bool:  # fmt: skip
    """Whether a file has all columns that are ``needed``, and none of them, or of those that it may
    have ``also``, twice; with faults where it is not so.
    """
    at = Location(str(path), 1 if path.suffix == ".csv" else 0)
    missing = [name for name in needed if name not in found]
    twice = sorted({name for name in (*needed, *also) if found.count(name) > 1})
    if missing:
        only = ", ".join(found)[:200]
        hint = f"the file has: {only}" if len(found) > 1 else "separate columns with commas"
        faults.add(at, f"missing columns: {', '.join(missing)}", hint)
    for name in twice:
        faults.add(at, f"the column {name!r} stands twice", "remove one")
    return not missing and not twice
