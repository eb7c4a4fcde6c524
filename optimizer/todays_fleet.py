"""The current fleet as arrays: what it holds, where it answers from, and how fast."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from models.capacity import replicas_row_by_row
from models.fleet import Group
from models.places import Coordinates, Region
from models.world import World
from optimizer.problem import Bools, Floats, Ints

SERVICES_AT_ONCE = 1000


class TodaysFleet:
    """The groups of the current fleet with their prices and sizes.

    ``groups`` are those with a known price; ``book_row``, ``offered``, ``service``, ``region`` and
    ``replicas`` stand beside them. The other groups are ``unpriced``.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.regions = {region.place: region for region in world.regions}
        book = world.book.offerings
        keys = ["cloud", "region", "instance_type", "purchase"]
        rows = pd.Series(np.arange(len(book)), pd.MultiIndex.from_frame(book[keys].astype(str)))
        wanted = [
            (*g.place.split("/", 1), g.instance_type, g.purchase.value) for g in world.fleet.groups
        ]
        row = np.zeros(0)
        if wanted:
            found = rows.reindex(pd.MultiIndex.from_tuples(wanted, names=keys))
            row = found.to_numpy(np.float64)
        known = ~np.isnan(row)
        self.groups = tuple(g for g, k in zip(world.fleet.groups, known, strict=True) if k)
        self.unpriced = tuple(g for g, k in zip(world.fleet.groups, known, strict=True) if not k)
        self.book_row = row[known].astype(np.int64)
        self.offered = book.iloc[self.book_row]
        index = world.service_index
        region = {region.place: r for r, region in enumerate(world.regions)}
        self.service = np.array([index[g.service] for g in self.groups], np.int64)
        self.region = np.array([region[g.place] for g in self.groups], np.int64)
        self.count = np.array([g.count for g in self.groups], np.int64)
        # At least one replica per instance, since it does run.
        kinds = [world.services[s].replica for s in self.service.tolist()]
        fits = replicas_row_by_row(kinds, self.offered, world.policy.headroom)
        self.replicas: Ints = np.maximum(fits, 1) * self.count

    def capacity_rps(self) -> Floats:
        """[service]"""
        rate = np.array([s.replica.throughput_rps for s in self.world.services])
        held = np.bincount(self.service, self.replicas, minlength=len(rate))
        capacity: Floats = held * rate
        return capacity

    def of(self, service: str) -> list[tuple[Group, Region, int]]:
        """Groups of a service whose size is known, with their regions and replicas."""
        return [
            (self.groups[i], self.regions[self.groups[i].place], int(self.replicas[i]))
            for i in self.rows_of(service)
        ]

    def rows_of(self, service: str) -> list[int]:
        """Where the service's groups stand in ``groups``."""
        return self._rows.get(service, [])

    @cached_property
    def _rows(self) -> Mapping[str, list[int]]:
        rows = defaultdict(list)
        for i, group in enumerate(self.groups):
            rows[group.service].append(i)
        return rows

    @cached_property
    def runs(self) -> Bools:
        """[service, region]: what runs where, also where the size of what runs is not known."""
        running = np.zeros((len(self.world.services), len(self.world.regions)), np.bool_)
        region = {region.place: r for r, region in enumerate(self.world.regions)}
        for group in self.world.fleet.groups:
            running[self.world.service_index[group.service], region[group.place]] = True
        return running

    @cached_property
    def unknown(self) -> frozenset[str]:
        """Services of which something runs whose size is not known."""
        return frozenset(group.service for group in self.unpriced)

    @cached_property
    def from_origin_ms(self) -> Floats:
        """Round trips [origin, region]."""
        origins = {origin.name: origin.coordinates for origin in self.world.origins}
        return self.world.round_trips.between(origins, self._places)

    @cached_property
    def between_ms(self) -> Floats:
        """Round trips [region, region]."""
        return self.world.round_trips.between(self._places, self._places)

    @cached_property
    def nearest(self) -> Ints:
        """[service, origin]: the region from which the service answers fastest; -1: none does."""
        nearest = np.full((len(self.world.services), len(self.world.origins)), -1)
        somewhere = np.flatnonzero(self.runs.any(axis=1))
        for first in range(0, len(somewhere), SERVICES_AT_ONCE):
            own = somewhere[first : first + SERVICES_AT_ONCE]
            trips = np.where(self.runs[own][:, None, :], self.from_origin_ms, np.inf)
            nearest[own] = trips.argmin(axis=2)
        return nearest

    @property
    def _places(self) -> dict[str, Coordinates]:
        return {region.place: region.coordinates for region in self.world.regions}
