"""What a plan leaves behind for the next one, and what of it still fits.

A world changes little from one run to the next. Prices of what services share hardly move, and a
cell that asks for the same, of the same goods at the same prices, may stay as it is. Cells, slots
and lanes are matched by the names of services, origins and places, and by hour.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import Fault, FaultyInput, Location
from optimizer.decompose.cells import Cells
from optimizer.decompose.dual import Case, first_prices
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.tables import Asks
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Strings = NDArray[np.str_]

FORMAT = "trimtab plan memory 1"
OF_CELL = (
    "need", "low", "low_bound", "share_zone", "share_region", "share_cloud", "unmet_most",
    "unmet_top",
)  # fmt: skip
OF_SLOT = ("place",)
OF_ENTRY = ("peak", "busy", "ruled")
OF_LANE = ("may",)
OF_ROW = ("row_busy", "row_ruled")
OF_UNMET = ("unmet_busy", "unmet_usd")
STRETCHES = {
    "slot_start": OF_SLOT,
    "entry_start": OF_ENTRY,
    "lane_start": OF_LANE,
    "row_start": OF_ROW,
    "unmet_start": OF_UNMET,
}
"""Values of which every cell has a stretch."""

NAMES = {
    "gap", "services", "origins", "regions", "cell_at", "place_at", "entry_at", "extra", "goods",
    *(f"asks_{name}" for name in Asks._fields), "offerings", "row_cell", "row_offering",
    "row_count", "held", "share", "quota_rules", "quota", "budget_rules", "budget",
    "covered", "calls", "end_call", "end_side", "end_lane", "ends", "rooms",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Last:
    """A plan as the next one needs it: arrays by name, without objects.

    ``goods`` [service] is a digest of what the service could choose from, with prices.
    """

    arrays: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name == "arrays" or name not in self.arrays:  # copies ask before there are any
            raise AttributeError(name)
        return self.arrays[name]

    def as_bytes(self) -> bytes:
        """A file that ``load`` reads."""
        file = BytesIO()
        np.savez_compressed(file, format=np.array(FORMAT), **self.arrays)
        return file.getvalue()

    @classmethod
    def load(cls, path: Path) -> Last:
        """Raises ``FaultyInput`` when the file is not there or not one of ours."""
        try:
            with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as found:
                if str(found["format"]) != FORMAT:
                    raise ValueError("another format")
                arrays = {name: found[name] for name in found.files if name != "format"}
                if set(arrays) != NAMES:
                    raise ValueError("another version")
                return cls(arrays)
        except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
            why = "it is not there" if isinstance(error, FileNotFoundError) else "it is damaged"
            message = f"{path} does not hold what a plan leaves behind: {why}"
            fix = "name a folder to which trimtab plan has written the plan of a large world"
            raise FaultyInput([Fault(Location(), message, fix)]) from error


def remember(case: Case, prices: Prices, fleet: Fleet, gap: float) -> Last:
    """What ``fleet`` and its prices leave behind."""
    cells, world, links = case.cells, case.cells.world, case.links
    names, codes = np.unique(offering_names(cells), return_inverse=True)
    return Last(
        {
            "gap": np.array(gap),
            "services": np.array([s.name for s in world.services]),
            "origins": np.array([o.name for o in world.origins]),
            "regions": np.array([r.place for r in world.regions]),
            "cell_at": cells.cell_at,
            "place_at": cells.place_at,
            "entry_at": cells.entry_at,
            "extra": cells.asks.group_extra[cells.cell_group],
            "goods": goods_digest(cells)[cells.assortment_of],
            **{f"asks_{name}": getattr(cells.asks, name) for name in Asks._fields},
            "offerings": names,
            "row_cell": fleet.cell,
            "row_offering": codes[fleet.candidate],
            "row_count": fleet.count,
            "held": fleet.held,
            "share": fleet.share,
            "quota_rules": _numbered([rule.name for rule in case.limits.quota_rules]),
            "quota": prices.quota,
            "budget_rules": np.array([rule.name for rule in case.limits.budget_rules], np.str_),
            "budget": prices.budget,
            "covered": prices.covered,
            "calls": _call_names(case),
            "end_call": np.repeat(np.repeat(links.dependency, 2), np.diff(links.start)),
            "end_side": np.repeat(np.arange(2 * len(links)) % 2, np.diff(links.start)),
            "end_lane": links.lane_of,
            "ends": prices.ends,
            "rooms": prices.rooms,
        }
    )


def offering_names(cells: Cells) -> Strings:
    """cloud/region/type/purchase of every candidate."""
    book = cells.world.book.offerings.iloc[cells.goods.offering]
    names = book["cloud"].astype(str).to_numpy(dtype=object)
    for column in ("region", "instance_type", "purchase"):
        names = names + "/" + book[column].astype(str).to_numpy(dtype=object)
    return names.astype(str)


def goods_digest(cells: Cells) -> NDArray[np.uint64]:
    """[assortment]: a digest of the candidates, their sizes and prices, in any order."""
    goods = cells.goods
    table = pd.DataFrame(
        {
            "name": offering_names(cells),
            "price": goods.price_usd_per_hour,
            "cost": goods.cost_usd_per_hour,
            "replicas": cells.stock.size,
        }
    )
    hashes = pd.util.hash_pandas_object(table, index=False).to_numpy()
    digest = np.zeros(len(cells.stock.most), np.uint64)
    np.add.at(digest, goods.assortment, hashes)
    return digest


def _numbered(names: list[str]) -> Strings:
    """Names made unique by how often they came before."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        numbered.append(f"{name}#{seen[name]}")
        seen[name] += 1
    return np.array(numbered, np.str_)


