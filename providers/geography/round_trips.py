"""Measured round-trip times, read from a CSV file that a person made."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from models.errors import Fault, FaultyInput
from models.latency import ROUTE_FACTOR, RoundTrips
from providers.geography.csv_rows import Row, read_rows

COLUMNS: Final = ("from", "to", "rtt_ms")
LONGEST_RTT_MS: Final = 2000.0
"""Nothing on the ground is farther away; a larger number is another unit, or a time-out."""


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
    for row in read_rows(path, COLUMNS, "measured pair"):
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


def _name_faults(row: Row, known_names: Collection[str]) -> Iterator[Fault]:
    for column in ("from", "to"):
        name = row.cells[column]
        if name in known_names:
            continue
        near = get_close_matches(name, known_names, n=1)
        hint = f"did you mean {near[0]}?" if near else "name a place (cloud/region) or an origin"
        said = f"names {name}, which is neither a place nor an origin" if name else "is empty"
        yield Fault(row.at, f"'{column}' {said}", hint)


def _rtt_faults(row: Row) -> Iterator[Fault]:
    cell = row.cells["rtt_ms"]
    try:
        rtt_ms = float(cell)
    except ValueError:
        rtt_ms = math.nan
    if surplus := row.surplus_fault():
        yield surplus
    elif not math.isfinite(rtt_ms):
        said = f"'rtt_ms' must be a number, not {cell}" if cell else "'rtt_ms' is empty"
        yield Fault(row.at, said, "give milliseconds, there and back")
    elif rtt_ms <= 0:
        yield Fault(row.at, f"a round trip of {rtt_ms:g} ms is not possible", "it must be above 0")
    elif rtt_ms > LONGEST_RTT_MS:
        said = f"a round trip of {rtt_ms:g} ms is longer than any on the ground"
        yield Fault(row.at, said, "is it in microseconds, or a time-out?")
