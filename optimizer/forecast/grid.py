"""History on a regular hourly grid that ends where the forecast starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.demand import History
from models.errors import UnusableData

DAY = 24
WEEK = 7 * DAY
KEPT_HOURS = 6 * WEEK
"""Older hours are left out: seasons and level rest on the last weeks only."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Requests per second of every series, hour by hour.

    ``rps`` has shape [series, hour], NaN where nothing was observed; its last column is the hour
    before the forecast starts. ``series`` is sorted by (service, origin).
    """

    series: tuple[tuple[str, str], ...]
    rps: NDArray[np.float64]

    @property
    def observed(self) -> NDArray[np.bool_]:
        seen: NDArray[np.bool_] = ~np.isnan(self.rps)
        return seen

    @property
    def span_hours(self) -> NDArray[np.int64]:
        """Hours from the first observation to the end of the grid, 0 where there is none."""
        hours = self.rps.shape[1]
        seen = self.observed
        if not hours:
            return np.zeros(len(seen), dtype=np.int64)
        return np.where(seen.any(axis=1), hours - seen.argmax(axis=1), 0).astype(np.int64)

    @property
    def lead_hours(self) -> NDArray[np.int64]:
        """Hours before the first observation; all of them where there is none."""
        lead: NDArray[np.int64] = self.rps.shape[1] - self.span_hours
        return lead

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Which series hold at least two different observed values."""
        seen = self.observed
        highest = np.where(seen, self.rps, -np.inf).max(axis=1, initial=-np.inf)
        lowest = np.where(seen, self.rps, np.inf).min(axis=1, initial=np.inf)
        different: NDArray[np.bool_] = highest > lowest
        return different

    def only(self, rows: NDArray[np.int64]) -> Grid:
        """Some of the series."""
        return Grid(tuple(self.series[i] for i in rows), self.rps[rows])

    def first(self, hours: int) -> Grid:
        """What was known after so many hours."""
        return Grid(self.series, self.rps[:, :hours])

    def filled(self) -> NDArray[np.float64]:
        """``rps`` with gaps filled from the same hour of neighbouring weeks and days.

        A gap takes the mean of the hours one week before and after, else (where neither was
        observed) one day, two weeks, two days and so on; what is left after that is interpolated
        in time. Hours before the first observation stay NaN. Only for fitting: no filled hour is
        ever scored.
        """
        filled = self.rps.copy()
        inside = np.arange(self.rps.shape[1]) >= self.lead_hours[:, None]
        for shift in (WEEK, DAY, 2 * WEEK, 2 * DAY, 3 * DAY):
            missing = np.isnan(filled) & inside
            if not missing.any():
                return filled
            filled[missing] = _mean_of_neighbours(self.rps, shift)[missing]
        for row in np.flatnonzero((np.isnan(filled) & inside).any(axis=1)):
            known = np.flatnonzero(~np.isnan(filled[row]))
            gaps = np.flatnonzero(np.isnan(filled[row]) & inside[row])
            filled[row, gaps] = np.interp(gaps, known, filled[row, known])
        return filled

    def carried(self) -> NDArray[np.float64]:
        """``rps`` with gaps filled from what came before them only.

        A gap takes the hour one week before, else one day, else the last known. As no filled hour
        depends on a later one, one answer serves for every origin. Hours before the first
        observation stay NaN.
        """
        carried = self.rps.copy()
        gaps = np.isnan(carried) & (np.arange(carried.shape[1]) >= self.lead_hours[:, None])
        for row in np.flatnonzero(gaps.any(axis=1)):
            values = carried[row]
            for hour in np.flatnonzero(gaps[row]):
                before = (values[hour - back] for back in (WEEK, DAY, 1) if back <= hour)
                values[hour] = next(value for value in before if not np.isnan(value))
        return carried


def hourly_grid(history: History, starts: datetime) -> Grid:
    """Lay the last ``KEPT_HOURS`` of a history before ``starts`` on an hourly grid.

    Series first seen at or after ``starts`` are unknown and left out; series last seen before the
    kept hours stay, all NaN. Raises ``UnusableData`` if nothing at all was observed before
    ``starts``.
    """
    frame = history.frame
    lead = (pd.Timestamp(starts) - frame["ts"]).to_numpy()
    age = lead // np.timedelta64(1, "h")
    past = age >= 1
    if not past.any():
        raise UnusableData(f"the demand history holds nothing before {starts.isoformat()}")
    service, services = pd.factorize(frame["service"][past])
    origin, origins = pd.factorize(frame["origin"][past])
    pair, pairs = pd.factorize(service * np.int64(len(origins)) + origin)
    names = [
        (str(services[int(p) // len(origins)]), str(origins[int(p) % len(origins)])) for p in pairs
    ]
    order = sorted(range(len(names)), key=names.__getitem__)
    row = np.argsort(order)[pair]
    age, rps = age[past], frame["rps"].to_numpy(np.float64)[past]
    hours = min(KEPT_HOURS, int(age.max()))
    kept = age <= hours
    grid = np.full((len(names), hours), np.nan)
    grid[row[kept], hours - age[kept]] = rps[kept]
    return Grid(tuple(names[i] for i in order), grid)


def _mean_of_neighbours(rps: NDArray[np.float64], shift: int) -> NDArray[np.float64]:
    """Mean of the values ``shift`` hours before and after, of those observed; else NaN."""
    around = np.full((2, *rps.shape), np.nan)
    around[0, :, shift:] = rps[:, :-shift] if shift < rps.shape[1] else around[0, :, shift:]
    if shift < rps.shape[1]:
        around[1, :, :-shift] = rps[:, shift:]
    seen = ~np.isnan(around)
    count = seen.sum(axis=0)
    total = np.where(seen, around, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
