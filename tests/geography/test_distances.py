"""Great circles are geometry; the route factor is what well-known round trips show."""

from pathlib import Path

import numpy as np
import pytest

from models.latency import (
    FIBRE_KM_PER_MS,
    LOCAL_RTT_MS,
    ROUTE_FACTOR,
    estimated_rtt_ms,
    great_circle_km,
)
from models.places import Coordinates
from providers.geography.regions import load_regions
from providers.geography.round_trips import read_round_trips

LONDON, NEW_YORK = Coordinates(51.5074, -0.1278), Coordinates(40.7128, -74.0060)
SYDNEY, SANTIAGO = Coordinates(-33.8688, 151.2093), Coordinates(-33.4489, -70.6693)


@pytest.mark.parametrize(
    ("here", "there", "km"),
    [
        (LONDON, NEW_YORK, 5570),
        (SYDNEY, SANTIAGO, 11340),  # across the date line
        (Coordinates(90, 0), Coordinates(-90, 0), 20015),
        (Coordinates(0, 179.5), Coordinates(0, -179.5), 111),
    ],
)
def test_known_distances(here: Coordinates, there: Coordinates, km: float) -> None:
    assert great_circle_km([here], [there])[0, 0] == pytest.approx(km, abs=15)


def test_great_circles_between_all_regions_are_a_metric() -> None:
    points = [region.coordinates for region in load_regions().values()]
    km = great_circle_km(points, points)
    assert np.allclose(km, km.T)
    assert np.allclose(np.diag(km), 0)
    detour = km[:, :, None] + km[None, :, :]  # [from, over, to]
    assert (km[:, None, :] <= detour + 1e-6).all()
    assert km.max() < 20_016


def well_known() -> tuple[np.ndarray, np.ndarray]:
    """Measured round trips, ms, and the same at fibre speed along the great circle."""
    regions = load_regions()
    file = Path(__file__).with_name("well_known_round_trips.csv")
    measured = read_round_trips(file, regions).measured_ms
    ideal = [
        2 * great_circle_km([regions[a].coordinates], [regions[b].coordinates])[0, 0]
        for a, b in measured
    ]
    return np.array(list(measured.values())), np.array(ideal) / FIBRE_KM_PER_MS


def test_the_route_factor_is_the_middle_of_well_known_round_trips() -> None:
    rtt_ms, ideal_ms = well_known()
    ratio = (rtt_ms - LOCAL_RTT_MS) / ideal_ms
    assert len(ratio) == 36
    assert np.median(ratio) == pytest.approx(ROUTE_FACTOR, abs=0.05)
    assert ((ratio >= 1.2) & (ratio <= 2.4)).mean() >= 0.9
    assert ratio.min() > 1  # nothing beats light in fibre


def test_estimates_are_unbiased_and_usually_close() -> None:
    rtt_ms, ideal_ms = well_known()
    error = (LOCAL_RTT_MS + ROUTE_FACTOR * ideal_ms) / rtt_ms - 1
    assert abs(error.mean()) < 0.05
    assert np.median(np.abs(error)) < 0.2
    assert np.abs(error).max() < 0.5


def test_no_other_factor_fits_clearly_better() -> None:
    rtt_ms, ideal_ms = well_known()

    def spread(factor: float) -> float:
        return float(np.sqrt(np.mean(np.log((LOCAL_RTT_MS + factor * ideal_ms) / rtt_ms) ** 2)))

    best = min(spread(factor) for factor in np.arange(1.0, 2.5, 0.05))
    assert spread(ROUTE_FACTOR) <= 1.02 * best


def test_a_round_trip_within_a_city_takes_the_local_floor() -> None:
    assert estimated_rtt_ms([LONDON], [LONDON])[0, 0] == LOCAL_RTT_MS
