"""Which cells of a world ask for what they asked for in the last plan, and may still do it.

Cells, slots and lanes are matched by the names of services, origins and places, and by hour; what
cells run by the names of offerings. Prices do not matter here: what is lawful does not depend on
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.decompose.cells import Cells, within
from optimizer.decompose.dual import Case
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.last import Last, offering_names

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OF_CELL = (
    "need", "low", "low_bound", "least_of_group", "share_zone", "share_region", "share_cloud",
    "unmet_most", "unmet_top",
)  # fmt: skip
OF_ENTRY = ("peak", "busy", "ruled")
OF_ROW = ("row_busy", "row_ruled")
OF_UNMET = ("unmet_busy", "unmet_usd", "unmet_cap")
OF_PART = ("unmet_part",)


@dataclass(frozen=True, eq=False)
class Match:
    """Where a case's lanes, slots, cells and groups stood in the last one; -1: nowhere.

    ``same`` [cell]: whether what the cell did is still lawful, as far as it asks for the same of
    places that are still there. Cells of a group are the same together.
    """

    lane: Ints
    slot: Ints
    cell: Ints
    group: Ints
    same: Bools


@dataclass(frozen=True, eq=False)
class Kept:
    """What cells that are the same may go on doing: as in ``Fleet``; of all others nothing.

    ``same`` [cell] and ``group`` [group] as in ``Match``.
    """

    cell: Ints
    candidate: Ints
    count: Ints
    held: Ints
    share: Floats
    same: Bools
    group: Ints

    def fleet(self, case: Case) -> Fleet:
        return Fleet(case, self.cell, self.candidate, self.count, self.held, self.share)

    def without(self, case: Case, groups: Bools) -> Kept:
        """The same without what some groups did."""
        return _keeping(case, self, self.same & ~groups[case.cells.cell_group])


def match(last: Last, case: Case) -> Match:
    """Match a case with what the last one left behind."""
    cells, asks, world = case.cells, case.cells.asks, case.cells.world
    service = pd.Index(last.services).get_indexer([s.name for s in world.services])
    origin = pd.Index(last.origins).get_indexer([o.name for o in world.origins])
    region = pd.Index(last.regions).get_indexer([r.place for r in world.regions])
    starts = np.array([start for start, _ in cells.spans])
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    s, o = service[case.lane_service], origin[case.lane_origin]
    r = region[asks.place[case.lane_slot]]
    hour = starts[asks.group_span[cells.cell_group[cell_of_lane]]]
    there = (s >= 0) & (o >= 0) & (hour < last.cell_at.shape[2])
    old = np.where(there, last.cell_at[s, o, np.minimum(hour, last.cell_at.shape[2] - 1)], -1)
    cluster = last.asks_cluster[old]
    entry, place = last.entry_at[cluster, o], last.place_at[cluster, r]
    there = there & (old >= 0) & (entry >= 0)
    cell = np.full(len(asks.need), -1)
    cell[cell_of_lane] = np.where(there, old, -1)
    astray = (old != cell[cell_of_lane]) | (
        entry != case.lane_entry - asks.entry_start[cell_of_lane]
    )
    same = (cell >= 0) & ~_any(cell_of_lane, astray, len(cell))
    there &= (r >= 0) & (place >= 0)
    places = last.asks_slot_start[old + 1] - last.asks_slot_start[old]
    lane = np.where(there, last.asks_lane_start[old] + entry * places + place, -1)
    slot = np.full(len(asks.place), -1)
    slot[case.lane_slot] = np.where(there, last.asks_slot_start[old] + place, -1)
    same &= _same_demand(last, case, cell) & _same_terms(last, case, cell, service, region)
    same &= ~_any(cell_of_lane, (lane >= 0) & (asks.may != last.asks_may[lane]), len(cell))
    same &= ~_lost_places(last, lane, slot)[cell]
    group = np.full(len(asks.group_span), -1)
    group[cells.cell_group] = np.where(cell >= 0, _groups(last)[cell], -1)
    return Match(lane, slot, cell, group, _whole_groups(cells, same))


def _any(owner: Ints, holds: Bools, count: int) -> Bools:
    """[owner]: whether anything of its holds."""
    found: Bools = np.bincount(owner, holds, count) > 0
    return found


def _groups(last: Last) -> Ints:
    """[cell] of the last plan: its group."""
    return np.repeat(np.arange(len(last.asks_group_span)), np.diff(last.asks_group_start))


def _same_demand(last: Last, case: Case, cell: Ints) -> Bools:
    """[cell]: whether it asks for as much, and as much of it may go unmet or must outlive losses.

    Where places have gone or come, sets of origins that meet in places are others. In a span of one
    hour, and of one origin, what the origins ask for says all of them.
    """
    cells, asks = case.cells, case.cells.asks
    same = cell >= 0
    for name in OF_CELL:
        same &= getattr(asks, name) == last.arrays[f"asks_{name}"][cell]
    same &= asks.group_extra[cells.cell_group] == last.asks_group_extra[_groups(last)][cell]
    for starts, names in (
        ("entry_start", OF_ENTRY),
        ("unmet_start", OF_UNMET),
        ("part_start", OF_PART),
    ):
        for name in names:
            same &= _same(asks, last, name, starts, cell)
    hours, old_hours = (
        asks.hour_start[asks.entry_start],
        last.asks_hour_start[last.asks_entry_start],
    )
    same &= _alike(asks.hour_busy, hours, last.asks_hour_busy, old_hours, cell)
    rows = np.ones(len(cell), np.bool_)
    for name in OF_ROW:
        rows &= _same(asks, last, name, "row_start", cell)
    span_hours = cells.hours[asks.group_span[cells.cell_group]]
    same &= rows | (np.diff(asks.entry_start) <= 1) | (span_hours == 1)
    return same


def _same_terms(last: Last, case: Case, cell: Ints, service: Ints, region: Ints) -> Bools:
    """[cell]: whether rules about spot, places that are open and zones ask for the same.

    ``service`` and ``region``: where those of the case stood.
    """
    cells, asks = case.cells, case.cells.asks
    of = cells.assortment_of
    equal = (cells.stock.share[of] == last.spot_share[service]) & (
        cells.stock.least[of] == last.least[service]
    )
    rezoned = (region >= 0) & (cells.stock.zones != last.zones[region])
    slot_cell = np.repeat(np.arange(len(cell)), np.diff(asks.slot_start))
    moved = _any(slot_cell, rezoned[asks.place], len(cell)) & (asks.share_zone > 0)
    same: Bools = equal[cells.group_service[cells.cell_group]] & ~moved
    return same


def _lost_places(last: Last, lane: Ints, slot: Ints) -> Bools:
    """[cell] of the last plan: whether it used a place that is gone."""
    count = len(last.asks_need)
    gone_slot, gone_lane = last.held > 0, last.share > 0
    gone_slot[slot[slot >= 0]] = False
    gone_lane[lane[lane >= 0]] = False
    owner = [
        np.repeat(np.arange(count), np.diff(starts))
        for starts in (last.asks_slot_start, last.asks_lane_start)
    ]
    return _any(owner[0], gone_slot, count) | _any(owner[1], gone_lane, count)


def _same(asks: Any, last: Last, name: str, starts: str, cell: Ints) -> Bools:
    return _alike(
        getattr(asks, name), getattr(asks, starts),
        last.arrays[f"asks_{name}"], last.arrays[f"asks_{starts}"], cell,
    )  # fmt: skip


def _alike(values: Any, start: Ints, old_values: Any, old_start: Ints, old: Ints) -> Bools:
    """[cell]: whether a cell's stretch of ``values`` equals that of the old cell."""
    length = np.diff(start)
    matching = np.where(old >= 0, old, 0)
    equal = (old_start[matching + 1] - old_start[matching] == length) & (old >= 0)
    lengths = np.where(equal, length, 0)
    cell, at = np.repeat(np.arange(len(old)), lengths), within(lengths)
    differs = values[start[cell] + at] != old_values[old_start[matching[cell]] + at]
    return equal & ~_any(cell, differs, len(old))


