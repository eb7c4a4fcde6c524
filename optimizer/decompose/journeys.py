"""Places to which plans keep services, so that every way through a workflow is fast enough.

A workflow binds the places of its services to each other. The bound lets go of that; plans may
only use *kept* places, any combination of which keeps the objective. Of the places on the slowest
way, the one that matters least to the dual's answer goes, until no way is too slow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.world import World
from optimizer.formulate.paths import Paths, bound_paths
from optimizer.formulate.reach import Distances

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def binding(world: World, distances: Distances, allowed: Bools, asked: Bools) -> list[Paths]:
    """Workflows that some combination of the places left to them makes too slow.

    ``allowed`` [service, origin, region], ``asked`` [service, origin].
    """
    return [
        paths
        for paths in bound_paths(world)
        if _latest_ms(paths, distances, allowed, paths.bound(asked)) > paths.rule.within_ms
    ]


def _latest_ms(
    paths: Paths, distances: Distances, allowed: Bools, origins: NDArray[np.int64]
) -> float:
    if not len(origins):
        return -np.inf
    open_to = allowed[paths.services][:, origins].transpose(1, 0, 2)
    times = paths.times(distances.from_origin[origins], distances.between, open_to)
    return float(times.latest_end.max(initial=-np.inf))


def kept_places(
    slow: list[Paths], distances: Distances, allowed: Bools, asked: Bools, weight: Floats
) -> Bools | None:
    """The part of ``allowed`` in which no workflow is too slow; None: none was found.

    ``weight`` [service, origin, region]: how much it matters.
    """
    kept = allowed.copy()
    for paths in slow:
        for g in paths.bound(asked).tolist():
            if not _narrow(paths, g, distances, kept, weight):
                return None
    return kept


def _narrow(paths: Paths, g: int, distances: Distances, kept: Bools, weight: Floats) -> bool:
    """Take places from ``kept`` until no way for origin ``g`` is too slow."""
    services, within = paths.services, paths.rule.within_ms
    trip, between = distances.from_origin[[g]], distances.between
    open_to = kept[services, g]
    matters = weight[services, g]
    while True:
        times = paths.times(trip, between, open_to[None])
        soonest = times.soonest_end[0] + times.soonest_rest[0]
        if not (soonest <= within).any(axis=1).all():
            return False
        hopeless = open_to & (soonest > within)
        if hopeless.any():
            open_to = open_to & ~hopeless
            continue
        if times.latest_end[0].max() <= within:
            break
        # A place is to blame for as much as the slowest way through it is too long.
        longest = _longest_through(paths, trip[0], between, open_to)
        late = np.where(open_to, longest - within, -np.inf)
        spare = open_to.sum(axis=1) > 1
        late[~spare] = -np.inf
        if not (late > 0).any():
            return False
        cost = np.where(
            late > 0, (matters + 1e-6 * matters.sum() + 1e-12) / np.maximum(late, 1e-9), np.inf
        )
        j, r = np.unravel_index(int(np.argmin(cost)), cost.shape)
        open_to[j, r] = False
    kept[services, g] = open_to
    return True


def _longest_through(paths: Paths, trip: Floats, between: Floats, open_to: Bools) -> Floats:
    """The end of the slowest way through each place [step, region], ms."""
    ends = paths.times(trip[None], between, open_to[None]).latest_end[0]
    rest = np.where(open_to, 0.0, -np.inf)
    for j in range(len(paths.steps) - 1, -1, -1):
        for i in paths.waits_for(j).tolist():
            onward = (rest[j] + between + paths.own_ms[j]).max(axis=1)
            rest[i] = np.where(open_to[i], np.maximum(rest[i], onward), -np.inf)
    longest: Floats = ends + rest
    return longest
