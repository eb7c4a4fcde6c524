"""All cells of one service in one span: what they share are a minimum and what may go unmet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.capped import cheapest_within
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.exact import cap_of, may_be_exact, most_held, try_totals, write_total
from optimizer.decompose.several import bound_several, plan_several
from optimizer.decompose.single import left_of, solve_single
from optimizer.decompose.tables import Asks, Stock, Tables, unmet_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_COUNTED = 32
"""Replicas of a minimum that bounds count, where demand may go unmet."""


@compiled
def solve_group(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    group: int,
    assortment: int,
    plan: bool,
    exact: bool,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The least for cells that together place ``group_extra`` replicas more than they need.

    Cells of several origins are relaxed in bounds, unless they shall be ``exact``.
    """
    first, last = asks.group_start[group], asks.group_start[group + 1]
    extra = asks.group_extra[group]
    usd = 0.0
    if extra == 0 and _hangs_together(asks, first, last, exact):
        usd = _solve_together(
            stock, asks, tables, y, route_usd, group, assortment, plan, exact, held, alive, share
        )
        if usd < INFINITE:
            return usd
        usd = 0.0
    if extra == 0 or last - first == 1:
        for cell in range(first, last):
            low = asks.low[cell] if plan else asks.low_bound[cell]
            usd += _solve_cell(
                stock, asks, tables, y, route_usd, cell, low, extra, assortment, plan, held, alive,
                share,
            )  # fmt: skip
        return usd
    best = np.full((last - first + 1, extra + 1), INFINITE)
    best[0, 0] = 0.0
    given = np.zeros((last - first, extra + 1), np.int64)
    for i in range(last - first):
        low = asks.low[first + i] if plan else asks.low_bound[first + i]
        for more in range(extra + 1):
            one = _solve_cell(
                stock, asks, tables, y, route_usd, first + i, low, more, assortment, plan, held,
                alive, share,
            )  # fmt: skip
            for done in range(extra + 1 - more):
                if best[i, done] + one < best[i + 1, done + more]:
                    best[i + 1, done + more] = best[i, done] + one
                    given[i, done + more] = more
    left = extra
    for i in range(last - first - 1, -1, -1):
        low = asks.low[first + i] if plan else asks.low_bound[first + i]
        _solve_cell(
            stock, asks, tables, y, route_usd, first + i, low, given[i, left], assortment, plan,
            held, alive, share,
        )  # fmt: skip
        left -= given[i, left]
    return best[last - first, extra]


