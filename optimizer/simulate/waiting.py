"""How long requests wait for a replica that is not overloaded."""

from __future__ import annotations

from typing import Final

import numpy as np

from optimizer.compiled import compiled

NONE: Final = 1e-12
"""A smaller share than this is nothing, and is not worked out."""


@compiled
def late_share(
    load: float, servers: float, service_s: float, wait_s: float, variability: float
) -> float:
    """Share of requests that wait longer than ``wait_s`` in a G/G/c queue in equilibrium.

    ``load``: share of their time that the ``servers`` work, each ``service_s`` on a request.
    Requests wait at all with the chance of M/M/c (Erlang C), and then for a time that is
    exponential with mean service_s · variability / (c (1 - load)), so that the mean wait is that of
    Allen and Cunneen (Allen 1990): ``variability`` is half the sum of the squared coefficients of
    variation of arrivals and service, 1 for M/M/c, for which all of this is exact. 1 when
    overloaded.
    """
    if load >= 1.0:
        return 1.0
    if load <= 0.0:
        return 0.0
    later = 1.0
    if wait_s > 0.0:
        mean_s = service_s * max(variability, 1e-9) / (servers * (1.0 - load))
        later = np.exp(-wait_s / mean_s)
        if later < NONE:
            return 0.0
    blocked = 1.0  # Erlang B, server by server
    for k in range(1, int(servers) + 1):
        blocked = servers * load * blocked / (k + servers * load * blocked)
    return float(later * blocked / (1.0 - load * (1.0 - blocked)))
