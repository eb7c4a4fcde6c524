"""Cells of several origins that share some or all of their places.

Bound. With multipliers y_p ≥ 0 on Σ_g d_g x_gp ≤ k_p,

    Σ_g min_p (route_usd_gp + d_g y_p)  +  min { Σ_p cost_p(k_p) - y_p k_p : Hall rows hold }

is no more than the least, whatever y. Places of one atom are alike to every Hall row, so that the
right side is a search over the totals of atoms; what losses ask for strengthens the rows.

Plan. Each origin gets replicas of its own, as if it were alone; or all of them share those of the
bound's totals where nothing has to be survived. The cheaper of the two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.atoms import MOST_TRIALS, atom_tables, best_totals, row_needs
from optimizer.decompose.covering import INFINITE, OPEN_USD
from optimizer.decompose.outliving import search_under_loss
from optimizer.decompose.sharing import unwind
from optimizer.decompose.single import left_of, solve_single
from optimizer.decompose.tables import Asks, Stock, Tables, nothing_unmet, zone_cost
from optimizer.decompose.transport import cheapest_routes, constant_routes

LEVELS_OF_UNMET = 3
"""How many replicas a bound lets be missing one by one; beyond, all that may be."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@compiled
def _pooled(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    cell: int,
    extra: int,
    missing: int,
    assortment: int,
    plan: bool,
    barred: Bools,
    held: Ints,
    alive: Ints,
) -> float:
    """min Σ_p cost_p(k_p) - y_p k_p under the Hall rows; writes k to ``held`` [place].

    ``missing`` replicas of each row may be, as demand may go unmet.

    INFINITE in a plan, and no more than a bound otherwise, when the search would be too long.
    """
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    places = last - first
    atoms = asks.atom[first:last].max() + 1
    needs = row_needs(asks, cell, extra, missing)
    share = max(asks.share_zone[cell], asks.share_region[cell], asks.share_cloud[cell])
    # Of a cheapest way, no place holds more than all origins ask for, losses included.
    ruled = asks.ruled[asks.entry_start[cell] : asks.entry_start[cell + 1]].sum()
    most = max(asks.need[cell], left_of(1.0, ruled) if share > 0.0 else 0)
    top = most + extra + left_of(share, float(most)) + places
    top = min(max(top, needs.max()), stock.most[assortment])
    value, back = np.empty((atoms, top + 1)), np.empty((atoms, places, top + 1), np.int64)
    atom_tables(asks, tables, y, cell, atoms, top, barred, value, back)
    totals = np.zeros(atoms, np.int64)
    rows = asks.row_atoms[asks.row_start[cell] : asks.row_start[cell + 1]]
    for p in range(places):
        held[p] = 0
        alive[p] = 0
    if share > 0.0:
        if (top + 1.0) ** atoms <= MOST_TRIALS:
            return search_under_loss(
                stock, asks, tables, y, cell, assortment, plan, barred, value, rows, needs, top,
                held, alive,
            )  # fmt: skip
        if plan:
            return INFINITE
    usd = best_totals(value, rows, needs, top, totals)
    if plan and (top + 1.0) ** (atoms - 1) > MOST_TRIALS:
        return INFINITE
    order, part = np.arange(places), np.zeros(places, np.int64)
    for a in range(atoms):
        unwind(back[a], order, totals[a], part)
        for p in range(places):
            if asks.atom[first + p] == a:
                held[p] = part[p]
    return usd


