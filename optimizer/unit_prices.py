"""What one replica of a service costs, place by place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.world import World
from optimizer.formulate.market import survey


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """The cheapest way to hold a replica in a place: a full instance, shared by its replicas.

    Compute alone: what a rule or the traffic adds is the plan's affair.
    """

    place: str
    usd_per_replica_hour: float
    instance_type: str
    purchase: str


def unit_prices(world: World, service: str) -> tuple[UnitPrice, ...]:
    """The cheapest replica of ``service`` in every candidate place that can hold one, by price.

    Rules are not looked at. Raises ``ValueError`` for a service that the world does not have.
    """
    (index,) = [i for i, s in enumerate(world.services) if s.name == service]
    options = survey(world).options
    own = options.where(options.service == index)
    each = own.price_usd_per_hour / own.replicas
    by_price = np.argsort(each, kind="stable")
    _, first = np.unique(own.region[by_price], return_index=True)
    return tuple(
        UnitPrice(
            world.regions[own.region[i]].place,
            float(each[i]),
            str(world.book.offerings["instance_type"].iloc[own.offering[i]]),
            str(world.book.offerings["purchase"].iloc[own.offering[i]]),
        )
        for i in by_price[np.sort(first)].tolist()
    )
