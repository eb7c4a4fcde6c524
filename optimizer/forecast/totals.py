"""Forecasts of services, of origins and of everything, from those of their parts.

Means of totals are sums of those of their parts, which plans use as well. Quantiles are not, since
not everything is high at once: they are those of sums of samples that stray together as the errors
of the parts did in the backtest (ensemble copula coupling: Schefzik, Thorarinsdottir and Gneiting
2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.demand import Forecast
from optimizer.forecast.spread import normal_scores

Values = NDArray[np.float64]

ALL: Final = ""
"""Stands for the service or the origin over which is added up."""


@dataclass(frozen=True, eq=False)
class Totals:
    """What parts add up to. ``names[i]`` is (service, origin), with ``ALL`` where all are meant:
    everything first, then origins, then services, of those that several series feed. ``members``
    are the rows of each among the parts.
    """

    names: tuple[tuple[str, str], ...]
    members: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, series: Sequence[tuple[str, str]]) -> Totals:
        """Totals of ``series``, (service, origin) each."""
        rows: dict[tuple[str, str], list[int]] = {}
        for row, (service, origin) in enumerate(series):
            for name in ((ALL, ALL), (ALL, origin), (service, ALL)):
                rows.setdefault(name, []).append(row)
        origins = len({origin for _, origin in series})
        services = len({service for service, _ in series})
        found = sorted(rows, key=lambda name: (name != (ALL, ALL), name[0] != ALL, name))
        kept = [
            name
            for name in found
            if len(rows[name]) > 1
            # With one origin, its total is everything, and so is that of the only service.
            and not (name[1] != ALL and origins == 1)
            and not (name[0] != ALL and services == 1)
        ]
        return cls(tuple(kept), tuple(np.array(rows[name], np.int64) for name in kept))

    def added(self, values: Values) -> Values:
        """Sums [total, step] of ``values`` [series, step]; a gap of a part is one of its totals."""
        sums = [values[rows].sum(axis=0) for rows in self.members]
        return np.stack(sums) if sums else np.empty((0, values.shape[1]))

    def foreseen(self, parts: Forecast, errors: Values) -> Forecast:
        """The totals of ``parts``, whose ``errors`` [series, sample] say what strays together."""
        ranks = np.argsort(np.argsort(errors, axis=1, kind="stable"), axis=1)
        weights = _sampling(np.asarray(parts.levels), errors.shape[1])
        levels = np.asarray(parts.levels)
        quantiles = np.empty((len(self.names), parts.periods, levels.size))
        for step in range(parts.periods if self.names else 0):
            even = np.maximum(parts.quantiles_rps[:, step] @ weights, 0.0)
            samples = np.take_along_axis(even, ranks, axis=1)
            sums = np.stack([samples[rows].sum(axis=0) for rows in self.members])
            quantiles[:, step] = np.quantile(sums, levels, axis=1).T
        return Forecast(
            parts.starts, parts.levels, self.names, self.added(parts.mean_rps), quantiles,
            step_s=parts.step_s,
        )  # fmt: skip


def _sampling(levels: Values, count: int) -> Values:
    """Weights [level, sample] of known quantiles in evenly spread samples of a distribution.

    It is normal in pieces between levels, and beyond them like the outermost piece.
    """
    if levels.size == 1:
        return np.ones((1, count))
    wanted = normal_scores((np.arange(count) + 0.5) / count)
    known = normal_scores(levels)
    piece = np.clip(np.searchsorted(known, wanted) - 1, 0, known.size - 2)
    above = (wanted - known[piece]) / (known[piece + 1] - known[piece])
    weights = np.zeros((levels.size, count))
    weights[piece, np.arange(count)] = 1 - above
    weights[piece + 1, np.arange(count)] += above
    return weights
