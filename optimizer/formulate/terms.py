"""On what terms services may leave demand unmet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.egress import SECONDS_PER_HOUR
from models.world import World
from optimizer.problem import Floats

REQUESTS_PER_PRICE = 1e6


@dataclass(frozen=True, eq=False)
class UnmetTerms:
    """What services may leave unmet, and what that costs: arrays over services.

    ``at_most`` is a share of demand, 0 for none; ``usd_per_replica_hour`` the price of an hour in
    which one replica's requests go unserved.
    """

    at_most: Floats
    usd_per_replica_hour: Floats

    @classmethod
    def of(cls, world: World) -> UnmetTerms:
        """The terms of the policy, and of services that have their own."""
        policy = world.policy
        own = [
            (
                policy.unmet_at_most if s.unmet_at_most is None else s.unmet_at_most,
                policy.unmet_usd_per_million_requests
                if s.unmet_usd_per_million_requests is None
                else s.unmet_usd_per_million_requests,
            )
            for s in world.services
        ]
        at_most, price = np.array(own, np.float64).reshape(len(own), 2).T
        rate = np.array([service.replica.throughput_rps for service in world.services])
        return cls(at_most, price * rate * SECONDS_PER_HOUR / REQUESTS_PER_PRICE)
