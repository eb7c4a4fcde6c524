"""How bad the bad outcomes are: conditional value at risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CvarPolicy:
    """How much the dearest outcomes weigh: ``weight`` is their share of the decision.

    ``level`` 0.95 looks at the dearest 5 % of what may come.
    """

    level: float
    weight: float


def cvar(outcomes: Sequence[tuple[float, float]], level: float) -> float:
    """Mean of the dearest ``1 - level`` of what may come; ``outcomes`` are (probability, amount).

    min over η of η + E[max(0, amount - η)] / (1 - level), found at one of the amounts
    (Rockafellar and Uryasev, *Optimization of conditional value-at-risk*, 2000).
    """
    return min(
        eta + sum(p * max(0.0, amount - eta) for p, amount in outcomes) / (1.0 - level)
        for _, eta in outcomes
    )
