"""Names beside marks on a map, kept from covering each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHARACTER_WIDTH, LINE_HEIGHT = 6.6, 14.0  # of 12-unit sans-serif text, on average
LONGEST = 28


@dataclass(frozen=True, slots=True)
class Label:
    """Where a name stands: its baseline's start, middle or end. Not shown when there is no room."""

    x: float
    y: float
    anchor: str
    text: str
    shown: bool


Box = tuple[float, float, float, float]


def place_labels(
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    texts: Sequence[str],
    width: float,
    height: float,
) -> tuple[Label, ...]:
    """A place for each text right, left, below or above its mark, largest mark first.

    The first spot that covers no earlier label, no mark and not the edge is taken; a text that
    finds none is left out (its mark still carries a tooltip).
    """
    marks: list[Box] = [
        (x - r, y - r, x + r, y + r) for (x, y), r in zip(centres, radii, strict=True)
    ]
    taken: list[Box] = []
    labels: dict[int, Label] = {}
    for i in sorted(range(len(texts)), key=lambda k: (-radii[k], k)):
        text = texts[i] if len(texts[i]) <= LONGEST else texts[i][: LONGEST - 1] + "…"
        others = taken + [box for k, box in enumerate(marks) if k != i]
        labels[i] = Label(0.0, 0.0, "start", text, shown=False)
        here = (float(centres[i, 0]), float(centres[i, 1]), float(radii[i]))
        for x, y, anchor, box in _spots(*here, len(text)):
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height
            if inside and not any(_overlap(box, other) for other in others):
                labels[i] = Label(x, y, anchor, text, shown=True)
                taken.append(box)
                break
    return tuple(labels[i] for i in range(len(texts)))


def _spots(x: float, y: float, r: float, characters: int) -> list[tuple[float, float, str, Box]]:
    wide, tall, gap = characters * CHARACTER_WIDTH, LINE_HEIGHT, 4.0
    spots = []
    for dy in (0.0, -0.7 * tall, 0.7 * tall):
        for side, anchor in ((1, "start"), (-1, "end")):
            edge = x + side * (r + gap)
            low = min(edge, edge + side * wide)
            box = (low, y + dy - tall / 2, low + wide, y + dy + tall / 2)
            spots.append((edge, y + dy + 4.0, anchor, box))
    for side in (1, -1):
        middle = y + side * (r + gap + tall / 2)
        box = (x - wide / 2, middle - tall / 2, x + wide / 2, middle + tall / 2)
        spots.append((x, middle + 4.0, "middle", box))
    return spots


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
