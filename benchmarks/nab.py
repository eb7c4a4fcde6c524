"""How the Numenta Anomaly Benchmark scores a detector.

Lavin, Ahmad: Evaluating real-time anomaly detection algorithms, ICMLA 2015; the details are those
of ``nab/sweeper.py`` in version 1.1 of its published code. Around every anomaly stands a window.
The first alarm in a window earns between 0 (at its end) and 1 (at its start); a window without one
costs 1; an alarm outside costs nearly 0 just behind a window and 0.11 far from any. The first 15 %
of a series, at most 750 steps, do not count. One threshold serves all series: the one with the
largest total. Of that, 0 is what no alarms at all earn, and 100 what perfect ones do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, inf

import numpy as np
from numpy.typing import NDArray

PROBATION_SHARE = 0.15
PROBATION_OF_STEPS = 5_000
FALSE_POSITIVE = 0.11  # of the standard profile, whose other two weights are 1
FAR_BEHIND = 3.0  # widths of a window
OUTSIDE = -1
IN_PROBATION = -2


@dataclass(frozen=True, eq=False)
class Labelled:
    """``windows``: first and last step of each, in order. ``group``: the folder of the series."""

    group: str
    steps: int
    windows: tuple[tuple[int, int], ...]

    @property
    def probation(self) -> int:
        """So many steps at the beginning do not count."""
        return floor(PROBATION_SHARE * min(self.steps, PROBATION_OF_STEPS))


@dataclass(frozen=True, slots=True)
class Result:
    """What a threshold earns: ``earned`` of ``windows``, of which ``missed``, with ``false`` alarms
    outside windows.
    """

    threshold: float
    earned: float
    windows: int
    missed: int
    false: int

    @property
    def score(self) -> float:
        """0: no alarms at all; 100: perfect. NaN without a window."""
        if self.windows == 0:
            return float("nan")
        return 100.0 * (self.earned + self.windows) / (2.0 * self.windows)


def worth(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of an alarm, by its place: -1 a window's start, 0 its end, beyond 0 behind it."""
    near = 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, FAR_BEHIND))) - 1.0
    return np.where(position >= FAR_BEHIND, -1.0, near)


def worths(series: Labelled) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What an alarm at each step is worth, and the window that it is in, or ``OUTSIDE``, or
    ``IN_PROBATION``.
    """
    at = np.arange(series.steps)
    of_alarm = np.full(series.steps, -FALSE_POSITIVE)
    window_of = np.full(series.steps, OUTSIDE)
    for first, last in series.windows:
        behind = (at[last + 1 :] - last) / max(last - first, 1)
        of_alarm[last + 1 :] = FALSE_POSITIVE * worth(behind)
    most = worth(np.array(-1.0))
    for number, (first, last) in enumerate(series.windows):
        ahead = -(last - at[first : last + 1] + 1) / (last - first + 1)
        of_alarm[first : last + 1] = worth(ahead) / most
        window_of[first : last + 1] = number
    window_of[: series.probation] = IN_PROBATION
    return of_alarm, window_of


def every_threshold(
    corpus: Mapping[str, Labelled], scores: Mapping[str, NDArray[np.float64]]
) -> list[Result]:
    """What each threshold would earn on all series together, from the highest down.

    An alarm is a step whose score is at least the threshold; a score of 0 is never one.
    """
    alarms: list[tuple[float, float, tuple[str, int]]] = []
    windows = 0
    for name, series in corpus.items():
        of_alarm, window_of = worths(series)
        windows += len(set(window_of[window_of >= 0].tolist()))
        counts = np.flatnonzero((window_of != IN_PROBATION) & (scores[name] > 0))
        alarms += [
            (float(scores[name][i]), float(of_alarm[i]), (name, int(window_of[i]))) for i in counts
        ]
    alarms.sort(key=lambda alarm: -alarm[0])
    best: dict[tuple[str, int], float] = {}
    earned, false = -float(windows), 0
    results = [Result(inf, earned, windows, windows, 0)]
    for i, (score, value, window) in enumerate(alarms):
        if window[1] == OUTSIDE:
            earned += value
            false += 1
        elif value > best.get(window, -1.0):
            earned += value - best.get(window, -1.0)
            best[window] = value
        if i + 1 == len(alarms) or alarms[i + 1][0] != score:
            results.append(Result(score, earned, windows, windows - len(best), false))
    return results


def best_result(
    corpus: Mapping[str, Labelled], scores: Mapping[str, NDArray[np.float64]]
) -> Result:
    """The threshold that earns most: how the benchmark rates every detector."""
    return max(every_threshold(corpus, scores), key=lambda result: result.earned)


def result_at(
    corpus: Mapping[str, Labelled], scores: Mapping[str, NDArray[np.float64]], threshold: float
) -> Result:
    """What a threshold earns that was fixed beforehand."""
    at_least = [r for r in every_threshold(corpus, scores) if r.threshold >= threshold]
    lowest = at_least[-1]
    return Result(threshold, lowest.earned, lowest.windows, lowest.missed, lowest.false)


def total(results: Iterable[Result]) -> Result:
    """Of parts of a corpus, each with its own threshold."""
    parts = list(results)
    return Result(
        threshold=float("nan"),
        earned=sum(part.earned for part in parts),
        windows=sum(part.windows for part in parts),
        missed=sum(part.missed for part in parts),
        false=sum(part.false for part in parts),
    )


def by_group(corpus: Mapping[str, Labelled]) -> dict[str, dict[str, Labelled]]:
    """The series of each folder."""
    groups: dict[str, dict[str, Labelled]] = {}
    for name, series in corpus.items():
        groups.setdefault(series.group, {})[name] = series
    return groups


def leave_one_group_out(
    corpus: Mapping[str, Labelled], scores: Mapping[str, NDArray[np.float64]]
) -> Result:
    """Every group at the threshold that is best for all others: how much the choice flatters."""
    parts = []
    for group, inside in by_group(corpus).items():
        others = {name: series for name, series in corpus.items() if series.group != group}
        parts.append(result_at(inside, scores, best_result(others, scores).threshold))
    return total(parts)
