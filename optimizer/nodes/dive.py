"""From fractional nodes to whole ones: fix what is nearly whole, generate again, and repeat."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from optimizer.nodes.columns import Columns
from optimizer.nodes.deadline import Deadline
from optimizer.nodes.greedy import MEASURES, filled_one_by_one
from optimizer.nodes.instance import Instance, Packing, joined
from optimizer.nodes.knapsack import Floats, Ints

_WHOLE = 1e-6
_ROUNDS = 30  # of column generation between two decisions
_BUDGET = 2_000  # nodes of a search for one column


@dataclass(frozen=True, eq=False)
class Greedy:
    """Greedy packings of an instance; node types that come first in ``order`` are preferred."""

    instance: Instance
    order: Ints

    def pack(self, demand: Ints, measure: int, noise: Floats | None = None) -> Packing:
        """Nodes for the demand, filled by one measure of what fits best."""
        instance = self.instance
        if noise is None:
            noise = np.ones(instance.items)
        types, pods, copies = filled_one_by_one(
            instance.sizes, demand, instance.capacities, instance.holds, instance.apart,
            self.order, measure, noise,
        )  # fmt: skip
        return Packing(types, pods, copies).right_sized(instance)

    def best(self, demand: Ints) -> Packing:
        """The cheapest over all measures."""
        found = (self.pack(demand, measure) for measure in range(MEASURES))
        return min(found, key=lambda packing: packing.cost(self.instance))


@dataclass(frozen=True, eq=False)
class Diver:
    """Dives into the tree of decisions without coming back up (Sadykov et al. 2019)."""

    columns: Columns
    greedy: Greedy
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def dive(self, below: int, deadline: Deadline, share: float, *, stray: bool) -> Packing | None:
        """A packing that costs less than ``below``, or None.

        Of what is fractional the largest is rounded up, and with it all disjoint ones above
        ``share``; ``stray`` leaves some of that choice to chance. A dive ends where its bound says
        that nothing cheaper is below.
        """
        instance = self.columns.instance
        demand, spent, best = instance.demand, 0, None
        fixed: list[Packing] = []
        while demand.any():
            rest = self.greedy.best(demand)
            if spent + rest.cost(instance) < below:
                below, best = spent + rest.cost(instance), joined([*fixed, rest])
            if deadline.passed:
                return best
            relaxed = self.columns.relax(
                demand, enough=below - spent, deadline=deadline, rounds=_ROUNDS, budget=_BUDGET
            )
            if spent + relaxed.bound >= below:
                return best
            part = self._decided(relaxed.amounts, demand, share, stray)
            fixed.append(part)
            demand = demand - part.held
            spent += part.cost(instance)
        return joined(fixed) if spent < below else best

    def _decided(self, amounts: Floats, demand: Ints, share: float, stray: bool) -> Packing:
        """The columns that are fixed next, and how often: never more pods than are left."""
        whole = np.floor(amounts + _WHOLE).astype(np.int64)
        order = np.flatnonzero(whole)
        if len(order):
            order = order[np.argsort(-amounts[order], kind="stable")]
        else:
            order = np.flatnonzero(amounts > _WHOLE)
            weight = amounts[order]
            if stray:
                weight = weight * self.chance.uniform(0.5, 1.0, len(order))
            order = order[np.argsort(-weight, kind="stable")]
            first = order[0]
            order = order[(amounts[order] >= share) | (order == first)] if share else order[:1]
            whole[order] = 1
        chosen, copies, left = [], [], demand
        for column in order.tolist():
            pods = self.columns.pods[column]
            inside = pods > 0
            times = min(int(whole[column]), int((left[inside] // pods[inside]).min()))
            if times > 0:
                chosen.append(column)
                copies.append(times)
                left = left - times * pods
        types = np.array([self.columns.types[column] for column in chosen], np.int64)
        return Packing(types, self.columns.pods[chosen].copy(), np.array(copies, np.int64))
