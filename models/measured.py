"""Measurements as they come, laid on a grid of time without inventing any.

Sources disagree with clocks, with themselves and with the grid: values come twice, late, out of
order and at odd intervals; counters start again; clocks jump. What that does to a step is decided
here, once, for every source, and whatever was left out is counted and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.combining import by_key, combined_cells
from models.signals import SIGNALS, SignalKey, Signals

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

AHEAD_MS: Final = 60_000
"""A clock may be ahead by so much; what claims to be later has not happened."""
LONGEST_INTERVAL_S: Final = 300
"""Two readings of a counter that lie further apart (and further than two steps) leave a gap
between them: nobody knows when what was counted came. Prometheus looks back as far."""
LEAST_COVERED: Final = 0.5
"""Share of a step that readings of a counter must cover for its rate to be known."""
LARGEST: Final = 1e30
"""No signal is ever so large; sums and squares of what is smaller stay finite."""
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Counter:
    """A signal that is read as a running total: ``signal`` is its rate per ``per_s`` seconds."""

    signal: str
    per_s: float = 1.0


COUNTERS: Final = {
    "requests_total": Counter("requests_rps"),
    "errors_total": Counter("errors_rps"),
    "log_errors_total": Counter("log_errors_rps"),
    "restarts_total": Counter("restarts_per_hour", 3600.0),
}
"""Running totals by name, which sources may give instead of a rate."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Steps of ``step_s`` seconds from ``first`` on, counted in whole steps since 1970 UTC."""

    first: int
    step_s: int
    steps: int

    @classmethod
    def over(cls, starts: datetime, ends: datetime, step_s: int) -> Grid:
        """The whole steps that lie between two moments."""
        first = -int(-starts.timestamp() // step_s)
        return cls(first, step_s, max(int(ends.timestamp() // step_s) - first, 0))

    @property
    def starts(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.first * self.step_s)

    @property
    def ends(self) -> datetime:
        return _EPOCH + timedelta(seconds=(self.first + self.steps) * self.step_s)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Samples:
    """Values in the order in which they came.

    Sample ``i`` is of ``keys[series[i]]`` and holds from ``at_ms[i]`` (milliseconds since 1970
    UTC) for ``covers_ms`` (0: of that instant). Several series of one key are parts of a whole.
    ``counter``: values are running totals, and the key's signal is their rate per ``per_s``.
    """

    keys: tuple[SignalKey, ...]
    series: Ints
    at_ms: Ints
    value: Floats
    covers_ms: int = 0
    counter: Counter | None = None


class Oddity(StrEnum):
    """What is odd about samples, in words."""

    AGAIN = "came twice with the same value"
    DIFFERENT = "came again with another value: the last one counts"
    AHEAD = "lie in the future: is a clock wrong?"
    BEFORE = "lie before 1970: left out"
    BACK = "were counted on a clock that then jumped back: what came later counts"
    RESET = "are of counters that had started again"
    IMPOSSIBLE = "are negative, infinite or beyond all measure: left out"


@dataclass(frozen=True, slots=True)
class Notice:
    """How many samples were odd, and the first few series of them."""

    oddity: Oddity
    count: int
    keys: tuple[SignalKey, ...]

    @property
    def in_words(self) -> str:
        named = "; ".join(key.in_words for key in self.keys)
        return f"{self.count:,} samples {self.oddity} ({named})"


@dataclass(frozen=True, eq=False)
class _Rows:
    """Samples of one kind under way: arrays of one length, in the order of coming."""

    series: Ints
    at_ms: Ints
    value: Floats

    def only(self, which: NDArray[np.bool_] | Ints) -> _Rows:
        if which.dtype == np.bool_ and which.all():
            return self
        return _Rows(self.series[which], self.at_ms[which], self.value[which])

    @property
    def in_order(self) -> bool:
        """Whether they stand by series and time, each moment once, as most sources give them."""
        step = np.diff(self.series)
        return bool(((step > 0) | ((step == 0) & (np.diff(self.at_ms) > 0))).all())


def gridded(samples: Samples, grid: Grid, now: datetime) -> tuple[Signals, tuple[Notice, ...]]:
    """The samples on a grid, NaN where there are none, and what was odd about them.

    Within a step, values are combined over time as ``SIGNALS`` says; a value that covers several
    steps stands in each step that starts while it holds. Readings of a counter become rates, laid
    on steps by overlap; a reset starts at zero. Then series of one key are combined over parts.
    """
    notices = _Notices(samples.keys)
    rows = _Rows(samples.series, samples.at_ms, samples.value)
    rows = _possible(rows, samples.covers_ms, now, notices)
    if samples.counter is not None:
        rows = _since_last_jump_back(rows, len(samples.keys), notices)
    rows = _once(rows, notices)
    shape = len(samples.keys), grid.steps
    if samples.counter is not None:
        values = _rates(rows, grid, shape, notices) * samples.counter.per_s
    else:
        values = _levels(rows, samples, grid, shape)
    keys, whole = by_key(samples.keys, values)
    return Signals(grid.starts, grid.step_s, keys, whole), notices.found()


class _Notices:
    def __init__(self, keys: Sequence[SignalKey]) -> None:
        self._keys, self._rows = keys, dict[Oddity, list[Ints]]()

    def add(self, oddity: Oddity, series: Ints) -> None:
        self._rows.setdefault(oddity, []).append(series)

    def found(self) -> tuple[Notice, ...]:
        found = []
        for oddity, rows in self._rows.items():
            series = np.concatenate(rows)
            if series.size:
                named = sorted({self._keys[i] for i in np.unique(series)})[:_NAMED]
                found.append(Notice(oddity, int(series.size), tuple(named)))
        return tuple(found)


def _possible(rows: _Rows, covers_ms: int, now: datetime, notices: _Notices) -> _Rows:
    """Without NaN, which says nothing, and without what cannot be."""
    rows = rows.only(~np.isnan(rows.value))
    ahead = rows.at_ms + covers_ms > int(now.timestamp() * 1000) + AHEAD_MS
    notices.add(Oddity.AHEAD, rows.series[ahead])
    rows = rows.only(~ahead)
    before = rows.at_ms < 0
    notices.add(Oddity.BEFORE, rows.series[before])
    rows = rows.only(~before)
    impossible = (rows.value < 0) | (rows.value > LARGEST)
    notices.add(Oddity.IMPOSSIBLE, rows.series[impossible])
    return rows.only(~impossible)


def _once(rows: _Rows, notices: _Notices) -> _Rows:
    """Sorted by series and time, each instant once: what came last counts."""
    if rows.in_order:
        return rows
    order = np.lexsort((rows.at_ms, rows.series))  # stable: ties stay in the order of coming
    rows = rows.only(order)
    same = (np.diff(rows.series) == 0) & (np.diff(rows.at_ms) == 0)
    last = np.append(~same, True)
    of_last = np.flatnonzero(last)[np.cumsum(last) - last]
    differs = rows.value != rows.value[of_last]
    notices.add(Oddity.AGAIN, rows.series[~last & ~differs])
    notices.add(Oddity.DIFFERENT, rows.series[~last & differs])
    return rows.only(last)


def _since_last_jump_back(rows: _Rows, series: int, notices: _Notices) -> _Rows:
    """Where the time of a series jumps back, what came before stays out of what came after.

    A jump back starts a new stretch of a series. A sample of an earlier stretch that lies between
    the first and the last moment of a later one was counted on a clock that was wrong, or is only
    late; either way two orders of one counter would look like resets.
    """
    if rows.in_order:
        return rows
    order = np.argsort(rows.series, kind="stable")
    of, at = rows.series[order], rows.at_ms[order]
    back = (np.diff(of) == 0) & (np.diff(at) < 0)
    if not back.any():
        return rows
    stretch = np.concatenate([[0], np.cumsum(back | (np.diff(of) != 0))])
    starts = np.flatnonzero(np.concatenate([[True], np.diff(stretch) > 0]))
    ends = np.append(starts[1:], len(at)) - 1
    begins_back = np.concatenate([[False], back])[starts]
    by_time = np.lexsort((at, of))
    sorted_at, sorted_of = at[by_time], of[by_time]
    bounds = np.searchsorted(sorted_of, np.arange(series + 1))
    owner = np.full(len(at), -1)
    for one in np.flatnonzero(begins_back):  # in the order of coming: later ones paint over
        low, high = bounds[of[starts[one]]], bounds[of[starts[one]] + 1]
        first = low + np.searchsorted(sorted_at[low:high], at[starts[one]], "left")
        last = low + np.searchsorted(sorted_at[low:high], at[ends[one]], "right")
        owner[first:last] = one
    dropped = np.zeros(len(at), np.bool_)
    dropped[by_time] = owner > stretch[by_time]
    notices.add(Oddity.BACK, of[dropped])
    return rows.only(np.sort(order[~dropped]))


def _levels(rows: _Rows, samples: Samples, grid: Grid, shape: tuple[int, int]) -> Floats:
    """Values of steps [series, step] from values that hold at an instant, or for a while."""
    step_ms = grid.step_s * 1000
    first = rows.at_ms // step_ms - grid.first
    count = np.ones_like(first)
    if samples.covers_ms > step_ms:
        first = -(-rows.at_ms // step_ms) - grid.first
        count = -(-(rows.at_ms + samples.covers_ms) // step_ms) - grid.first - first
    sample, step = _spread(first, count, grid.steps)
    cell = rows.series[sample] * grid.steps + step
    values = np.full(shape, np.nan)
    for combine in {SIGNALS[key.signal].over_time for key in samples.keys}:
        mine = np.array([SIGNALS[key.signal].over_time is combine for key in samples.keys])
        these = mine[rows.series[sample]]
        combined = combined_cells(cell[these], rows.value[sample[these]], values.size, combine)
        values[mine] = combined.reshape(shape)[mine]
    return values


def _rates(rows: _Rows, grid: Grid, shape: tuple[int, int], notices: _Notices) -> Floats:
    """Rates per second [series, step] from running totals, sorted by series and time."""
    if not rows.value.size:
        return np.full(shape, np.nan)
    gap_ms = max(LONGEST_INTERVAL_S, 2 * grid.step_s) * 1000
    follows = (np.diff(rows.series) == 0) & (np.diff(rows.at_ms) <= gap_ms)
    at, until = rows.at_ms[:-1][follows], rows.at_ms[1:][follows]
    before, after = rows.value[:-1][follows], rows.value[1:][follows]
    of = rows.series[1:][follows]
    reset = after < before
    notices.add(Oddity.RESET, of[reset])
    rate = np.where(reset, after, after - before) / (until - at)  # per millisecond
    step_ms = grid.step_s * 1000
    first = at // step_ms - grid.first
    count = -(-until // step_ms) - grid.first - first
    interval, step = _spread(first, count, grid.steps)
    starts = (step + grid.first) * step_ms
    overlap = np.minimum(until[interval], starts + step_ms) - np.maximum(at[interval], starts)
    cell = of[interval] * grid.steps + step
    size = shape[0] * shape[1]
    counted = np.bincount(cell, rate[interval] * overlap, size)
    covered = np.bincount(cell, overlap, size)
    known = covered >= LEAST_COVERED * step_ms
    rates: Floats = np.full(size, np.nan)
    np.divide(counted * 1000, covered, out=rates, where=known)
    return rates.reshape(shape)


def _spread(first: Ints, count: Ints, steps: int) -> tuple[Ints, Ints]:
    """Rows that stand in ``count`` steps from ``first`` on: row and step of each, on the grid."""
    end = np.clip(first + count, 0, steps)
    first = np.clip(first, 0, steps)
    count = np.maximum(end - first, 0)
    row = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return row, first[row] + within


def notices_together(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """One notice per oddity."""
    found: dict[Oddity, Notice] = {}
    for one in notices:
        known = found.get(one.oddity)
        if known is not None:
            keys = tuple(sorted({*known.keys, *one.keys})[:_NAMED])
            found[one.oddity] = Notice(one.oddity, known.count + one.count, keys)
        else:
            found[one.oddity] = one
    return tuple(found.values())
