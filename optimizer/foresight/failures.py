"""Failures before they happen: errors that become more, instances that restart again and again,
spot capacity that is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from models.interruptions import chance_of_more, per_month_of
from models.world import HOURS_PER_MONTH

Values = NDArray[np.float64]

FAILS_AT: Final = 0.05
"""A service fails when this share of its requests does."""

RECENT_HOURS: Final = 6.0
USUAL_DAYS: Final = 14
MEMORY_HOURS: Final = 12.0
"""Restarts count half when they are so old: they come in bursts."""

_FEW: Final = 0.05
"""Shape of the rates of all instances: most never restart, and few do all the time."""


@dataclass(frozen=True, slots=True)
class RateChange:
    """``recent`` against ``usual`` errors per request; ``p_value``: how likely chance alone does
    as much. ``dispersion``: variance of counts over what a Poisson process would have.
    """

    recent: float
    usual: float
    p_value: float
    dispersion: float


def rate_change(errors: Values, requests: Values, recent: int) -> RateChange | None:
    """Have errors per request become more? ``errors`` and ``requests`` are counts [step].

    The last ``recent`` steps against all before: a quasi-Poisson score test, with the dispersion
    that the earlier steps have (McCullagh and Nelder 1989, 6.2). None where either part has no
    requests.
    """
    known = ~np.isnan(errors) & ~np.isnan(requests) & (requests > 0)
    now = known.copy()
    now[:-recent] = False
    before = known & ~now
    asked, was_asked = requests[now].sum(), requests[before].sum()
    if asked <= 0 or was_asked <= 0 or before.sum() < recent:
        return None
    usual, late = errors[before].sum() / was_asked, errors[now].sum() / asked
    pooled = (errors[before].sum() + errors[now].sum()) / (asked + was_asked)
    mean = usual * requests[before]
    pearson = (errors[before] - mean) ** 2 / np.maximum(mean, 1e-9) if usual > 0 else np.zeros(1)
    dispersion = max(1.0, float(pearson.sum() / max(before.sum() - 1, 1)))
    spread = np.sqrt(dispersion * pooled * (1 / asked + 1 / was_asked))
    score = (late - usual) / spread if spread > 0 else 0.0
    return RateChange(float(late), float(usual), float(norm.sf(score)), dispersion)


def restarts_again(
    restarts: Values, pooled_per_hour: float, step_hours: float, horizon_hours: float
) -> Values:
    """The chance that an instance restarts again within the horizon [instance].

    ``restarts`` [instance, step] counts; NaN: not observed. The rate of each is gamma distributed:
    before anything is seen around the rate of all instances, and then by its own restarts, the
    late ones more than the early ones. Counts to come are then negative binomial:

        P(N ≥ 1) = 1 − (β / (β + h))^α,  α = α₀ + Σ wᵢ nᵢ,  β = α₀ / rate of all + Σ wᵢ Δ
    """
    steps = restarts.shape[1]
    age = (steps - 1 - np.arange(steps)) * step_hours
    weight = 0.5 ** (age / MEMORY_HOURS) * ~np.isnan(restarts)
    counted = (weight * np.nan_to_num(restarts)).sum(axis=1)
    exposed = weight.sum(axis=1) * step_hours
    alpha = _FEW + counted
    beta = _FEW / max(pooled_per_hour, 1e-6) + exposed
    # A burst fades: what is exposed to it grows as the weights of the hours ahead.
    faded = MEMORY_HOURS / np.log(2) * (1 - 0.5 ** (horizon_hours / MEMORY_HOURS))
    burst = 1.0 - (beta / (beta + faded)) ** alpha
    calm = -np.expm1(-pooled_per_hour * max(horizon_hours - faded, 0.0))
    chance: Values = 1.0 - (1.0 - burst) * (1.0 - calm)
    return chance


def reclaimed(monthly: Values, at_once: int, horizon_hours: float) -> float:
    """The chance that more than ``at_once`` pools are interrupted within the horizon.

    ``monthly`` [pool] is the chance that each is within a month; pools are independent.
    """
    rates = np.array([per_month_of(chance) for chance in monthly.tolist()])
    chances = -np.expm1(-rates * horizon_hours / HOURS_PER_MONTH)
    return chance_of_more(chances, at_once)
