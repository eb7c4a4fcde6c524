"""The demand history of the bundled shop.

``python -m scenarios.generate.shop > scenarios/shop/demand.csv`` writes the committed file again,
byte for byte.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

from scenarios.generate.chance import Chance
from scenarios.generate.traffic import BUSINESS, COMMUTERS, SHOPPERS, Crowd, Rhythm, hourly_rps

SEED = 20261116
STARTS = datetime(2026, 10, 19, tzinfo=UTC)  # a Monday
HOURS = 4 * 7 * 24
UTC_OFFSET_HOURS = {"asia-pacific": 8, "europe": 1, "north-america": -6}
PEAK_RPS: dict[str, tuple[Rhythm, float, dict[str, float]]] = {
    "image-resizer": (SHOPPERS, 0.010, {"asia-pacific": 140, "europe": 180, "north-america": 220}),
    "mobile-api": (COMMUTERS, 0.012, {"asia-pacific": 2300, "europe": 1250, "north-america": 1600}),
    "partner-api": (BUSINESS, 0.004, {"asia-pacific": 90, "europe": 170, "north-america": 210}),
    "storefront": (SHOPPERS, 0.008, {"asia-pacific": 1150, "europe": 2100, "north-america": 2500}),
}
"""By service: its rhythm, its growth per week, and its peak by origin."""
SALE_STARTS = datetime(2026, 10, 29, 17, tzinfo=UTC)
SALE_LIFT = (1.7, 2.4, 2.2, 1.6, 1.2)  # by hour since it started
SALE = ("europe", "north-america")  # where it was advertised


def demand_csv() -> str:
    """Four weeks of hourly demand, sorted by service, origin and time, one line each."""
    series = [(service, origin) for service, (_, _, peaks) in PEAK_RPS.items() for origin in peaks]
    crowds = [
        Crowd(
            peak_rps=PEAK_RPS[service][2][origin],
            rhythm=PEAK_RPS[service][0],
            utc_offset_hours=UTC_OFFSET_HOURS[origin],
            growth_per_week=PEAK_RPS[service][1],
        )
        for service, origin in series
    ]
    rps = hourly_rps(crowds, STARTS, HOURS, Chance(SEED))
    sale = int((SALE_STARTS - STARTS) / timedelta(hours=1))
    for row, (service, origin) in enumerate(series):
        if origin in SALE and service not in ("image-resizer", "partner-api"):
            rps[row, sale : sale + len(SALE_LIFT)] *= np.array(SALE_LIFT)
    hours = [f"{STARTS + timedelta(hours=h):%Y-%m-%dT%H:%M:%SZ}" for h in range(HOURS)]
    lines = ["ts,service,origin,rps"]
    for (service, origin), row_rps in zip(series, rps.tolist(), strict=True):
        lines += [
            f"{ts},{service},{origin},{value:.1f}" for ts, value in zip(hours, row_rps, strict=True)
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(demand_csv())
