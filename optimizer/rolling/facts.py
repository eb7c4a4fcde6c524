"""What a rolling horizon knows of its world: prices, places, rules, and what is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.capacity import replicas_row_by_row
from models.demand import CallGraph
from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.rules import QuotaRule, SpotRiskRule, SpotShareRule, SpreadRule
from models.world import World
from optimizer.formulate.market import Market, Options, counted_by, survey
from optimizer.formulate.reach import find_reach, measure
from optimizer.problem import Bools, Floats, Ints

ALMOST: Final = 1e-9
"""An instance more for less than this share of one is rounding."""
SPARES: Final = 8
"""So many groups that could help out are looked at."""


@dataclass(frozen=True, slots=True, order=True)
class GroupKey:
    """A group of equal instances, however many: what runs which service where."""

    service: str
    place: str
    instance_type: str
    purchase: Purchase

    @classmethod
    def of(cls, group: Group) -> GroupKey:
        return cls(group.service, group.place, group.instance_type, group.purchase)

    def __str__(self) -> str:
        return f"{self.instance_type} ({self.purchase.value.replace('_', ' ')}) in {self.place}"


@dataclass(frozen=True, eq=False)
class Roster:
    """Groups with what an instance of each holds and costs; columns of equal length.

    ``service`` and ``region`` are indices in the world. ``serves_rps`` is 0, and
    ``usd_per_hour`` NaN, for what the price book does not know.
    """

    keys: tuple[GroupKey, ...]
    service: Ints
    region: Ints
    serves_rps: Floats
    usd_per_hour: Floats

    def capacity_rps(self, counts: Ints, shape: tuple[int, int]) -> Floats:
        """What ``counts`` [group] serve, [service, region]."""
        cell = self.service * shape[1] + self.region
        flat = np.bincount(cell, counts * self.serves_rps, shape[0] * shape[1])
        held: Floats = flat.astype(np.float64).reshape(shape)
        return held


@dataclass(frozen=True, eq=False)
class Facts:
    """``world`` as it is now, and the places that are ``lost``: nothing runs or starts there.

    Services, origins and places of ``world`` stay the same ones for as long as a horizon rolls;
    its prices, rules and policy may change. Its history counts only when a horizon begins.
    """

    world: World
    lost: frozenset[str] = frozenset()
    _rosters: dict[tuple[GroupKey, ...], Roster] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def shape(self) -> tuple[int, int]:
        """Services and places."""
        return len(self.world.services), len(self.world.regions)

    @cached_property
    def region_index(self) -> Mapping[str, int]:
        return {region.place: r for r, region in enumerate(self.world.regions)}

    @cached_property
    def origin_index(self) -> Mapping[str, int]:
        return {origin.name: g for g, origin in enumerate(self.world.origins)}

    @cached_property
    def graph(self) -> CallGraph:
        """Who calls whom."""
        return CallGraph.of([s.name for s in self.world.services], self.world.dependencies)

    @cached_property
    def gone(self) -> Bools:
        """[region]: whether it is lost."""
        return np.array([r.place in self.lost for r in self.world.regions], np.bool_)

    @cached_property
    def remaining(self) -> World:
        """The world without the places that are lost."""
        if not self.lost:
            return self.world
        groups = tuple(g for g in self.world.fleet.groups if g.place not in self.lost)
        regions = tuple(r for r in self.world.regions if r.place not in self.lost)
        return replace(self.world, regions=regions, fleet=Fleet(groups))

    @cached_property
    def allowed(self) -> Bools:
        """[service, origin, region]: where rules let users be served from, less what is lost."""
        lacks = self.market.lacks.items()
        allowed: Bools = find_reach(self.world, measure(self.world), lacks).allowed
        return allowed & ~self.gone

    @cached_property
    def market(self) -> Market:
        """What is on offer."""
        return survey(self.world)

    @cached_property
    def from_origin_ms(self) -> Floats:
        """Round trips [origin, region]."""
        return measure(self.world).from_origin

    def roster(self, keys: Iterable[GroupKey]) -> Roster:
        """What instances of these groups hold and cost."""
        wanted = tuple(keys)
        if wanted not in self._rosters:
            self._rosters[wanted] = self._make_roster(wanted)
        return self._rosters[wanted]

    def _make_roster(self, keys: tuple[GroupKey, ...]) -> Roster:
        world = self.world
        row = np.array([self.row_of(key) for key in keys], np.int64)
        service = np.array([world.service_index[k.service] for k in keys], np.int64)
        known = np.flatnonzero(row >= 0)
        replicas, usd = np.zeros(len(keys)), np.full(len(keys), np.nan)
        if known.size:
            offered = world.book.offerings.iloc[row[known]]
            kinds = [world.services[s].replica for s in service[known].tolist()]
            replicas[known] = replicas_row_by_row(kinds, offered, world.policy.headroom)
            usd[known] = offered["price_usd_per_hour"].to_numpy(np.float64)
        rate = np.array([s.replica.throughput_rps for s in world.services])
        return Roster(
            keys,
            service,
            np.array([self.region_index[k.place] for k in keys], np.int64),
            replicas * rate[service],
            usd,
        )

    def serves_rps(self, key: GroupKey) -> float:
        """What an instance serves; 0 for what the price book does not know."""
        return self._of_one(key)[0]

    def usd_per_hour(self, key: GroupKey) -> float:
        """What an instance costs; NaN for what the price book does not know."""
        return self._of_one(key)[1]

    def _of_one(self, key: GroupKey) -> tuple[float, float]:
        if key not in self._ones:
            one = self._make_roster((key,))
            self._ones[key] = (float(one.serves_rps[0]), float(one.usd_per_hour[0]))
        return self._ones[key]

    @cached_property
    def _ones(self) -> dict[GroupKey, tuple[float, float]]:
        return {}

    def row_of(self, key: GroupKey) -> int:
        """Its row of the price book; -1: it has no price."""
        return self._row.get((key.place, key.instance_type, _sold_as(key)), -1)

    def counted(self, rule: QuotaRule) -> Bools:
        """Which rows of the price book count against a quota."""
        if rule not in self._counted:
            self._counted[rule] = counted_by(rule, self.world)
        return self._counted[rule]

    @cached_property
    def _counted(self) -> dict[QuotaRule, Bools]:
        return {}

    @cached_property
    def vcpus(self) -> Floats:
        """[row of the price book]"""
        return self.world.book.offerings["vcpus"].to_numpy(np.float64)

    @cached_property
    def _row(self) -> Mapping[tuple[str, str, str], int]:
        book = self.world.book.offerings
        place = book["cloud"].astype(str) + "/" + book["region"].astype(str)
        kind, purchase = book["instance_type"].astype(str), book["purchase"].astype(str)
        return {key: i for i, key in enumerate(zip(place, kind, purchase, strict=True))}

    def spare(
        self, service: int, region: int, lacking_rps: float, *, spot: bool = False
    ) -> tuple[GroupKey, ...]:
        """Groups, on demand or ``spot``, that could help a service out in a place, the best first.

        The best serves what is lacking for the least; of equals the one with the least to spare.
        """
        here = self._options_in(int(self.market.shape_of_service[service]), region, spot)
        rate = self.world.services[service].replica.throughput_rps
        count = np.ceil(lacking_rps / (here.replicas * rate) - ALMOST)
        usd, held = count * here.price_usd_per_hour, count * here.replicas
        if usd.size > SPARES:  # nothing that costs more than so many others is among the best
            near = np.flatnonzero(usd <= np.partition(usd, SPARES - 1)[SPARES - 1])
        else:
            near = np.arange(usd.size)
        best = near[np.lexsort((here.offering[near], held[near], usd[near]))[:SPARES]]
        name, place = self.world.services[service].name, self.world.regions[region].place
        how = Purchase.SPOT if spot else Purchase.ON_DEMAND
        return tuple(
            GroupKey(name, place, str(kind), how) for kind in self._kinds[here.offering[best]]
        )

    @cached_property
    def spot_share(self) -> Floats:
        """[service]: the share of capacity in a place that corrections may hold on spot.

        What spot rules allow; nothing where rules bound what losing pools of it takes away, which
        no correction counts.
        """
        world = self.world
        share = np.array([float(s.spot_tolerant) for s in world.services])
        for rule in world.rules:
            if isinstance(rule, SpotShareRule | SpotRiskRule):
                rows = [world.service_index[name] for name in rule.services]
                most = rule.at_most if isinstance(rule, SpotShareRule) else 0.0
                share[rows] = np.minimum(share[rows], most)
        return share

    @cached_property
    def survives(self) -> Bools:
        """[service]: whether a rule asks what is planned for to survive losses."""
        found = np.zeros(self.shape[0], np.bool_)
        for rule in self.world.rules:
            if isinstance(rule, SpreadRule | SpotRiskRule):
                found[[self.world.service_index[name] for name in rule.services]] = True
        return found

    def _options_in(self, shape: int, region: int, spot: bool) -> Options:
        key = (shape, region, spot)
        if key not in self._options:
            options = self.market.options_of(np.array([shape]))
            here = (options.region == region) & (options.spot == spot)
            self._options[key] = options.where(here)
        return self._options[key]

    @cached_property
    def _options(self) -> dict[tuple[int, int, bool], Options]:
        return {}

    @cached_property
    def _kinds(self) -> NDArray[np.object_]:
        """[row of the price book]"""
        return self.world.book.offerings["instance_type"].to_numpy(object)


def _sold_as(key: GroupKey) -> str:
    """An instance that is reserved runs like one on demand."""
    return (Purchase.SPOT if key.purchase is Purchase.SPOT else Purchase.ON_DEMAND).value
