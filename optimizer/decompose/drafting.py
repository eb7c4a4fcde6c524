"""One unit as a mixed integer programme: cells that call each other, at given prices.

    min  Σ usd z + Σ route x + Σ c f + Σ u m
    Σ_s z[c,s] = 1                                one holding s for every cell c
    Σ_p x[e,p] = 1                                all traffic of every origin e is served,
    Σ_e D[i,e] x[e,p] - m[i,p] ≤ Σ_s min(k[s,p], D[i]) z[c,s]   by replicas, or goes unmet in i
    Σ_{c,p} m[i,p] ≤ cap[i]                       no more than the service may
    Σ_{c,s} |k[s]| z[c,s] ≥ minimum
    Σ_p' f[l,p,p'] = x[p],  Σ_p f[l,p,p'] = x'[p']      what calls cost (``calls``)

No place serves more than all traffic, hence min(k, D).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.holdings import find_path, left_after, list_holdings, most_in_place
from optimizer.decompose.sweep import mark_places, room_for
from optimizer.decompose.tables import Asks, Stock, Tables, fill_tables

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.int32]

MOST_HOLDINGS = 300
"""Holdings of a cell, at most."""
COLUMNS, ROWS, ENTRIES = 6_000, 6_000, 120_000
"""Of a unit's programme, at most."""
TOLLS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Prices of the cap that cells of a service share, in prices of unmet demand."""
NARROWER = 0.4
"""What is left of a unit's slack when its cells have too many holdings within it."""
ATTEMPTS = 5


class Draft(NamedTuple):
    """Rows low ≤ A v ≤ high over variables 0 ≤ v ≤ upper, some of them whole; entries of A.

    ``size``: columns, rows and entries that are in use.
    """

    cost: Floats
    upper: Floats
    whole: Bools
    low: Floats
    high: Floats
    row: Ints
    column: Ints
    value: Floats
    size: Ints


class Chosen(NamedTuple):
    """Where a unit's cells stand in its draft: cells and columns of holdings and of lanes.

    ``first`` [cell + 1] into ``held`` [holding, place]; holdings are the first columns.
    """

    cell: Ints
    first: Ints
    held: Ints
    lane: Ints  # [cell] column of the first lane
    beyond: Ints  # columns of unmet demand that plans must not use


@compiled
def empty_draft() -> Draft:
    return Draft(
        np.empty(COLUMNS), np.empty(COLUMNS), np.zeros(COLUMNS, np.bool_), np.empty(ROWS),
        np.empty(ROWS), np.empty(ENTRIES, np.int64), np.empty(ENTRIES, np.int64),
        np.empty(ENTRIES), np.zeros(3, np.int64),
    )  # fmt: skip


@compiled
def _column(draft: Draft, usd: float, upper: float, whole: bool) -> int:
    at = draft.size[0]
    draft.cost[at], draft.upper[at], draft.whole[at] = usd, upper, whole
    draft.size[0] += 1
    return at


@compiled
def _row(draft: Draft, low: float, high: float) -> int:
    at = draft.size[1]
    draft.low[at], draft.high[at] = low, high
    draft.size[1] += 1
    return at


@compiled
def _entry(draft: Draft, row: int, column: int, value: float) -> None:
    at = draft.size[2]
    draft.row[at], draft.column[at], draft.value[at] = row, column, value
    draft.size[2] += 1


@compiled
def _fits(draft: Draft, columns: int, rows: int, entries: int) -> bool:
    size = draft.size
    return size[0] + columns <= COLUMNS and size[1] + rows <= ROWS and size[2] + entries <= ENTRIES


@compiled
def minimum_of(asks: Asks, group: int) -> int:
    """Replicas that all cells of a group hold together, whatever demand is."""
    first, last = asks.group_start[group], asks.group_start[group + 1]
    if asks.group_extra[group] > 0:
        return asks.need[first:last].sum() + asks.group_extra[group]
    return asks.least_of_group[first]


@compiled
def _group_holdings(
    stock: Stock,
    asks: Asks,
    tables: Tables,
    y: Floats,
    route_usd: Floats,
    group: int,
    limit: float,
    held: Ints,
    paid: Floats,
    count: Ints,
) -> int:
    """Write the holdings of a group's cells one after another; how many of each to ``count``.

    All are found with which the group may cost as little as ``limit``. -1: there are too many.
    """
    first, last = asks.group_start[group], asks.group_start[group + 1]
    cells, minimum, a = last - first, minimum_of(asks, group), asks.group_assortment[group]
    pairs = asks.unmet_start[first + 1] - asks.unmet_start[first]
    alone = cells == 1 or pairs == 0
    cap = 0.0
    if not alone:
        cap = asks.unmet_cap[asks.unmet_start[first] : asks.unmet_start[first + 1]].max()
    best, toll, least, trial = -np.inf, 0.0, np.zeros(cells), np.zeros(cells)
    tops, lows = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    for i in range(cells):
        tops[i] = most_in_place(asks, first + i, minimum)
        lows[i] = max(asks.low_bound[first + i], minimum if cells == 1 else 0)
        lows[i] = max(lows[i], left_after(asks, first + i).max())
    if tops.max() > stock.most[a]:
        return -1
    for factor in TOLLS:
        tried = factor * asks.unmet_top[first]
        for i in range(cells):
            path = find_path(asks, tables, y, route_usd, first + i, lows[i], tops[i], tried)
            trial[i] = path.base + path.ahead[0, 0]
        if trial.sum() - tried * cap > best:
            best, toll = trial.sum() - tried * cap, tried
            least[:] = trial
        if alone:
            break
    found = 0
    for i in range(cells):
        path = find_path(asks, tables, y, route_usd, first + i, lows[i], tops[i], toll)
        room = slice(found, min(found + MOST_HOLDINGS, len(paid)))
        count[i] = list_holdings(
            stock, asks, tables, a, first + i, path, limit - best + least[i], held[room],
            paid[room],
        )  # fmt: skip
        if count[i] < 0:
            return -1
        found += count[i]
    return found


