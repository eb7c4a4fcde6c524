"""Signals kept in a folder: a Parquet file per day, each of which is whole at any moment.

::

    telemetry.json                         name and step: what the folder is
    progress.json                          until when each source has been read
    days/2026-03-01.parquet                what trimtab observe read of that day (UTC)
    days/2026-03-01.otlp.parquet           what trimtab listen received of it
    increments/2026-03-01.000007.parquet   what came since the day was written

A file is written beside its place and takes it at once, so that readers need no lock and whoever is
killed leaves days as they were before or as they are now. Increments go into their day when there
are many of them or the day is over; the file of the day says up to which number it holds them, so
that it makes no difference whether one that it holds is still there. Writing the same again changes
nothing: that is what makes a day that was written before a crash, and is read again after it, come
out the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.combining import longer_steps
from models.errors import UnusableData
from models.measured import Grid
from models.signals import SignalKey, Signals
from providers.telemetry.days import ALL, DAY_S, KeptDay, Vanished, Wanted, read_day
from providers.telemetry.layout import (
    DAYS,
    DESCRIPTION,
    INCREMENTS,
    OBSERVED,
    PROGRESS,
    DayOf,
    day_of,
)

FORMAT: Final = "trimtab-telemetry"
VERSION: Final = 2
READ_VERSIONS: Final = (1, 2)
"""Before 2 there were no increments."""
_LOOKS: Final = 20
"""So often is looked again where increments went into their day meanwhile. A day is merged once in
many rounds: more than one look in a row happens to nobody."""


@dataclass(frozen=True, eq=False)
class Store:
    """A folder of telemetry, for reading."""

    folder: Path

    @property
    def name(self) -> str:
        return str(self._description["name"])

    @property
    def step_s(self) -> int:
        """Seconds that a step covers, of days that are kept as they were measured."""
        return int(self._description["step_s"])

    @cached_property
    def _description(self) -> dict[str, Any]:
        return described(self.folder)

    def path(self, day: date) -> Path:
        """The file of a day as ``trimtab observe`` keeps it."""
        return DayOf(day).path(self.folder)

    def kept(self) -> dict[DayOf, int]:
        """Days as each writer keeps them, sorted, and the number of the last increment."""
        found: dict[DayOf, int] = {}
        try:
            names = [*_named(self.folder / DAYS), *_named(self.folder / INCREMENTS)]
        except OSError as error:
            raise UnusableData(f"{self.folder} cannot be read: {error.strerror}") from error
        for name in names:
            known = day_of(name)
            if known is None:
                raise UnusableData(f"{self.folder} holds {name}, which is no day")
            of, number = known
            found[of] = max(found.get(of, 0), number)
        return {of: found[of] for of in sorted(found)}

    def days(self) -> tuple[date, ...]:
        """The days of which something is kept, the oldest first."""
        return tuple(sorted({of.day for of in self.kept()}))

    def day(self, of: DayOf, wanted: Wanted = ALL) -> KeptDay | None:
        """A day as one writer keeps it; None when it keeps nothing of it (any more)."""
        for _ in range(_LOOKS):
            with suppress(Vanished):
                return read_day(self.folder, of, self.kept().get(of, 0), wanted)
        raise UnusableData(f"{of.path(self.folder)}: an increment of it is missing")

    def read(
        self, starts: datetime, ends: datetime, *, step_s: int | None = None,
        signals: Collection[str] | None = None, services: Collection[str] | None = None,
    ) -> Signals:  # fmt: skip
        """What was measured between two moments, on steps of ``step_s`` (default: the store's).

        ``step_s`` is a multiple of the store's step that divides a day. Where days are kept in
        longer steps than these, they are gaps: nobody knows any more how it was within an hour.
        """
        step_s = self.step_s if step_s is None else step_s
        if step_s % self.step_s or DAY_S % step_s:
            raise ValueError(f"{step_s} s is not whole steps of {self.step_s} s, or of a day")
        grid = Grid.over(starts, ends, step_s)
        wanted = Wanted(
            *(None if some is None else frozenset(some) for some in (signals, services))
        )
        last = (grid.ends - timedelta(microseconds=1)).date()
        pieces = []
        for of in sorted(self.kept(), key=_first_that_gives_way):
            if grid.steps and grid.starts.date() <= of.day <= last:
                kept = self.day(of, wanted)
                if kept is not None and step_s % kept.signals.step_s == 0:
                    pieces.append(longer_steps(kept.signals, step_s))
        return _joined(pieces, grid)

    def measured_until(self) -> datetime | None:
        """The end of the last step that is kept; None when nothing is."""
        _ = self._description  # raises when this is no telemetry at all
        for _, kept in groupby(reversed(self.kept()), key=lambda of: of.day):
            ends = [end for of in kept if (end := self._measured_until(of)) is not None]
            if ends:
                return max(ends)
        return None

    def _measured_until(self, of: DayOf) -> datetime | None:
        kept = self.day(of)
        if kept is None:
            return None
        known = np.flatnonzero(~np.isnan(kept.signals.values).all(axis=0))
        return kept.signals.at(int(known[-1]) + 1) if known.size else None

    def progress(self) -> dict[str, datetime]:
        """Until when each part of each source has been read."""
        path = self.folder / PROGRESS
        try:
            read = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            return {
                str(part): datetime.fromisoformat(until).astimezone(UTC)
                for part, until in read.items()
            }
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise UnusableData(
                f"{path} is damaged\n    → remove it, and sources are read again"
            ) from error


def _named(folder: Path) -> list[str]:
    """Names of days in a folder that may be missing. ``glob`` would take one that may not be read
    for empty.
    """
    with suppress(FileNotFoundError):
        names = [path.name for path in folder.iterdir()]
        return [name for name in names if name[:1].isdigit() and name.endswith(".parquet")]
    return []


def described(folder: Path) -> dict[str, Any]:
    """What a folder of telemetry says of itself; raises ``UnusableData`` when it is none."""
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"{folder} holds no telemetry\n    → trimtab observe writes it"
        raise UnusableData(message) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableData(f"{path} cannot be read as JSON") from error
    sound = isinstance(found, dict) and found.get("format") == FORMAT
    if not sound or found.get("version") not in READ_VERSIONS or not _is_step(found.get("step_s")):
        raise UnusableData(f"{path} does not describe telemetry as this version writes it")
    return dict(found)


def _is_step(step_s: object) -> bool:
    return type(step_s) is int and 1 <= step_s <= 3600 and 3600 % step_s == 0


def _first_that_gives_way(of: DayOf) -> tuple[date, bool]:
    """Where two have measured the same, what was asked for in a file counts."""
    return of.day, of.writer == OBSERVED


def _joined(pieces: Collection[Signals], grid: Grid) -> Signals:
    """Signals of one step, end to end, cut to a grid; a gap of a later one hides nothing."""
    keys: tuple[SignalKey, ...] = tuple(sorted({key for piece in pieces for key in piece.keys}))
    row = {key: i for i, key in enumerate(keys)}
    values = np.full((len(keys), grid.steps), np.nan)
    for piece in pieces:
        rows = np.array([row[key] for key in piece.keys], np.int64)
        offset = int(piece.starts.timestamp()) // grid.step_s - grid.first
        low, high = max(offset, 0), min(offset + piece.steps, grid.steps)
        part = piece.values[:, low - offset : high - offset]
        held = values[rows, low:high]
        values[rows, low:high] = np.where(np.isnan(part), held, part)
    measured = ~np.isnan(values).all(axis=1)
    keys = tuple(key for key, has in zip(keys, measured, strict=True) if has)
    return Signals(grid.starts, grid.step_s, keys, values[measured])
