"""Data that lanes carry to users, and what that costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.egress import GB_PER_KIB, SECONDS_PER_HOUR
from optimizer.decompose.cells import Cells
from optimizer.formulate.egress import price_levels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.int32]


def origin_of(cells: Cells, entry: Ints | Rows) -> Ints:
    """The origin of each entry."""
    asks = cells.asks
    entry_cell = np.repeat(np.arange(len(asks.need)), np.diff(asks.entry_start))
    position = np.arange(len(entry_cell)) - asks.entry_start[entry_cell]
    widest = max((len(c.origins) for c in cells.clusters), default=1)
    origin_of = np.full((len(cells.clusters), max(widest, 1)), -1)
    for i, cluster in enumerate(cells.clusters):
        origin_of[i, : len(cluster.origins)] = cluster.origins
    origin: Ints = origin_of[asks.cluster[entry_cell], position][entry]
    return origin


def to_users(cells: Cells, direct_rps: Floats, slot: Rows, service: Rows, entry: Rows) -> Floats:
    asks = cells.asks
    kib = np.array([s.response_kib for s in cells.world.services])
    internet = price_levels(cells.world)[:, 2]
    entry_cell = np.repeat(np.arange(len(asks.need)), np.diff(asks.entry_start))
    origin = origin_of(cells, np.arange(len(entry_cell)))
    group = cells.cell_group[entry_cell]
    so_far = np.concatenate(
        [np.zeros((*direct_rps.shape[:2], 1)), np.cumsum(direct_rps, axis=2)], axis=2
    )
    starts, ends = (np.array(edge) for edge in zip(*cells.spans, strict=True))
    span = asks.group_span[group]
    served = cells.group_service[group]
    requests = so_far[served, origin, ends[span]] - so_far[served, origin, starts[span]]
    gb = requests * SECONDS_PER_HOUR * kib[served] * GB_PER_KIB
    usd: Floats = gb[entry] * internet[asks.place[slot]]
    return usd