def _whole_groups(cells: Cells, same: Bools) -> Bools:
    """Cells all of whose group are the same."""
    changed = _any(cells.cell_group, ~same, len(cells.asks.group_span))
    kept: Bools = ~changed[cells.cell_group]
    return kept


def kept_rows(last: Last, case: Case, found: Match) -> Kept:
    """What cells did that are the same.

    A cell loses its place among them when an offering that it used is not a candidate any more, or
    holds another number of replicas.
    """
    cells = case.cells
    new_cell = np.full(len(last.asks_need), -1)
    same = np.flatnonzero(found.same)
    new_cell[found.cell[same]] = same
    mine = np.flatnonzero(new_cell[last.row_cell] >= 0)
    cell = new_cell[last.row_cell[mine]]
    names = pd.Index(last.offerings)
    code = names.get_indexer(offering_names(cells))
    width = len(names) + 1
    keys = cells.goods.assortment * width + np.where(code >= 0, code, len(names))
    order = np.argsort(keys, kind="stable")
    assortment = cells.assortment_of[cells.group_service[cells.cell_group[cell]]]
    wanted = assortment * width + last.row_offering[mine]
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    candidate = order[at]
    lost = keys[candidate] != wanted
    lost |= cells.goods.replicas[candidate] != last.row_replicas[mine]
    stays = found.same.copy()
    stays[cell[lost]] = False
    held, share = last.held[found.slot], last.share[found.lane]
    held[found.slot < 0], share[found.lane < 0] = 0, 0.0
    kept = Kept(cell, candidate, last.row_count[mine], held, share, found.same, found.group)
    return _keeping(case, kept, _whole_groups(cells, stays))


def _keeping(case: Case, kept: Kept, same: Bools) -> Kept:
    """``kept`` where cells are the ``same``."""
    asks = case.cells.asks
    rows = same[kept.cell]
    return Kept(
        kept.cell[rows],
        kept.candidate[rows],
        kept.count[rows],
        np.where(np.repeat(same, np.diff(asks.slot_start)), kept.held, 0),
        np.where(np.repeat(same, np.diff(asks.lane_start)), kept.share, 0.0),
        same,
        kept.group,
    )
