"""Demand that comes rarely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.grid import DAY, Grid

CHANCE_RATE: Final = 0.01
"""How far one hour moves the chance of a request: it rests on the last four days or so."""

SIZE_RATE: Final = 0.05
"""How far one busy hour moves the usual size."""


@dataclass(frozen=True, slots=True)
class RarelyAsked:
    """Chance of an hour with requests, times the usual size of such an hour.

    The method of Teunter, Syntetos and Babai (2011): both are smoothed exponentially, the size in
    hours with requests only, so that a series that goes out of use fades, which Croston's does not.
    """

    @property
    def name(self) -> str:
        return "tsb"

    def foresee(self, grid: Grid, origins: Sequence[int], hours: int) -> NDArray[np.float64]:
        rows = len(grid.series)
        chance, size = np.full(rows, np.nan), np.full(rows, np.nan)
        seen, until = np.zeros(rows), dict(zip(origins, range(len(origins)), strict=True))
        forecast = np.full((len(origins), rows, hours), np.nan)
        last = max(origins, default=0)
        for hour in range(last + 1):
            if hour in until:
                answer = np.where(seen >= DAY, chance * size, np.nan)
                forecast[until[hour]] = np.where(np.isnan(answer) & (seen >= DAY), 0.0, answer)[
                    :, None
                ]
            if hour == last:
                break
            value = grid.rps[:, hour]
            known, busy = ~np.isnan(value), value > 0
            seen += known
            # A plain mean until there is enough to smooth.
            step = np.maximum(CHANCE_RATE, 1 / np.maximum(seen, 1))
            chance = np.where(np.isnan(chance), 0.0, chance)
            chance = np.where(known, chance + step * (busy - chance), chance)
            size = np.where(
                busy, np.where(np.isnan(size), value, size + SIZE_RATE * (value - size)), size
            )
        return forecast