def _call_names(case: Case) -> Strings:
    """[dependency]"""
    return np.array([f"{d.caller}>{d.callee}" for d in case.cells.world.dependencies], np.str_)


@dataclass(frozen=True, eq=False)
class Match:
    """Where a case's lanes, slots and cells stood in the last one; -1: nowhere.

    ``same`` [cell]: whether nothing that the cell asks for, or may choose, has changed.
    """

    lane: Ints
    slot: Ints
    cell: Ints
    same: Bools


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
    there = (s >= 0) & (o >= 0) & (r >= 0) & (hour < last.cell_at.shape[2])
    old = np.where(there, last.cell_at[s, o, np.minimum(hour, last.cell_at.shape[2] - 1)], -1)
    cluster = last.asks_cluster[old]
    place, entry = last.place_at[cluster, r], last.entry_at[cluster, o]
    there = there & (old >= 0) & (place >= 0) & (entry >= 0)
    places = last.asks_slot_start[old + 1] - last.asks_slot_start[old]
    lane = np.where(there, last.asks_lane_start[old] + entry * places + place, -1)
    slot = np.full(len(asks.place), -1)
    slot[case.lane_slot] = np.where(there, last.asks_slot_start[old] + place, -1)
    cell = np.full(len(asks.need), -1)
    cell[cell_of_lane] = np.where(there, old, -1)
    within = np.arange(len(lane)) - asks.lane_start[cell_of_lane]
    moved = lane != np.where(there, last.asks_lane_start[cell[cell_of_lane]] + within, -2)
    same = (cell >= 0) & ~(np.bincount(cell_of_lane, moved, len(cell)) > 0)
    for name in OF_CELL:
        same &= getattr(asks, name) == last.arrays[f"asks_{name}"][cell]
    same &= asks.group_extra[cells.cell_group] == last.extra[cell]
    now = goods_digest(cells)[cells.assortment_of]
    before = np.where(service >= 0, last.goods[service], 0)
    same &= (now == before)[cells.group_service[cells.cell_group]]
    for starts_of, of in STRETCHES.items():
        for name in of:
            values = last.arrays[f"asks_{name}"]
            if name == "place":
                back = pd.Index([r.place for r in world.regions]).get_indexer(last.regions)
                values = back[values]
            same &= _same(getattr(asks, name), getattr(asks, starts_of), values,
                          last.arrays[f"asks_{starts_of}"], cell)  # fmt: skip
    hours, old_hours = (
        asks.hour_start[asks.entry_start],
        last.asks_hour_start[last.asks_entry_start],
    )
    same &= _same(asks.hour_busy, hours, last.asks_hour_busy, old_hours, cell)
    return Match(lane, slot, cell, _whole_groups(cells, same))


