"""Hourly demand that looks like people: days, weeks, a slow trend, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scenarios.generate.chance import Chance, Floats

HOURS_PER_WEEK = 168


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Demand by local hour of day and by day of week (Monday first), relative to its peak."""

    by_hour: tuple[float, ...]
    by_weekday: tuple[float, ...]


# Shapes: nights at a tenth of the evening for shoppers, office hours for business partners.
SHOPPERS = Rhythm(
    by_hour=(0.26, 0.17, 0.12, 0.10, 0.10, 0.13, 0.22, 0.35, 0.47, 0.56, 0.62, 0.67,
             0.71, 0.69, 0.66, 0.66, 0.69, 0.75, 0.84, 0.94, 1.00, 0.95, 0.73, 0.45),
    by_weekday=(0.88, 0.86, 0.86, 0.88, 0.91, 0.98, 1.00),
)  # fmt: skip
COMMUTERS = Rhythm(
    by_hour=(0.30, 0.18, 0.12, 0.10, 0.12, 0.22, 0.46, 0.74, 0.70, 0.55, 0.54, 0.60,
             0.78, 0.70, 0.58, 0.57, 0.62, 0.76, 0.84, 0.90, 0.98, 1.00, 0.82, 0.52),
    by_weekday=(0.93, 0.92, 0.93, 0.95, 1.00, 0.97, 0.94),
)  # fmt: skip
BUSINESS = Rhythm(
    by_hour=(0.28, 0.26, 0.40, 0.42, 0.25, 0.24, 0.30, 0.48, 0.76, 0.93, 1.00, 0.98,
             0.86, 0.90, 0.97, 0.95, 0.88, 0.72, 0.52, 0.40, 0.35, 0.32, 0.30, 0.29),
    by_weekday=(1.00, 0.99, 0.98, 0.97, 0.92, 0.45, 0.38),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crowd:
    """One series of demand: how many requests at the peak, and when people there are awake.

    ``growth_per_week`` is a relative change per week, measured from the end of the history, so
    that ``peak_rps`` is what the last week reaches.
    """

    peak_rps: float
    rhythm: Rhythm
    utc_offset_hours: int
    growth_per_week: float = 0.0
    noise: float = 0.04


def hourly_rps(crowds: Sequence[Crowd], starts: datetime, hours: int, chance: Chance) -> Floats:
    """Mean requests per second in each hour, shape [crowd, hour], rounded to 0.01.

    Daily shape x weekly shape x trend x exp(noise); the noise is a first-order autoregression
    (0.6), because a busy hour is followed by a busy hour. Offsets are whole hours and ignore
    daylight saving.
    """
    since = starts.weekday() * 24 + starts.hour
    local = since + np.arange(hours)[None, :] + np.array([[c.utc_offset_hours] for c in crowds])
    by_hour = np.array([c.rhythm.by_hour for c in crowds])
    by_weekday = np.array([c.rhythm.by_weekday for c in crowds])
    rows = np.arange(len(crowds))[:, None]
    shape = by_hour[rows, local % 24] * by_weekday[rows, local // 24 % 7]
    weeks_left = (hours - np.arange(hours)) / HOURS_PER_WEEK
    trend = 1.0 - np.array([[c.growth_per_week] for c in crowds]) * weeks_left[None, :]
    peak = np.array([[c.peak_rps] for c in crowds])
    spread = np.array([[c.noise] for c in crowds])
    noise = np.exp(spread * _persistent(chance.normal(len(crowds), hours)))
    rps: Floats = np.round(peak * shape * np.maximum(trend, 0.05) * noise, 2)
    return rps


def _persistent(shocks: NDArray[np.float64], memory: float = 0.6) -> Floats:
    """A stationary first-order autoregression of unit variance, along the last axis."""
    fresh = (1.0 - memory**2) ** 0.5
    out = shocks.copy()
    for hour in range(1, shocks.shape[1]):
        out[:, hour] = memory * out[:, hour - 1] + fresh * shocks[:, hour]
    return out
