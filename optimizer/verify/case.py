"""A plan laid beside its world: what it runs and where its traffic goes, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.capacity import replicas_per_instance
from models.demand import Outlook, service_demand_rps
from models.offerings import Purchase
from models.world import World
from optimizer.forecast.adjust import apply_factors
from optimizer.forecast.demand import forecast
from optimizer.verify.entries import InstanceEntry, PlanEntry
from optimizer.verify.findings import Given, Violation, given
from optimizer.verify.reading import pointer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TOLERANCE = 1e-5
"""Relative; plans state shares to nine digits and leave out those below a millionth."""


NOISE = 1e-6
"""Relative; less than this of a replica is nothing."""


@dataclass(frozen=True, eq=False)
class Demand:
    """What is asked, rps [service, origin, hour]: in all, and by users directly, at the quantile
    that rules about losses are about. ``outlook`` is what may come, that quantile for sure where
    there are no scenarios; ``mean_rps`` [service, hour] is the mean of the forecast, in all."""

    total_rps: Floats
    direct_rps: Floats
    mean_rps: Floats
    outlook: Outlook

    @property
    def highest_rps(self) -> Floats:
        """The most that is asked in any scenario, or where losses are looked at."""
        highest: Floats = np.maximum(self.total_rps, self.outlook.highest_rps)
        return highest


def demand_of(world: World) -> Demand:
    """The demand that a plan for ``world`` must carry, forecast anew from its history."""
    hours, events = world.policy.horizon_hours, world.events
    expected = forecast(world.history, world.starts, hours, events=events)
    expected = apply_factors(expected, world.demand_factors)
    names = [service.name for service in world.services]
    origins = [origin.name for origin in world.origins]

    def asked(rps: Floats, *, calls: bool) -> Floats:
        dependencies = world.dependencies if calls else ()
        return service_demand_rps(names, origins, dependencies, expected.series, rps)

    planned = expected.at_level(world.policy.demand_quantile)
    total, direct = asked(planned, calls=True), asked(planned, calls=False)
    outlook = Outlook.certain(total, direct)
    if scenarios := world.policy.demand_scenarios:
        levels = [expected.at_level(scenario.quantile) for scenario in scenarios]
        outlook = Outlook(
            np.stack([asked(rps, calls=True) for rps in levels]),
            np.stack([asked(rps, calls=False) for rps in levels]),
            np.array([scenario.probability for scenario in scenarios]),
        )
    mean = asked(expected.mean_rps, calls=True).sum(axis=1)
    return Demand(total, direct, mean, outlook)


@dataclass(frozen=True, eq=False)
class Groups:
    """The rows of ``instances`` that name a service and an offering of the world.

    Arrays are parallel; ``count`` is [group, hour], ``replicas`` are those of one instance, and
    ``entry`` is the row's number in the file.
    """

    entry: Ints
    service: Ints
    region: Ints
    offering: Ints
    replicas: Ints
    spot: Bools
    count: Ints

    def of(self, service: int) -> Ints:
        return np.flatnonzero(self.service == service)


class Case:
    """A world, what is asked of it, and what a plan does about it.

    ``faults`` are what is already wrong with single rows of the plan.
    """

    def __init__(self, world: World, plan: PlanEntry, demand: Demand) -> None:
        self.world, self.plan, self.demand = world, plan, demand
        self.hours = plan.hours
        self.services = {service.name: s for s, service in enumerate(world.services)}
        self.origins = {origin.name: g for g, origin in enumerate(world.origins)}
        self.places = {region.place: r for r, region in enumerate(world.regions)}
        self.rate_rps = np.array([s.replica.throughput_rps for s in world.services])
        users = {origin.name: origin.coordinates for origin in world.origins}
        points = {region.place: region.coordinates for region in world.regions}
        self.from_origin_ms = world.round_trips.between(users, points)
        self.between_ms = world.round_trips.between(points, points)
        self.highest_rps = demand.highest_rps
        self.asks: Bools = self.highest_rps.max(axis=2, initial=0.0) > 0
        """[service, origin]: whether the origin asks for the service in any hour."""
        self.faults: list[Violation] = []
        self.groups = self._groups()
        self._routes = self._understood_routes()

    def replicas(self, service: int) -> Ints:
        """Replicas of a service that run, [region, hour]."""
        held = np.zeros((len(self.places), self.hours), np.int64)
        own = self.groups.of(service)
        replicas = self.groups.count[own] * self.groups.replicas[own, None]
        np.add.at(held, self.groups.region[own], replicas)
        return held

    def shares(self, service: int) -> Floats:
        """Where the traffic of a service goes, [origin, region, hour]."""
        shares = np.zeros((len(self.origins), len(self.places), self.hours))
        for i in self._routes.get(service, ()):
            route = self.plan.routes[i]
            span = slice(route.first_hour, route.first_hour + route.hours)
            shares[self.origins[route.origin], self.places[route.place], span] += route.share
        return shares

    def unserved(self, service: int) -> Floats:
        """What places are asked beyond their capacity, rps [scenario, region, hour]; what a
        solver's noise may come to is none."""
        rate = self.world.services[service].replica.throughput_rps
        scenarios = self.demand.outlook.scenario_rps[:, service]
        asked = np.einsum("grt,wgt->wrt", self.shares(service), scenarios)
        beyond = asked - self.replicas(service) * rate
        lacking: Floats = np.where(beyond > NOISE * (rate + asked), beyond, 0.0)
        return lacking

    def used(self, service: int) -> Bools:
        """[origin, region]: places that serve an origin that asks, in some hour."""
        used: Bools = (self.shares(service) > 0).any(axis=2) & self.asks[service][:, None]
        return used

    @cached_property
    def place_names(self) -> tuple[str, ...]:
        return tuple(self.places)

    def _understood_routes(self) -> dict[int, list[int]]:
        """Rows of ``routes`` by service; those with names that the world lacks are faults."""
        by_service: dict[int, list[int]] = {}
        for i, route in enumerate(self.plan.routes):
            unknown = [
                f"the world has no {what} {name}"
                for what, name, known in (
                    ("service", route.service, self.services),
                    ("origin", route.origin, self.origins),
                    ("candidate place", route.place, self.places),
                )
                if name not in known
            ]
            if unknown:
                what = f"{'; '.join(unknown)} ({pointer(['routes', i])})"
                self.faults.append(
                    given(Given.ROUTES, what, service=route.service, place=route.place)
                )
            else:
                by_service.setdefault(self.services[route.service], []).append(i)
        return by_service

    def _groups(self) -> Groups:
        rows = self.plan.instances
        offering = self._offerings(rows)
        kept = []
        for i, entry in enumerate(rows):
            fault = self._unknown(entry, int(offering[i]))
            if fault is None:
                kept.append(i)
            else:
                self.faults.append(_about(entry, i, fault))
        index = np.array(kept, np.int64)
        service = np.array([self.services[rows[i].service] for i in kept], np.int64)
        counts = np.array([rows[i].count_per_hour for i in kept], np.int64)
        book = self.world.book.offerings
        purchase = book["purchase"].astype(str).to_numpy()[offering[index]]
        groups = Groups(
            index,
            service,
            np.array([self.places[rows[i].place] for i in kept], np.int64),
            offering[index],
            self._replicas(service, offering[index]),
            purchase == Purchase.SPOT.value,
            counts.reshape(len(kept), self.hours),
        )
        self.faults += self._unfit(groups)
        return groups

    def _offerings(self, rows: list[InstanceEntry]) -> Ints:
        """The row of the price book that each entry names; -1: none."""
        book = self.world.book.offerings
        keys = ["cloud", "region", "instance_type", "purchase"]
        known = pd.Series(np.arange(len(book)), pd.MultiIndex.from_frame(book[keys].astype(str)))
        if not rows:
            return np.zeros(0, np.int64)
        wanted = pd.MultiIndex.from_tuples(
            [(*_split(row.place), row.instance_type, row.purchase) for row in rows], names=keys
        )
        return known.reindex(wanted).fillna(-1).to_numpy(np.int64)

    def _unknown(self, entry: InstanceEntry, offering: int) -> str | None:
        if entry.service not in self.services:
            return "the world has no such service"
        if entry.place not in self.places:
            return "it is not a candidate place"
        return "the price book has no such offering" if offering < 0 else None

    def _replicas(self, service: Ints, offering: Ints) -> Ints:
        """Whole replicas that one instance of each group holds."""
        book, headroom = self.world.book.offerings, self.world.policy.headroom
        replicas = np.zeros(len(service), np.int64)
        for s in np.unique(service):
            own = service == s
            replica = self.world.services[s].replica
            replicas[own] = replicas_per_instance(replica, book.iloc[offering[own]], headroom)
        return replicas

    def _unfit(self, groups: Groups) -> Iterator[Violation]:
        """Offerings that the service, or the policy, does not admit."""
        policy = self.world.policy
        offered = self.world.book.offerings.iloc[groups.offering]
        facts = zip(
            groups.entry.tolist(),
            groups.service.tolist(),
            groups.replicas.tolist(),
            offered["purchase"].astype(str),
            offered["architecture"].astype(str),
            offered["burstable"].astype(bool),
            strict=True,
        )
        for i, s, replicas, purchase, architecture, burstable in facts:
            service, entry = self.world.services[s], self.plan.instances[i]
            admitted = {p.value for p in policy.purchases}
            objections = (
                (replicas < 1, "not one replica fits on it"),
                (architecture not in service.architectures, f"it is not built for {architecture}"),
                (purchase not in admitted, f"policy does not buy {purchase.replace('_', ' ')}"),
                (
                    purchase == Purchase.SPOT.value and not service.spot_tolerant,
                    "it does not tolerate spot",
                ),
                (burstable and not policy.burstable, "policy does not use burstable types"),
            )
            if any(entry.count_per_hour):
                yield from (_about(entry, i, said) for wrong, said in objections if wrong)


def _split(place: str) -> tuple[str, str]:
    cloud, _, region = place.partition("/")
    return cloud, region


def _about(entry: InstanceEntry, i: int, said: str) -> Violation:
    bought = entry.purchase.replace("_", " ")
    what = f"{entry.service} on {entry.instance_type}, {bought}, in {entry.place}: {said}"
    row = f" ({pointer(['instances', i])})"
    return given(Given.OFFERINGS, what + row, service=entry.service, place=entry.place)
