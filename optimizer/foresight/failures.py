"""Failures before they happen: errors that become more, instances that restart again and again,
spot capacity that is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma, norm

from models.interruptions import chance_of_more, per_month_of
from models.world import HOURS_PER_MONTH

Values = NDArray[np.float64]

FAILS_AT: Final = 0.05
"""A service fails when this share of its requests does."""

RECENT_HOURS: Final = 6.0
USUAL_DAYS: Final = 14
BURST_GAP_HOURS: Final = 24.0
"""Restarts farther apart have nothing to do with each other."""

BURST_HOURS: Final = 36.0
"""How long bursts of restarts last, in the mean."""

_BURST_SHAPE: Final = 0.5
_BURST_APART_HOURS: Final = 6.0
"""Before a burst has shown more than its first restart: how it varies, and how far apart it is."""

_SHARES: Final = (np.arange(64) + 0.5) / 64


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


def restarts_again(restarts: Values, step_hours: float, horizon_hours: float) -> Values:
    """The chance that an instance restarts again within the horizon [instance].

    ``restarts`` [instance, step] counts; NaN: not observed. Restarts no farther apart than
    ``BURST_GAP_HOURS`` are a burst: a Poisson process with the rate λ, gamma distributed by what
    the burst has shown, that ends with the hazard η = 1 / ``BURST_HOURS``. After q hours of
    silence it goes on with the weight of that silence under it, against having ended since:

        P = E[e^−(λ+η)q · λ/(λ+η) · (1 − e^−(λ+η)h)] / E[e^−(λ+η)q + η/(λ+η) · (1 − e^−(λ+η)q)]

    Besides, bursts begin at the rate at which they did with all instances.
    """
    gap = max(round(BURST_GAP_HOURS / step_hours), 1)
    chance, begun = np.zeros(len(restarts)), 0.5
    for row, own in enumerate(restarts):
        at = np.flatnonzero(own > 0)
        if not at.size:
            continue
        apart = np.flatnonzero(np.diff(at) > gap)
        begun += 1 + apart.size
        burst = at[apart[-1] + 1 if apart.size else 0 :]
        seen = np.cumsum(~np.isnan(own)) * step_hours
        span, silent = seen[burst[-1]] - seen[burst[0]], seen[-1] - seen[burst[-1]]
        shape = _BURST_SHAPE + float(own[burst].sum()) - 1.0
        rate = gamma.ppf(_SHARES, shape) / (_BURST_SHAPE * _BURST_APART_HOURS + span)
        both = rate + 1.0 / BURST_HOURS
        quiet = np.exp(-both * silent)
        again = quiet * rate / both * -np.expm1(-both * horizon_hours)
        ended = (1.0 - rate / both) * (1.0 - quiet)
        chance[row] = again.mean() / (quiet + ended).mean()
    observed = max(float((~np.isnan(restarts)).sum()) * step_hours, 1.0)
    calm = -np.expm1(-begun / observed * horizon_hours)
    either: Values = 1.0 - (1.0 - chance) * (1.0 - calm)
    return either


def reclaimed(monthly: Values, at_once: int, horizon_hours: float) -> float:
    """The chance that more than ``at_once`` pools are interrupted within the horizon.

    ``monthly`` [pool] is the chance that each is within a month; pools are independent.
    """
    rates = np.array([per_month_of(chance) for chance in monthly.tolist()])
    chances = -np.expm1(-rates * horizon_hours / HOURS_PER_MONTH)
    return chance_of_more(chances, at_once)
