"""Column generation: fillings of nodes, priced by what pods are worth, and the bound they prove.

The linear master covers the demand by fillings; its dual prices value the pods; the knapsacks of
``optimizer.nodes.pricing`` find fillings worth more than their node. Whatever values v >= 0 (whole
numbers, in 1/scale of the money) the pods are given, with z_t >= the most that a node of type t can
hold, no packing costs less than

.. math:: \\sum_i v_i d_i \\cdot \\min\\big(1/\\text{scale},\\; \\min_t c_t / z_t \\big)

(Farley 1990): each node of a packing costs at least that much for what it holds. The bound is
computed in whole numbers and fractions, so it is exact, and rounded up to what money can be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd

import numpy as np

from optimizer.nodes.deadline import Deadline
from optimizer.nodes.instance import Instance
from optimizer.nodes.knapsack import Floats, Ints
from optimizer.nodes.pricing import complementary, priced
from optimizer.solve.covering import Covering

_UNITS = 10**9
"""Value of the dearest node in units of pods' values: fine enough, and exact in a float."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """What fractional nodes would cost, how much of each column, and what is proven."""

    cost: float
    amounts: Floats
    bound: int  # no packing of the demand costs less


class Columns:
    """Fillings found so far, and the linear program over them."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.types: list[int] = []
        self._pods = np.zeros((256, instance.items), np.int64)
        self._known: set[tuple[int, bytes]] = set()
        self._master = Covering(instance.demand)
        self._scale = max(1, _UNITS // int(instance.prices.max()))
        self._step = gcd(*instance.prices.tolist())
        self._yields = np.zeros(instance.types)
        self._center = self._by_volume() if instance.types == 1 else None
        self.add(self._singles())

    def __len__(self) -> int:
        return len(self.types)

    @property
    def pods(self) -> Ints:
        """Pods by item, one row per column."""
        return self._pods[: len(self.types)]

    @property
    def costs(self) -> Ints:
        return self.instance.prices[np.asarray(self.types, np.int64)]

    @property
    def preferred(self) -> Ints:
        """Types by what their best filling is worth per money, the best first."""
        return np.argsort(-self._yields, kind="stable")

    def _by_volume(self) -> Floats:
        """What pods are worth by their share of the scarcest resource."""
        demand, sizes, (capacity,) = (
            self.instance.demand,
            self.instance.sizes,
            self.instance.capacities,
        )
        shares: Floats = sizes / np.maximum(capacity, 1)
        scarce = int(np.argmax(demand @ shares))
        worth: Floats = shares[:, scarce] * float(self.instance.prices[0])
        return worth

    def _singles(self) -> Iterable[tuple[int, Ints]]:
        """One pod alone on the cheapest node: with these, any demand can be covered."""
        holds, prices = self.instance.holds, self.instance.prices
        dear = np.iinfo(np.int64).max
        for i in range(self.instance.items):
            cheapest = int(np.argmin(np.where(holds[:, i] > 0, prices, dear)))
            pods = np.zeros(self.instance.items, np.int64)
            pods[i] = 1
            yield cheapest, pods

    def add(self, fillings: Iterable[tuple[int, Ints]]) -> int:
        """Take in fillings; says how many were new."""
        before = len(self.types)
        for kind, pods in fillings:
            key = (kind, pods.tobytes())
            if key in self._known:
                continue
            self._known.add(key)
            if len(self.types) == len(self._pods):
                self._pods = np.concatenate((self._pods, np.zeros_like(self._pods)))
            self._pods[len(self.types)] = pods
            self.types.append(kind)
            (rows,) = np.nonzero(pods)
            price = float(self.instance.prices[kind])
            self._master.add(price, rows.tolist(), pods[rows].tolist())
        return len(self.types) - before

    def relax(
        self,
        demand: Ints,
        *,
        enough: int,
        deadline: Deadline,
        budget: int = 3_000,
        rounds: int = 10_000,
        gap: float = 0.0,
    ) -> Relaxation:
        """Generate columns until nothing improves, the bound reaches ``enough``, or time is up."""
        instance = self.instance
        whole = demand is instance.demand or bool((demand == instance.demand).all())
        holds = np.minimum(instance.holds, demand)
        self._master.ask(demand)
        bound, center, weight = 0, (self._center if whole else None), 0.6
        self._master.allow(np.asarray((self.pods <= demand).all(axis=1)))
        for turn in range(rounds):
            cost, duals = self._master.solve()
            duals = np.maximum(duals, 0.0)
            if bound >= min(enough, self._rounded_up(cost)) or cost - bound <= gap * cost:
                break
            added = 0
            while True:
                mixed = duals if center is None else weight * center + (1 - weight) * duals
                smoothed = center is not None and weight > 0
                new, proven, yields = self._price(mixed, duals, demand, holds, budget)
                if proven > bound:
                    bound, center = proven, mixed
                    if whole:
                        self._yields = yields
                elif center is None:
                    center = mixed
                added = self.add(new)
                if added or not smoothed:
                    break
                weight = 0.0 if weight < 0.3 else weight / 2
            if bound >= enough or deadline.passed:
                break
            if not added:
                if budget >= 2_000_000 or turn + 1 == rounds:
                    break
                budget *= 10
        if whole:
            self._center = center
        return Relaxation(cost, self._master.amounts(), bound)

    def _rounded_up(self, cost: float) -> int:
        return ceil(cost / self._step - 1e-6) * self._step

    def _price(
        self, mixed: Floats, duals: Floats, demand: Ints, holds: Ints, budget: int
    ) -> tuple[list[tuple[int, Ints]], int, Floats]:
        """Columns worth more than they cost, and the bound that the values ``mixed`` prove."""
        instance = self.instance
        values = np.floor(mixed * self._scale).astype(np.int64)
        tried, found, bounds = priced(
            values, instance.sizes, instance.capacities, instance.prices, holds,
            instance.apart, self._scale, 12, budget,
        )  # fmt: skip
        yields = bounds / instance.prices
        t = int(np.argmax(yields))
        ratio = min(
            Fraction(1, self._scale), Fraction(int(instance.prices[t]), int(max(bounds[t], 1)))
        )
        # argmax is of rounded numbers: the others can only be better by a rounding, so look closely
        for other in np.flatnonzero(yields >= yields[t] * (1 - 1e-9)).tolist():
            ratio = min(ratio, Fraction(int(instance.prices[other]), max(int(bounds[other]), 1)))
        worth = sum(v * d for v, d in zip(values.tolist(), demand.tolist(), strict=True))
        proven = ceil(worth * ratio / self._step) * self._step
        new = [
            (int(kind), pods)
            for kind, pods in zip(tried.tolist(), found, strict=True)
            if float(duals @ pods) > instance.prices[kind] * (1 + 1e-9)
        ]
        if instance.types <= 4 and new:
            for kind, pods in list(new):
                more = complementary(
                    np.floor(duals * self._scale).astype(np.int64), instance.sizes,
                    instance.capacities[kind], holds[kind], instance.apart,
                    demand - np.minimum(pods, demand),
                    int(self._scale * instance.prices[kind] * (1 + 1e-6)) + 1, 16, 1_000,
                )  # fmt: skip
                new += [(kind, row) for row in more]
        return new, proven, yields
