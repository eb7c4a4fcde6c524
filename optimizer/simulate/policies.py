"""How people set the number of replicas today, and how they would if they knew the future.

A policy's ``wanted`` [step] is decided when each step begins: it looks at ``demand`` of earlier
steps only, but for perfect foresight. Demand that is not known is NaN, and is taken to be the last
that was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from optimizer.simulate.replay import Replica, over_last

_ALMOST = 1e-9
"""A replica more for less than this share of one is rounding."""


class Policy(Protocol):
    """Decides how many replicas there are to be."""

    def wanted(self, demand: NDArray[np.float64], replica: Replica) -> NDArray[np.int64]: ...


def known(demand: NDArray[np.float64]) -> NDArray[np.float64]:
    """``demand`` with the last known value where it is unknown; 0 before the first."""
    seen = ~np.isnan(demand)
    last = np.maximum.accumulate(np.where(seen, np.arange(demand.size), -1))
    return np.where(last >= 0, demand[np.maximum(last, 0)], 0.0)


def enough(demand: NDArray[np.float64], replica: Replica) -> NDArray[np.int64]:
    """Replicas that serve ``demand``: at least one."""
    wanted = np.ceil(demand / replica.serves - _ALMOST)
    return np.maximum(wanted, 1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Static:
    """The same number always."""

    replicas: int

    def wanted(self, demand: NDArray[np.float64], replica: Replica) -> NDArray[np.int64]:
        return np.full(demand.size, self.replicas, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Reactive:
    """Target tracking, as Kubernetes' autoscaler and the clouds' own do it.

    As many as would have been used to the share ``target`` in the last step; the most that this
    said in the last ``stabilisation_steps`` steps.
    """

    target: float
    stabilisation_steps: int = 1

    def wanted(self, demand: NDArray[np.float64], replica: Replica) -> NDArray[np.int64]:
        said = enough(known(demand) / self.target, replica)
        said = np.concatenate([said[:1], said[:-1]])
        return over_last(np.maximum, said, self.stabilisation_steps)


@dataclass(frozen=True, slots=True)
class Yesterday:
    """What was needed ``period_steps`` ago when the replicas started now serve, times how the
    last ``level_steps`` compare with those a period ago, times ``headroom``.
    """

    period_steps: int
    level_steps: int
    headroom: float = 1.0

    def wanted(self, demand: NDArray[np.float64], replica: Replica) -> NDArray[np.int64]:
        demand, n = known(demand), demand.size
        sums = np.concatenate([[0.0], np.cumsum(demand)])
        step = np.arange(n)
        recent = sums[step] - sums[np.maximum(step - self.level_steps, 0)]
        then = np.maximum(step - self.period_steps, 0)
        former = sums[then] - sums[np.maximum(then - self.level_steps, 0)]
        level = np.divide(recent, former, out=np.ones(n), where=former > 0)
        ahead = np.minimum(then + replica.boot_steps, step - 1)
        guess = demand[np.maximum(ahead, 0)] * level * self.headroom
        last = demand[np.maximum(step - 1, 0)]
        return enough(np.where(step >= self.period_steps, guess, last), replica)


@dataclass(frozen=True, slots=True)
class Foresight:
    """Exactly what is needed, known beforehand, for blocks of ``block_steps`` steps.

    Nobody can do better without letting requests go or wait.
    """

    block_steps: int = 1

    def wanted(self, demand: NDArray[np.float64], replica: Replica) -> NDArray[np.int64]:
        need = enough(known(demand), replica)
        first = np.arange(0, need.size, self.block_steps)
        highest = np.maximum.reduceat(need, first)
        return np.repeat(highest, self.block_steps)[: need.size]
