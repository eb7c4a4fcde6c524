"""Signals written to a store: at once or not at all, one writer at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.combining import longer_steps
from models.errors import NOWHERE, Fault, FaultyInput, OutputFailed
from models.signals import Signals
from providers.telemetry.days import DAY_S, cells_of, table_of
from providers.telemetry.held import HeldDay
from providers.telemetry.layout import (
    DAYS,
    DESCRIPTION,
    INCREMENTS,
    OBSERVED,
    PROGRESS,
    RECEIVED,
    UNFINISHED,
    DayOf,
    day_of,
    is_unfinished,
    lock_of,
)
from providers.telemetry.store import FORMAT, VERSION, Store, described

HOUR_S: Final = 3600
MOST_INCREMENTS: Final = 60
"""Of a day, before they go into it: an hour of minutes."""
_OVER_FOR: Final = timedelta(hours=1)
"""When a day has been over for so long, hardly anything of it is late any more."""
_DAYS_HELD: Final = 8


@dataclass(frozen=True, slots=True)
class Written:
    """``changed``: steps that are new or have another value now. ``too_late``: steps of days that
    are kept by the hour only, and were not taken.
    """

    changed: int = 0
    too_late: int = 0


class StoreWriter(AbstractContextManager["StoreWriter"]):
    """Writes to a folder under a name under which nobody else writes there meanwhile."""

    def __init__(self, folder: Path, name: str, step_s: int, writer: str = OBSERVED) -> None:
        """Raises ``FaultyInput`` when the folder is not for this telemetry, ``OutputFailed`` when
        somebody else is writing there as ``writer``.
        """
        self.folder, self.writer, self._lock = folder, writer, -1
        self._step_s = step_s
        self._held: dict[DayOf, HeldDay] = {}
        self.store = Store(folder)
        try:
            self._open(name)
        except OSError as error:
            self.close()
            raise OutputFailed(f"cannot write to {folder}: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open(self, name: str) -> None:
        if not self.folder.exists() or not (self.folder / DESCRIPTION).exists():
            _refuse_foreign(self.folder)
        else:
            described(self.folder)  # before anything is touched
        for part in (DAYS, INCREMENTS):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / lock_of(self.writer), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"another process is writing to {self.folder}\n    → let it end first"
            raise OutputFailed(message) from error
        with _alone_in(self.folder):
            self._describe(name)
        for folder in (self.folder, self.folder / DAYS, self.folder / INCREMENTS):
            for left in folder.glob(f"{UNFINISHED}*"):
                if is_unfinished(left.name, self.writer):  # of one that died: we hold its lock
                    left.unlink(missing_ok=True)

    def _describe(self, name: str) -> None:
        """Say what the folder is, or check that it is what it should be."""
        path = self.folder / DESCRIPTION
        about = {"format": FORMAT, "version": VERSION, "name": name, "step_s": self._step_s}
        if not path.exists():
            self._replace(path, about)
        found = described(self.folder)
        if (found["name"], found["step_s"]) != (name, self._step_s):
            message = (
                f"{self.folder} holds telemetry {found['name']!r} in steps of "
                f"{found['step_s']} s, not {name!r} of {self._step_s} s"
            )
            hint = "choose another folder with --out, or the same name and step"
            raise FaultyInput([Fault(NOWHERE, message, hint)])
        if found["version"] != VERSION:
            self._take_over()
            self._replace(path, about)  # those who know no increments must not read it any more

    def _take_over(self) -> None:
        """Before, each folder had one writer, and its days no name: where nobody has noted
        progress, they were received.
        """
        if self.writer == RECEIVED and not (self.folder / PROGRESS).exists():
            for day in self.store.days():
                self.store.path(day).replace(DayOf(day, RECEIVED).path(self.folder))

    def write(self, signals: Signals) -> Written:
        """Keep what is measured of ``signals``; where they have gaps, what is there stays.

        Days are held in memory until ``flush``; those that were touched long ago go to disk.
        """
        changed = too_late = 0
        day, last = signals.starts.date(), (signals.ends - timedelta(microseconds=1)).date()
        while signals.steps and day <= last:
            one = _of_day(signals, day)
            if one.keys:
                held = self._hold(DayOf(day, self.writer))
                if held.step_s == one.step_s:
                    changed += held.merge(one)
                else:
                    too_late += int((~np.isnan(one.values)).sum())
            day += timedelta(days=1)
        while len(self._held) > _DAYS_HELD:
            oldest = next(iter(self._held))
            self._to_disk(self._held[oldest])
            del self._held[oldest]
        return Written(changed, too_late)

    def _hold(self, of: DayOf) -> HeldDay:
        """A day, as the one that was touched last."""
        held = self._held.pop(of, None)
        if held is None:
            held = HeldDay(of, self.store.day(of), self._step_s)
        self._held[of] = held
        return held

    def flush(self) -> None:
        """Put on disk what is held in memory."""
        for of in sorted(self._held):
            self._to_disk(self._held[of])

    def _to_disk(self, held: HeldDay) -> None:
        """What is new of a day: as an increment, or with all of it."""
        if not held.dirty:
            return
        if held.mostly_new or held.newest - held.merged >= MOST_INCREMENTS:
            self._merge(held)
        else:
            number = held.newest + 1
            self._replace(held.of.increment(self.folder, number), held.increment())
            held.is_on_disk(number, held.merged)

    def _merge(self, held: HeldDay) -> None:
        """Write all of a day; its increments go once they are in it."""
        self._replace(held.of.path(self.folder), held.whole())
        held.is_on_disk(held.newest, held.newest)
        self._forget_increments(held.of, held.merged)

    def _forget_increments(self, of: DayOf, until: int) -> None:
        for path in sorted((self.folder / INCREMENTS).glob(f"{of.day.isoformat()}.*")):
            found = day_of(path.name)
            if found is not None and found[0] == of and found[1] <= until:
                self._forget(path)

    def note_progress(self, until: Mapping[str, datetime]) -> None:
        """Keep until when parts of sources have been read, beside those noted before.

        What they brought goes to disk first: nothing is passed over after a crash.
        """
        self.flush()
        noted = {**self.store.progress(), **until}
        texts = {part: noted[part].astimezone(UTC).isoformat() for part in sorted(noted)}
        self._replace(self.folder / PROGRESS, texts)

    def retire(self, now: datetime, keep_days: int, hours_after_days: int | None) -> int:
        """Drop days older than ``keep_days``; keep those older than ``hours_after_days`` by the
        hour; merge those that are over. Only of this writer. Returns how many days are new in the
        first two states.
        """
        self.flush()
        retired = 0
        today, over = now.astimezone(UTC).date(), (now.astimezone(UTC) - _OVER_FOR).date()
        for of, newest in self.store.kept().items():
            age = (today - of.day).days
            if of.writer != self.writer:
                continue
            if age > keep_days:
                self._held.pop(of, None)
                self._forget_day(of)
                retired += 1
            elif hours_after_days is not None and age > hours_after_days:
                retired += self._by_the_hour(of)
            elif of.day < over and newest:
                self._settle(of)
        return retired

    def _forget_day(self, of: DayOf) -> None:
        """Without increments first: a day that lacks the first of them would not be readable."""
        self._settle(of)
        self._forget(of.path(self.folder))

    def _settle(self, of: DayOf) -> None:
        """Merge the increments of a day that are not in it, and forget those that are."""
        kept = self.store.day(of)
        if kept is not None and kept.newest > kept.merged:
            self._merge(HeldDay(of, kept, self._step_s))
            self._held.pop(of, None)
        elif kept is not None:
            self._forget_increments(of, kept.merged)

    def _by_the_hour(self, of: DayOf) -> bool:
        """Keep a day by the hour; whether it was not."""
        kept = self.store.day(of)
        if kept is None or kept.signals.step_s >= HOUR_S:
            return False
        self._held.pop(of, None)
        hours = longer_steps(kept.signals, HOUR_S)
        self._replace(of.path(self.folder), table_of(cells_of(hours), kept.newest))
        self._forget_increments(of, kept.newest)
        return True

    def _forget(self, path: Path) -> None:
        try:
            path.unlink()
            _sync(path.parent)
        except OSError as error:
            raise OutputFailed(f"cannot remove {path}: {error.strerror}") from error

    def _replace(self, path: Path, content: pa.Table | Mapping[str, Any]) -> None:
        """Give ``path`` its content at once: it is whole on disk before it has that name."""
        beside = path.with_name(f"{UNFINISHED}{path.name}")
        try:
            if isinstance(content, pa.Table):
                pq.write_table(content, beside, compression="zstd")
            else:
                beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            _sync(beside)
            beside.replace(path)
            _sync(path.parent)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise OutputFailed(f"cannot write {path}: {error.strerror}") from error


_OF_A_START: Final = frozenset(
    {DAYS, INCREMENTS, lock_of(OBSERVED), lock_of(RECEIVED), f"{UNFINISHED}{DESCRIPTION}"}
)
"""What a writer leaves that died before it could say what the folder is."""


def _refuse_foreign(folder: Path) -> None:
    """A folder of something else does not become one of telemetry."""
    inside = [folder / DAYS, folder / INCREMENTS]
    if not folder.exists():
        return
    if not folder.is_dir():
        message = f"{folder} is a file"
    elif any(path.name not in _OF_A_START for path in folder.iterdir()) or any(
        path.exists() and not (path.is_dir() and not any(path.iterdir())) for path in inside
    ):
        message = f"{folder} holds something else than telemetry"
    else:
        return
    raise FaultyInput([Fault(NOWHERE, message, "choose another folder with --out")])


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Held for a moment, while the folder is described: writers of other names wait for it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _of_day(signals: Signals, day: date) -> Signals:
    """The part of ``signals`` that is measured on a day."""
    starts = datetime(day.year, day.month, day.day, tzinfo=UTC)
    first = round((starts - signals.starts) / timedelta(seconds=signals.step_s))
    low, high = max(first, 0), min(first + DAY_S // signals.step_s, signals.steps)
    part = signals.values[:, low:high]
    rows = np.flatnonzero(~np.isnan(part).all(axis=1))
    keys = tuple(signals.keys[i] for i in rows)
    return Signals(signals.at(low), signals.step_s, keys, part[rows])


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
