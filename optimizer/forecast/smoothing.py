"""Exponential smoothing by statsforecast. Takes seconds to import: go through ``late``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The module that holds only ETS: statsforecast.models would import three times as much.
from statsforecast.ets import ets_f, forecast_ets

SMOOTHED_HOURS = 336  # older hours no longer move the level; the fit takes half the time


def smoothed_level(values: NDArray[np.float64]) -> float:
    """The level after the last of ``values``, by ETS(A,N,N) with a fitted smoothing parameter.

    Simple exponential smoothing as a state-space model (Hyndman et al. 2008), fitted to the least
    squared one-step error; its forecast is flat. ``values`` has no NaN and more than six entries.
    """
    recent = values[-SMOOTHED_HOURS:]
    # In units of its own spread, so that a history in other units gets the same forecast.
    middle, spread = float(recent.mean()), float(np.ptp(recent))
    if spread <= 1e-9 * max(abs(middle), 1e-300):
        return middle
    # With additive errors the least squares are the most likely too, and found in a third of the
    # time; nmse=1 leaves out multi-step errors that nothing reads.
    fitted = ets_f((recent - middle) / spread, 1, model="ANN", opt_crit="mse", nmse=1)
    return middle + spread * float(forecast_ets(fitted, 1)["mean"][0])