@compiled
def _solve_cell(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    cell: int,
    least: int,
    extra: int,
    assortment: int,
    plan: bool,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The least for a cell that holds ``least`` to ``need`` replicas, and ``extra`` more."""
    low, high = asks.slot_start[cell], asks.slot_start[cell + 1]
    entry = asks.entry_start[cell]
    entries = asks.entry_start[cell + 1] - entry
    if entries > 1:
        if plan:
            return plan_several(
                stock, asks, tables, y, route_usd, cell, extra, assortment, held, alive, share
            )
        return bound_several(
            stock, asks, tables, y, route_usd, cell, extra, assortment, held, alive, share
        )
    busy = asks.peak[entry] if entries == 1 else 0.0
    lane = asks.lane_start[cell]
    served = share[lane : asks.lane_start[cell + 1]]
    prices = route_usd[lane : asks.lane_start[cell + 1]]
    if entries == 0:  # nobody asks: only a minimum
        served, prices = np.zeros(high - low), np.zeros(high - low)
    ruled = asks.ruled[entry] if entries == 1 else 0.0
    return solve_single(
        stock, tables, assortment, plan, asks.place[low:high], prices, busy, least + extra,
        asks.need[cell] + extra, unmet_of(asks, cell),
        left_of(asks.share_zone[cell], ruled), left_of(asks.share_region[cell], ruled),
        left_of(asks.share_cloud[cell], ruled), held[low:high], alive[low:high], served,
    )  # fmt: skip


@compiled
def _hangs_together(asks: Asks, first: int, last: int, exact: bool) -> bool:
    """Whether what may go unmet, or several origins, want all cells to be looked at together."""
    if asks.share_zone[first] + asks.share_region[first] + asks.share_cloud[first] > 0.0:
        return False
    if last - first > 1 and asks.unmet_start[first] < asks.unmet_start[last]:
        return True
    several = False
    for cell in range(first, last):
        several = several or may_be_exact(asks, cell)
    return exact and several


@compiled
def _solve_together(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    group: int,
    assortment: int,
    plan: bool,
    exact: bool,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The least for cells that together leave no more unmet than their service may.

    Bounds ask that of the hour and scenario in which it would else be exceeded most. INFINITE in
    plans where some other hour or scenario, or a minimum, stands in the way.
    """
    first, last = asks.group_start[group], asks.group_start[group + 1]
    pairs = asks.unmet_start[first + 1] - asks.unmet_start[first]
    minimum = asks.least_of_group[first]
    if minimum > MOST_COUNTED:
        if plan:
            return INFINITE
        minimum = MOST_COUNTED
    # What a minimum asks for beyond demand may stand wherever it is cheapest.
    cells, widest, places = last - first, minimum, 0
    for cell in range(first, last):
        widest = max(widest, most_held(asks, cell))
        places = max(places, asks.slot_start[cell + 1] - asks.slot_start[cell])
    widest = min(widest, stock.most[assortment]) + 1
    options = np.full((cells, widest), INFINITE)
    missing = np.zeros((cells, widest, pairs))
    ways = np.zeros((cells, widest, places), np.int64)
    tried, taken = np.zeros(cells, np.bool_), np.zeros(cells, np.int64)
    usd = 0.0
    for i in range(cells):
        cell = first + i
        if asks.entry_start[cell + 1] - asks.entry_start[cell] == 1:
            usd += _solve_cell(
                stock, asks, tables, y, route_usd, cell, asks.low_bound[cell], 0, assortment,
                plan, held, alive, share,
            )  # fmt: skip
            taken[i] = held[asks.slot_start[cell] : asks.slot_start[cell + 1]].sum()
            for pair in range(pairs):
                busy = asks.unmet_busy[asks.unmet_start[cell] + pair]
                for replicas in range(asks.need[cell]):
                    missing[i, replicas, pair] = max(busy - replicas, 0.0)
            continue
        tried[i] = exact and may_be_exact(asks, cell)
        usd += _solve_several(
            stock, asks, tables, y, route_usd, cell, assortment, plan, tried, i, cells == 1,
            options, missing, ways, taken, held, alive, share,
        )  # fmt: skip
    pair = _most_exceeded(asks, first, missing, taken)
    if pairs > 0 and (pair >= 0 or taken.sum() < minimum):
        for i in range(cells):
            cell = first + i
            if asks.entry_start[cell + 1] - asks.entry_start[cell] > 1:
                continue
            most = min(max(asks.need[cell], minimum), widest - 1)
            for replicas in range(asks.low_bound[cell], most + 1):
                options[i, replicas] = _solve_cell(
                    stock, asks, tables, y, route_usd, cell, asks.need[cell],
                    replicas - asks.need[cell], assortment, plan, held, alive, share,
                )  # fmt: skip
        pair = max(pair, 0)
        cap = asks.unmet_cap[asks.unmet_start[first] + pair]
        usd = cheapest_within(options, missing[:, :, pair].copy(), cap, minimum, plan, taken)
        if usd >= INFINITE or (plan and _most_exceeded(asks, first, missing, taken) >= 0):
            return INFINITE
        for i in range(cells):
            cell = first + i
            if asks.entry_start[cell + 1] - asks.entry_start[cell] == 1:
                _solve_cell(
                    stock, asks, tables, y, route_usd, cell, asks.need[cell],
                    taken[i] - asks.need[cell], assortment, plan, held, alive, share,
                )  # fmt: skip
    for i in range(cells):
        if tried[i]:
            cap = cap_of(asks, first + i)[0] if missing[i, taken[i]].sum() > 0.0 else 0.0
            write_total(asks, route_usd, first + i, cap, ways[i, taken[i]], held, share)
    return usd


@compiled
def _solve_several(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    cell: int,
    assortment: int,
    plan: bool,
    tried: Bools,
    i: int,
    alone: bool,
    options: Floats,
    missing: Floats,
    ways: Ints,
    taken: Ints,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """A cell of several origins: its options, if it is ``tried``, or only what is cheapest.

    What cannot be tried to the end, ``tried`` says, is as good as if there had been no try. Then
    bounds take every total for as cheap as the cheapest.
    """
    usd = _solve_cell(
        stock, asks, tables, y, route_usd, cell, asks.low_bound[cell], 0, assortment, plan, held,
        alive, share,
    )  # fmt: skip
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    if tried[i]:
        sure = try_totals(
            asks, tables, y, route_usd, cell, plan, alone, held[first:last], options[i],
            missing[i], ways[i],
        )  # fmt: skip
        best = int(np.argmin(options[i]))
        if (sure or plan) and options[i, best] < INFINITE:
            taken[i] = best
            return float(options[i, best])
        tried[i] = False
    options[i], missing[i] = INFINITE if plan else usd, 0.0
    taken[i] = min(held[first:last].sum(), options.shape[1] - 1)
    options[i, taken[i]] = usd
    return usd


@compiled
def _most_exceeded(asks: Asks, first: int, missing: Floats, taken: Ints) -> int:
    """The hour of a scenario in which cells leave most beyond their cap unmet; -1: none."""
    worst, at = 1e-9, -1
    for pair in range(missing.shape[2]):
        beyond = -asks.unmet_cap[asks.unmet_start[first] + pair]
        for i in range(len(taken)):
            beyond += missing[i, taken[i], pair]
        if beyond > worst:
            worst, at = beyond, pair
    return at
