"""A day under way in memory: all its values, and which of them are not on disk yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from models.signals import SignalKey, Signals
from providers.telemetry.days import (
    DAY_S,
    Cells,
    Ints,
    KeptDay,
    cells_of,
    check_room,
    parts_of,
    table_of,
)
from providers.telemetry.layout import DayOf


class HeldDay:
    """One writer's day. ``merged`` and ``newest``: see ``KeptDay``."""

    def __init__(self, of: DayOf, kept: KeptDay | None, step_s: int) -> None:
        self.of = of
        self.step_s = step_s if kept is None else kept.signals.step_s
        self.merged, self.newest = (0, 0) if kept is None else (kept.merged, kept.newest)
        self._starts = datetime(of.day.year, of.day.month, of.day.day, tzinfo=UTC)
        self._steps = DAY_S // self.step_s
        known = () if kept is None else kept.signals.keys
        self._rows = {key: row for row, key in enumerate(known)}
        self._values = np.zeros((0, self._steps)) if kept is None else kept.signals.values
        self._count = int((~np.isnan(self._values)).sum())
        self._fresh: list[Ints] = []
        """Cells, counted row by row, that have another value than on disk."""

    @property
    def dirty(self) -> bool:
        return bool(self._fresh)

    @property
    def mostly_new(self) -> bool:
        """Whether a quarter of the day or more is not on disk: then all of it is soon written."""
        return 4 * sum(map(len, self._fresh)) >= self._count

    def merge(self, signals: Signals) -> int:
        """Take what is measured; ``signals`` lie within the day, on its steps. How many values are
        new or others than before.
        """
        first = round((signals.starts - self._starts) / timedelta(seconds=self.step_s))
        rows = self._rows_of(signals.keys)
        before = self._values[rows, first : first + signals.steps]
        changed = ~np.isnan(signals.values) & (signals.values != before)
        row, step = np.nonzero(changed)
        if len(row):
            self._count += int(np.isnan(before[changed]).sum())
            self._values[rows[row], first + step] = signals.values[changed]
            self._fresh.append(rows[row] * self._steps + first + step)
        return len(row)

    def _rows_of(self, keys: Sequence[SignalKey]) -> Ints:
        new = [key for key in keys if key not in self._rows]
        if new:
            check_room(self.of.day, len(self._rows) + len(new), self.step_s)
            self._rows.update({key: len(self._rows) + i for i, key in enumerate(new)})
            more = np.full((len(new), self._steps), np.nan)
            self._values = np.concatenate([self._values, more])
        return np.array([self._rows[key] for key in keys], np.int64)

    def whole(self) -> pa.Table:
        """All of the day, which holds every increment so far."""
        keys = sorted(self._rows, key=parts_of)
        values = self._values[[self._rows[key] for key in keys]]
        return table_of(cells_of(Signals(self._starts, self.step_s, tuple(keys), values)),
                        self.newest)  # fmt: skip

    def increment(self) -> pa.Table:
        """What is not on disk, by key and time."""
        row, step = np.divmod(np.unique(np.concatenate(self._fresh)), self._steps)
        value = self._values[row, step]
        known = list(self._rows)
        used, of = np.unique(row, return_inverse=True)
        order = sorted(range(len(used)), key=lambda i: parts_of(known[used[i]]))
        place = np.empty(len(used), np.int64)
        place[order] = np.arange(len(used))
        keys = [known[used[i]] for i in order]
        by_key = np.argsort(place[of], kind="stable")
        place = place[of][by_key]
        return table_of(Cells(self._starts, self.step_s, keys, place, step[by_key], value[by_key]))

    def is_on_disk(self, newest: int, merged: int) -> None:
        """Note that all of it has been written."""
        self._fresh.clear()
        self.newest, self.merged = newest, merged
