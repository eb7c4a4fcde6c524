"""The models whose forecasts are combined for every series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.autoregression import Autoregression, autoregressed
from optimizer.forecast.grid import DAY, WEEK, Grid
from optimizer.forecast.intermittent import RarelyAsked
from optimizer.forecast.seasons import QUICK, SLOW, Windows, seasons_of
from optimizer.forecast.smoothing import smoothed_levels


class Candidate(Protocol):
    """Foresees all series at once, from what was known at each of several origins."""

    @property
    def name(self) -> str: ...

    def foresee(self, grid: Grid, origins: Sequence[int], hours: int) -> NDArray[np.float64]:
        """Point forecasts [origin, series, hour], rps ≥ 0; NaN where this model has no answer.

        An origin is how many hours of ``grid`` are known; nothing later is looked at.
        """


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """Every hour is as it was one season ago."""

    season_hours: int

    @property
    def name(self) -> str:
        return f"seasonal_naive_{self.season_hours}h"

    def foresee(self, grid: Grid, origins: Sequence[int], hours: int) -> NDArray[np.float64]:
        season = self.season_hours
        forecast = np.full((len(origins), len(grid.series), hours), np.nan)
        for i, origin in enumerate(origins):
            known = grid.first(origin)
            if known.rps.shape[1] < season:
                continue
            last = known.filled()[:, -season:]
            last[known.span_hours < season] = np.nan
            forecast[i] = last[:, np.arange(hours) % season]
        return forecast


@dataclass(frozen=True, slots=True)
class Seasonal:
    """Daily and weekly seasons split off (MSTL), and what remains foreseen.

    ``memory`` is how many hours back an autoregression of what remains looks; 0: exponential
    smoothing with ``rate``, ETS(A,N,N). With ``log`` everything happens to the logarithm of demand,
    so that seasons grow with the level, as traffic mostly does. Demand is raised by 5 % of its mean
    first: hours without requests have no logarithm.
    """

    windows: Windows
    rate: float = 0.0
    memory: int = 0
    log: bool = False

    @property
    def name(self) -> str:
        return ("mstl_ar" if self.memory else "mstl_ets") + ("_log" if self.log else "")

    def foresee(self, grid: Grid, origins: Sequence[int], hours: int) -> NDArray[np.float64]:
        forecast = np.full((len(origins), len(grid.series), hours), np.nan)
        for i, origin in enumerate(origins):
            known = grid.first(origin)
            # Two whole seasons are the least that tells a season from chance; an autoregression
            # needs a few hours for each of its weights.
            rows = np.flatnonzero(known.span_hours >= max(2 * DAY, 5 * self.memory))
            if rows.size:
                forecast[i, rows] = self._ahead(known.only(rows), hours)
        return forecast

    def _ahead(self, known: Grid, hours: int) -> NDArray[np.float64]:
        values, filled = known.rps, known.filled()
        raised = 0.05 * np.nanmean(values, axis=1, keepdims=True)
        raised[raised == 0] = 1.0  # nothing but zeros so far
        if self.log:
            filled = np.log(filled + raised)
            values = np.where(np.isnan(values), np.nan, filled)
        seasons = seasons_of(values, known.span_hours >= 2 * WEEK, hours, self.windows)
        rest = filled - seasons.past
        if self.memory:
            lags = np.arange(1, self.memory + 1)
            ahead = autoregressed(rest, known.observed, lags, (rest.shape[1],), hours)[0]
        else:
            ahead = smoothed_levels(rest, self.rate)[:, None]
        ahead = ahead + seasons.ahead
        forecast: NDArray[np.float64] = np.exp(ahead) - raised if self.log else ahead
        return np.maximum(forecast, 0.0)


_DAYS_BACK: Final = (47, 48, 49, 72, 96, 120, 144, 167, 168, 169, 170, 192)

# The first of equals wins, so the simpler stands before the cleverer.
CANDIDATES: tuple[Candidate, ...] = (
    SeasonalNaive(WEEK),
    SeasonalNaive(DAY),
    RarelyAsked(),
    Seasonal(QUICK, rate=0.2),
    Seasonal(QUICK, rate=0.05, log=True),
    Seasonal(SLOW, memory=26),
    Seasonal(SLOW, memory=26, log=True),
    Autoregression("ar", (*range(1, 27), *_DAYS_BACK)),
    Autoregression(
        "ar_of_hourly_change",
        (*range(1, 25), 47, 48, 71, 72, 95, 96, 119, 120, 143, 144, 167, 168, 169),
        difference=1,
    ),
    Autoregression("ar_of_weekly_change", (1, 2, 3, 23, 24, 25, 48, 72, 96), difference=WEEK),
)
