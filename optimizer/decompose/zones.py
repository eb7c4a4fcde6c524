"""Replicas that outlive the loss of a zone: a covering with two requirements.

Equal instances stand evenly in the Z zones of a region, so n instances of size k hold k·n
replicas, of which k·(n - ⌈n/Z⌉) are left when the fullest zone is lost (Z = 1: none).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def survivors_table(
    sizes: Ints, usd: Floats, zones: int, most: int, layers: Floats, table: Floats
) -> None:
    """``table[h, v]``: the least for at least h replicas of which at least v outlive a zone.

    ``layers[i]`` is the table of exactly h and v (both cut off at ``most``) with the first i
    sizes.
    """
    for h in range(most + 1):
        for v in range(most + 1):
            layers[0, h, v] = INFINITE
    layers[0, 0, 0] = 0.0
    for i in range(len(sizes)):
        for h in range(most + 1):
            for v in range(h + 1):
                layers[i + 1, h, v] = layers[i, h, v]
            for v in range(h + 1, most + 1):
                layers[i + 1, h, v] = INFINITE
        for h in range(most + 1):
            for v in range(h + 1):
                start = layers[i, h, v]
                if start >= INFINITE:
                    continue
                n = 0
                while True:
                    n += 1
                    lost = n if zones <= 1 else -(-n // zones)
                    to_h = min(most, h + sizes[i] * n)
                    to_v = min(most, v + sizes[i] * (n - lost))
                    new = start + usd[i] * n
                    if new < layers[i + 1, to_h, to_v]:
                        layers[i + 1, to_h, to_v] = new
                    if to_v == most or (zones <= 1 and to_h == most):
                        break
    last = len(sizes)
    for h in range(most, -1, -1):
        for v in range(most, -1, -1):
            best = layers[last, h, v]
            if h < most:
                best = min(best, table[h + 1, v])
            if v < most:
                best = min(best, table[h, v + 1])
            table[h, v] = best


@compiled
def unwind_survivors(
    sizes: Ints,
    usd: Floats,
    zones: int,
    most: int,
    layers: Floats,
    held: int,
    alive: int,
    count: Ints,
) -> None:
    """``count[i]``: instances of each size that the table's entry [held, alive] stands for."""
    last = len(sizes)
    h, v, best = held, alive, INFINITE
    for to_h in range(held, most + 1):
        for to_v in range(alive, most + 1):
            if layers[last, to_h, to_v] < best:
                best, h, v = layers[last, to_h, to_v], to_h, to_v
    for i in range(last - 1, -1, -1):
        count[i] = 0
        target = layers[i + 1, h, v]
        if layers[i, h, v] <= target:
            continue
        found = False
        for from_h in range(h + 1):
            for from_v in range(min(from_h, v) + 1):
                start = layers[i, from_h, from_v]
                if found or start >= INFINITE or start > target:
                    continue
                n = 0
                while not found:
                    n += 1
                    lost = n if zones <= 1 else -(-n // zones)
                    to_h = min(most, from_h + sizes[i] * n)
                    to_v = min(most, from_v + sizes[i] * (n - lost))
                    if to_h == h and to_v == v and start + usd[i] * n <= target * (1 + 1e-12):
                        count[i] = n
                        h, v, found = from_h, from_v, True
                    if to_v == most or (zones <= 1 and to_h == most) or to_h > h or to_v > v:
                        break


@compiled
def bundles(zones: int, alive: int, held: int) -> int:
    """Bundles of ``zones`` equal replicas that hold ``held`` and keep ``alive`` without a zone."""
    return max(-(-held // zones), -(-alive // (zones - 1)))
