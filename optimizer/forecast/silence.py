"""Silence: nothing is asked where something always was, as when a link or a log upstream is lost.

It ends at once, with everything that is usual at that hour. So it is no low demand that will grow
again, and tells nothing of usual days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled

LEAST_STEPS: Final = 3
"""So many steps without demand are the first that may be a silence."""

RARE: Final = 0.01
"""Where a larger share of the last week's steps than this was without demand, none is one."""


@dataclass(frozen=True, eq=False)
class Silences:
    """``within`` [step]: whether a silence was on when the step had ended; it is over after
    ``LEAST_STEPS`` steps with demand. ``age`` [step]: steps that it had lasted then, 0 where
    something came. ``usual`` [step]: demand, and in a silence that of a day before.
    """

    within: NDArray[np.bool_]
    age: NDArray[np.int64]
    usual: NDArray[np.float64]

    def chance(self, ahead: int) -> NDArray[np.float64]:
        """That demand is back ``ahead`` steps later [step]: 1 where it is not gone.

        What has lasted long lasts long: where nobody knows the mean of exponential durations (the
        prior of Jeffreys), the chance of ``ahead`` more steps is age / (age + ahead).
        """
        back: NDArray[np.float64] = 1.0 - self.age / np.maximum(self.age + ahead, 1)
        return back


def silences(demand: NDArray[np.float64], known: NDArray[np.bool_], day_steps: int) -> Silences:
    """Find silences in ``demand`` [step], which has the last known value where not ``known``."""
    return Silences(*_silences(demand, known, day_steps, LEAST_STEPS, RARE))


@compiled
def _silences(
    demand: NDArray[np.float64], known: NDArray[np.bool_], day_steps: int, least: int, rare: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64]]:
    age = np.zeros(demand.size, np.int64)
    within = np.zeros(demand.size, np.bool_)
    usual = demand.copy()
    idle, before, zeros, others, lasted = 1.0, 1.0, 0, 0, 0
    for t in range(demand.size):
        nothing = demand[t] <= 0.0
        before = before if nothing else idle
        zeros, others = (zeros + 1, 0) if nothing else (0, others + 1)
        begins = zeros == least and before < rare and t >= day_steps
        if begins or (lasted > 0 and others < least):
            lasted = lasted + 1 if lasted else least
            within[t] = True
            age[t] = lasted if nothing else 0
            usual[t] = usual[t - day_steps]
        else:
            lasted = 0
            if known[t]:
                idle += (nothing - idle) / min(t + 1.0, 7.0 * day_steps)
    return within, age, usual
