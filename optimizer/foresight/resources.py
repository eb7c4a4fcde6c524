"""Predictions that disks, memory and quotas run out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.foreseen import Kind, Prediction
from models.signals import SIGNALS, SignalKey, Signals
from optimizer.foresight.exhaustion import Passage, passage
from optimizer.foresight.saying import Moment, growth_in_words, lives_in_words, percent_a_day, said

LIMITED: Final = ("disk_share", "memory_share")
"""Signals that are shares of something that can be full."""

WAVE_TOLD: Final = 0.02
BLOCK_SERIES: Final = 64
"""So many series are looked at together: enough for arrays to pay, few enough for the cache."""


def exhaustions(signals: Signals, moment: Moment) -> tuple[Prediction, ...]:
    """One prediction for every disk and memory that is measured, whatever its probability.

    Where instances are measured, they are looked at one by one: a mean of many hides the first
    that is full.
    """
    by_instance = {(key.signal, key.service) for key in signals.keys if key.instance}
    rows = [
        row for row, key in enumerate(signals.keys)
        if key.signal in LIMITED and not key.callee
        and (key.instance or (key.signal, key.service) not in by_instance)
    ]  # fmt: skip
    keys = [signals.keys[row] for row in rows]
    return running_out(keys, signals.values[rows], moment)


def running_out(
    keys: Sequence[SignalKey], values: NDArray[np.float64], moment: Moment
) -> tuple[Prediction, ...]:
    """The same of ``values`` [key, step], in shares of what there is."""
    found = []
    for first in range(0, len(keys), BLOCK_SERIES):
        part = slice(first, first + BLOCK_SERIES)
        ahead = passage(values[part], moment.day_steps, moment.week_step, moment.horizon_steps)
        for row, key in enumerate(keys[part]):
            found.append(
                said(Kind.EXHAUSTION, key.service, _what(key), moment, ahead, row,
                     _evidence(key, ahead, row, moment))
            )  # fmt: skip
    return tuple(found)


def _what(key: SignalKey) -> str:
    return f"{key.signal} ({key.instance})" if key.instance else key.signal


def _evidence(key: SignalKey, ahead: Passage, row: int, moment: Moment) -> tuple[str, ...]:
    meaning = SIGNALS[key.signal].in_words if key.signal in SIGNALS else key.signal
    if ahead.full_for[row]:
        return (f"{meaning}: nothing is left",)
    per_day = float(ahead.growth.rate[row]) * moment.day_steps / ahead.block
    level = 100 * float(ahead.growth.level[row])
    lines = [
        f"{meaning}: {level:.0f} % now",
        growth_in_words(ahead, row, moment, percent_a_day(per_day)),
    ]
    if ahead.wave_height[row] > WAVE_TOLD:
        lines.append(f"swings by {100 * ahead.wave_height[row]:.0f} % by hour and weekday")
    if emptied := lives_in_words(ahead, row, moment):
        lines.append(emptied)
    return tuple(lines)
