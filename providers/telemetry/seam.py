"""What a source of signals is, whatever it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.measured import Grid, Samples

ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Samples for the steps of a grid; some may lie around it."""

    grid: Grid
    samples: Samples


@dataclass(frozen=True, slots=True)
class Listener:
    """``note`` takes what somebody should know of a part that is read; ``stopping`` says whether
    nobody wants the rest any more.
    """

    note: Callable[[str], None]
    stopping: Callable[[], bool] = lambda: False


@dataclass(frozen=True, eq=False)
class Part:
    """Something that is read by itself, and may fail by itself.

    ``version`` tells apart what was asked under the same name before. ``backfill``: how far back
    is looked when nothing was read so far; None: as far as signals are kept. ``read`` yields
    chunks in the order of time and raises ``SourceFailed``, ``UnusableData`` or ``FaultyInput``.
    """

    source: str
    name: str
    version: str
    read: Callable[[Grid, Listener], Iterator[Chunk]]
    backfill: timedelta | None = None

    @property
    def title(self) -> str:
        return f"{self.source}/{self.name}"

    @property
    def id(self) -> str:
        """What progress is noted under."""
        return f"{self.title}@{self.version}"
