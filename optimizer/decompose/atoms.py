"""Cells of several origins: what Hall rows ask for, over atoms.

An *atom* is a set of places that the same origins may use; Hall rows know nothing else of places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE
from optimizer.decompose.sharing import by_price, shortest
from optimizer.decompose.single import left_of
from optimizer.decompose.tables import Asks, Tables

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_TRIALS = 400_000
"""Combinations of atoms' totals beyond which only disjoint rows are kept in the bound."""


@compiled
def row_needs(asks: Asks, cell: int, extra: int, missing: int) -> Ints:
    """Replicas that every Hall row asks for, less what may be ``missing`` of each."""
    low, high = asks.row_start[cell], asks.row_start[cell + 1]
    needs = np.empty(high - low, np.int64)
    for i in range(low, high):
        needs[i - low] = max(left_of(1.0, asks.row_busy[i]) - missing, 0)
        if asks.row_atoms[
            i, : asks.atom[asks.slot_start[cell] : asks.slot_start[cell + 1]].max() + 1
        ].all():
            least = asks.need[cell] if missing == 0 else asks.low_bound[cell]
            needs[i - low] = max(needs[i - low], asks.need[cell] - missing, least + extra)
    return needs


@compiled
def atom_tables(
    asks: Asks,
    tables: Tables,
    y: Floats,
    cell: int,
    atoms: int,
    top: int,
    barred: Bools,
    value: Floats,
    back: Ints,
) -> None:
    """``value[a, q]``: the least, less y, for exactly q replicas claimed in an atom's places."""
    first, last = asks.slot_start[cell], asks.slot_start[cell + 1]
    places = last - first
    cost = np.empty((places, top + 1))
    for p in range(places):
        r = asks.place[first + p]
        for q in range(top + 1):
            cost[p, q] = tables.cost[r, q] - y[first + p] * q if tables.kind[r] > 0 else INFINITE
        cost[p, 0] = 0.0
    nothing, limit = np.zeros(places), np.empty(places, np.int64)
    order = np.arange(places)
    for a in range(atoms):
        for p in range(places):
            limit[p] = top if asks.atom[first + p] == a and not barred[p] else 0
        shortest(cost, nothing, 0.0, top, limit, order, value[a], back[a])


@compiled
def best_totals(value: Floats, rows: Bools, needs: Ints, top: int, totals: Ints) -> float:
    """min Σ_a value[a, q_a] with Σ_{a in row} q_a ≥ need for every row; writes the totals."""
    atoms = value.shape[0]
    if atoms == 1:
        least, only = INFINITE, 0
        for q in range(needs.max(), top + 1):
            if value[0, q] < least:
                least, only = value[0, q], q
        totals[0] = only
        return least
    if (top + 1.0) ** (atoms - 1) > MOST_TRIALS:
        return _disjoint_rows(value, rows, needs, top, totals)
    tail, taken = np.empty(top + 2), np.zeros(top + 2, np.int64)
    tail[top + 1] = INFINITE
    for q in range(top, -1, -1):  # the best of the last atom from q up
        tail[q], taken[q] = tail[q + 1], taken[q + 1]
        if value[atoms - 1, q] < tail[q]:
            tail[q], taken[q] = value[atoms - 1, q], q
    trial = np.zeros(atoms, np.int64)
    best = INFINITE
    while True:
        spent = 0.0
        for a in range(atoms - 1):
            spent += value[a, trial[a]]
        if spent < INFINITE:
            low = 0
            possible = True
            for i in range(len(needs)):
                have = 0
                for a in range(atoms - 1):
                    if rows[i, a]:
                        have += trial[a]
                if rows[i, atoms - 1]:
                    low = max(low, needs[i] - have)
                elif have < needs[i]:
                    possible = False
                    break
            if possible and low <= top and spent + tail[low] < best:
                best = spent + tail[low]
                totals[: atoms - 1] = trial[: atoms - 1]
                totals[atoms - 1] = taken[low]
        a = 0
        while a < atoms - 1 and trial[a] == top:
            trial[a] = 0
            a += 1
        if a == atoms - 1:
            return best
        trial[a] += 1


@compiled
def _disjoint_rows(value: Floats, rows: Bools, needs: Ints, top: int, totals: Ints) -> float:
    """A bound from rows that share no atom: the dearest first, each on its own."""
    atoms = value.shape[0]
    totals[:] = 0
    taken = np.zeros(atoms, np.bool_)
    usd = 0.0
    for a in range(atoms):  # atoms in no chosen row may still pay for themselves
        usd += value[a].min()
    gains = np.zeros(len(needs))
    for i in range(len(needs)):
        joined, least = np.full(top + 1, INFINITE), 0.0
        joined[0] = 0.0
        for a in range(atoms):
            if not rows[i, a]:
                continue
            least += value[a].min()
            new = np.full(top + 1, INFINITE)
            for q in range(top + 1):
                if joined[q] < INFINITE:
                    for k in range(top + 1):
                        to = min(q + k, top)
                        new[to] = min(new[to], joined[q] + value[a, k])
            joined = new
        gains[i] = max(joined[min(needs[i], top) :].min() - least, 0.0)
    for i in by_price(-gains):
        apart = True
        for a in range(atoms):
            apart = apart and not (rows[i, a] and taken[a])
        if apart:
            usd += gains[i]
            for a in range(atoms):
                taken[a] = taken[a] or rows[i, a]
    return usd
