"""Why a value strays, in words with figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.anomalies.follow import EXPECTED, HIGH, LOW, RARITY, SHAPE_BLOCKS, VALUE, VIEW
from optimizer.anomalies.state import BLOCK_STEPS, SHAPE, WIDTHS

COUNTLESS = 1e6


def why(fact: NDArray[np.float64]) -> str:
    """What ``follow`` says of one step; empty where nothing is known yet."""
    if np.isnan(fact[VIEW]):
        return ""
    view = int(fact[VIEW])
    value, expected, low, high = (f"{fact[i]:.4g}" for i in (VALUE, EXPECTED, LOW, HIGH))
    often = f"so rare once in {_steps(10.0 ** fact[RARITY])} steps"
    if view == SHAPE:
        return (
            f"{value}, nearest before at this time of day {expected}; the last "
            f"{SHAPE_BLOCKS * BLOCK_STEPS} steps are {low} from any before on average, usually up "
            f"to {high}; {often}"
        )
    what = f"mean of {WIDTHS[view]} steps {value}" if view else f"value {value}"
    return f"{what}, usually {low} to {high} around {expected}; {often}"


def _steps(many: float) -> str:
    return "a million or more" if many >= COUNTLESS else f"{float(f'{many:.2g}'):,.0f}"