def _same(values: Any, start: Ints, old_values: Any, old_start: Ints, old: Ints) -> Bools:
    """[cell]: whether a cell's stretch of ``values`` equals that of the old cell."""
    length = np.diff(start)
    matching = np.where(old >= 0, old, 0)
    equal = (old_start[matching + 1] - old_start[matching] == length) & (old >= 0)
    cell = np.repeat(np.arange(len(old)), np.where(equal, length, 0))
    within = np.arange(len(cell)) - np.searchsorted(cell, cell)
    differs = values[start[cell] + within] != old_values[old_start[matching[cell]] + within]
    return equal & ~(np.bincount(cell, differs, len(old)) > 0)


def _whole_groups(cells: Cells, same: Bools) -> Bools:
    """Cells all of whose group are the same."""
    changed = np.bincount(cells.cell_group, ~same, len(cells.asks.group_span)) > 0
    kept: Bools = ~changed[cells.cell_group]
    return kept


def prices_of(last: Last, case: Case, found: Match) -> Prices:
    """The last prices, for whatever of them is still there; what is new costs nothing."""
    prices = first_prices(case)
    if last.quota.shape[1] == case.periods:
        rows = pd.Index(last.quota_rules).get_indexer(
            _numbered([rule.name for rule in case.limits.quota_rules])
        )
        known = rows >= 0
        prices.quota[known] = last.quota[rows[known]]
    budgets = pd.Index(last.budget_rules).get_indexer([r.name for r in case.limits.budget_rules])
    prices.budget[budgets >= 0] = last.budget[budgets[budgets >= 0]]
    covered = last.covered if last.covered.shape == prices.covered.shape else prices.covered
    rooms = (
        np.where(found.slot >= 0, last.rooms[found.slot], 0.0) if len(last.rooms) else prices.rooms
    )
    return replace(prices, covered=covered, rooms=rooms, ends=_ends(last, case, found))


def _ends(last: Last, case: Case, found: Match) -> Floats:
    """Prices of the ends of calls, by who calls whom and lane."""
    links = case.links
    ends = np.zeros(len(links.lane_of))
    if not len(ends) or not len(last.ends):
        return ends
    call = pd.Index(last.calls).get_indexer(_call_names(case))
    mine = call[np.repeat(np.repeat(links.dependency, 2), np.diff(links.start))]
    side = np.repeat(np.arange(2 * len(links)) % 2, np.diff(links.start))
    lane = found.lane[links.lane_of]
    width = int(last.end_lane.max()) + 1
    keys = (last.end_call * 2 + last.end_side) * width + last.end_lane
    order = np.argsort(keys)
    wanted = (mine * 2 + side) * width + lane
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    known = (mine >= 0) & (lane >= 0) & (keys[order][at] == wanted)
    ends[known] = last.ends[order[at[known]]]
    return ends


def kept_rows(last: Last, case: Case, found: Match) -> tuple[Ints, Ints, Ints, Bools]:
    """Rows of cells that are the same, and which these are: a cell loses its place among them when
    an offering of its is not a candidate any more.
    """
    cells = case.cells
    new_cell = np.full(len(last.asks_need), -1)
    kept = np.flatnonzero(found.same)
    new_cell[found.cell[kept]] = kept
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
    same = found.same.copy()
    same[cell[lost]] = False
    same = _whole_groups(cells, same)
    stay = same[cell]
    return cell[stay], candidate[stay], last.row_count[mine][stay], same
