"""Random draws that stay the same on every machine and in every version of NumPy.

NumPy promises that the bits of PCG64 stay what they are, but not the algorithms of its
distributions. So everything here is made from uniform numbers by inverse or explicit formulas.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Chance:
    """A seeded source of random numbers; with a ``purpose``, one that no other draw disturbs."""

    def __init__(self, seed: int, purpose: str = "") -> None:
        entropy = [seed, *purpose.encode()] if purpose else seed
        self._generator = np.random.Generator(np.random.PCG64(entropy))

    def uniform(self, low: float, high: float, *shape: int) -> Floats:
        """Numbers spread evenly over [low, high)."""
        return low + (high - low) * self._generator.random(shape)

    def normal(self, *shape: int) -> Floats:
        """Standard normal numbers (Box and Muller, 1958)."""
        radius = np.sqrt(-2.0 * np.log1p(-self._generator.random(shape)))
        angle = 2.0 * np.pi * self._generator.random(shape)
        return np.asarray(radius * np.cos(angle))

    def lognormal(self, median: float, sigma: float, *shape: int) -> Floats:
        """Numbers whose logarithm is normal, with this median and log-scale deviation."""
        return median * np.exp(sigma * self.normal(*shape))

    def pareto(self, least: float, alpha: float, most: float, *shape: int) -> Floats:
        """Pareto numbers with tail index ``alpha``, cut off at ``most`` (by the inverse CDF)."""
        cut = 1.0 - (least / most) ** alpha
        return np.asarray(least * (1.0 - cut * self._generator.random(shape)) ** (-1.0 / alpha))

    def below(self, limits: NDArray[np.int64]) -> NDArray[np.int64]:
        """Whole numbers from 0 to each limit, exclusive."""
        return np.floor(self._generator.random(limits.shape) * limits).astype(np.int64)

    def pick(self, choices: tuple[Any, ...], weights: tuple[float, ...], count: int) -> list[Any]:
        """``count`` choices, each with a chance in proportion to its weight."""
        edges = np.cumsum(weights) / np.sum(weights)
        drawn = np.searchsorted(edges, self._generator.random(count), side="right")
        return [choices[i] for i in np.minimum(drawn, len(choices) - 1)]
