"""The globe on a flat page: Equal Earth, and the part of it that a map shows.

Equal Earth keeps areas true (Šavrič, Patterson and Jenny, "The Equal Earth map projection",
International Journal of Geographical Information Science 33(3), 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.places import Coordinates

_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_M = np.sqrt(3) / 2
SHEET_WIDTH = 2000.0
"""Width of the whole world in sheet units; ``land.svg.j2`` is drawn in the same units."""

Points = NDArray[np.float64]


def _equal_earth(longitude_rad: Points, latitude_rad: Points) -> tuple[Points, Points]:
    theta = np.arcsin(_M * np.sin(latitude_rad))
    square = theta**2
    sixth = square**3
    x = longitude_rad * np.cos(theta)
    x = x / (_M * (_A1 + 3 * _A2 * square + sixth * (7 * _A3 + 9 * _A4 * square)))
    y = theta * (_A1 + _A2 * square + sixth * (_A3 + _A4 * square))
    return x, y


_EAST, _ = _equal_earth(np.array([np.pi]), np.array([0.0]))
_, _NORTH = _equal_earth(np.array([0.0]), np.array([np.pi / 2]))
_UNIT = SHEET_WIDTH / 2 / float(_EAST[0])
SHEET_HEIGHT = 2 * _UNIT * float(_NORTH[0])


def on_sheet(points: Sequence[Coordinates]) -> Points:
    """Sheet coordinates, shape [points, 2]: x to the right, y down from the north pole."""
    degrees = np.array([[p.longitude_deg, p.latitude_deg] for p in points]).reshape(-1, 2)
    x, y = _equal_earth(*np.radians(degrees).T)
    return np.column_stack([SHEET_WIDTH / 2 + _UNIT * x, SHEET_HEIGHT / 2 - _UNIT * y])


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the sheet that is shown, and how large: page = (sheet - corner) × scale."""

    left: float
    top: float
    scale: float
    width: float
    height: float

    @property
    def transform(self) -> str:
        """The SVG transform that takes the sheet to the page."""
        return f"scale({self.scale:.4f}) translate({-self.left:.2f} {-self.top:.2f})"

    def on_page(self, sheet: Points) -> Points:
        return np.asarray((sheet - [self.left, self.top]) * self.scale)


def window(sheet: Points, width: float = 1000.0, aspect: float = 2.1) -> Window:
    """What holds all points with room around them; never closer than a quarter of the world."""
    if not len(sheet):
        sheet = np.array([[SHEET_WIDTH, SHEET_HEIGHT]]) / 2
    low, high = sheet.min(axis=0), sheet.max(axis=0)
    shown = max(
        SHEET_WIDTH / 4,
        1.25 * float(high[0] - low[0]) + 60,
        (1.35 * float(high[1] - low[1]) + 40) * aspect,
    )
    shown = min(shown, SHEET_WIDTH)
    centre = (low + high) / 2
    left = float(np.clip(centre[0] - shown / 2, 0, SHEET_WIDTH - shown))
    tall = shown / aspect
    top = float(np.clip(centre[1] - tall / 2, 0, max(0.0, SHEET_HEIGHT - tall)))
    return Window(left, top, width / shown, width, width / aspect)
