"""Anomalies grouped by their cause."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from models.foreseen import Anomaly, Incident
from models.signals import Signals
from optimizer.incidents.causes import Causes
from optimizer.incidents.places import Calls, Place, place_of
from optimizer.incidents.words import why

LAG: Final = timedelta(minutes=5)
_FAINT: Final = 0.02
"""A weight below is no reason."""


def incidents_of(
    anomalies: Iterable[Anomaly],
    calls: Iterable[tuple[str, str]],
    signals: Signals | None = None,
    lag: timedelta = LAG,
) -> tuple[Incident, ...]:
    """Anomalies by cause, each in one incident; the incident that weighs most first.

    ``calls``: pairs of caller and callee. An arc leads from every anomaly to those that may follow
    from it (``causes``). What no arc leads to, alone or in a circle, is a root; everything else
    belongs to the root from which the product of weights along a path is largest.
    """
    given = sorted(set(anomalies), key=lambda one: (one.starts, one.key, one.ends, one.why))
    if not given:
        return ()
    graph = Calls([*calls, *((a.key.service, a.key.callee) for a in given if a.key.callee)])
    weights = _weights(given, Causes(graph, signals, lag))
    circle, roots = _roots(weights)
    owner = _owners(weights, circle, roots)
    members: defaultdict[int, list[Anomaly]] = defaultdict(list)
    for anomaly, root in zip(given, owner, strict=True):
        members[int(root)].append(anomaly)
    circles: defaultdict[int, list[Anomaly]] = defaultdict(list)
    for anomaly, of in zip(given, circle, strict=True):
        circles[int(of)].append(anomaly)
    made = []
    for root, anomalies_of_it in members.items():
        first = _first(circles[root])
        made.append(Incident(first, tuple(anomalies_of_it), why(first, anomalies_of_it, graph)))
    made.sort(key=lambda one: (-sum(a.score for a in one.anomalies), one.root.starts, one.root.key))
    return tuple(made)


def _weights(given: Sequence[Anomaly], causes: Causes) -> csr_array:
    """How well each [row] explains each [column]; ``given`` are sorted by start."""
    at: defaultdict[Place, list[int]] = defaultdict(list)
    on: defaultdict[str, list[int]] = defaultdict(list)
    for i, anomaly in enumerate(given):
        at[place_of(anomaly.key)].append(i)
        if anomaly.key.instance:
            on[anomaly.key.instance].append(i)
    starts = [anomaly.starts for anomaly in given]
    rows, columns, values = [], [], []
    for i, cause in enumerate(given):
        since, until = causes.while_felt(cause)
        first, last = bisect_left(starts, since), bisect_right(starts, until)
        some = [at.get(place, []) for place in causes.near(place_of(cause.key))]
        some.append(on.get(cause.key.instance, []))
        near = {j for one in some for j in one[bisect_left(one, first) : bisect_left(one, last)]}
        for j in sorted(near - {i}):
            weight = causes.weight(cause, given[j])
            if weight >= _FAINT:
                rows.append(i)
                columns.append(j)
                values.append(min(weight, 0.999))  # so that its logarithm is kept
    size = (len(given), len(given))
    return csr_array((np.array(values, float), (rows, columns)), shape=size)


def _roots(weights: csr_array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The circle of each anomaly, and circles that no arc leads to."""
    count, circle = connected_components(weights, connection="strong")
    arcs = weights.tocoo()
    into = circle[arcs.col[circle[arcs.row] != circle[arcs.col]]]
    return circle.astype(np.int64), np.setdiff1d(np.arange(count), into)


def _owners(
    weights: csr_array, circle: NDArray[np.int64], roots: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The root of each anomaly: the one whose best path weighs most."""
    lengths = csr_array((-np.log(weights.data), weights.indices, weights.indptr), weights.shape)
    members = [np.flatnonzero(circle == root) for root in roots]
    nearest = np.stack([dijkstra(lengths, indices=own, min_only=True) for own in members])
    return np.asarray(roots[nearest.argmin(axis=0)], np.int64)


def _first(circle: Sequence[Anomaly]) -> Anomaly:
    """Which of anomalies that explain each other is told as the root.

    Of a single instance when just one strays; otherwise of a whole service, the first to stray,
    the surest.
    """
    instances = {anomaly.key.instance for anomaly in circle} - {""}
    alone = len(instances) == 1
    return min(
        circle,
        key=lambda one: (bool(one.key.instance) is not alone, one.starts, -one.score, one.key),
    )
