"""Cells that share their replicas between what a quota counts and what it does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.sharing import by_price, routes
from optimizer.decompose.single import solve_single
from optimizer.decompose.sweep import mark_places, room_for
from optimizer.decompose.tables import Asks, Stock, expand, fill_tables, nothing_unmet

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@compiled
def split_cells(
    stock: Stock,
    asks: Asks,
    liked_usd: Floats,
    barred_usd: Floats,
    cost_usd: Floats,
    list_usd: Floats,
    class_of: Ints,
    hours: Floats,
    route_usd: Floats,
    cells: Ints,
    assortment: Ints,
    span: Ints,
    first: Ints,
    last: Ints,
    now: Floats,
    own: Floats,
    use: Floats,
    left: Floats,
    own_first: NDArray[np.int32],
    own_last: NDArray[np.int32],
    own_class: NDArray[np.int16],
    own_usd: Floats,
    worth: Floats,
    room: Floats,
    held: Ints,
    share: Floats,
) -> tuple[Bools, Ints, Ints, Ints]:
    """For each cell, m replicas at prices that like the quota and the rest at those that bar it.

    ``own`` [cell, quota row] is what the cell uses now, ``use`` [candidate, quota row] what an
    instance uses and ``left`` [quota row, hour] what nobody uses; the best m that fits is taken if
    that is cheaper than ``now``, at ``cost_usd`` [candidate] an hour less what commitments cover
    (see ``choose.pick``). Writes ``left``, ``room``, ``held`` and ``share``; returns which cells
    changed, and their rows of cell, candidate and instances.
    """
    quotas, unmet = len(left), nothing_unmet(asks)
    groups = np.empty(len(cells), np.int64)
    for i in range(len(cells)):
        groups[i] = np.searchsorted(asks.group_start, cells[i], side="right") - 1
    liked, barred = room_for(stock, asks, groups), room_for(stock, asks, groups)
    wanted = np.zeros(len(stock.zones), np.bool_)
    changed = np.zeros(len(cells), np.bool_)
    out_cell, out_candidate, out_count = [0], [0], [0]
    count, best_count = np.zeros(len(stock.size), np.int64), np.zeros(len(stock.size), np.int64)
    regions = len(stock.zones)
    for i in range(len(cells)):
        cell, a = cells[i], assortment[i]
        space = np.empty(quotas)
        for q in range(quotas):
            space[q] = left[q, first[i] : last[i]].min() + own[i, q]
        mark_places(asks, groups[i : i + 1], wanted)
        fill_tables(stock, liked_usd, a, span[i], True, wanted, liked)
        fill_tables(stock, barred_usd, a, span[i], True, wanted, barred)
        low, high = asks.slot_start[cell], asks.slot_start[cell + 1]
        lane = slice(asks.lane_start[cell], asks.lane_start[cell + 1])
        place, prices = asks.place[low:high], route_usd[lane]
        busy, need = asks.peak[asks.entry_start[cell]], asks.need[cell]
        need += asks.group_extra[groups[i]]
        places = high - low
        one, two = np.zeros(places, np.int64), np.zeros(places, np.int64)
        alive, served = np.zeros(places, np.int64), np.zeros(places)
        best, best_held = now[i] - 1e-9, np.zeros(places, np.int64)
        begin, end = stock.start[a * regions], stock.start[(a + 1) * regions]
        for j in range(own_first[i], own_last[i]):
            for t in range(first[i], last[i]):
                room[own_class[j], t] += own_usd[j]
        for m in range(need - 1, 0, -1):
            solve_single(
                stock, liked, a, True, place, prices, min(busy, float(m)), m, m, unmet, 0, 0, 0,
                one, alive, served,
            )  # fmt: skip
            rest = solve_single(
                stock, barred, a, True, place, prices, max(busy - m, 0.0), need - m, need - m,
                unmet, 0, 0, 0, two, alive, served,
            )  # fmt: skip
            if rest >= INFINITE:
                continue
            count[begin:end] = 0
            for p in range(places):
                expand(stock, liked_usd, liked, a, span[i], place[p], one[p], 0, True, count)
                expand(stock, barred_usd, barred, a, span[i], place[p], two[p], 0, True, count)
            fits, usd = True, 0.0
            for q in range(quotas):
                total = 0.0
                for c in range(begin, end):
                    total += count[c] * use[c, q]
                fits = fits and total <= space[q] + 1e-9
            if not fits:
                continue
            for c in range(begin, end):
                usd += count[c] * cost_usd[c] * hours[span[i]]
            usd -= _covered(count, begin, end, list_usd, class_of, first[i], last[i], worth, room)
            both = one + two
            routes(both, by_price(prices), busy, served)
            for p in range(places):
                usd += prices[p] * served[p]
            if usd < best:
                best = usd
                best_held[:] = both
                best_count[begin:end] = count[begin:end]
                changed[i] = True
        if not changed[i]:
            for j in range(own_first[i], own_last[i]):
                for t in range(first[i], last[i]):
                    room[own_class[j], t] -= own_usd[j]
            continue
        for c in range(begin, end):
            if class_of[c] >= 0:
                for t in range(first[i], last[i]):
                    room[class_of[c], t] -= best_count[c] * list_usd[c]
        held[low:high] = best_held
        routes(best_held, by_price(prices), busy, served)
        share[lane] = served
        for q in range(quotas):
            total = 0.0
            for c in range(begin, end):
                total += best_count[c] * use[c, q]
            left[q, first[i] : last[i]] -= total - own[i, q]
        for c in range(begin, end):
            if best_count[c] > 0:
                out_cell.append(cell)
                out_candidate.append(c)
                out_count.append(best_count[c])
    return (
        changed,
        np.array(out_cell[1:], np.int64).reshape(-1),
        np.array(out_candidate[1:], np.int64).reshape(-1),
        np.array(out_count[1:], np.int64).reshape(-1),
    )


@compiled
def _covered(
    count: Ints,
    begin: int,
    end: int,
    list_usd: Floats,
    class_of: Ints,
    first: int,
    last: int,
    worth: Floats,
    room: Floats,
) -> float:
    """What commitments are worth to instances ``count[begin:end]`` within the room that is left."""
    usd = 0.0
    for c in range(begin, end):
        e = class_of[c]
        if e < 0 or count[c] == 0:
            continue
        before, mine = 0.0, count[c] * list_usd[c]
        for d in range(begin, c):
            if class_of[d] == e:
                before += count[d] * list_usd[d]
        for t in range(first, last):
            usd += worth[e, t] * min(mine, max(room[e, t] - before, 0.0))
    return usd
