"""What a number of replicas, decided step by step, costs and serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.int64, np.float64)


def over_last(of: np.ufunc, values: NDArray[Number], steps: int) -> NDArray[Number]:
    """``of``, a minimum or maximum, over the last ``steps`` of ``values`` [step], each step's own
    included; before the first they were what the first is.

    By windows that double, since those that overlap change neither.
    """
    found, width = np.concatenate([np.full(steps - 1, values[0]), values]), 1
    while width < steps:
        shift = min(width, steps - width)
        found, width = of(found[shift:], found[:-shift]), width + shift
    return found


@dataclass(frozen=True, slots=True)
class Replica:
    """``serves``: requests that one replica serves in a step. ``boot_steps``: whole steps from its
    start until it serves; they are billed.
    """

    serves: float
    boot_steps: int


@dataclass(frozen=True, eq=False)
class Replayed:
    """``billed`` and ``serving`` replicas [step], and requests ``unserved`` [step].

    NaN in ``unserved`` where nobody knows what was asked: such steps count neither as cost nor as
    demand.
    """

    billed: NDArray[np.int64]
    serving: NDArray[np.int64]
    demand: NDArray[np.float64]
    unserved: NDArray[np.float64]

    def cost(self, steps: slice = slice(None)) -> int:
        """Replica-steps that are paid."""
        return int(self.billed[steps][~np.isnan(self.demand[steps])].sum())

    def unserved_share(self, steps: slice = slice(None)) -> float:
        """Share of all requests that are not served; 0 when there are none."""
        asked = float(np.nansum(self.demand[steps]))
        return float(np.nansum(self.unserved[steps])) / asked if asked > 0 else 0.0

    def starts(self, steps: slice = slice(None)) -> int:
        """Replicas that are started."""
        return int(np.maximum(np.diff(self.billed[steps]), 0).sum())


def replay(wanted: NDArray[np.int64], demand: NDArray[np.float64], replica: Replica) -> Replayed:
    """Keep ``wanted`` [step] replicas, decided when the step begins, under ``demand`` [step].

    The youngest replicas leave first, at once, whether or not they have booted. So the k-th
    replica serves in a step if at least k have been wanted for ``boot_steps`` steps and are now:
    what serves is the least that was wanted since then. Before the first step, as many as in the
    first step were wanted for long. A request that is not served in its step is lost.
    """
    serving = over_last(np.minimum, wanted, replica.boot_steps + 1)
    unserved = np.maximum(demand - serving * replica.serves, 0.0)
    return Replayed(wanted, serving, demand, unserved)
