"""Signals kept in a folder: a Parquet file per day, each of which is whole at any moment.

::

    telemetry.json           name and step: what the folder is
    progress.json            until when each source has been read
    days/2026-03-01.parquet  what was measured that day (UTC)

A day is written beside its old file and takes its place at once, so that readers need no lock and
whoever is killed leaves days as they were before or as they are now. Writing the same again
changes nothing: that is what makes a day that was written before a crash, and is read again after
it, come out the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.combining import longer_steps
from models.errors import UnusableData
from models.measured import Grid
from models.signals import SignalKey, Signals
from providers.telemetry.days import DAY_S, Wanted, read_day

DESCRIPTION: Final = "telemetry.json"
PROGRESS: Final = "progress.json"
DAYS: Final = "days"
FORMAT: Final = "trimtab-telemetry"
VERSION: Final = 1


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
        return self.folder / DAYS / f"{day.isoformat()}.parquet"

    def days(self) -> tuple[date, ...]:
        """The days of which something is kept, the oldest first."""
        try:
            names = [path.stem for path in (self.folder / DAYS).glob("[0-9]*.parquet")]
            return tuple(sorted(map(date.fromisoformat, names)))
        except OSError as error:
            raise UnusableData(f"{self.folder} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UnusableData(f"{self.folder / DAYS} holds files that are no days") from error

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
        for day in self.days():
            if grid.steps and grid.starts.date() <= day <= last:
                piece = read_day(self.path(day), day, wanted)
                if step_s % piece.step_s == 0:
                    pieces.append(longer_steps(piece, step_s))
        return _joined(pieces, grid)

    def measured_until(self) -> datetime | None:
        """The end of the last step that is kept; None when nothing is."""
        _ = self._description  # raises when this is no telemetry at all
        for day in reversed(self.days()):
            one = read_day(self.path(day), day)
            known = np.flatnonzero(~np.isnan(one.values).all(axis=0))
            if known.size:
                return one.at(int(known[-1]) + 1)
        return None

    def progress(self) -> dict[str, datetime]:
        """Until when each part of each source has been read."""
        path = self.folder / PROGRESS
        try:
            read = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            return {
                str(part): datetime.fromisoformat(until).astimezone(UTC)
                for part, until in read.items()
            }
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise UnusableData(
                f"{path} is damaged\n    → remove it, and sources are read again"
            ) from error


def described(folder: Path) -> dict[str, Any]:
    """What a folder of telemetry says of itself; raises ``UnusableData`` when it is none."""
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"{folder} holds no telemetry\n    → trimtab observe writes it"
        raise UnusableData(message) from error
    except (OSError, ValueError) as error:
        raise UnusableData(f"{path} cannot be read as JSON") from error
    sound = isinstance(found, dict) and found.get("format") == FORMAT
    if not sound or found.get("version") != VERSION or not _is_step(found.get("step_s")):
        raise UnusableData(f"{path} does not describe telemetry as this version writes it")
    return dict(found)


def _is_step(step_s: object) -> bool:
    return type(step_s) is int and 1 <= step_s <= 3600 and 3600 % step_s == 0


def _joined(pieces: Collection[Signals], grid: Grid) -> Signals:
    """Signals of one step, end to end, cut to a grid."""
    keys: tuple[SignalKey, ...] = tuple(sorted({key for piece in pieces for key in piece.keys}))
    row = {key: i for i, key in enumerate(keys)}
    values = np.full((len(keys), grid.steps), np.nan)
    for piece in pieces:
        rows = np.array([row[key] for key in piece.keys], np.int64)
        offset = int(piece.starts.timestamp()) // grid.step_s - grid.first
        low, high = max(offset, 0), min(offset + piece.steps, grid.steps)
        values[rows, low:high] = piece.values[:, low - offset : high - offset]
    measured = ~np.isnan(values).all(axis=1)
    keys = tuple(key for key, has in zip(keys, measured, strict=True) if has)
    return Signals(grid.starts, grid.step_s, keys, values[measured])
