"""Cells of several origins whose replicas must outlive losses: a search over totals of atoms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.atoms import best_totals
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.sharing import shortest, unwind
from optimizer.decompose.single import left_of
from optimizer.decompose.tables import Asks, Stock, Tables, zone_cost

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@compiled
def _least_under_loss(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    cell: int,
    assortment: int,
    plan: bool,
    barred: Bools,
    totals: Ints,
    limit: float,
    held: Ints,
    alive: Ints,
) -> float:
    """The least with these totals of atoms when losses must be survived; INFINITE: no less than
    ``limit``. Writes ``held`` and ``alive`` [place].

    Row i keeps M_i replicas after a loss when T_i - lost ≥ M_i. Places of one atom stand in the
    same rows, so that they share the most that may be lost. What a cloud loses is counted place by
    place: exact where no two places of a row share a cloud.
    """
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    places, atoms = last - first, len(totals)
    low, high = asks.row_start[cell], asks.row_start[cell + 1]
    together = max(asks.share_region[cell], asks.share_cloud[cell])
    whole = totals.sum()
    spare, zone_spare = np.full(atoms, whole), np.full(atoms, whole)
    for i in range(low, high):
        have = 0
        for a in range(atoms):
            if asks.row_atoms[i, a]:
                have += totals[a]
        for a in range(atoms):
            if asks.row_atoms[i, a]:
                spare[a] = min(spare[a], have - left_of(together, asks.row_ruled[i]))
                zone_spare[a] = min(
                    zone_spare[a], have - left_of(asks.share_zone[cell], asks.row_ruled[i])
                )
    usd = 0.0
    nothing, most = np.zeros(places), np.empty(places, np.int64)
    order, part = np.arange(places), np.zeros(places, np.int64)
    for a in range(atoms):
        total = totals[a]
        if spare[a] < 0 or zone_spare[a] < 0:
            return INFINITE
        cost = np.full((places, total + 1), INFINITE)
        for p in range(places):
            r = asks.place[first + p]
            cost[p, 0] = 0.0
            most[p] = 0
            if asks.atom[first + p] == a and not barred[p]:
                most[p] = min(spare[a], total)
            if tables.kind[r] > 0:
                for q in range(1, most[p] + 1):
                    cost[p, q] = -y[first + p] * q + zone_cost(
                        stock, assortment, tables, r, q,
                        q - zone_spare[a] if asks.share_zone[cell] > 0.0 else 0, plan,
                    )  # fmt: skip
        value, back = np.empty(total + 1), np.empty((places, total + 1), np.int64)
        shortest(cost, nothing, 0.0, total, most, order, value, back)
        usd += value[total]
        if value[total] >= INFINITE:
            return INFINITE
        unwind(back, order, total, part)
        for p in range(places):
            if asks.atom[first + p] == a:
                held[p] = part[p]
                alive[p] = max(0, part[p] - zone_spare[a]) if asks.share_zone[cell] > 0.0 else 0
    return usd if usd < limit else INFINITE


@compiled
def search_under_loss(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    cell: int,
    assortment: int,
    plan: bool,
    barred: Bools,
    value: Floats,
    rows: Bools,
    needs: Ints,
    top: int,
    held: Ints,
    alive: Ints,
) -> float:
    """The least over all totals of atoms; ``value`` is what they cost if nothing were lost."""
    atoms, places = value.shape[0], len(held)
    trial, here, outlive = (
        np.zeros(atoms, np.int64),
        np.zeros(places, np.int64),
        np.zeros(places, np.int64),
    )
    best = INFINITE
    # A first guess, so that most of the search can be cut off: every row keeps its share although
    # the fullest of its places is lost.
    share = max(asks.share_zone[cell], asks.share_region[cell], asks.share_cloud[cell])
    for spare in (0.0, 0.5, 1.0):
        guess = np.minimum(needs + np.ceil(spare * share * needs).astype(np.int64) + 1, top)
        best_totals(value, rows, guess, top, trial)
        found = _least_under_loss(
            stock, asks, tables, y, cell, assortment, plan, barred, trial, best, here, outlive
        )
        if found < best:
            best = found
            held[:], alive[:] = here, outlive
    trial[:] = 0
    while True:
        spent, a = 0.0, 0
        for a in range(atoms):
            spent += value[a, trial[a]]
        if spent < best:
            lawful = True
            for i in range(len(needs)):
                have = 0
                for a in range(atoms):
                    if rows[i, a]:
                        have += trial[a]
                lawful = lawful and have >= needs[i]
            if lawful:
                found = _least_under_loss(
                    stock, asks, tables, y, cell, assortment, plan, barred, trial, best, here,
                    outlive,
                )  # fmt: skip
                if found < best:
                    best = found
                    held[:], alive[:] = here, outlive
        a = 0
        while a < atoms and trial[a] == top:
            trial[a] = 0
            a += 1
        if a == atoms:
            return best
        trial[a] += 1
