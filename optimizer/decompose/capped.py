"""One option for each of a few cells, such that all together leave no more than a cap unmet."""

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
def cheapest_within(usd: Floats, missing: Floats, cap: float, plan: bool, taken: Ints) -> float:
    """min Σ_i usd[i, taken[i]] with Σ_i missing[i, taken[i]] ≤ cap, a knapsack; writes ``taken``.

    ``usd`` and ``missing`` [cell, option]. Plans keep the cap; nothing that keeps it costs less
    than a bound. INFINITE where nothing does.
    """
    cells, options = usd.shape
    best = np.full((cells + 1, STEPS + 1), INFINITE)
    best[0, 0] = 0.0
    choice = np.zeros((cells, STEPS + 1), np.int64)
    for i in range(cells):
        for option in range(options):
            if usd[i, option] >= INFINITE:
                continue
            steps = STEPS * missing[i, option] / max(cap, 1e-12)
            if steps > STEPS + 1:
                continue
            taking = int(np.ceil(steps - 1e-6)) if plan else int(np.floor(steps + 1e-9))
            for used in range(taking, STEPS + 1):
                value = best[i, used - taking] + usd[i, option]
                if value < best[i + 1, used]:
                    best[i + 1, used] = value
                    choice[i, used] = option * (STEPS + 1) + taking
    used = int(np.argmin(best[cells]))
    least = best[cells, used]
    if least >= INFINITE:
        return INFINITE
    for i in range(cells - 1, -1, -1):
        taken[i] = choice[i, used] // (STEPS + 1)
        used -= choice[i, used] % (STEPS + 1)
    return float(least)
