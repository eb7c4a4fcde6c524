"""Whether traffic can be served by what is left after a loss: by sending it there."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from optimizer.verify.case import Bools, Floats, Ints

_LARGEST = 10**9
"""Flows are whole numbers of 32 bits; rates are scaled so that the largest becomes this."""


def unserved(asked: Floats, capacity: Floats, reach: Bools) -> Floats:
    """What remains unserved, rps [case], however traffic is sent.

    ``asked`` [case, origin] rps, ``capacity`` [case, region] rps, ``reach`` [origin, region]:
    where an origin's traffic may go. A greedy assignment settles most cases at once, since finding
    one way is proof enough; where it leaves something over, the maximum flow decides.
    """
    left = _left_by_greed(asked, capacity, reach)
    for i in np.flatnonzero(left > 1e-9 * (1.0 + asked.sum(axis=1))).tolist():
        left[i] = _left_by_flow(asked[i], capacity[i], reach)
    return left


def _left_by_greed(asked: Floats, capacity: Floats, reach: Bools) -> Floats:
    """Origins with the fewest places first, into the places that the fewest others may use."""
    room = capacity.copy()
    left = np.zeros(len(asked))
    rivals = reach.sum(axis=0)
    for g in np.argsort(reach.sum(axis=1), kind="stable").tolist():
        rest = asked[:, g].copy()
        places = np.flatnonzero(reach[g])
        for r in places[np.argsort(rivals[places], kind="stable")].tolist():
            sent = np.minimum(rest, room[:, r])
            rest -= sent
            room[:, r] -= sent
        left += rest
    return left


def _left_by_flow(asked: Floats, capacity: Floats, reach: Bools) -> float:
    """Demand less the maximum flow: source → origins → places → sink."""
    scale = _LARGEST / max(float(asked.sum()), 1e-9)
    origins, regions = reach.shape
    sink = origins + regions + 1
    need = np.floor(asked * scale)
    room = np.floor(np.minimum(capacity * scale, _LARGEST))
    g, r = np.nonzero(reach)
    source = np.zeros(origins, np.int64)
    tail: Ints = np.concatenate([source, 1 + g, 1 + origins + np.arange(regions)])
    head: Ints = np.concatenate([1 + np.arange(origins), 1 + origins + r, np.full(regions, sink)])
    most = np.concatenate([need, need[g], room]).astype(np.int32)
    network = csr_array((most, (tail, head)), shape=(sink + 1, sink + 1))
    sent = maximum_flow(network, 0, sink).flow_value
    return float(max(0.0, (need.sum() - sent) / scale))