@compiled
def bound_several(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    cell: int,
    extra: int,
    assortment: int,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The bound of the module's docstring; ``held`` [slot] and ``share`` [lane] attain it."""
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    places = last - first
    usd = 0.0
    lane = asks.lane_start[cell]
    for e in range(asks.entry_start[cell], asks.entry_start[cell + 1]):
        best, chosen = INFINITE, 0
        for p in range(places):
            share[lane + p] = 0.0
            if asks.may[lane + p]:
                here = route_usd[lane + p] + asks.busy[e] * y[first + p]
                if here < best:
                    best, chosen = here, p
        share[lane + chosen] = 1.0
        usd += best
        lane += places
    nothing = np.zeros(places, np.bool_)
    best = _pooled(
        stock, asks, tables, y, cell, extra, 0, assortment, False, nothing, held[first:last],
        alive[first:last],
    )  # fmt: skip
    most = asks.unmet_most[cell]
    if most <= 0.0:
        return usd + best
    spare = asks.unmet_top[cell] - y[first:last].max()
    if spare < 0.0:  # rooms are dearer than to go without them
        usd, spare = usd + spare * most, 0.0
    unmet = _least_missing(asks, cell)
    missing = 1
    while unmet <= most:
        every = missing == LEVELS_OF_UNMET
        fewer = int(most) + 1 if every else missing
        trial, outlive = np.zeros(places, np.int64), np.zeros(places, np.int64)
        found = spare * unmet + _pooled(
            stock, asks, tables, y, cell, extra, fewer, assortment, False, nothing, trial, outlive
        )
        if found < best:
            best = found
            held[first:last], alive[first:last] = trial, outlive
        if every:
            break
        missing += 1
        unmet += 1.0
    return usd + best


@compiled
def _least_missing(asks: Asks, cell: int) -> float:
    """How much demand must go unmet before some row may do with a replica less."""
    least = INFINITE
    for i in range(asks.row_start[cell], asks.row_start[cell + 1]):
        least = min(least, asks.row_busy[i] - (left_of(1.0, asks.row_busy[i]) - 1))
    return least


@compiled
def plan_several(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    cell: int,
    extra: int,
    assortment: int,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """A lawful way for a cell of several origins; writes slots and lanes, returns its USD."""
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    places = last - first
    usd = _apart(stock, asks, tables, route_usd, cell, extra, assortment, held, alive, share)
    barred = np.zeros(places, np.bool_)
    clouds = stock.cloud[asks.place[first:last]]
    inside = np.ones(stock.cloud.max() + 1, np.int64)
    if asks.share_cloud[cell] > 0.0:  # try every choice of one place per cloud
        for c in range(len(inside)):
            inside[c] = max(1, (clouds == c).sum())
    trials = 1
    for number in inside:
        trials *= number
    for trial in range(min(trials, 64)):
        rest = trial
        for c in range(len(inside)):
            keep, at = rest % inside[c], 0
            rest //= inside[c]
            for p in range(places):
                if clouds[p] == c and inside[c] > 1:
                    barred[p] = at != keep
                    at += 1
        usd = _together(
            stock, asks, tables, y, route_usd, cell, extra, assortment, barred, usd, held, alive,
            share,
        )  # fmt: skip
    return usd


@compiled
def _together(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    cell: int,
    extra: int,
    assortment: int,
    barred: Bools,
    usd: float,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """The origins share replicas; written only if that costs less than ``usd``."""
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    low, high = asks.entry_start[cell], asks.entry_start[cell + 1]
    lane, places = asks.lane_start[cell], last - first
    together, served = np.zeros(places, np.int64), np.zeros((high - low, places))
    outlive = np.zeros(places, np.int64)
    least = _pooled(
        stock, asks, tables, y, cell, extra, 0, assortment, True, barred, together, outlive
    )
    if least >= INFINITE:
        return usd
    prices, may = np.empty(served.shape), np.empty(served.shape, np.bool_)
    for e in range(high - low):
        for p in range(places):
            prices[e, p] = route_usd[lane + e * places + p]
            may[e, p] = asks.may[lane + e * places + p] and prices[e, p] < OPEN_USD
    if asks.hour_start[low] < asks.hour_start[high]:
        hours = asks.hour_start[low + 1] - asks.hour_start[low]
        busy = asks.hour_busy[asks.hour_start[low] : asks.hour_start[high]].reshape(-1, hours)
        found = constant_routes(together, busy, prices, may, served)
    else:
        found = cheapest_routes(
            together.astype(np.float64), asks.busy[low:high], prices, may, 0.0, 0.0, served
        )
    if not _clouds_kept(stock, asks, cell, together):
        return usd
    for p in range(places):
        if together[p] > stock.most[assortment]:
            return usd
        if together[p] > 0:
            r = asks.place[first + p]
            found += zone_cost(stock, assortment, tables, r, together[p], outlive[p], True)
    if found < usd:
        usd = found
        for p in range(places):
            held[first + p], alive[first + p] = together[p], outlive[p]
            for e in range(high - low):
                share[lane + e * places + p] = served[e, p]
    return usd


@compiled
def _clouds_kept(stock: Stock, asks: Asks, cell: int, held: Ints) -> bool:
    """Whether every row keeps its share after the loss of any cloud."""
    if asks.share_cloud[cell] <= 0.0:
        return True
    first = asks.slot_start[cell]
    for i in range(asks.row_start[cell], asks.row_start[cell + 1]):
        for cloud in range(stock.cloud.max() + 1):
            left = 0
            for p in range(len(held)):
                inside = asks.row_atoms[i, asks.atom[first + p]]
                if inside and stock.cloud[asks.place[first + p]] != cloud:
                    left += held[p]
            if left < left_of(asks.share_cloud[cell], asks.row_ruled[i]):
                return False
    return True


@compiled
def _apart(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    route_usd: Floats,
    cell: int,
    extra: int,
    assortment: int,
    held: Ints,
    alive: Ints,
    share: Floats,
) -> float:
    """Every origin with replicas of its own; what is missing to the minimum goes to the first."""
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    places = last - first
    lane = asks.lane_start[cell]
    low, high = asks.entry_start[cell], asks.entry_start[cell + 1]
    for slot in range(first, last):
        held[slot] = 0
        alive[slot] = 0
    missing = asks.need[cell] + extra
    for e in range(low, high):
        missing -= left_of(1.0, asks.peak[e])
    usd = 0.0
    for e in range(low, high):
        open_to = np.flatnonzero(asks.may[lane : lane + places])
        own = len(open_to)
        mine, outlive, served = np.zeros(own, np.int64), np.zeros(own, np.int64), np.zeros(own)
        need = left_of(1.0, asks.peak[e])
        if e == low:
            need += max(missing, 0)
        usd += solve_single(
            stock, tables, assortment, True, asks.place[first + open_to],
            route_usd[lane + open_to], asks.peak[e], need, need, nothing_unmet(asks),
            left_of(asks.share_zone[cell], asks.ruled[e]),
            left_of(asks.share_region[cell], asks.ruled[e]),
            left_of(asks.share_cloud[cell], asks.ruled[e]),
            mine, outlive, served,
        )  # fmt: skip
        for p in range(places):
            share[lane + p] = 0.0
        for i in range(own):
            held[first + open_to[i]] += mine[i]
            alive[first + open_to[i]] += outlive[i]
            share[lane + open_to[i]] = served[i]
        lane += places
    return min(usd, INFINITE)
