"""Where what fills up was emptied: restarts, rotations, clean-ups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

LEAST_DROP: Final = 0.04
"""Share of the limit that a drop takes away at least."""

SURE: Final = 7.0
"""A drop is so many times the usual change of three steps."""

SPIKE_STEPS: Final = 6
"""What is up, or down, for no longer than so many steps is passed over."""

AT_LIMIT: Final = 0.97
"""A life that ended above this share of the limit ended because it was full."""

_END_STEPS: Final = 4
_MOST_ALIKE: Final = 20.0
_UNSEEN: Final = 0.5
"""Weight of the chance that a life ends as none has before."""


@dataclass(frozen=True, eq=False)
class Lives:
    """``starts`` [series]: the step at which the present life starts. ``ages`` and ``levels``:
    of each series how long former lives lasted, in steps, and how full they ended. The first life
    was under way when the record began: its age is not known. A life that ended because it was
    full would have lasted: its age counts as endless.
    """

    starts: NDArray[np.int64]
    ages: tuple[NDArray[np.float64], ...]
    levels: tuple[NDArray[np.float64], ...]
    cuts: tuple[tuple[int, ...], ...]

    def lasting(
        self, series: int, age: int, level: float, ahead: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Chance that nothing empties the present life before it is full, if that takes ``ahead``
        more steps [time].

        Two causes are thought of: a schedule, as deploys have, by which the share of former lives
        counts, among those that lasted as long as this one has, that lasted that much longer; or a
        size, as rotation has, by which the share counts, among those that were as full, that
        became full. What former lives had more in common weighs more.
        """
        ages, levels = self.ages[series], self.levels[series]
        at_risk = ages >= age
        lasted = (ages[at_risk, None] >= age + ahead).sum(axis=0)
        by_age = (lasted + _UNSEEN) / (at_risk.sum() + _UNSEEN)
        as_full = levels >= level
        full = (levels >= max(AT_LIMIT, level)).sum()
        by_level = (full + _UNSEEN) / (as_full.sum() + _UNSEEN)
        like_age, like_level = _likeness(ages[np.isfinite(ages)]), _likeness(levels)
        share = like_age / (like_age + like_level)
        chance: NDArray[np.float64] = share * by_age + (1.0 - share) * by_level
        return chance


def _likeness(values: NDArray[np.float64]) -> float:
    """How alike values are: mean over spread, at most ``_MOST_ALIKE``."""
    if values.size < 2:
        return 1.0
    return 1.0 / (float(values.std() / max(values.mean(), 1e-9)) + 1.0 / _MOST_ALIKE)


def without_spikes(values: NDArray[np.float64], steps: int = SPIKE_STEPS) -> NDArray[np.float64]:
    """``values`` [series, step] without what lasts no longer than ``steps``; gaps stay gaps.

    A running median; at the end, where nobody knows what follows, the last value is repeated.
    """
    known = ~np.isnan(values)
    smooth = median_filter(carried(values), size=(1, 2 * steps + 1), mode="nearest")
    smooth[~known] = np.nan
    found: NDArray[np.float64] = smooth
    return found


def carried(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaps as the value before; as the first value where there is none, 0 without any."""
    known = ~np.isnan(values)
    step = np.arange(values.shape[1])
    last = np.maximum.accumulate(np.where(known, step, -1), axis=1)
    first = known.argmax(axis=1)
    at = np.where(last >= 0, last, first[:, None])
    return np.nan_to_num(np.take_along_axis(values, at, axis=1))


def lives(values: NDArray[np.float64], measured: NDArray[np.float64]) -> Lives:
    """Cut ``values`` [series, step], in shares of the limit, where they drop and stay down.

    How full lives ended is what was ``measured``, waves included.
    """
    levelled = carried(measured)
    smooth = median_filter(carried(values), size=(1, 2 * SPIKE_STEPS + 1), mode="nearest")
    change = np.diff(smooth, axis=1, prepend=smooth[:, :1])
    drop = np.zeros(values.shape)
    if values.shape[1] > 3:  # a reset may take some steps
        drop[:, 3:] = smooth[:, :-3] - smooth[:, 3:]
    noise = 1.4826 * np.median(np.abs(drop - np.median(drop, axis=1, keepdims=True)), axis=1)
    needed = np.maximum(LEAST_DROP, SURE * noise)
    starts = np.zeros(len(values), np.int64)
    ages, levels, every = [], [], []
    for row in range(len(values)):
        cuts = _cuts(drop[row], change[row], float(needed[row]))
        starts[row] = cuts[-1] if cuts else 0
        edges = np.array(cuts, np.int64)
        every.append(tuple(cuts))
        full = np.array([levelled[row, max(cut - _END_STEPS, 0) : cut].max() for cut in cuts])
        ages.append(np.where(full[1:] >= AT_LIMIT, np.inf, np.diff(edges)))
        levels.append(full)
    return Lives(starts, tuple(ages), tuple(levels), tuple(every))


def endless(values: NDArray[np.float64]) -> Lives:
    """Of what is never emptied."""
    series = len(values)
    none = (np.zeros(0),) * series
    return Lives(np.zeros(series, np.int64), none, none, ((),) * series)


def dropped(values: NDArray[np.float64], lived: Lives) -> NDArray[np.float64]:
    """What drops have taken away so far [series, step]: added, lives follow each other evenly."""
    gone = np.zeros(values.shape)
    filled = carried(values)
    for row, cuts in enumerate(lived.cuts):
        for cut in cuts:
            before = np.median(filled[row, max(cut - 5, 0) : max(cut - 1, 1)])
            gone[row, cut:] += before - np.median(filled[row, cut : cut + 5])
    return gone


def _cuts(drop: NDArray[np.float64], change: NDArray[np.float64], needed: float) -> list[int]:
    """Steps at which a life starts: behind the steepest step of each drop."""
    low = np.flatnonzero(drop > needed)
    if not low.size:
        return []
    runs = np.split(low, np.flatnonzero(np.diff(low) > 1) + 1)
    found = []
    for run in runs:
        first = max(int(run[0]) - 2, 1)
        span = change[first : int(run[-1]) + 1]
        falling = np.flatnonzero(span <= 0.25 * span.min())
        found.append(first + int(falling[-1]))
    return found
