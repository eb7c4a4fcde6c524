"""Signals made coarser: longer steps, whole services, all as ``SIGNALS`` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.signals import SIGNALS, Combine, SignalKey, Signals

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST_MEASURED: Final = 0.5
"""Share of short steps that must be measured for a long one to be known."""


def combined_cells(cell: Ints, value: Floats, cells: int, combine: Combine) -> Floats:
    """Values [cell] of all values that fall into each cell, NaN where none does."""
    if combine is Combine.MAX:
        highest = np.full(cells, -np.inf)
        np.maximum.at(highest, cell, value)
        return np.where(np.isneginf(highest), np.nan, highest)
    count = np.bincount(cell, minlength=cells)
    total = np.bincount(cell, value, cells)
    found: Floats = np.full(cells, np.nan)
    per = count if combine is Combine.MEAN else np.ones_like(count)
    np.divide(total, per, out=found, where=count > 0)
    return found


def over_parts(values: Floats, combine: Combine) -> Floats:
    """The whole [step] of parts [part, step].

    Parts come and go: one that is not there before its first step, or after its last, is missed
    by nobody. A gap between them leaves a sum unknown: less than all would pass for all. Means
    and maxima are those of the parts that were measured.
    """
    seen = ~np.isnan(values)
    measured = seen.any(axis=0)
    if combine is Combine.MAX:
        highest = np.where(seen, values, -np.inf).max(axis=0, initial=-np.inf)
        return np.where(measured, highest, np.nan)
    total = np.where(seen, values, 0.0).sum(axis=0)
    if combine is Combine.MEAN:
        return np.where(measured, total / np.maximum(seen.sum(axis=0), 1), np.nan)
    begun = np.logical_or.accumulate(seen, axis=1)
    not_over = np.logical_or.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    gap = (begun & not_over & ~seen).any(axis=0)
    return np.where(measured & ~gap, total, np.nan)


def by_key(keys: Sequence[SignalKey], values: Floats) -> tuple[tuple[SignalKey, ...], Floats]:
    """Keys sorted, each once, and their values [key, step] from those of series [series, step]."""
    series: dict[SignalKey, list[int]] = {}
    for i, key in enumerate(keys):
        series.setdefault(key, []).append(i)
    names = tuple(sorted(series))
    whole = np.full((len(names), values.shape[1]), np.nan)
    for row, key in enumerate(names):
        parts = series[key]
        if len(parts) == 1:
            whole[row] = values[parts[0]]
        else:
            whole[row] = over_parts(values[parts], SIGNALS[key.signal].over_parts)
    return names, whole


def of_services(signals: Signals, *, origins: bool = False) -> Signals:
    """Signals of whole services, or of services and origins: parts are combined.

    Where the whole is measured itself, that counts; else its origins, else its instances: they
    are the same requests, seen twice. Edges of the call graph stay apart.
    """
    parts: dict[SignalKey, dict[tuple[bool, bool], list[int]]] = {}
    for row, key in enumerate(signals.keys):
        whole = replace(key, instance="", origin=key.origin if origins else "")
        shape = bool(key.instance), bool(key.origin) and not origins
        parts.setdefault(whole, {}).setdefault(shape, []).append(row)
    rows = [(whole, row) for whole, shapes in parts.items() for row in shapes[min(shapes)]]
    keys, values = by_key([whole for whole, _ in rows], signals.values[[row for _, row in rows]])
    return Signals(signals.starts, signals.step_s, keys, values)


def longer_steps(signals: Signals, step_s: int) -> Signals:
    """The same on steps of ``step_s`` seconds, a multiple of the present ones.

    A long step is known when ``LEAST_MEASURED`` of its short ones are. Long steps start at whole
    multiples of ``step_s`` since 1970 UTC; one that the signals only touch counts what is missing
    of it as not measured.
    """
    if step_s % signals.step_s:
        raise ValueError(f"{step_s} s is not a multiple of {signals.step_s} s")
    if step_s == signals.step_s:
        return signals
    ratio = step_s // signals.step_s
    first = int(signals.starts.timestamp()) // signals.step_s
    lead = first % ratio
    tail = -(lead + signals.steps) % ratio
    padded = np.pad(signals.values, ((0, 0), (lead, tail)), constant_values=np.nan)
    blocks = padded.reshape(len(signals.keys), padded.shape[1] // ratio, ratio)
    seen = ~np.isnan(blocks)
    count = seen.sum(axis=2)
    total = np.where(seen, blocks, 0.0).sum(axis=2)
    highest = np.where(seen, blocks, -np.inf).max(axis=2, initial=-np.inf)
    over_time = [SIGNALS[key.signal].over_time for key in signals.keys]
    is_max = np.array([one is Combine.MAX for one in over_time], np.bool_).reshape(-1, 1)
    is_sum = np.array([one is Combine.SUM for one in over_time], np.bool_).reshape(-1, 1)
    mean = total / np.maximum(count, 1)
    values = np.where(is_max, highest, np.where(is_sum, mean * ratio, mean))
    known = count >= LEAST_MEASURED * ratio
    return Signals(signals.at(-lead), step_s, signals.keys, np.where(known, values, np.nan))
