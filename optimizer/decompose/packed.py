"""Bundles of arrays that compiled functions take as one pointer.

Numba spells out a tuple of arrays at every call, which takes it a minute to compile; it passes a
``structref`` by reference. Fields have the names of the tuples in ``optimizer.decompose.tables``.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.experimental import structref

from optimizer.compiled import compiled


class _Fields(types.StructRef):
    def preprocess_fields(self, fields: Any) -> Any:
        return tuple((name, types.unliteral(kind)) for name, kind in fields)


@structref.register
class StockType(_Fields):
    """The type of ``PackedStock`` in compiled code."""


@structref.register
class AsksType(_Fields):
    """The type of ``PackedAsks`` in compiled code."""


@structref.register
class TablesType(_Fields):
    """The type of ``PackedTables`` in compiled code."""


class PackedStock(structref.StructRefProxy):
    """``Stock``"""


class PackedAsks(structref.StructRefProxy):
    """``Asks``"""


class PackedTables(structref.StructRefProxy):
    """``Tables``"""


STOCK = ("start", "size", "spot", "zones", "cloud", "share", "most", "least", "zoned")
ASKS = (
    "group_start", "group_assortment", "group_span", "group_extra", "slot_start", "entry_start",
    "lane_start", "need", "low", "low_bound", "least_of_group", "share_zone", "share_region",
    "share_cloud", "cluster", "place", "peak", "busy", "ruled", "hour_start", "hour_busy", "may",
    "row_start", "row_busy", "row_ruled", "row_atoms", "atom", "unmet_most", "unmet_top",
    "unmet_start", "unmet_busy", "unmet_usd", "unmet_cap", "part_start", "unmet_part",
)  # fmt: skip
TABLES = (
    "cost", "on_spot", "steady", "steady_choice", "spot", "spot_choice", "pair", "pair_layers",
    "kind",
)  # fmt: skip
structref.define_proxy(PackedStock, StockType, STOCK)
structref.define_proxy(PackedAsks, AsksType, ASKS)
structref.define_proxy(PackedTables, TablesType, TABLES)


@compiled
def pack_stock(start, size, spot, zones, cloud, share, most, least, zoned):  # type: ignore[no-untyped-def]
    return PackedStock(start, size, spot, zones, cloud, share, most, least, zoned)


@compiled
def pack_asks(  # type: ignore[no-untyped-def]
    group_start, group_assortment, group_span, group_extra, slot_start, entry_start, lane_start,
    need, low, low_bound, least_of_group, share_zone, share_region, share_cloud, cluster, place,
    peak, busy, ruled, hour_start, hour_busy, may, row_start, row_busy, row_ruled, row_atoms, atom,
    unmet_most, unmet_top, unmet_start, unmet_busy, unmet_usd, unmet_cap, part_start, unmet_part,
):  # fmt: skip
    return PackedAsks(
        group_start, group_assortment, group_span, group_extra, slot_start, entry_start,
        lane_start, need, low, low_bound, least_of_group, share_zone, share_region, share_cloud,
        cluster, place, peak, busy, ruled, hour_start, hour_busy, may, row_start, row_busy,
        row_ruled, row_atoms, atom, unmet_most, unmet_top, unmet_start, unmet_busy, unmet_usd,
        unmet_cap, part_start, unmet_part,
    )  # fmt: skip
