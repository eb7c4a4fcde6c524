"""What files of a store are called: by day, by who writes them, and by number within the day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

DESCRIPTION: Final = "telemetry.json"
PROGRESS: Final = "progress.json"
DAYS: Final = "days"
INCREMENTS: Final = "increments"
UNFINISHED: Final = ".unfinished-"
OBSERVED, RECEIVED = "", "otlp"
"""Who writes: each has files of its own, so that nobody waits for anybody."""
_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.([a-z]+))?(?:\.(\d{6}))?\.parquet")


@dataclass(frozen=True, slots=True, order=True)
class DayOf:
    """A day as one writer keeps it: a file, and increments that came since it was written."""

    day: date
    writer: str = OBSERVED

    @property
    def _stem(self) -> str:
        return f"{self.day.isoformat()}.{self.writer}" if self.writer else self.day.isoformat()

    def path(self, folder: Path) -> Path:
        return folder / DAYS / f"{self._stem}.parquet"

    def increment(self, folder: Path, number: int) -> Path:
        return folder / INCREMENTS / f"{self._stem}.{number:06d}.parquet"


def lock_of(writer: str) -> str:
    """The file that a writer holds locked."""
    return f".lock-{writer}" if writer else ".lock"


def day_of(name: str) -> tuple[DayOf, int] | None:
    """Whose day a file is of, and its number (0: the day itself); None for any other file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        day = date.fromisoformat(match[1])
    except ValueError:
        return None
    return DayOf(day, match[2] or OBSERVED), int(match[3] or 0)


def is_unfinished(name: str, writer: str) -> bool:
    """Whether a file was left by a writer of that name that died: of a name that it gives."""
    if not name.startswith(UNFINISHED):
        return False
    rest = name.removeprefix(UNFINISHED)
    found = day_of(rest)
    return rest == PROGRESS and writer == OBSERVED if found is None else found[0].writer == writer
