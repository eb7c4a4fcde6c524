"""What each service could run on in each place, before any rule: its options.

An option is an offering that holds at least one replica. Services that ask for the same, their
*shape*, have the same options: these are worked out once per shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import pandas as pd

from models.capacity import replicas_per_instance
from models.carbon import KG_PER_TONNE, emitted_kg_per_hour
from models.offerings import Architecture, Purchase
from models.rules import QuotaRule, SpotRiskRule
from models.services import Replica, Service
from models.world import World
from optimizer.problem import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Options:
    """Columns of equal length, sorted by (service, region, cost per replica).

    ``offering`` is the row of the world's price book. ``carbon_usd_per_hour`` is what the emissions
    of an instance count in the decision; nobody is paid it.
    """

    service: Ints
    region: Ints
    offering: Ints
    replicas: Ints
    price_usd_per_hour: Floats
    carbon_usd_per_hour: Floats
    vcpus: Floats
    spot: Bools

    @property
    def cost_usd_per_hour(self) -> Floats:
        """What an instance costs in the decision."""
        cost: Floats = self.price_usd_per_hour + self.carbon_usd_per_hour
        return cost

    def __len__(self) -> int:
        return len(self.service)

    def where(self, keep: Bools | Ints) -> Options:
        return Options(
            self.service[keep],
            self.region[keep],
            self.offering[keep],
            self.replicas[keep],
            self.price_usd_per_hour[keep],
            self.carbon_usd_per_hour[keep],
            self.vcpus[keep],
            self.spot[keep],
        )

    @classmethod
    def joined(cls, parts: Sequence[Options]) -> Options:
        """All of the parts, one after another."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def dealt(self, owner: Ints) -> Options:
        """Options of each of ``owner`` in turn, numbered 0, 1, … in ``service``."""
        starts = np.searchsorted(self.service, np.arange(int(owner.max(initial=-1)) + 2))
        counts = np.diff(starts)[owner]
        ends = np.cumsum(counts)
        within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        taken = self.where(np.repeat(starts[owner], counts) + within)
        return replace(taken, service=np.repeat(np.arange(len(owner)), counts))


@dataclass(frozen=True, slots=True)
class Shape:
    """What an instance must have for a service: all that its options depend on."""

    vcpus: float
    memory_gib: float
    gpus: float
    gpu_models: frozenset[str]
    architectures: frozenset[Architecture]
    spot_tolerant: bool

    @classmethod
    def of(cls, service: Service) -> Shape:
        """The shape of a service."""
        replica = service.replica
        return cls(
            replica.vcpus,
            replica.memory_gib,
            replica.gpus,
            replica.gpu_models,
            service.architectures,
            service.spot_tolerant,
        )

    @property
    def replica(self) -> Replica:
        """A replica of this shape, whatever it may serve."""
        return Replica(self.vcpus, self.memory_gib, 1.0, 0.0, self.gpus, self.gpu_models)

    def what_lacks(self, headroom: float) -> str:
        """In words, why there is no option in a place that has none."""
        gpu = f", {self.gpus:g} GPU" if self.gpus else ""
        if self.gpu_models:
            gpu += f" ({' or '.join(sorted(self.gpu_models))})"
        kinds = "/".join(sorted(self.architectures))
        how = "on demand" if not self.spot_tolerant else "at all"
        return (
            f"no {kinds} instance type is priced {how} there that holds one replica "
            f"({self.vcpus:g} vCPU, {self.memory_gib:g} GiB{gpu} at {headroom:.0%} headroom)"
        )


