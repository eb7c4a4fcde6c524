"""The models that compete for every series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.grid import DAY, WEEK, Grid
from optimizer.forecast.seasons import seasons_of
from optimizer.forecast.smoothing import smoothed_levels

Level = Callable[[NDArray[np.float64]], float]


class Candidate(Protocol):
    """Foresees all series at once, from what was known at the end of a grid."""

    @property
    def name(self) -> str: ...

    def ahead(self, known: Grid, hours: int) -> NDArray[np.float64]:
        """Point forecast [series, hour], rps ≥ 0; NaN where this model has no answer."""


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """Every hour is as it was one season ago."""

    season_hours: int

    @property
    def name(self) -> str:
        return f"seasonal_naive_{self.season_hours}h"

    def ahead(self, known: Grid, hours: int) -> NDArray[np.float64]:
        season = self.season_hours
        if known.rps.shape[1] < season:
            return np.full((len(known.series), hours), np.nan)
        last = known.filled()[:, -season:]
        last[known.span_hours < season] = np.nan
        return last[:, np.arange(hours) % season]


@dataclass(frozen=True, slots=True)
class SeasonalEts:
    """Daily and weekly seasons split off (MSTL), what remains foreseen by ETS.

    With ``log`` everything happens to the logarithm of demand, so that seasons grow with the
    level, as traffic mostly does. Demand is raised by 5 % of its mean first: hours without
    requests have no logarithm.
    """

    log: bool = False

    @property
    def name(self) -> str:
        return "mstl_ets_log" if self.log else "mstl_ets"

    def ahead(self, known: Grid, hours: int) -> NDArray[np.float64]:
        forecast = np.full((len(known.series), hours), np.nan)
        # Two whole seasons are the least that tells a season from chance.
        rows = np.flatnonzero(known.span_hours >= 2 * DAY)
        if not rows.size:
            return forecast
        values, filled = known.rps[rows], known.filled()[rows]
        raised = 0.05 * np.nanmean(values, axis=1, keepdims=True)
        raised[raised == 0] = 1.0  # nothing but zeros so far
        if self.log:
            values, filled = np.log(values + raised), np.log(filled + raised)
        seasons = seasons_of(values, known.span_hours[rows] >= 2 * WEEK, hours)
        level = smoothed_levels(filled - seasons.past)
        ahead = level[:, None] + seasons.ahead
        forecast[rows] = np.maximum(np.exp(ahead) - raised if self.log else ahead, 0.0)
        return forecast


# The first of equals wins, so the simpler stands before the cleverer.
CANDIDATES: tuple[Candidate, ...] = (
    SeasonalNaive(WEEK),
    SeasonalNaive(DAY),
    SeasonalEts(),
    SeasonalEts(log=True),
)
