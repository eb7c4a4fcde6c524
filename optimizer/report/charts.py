"""Pure builders of SVG path data and axis ticks.

Paths hold nothing but commands and numbers, so they are safe wherever an attribute is quoted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def ticks(top: float, about: int = 4) -> tuple[float, ...]:
    """Round values from 0 to the first that reaches ``top``, about ``about`` steps of 1, 2 or 5."""
    if not top > 0:
        return (0.0, 1.0)
    rough = top / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    count = math.ceil(top / step * (1 - 1e-9))
    return tuple(float(f"{k * step:.12g}") for k in range(count + 1))


def hour_ticks(hours: int, about: int = 4) -> tuple[int, ...]:
    """Hours at which a time axis of ``hours`` is marked: whole days where it is long."""
    steps = (1, 2, 3, 6, 12, 24, 48, 72, 168, 336, 730)
    step = next((s for s in steps if hours / s <= about), steps[-1])
    return tuple(range(0, hours + 1, step))


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle that data is drawn in, and the ranges that it shows."""

    left: float
    top: float
    width: float
    height: float
    periods: int
    highest: float

    def x(self, period: float) -> float:
        return self.left + self.width * period / self.periods

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - value / self.highest)

    def line(self, values: Values) -> str:
        """A line through the middle of every period."""
        return "M" + _points(self._centres(), self._heights(values))

    def steps(self, values: Values) -> str:
        """A line that holds its value for the whole of every period."""
        return "M" + _points(*self._stairs(values))

    def band(self, lower: Values, upper: Values) -> str:
        """The area between two lines through the middle of every period."""
        there = _points(self._centres(), self._heights(upper))
        back = _points(self._centres()[::-1], self._heights(lower)[::-1])
        return f"M{there}L{back}z"

    def pieces(self, values: Values, first: int = 0) -> str:
        """A line through the middle of the periods from ``first``, broken where values are NaN."""
        known = ~np.isnan(values)
        middles = self.left + self.width * (first + np.arange(len(values)) + 0.5) / self.periods
        heights = self._heights(values)
        edges = np.diff(np.concatenate([[0], known.astype(np.int8), [0]]))
        stretches = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
        return "".join(
            f"M{_points(middles[a:b], heights[a:b])}" + ("h.1" if b - a == 1 else "")
            for a, b in stretches
        )

    def fan(self, lower: Values, upper: Values, first: int) -> str:
        """The area between two lines through the middle of the periods from ``first``."""
        middles = self.left + self.width * (first + np.arange(len(lower)) + 0.5) / self.periods
        there = _points(middles, self._heights(upper))
        back = _points(middles[::-1], self._heights(lower)[::-1])
        return f"M{there}L{back}z"

    def step_band(self, lower: Values, upper: Values) -> str:
        """The area between two stepped lines."""
        back_x, back_y = self._stairs(lower)
        return f"M{_points(*self._stairs(upper))}L{_points(back_x[::-1], back_y[::-1])}z"

    def _centres(self) -> Values:
        centres = np.arange(self.periods) + 0.5
        if self.periods > 1:  # the outer half hours carry the first and last value
            centres[0], centres[-1] = 0.0, float(self.periods)
        return np.asarray(self.left + self.width * centres / self.periods)

    def _heights(self, values: Values) -> Values:
        return np.asarray(self.top + self.height * (1 - values / self.highest))

    def _stairs(self, values: Values) -> tuple[Values, Values]:
        """Corners of the steps; runs of one value take two points."""
        starts = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
        ends = np.append(starts[1:], len(values))
        edges = np.column_stack([starts, ends]).ravel()
        heights = np.repeat(self._heights(values[starts]), 2)
        return np.asarray(self.left + self.width * edges / self.periods), heights


def runs(values: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    """Stretches of one value: (first, length, value)."""
    array = np.asarray(values)
    starts = np.flatnonzero(np.diff(array, prepend=array[0] - 1) != 0)
    lengths = np.diff(starts, append=len(array))
    return tuple(
        (int(s), int(n), int(v)) for s, n, v in zip(starts, lengths, array[starts], strict=True)
    )


def arc(x0: float, y0: float, x1: float, y1: float, bend: float = 0.18) -> str:
    """A gentle curve that bulges upwards, whichever way it runs."""
    dx, dy = x1 - x0, y1 - y0
    side = 1 if dx >= 0 else -1
    cx = (x0 + x1) / 2 + side * bend * dy
    cy = (y0 + y1) / 2 - side * bend * dx
    start, pull, end = (
        f"{coordinate(x)} {coordinate(y)}" for x, y in ((x0, y0), (cx, cy), (x1, y1))
    )
    return f"M{start}Q{pull} {end}"


def coordinate(value: float) -> str:
    """One decimal, as short as it can be written."""
    return f"{value:.1f}".removesuffix(".0")


def _points(xs: Iterable[float], ys: Iterable[float]) -> str:
    return " ".join(f"{coordinate(x)},{coordinate(y)}" for x, y in zip(xs, ys, strict=True))
