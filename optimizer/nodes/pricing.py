"""New fillings for given values of the pods, for every type of node, compiled."""

from __future__ import annotations

import numpy as np

from optimizer.compiled import compiled
from optimizer.nodes.knapsack import Flags, Ints, above, best_filling, relaxed


@compiled
def priced(
    values: Ints,
    sizes: Ints,
    capacities: Ints,
    prices: Ints,
    holds: Ints,
    apart: Flags,
    scale: int,
    wanted: int,
    budget: int,
) -> tuple[Ints, Ints, Ints]:
    """Types tried and a filling of each, and for every type a value that no filling exceeds.

    ``values`` are in 1/``scale`` of the money of ``prices``. Types are tried in the order of what
    their relaxation yields per money, until ``wanted`` fillings are worth more than their node.
    """
    types, items = holds.shape
    bounds = np.zeros(types, np.int64)
    yields = np.zeros(types)
    for t in range(types):
        _, u = relaxed(values, sizes, capacities[t], holds[t])
        bounds[t] = int(np.floor(above(values, sizes, capacities[t], holds[t], u)))
        yields[t] = bounds[t] / prices[t]
    order = np.argsort(-yields)
    tried = np.empty(types, np.int64)
    found = np.zeros((min(types, 2 * wanted), items), np.int64)
    n, worthwhile, highest = 0, 0, 0.0
    for t in order:
        enough = worthwhile >= wanted and yields[t] <= highest
        if n == len(found) or enough or (n > 0 and bounds[t] <= scale * prices[t]):
            break
        x, value, bound = best_filling(
            values, sizes, capacities[t], holds[t], apart, scale * prices[t], budget
        )
        bounds[t] = min(bound, bounds[t])
        highest = max(highest, bounds[t] / prices[t])
        found[n] = x
        tried[n] = t
        n += 1
        if value > scale * prices[t]:
            worthwhile += 1
    return tried[:n], found[:n], bounds


@compiled
def complementary(
    values: Ints,
    sizes: Ints,
    capacity: Ints,
    holds: Ints,
    apart: Flags,
    left: Ints,
    least: int,
    wanted: int,
    budget: int,
) -> Ints:
    """Fillings worth more than ``least``, one after the other out of the pods that are ``left``."""
    items = len(values)
    found = np.zeros((wanted, items), np.int64)
    left = left.copy()
    n = 0
    while n < wanted:
        x, value, _ = best_filling(
            values, sizes, capacity, np.minimum(holds, left), apart, least, budget
        )
        if value <= least:
            break
        found[n] = x
        left -= x
        n += 1
    return found[:n]