@compiled
def draft_unit(
    stock: Stock,
    asks: Asks,
    usd: Floats,
    route_usd: Floats,
    own_usd: Floats,
    y: Floats,
    groups: Ints,
    least_usd: Floats,
    slack: float,
    links: Ints,
    lane: Ints,
    places: Ints,
    gb: Floats,
    usd_per_gb: Floats,
    region: Rows,
) -> tuple[Draft, Chosen, float]:
    """The programme of one unit, all holdings with which it may cost as little as its least and
    ``slack``; or less, which is returned: that much dearer is whatever the programme leaves out.

    ``least_usd`` [of groups]: what these cost at the least where routes cost ``route_usd`` [lane],
    with the prices of calls' ends; ``own_usd`` are without. 0: there is no such programme.
    """
    cells = 0
    for g in groups:
        cells += asks.group_start[g + 1] - asks.group_start[g]
    widest = np.diff(asks.slot_start).max()
    held = np.zeros((cells * MOST_HOLDINGS, widest), np.int64)
    paid = np.zeros(cells * MOST_HOLDINGS)
    first = np.zeros(cells + 1, np.int64)
    tables, of = room_for(stock, asks, groups), np.zeros(cells, np.int64)
    wanted = np.zeros(len(stock.zones), np.bool_)
    for _ in range(ATTEMPTS):
        at, found = 0, 0
        for i, g in enumerate(groups):
            mark_places(asks, groups[i:], wanted)
            fill_tables(
                stock, usd, asks.group_assortment[g], asks.group_span[g], False, wanted, tables
            )
            size = asks.group_start[g + 1] - asks.group_start[g]
            count = np.zeros(size, np.int64)
            more = _group_holdings(
                stock, asks, tables, y, route_usd, g, least_usd[i] + slack, held[found:],
                paid[found:], count,
            )  # fmt: skip
            if more < 0:
                found = -1
                break
            for j in range(size):
                of[at] = asks.group_start[g] + j
                first[at + 1] = first[at] + count[j]
                at += 1
            found += more
        if found >= 0:
            break
        slack *= NARROWER
    draft = empty_draft()
    chosen = Chosen(of, first, held, np.zeros(cells, np.int64), np.zeros(0, np.int64))
    if found < 0 or found > COLUMNS:
        return draft, chosen, 0.0
    for s in range(found):
        _column(draft, paid[s], 1.0, True)
    beyond = np.zeros(COLUMNS, np.int64)
    others = 0
    at = 0
    for g in groups:
        size = asks.group_start[g + 1] - asks.group_start[g]
        mine = slice(at, at + size)
        more = _add_group(
            draft, asks, own_usd, of[mine], first[at : at + size + 1], held,
            minimum_of(asks, g), chosen.lane[mine], beyond[others:],
        )  # fmt: skip
        if more < 0:
            return draft, chosen, 0.0
        others += more
        at += size
    lane_column = np.zeros(2, np.int64)
    for link in links:
        for end in range(2):
            cell = np.searchsorted(asks.lane_start, lane[link, end], side="right") - 1
            for i in range(cells):
                if of[i] == cell:
                    lane_column[end] = chosen.lane[i] + lane[link, end] - asks.lane_start[cell]
        if not _add_link(
            draft, asks, lane[link], places[link], gb[link], usd_per_gb, region, lane_column
        ):
            return draft, chosen, 0.0
    return draft, Chosen(of, first, held[:found], chosen.lane, beyond[:others]), slack


