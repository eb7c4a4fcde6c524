"""What is packed into what, in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optimizer.nodes.knapsack import Flags, Ints

_MOST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Instance:
    """``demand`` pods of each item, onto nodes of any number of each type, at least cost.

    ``sizes`` is items × resources, ``capacities`` is types × resources, ``prices`` are whole
    amounts of money > 0 per node; ``most`` (types × items) is how many pods of an item one node of
    a type may hold by rules: 0 where it may not run. ``apart`` (items × items, symmetric, or empty)
    tells items that may not share a node.
    """

    sizes: Ints
    demand: Ints
    capacities: Ints
    prices: Ints
    most: Ints
    apart: Flags

    @cached_property
    def holds(self) -> Ints:
        """How many pods of each item a node of each type can hold (types × items)."""
        most = np.minimum(self.most, self.demand)
        for d in range(self.sizes.shape[1]):
            fit = self.capacities[:, d, None] // np.maximum(self.sizes[None, :, d], 1)
            most = np.where(self.sizes[:, d] > 0, np.minimum(most, fit), most)
        return np.ascontiguousarray(np.maximum(most, 0), dtype=np.int64)

    @property
    def items(self) -> int:
        return len(self.demand)

    @property
    def types(self) -> int:
        return len(self.prices)

    @property
    def homeless(self) -> Ints:
        """Items that no type of node can hold."""
        return np.flatnonzero(~(self.holds > 0).any(axis=0))

    def only(self, types: Ints) -> Instance:
        """The same pods with only these types of nodes."""
        return Instance(
            self.sizes, self.demand, self.capacities[types], self.prices[types],
            self.most[types], self.apart,
        )  # fmt: skip

    def undominated(self) -> Ints:
        """Types to keep: no other is as cheap, holds as much and takes the same items."""
        _, kinds = np.unique(self.most, axis=0, return_inverse=True)
        order = np.lexsort((*-self.capacities.T, self.prices))
        kept: list[int] = []
        for kind in np.unique(kinds):
            found = np.empty((0, self.capacities.shape[1]), np.int64)
            for t in order[kinds.ravel()[order] == kind].tolist():
                if not (found >= self.capacities[t]).all(axis=1).any():
                    found = np.vstack((found, self.capacities[t]))
                    kept.append(t)
        return np.array(sorted(kept), np.int64)


@dataclass(frozen=True, eq=False)
class Packing:
    """Nodes with pods on them: their types, pods by item (a row each) and copies."""

    types: Ints
    pods: Ints
    copies: Ints

    def cost(self, instance: Instance) -> int:
        return int(instance.prices[self.types] @ self.copies)

    @property
    def held(self) -> Ints:
        """Pods by item, over all nodes."""
        held: Ints = self.copies @ self.pods
        return held

    def right_sized(self, instance: Instance) -> Packing:
        """Every node as the cheapest type that holds its pods."""
        used = self.pods @ instance.sizes
        by_price = np.argsort(instance.prices, kind="stable")
        types = self.types.copy()
        waiting = np.ones(len(types), np.bool_)
        for t in by_price.tolist():
            fits = waiting & (used <= instance.capacities[t]).all(axis=1)
            fits[fits] = (self.pods[fits] <= instance.most[t]).all(axis=1)
            types[fits] = t
            waiting &= ~fits
            if not waiting.any():
                break
        return Packing(types, self.pods, self.copies)


def joined(parts: Sequence[Packing]) -> Packing:
    """All nodes of several packings."""
    return Packing(
        np.concatenate([part.types for part in parts]),
        np.concatenate([part.pods for part in parts]),
        np.concatenate([part.copies for part in parts]),
    )


def everything_together() -> Flags:
    """``apart`` when any two items may share a node."""
    return np.zeros((0, 0), np.bool_)
