"""Choose a policy by how it would have done, for a price on what is not served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from optimizer.simulate.replay import Replayed

_Key = TypeVar("_Key")


def total(replayed: Replayed, steps: slice, serves: float, worth: float) -> float:
    """Replica-steps paid, and ``worth`` for every replica's work (``serves``) left undone."""
    undone = float(np.nansum(replayed.unserved[steps])) / serves
    return replayed.cost(steps) + worth * undone


def cheapest(tried: Mapping[_Key, Replayed], steps: slice, serves: float, worth: float) -> _Key:
    """The key whose policy had the least ``total`` over ``steps``; the first one of equals."""
    return min(tried, key=lambda key: total(tried[key], steps, serves, worth))


def frontier(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of ``points`` [point, (cost, unserved share)] those that no other one beats in both, by
    unserved share.
    """
    ordered = points[np.lexsort((points[:, 0], points[:, 1]))]
    before = np.concatenate([[np.inf], np.minimum.accumulate(ordered[:, 0])[:-1]])
    return ordered[ordered[:, 0] < before]


def cost_at(points: NDArray[np.float64], unserved_share: float) -> float:
    """The cost at which a frontier reaches ``unserved_share``, between its points linear in the
    logarithm of the share; NaN where it never does.
    """
    best = frontier(points)
    if unserved_share < best[0, 1]:
        return float("nan")
    share = np.log(np.maximum(best[:, 1], 1e-12))
    return float(np.interp(np.log(unserved_share), share, best[:, 0]))
