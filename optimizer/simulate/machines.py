"""What a replica of each service costs, and how it behaves, in the simulated cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.errors import Fault, FaultyInput
from models.offerings import MONTHLY_INTERRUPTION
from models.rules import LatencyRule, SpotRiskRule, SpotShareRule
from models.services import Service
from models.world import World
from optimizer.formulate.market import Options, survey
from optimizer.formulate.reach import Distances, find_reach, measure
from optimizer.problem import Bools, Floats
from optimizer.simulate.asked import Asked
from optimizer.simulate.cloud import PER_SECOND, Billing, Hazards, Machine, knee

LEAST_WAIT_S: Final = 0.1
USUAL_INTERRUPTION: Final = 0.05
"""Chance of a month that a spot pool is taken away, where prices do not tell: AWS's own figure for
the frequency across regions and instance types is below that."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says about the simulated cloud; None: as the world says."""

    billing: Billing = PER_SECOND
    boot_spread: float = 0.0
    failures_per_month: float = 0.0
    monthly_interruption: float | None = None
    notice_s: int = 120
    outage_hours: float = 1.0
    cooldown_s: int = 0
    patience_s: int = 10
    wait_s: float | None = None
    max_replicas: int | None = None
    spot: bool = True


AS_WORLD: Final = Settings()


@dataclass(frozen=True, slots=True)
class Bought:
    """How a service is held: ``machine`` is one replica, a share of a full instance."""

    service: str
    machine: Machine
    place: str
    instance_type: str
    purchase: str


@dataclass(frozen=True, slots=True)
class Price:
    """What a replica costs: in region ``region`` of the world; ``monthly_interruption`` None where
    nobody says.
    """

    usd_per_hour: float
    on_demand_usd_per_hour: float
    spot: bool
    region: int
    place: str
    instance_type: str
    purchase: str
    monthly_interruption: float | None = None


def bought(
    world: World, asked: Asked, settings: Settings, planned: Mapping[str, Price] | None = None
) -> tuple[Bought, ...]:
    """How replicas of each service are held: as ``planned``, else the cheapest lawful way.

    The cheapest way is in one place: where all of the service's users may be served, if there is
    one, else any of them; on an instance that holds no more replicas than are usually needed, so
    that it is full. Spot only where nothing limits its share or risk. Raises ``FaultyInput``
    naming the services that may run nowhere, or are not in the plan.
    """
    market = survey(world)
    distances = measure(world)
    allowed = find_reach(world, distances, market.lacks.items()).allowed
    limited = {
        name
        for rule in world.rules
        if isinstance(rule, SpotShareRule | SpotRiskRule)
        for name in rule.services
    }
    found, faults = [], []
    for name, rps in zip(asked.services, asked.rps, strict=True):
        s = world.service_index[name]
        service, askers = world.services[s], _askers(world, name)
        reach = allowed[s][askers]
        if planned is None:
            own = market.options.where(market.options.service == s)
            if not settings.spot or name in limited:
                own = own.where(~own.spot)
            price = _cheapest(world, service, own, reach, rps)
        else:
            price = planned.get(name)
        if price is None:
            what = "may hold" if planned is None else "of the plan holds"
            hint = "trimtab why-not says why" if planned is None else "plan again, or leave it out"
            faults.append(Fault(service.at, f"no offering {what} a replica of {name!r}", hint))
            continue
        served = [g for g, may in zip(askers, reach[:, price.region], strict=True) if may]
        wait_s = _wait_s(world, service, distances, served, price.region, settings)
        found.append(_held(service, price, wait_s, settings))
    if faults:
        raise FaultyInput(faults)
    return tuple(found)


def _askers(world: World, name: str) -> list[int]:
    """Origins that ask for a service themselves; all of them when it is called by others only."""
    frame = world.history.frame
    own = set(frame["origin"][(frame["service"] == name).to_numpy()].astype(str))
    index = range(len(world.origins))
    return [g for g in index if world.origins[g].name in own] or list(index)


def _cheapest(
    world: World, service: Service, own: Options, reach: Bools, rps: Floats
) -> Price | None:
    """``own``: what may hold the service; ``reach`` [origin that asks, region]; ``rps`` [step]."""
    everywhere: Bools = np.logical_and.reduce(reach, axis=0)
    anywhere: Bools = np.logical_or.reduce(reach, axis=0)
    good = everywhere if everywhere[own.region].any() else anywhere
    own = own.where(good[own.region])
    if not len(own):
        return None
    usual = float(np.nan_to_num(np.nanmedian(rps))) / service.replica.throughput_rps
    own = own.where(own.replicas <= max(usual, service.min_replicas, own.replicas.min()))
    each = own.price_usd_per_hour / own.replicas
    i = int(each.argmin())
    region = int(own.region[i])
    row = world.book.offerings.iloc[int(own.offering[i])]
    steady = ~own.spot & (own.region == region)
    told = row.get(MONTHLY_INTERRUPTION)
    return Price(
        float(each[i]),
        float(each[steady].min()) if steady.any() else float(each[i]),
        bool(own.spot[i]),
        region,
        world.regions[region].place,
        str(row["instance_type"]),
        str(row["purchase"]),
        None if told is None or np.isnan(told) else float(told),
    )


def _held(service: Service, price: Price, wait_s: float, settings: Settings) -> Bought:
    replica = service.replica
    slots = max(1, round(replica.throughput_rps * replica.service_time_ms / 1000))
    machine = Machine(
        serves_rps=replica.throughput_rps,
        boot_s=replica.boot_s,
        usd_per_hour=price.usd_per_hour,
        slots=slots,
        boot_spread=settings.boot_spread,
        billing=settings.billing,
        hazards=_hazards(settings, price.monthly_interruption),
        spot=price.spot,
        on_demand_usd_per_hour=price.on_demand_usd_per_hour,
        min_replicas=service.min_replicas,
        max_replicas=settings.max_replicas,
        cooldown_s=settings.cooldown_s,
        patience_s=settings.patience_s,
        wait_s=wait_s,
        knee=knee(slots, replica.throughput_rps, wait_s),
    )
    return Bought(service.name, machine, price.place, price.instance_type, price.purchase)


def _hazards(settings: Settings, told: float | None) -> Hazards:
    """``told``: what the price book says of interruptions, if it says anything."""
    given = (settings.monthly_interruption, told, USUAL_INTERRUPTION)
    monthly = next(chance for chance in given if chance is not None)
    hazards = Hazards(settings.failures_per_month, monthly_interruption=monthly)
    return replace(hazards, notice_s=settings.notice_s, outage_hours=settings.outage_hours)


def _wait_s(
    world: World, service: Service, distances: Distances, served: list[int], region: int,
    settings: Settings,
) -> float:  # fmt: skip
    """How long a request may wait for a replica: what its latency objective leaves beside the round
    trip of its farthest users and the service time; without one, as long as it is served.
    """
    if settings.wait_s is not None:
        return settings.wait_s
    own_ms = service.replica.service_time_ms
    left = [
        rule.within_ms - own_ms - float(distances.from_origin[g, region])
        for rule in world.rules
        if isinstance(rule, LatencyRule) and rule.service == service.name
        for g in served
        if not rule.origins or world.origins[g].name in rule.origins
    ]
    return max(min(left), 0.0) / 1000 if left else max(own_ms / 1000, LEAST_WAIT_S)
