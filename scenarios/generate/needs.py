"""What an invented company would run where nothing but places and purchase options bound it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.capacity import replicas_per_instance
from models.offerings import Architecture, Purchase
from models.services import Replica
from scenarios.generate.chance import Floats
from scenarios.generate.company import ORIGINS, Company
from scenarios.generate.estate import CLOUDS, HEADROOM, NEAREST, PLACES

Bools = NDArray[np.bool_]
LARGEST_VCPUS: Final = 16
"""Larger types are cheaper per replica where services fill them, and most services do not."""


class Pool(NamedTuple):
    """One family of instance types in one place, under one purchase option."""

    place: str
    family: str
    spot: bool

    @property
    def cloud(self) -> str:
        return self.place.partition("/")[0]


@dataclass(frozen=True, eq=False)
class Needs:
    """By pool, what runs in each hour of the last week: ``vcpus`` and list price ``usd``,
    [pool, hour]. ``unit_usd_per_hour`` [service] is the least that one replica costs.

    ``alone_usd_per_hour`` is the mean list price of each pool on demand if its cloud were the only
    one, for all who may use it.
    """

    pools: tuple[Pool, ...]
    vcpus: Floats
    usd: Floats
    unit_usd_per_hour: Floats
    alone_usd_per_hour: dict[Pool, float]

    def usd_per_hour(self, cloud: str) -> float:
        """Mean list price of what runs in a cloud."""
        own = [pool.cloud == cloud for pool in self.pools]
        return float(self.usd[own].mean(axis=1).sum())

    @property
    def whole_usd_per_hour(self) -> float:
        """Mean list price of everything."""
        return float(self.usd.mean(axis=1).sum())

    def largest_alone(self, cloud: str) -> Pool | None:
        """The pool that the most would be paid for if its cloud were the only one."""
        own = [pool for pool in self.alone_usd_per_hour if pool.cloud == cloud]
        return max(own, key=lambda pool: self.alone_usd_per_hour[pool], default=None)


class _Offer(NamedTuple):
    """The cheapest way to run one replica in a place."""

    usd_per_hour: float
    vcpus: float
    pool: Pool


def needs_of(
    company: Company, demand_rps: Floats, rules: Iterable[dict[str, Any]], offerings: pd.DataFrame
) -> Needs:
    """Every replica near the users whom it serves, at the least price per replica.

    ``demand_rps`` has shape [service, origin, hour]. Of ``rules``, those that keep teams out of
    clouds or off spot are respected. An estimate: replicas are whole, instances are not.
    """
    barred, steady = _bounds(company, rules)
    shape, first = _shapes(company)
    offers = [_offers(company.services.iloc[i], offerings) for i in first.tolist()]
    throughput = company.services["replica_throughput_rps"].to_numpy()
    spot_tolerant = company.services["spot_tolerant"].to_numpy() & ~steady
    unit = np.full(len(throughput), np.inf)
    hours = demand_rps.shape[2]
    tally = _Tally(hours, {}, {}, {})
    # Few services differ in what they may choose from, so choices are made once per kind of them.
    alike = np.column_stack([shape, barred, spot_tolerant]).astype(np.int64)
    kinds, kind_of = np.unique(alike, axis=0, return_inverse=True)
    for j, origin in enumerate(ORIGINS):
        for k, (which, *bars, spot) in enumerate(kinds.tolist()):
            own = np.flatnonzero(kind_of == k)
            near = [p for p, bar in zip(NEAREST[origin], bars, strict=True) if not bar]
            replicas = np.ceil(demand_rps[own, j] / throughput[own, None]).sum(axis=0)
            usd_per_hour = tally.add(replicas, offers[which], near, spot=bool(spot))
            unit[own] = np.minimum(unit[own], usd_per_hour)
    pools = tuple(sorted(tally.vcpus))
    vcpus, usd = (
        np.array([of_pool[pool] for pool in pools]).reshape(-1, hours)
        for of_pool in (tally.vcpus, tally.usd)
    )
    return Needs(pools, vcpus, usd, unit, tally.alone)


class _Tally(NamedTuple):
    """By pool: ``vcpus`` and ``usd`` [hour], and mean USD per hour were its cloud ``alone``."""

    hours: int
    vcpus: dict[Pool, Floats]
    usd: dict[Pool, Floats]
    alone: dict[Pool, float]

    def add(
        self,
        replicas: Floats,
        offers: dict[tuple[str, bool], _Offer],
        near: list[str],
        *,
        spot: bool,
    ) -> float:
        """Run ``replicas`` [hour] in the best of the places; USD per hour of one of them."""
        steady = [offers[place, False] for place in near if (place, False) in offers]
        on_spot = [offers[place, True] for place in near if spot and (place, True) in offers]
        for offer in steady:
            usd_per_hour = float(replicas.mean()) * offer.usd_per_hour
            self.alone[offer.pool] = self.alone.get(offer.pool, 0.0) + usd_per_hour
        if not steady + on_spot:
            return float(np.inf)
        best = min(steady + on_spot)
        for sums, each in ((self.vcpus, best.vcpus), (self.usd, best.usd_per_hour)):
            sums.setdefault(best.pool, np.zeros(self.hours))
            sums[best.pool] += replicas * each
        return best.usd_per_hour


def _bounds(company: Company, rules: Iterable[dict[str, Any]]) -> tuple[Bools, Bools]:
    """Clouds that services are kept out of, [service, cloud], and services kept off spot."""
    teams = company.services["team"].to_numpy()
    barred = np.zeros((len(teams), len(CLOUDS)), np.bool_)
    steady = np.zeros(len(teams), np.bool_)
    for rule in rules:
        if rule["kind"] == "allowed_places":
            columns = [CLOUDS.index(cloud) for cloud in rule["forbid"]["clouds"]]
            barred[np.ix_(teams == rule["services"]["team"], columns)] = True
        elif rule["kind"] == "spot_share" and rule["at_most"] == 0:
            steady |= teams == rule["services"]["team"]
    return barred, steady


def _shapes(company: Company) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for the replica of every service, and the first service with each."""
    columns = ["replica_vcpus", "replica_memory_gib", "replica_gpus", "architectures"]
    number = company.services.groupby(columns, sort=False).ngroup().to_numpy(np.int64)
    first = np.unique(number, return_index=True)[1].astype(np.int64)
    return number.astype(np.int64), first


