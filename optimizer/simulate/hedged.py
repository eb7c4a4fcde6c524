"""Replicas that pay, given what the next steps may bring: prediction with a hedge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.forecast.next_steps import foreseen
from optimizer.forecast.silence import silences
from optimizer.forecast.straying import GRID, REFRESH_STEPS, Straying, straying
from optimizer.simulate.policies import Reactive, known
from optimizer.simulate.replay import Replica

LOOK_BEYOND_BOOT: Final = 5
"""Steps that are looked at beyond a boot: more did not pay on public traces."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What every step of a series looked like beforehand, for each step ahead: how demand may
    stray, and the ``chance`` [step] that there is any (less than 1 in a silence).
    """

    of: tuple[Straying, ...]
    chance: tuple[NDArray[np.float64], ...]


def outlook(demand: NDArray[np.float64], replica: Replica, day_steps: int, power: float) -> Outlook:
    """Foresee ``demand`` [step], NaN where unknown, as far ahead as a decision looks.

    Errors grow with demand to the ``power``.
    """
    told = ~np.isnan(demand)
    silent = silences(known(demand), told, day_steps)
    told, usual = told & ~silent.within, silent.usual
    aheads = range(1, replica.boot_steps + LOOK_BEYOND_BOOT + 1)
    return Outlook(
        tuple(
            straying(
                usual, told, foreseen(usual, told, ahead, day_steps), ahead, day_steps,
                replica.serves, power,
            )
            for ahead in aheads
        ),
        tuple(silent.chance(ahead) for ahead in aheads),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hedged:
    """Every replica runs while that is expected to pay.

    ``worth``: what a replica's full work in a step is worth, in steps of a replica's rent; the
    price at which requests are let go. The k-th replica's work in a step is what demand exceeds
    that of k - 1 by, at most its own. Replica by replica, the best times to start and stop over
    the next steps follow from expected work by dynamic programming: a start is paid for a boot
    before it works. Only the first decision is carried out, and all is foreseen anew.

    ``guard``: never fewer than ``Reactive`` with this target would have; 0: no such correction.
    ``power``: errors grow with demand to it, 0.5 like those of counts, 1 in proportion.
    """

    worth: float
    day_steps: int
    power: float = 1.0
    guard: float = 0.0

    def wanted(self, demand: NDArray[np.float64], replica: Replica) -> NDArray[np.int64]:
        decided = self.decided(outlook(demand, replica, self.day_steps, self.power), replica)
        if not self.guard:
            return decided
        return np.maximum(decided, Reactive(self.guard).wanted(demand, replica))

    def decided(self, seen: Outlook, replica: Replica) -> NDArray[np.int64]:
        """The same without the guard, from an outlook that is there already."""
        expected = np.stack([one.expected for one in seen.of])
        scale = np.stack([one.scale for one in seen.of])
        excess = np.stack([one.excess for one in seen.of])
        decided = _decide(
            expected, scale, excess, np.stack(seen.chance),
            GRID[0], GRID[1] - GRID[0], REFRESH_STEPS,
            replica.serves, replica.boot_steps, self.worth,
        )  # fmt: skip
        # What is decided when a step has ended holds from the next one on.
        return np.concatenate([decided[:1], decided[:-1]])


@compiled
def _above(excess: NDArray[np.float64], z: float, first: float, width: float) -> float:
    """Mean of max(error - z, 0), in scales, from its table."""
    x = (z - first) / width
    if x <= 0.0:
        return float(excess[0] + first - z)
    j = int(x)
    if j >= excess.size - 1:
        return 0.0
    return float(excess[j] + (x - j) * (excess[j + 1] - excess[j]))


@compiled
def _decide(
    expected: NDArray[np.float64],
    scale: NDArray[np.float64],
    excess: NDArray[np.float64],
    chance: NDArray[np.float64],
    first: float,
    width: float,
    every: int,
    serves: float,
    boot: int,
    worth: float,
) -> NDArray[np.int64]:
    horizon, steps = expected.shape
    wanted = np.empty(steps, np.int64)
    ages = np.zeros(16, np.int64)  # steps since replicas were started, oldest first
    running = 1
    ages[0] = boot
    gain = np.zeros(horizon + 1)
    on = np.zeros(horizon + boot + 2)
    off = np.zeros(horizon + boot + 2)
    for t in range(steps):
        table = t // every
        # Replicas that run and are sure to have all the work that they can do, stay.
        keep = running if worth > 1.0 and chance[0, t] == 1.0 else 0
        for h in range(horizon):
            sure = (expected[h, t] + first * scale[h, t]) / serves
            keep = min(keep, max(int(sure), 0))
        k = keep
        while True:
            for h in range(horizon):
                low = (serves * k - expected[h, t]) / scale[h, t]
                high = (serves * (k + 1) - expected[h, t]) / scale[h, t]
                work = _above(excess[h, table], low, first, width)
                work -= _above(excess[h, table], high, first, width)
                gain[h + 1] = worth * chance[h, t] * work * scale[h, t] / serves - 1.0
            for h in range(horizon, 0, -1):
                on[h] = gain[h] + on[h + 1]
                start = on[h + boot] - boot if h + boot <= horizon else 0.0
                off[h] = max(off[h + 1], start)
                on[h] = max(on[h], off[h])
            if k < running:
                left = max(boot - ages[k], 0)
                best = on[1 + left] - left if left else gain[1] + on[2]
                pays = best >= off[1]
            else:
                pays = on[1 + boot] - boot > max(off[2], 0.0)
            if pays:
                keep = k + 1
            elif k >= running or k > keep + 1:
                break
            k += 1
        keep = max(keep, 1)
        if keep > ages.size:
            grown = np.zeros(2 * keep, np.int64)
            grown[: ages.size] = ages
            ages = grown
        for i in range(keep):
            ages[i] = ages[i] + 1 if i < running else 0
        running = keep
        wanted[t] = running
    return wanted
