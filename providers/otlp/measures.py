"""Rates, errors and latency of groups of calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

QUANTILES: Final = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95, "latency_p99_ms": 0.99}
_ROUNDING: Final = 1e-9  # a rank that floats put just above a whole number is that number


@dataclass(frozen=True, eq=False)
class Measures:
    """``groups`` are sorted, each once; all else is parallel to them."""

    groups: NDArray[np.int64]
    calls: NDArray[np.float64]
    errors: NDArray[np.float64]
    latency_ms: dict[str, NDArray[np.float64]]


def measure(
    groups: NDArray[np.int64],
    ms: NDArray[np.float64],
    failed: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> Measures:
    """Sums, the mean and quantiles by group; a call counts ``weight`` times.

    Quantiles are exact, by nearest rank: the least latency such that calls up to it weigh at
    least that share of all in the group. NaN where all weights are zero.
    """
    order = np.lexsort((ms, groups))
    groups, ms, failed, weight = groups[order], ms[order], failed[order], weight[order]
    names, first = np.unique(groups, return_index=True)
    if not len(names):
        nothing = np.empty(0)
        return Measures(names, nothing, nothing, dict.fromkeys(["latency_mean_ms", *QUANTILES],
                                                               nothing))  # fmt: skip
    calls = np.add.reduceat(weight, first)
    errors = np.add.reduceat(weight * failed, first)
    ends = np.append(first[1:], len(ms)) - 1
    sums = np.cumsum(weight)
    before = sums[first] - weight[first]
    empty = calls <= 0
    whole = np.where(empty, 1.0, calls)
    latency = {"latency_mean_ms": np.add.reduceat(weight * ms, first) / whole}
    for name, share in QUANTILES.items():
        wanted = before + share * calls * (1 - _ROUNDING)
        latency[name] = ms[np.clip(np.searchsorted(sums, wanted), first, ends)]
    return Measures(
        names, calls, errors, {name: np.where(empty, np.nan, v) for name, v in latency.items()}
    )