def _offers(service: Any, offerings: pd.DataFrame) -> dict[tuple[str, bool], _Offer]:
    """The cheapest offer for a replica, by place and whether it is on spot."""
    replica = Replica(
        service["replica_vcpus"], service["replica_memory_gib"], 1.0,
        gpus=service["replica_gpus"], gpu_models=frozenset(service["replica_gpu_models"].split()),
    )  # fmt: skip
    built_for = [Architecture(name).value for name in service["architectures"].split()]
    return dict(_cheapest_by_place(replica, built_for, offerings))


def _cheapest_by_place(
    replica: Replica, built_for: list[str], offerings: pd.DataFrame
) -> Iterator[tuple[tuple[str, bool], _Offer]]:
    kept = offerings[
        offerings["architecture"].astype(str).isin(built_for)
        & ~offerings["burstable"].astype(bool)
        & (offerings["vcpus"] <= LARGEST_VCPUS)
        & ((offerings["gpus"] > 0) == (replica.gpus > 0))
    ]
    fits = replicas_per_instance(replica, kept, HEADROOM)
    kept, fits = kept[fits > 0], fits[fits > 0]
    table = pd.DataFrame(
        {
            "place": kept["cloud"].astype(str) + "/" + kept["region"].astype(str),
            "purchase": kept["purchase"].astype(str),
            "family": kept["family"].astype(str),
            "usd": kept["price_usd_per_hour"] / fits,
            "vcpus": kept["vcpus"] / fits,
        }
    ).sort_values(["usd", "vcpus", "family"], kind="stable")
    table = table.drop_duplicates(["place", "purchase"])
    for place, purchase, family, usd, vcpus in table.itertuples(index=False, name=None):
        if place in PLACES and purchase in (Purchase.SPOT, Purchase.ON_DEMAND):
            spot = purchase == Purchase.SPOT
            yield (place, spot), _Offer(usd, vcpus, Pool(place, family, spot))
