"""The level of many series at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMOOTHED_HOURS = 336
"""Older hours no longer move the level."""


def smoothed_levels(values: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """The level [series] after the last hour of ``values`` [series, hour].

    Simple exponential smoothing, ETS(A,N,N) of Hyndman et al. (2008): every hour moves the level
    by ``rate`` of its distance from it, and the forecast is flat. That is a mean in which an hour
    weighs 1 - ``rate`` of the next. NaN count nothing; every series has some other values. Fitting
    the rate to each series' one-step errors gains nothing a day or a week ahead.
    """
    recent = values[:, -SMOOTHED_HOURS:]
    weight = (1 - rate) ** np.arange(recent.shape[1])[::-1]
    seen = ~np.isnan(recent)
    # Sums, not products of matrices: the last bit of those depends on how many series there are.
    total = (np.where(seen, recent, 0.0) * weight).sum(axis=1)
    level: NDArray[np.float64] = total / (seen * weight).sum(axis=1)
    return level
