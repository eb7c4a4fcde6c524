"""Quotas and a budget that bind, set below what the company would run without them.

They can be kept, because whatever they limit can be had elsewhere: quotas limit a few families of
a few places, and the budget limits a cloud that nobody is bound to (only AWS has GPUs near every
origin, and no team is kept out of more than one cloud).
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import numpy as np

from scenarios.generate.chance import Chance
from scenarios.generate.estate import CLOUDS, GPU_TYPE
from scenarios.generate.needs import Needs, Pool

HOURS_PER_MONTH: Final = 730.0
QUOTAS: Final = {False: 2, True: 1}
"""In each cloud, so many of the largest pools have a quota that binds: on demand, and on spot."""
LEAST_SHARE: Final = 0.6
MOST_SHARE: Final = 0.9
"""A quota is between these shares of what the pool would run at its peak."""
BUDGET_SHARE: Final = 0.8
"""The budget of a cloud, against what would be spent on its instances alone."""
LEAST_OF_ALL: Final = 0.2
"""A cloud with a smaller share of all spending has no budget: owned commitments come to less."""


def binding_quotas(needs: Needs, chance: Chance) -> list[dict[str, Any]]:
    """vCPUs of a family in a region, on demand or on spot, as the clouds limit them."""
    gpu_family = GPU_TYPE.partition(".")[0]
    peak = needs.vcpus.max(axis=1, initial=0.0)
    largest: list[int] = []
    for cloud, (spot, many) in product(CLOUDS, QUOTAS.items()):
        own = [
            i for i, pool in enumerate(needs.pools)
            if pool.cloud == cloud and pool.spot == spot and pool.family != gpu_family
        ]  # fmt: skip
        largest += sorted(own, key=lambda i: -float(peak[i]))[:many]
    share = chance.uniform(LEAST_SHARE, MOST_SHARE, len(largest)).tolist()
    return [
        {"kind": "quota", "name": f"quota-{_name(needs.pools[i])}",
         "where": {"places": [needs.pools[i].place]}, "families": [needs.pools[i].family],
         "spot": needs.pools[i].spot, "vcpus_at_most": max(2, round(part * peak[i]))}
        for i, part in zip(largest, share, strict=True)
    ]  # fmt: skip


def binding_budget(needs: Needs) -> list[dict[str, Any]]:
    """For the cloud besides AWS where the most would be spent."""
    usd = {cloud: needs.usd_per_hour(cloud) for cloud in ("azure", "gcp")}
    cloud = max(usd, key=lambda name: usd[name])
    if usd[cloud] <= LEAST_OF_ALL * needs.whole_usd_per_hour:
        return []
    limit = int(np.ceil(BUDGET_SHARE * usd[cloud] * HOURS_PER_MONTH))
    return [{"kind": "budget", "name": f"{cloud}-cap", "usd_per_month": limit, "cloud": cloud}]


def _name(pool: Pool) -> str:
    place = pool.place.replace("/", "-")
    return f"{place}-{pool.family}-{'spot' if pool.spot else 'on-demand'}"