@dataclass(frozen=True, eq=False)
class Market:
    """Every shape of the services, and what is on offer for it.

    ``offered`` are the rows of the price book that the world's policy lets services use, with
    the ``region`` index of each and what its carbon counts; ``row`` [offered] is their place in
    the book.
    """

    shapes: tuple[Shape, ...]
    shape_of_service: Ints
    offered: pd.DataFrame
    row: Ints
    places: int
    headroom: float

    @cached_property
    def options(self) -> Options:
        """All options of all services: thousands per service. Small worlds only."""
        return self.options_of(np.arange(len(self.shapes))).dealt(self.shape_of_service)

    @cached_property
    def lacks(self) -> Mapping[tuple[int, int], str]:
        """[service, region] → in words, why there is no option."""
        words = [shape.what_lacks(self.headroom) for shape in self.shapes]
        lacking = ~self.has_options[self.shape_of_service]
        return {
            (s, r): words[self.shape_of_service[s]]
            for s, r in zip(*(index.tolist() for index in np.nonzero(lacking)), strict=True)
        }

    @cached_property
    def has_options(self) -> Bools:
        """[shape, region]: whether there is any."""
        found = np.zeros((len(self.shapes), self.places), np.bool_)
        region = self.offered["region"].to_numpy()
        for i, shape in enumerate(self.shapes):
            found[i, region[self._fits(shape) > 0]] = True
        return found

    def options_of(self, shapes: Ints) -> Options:
        """Options of some shapes, numbered 0, 1, … in ``service`` in the order given."""
        parts = []
        for i, shape in enumerate(shapes.tolist()):
            fits = self._fits(self.shapes[shape])
            index = np.flatnonzero(fits)
            parts.append((np.full(len(index), i), index, fits[index]))
        owner, index, replicas = (
            np.concatenate([np.zeros(0, np.int64), *column]) for column in zip(*parts, strict=True)
        )
        region = self.offered["region"].to_numpy()[index]
        price = self.offered["price_usd_per_hour"].to_numpy(np.float64)[index]
        carbon = self.offered["carbon_usd_per_hour"].to_numpy(np.float64)[index]
        order = np.lexsort((index, (price + carbon) / replicas, region, owner))
        index = index[order]
        return Options(
            owner[order],
            region[order],
            self.row[index],
            replicas[order],
            price[order],
            carbon[order],
            self.offered["vcpus"].to_numpy(np.float64)[index],
            self.offered["spot"].to_numpy(np.bool_)[index],
        )

    @cached_property
    def _built_for(self) -> Mapping[Architecture, Bools]:
        """[offered], by architecture."""
        own = self.offered["architecture"]
        return {a: (own == a.value).to_numpy(np.bool_) for a in Architecture}

    def _fits(self, shape: Shape) -> Ints:
        """[offered]: how many replicas an instance holds; 0 for what does not suit the shape."""
        fits = replicas_per_instance(shape.replica, self.offered, self.headroom)
        suits = np.any([self._built_for[a] for a in shape.architectures], axis=0)
        if not shape.spot_tolerant:
            suits = suits & ~self.offered["spot"].to_numpy(np.bool_)
        return np.where(suits, fits, 0)


def survey(world: World) -> Market:
    """What is on offer for every service of the world, before any rule."""
    book = world.book.offerings
    region = world.region_of_offerings
    purchase = book["purchase"].astype(str).to_numpy()
    usable = (region >= 0) & np.isin(purchase, [p.value for p in world.policy.purchases])
    usable &= np.isin(purchase, [Purchase.ON_DEMAND.value, Purchase.SPOT.value])
    if not world.policy.burstable:
        usable &= ~book["burstable"].to_numpy(np.bool_)
    row = np.flatnonzero(usable)
    offered = book.iloc[row].assign(
        region=region[row],
        architecture=book["architecture"].iloc[row].astype(str),
        spot=purchase[row] == Purchase.SPOT.value,
        carbon_usd_per_hour=_carbon_usd_per_hour(world, row),
    )
    number: dict[Shape, int] = {}
    shape_of_service = np.array(
        [number.setdefault(Shape.of(service), len(number)) for service in world.services], np.int64
    )
    return Market(
        tuple(number),
        shape_of_service,
        offered,
        row,
        len(world.regions),
        world.policy.headroom,
    )


def _carbon_usd_per_hour(world: World, row: Ints) -> Floats:
    """What the emissions of an instance count, for rows of the book; 0 when carbon has no price."""
    usd_per_kg = world.policy.carbon_usd_per_tonne / KG_PER_TONNE
    if usd_per_kg == 0:
        return np.zeros(len(row))
    regions = {region.place: region for region in world.regions}
    priced: Floats = usd_per_kg * emitted_kg_per_hour(world.book.offerings.iloc[row], regions)
    return priced


def counted_by(rule: QuotaRule, world: World) -> Bools:
    """Which rows of the price book count against a quota."""
    book = world.book.offerings
    inside = np.array([*(rule.where.holds(region) for region in world.regions), False])
    counted: Bools = inside[world.region_of_offerings]
    if rule.families:
        counted = counted & book["family"].isin(rule.families).to_numpy(np.bool_)
    if rule.spot is not None:
        spot = (book["purchase"] == Purchase.SPOT.value).to_numpy(np.bool_)
        counted = counted & (spot == rule.spot)
    return counted


def family_codes(world: World) -> Ints:
    """[row of the price book]: a number per family of instance types."""
    family = world.book.offerings["family"].astype(str).to_numpy()
    return np.unique(family, return_inverse=True)[1].astype(np.int64)


def pool_codes(options: Options, world: World) -> Ints:
    """[option]: the family of spot options whose losses a rule bounds; -1: all others."""
    named = {n for rule in world.rules if isinstance(rule, SpotRiskRule) for n in rule.services}
    if not named:
        return np.full(len(options), -1)
    bound = np.array([service.name in named for service in world.services], np.bool_)
    at_risk = options.spot & bound[options.service]
    return np.where(at_risk, family_codes(world)[options.offering], -1)
