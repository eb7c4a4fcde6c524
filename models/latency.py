"""Round-trip times between places: measured where known, estimated otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.places import Coordinates

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG 1980
FIBRE_KM_PER_MS = 299.792458 / 1.468  # speed of light in silica fibre, group index 1.468
ROUTE_FACTOR = 1.6
"""How much longer a real path is than the great circle, switching delay included.

Cables follow coasts and landing points. Of 36 well-known round trips between regions the median is
1.6 times the great circle at fibre speed, and nine in ten lie between 1.2 and 2.4: about 1.3 across
the oceans, 2 and more on short or indirect routes (``docs/regions.md``).
"""
LOCAL_RTT_MS = 1.0  # the floor: within a metropolitan area, or between zones of one region


def great_circle_km(
    here: Sequence[Coordinates], there: Sequence[Coordinates]
) -> NDArray[np.float64]:
    """Great-circle distances, km, shape ``[len(here), len(there)]`` (haversine formula)."""
    a = np.radians([[c.latitude_deg, c.longitude_deg] for c in here]).reshape(-1, 1, 2)
    b = np.radians([[c.latitude_deg, c.longitude_deg] for c in there]).reshape(1, -1, 2)
    half = np.sin((a - b) / 2) ** 2
    chord = half[..., 0] + np.cos(a[..., 0]) * np.cos(b[..., 0]) * half[..., 1]
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    return distance


def estimated_rtt_ms(
    here: Sequence[Coordinates], there: Sequence[Coordinates], factor: float = ROUTE_FACTOR
) -> NDArray[np.float64]:
    """Estimated round trips, ms: there and back at fibre speed along ``factor`` great circles."""
    rtt: NDArray[np.float64] = LOCAL_RTT_MS + (
        2 * factor * great_circle_km(here, there) / FIBRE_KM_PER_MS
    )
    return rtt


@dataclass(frozen=True)
class RoundTrips:
    """Round-trip times between named points (places and origins).

    ``measured_ms`` maps a pair of names to milliseconds and overrides the estimate; a pair given
    one way holds both ways unless the other way is given too.
    """

    measured_ms: Mapping[tuple[str, str], float] = field(default_factory=dict)
    factor: float = ROUTE_FACTOR

    def between(
        self, here: Mapping[str, Coordinates], there: Mapping[str, Coordinates]
    ) -> NDArray[np.float64]:
        """Round trips, ms, shape ``[len(here), len(there)]``, in the order of the mappings."""
        rtt = estimated_rtt_ms(list(here.values()), list(there.values()), self.factor)
        if self.measured_ms:
            rows = {name: i for i, name in enumerate(here)}
            columns = {name: j for j, name in enumerate(there)}
            for (a, b), ms in self.measured_ms.items():  # the reverse way first, then as given
                if b in rows and a in columns and (b, a) not in self.measured_ms:
                    rtt[rows[b], columns[a]] = ms
            for (a, b), ms in self.measured_ms.items():
                if a in rows and b in columns:
                    rtt[rows[a], columns[b]] = ms
        return rtt
