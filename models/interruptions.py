"""How often spot capacity is taken away, and how many pools of it may be gone at once.

A *pool* is one family of instance types in one place: what is interrupted together. Within a pool
everything goes at once; pools fail independently of each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.world import HOURS_PER_MONTH


def per_month_of(monthly_chance: float) -> float:
    """Interruptions per month of a Poisson process that strikes at all with this chance."""
    return float(-np.log1p(-monthly_chance))


def chance_of_outage(per_month: float, outage_hours: float) -> float:
    """Chance that a pool is gone at a given instant.

    Interruptions come as a Poisson process, and each takes the pool away for ``outage_hours``:
    1 - exp(-rate · hours).
    """
    return float(-np.expm1(-per_month * outage_hours / HOURS_PER_MONTH))


def chance_of_more(chances: NDArray[np.float64], at_once: int) -> float:
    """Chance that more than ``at_once`` of independent pools are gone: Poisson-binomial tail.

    Exact: the distribution of the number of lost pools is built up pool by pool, and its tail is
    summed from the far end, so that tiny tails keep their digits.
    """
    lost = np.zeros(len(chances) + 1)
    lost[0] = 1.0
    for i, chance in enumerate(chances.tolist()):
        lost[1 : i + 2] = lost[1 : i + 2] * (1 - chance) + lost[: i + 1] * chance
        lost[0] *= 1 - chance
    return float(lost[:at_once:-1].sum())


def pools_at_once(chances: NDArray[np.float64], chance_at_most: float) -> int:
    """The fewest pools Γ such that more than Γ are gone with a chance of at most this."""
    at_once = 0
    while chance_of_more(chances, at_once) > chance_at_most:
        at_once += 1
    return at_once
