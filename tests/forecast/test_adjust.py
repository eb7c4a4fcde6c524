"""What-ifs scale forecasts."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from models.demand import Forecast
from models.world import DemandFactor
from optimizer.forecast.adjust import apply_factors

FORECAST = Forecast(
    starts=datetime(2025, 1, 1, tzinfo=UTC),
    levels=(0.5, 0.9),
    series=(("api", "eu"), ("web", "eu"), ("web", "us")),
    mean_rps=np.full((3, 4), 10.0),
    quantiles_rps=np.full((3, 4, 2), [10.0, 20.0]),
)


def test_no_factor_changes_nothing() -> None:
    assert apply_factors(FORECAST, ()) is FORECAST


def test_a_factor_without_bounds_scales_everything() -> None:
    scaled = apply_factors(FORECAST, (DemandFactor(3.0),))
    assert (scaled.mean_rps == 30).all()
    assert (scaled.quantiles_rps == [30, 60]).all()
    assert (FORECAST.mean_rps == 10).all()


def test_a_factor_stays_within_its_services_origins_and_hours() -> None:
    factor = DemandFactor(2.0, frozenset({"web"}), frozenset({"eu"}), 1, 3)
    scaled = apply_factors(FORECAST, (factor,))
    assert scaled.mean_rps.tolist() == [[10] * 4, [10, 20, 20, 10], [10] * 4]
    assert scaled.quantiles_rps[1, :, 1].tolist() == [20, 40, 40, 20]


def test_factors_multiply_where_they_overlap() -> None:
    factors = (DemandFactor(2.0, first_hour=2), DemandFactor(0.5, origins=frozenset({"us"})))
    scaled = apply_factors(FORECAST, factors)
    assert scaled.mean_rps[:, 0].tolist() == [10, 10, 5]
    assert scaled.mean_rps[:, 3].tolist() == [20, 20, 10]


def test_hours_beyond_the_forecast_are_ignored() -> None:
    scaled = apply_factors(FORECAST, (DemandFactor(2.0, first_hour=3, last_hour=99),))
    assert scaled.mean_rps[0].tolist() == [10, 10, 10, 20]
