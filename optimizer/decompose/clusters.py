"""Origins of a service that meet in some of its places, directly or through others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.formulate.spread import origin_sets

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cluster:
    """Origins of a service and all places that may serve at least one of them.

    ``may`` [origin, place]; ``atom`` [place]: places of one atom may serve the same origins;
    ``sets``: positions of origins, and the atoms [atom] that at least one of them may use.
    """

    origins: Ints
    regions: Ints
    may: Bools
    atom: Ints
    sets: tuple[tuple[Ints, Bools], ...]


def find_clusters(useful: Bools, idle: bool) -> list[Cluster]:
    """Origins that share places, directly or through others; ``useful`` [origin, region]."""
    if idle:
        regions = np.flatnonzero(useful.any(axis=0))
        none = np.zeros(0, np.int64)
        may = np.zeros((0, len(regions)), np.bool_)
        return [Cluster(none, regions, may, np.zeros(len(regions), np.int64), ())]
    joined: list[tuple[list[int], Bools]] = []
    for g in np.flatnonzero(useful.any(axis=1)).tolist():
        mine, places, apart = [g], useful[g], []
        for origins, others in joined:
            if (others & places).any():
                mine, places = mine + origins, places | others
            else:
                apart.append((origins, others))
        joined = [*apart, (mine, places)]
    return [_cluster(useful, np.array(sorted(origins))) for origins, _ in joined]


def _cluster(useful: Bools, origins: Ints) -> Cluster:
    regions = np.flatnonzero(useful[origins].any(axis=0))
    may = useful[np.ix_(origins, regions)]
    if len(origins) == 1:
        return Cluster(origins, regions, may, np.zeros(len(regions), np.int64), ())
    kinds, atom = np.unique(may, axis=1, return_inverse=True)
    try:
        sets = origin_sets(may)
    except ValueError:  # too many kinds of origins for all sets: each alone, and all together
        sets = ()
    pairs = {tuple(one.origins.tolist()) for one in sets}
    pairs |= {(i,) for i in range(len(origins))} | {tuple(range(len(origins)))}
    rows = tuple(
        (np.array(members), np.asarray(kinds[list(members)].any(axis=0)))
        for members in sorted(pairs)
    )
    return Cluster(origins, regions, may, atom.ravel().astype(np.int64), rows)
