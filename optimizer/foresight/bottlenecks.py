"""When load breaks a latency objective: capacity curves and the growth of load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from optimizer.foresight.curve import Break, Curve, fitted
from optimizer.foresight.exhaustion import Passage, passage
from optimizer.foresight.growth import ASKED

CURVE_DAYS: Final = 28
"""What is older says nothing of the curve of today."""

FORESEEN_WITHIN: Final = 6.0
"""How far apart the ends of the interval of the breaking load may be for anything to be foreseen:
what is not known is in the probability."""

LEAST_DAYS: Final = 9
"""Before it has seen a weekend and the days around it, nobody knows growth from a Monday."""

LEAST_SHIFT: Final = 0.04
"""A new version is one when latency at the same load changes by this share."""

SURE: Final = 5.0
CALIBRATED: Final = (1.3, -0.1)
"""Slope and intercept by which the log odds of a chance become those with which it comes true
(Platt 1999): by maximum likelihood on planted loads of the benchmark, seeds 0 to 11 and 60 to 65.
"""

_SHIFT_DAYS: Final = 2
_NO_LOAD: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Bottleneck:
    """``curve`` None: too little is known. ``breaks``: where the objective does; None without a
    curve. ``ahead``: when load gets there; None where nobody knows where that is.
    """

    curve: Curve | None
    breaks: Break | None
    ahead: Passage | None

    @property
    def probability(self) -> float:
        return 0.0 if self.ahead is None else float(self.ahead.probability[0])


def bottleneck(
    load: NDArray[np.float64],
    latency: NDArray[np.float64],
    objective: float,
    day_steps: int,
    week_step: int,
    horizon: int,
) -> Bottleneck:
    """``load`` per replica and ``latency`` [step] of one service, as seen after the last step.

    ``week_step`` as of ``passage``.
    """
    curve = present_curve(load, latency, day_steps)
    if curve is None:
        return Bottleneck(None, None, None)
    breaks = curve.breaks(objective)
    if (
        not breaks.low > 0
        or breaks.high > FORESEEN_WITHIN * breaks.low
        or load.size < LEAST_DAYS * day_steps
    ):
        return Bottleneck(curve, breaks, None)
    # Latency strays: what is usual above the curve breaks the objective some way before it does.
    first = curve.breaks(objective * float(np.exp(-curve.noise)))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(load > 0, np.log(load), np.nan)[None]
    ahead = passage(
        logs,
        day_steps,
        week_step,
        horizon,
        np.array([np.log(max(first.load, _NO_LOAD))]),
        np.array([first.spread]),
        empties=False,
        doubt=ASKED,
    )
    return Bottleneck(curve, breaks, _calibrated(ahead))


def _calibrated(ahead: Passage) -> Passage:
    """The same with the chance that it happens at all as ``CALIBRATED`` has it; when, if it does,
    stays.
    """
    slope, intercept = CALIBRATED
    chance = ahead.probability
    share = expit(slope * logit(chance) + intercept)
    factor = np.divide(share, chance, out=np.zeros(chance.shape), where=chance > 0)
    return replace(ahead, reached=ahead.reached * factor[:, None])


def present_curve(
    load: NDArray[np.float64], latency: NDArray[np.float64], day_steps: int
) -> Curve | None:
    """The curve as it is now: of all that was measured, or since it last shifted.

    Residuals of the curve of all are compared before and after every midnight; where their
    medians differ most, and by more than chance, a new version is thought to have come.
    """
    load, latency = load[-CURVE_DAYS * day_steps :], latency[-CURVE_DAYS * day_steps :]
    whole = fitted(load, latency)
    if whole is None:
        return None
    known = ~np.isnan(load) & ~np.isnan(latency) & (load > 0) & (latency > 0)
    at = np.flatnonzero(known)
    rest = np.log(latency[at]) - np.log(whole.latency(load[at]))
    noise = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    best, since = 0.0, 0
    for day in range(_SHIFT_DAYS, load.size // day_steps - _SHIFT_DAYS + 1):
        cut = int(np.searchsorted(at, day * day_steps))
        before, after = rest[:cut], rest[cut:]
        if min(before.size, after.size) < day_steps:
            continue
        shift = abs(float(np.median(after) - np.median(before)))
        chance = 1.2533 * noise * np.sqrt(1 / before.size + 1 / after.size)
        if shift > max(LEAST_SHIFT, SURE * chance) and shift / chance > best:
            best, since = shift / chance, int(at[cut])
    return (fitted(load[since:], latency[since:]) or whole) if since else whole
