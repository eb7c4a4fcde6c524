"""One pass over all cells at given prices: what each does, what that costs, and what it uses.

A pass is a *bound* (nothing lawful is cheaper at these prices) or a *plan* (what is written is
lawful, but for limits that services share).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import reserve
from optimizer.decompose.group import solve_group
from optimizer.decompose.tables import (
    LARGEST_ZONED,
    Asks,
    Stock,
    Tables,
    expand,
    fill_tables,
    make_tables,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.int32]
Bools = NDArray[np.bool_]


@compiled
def sweep(
    stock: Stock,
    asks: Asks,
    usd: Floats,
    route_usd: Floats,
    y: Floats,
    groups: Ints,
    plan: bool,
    exact: bool,
    used: Floats,
    held: Ints,
    alive: Ints,
    share: Floats,
    value: Floats,
) -> None:
    """Solve every cell of ``groups``, which are sorted by assortment and span.

    ``usd`` [candidate, span]; ``route_usd`` [lane]: USD if all of the origin's traffic goes there;
    ``y`` [slot]: USD per replica that cells of several origins pay between routes and replicas.
    Writes ``used`` [candidate, span] (instances, added up over cells), ``held`` and ``alive``
    [slot], ``share`` [lane] and ``value`` [group].
    """
    tables = room_for(stock, asks, groups)
    count = np.zeros(len(stock.size), np.int64)
    wanted = np.zeros(len(stock.zones), np.bool_)
    a, span = -1, -1
    for i in range(len(groups)):
        g = groups[i]
        if a != asks.group_assortment[g] or span != asks.group_span[g]:
            _flush(stock, count, used, a, span)
            a, span = asks.group_assortment[g], asks.group_span[g]
            mark_places(asks, groups[i:], wanted)
            fill_tables(stock, usd, a, span, plan, wanted, tables)
        value[g] = solve_group(
            stock, asks, tables, y, route_usd, g, a, plan, exact, held, alive, share
        )
        for slot in range(
            asks.slot_start[asks.group_start[g]], asks.slot_start[asks.group_start[g + 1]]
        ):
            expand(
                stock, usd, tables, a, span, asks.place[slot], held[slot], alive[slot], plan, count
            )
    _flush(stock, count, used, a, span)


@compiled
def mark_places(asks: Asks, groups: Ints, wanted: Bools) -> None:
    """``wanted`` [region]: where the first of ``groups`` may be, and all after it that share its
    tables.
    """
    wanted[:] = False
    a, span = asks.group_assortment[groups[0]], asks.group_span[groups[0]]
    for g in groups:
        if asks.group_assortment[g] != a or asks.group_span[g] != span:
            return
        for slot in range(
            asks.slot_start[asks.group_start[g]], asks.slot_start[asks.group_start[g + 1]]
        ):
            wanted[asks.place[slot]] = True


@compiled
def room_for(stock: Stock, asks: Asks, groups: Ints) -> Tables:
    """Tables large enough for every assortment of the groups."""
    regions = len(stock.zones)
    most, length, square, layers = 1, 1, 1, 1
    before = -1
    for g in groups:
        a = asks.group_assortment[g]
        if a == before:
            continue
        before = a
        most = max(most, stock.most[a])
        if stock.zoned[a] and stock.most[a] <= LARGEST_ZONED:
            square = max(square, stock.most[a])
        for r in range(regions):
            low, high = stock.start[a * regions + r], stock.start[a * regions + r + 1]
            if high == low:
                continue
            if stock.zoned[a]:
                layers = max(layers, high - low)
            room = reserve(
                stock.size[low:high], stock.spot[low:high], stock.share[a], stock.most[a]
            )
            length = max(length, room)
    return make_tables(regions, max(length, most), most, square, layers)


@compiled
def _flush(stock: Stock, count: Ints, used: Floats, assortment: int, span: int) -> None:
    if assortment < 0:
        return
    regions = len(stock.zones)
    low = stock.start[assortment * regions]
    for i in range(low, stock.start[(assortment + 1) * regions]):
        used[i, span] += count[i]
        count[i] = 0


@compiled
def list_counts(
    stock: Stock, asks: Asks, usd: Floats, groups: Ints, held: Ints, alive: Ints
) -> tuple[Rows, Rows, Rows]:
    """Cell, candidate and instances of all that runs in a plan's ``held`` and ``alive``."""
    tables = room_for(stock, asks, groups)
    regions = len(stock.zones)
    count = np.zeros(len(stock.size), np.int64)
    room, size = max(4 * len(groups), 16), 0
    rows = np.empty((3, room), np.int32)
    wanted = np.zeros(regions, np.bool_)
    a, span = -1, -1
    for first in range(len(groups)):
        g = groups[first]
        if a != asks.group_assortment[g] or span != asks.group_span[g]:
            a, span = asks.group_assortment[g], asks.group_span[g]
            mark_places(asks, groups[first:], wanted)
            fill_tables(stock, usd, a, span, True, wanted, tables)
        for cell in range(asks.group_start[g], asks.group_start[g + 1]):
            for slot in range(asks.slot_start[cell], asks.slot_start[cell + 1]):
                expand(
                    stock, usd, tables, a, span, asks.place[slot], held[slot], alive[slot], True,
                    count,
                )  # fmt: skip
            for i in range(stock.start[a * regions], stock.start[(a + 1) * regions]):
                if count[i] == 0:
                    continue
                if size == room:
                    larger = np.empty((3, 2 * room), np.int32)
                    larger[:, :room] = rows
                    rows, room = larger, 2 * room
                rows[0, size], rows[1, size], rows[2, size] = cell, i, count[i]
                count[i] = 0
                size += 1
    return rows[0, :size].copy(), rows[1, :size].copy(), rows[2, :size].copy()
