"""CSV files that a person made: rows with their lines, or every reason why there are none."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

from models.errors import Fault, FaultyInput, Location


@dataclass(frozen=True, slots=True)
class Row:
    at: Location
    cells: dict[str, str]
    surplus: int  # cells beyond the header's, as a decimal comma makes them

    def surplus_fault(self) -> Fault | None:
        """That the line has more cells than the first one."""
        if not self.surplus:
            return None
        said = f"the line has {self.surplus} more cell(s) than the first line has columns"
        return Fault(self.at, said, "write decimals with a point")


def read_rows(path: Path, columns: Sequence[str], each: str) -> list[Row]:
    """Rows below the header, which must name ``columns`` and may name more.

    Raises ``FaultyInput`` when the file cannot be read, when a column is missing, or when there
    are no rows; ``each`` says in words what a row stands for.
    """
    here = Location(str(path))
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(_parsed(str(path), file, columns))
    except OSError as error:
        raise FaultyInput([Fault(here, f"the file cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise FaultyInput(
            [Fault(here, "the file is not UTF-8 text", "save it as UTF-8")]
        ) from error
    except csv.Error as error:
        raise FaultyInput([Fault(here, f"the file is not valid CSV: {error}")]) from error
    if not rows:
        hint = f"give the columns {','.join(columns)} and a line for each {each}"
        raise FaultyInput([Fault(here, "the file has no measurements", hint)])
    return rows


def _parsed(path: str, file: TextIO, columns: Sequence[str]) -> Iterator[Row]:
    reader = csv.reader(file)
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in columns if name not in header]
    if header and missing:
        said = f"column {', '.join(missing)} is missing; the first line has {', '.join(header)}"
        hint = f"the first line must name {','.join(columns)}"
        raise FaultyInput([Fault(Location(path, 1), said, hint)])
    for cells in reader:
        if cells:
            named = zip_longest(header, map(str.strip, cells[: len(header)]), fillvalue="")
            surplus = max(0, len(cells) - len(header))
            yield Row(Location(path, reader.line_num), dict(named), surplus)
