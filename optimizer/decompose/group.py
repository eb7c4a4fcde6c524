"""All cells of one service in one span: what they share are a minimum and what may go unmet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.capped import cheapest_within
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.several import bound_several, plan_several
from optimizer.decompose.single import left_of, solve_single
from optimizer.decompose.tables import Asks, Stock, Tables, unmet_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The least for cells that together place ``group_extra`` replicas more than they need."""
    first, last = asks.group_start[group], asks.group_start[group + 1]
    extra = asks.group_extra[group]
    usd = 0.0
    if extra == 0 and _caps(asks, first, last):
        usd = _solve_capped(
            stock, asks, tables, y, route_usd, group, assortment, plan, held, alive, share
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
def _caps(asks: Asks, first: int, last: int) -> bool:
    """Whether cells share a cap on unmet demand that does not hold in each of them anyway."""
    outlives = asks.share_zone[first] + asks.share_region[first] + asks.share_cloud[first] > 0.0
    return last - first > 1 and asks.unmet_start[first] < asks.unmet_start[last] and not outlives


@compiled
def _solve_capped(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    group: int,
    assortment: int,
    plan: bool,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The least for cells that together leave no more unmet than their service may.

    Bounds ask that of the hour and scenario in which it would else be exceeded most. INFINITE in
    plans where some other hour or scenario, or a minimum, stands in the way.
    """
    first, last = asks.group_start[group], asks.group_start[group + 1]
    usd, widest = 0.0, 0
    for cell in range(first, last):
        usd += _solve_cell(
            stock, asks, tables, y, route_usd, cell, asks.low_bound[cell], 0, assortment, plan,
            held, alive, share,
        )  # fmt: skip
        widest = max(widest, asks.need[cell] - asks.low_bound[cell] + 1)
    pair = _most_exceeded(asks, first, last, held)
    if pair >= 0:
        options = np.full((last - first, widest), INFINITE)
        missing, taken = np.zeros_like(options), np.zeros(last - first, np.int64)
        for i in range(last - first):
            cell = first + i
            busy = asks.unmet_busy[asks.unmet_start[cell] + pair]
            several = asks.entry_start[cell + 1] - asks.entry_start[cell] > 1
            fewest = asks.need[cell] if several else asks.low_bound[cell]
            for replicas in range(fewest, asks.need[cell] + 1):
                options[i, replicas - fewest] = _solve_cell(
                    stock, asks, tables, y, route_usd, cell, asks.need[cell],
                    replicas - asks.need[cell], assortment, plan, held, alive, share,
                )  # fmt: skip
                missing[i, replicas - fewest] = 0.0 if several else max(busy - replicas, 0.0)
        cap = asks.unmet_cap[asks.unmet_start[first] + pair]
        usd = cheapest_within(options, missing, cap, plan, taken)
        if usd >= INFINITE:
            return usd
        for i in range(last - first):
            cell = first + i
            several = asks.entry_start[cell + 1] - asks.entry_start[cell] > 1
            fewest = asks.need[cell] if several else asks.low_bound[cell]
            _solve_cell(
                stock, asks, tables, y, route_usd, cell, asks.need[cell],
                fewest + taken[i] - asks.need[cell], assortment, plan, held, alive, share,
            )  # fmt: skip
    if plan:
        total = held[asks.slot_start[first] : asks.slot_start[last]].sum()
        if total < asks.least_of_group[first] or _most_exceeded(asks, first, last, held) >= 0:
            return INFINITE
    return usd


@compiled
def _most_exceeded(asks: Asks, first: int, last: int, held: Ints) -> int:
    """The hour of a scenario in which cells leave most beyond their cap unmet; -1: none.

    What cells hold serves as much as it can; those of several origins serve all.
    """
    start = asks.unmet_start[first]
    pairs = asks.unmet_start[first + 1] - start
    worst, at = 1e-9, -1
    for pair in range(pairs):
        beyond = -asks.unmet_cap[start + pair]
        for cell in range(first, last):
            if asks.entry_start[cell + 1] - asks.entry_start[cell] == 1:
                replicas = held[asks.slot_start[cell] : asks.slot_start[cell + 1]].sum()
                busy = asks.unmet_busy[asks.unmet_start[cell] + pair]
                beyond += max(busy - replicas, 0.0)
        if beyond > worst:
            worst, at = beyond, pair
    return at