@compiled
def _add_group(
    draft: Draft,
    asks: Asks,
    own_usd: Floats,
    cells: Ints,
    first: Ints,
    held: Ints,
    minimum: int,
    lane: Ints,
    beyond: Ints,
) -> int:
    """Add the cells of a group; how many columns of ``beyond`` were written. -1: no room."""
    pairs, others = asks.unmet_start[cells[0] + 1] - asks.unmet_start[cells[0]], 0
    caps = np.zeros(pairs, np.int64)
    if not _fits(draft, 0, pairs + 1, 0):
        return -1
    for i in range(pairs):
        caps[i] = _row(draft, -np.inf, asks.unmet_cap[asks.unmet_start[cells[0]] + i])
    least = _row(draft, float(minimum), np.inf)
    for j, cell in enumerate(cells):
        places = asks.slot_start[cell + 1] - asks.slot_start[cell]
        entries = asks.entry_start[cell + 1] - asks.entry_start[cell]
        options, lanes = first[j + 1] - first[j], places * entries
        rows = (pairs + 1) * places
        needed = 2 * options + lanes + rows * (options + entries + 2)
        if not _fits(draft, lanes + rows, 1 + entries + rows, needed):
            return -1
        one = _row(draft, 1.0, 1.0)
        for s in range(first[j], first[j + 1]):
            _entry(draft, one, s, 1.0)
            if minimum > 0:
                _entry(draft, least, s, float(held[s].sum()))
        lane[j] = draft.size[0]
        for at in range(asks.lane_start[cell], asks.lane_start[cell + 1]):
            _column(draft, own_usd[at], 1.0 if asks.may[at] else 0.0, False)
        for e in range(entries):
            served = _row(draft, 1.0, 1.0)
            for p in range(places):
                _entry(draft, served, lane[j] + e * places + p, 1.0)
        others += _add_loads(draft, asks, cell, first[j], first[j + 1], held, lane[j], caps,
                             beyond[others:])  # fmt: skip
    return others


@compiled
def _add_loads(
    draft: Draft,
    asks: Asks,
    cell: int,
    first: int,
    last: int,
    held: Ints,
    lane: int,
    caps: Ints,
    beyond: Ints,
) -> int:
    """Add what replicas of a cell serve and what goes unmet; columns written to ``beyond``.

    Where the hours in which demand may go unmet do not list that of highest demand, since plans
    leave nothing unmet there, bounds must let some go past replicas all the same.
    """
    places = asks.slot_start[cell + 1] - asks.slot_start[cell]
    entry, entries = asks.entry_start[cell], asks.entry_start[cell + 1] - asks.entry_start[cell]
    if entries == 0:
        return 0
    pairs, others, highest = len(caps), 0, 0.0
    for i in range(-1, pairs):
        busy, usd = np.zeros(entries), 0.0
        for e in range(entries):
            if i < 0:
                busy[e] = asks.busy[entry + e] if entries > 1 else asks.peak[entry]
            elif entries > 1:
                busy[e] = asks.unmet_part[asks.part_start[cell] + i * entries + e]
            else:
                busy[e] = asks.unmet_busy[asks.unmet_start[cell] + i]
        if i < 0:
            usd = asks.unmet_top[cell]
            for pair in range(asks.unmet_start[cell], asks.unmet_start[cell + 1]):
                highest = max(highest, asks.unmet_busy[pair])
            if highest >= busy.sum() - 1e-9 and pairs > 0:
                continue
        else:
            usd = asks.unmet_usd[asks.unmet_start[cell] + i]
        cap = _row(draft, -np.inf, asks.unmet_most[cell]) if i < 0 else caps[i]
        for p in range(places):
            row = _row(draft, -np.inf, 0.0)
            for e in range(entries):
                _entry(draft, row, lane + e * places + p, busy[e])
            for s in range(first, last):
                if held[s, p] > 0:
                    _entry(draft, row, s, -min(float(held[s, p]), busy.sum()))
            if i < 0 and asks.unmet_most[cell] <= 0.0:
                continue
            missing = _column(draft, usd, np.inf, False)
            _entry(draft, row, missing, -1.0)
            _entry(draft, cap, missing, 1.0)
            if i < 0:
                beyond[others] = missing
                others += 1
    return others


@compiled
def _add_link(
    draft: Draft,
    asks: Asks,
    lane: Ints,
    places: Ints,
    gb: Floats,
    usd_per_gb: Floats,
    region: Rows,
    column: Ints,
) -> bool:
    """Add the flow between the two ends of a link; ``column`` [end] of their first lanes."""
    pairs = places[0] * places[1]
    if not _fits(draft, pairs, places.sum(), 2 * pairs + places.sum()):
        return False
    sends, gets = np.zeros(places[0], np.int64), np.zeros(places[1], np.int64)
    for p in range(places[0]):
        sends[p] = _row(draft, 0.0, 0.0)
        _entry(draft, sends[p], column[0] + p, -1.0)
    for q in range(places[1]):
        gets[q] = _row(draft, 0.0, 0.0)
        _entry(draft, gets[q], column[1] + q, -1.0)
    for p in range(places[0]):
        for q in range(places[1]):
            r, to = region[lane[0] + p], region[lane[1] + q]
            usd = gb[0] * usd_per_gb[r, to] + gb[1] * usd_per_gb[to, r]
            may = asks.may[lane[0] + p] and asks.may[lane[1] + q]
            flow = _column(draft, usd, 1.0 if may else 0.0, False)
            _entry(draft, sends[p], flow, 1.0)
            _entry(draft, gets[q], flow, 1.0)
    return True
