"""How many of the users' requests each place answers."""

from __future__ import annotations

import numpy as np

from models.plan import Plan


def user_traffic_rps(plan: Plan) -> dict[tuple[str, str], float]:
    """Mean rps over the horizon from origin to place: requests that users make themselves.

    Calls between services are left out: they start at the caller's place, not at the origin.
    """
    direct = set(plan.forecast.series)
    table = plan.placement.routes
    pairs = zip(table["service"], table["origin"], strict=True)
    routes = table[np.array([pair in direct for pair in pairs], dtype=bool)]
    row = {service.name: i for i, service in enumerate(plan.world.services)}
    column = {origin.name: j for j, origin in enumerate(plan.world.origins)}
    s = routes["service"].map(row).to_numpy(np.int64)
    g = routes["origin"].map(column).to_numpy(np.int64)
    periods = plan.demand_rps.shape[2]
    first = routes["first_period"].to_numpy(np.int64)
    last = np.minimum(first + routes["periods"].to_numpy(np.int64), periods)
    so_far = np.concatenate(
        [np.zeros((*plan.demand_rps.shape[:2], 1)), plan.demand_rps.cumsum(axis=2)], axis=2
    )
    rps = (so_far[s, g, last] - so_far[s, g, first]) * routes["share"].to_numpy(np.float64)
    places = routes["cloud"].astype(str) + "/" + routes["region"].astype(str)
    traffic: dict[tuple[str, str], float] = {}
    for origin, place, value in zip(routes["origin"], places, rps / periods, strict=True):
        pair = (str(origin), str(place))
        traffic[pair] = traffic.get(pair, 0.0) + float(value)
    return traffic
