"""Measured round-trip times, read from a CSV file that a person made."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import Final, TextIO

from models.errors import Fault, FaultyInput, Location
from models.latency import ROUTE_FACTOR, RoundTrips

COLUMNS: Final = ("from", "to", "rtt_ms")
LONGEST_RTT_MS: Final = 2000.0
"""Nothing on the ground is farther away; a larger number is another unit, or a time-out."""


@dataclass(frozen=True, slots=True)
class _Row:
    at: Location
    cells: dict[str, str]
    surplus: int  # cells beyond the header's, as a decimal comma makes them


def read_round_trips(
    path: Path, known_names: Collection[str], factor: float = ROUTE_FACTOR
) -> RoundTrips:
    """Round trips from a CSV file with the columns ``from``, ``to`` and ``rtt_ms``.

    Names are places (``aws/us-east-1``) and origins; a pair given one way holds both ways unless
    the other way is given too. ``factor`` is for the pairs that the file leaves out. Columns
    beyond the three are left alone. Raises ``FaultyInput`` with every fault of the file.
    """
    faults: list[Fault] = []
    measured: dict[tuple[str, str], float] = {}
    written: dict[tuple[str, str], int] = {}
    for row in _rows(path):
        found = [*_name_faults(row, known_names), *_rtt_faults(row)]
        faults.extend(found)
        if found:
            continue
        pair, rtt_ms = (row.cells["from"], row.cells["to"]), float(row.cells["rtt_ms"])
        if measured.setdefault(pair, rtt_ms) != rtt_ms:
            before = f"{measured[pair]:g} ms in line {written[pair]}"
            said = f"{pair[0]} to {pair[1]} is {rtt_ms:g} ms here but {before}"
            faults.append(Fault(row.at, said, "keep one of the two"))
        written.setdefault(pair, row.at.line)
    if faults:
        raise FaultyInput(faults)
    return RoundTrips(measured, factor)


def _rows(path: Path) -> list[_Row]:
    """Rows below the header; ``FaultyInput`` when there are none or a column is missing."""
    here = Location(str(path))
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(_parsed(str(path), file))
    except OSError as error:
        raise FaultyInput([Fault(here, f"the file cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise FaultyInput(
            [Fault(here, "the file is not UTF-8 text", "save it as UTF-8")]
        ) from error
    except csv.Error as error:
        raise FaultyInput([Fault(here, f"the file is not valid CSV: {error}")]) from error
    if not rows:
        hint = f"give the columns {','.join(COLUMNS)} and a line for each measured pair"
        raise FaultyInput([Fault(here, "the file has no measurements", hint)])
    return rows


def _parsed(path: str, file: TextIO) -> Iterator[_Row]:
    reader = csv.reader(file)
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if header and missing:
        said = f"column {', '.join(missing)} is missing; the first line has {', '.join(header)}"
        hint = f"the first line must name {','.join(COLUMNS)}"
        raise FaultyInput([Fault(Location(path, 1), said, hint)])
    for cells in reader:
        if cells:
            named = zip_longest(header, map(str.strip, cells[: len(header)]), fillvalue="")
            surplus = max(0, len(cells) - len(header))
            yield _Row(Location(path, reader.line_num), dict(named), surplus)


def _name_faults(row: _Row, known_names: Collection[str]) -> Iterator[Fault]:
    for column in ("from", "to"):
        name = row.cells[column]
        if name in known_names:
            continue
        near = get_close_matches(name, known_names, n=1)
        hint = f"did you mean {near[0]}?" if near else "name a place (cloud/region) or an origin"
        said = f"names {name}, which is neither a place nor an origin" if name else "is empty"
        yield Fault(row.at, f"'{column}' {said}", hint)


def _rtt_faults(row: _Row) -> Iterator[Fault]:
    cell = row.cells["rtt_ms"]
    try:
        rtt_ms = float(cell)
    except ValueError:
        rtt_ms = math.nan
    if row.surplus:
        said = f"the line has {row.surplus} more cell(s) than the first line has columns"
        yield Fault(row.at, said, "write decimals with a point")
    elif not math.isfinite(rtt_ms):
        said = f"'rtt_ms' must be a number, not {cell}" if cell else "'rtt_ms' is empty"
        yield Fault(row.at, said, "give milliseconds, there and back")
    elif rtt_ms <= 0:
        yield Fault(row.at, f"a round trip of {rtt_ms:g} ms is not possible", "it must be above 0")
    elif rtt_ms > LONGEST_RTT_MS:
        said = f"a round trip of {rtt_ms:g} ms is longer than any on the ground"
        yield Fault(row.at, said, "is it in microseconds, or a time-out?")
