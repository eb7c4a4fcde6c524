"""The same problem with its routes settled: what is left are numbers of instances.

Routes are what ties hours, places and services together; where they stay as they are, the rest
falls into small parts that a solver takes one by one, in a fraction of the time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from optimizer.formulate.assemble import Formulation
from optimizer.problem import Problem
from optimizer.rolling.facts import Facts
from optimizer.rolling.state import Ahead

_ROUNDING = 1e-9


def settled(formulation: Formulation, facts: Facts, ahead: Ahead) -> Problem | None:
    """With the routes that ``ahead`` has in the first hour of every block.

    None where it leaves somebody without a route that the problem knows.
    """
    problem, layout = formulation.problem, formulation.layout
    region = np.array([facts.region_index[name] for name in layout.place_names], np.int64)
    shape = (*facts.shape[:1], len(facts.world.origins), facts.shape[1])
    lower, upper = problem.lower.copy(), problem.upper.copy()
    shares: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    for hour in range(layout.periods):
        routes = ahead.routes_at(layout.world.starts + timedelta(hours=hour))
        dense = np.zeros(shape)
        np.add.at(dense, (routes.service, routes.origin, routes.region), routes.share)
        shares[hour] = dense[:, :, region]
    first_of = [
        np.unique(layout.route_block_of(s), return_index=True)[1]
        for s in range(len(layout.service_names))
    ]
    known = layout.route_at >= 0
    for s, first in enumerate(first_of):
        for block, hour in enumerate(first.tolist()):
            of = np.where(known[s], shares[hour][s], 0.0)  # [origin, region]
            total = of.sum(axis=1)
            asked = known[s].any(axis=1)
            if (total[asked] < 1 - 1e-3).any():
                return None
            of = np.divide(of, total[:, None], out=of, where=total[:, None] > 0)
            column = layout.route_column[layout.route_at[s][known[s]]] + block
            lower[column] = np.maximum(of[known[s]] - _ROUNDING, 0.0)
            upper[column] = np.minimum(of[known[s]] + _ROUNDING, 1.0)
    return replace(problem, lower=lower, upper=upper)
