"""One option for each of a few cells, such that together they keep a cap and a minimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEPS = 256
"""Parts of a cap in which unmet demand is counted: up in plans, down in bounds."""


@compiled
def cheapest_within(
    usd: Floats, missing: Floats, cap: float, minimum: int, plan: bool, taken: Ints
) -> float:
    """min Σ_i usd[i, q_i] with Σ_i missing[i, q_i] ≤ cap and Σ_i q_i ≥ minimum; writes q.

    ``usd`` and ``missing`` [cell, replicas]: a knapsack. Plans keep the cap; nothing that keeps it
    costs less than a bound. INFINITE where nothing does.
    """
    cells, options = usd.shape
    best = np.full((cells + 1, minimum + 1, STEPS + 1), INFINITE)
    best[0, 0, 0] = 0.0
    choice = np.zeros((cells, minimum + 1, STEPS + 1), np.int64)
    for i in range(cells):
        for q in range(options):
            steps = STEPS * missing[i, q] / max(cap, 1e-12)
            if usd[i, q] >= INFINITE or steps > STEPS + 1:
                continue
            taking = int(np.ceil(steps - 1e-6)) if plan else int(np.floor(steps + 1e-9))
            for have in range(minimum + 1):
                to = min(have + q, minimum)
                for used in range(taking, STEPS + 1):
                    value = best[i, have, used - taking] + usd[i, q]
                    if value < best[i + 1, to, used]:
                        best[i + 1, to, used] = value
                        choice[i, to, used] = (q * (minimum + 1) + have) * (STEPS + 1) + taking
    used, have = int(np.argmin(best[cells, minimum])), minimum
    least = best[cells, minimum, used]
    if least >= INFINITE:
        return INFINITE
    for i in range(cells - 1, -1, -1):
        way, taking = divmod(choice[i, have, used], STEPS + 1)
        taken[i], have = divmod(way, minimum + 1)
        used -= taking
    return float(least)
