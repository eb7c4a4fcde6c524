"""When disks, memory and other things with a limit run out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.foresight.growth import FILLING_UP, Doubt, Growth, grown
from optimizer.foresight.lives import Lives, dropped, endless, lives, without_spikes
from optimizer.foresight.waves import daily_wave, weekly_wave

KEPT_DAYS: Final = 42
"""What is older says nothing of the growth of today."""

BLOCKS_A_DAY: Final = 8
"""Growth is looked at in means of so many parts of a day."""

TIMES: Final = 56
"""The horizon is looked at in so many pieces."""


@dataclass(frozen=True, eq=False)
class Passage:
    """The chance [series, time] that the limit has been reached by each of ``times`` (steps
    ahead), with what speaks for it. ``full_for`` [series]: for how many steps it has been reached;
    0 where it is not, or where the limit is not known exactly.
    """

    times: NDArray[np.float64]
    reached: NDArray[np.float64]
    growth: Growth
    lives: Lives
    wave_height: NDArray[np.float64]
    block: int
    full_for: NDArray[np.int64]

    @property
    def probability(self) -> NDArray[np.float64]:
        """That it happens within the horizon [series]."""
        last: NDArray[np.float64] = self.reached[:, -1]
        return last

    def not_before(self, share: float) -> NDArray[np.float64]:
        """The start [series] of the piece in which so many of the chances to happen are used up:
        nobody knows when within it.
        """
        first = (self.reached >= share * self.reached[:, -1:]).argmax(axis=1)
        steps: NDArray[np.float64] = np.where(first > 0, self.times[np.maximum(first - 1, 0)], 0.0)
        return steps

    def quantile(self, share: float) -> NDArray[np.float64]:
        """Steps ahead [series] by which so many of the chances to happen are used up."""
        wanted = share * self.reached[:, -1:]
        first = (self.reached >= wanted).argmax(axis=1)
        before = np.maximum(first - 1, 0)
        row = np.arange(len(self.reached))
        low = np.where(first > 0, self.reached[row, before], 0.0)
        high = self.reached[row, first]
        start = np.where(first > 0, self.times[before], 0.0)
        part = np.divide(wanted[:, 0] - low, high - low, out=np.ones(len(low)), where=high > low)
        steps: NDArray[np.float64] = start + np.clip(part, 0.0, 1.0) * (self.times[first] - start)
        return steps


def passage(
    values: NDArray[np.float64],
    day_steps: int,
    week_step: int,
    horizon: int,
    limit: NDArray[np.float64] | None = None,
    limit_spread: NDArray[np.float64] | None = None,
    *,
    empties: bool = True,
    doubt: Doubt = FILLING_UP,
) -> Passage:
    """When ``values`` [series, step] reach ``limit`` [series] (1), as seen after the last step.

    Waves of day and week are taken away, growth of the present life is foreseen, and the waves
    added again; all that is looked at lies within ``KEPT_DAYS``. ``week_step``: how many steps
    after midnight (UTC) of a Monday the last step ends. ``empties``: it may be emptied, and a new
    life start; else what drops is growth like any other.
    """
    bound = np.ones(len(values)) if limit is None else limit
    block = max(day_steps // BLOCKS_A_DAY, 1)
    if values.shape[1] < 2 * block:  # too little to say anything of, but it may be full
        before = np.full((len(values), 2 * block), np.nan)
        values = np.concatenate([before, values], axis=1)
    kept = min(KEPT_DAYS * day_steps, values.shape[1]) // block * block
    values = values[:, values.shape[1] - kept :]
    series = len(values)
    ahead = -(-horizon // block)
    daily = daily_wave(values, day_steps, ahead * block)
    level = values - daily[:, :kept]
    lived = lives(level, values) if empties else endless(level)
    weekly = weekly_wave(level + dropped(level, lived), day_steps, ahead * block)
    wave = daily + weekly
    level = without_spikes(values - wave[:, :kept])
    blocks, observed = _in_blocks(level, lived.starts, block)
    stale = np.isnan(level[:, -max(day_steps, 2) :]).all(axis=1)
    observed[stale] = 0.0
    times = np.unique(np.linspace(0, ahead, min(TIMES, ahead) + 1).round().astype(np.int64))
    high = wave[:, kept:].reshape(series, ahead, block).max(axis=2)
    later = np.maximum.reduceat(high, times[:-1], axis=1)
    ends = week_step + np.arange(-blocks.shape[1] + 1, ahead + 1) * block
    work = (ends - 1) // day_steps % 7 < 5
    growth = grown(
        blocks,
        observed,
        bound,
        times[1:].astype(np.float64),
        later,
        np.zeros(series) if limit_spread is None else limit_spread,
        work,
        doubt,
    )
    steps = np.minimum(times[1:] * float(block), float(horizon))  # the last block may end later
    reached = growth.reached.copy()
    for row in np.flatnonzero(reached[:, -1] > 0):
        if lived.levels[row].size:
            age = kept - int(lived.starts[row])
            lasting = lived.lasting(int(row), age, float(growth.level[row]), steps)
            reached[row] = np.cumsum(np.diff(reached[row], prepend=0.0) * lasting)
    full_for = np.zeros(series, np.int64)
    if limit_spread is None:
        within = max(day_steps, 2)
        full_for[:] = [
            so_for(one, one >= top, within) for one, top in zip(values, bound, strict=True)
        ]
        reached[full_for > 0] = 1.0
    return Passage(steps, reached, growth, lived, np.ptp(wave, axis=1), block, full_for)


def so_for(values: NDArray[np.float64], so: NDArray[np.bool_], within: int) -> int:
    """For how many steps it has been ``so`` [step], up to the last one; 0 where it is not.

    What ``values`` do not know (NaN) changes nothing, but the last known one is at most
    ``within`` steps old.
    """
    known = np.flatnonzero(~np.isnan(values))
    if not known.size or known[-1] < values.size - within or not so[known[-1]]:
        return 0
    not_so = np.flatnonzero(~so[known])
    first = known[not_so[-1] + 1] if not_so.size else known[0]
    return int(values.size - first)


def _in_blocks(
    level: NDArray[np.float64], starts: NDArray[np.int64], block: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of blocks of steps [series, block] of the present life, NaN before it, gaps bridged
    by straight lines; and how many of them were observed [series].
    """
    series, steps = level.shape
    first = -(-starts // block) * block
    own = np.where(np.arange(steps)[None] >= first[:, None], level, np.nan)
    folded = own.reshape(series, -1, block)
    count = (~np.isnan(folded)).sum(axis=2)
    total = np.nansum(folded, axis=2)
    blocks = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    step = np.arange(blocks.shape[1])
    for row in range(series):
        known = np.flatnonzero(count[row])
        if known.size:
            inner = step[known[0] :]
            blocks[row, known[0] :] = np.interp(inner, known, blocks[row, known])
    return blocks, (count > 0).sum(axis=1).astype(np.float64)
