"""Signals written to a store: at once or not at all, one writer at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
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
from providers.telemetry.days import DAY_S, read_day, table_of
from providers.telemetry.store import (
    DAYS,
    DESCRIPTION,
    FORMAT,
    PROGRESS,
    VERSION,
    Store,
    described,
)

HOUR_S: Final = 3600
_LOCK: Final = ".lock"
_DAYS_HELD: Final = 8
_UNFINISHED: Final = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Written:
    """``changed``: steps that are new or have another value now. ``too_late``: steps of days that
    are kept by the hour only, and were not taken.
    """

    changed: int = 0
    too_late: int = 0


class StoreWriter(AbstractContextManager["StoreWriter"]):
    """Writes to a folder that nobody else writes to meanwhile."""

    def __init__(self, folder: Path, name: str, step_s: int) -> None:
        """Raises ``FaultyInput`` when the folder is not for this telemetry, ``OutputFailed`` when
        somebody else is writing there.
        """
        self.folder, self._lock = folder, -1
        self._held: dict[date, Signals] = {}
        self._dirty: set[date] = set()
        try:
            self._open(name, step_s)
        except OSError as error:
            self.close()
            raise OutputFailed(f"cannot write to {folder}: {error.strerror}") from error
        except BaseException:
            self.close()
            raise
        self.store = Store(folder)

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

    def _open(self, name: str, step_s: int) -> None:
        if self.folder.exists() and not (self.folder / DESCRIPTION).exists():
            _refuse_foreign(self.folder)
        (self.folder / DAYS).mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"another process is writing to {self.folder}\n    → let it end first"
            raise OutputFailed(message) from error
        for folder in (self.folder, self.folder / DAYS):
            for left in folder.glob(f"{_UNFINISHED}*"):
                left.unlink(missing_ok=True)  # of a writer that died: we hold the lock
        if not (self.folder / DESCRIPTION).exists():
            about = {"format": FORMAT, "version": VERSION, "name": name, "step_s": step_s}
            self._replace(self.folder / DESCRIPTION, about)
        found = described(self.folder)
        if (found["name"], found["step_s"]) != (name, step_s):
            message = (
                f"{self.folder} holds telemetry {found['name']!r} in steps of "
                f"{found['step_s']} s, not {name!r} of {step_s} s"
            )
            raise FaultyInput([Fault(NOWHERE, message, "choose another folder with --out")])

    def write(self, signals: Signals) -> Written:
        """Keep what is measured of ``signals``; where they have gaps, what is there stays.

        Days are held in memory until ``flush``; those that were touched long ago go to disk.
        """
        written = Written()
        first, last = signals.starts.date(), (signals.ends - timedelta(microseconds=1)).date()
        day = first
        while signals.steps and day <= last:
            one = _of_day(signals, day)
            if one.keys:
                done = self._merge(day, one)
                written = Written(written.changed + done.changed, written.too_late + done.too_late)
            day += timedelta(days=1)
        while len(self._held) > _DAYS_HELD:
            oldest = next(iter(self._held))
            self._to_disk(oldest)
            del self._held[oldest]
        return written

    def flush(self) -> None:
        """Put on disk what is held in memory."""
        for day in sorted(self._dirty):
            self._to_disk(day)

    def _to_disk(self, day: date) -> None:
        if day in self._dirty:
            self._replace(self.store.path(day), table_of(self._held[day]))
            self._dirty.discard(day)

    def _merge(self, day: date, new: Signals) -> Written:
        old = self._held.pop(day, None)
        if old is None:
            path = self.store.path(day)
            none = Signals(new.starts, new.step_s, (), np.zeros((0, new.steps)))
            old = read_day(path, day) if path.exists() else none
        self._held[day] = old  # as the one that was touched last
        if old.step_s != new.step_s:
            return Written(too_late=int((~np.isnan(new.values)).sum()))
        keys = tuple(sorted({*old.keys, *new.keys}))
        row = {key: i for i, key in enumerate(keys)}
        values = np.full((len(keys), new.steps), np.nan)
        values[[row[key] for key in old.keys]] = old.values
        rows = [row[key] for key in new.keys]
        before = values[rows]
        values[rows] = np.where(np.isnan(new.values), before, new.values)
        changed = int(((values[rows] != before) & ~np.isnan(new.values)).sum())
        if changed:
            self._held[day] = Signals(new.starts, new.step_s, keys, values)
            self._dirty.add(day)
        return Written(changed)

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
        hour. Returns how many days are new in that state.
        """
        self.flush()
        retired = 0
        today = now.astimezone(UTC).date()
        for day in self.store.days():
            path, age = self.store.path(day), (today - day).days
            if age > keep_days:
                self._held.pop(day, None)
                self._forget(path)
                retired += 1
            elif hours_after_days is not None and age > hours_after_days:
                one = read_day(path, day)
                if one.step_s < HOUR_S:
                    self._held.pop(day, None)
                    self._replace(path, table_of(longer_steps(one, HOUR_S)))
                    retired += 1
        return retired

    def _forget(self, path: Path) -> None:
        try:
            path.unlink()
            _sync(path.parent)
        except OSError as error:
            raise OutputFailed(f"cannot remove {path}: {error.strerror}") from error

    def _replace(self, path: Path, content: pa.Table | Mapping[str, Any]) -> None:
        """Give ``path`` its content at once: it is whole on disk before it has that name."""
        beside = path.with_name(f"{_UNFINISHED}{path.name}")
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


def _refuse_foreign(folder: Path) -> None:
    """A folder of something else does not become one of telemetry."""
    if not folder.is_dir():
        message = f"{folder} is a file"
    elif any(path.name not in (DAYS, _LOCK) and not path.name.startswith(_UNFINISHED)
             for path in (*folder.iterdir(), *(folder / DAYS).glob("*"))):  # fmt: skip
        message = f"{folder} holds something else than telemetry"
    else:
        return
    raise FaultyInput([Fault(NOWHERE, message, "choose another folder with --out")])


def _of_day(signals: Signals, day: date) -> Signals:
    """What is measured of ``signals`` on a day, on the grid of the whole day."""
    starts = datetime(day.year, day.month, day.day, tzinfo=UTC)
    steps = DAY_S // signals.step_s
    offset = int((starts - signals.starts).total_seconds()) // signals.step_s
    low, high = max(offset, 0), min(offset + steps, signals.steps)
    part = signals.values[:, low:high]
    rows = np.flatnonzero(~np.isnan(part).all(axis=1))
    values = np.full((len(rows), steps), np.nan)
    values[:, low - offset : high - offset] = part[rows]
    return Signals(starts, signals.step_s, tuple(signals.keys[i] for i in rows), values)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
