"""What a what-if does to a forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.demand import Forecast
from models.world import DemandFactor


def apply_factors(forecast: Forecast, factors: tuple[DemandFactor, ...]) -> Forecast:
    """The forecast under every factor, one after the other; overlapping factors multiply.

    Mean and quantiles scale alike. Hours beyond the forecast are ignored.
    """
    if not factors:
        return forecast
    scale = np.ones(forecast.mean_rps.shape)
    for factor in factors:
        rows = [
            (not factor.services or service in factor.services)
            and (not factor.origins or origin in factor.origins)
            for service, origin in forecast.series
        ]
        scale[np.asarray(rows, dtype=bool), factor.first_hour : factor.last_hour] *= factor.factor
    return replace(
        forecast,
        mean_rps=forecast.mean_rps * scale,
        quantiles_rps=forecast.quantiles_rps * scale[:, :, None],
    )
