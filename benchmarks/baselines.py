"""What people do without an optimiser: two greedy plans, billed and checked as any other plan.

Both serve all of an origin's requests from one place, the same in every hour, and size for the
highest demand that the world expects. As in every plan here, an instance runs replicas of one
service. Neither knows of spread, spot shares, budgets, workflows or commitments, of which only
what is owned already covers something. Which rules such a plan breaks is for ``verify`` to say; a
cheaper plan that breaks some is no better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.rules import QuotaRule
from models.services import Service
from models.world import World
from optimizer.formulate.market import Options, survey
from optimizer.formulate.reach import find_reach, measure
from optimizer.problem import Bools, Floats, Ints

Document = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Task:
    """One service: its ``options`` on the market, and per origin that asks, its demand [hour],
    the places where it may be served [region], and the round trips to them, ms [region]."""

    service: Service
    options: Options
    origins: tuple[int, ...]
    demand_rps: Floats
    allowed: Bools
    trips_ms: Floats

    @property
    def peak_replicas(self) -> Floats:
        """[origin that asks]"""
        rate = self.service.replica.throughput_rps
        peak: Floats = np.ceil(self.demand_rps.max(axis=1, initial=0.0) / rate)
        return peak

    def replicas(self, region_of: Ints) -> dict[int, Ints]:
        """What runs in each place [hour] if the origins are served from ``region_of``."""
        loads = {r: self.demand_rps[region_of == r].sum(axis=0) for r in np.unique(region_of)}
        home = max(loads, key=lambda r: float(loads[r].max()))
        running = {}
        for region, load in loads.items():
            replicas = np.ceil(load / self.service.replica.throughput_rps).astype(np.int64)
            if self.service.stateful or region == home:
                replicas = np.maximum(replicas, self.service.min_replicas)
            if self.service.stateful:  # its sizes stay the same
                replicas = np.full_like(replicas, replicas.max())
            running[int(region)] = replicas
        return running


Choice = tuple[int, Ints]  # a row of a task's options, and how many such instances run [hour]


def cheapest_unit_price(task: Task) -> tuple[Ints, list[Choice]]:
    """For every origin the offering with the least USD per replica in a place that is allowed.

    Replicas that the origin never needs do not count, or giant instances would look cheap.
    """
    options = task.options
    region_of = np.zeros(len(task.origins), np.int64)
    best: dict[int, int] = {}
    for g, peak in enumerate(task.peak_replicas.tolist()):
        usd = options.price_usd_per_hour / np.minimum(options.replicas, max(peak, 1.0))
        row = int(np.argmin(np.where(task.allowed[g, options.region], usd, np.inf)))
        region_of[g] = options.region[row]
        if usd[row] < np.inf:
            best.setdefault(int(region_of[g]), row)
    return region_of, [
        (best[region], -(-replicas // options.replicas[best[region]]))
        for region, replicas in task.replicas(region_of).items()
    ]


class FirstFit:
    """The nearest allowed place, and there the cheapest instance that holds a replica and of which
    quotas have enough left: first come, first served. The caller brings large services first."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.quotas: list[tuple[QuotaRule, dict[int, Floats]]] = [
            (rule, {}) for rule in world.rules
            if isinstance(rule, QuotaRule) and rule.vcpus_at_most is not None
        ]  # fmt: skip
        self.families = world.book.offerings["family"].astype(str).to_numpy()

    def __call__(self, task: Task) -> tuple[Ints, list[Choice]]:
        near = np.where(task.allowed, task.trips_ms, np.inf)
        region_of = near.argmin(axis=1)
        return region_of, [
            self._place(task.options, region, replicas)
            for region, replicas in task.replicas(region_of).items()
        ]

    def _place(self, options: Options, region: int, replicas: Ints) -> Choice:
        rows = np.flatnonzero(options.region == region)
        rows = rows[np.argsort(options.price_usd_per_hour[rows], kind="stable")]
        for row in rows.tolist():
            counts = -(-replicas // options.replicas[row])
            vcpus = counts * options.vcpus[row]
            left = list(self._rooms(options, row, len(replicas)))
            if all((vcpus <= room).all() for room in left):
                for room in left:
                    np.subtract(room, vcpus, out=room)
                return row, counts
        raise RuntimeError("no quota leaves room for a service, and this method has no other way")

    def _rooms(self, options: Options, row: int, hours: int) -> Iterator[Floats]:
        """vCPUs that each quota on this offering has left, [hour]."""
        number = int(options.region[row])
        region, family = self.world.regions[number], self.families[options.offering[row]]
        for rule, left in self.quotas:
            right = rule.spot in (None, bool(options.spot[row]))
            if (
                right
                and rule.where.holds(region)
                and (not rule.families or family in rule.families)
            ):
                yield left.setdefault(number, np.full(hours, float(rule.vcpus_at_most or 0.0)))


def greedy_plan(
    world: World,
    demand_rps: Floats,
    method: Callable[[Task], tuple[Ints, list[Choice]]],
) -> Document:
    """``plan.json`` as far as a plan needs it; ``demand_rps`` [service, origin, hour].

    Services come by decreasing vCPUs at their peaks.
    """
    size = [
        float(rps.sum(axis=0).max()) / s.replica.throughput_rps * s.replica.vcpus
        for s, rps in zip(world.services, demand_rps, strict=True)
    ]
    instances: list[Document] = []
    routes: list[Document] = []
    hours = demand_rps.shape[2]
    tasks = list(_tasks(world, demand_rps))
    for s in np.argsort(-np.array(size), kind="stable").tolist():
        task = tasks[s]
        region_of, choices = method(task)
        for g, region in zip(task.origins, region_of.tolist(), strict=True):
            routes.append({"service": task.service.name, "origin": world.origins[g].name,
                           "place": world.regions[region].place,
                           "first_hour": 0, "hours": hours, "share": 1.0})  # fmt: skip
        instances += [_instance(world, task, *choice) for choice in choices]
    return {
        "format": "trimtab-plan", "version": 1, "outcome": "plan", "world": {"name": world.name},
        "starts": world.starts.strftime("%Y-%m-%dT%H:%M:%SZ"), "hours": hours,
        "instances": instances, "routes": routes,
    }  # fmt: skip


def _tasks(world: World, demand_rps: Floats) -> Iterator[Task]:
    market, distances = survey(world), measure(world)
    asks = demand_rps.max(axis=2, initial=0.0) > 0
    allowed = find_reach(world, distances, market.lacks.items(), asks).allowed
    options = market.options
    starts = np.searchsorted(options.service, np.arange(len(world.services) + 1))
    for s, service in enumerate(world.services):
        origins = np.flatnonzero(asks[s])
        own = options.where(np.arange(starts[s], starts[s + 1]))
        yield Task(
            service, own, tuple(origins.tolist()), demand_rps[s, origins], allowed[s, origins],
            distances.from_origin[origins],
        )  # fmt: skip


def _instance(world: World, task: Task, row: int, counts: Ints) -> Document:
    offered = world.book.offerings.iloc[int(task.options.offering[row])]
    return {
        "service": task.service.name,
        "place": f"{offered['cloud']}/{offered['region']}",
        "instance_type": str(offered["instance_type"]),
        "purchase": str(offered["purchase"]),
        "count_per_hour": counts.tolist(),
    }
