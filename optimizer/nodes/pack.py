"""The cheapest nodes for pods, and the proof of how cheap they can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from optimizer.nodes.columns import Columns
from optimizer.nodes.deadline import Deadline
from optimizer.nodes.dive import Diver, Greedy
from optimizer.nodes.greedy import MEASURES, filled_by_search
from optimizer.nodes.instance import Instance, Packing
from optimizer.nodes.knapsack import Floats, Ints
from optimizer.solve.covering import whole_cover
from optimizer.watch import SILENT, Watch

_RELAXING: Final = 0.6  # share of the time that the root relaxation may take
_STARTS: Final = 8  # node types that greedy packings start from
_SEARCH: Final = 3_000
_MIP_AFTER: Final = (1, 6, 20)  # dives
_MIP_COLUMNS: Final = 4_000
_MIP_S: Final = 4.0
_MIP_SHARE: Final = 0.4
_PATIENCE: Final = 100
_SHARES: Final = (0.5, 0.0, 0.3)


@dataclass(frozen=True, eq=False)
class Packed:
    """Nodes, their cost, and a cost that no nodes undercut; both in the instance's money."""

    packing: Packing
    cost: int
    bound: int

    @property
    def gap(self) -> float:
        return (self.cost - self.bound) / self.cost if self.cost else 0.0


def pack(
    instance: Instance,
    *,
    gap: float,
    deadline: Deadline,
    seed: int = 1,
    target: int = 0,
    patience: int = _PATIENCE,
    watch: Watch = SILENT,
) -> Packed:
    """Packs all pods until the gap is proven to be at most ``gap``, or time is up.

    Every item must fit some type (``Instance.homeless``). ``target`` is a bound of a wider problem:
    what is within ``gap`` of it is good enough, too. After ``patience`` dives in a row that found
    nothing cheaper it gives up.
    """
    kept = instance.undominated()
    reduced = instance.only(kept)
    chance = np.random.default_rng(seed)
    starts = list(_starts(reduced, chance))
    best = min(starts, key=lambda packing: packing.cost(reduced))

    bound = volume_bound(reduced)

    def packed() -> Packed:
        cost = best.cost(reduced)
        packing = Packing(kept[best.types], best.pods, best.copies)
        return Packed(packing, cost, min(bound, cost))

    def good_enough() -> bool:
        cost = best.cost(reduced)
        return cost - max(bound, target) <= gap * cost

    if good_enough():
        return packed()
    columns = Columns(reduced)
    for start in starts:
        columns.add(zip(start.types.tolist(), start.pods, strict=True))
    relaxed = columns.relax(
        reduced.demand,
        enough=best.cost(reduced),
        deadline=deadline.within(_RELAXING),
        gap=gap / 10,
    )
    bound = max(bound, relaxed.bound)
    diver = Diver(columns, Greedy(reduced, columns.preferred), chance)
    dives = idle = 0
    while not good_enough() and not deadline.passed and idle < patience:
        watch.note(f"{packed().gap:.2%} above the bound")
        found = diver.dive(
            best.cost(reduced), deadline, _SHARES[dives % len(_SHARES)], stray=dives > 0
        )
        dives += 1
        idle += 1
        if found is None and dives in _MIP_AFTER and len(columns) <= _MIP_COLUMNS:
            found = _recombined(columns, _MIP_SHARE * deadline.left_s)
        if found is not None:
            found = found.right_sized(reduced)
            if found.cost(reduced) < best.cost(reduced):
                best, idle = found, 0
    return packed()


def prove(instance: Instance, *, gap: float, deadline: Deadline) -> int:
    """A cost that no nodes undercut, within ``gap`` of what fractional nodes would cost."""
    reduced = instance.only(instance.undominated())
    best = min(_starts(reduced, np.random.default_rng(1)), key=lambda made: made.cost(reduced))
    columns = Columns(reduced)
    columns.add(zip(best.types.tolist(), best.pods, strict=True))
    cost = best.cost(reduced)
    relaxed = columns.relax(reduced.demand, enough=cost, deadline=deadline, gap=gap)
    return max(relaxed.bound, volume_bound(reduced))


def volume_bound(instance: Instance) -> int:
    """For nodes of one type: enough of them that their resources add up."""
    if instance.types > 1:
        return 0
    volume, (capacity,) = instance.demand @ instance.sizes, instance.capacities
    nodes = -(-volume // np.maximum(capacity, 1))
    return int(nodes.max()) * int(instance.prices[0])


def _starts(instance: Instance, chance: np.random.Generator) -> Iterator[Packing]:
    """Packings that are made in no time."""
    total = np.maximum(instance.demand @ instance.sizes, 1)
    room = (np.minimum(instance.capacities, total) / total).sum(axis=1)
    ranked = np.argsort(-room / instance.prices, kind="stable")
    for first in ranked[:_STARTS].tolist():
        order = np.concatenate(([first], ranked[ranked != first]))
        greedy = Greedy(instance, order)
        for measure in range(MEASURES):
            yield greedy.pack(instance.demand, measure)
    if instance.types == 1:
        greedy = Greedy(instance, ranked)
        for turn in range(40):
            yield greedy.pack(instance.demand, turn % MEASURES, _noise(instance, chance))
        for noise in (np.ones(instance.items), *(_noise(instance, chance) for _ in range(3))):
            yield _searched(instance, noise)


def _noise(instance: Instance, chance: np.random.Generator) -> Floats:
    return chance.uniform(0.75, 1.25, instance.items)


def _searched(instance: Instance, noise: Floats) -> Packing:
    """Nodes of the only type, each filled as full as a search can."""
    pods = filled_by_search(
        instance.sizes, instance.demand, instance.capacities[0], instance.holds[0],
        instance.apart, noise, _SEARCH,
    )  # fmt: skip
    return Packing(np.zeros(len(pods), np.int64), pods, np.ones(len(pods), np.int64))


def _recombined(columns: Columns, time_limit_s: float) -> Packing | None:
    """The cheapest packing out of the columns at hand that HiGHS finds."""
    instance = columns.instance
    pods = columns.pods.copy()
    scale = float(instance.prices.max())
    copies = whole_cover(
        columns.costs / scale, pods.T, instance.demand, min(_MIP_S, max(time_limit_s, 0.01))
    )
    if copies is None:
        return None
    used = np.flatnonzero(copies)
    types = np.asarray(columns.types, np.int64)[used]
    return without_surplus(Packing(types, pods[used], copies[used]), instance.demand)


def without_surplus(packing: Packing, demand: Ints) -> Packing:
    """The same nodes without the pods that nobody asked for."""
    rows = np.repeat(np.arange(len(packing.types)), packing.copies)
    pods = packing.pods[rows].copy()
    surplus = pods.sum(axis=0) - demand
    for k in range(len(pods)):
        drop = np.minimum(pods[k], surplus)
        pods[k] -= drop
        surplus -= drop
    kept = pods.any(axis=1)
    return Packing(packing.types[rows][kept], pods[kept], np.ones(int(kept.sum()), np.int64))
