"""The cells' part of a pass: on threads of this process, or in shards on whatever an executor has.

A *shard* is a run of groups with whole assortments. All that belongs to it is contiguous, and
nothing of it depends on other shards: it goes to a worker once, prices follow with every pass, and
the numbers that come back are those that this process would have found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from optimizer.decompose.packed import pack_asks, pack_stock
from optimizer.decompose.sweep import sweep
from optimizer.decompose.tables import Asks, Stock
from optimizer.decompose.tariff import Prices, Tariff
from optimizer.decompose.thin import Thin
from optimizer.executor.seam import IN_PROCESS, Executor, Shared

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

THREADS: Final = 2

WORTH_SHARING_CELLS: Final = 50_000
"""Fewer are solved here in less than it takes to ask others: some 30 milliseconds."""

AXES: Final = {
    "group_assortment": "group", "group_span": "group", "group_extra": "group",
    "need": "cell", "low": "cell", "low_bound": "cell",
    "least_of_group": "cell", "share_zone": "cell",
    "share_region": "cell", "share_cloud": "cell", "cluster": "cell", "unmet_most": "cell",
    "unmet_top": "cell",
    "place": "slot", "atom": "slot",
    "peak": "entry", "busy": "entry", "ruled": "entry",
    "hour_busy": "hour",
    "may": "lane",
    "row_busy": "row", "row_ruled": "row", "row_atoms": "row",
    "unmet_busy": "hour of a scenario", "unmet_usd": "hour of a scenario",
    "unmet_cap": "hour of a scenario",
    "unmet_part": "part",
}  # fmt: skip
"""What the first axis of a field of ``Asks`` counts."""

STARTS: Final = {
    "group_start": ("group", "cell"),
    "slot_start": ("cell", "slot"),
    "entry_start": ("cell", "entry"),
    "lane_start": ("cell", "lane"),
    "row_start": ("cell", "row"),
    "hour_start": ("entry", "hour"),
    "unmet_start": ("cell", "hour of a scenario"),
    "part_start": ("cell", "part"),
}
"""Fields of ``Asks`` that say where something begins, [what + 1] into what; outer ones first."""


@dataclass(frozen=True, eq=False)
class Swept:
    """What cells do at some prices, as ``sweep`` writes it."""

    used: Floats
    held: Ints
    share: Floats
    value: Floats


class Effort(Enum):
    """Which cells a pass is about, and how well they are bounded."""

    QUICK = "all cells, those of several origins relaxed"
    OWN = "only those that have prices of their own, relaxed like that"
    EXACT = "all cells, exactly"


Subproblems = Callable[[Prices, Effort], Swept]
"""Solves cells at prices."""


@dataclass(frozen=True, eq=False)
class Shard:
    """All that solving some cells takes, but prices."""

    stock: Stock
    asks: Asks
    tariff: Tariff
    several: Ints  # slots of cells with several origins, whose rooms have prices

    @cached_property
    def packed(self) -> tuple[Any, Any]:
        """For compiled code, which knows writeable and aligned arrays only."""
        stock, asks = (
            [np.require(array, requirements=("C", "A", "W")) for array in arrays]
            for arrays in (self.stock, self.asks)
        )
        return pack_stock(*stock), pack_asks(*asks)

    @cached_property
    def owned(self) -> NDArray[np.bool_]:
        """Whether any price stands on a cell of the group alone [group]."""
        asks = self.asks
        lanes = np.searchsorted(asks.lane_start, self.tariff.end_lane, side="right") - 1
        slots = np.searchsorted(asks.slot_start, self.several, side="right") - 1
        cells = np.concatenate([lanes, slots])
        owned = np.zeros(len(asks.group_span), np.bool_)
        owned[np.searchsorted(asks.group_start, cells, side="right") - 1] = True
        return owned

    def __getstate__(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def nothing(self) -> Swept:
        return Swept(
            np.zeros((len(self.stock.size), len(self.tariff.spans))),
            np.zeros(len(self.asks.place), np.int64),
            np.zeros(len(self.asks.may)),
            np.zeros(len(self.asks.group_span)),
        )


def subproblems(fleet: Shard, parts: Sequence[Ints], executor: Executor) -> Subproblems:
    """Where the cells of a fleet are solved: the numbers are the same everywhere.

    ``parts``: all groups, cut into runs of whole assortments.
    """
    if executor is IN_PROCESS or len(fleet.asks.need) < WORTH_SHARING_CELLS:
        return lambda prices, effort: _solved(fleet, parts, prices, effort)
    cuts = [Cut.around(part, fleet) for part in parts]
    shards = [executor.share(cut.shard(fleet)) for cut in cuts]

    def elsewhere(prices: Prices, effort: Effort) -> Swept:
        swept = fleet.nothing()
        pieces = [
            (shard, cut.prices(prices), effort) for cut, shard in zip(cuts, shards, strict=True)
        ]
        for cut, answer in zip(cuts, executor.map(solve_shard, pieces), strict=True):
            cut.write(answer, swept)
        return swept

    return elsewhere


def _solved(shard: Shard, parts: Sequence[Ints], prices: Prices, effort: Effort) -> Swept:
    swept, tariff, exact = shard.nothing(), shard.tariff, effort is Effort.EXACT
    if effort is Effort.OWN:
        parts = [part[shard.owned[part]] for part in parts]
    usd, route_usd = tariff.candidates(prices), tariff.routes(prices)
    alive = np.zeros_like(swept.held)

    def one(groups: Ints) -> None:
        sweep(*shard.packed, usd, route_usd, prices.rooms, groups, False, exact, swept.used,
              swept.held, alive, swept.share, swept.value)  # fmt: skip

    with ThreadPoolExecutor(min(THREADS, len(parts))) as pool:
        list(pool.map(one, parts))
    return swept


@dataclass(frozen=True, eq=False)
class Answer:
    """``Swept`` as it travels."""

    used: Thin[np.float64]
    held: Thin[np.int64]
    share: Thin[np.float64]
    value: Floats


def solve_shard(shared: Shared[Shard], prices: Prices, effort: Effort) -> Answer:
    """Solve the cells of a shard at its part of the prices."""
    shard = shared.value
    rooms = np.zeros(len(shard.asks.place))
    rooms[shard.several] = prices.rooms
    everything = [np.arange(len(shard.asks.group_span))]
    swept = _solved(shard, everything, replace(prices, rooms=rooms), effort)
    return Answer(Thin.of(swept.used), Thin.of(swept.held), Thin.of(swept.share), swept.value)


@dataclass(frozen=True, eq=False)
class Cut:
    """Where a shard stands in its fleet."""

    assortments: slice
    candidates: slice
    of: dict[str, slice]  # by what axes count
    ends: Ints
    several: Ints

    @classmethod
    def around(cls, groups: Ints, fleet: Shard) -> Self:
        """The cut of consecutive ``groups`` with whole assortments."""
        stock, asks = fleet.stock, fleet.asks
        of = {"group": slice(int(groups[0]), int(groups[-1]) + 1)}
        for name, (outer, inner) in STARTS.items():
            start = getattr(asks, name)
            of[inner] = slice(int(start[of[outer].start]), int(start[of[outer].stop]))
        first = int(asks.group_assortment[groups[0]])
        last = int(asks.group_assortment[groups[-1]])
        regions, lane = len(stock.zones), fleet.tariff.end_lane
        return cls(
            slice(first, last + 1),
            slice(int(stock.start[first * regions]), int(stock.start[(last + 1) * regions])),
            of,
            np.flatnonzero((lane >= of["lane"].start) & (lane < of["lane"].stop)),
            fleet.several[
                slice(*np.searchsorted(fleet.several, (of["slot"].start, of["slot"].stop)))
            ],
        )

    def shard(self, fleet: Shard) -> Shard:
        tariff = fleet.tariff.part(self.candidates, self.of["lane"], self.ends)
        return Shard(
            *self._slices(fleet.stock, fleet.asks), tariff, self.several - self.of["slot"].start
        )

    def _slices(self, stock: Stock, asks: Asks) -> tuple[Stock, Asks]:
        regions, own = len(stock.zones), self.assortments
        sliced = {name: getattr(asks, name)[self.of[axis]] for name, axis in AXES.items()}
        sliced["group_assortment"] = sliced["group_assortment"] - own.start
        for name, (outer, inner) in STARTS.items():
            starts = getattr(asks, name)[self.of[outer].start : self.of[outer].stop + 1]
            sliced[name] = starts - self.of[inner].start
        start = stock.start[own.start * regions : own.stop * regions + 1]
        part = stock._replace(
            start=start - self.candidates.start,
            size=stock.size[self.candidates],
            spot=stock.spot[self.candidates],
            share=stock.share[own],
            most=stock.most[own],
            least=stock.least[own],
            zoned=stock.zoned[own],
        )
        return part, Asks(**sliced)

    def prices(self, prices: Prices) -> Prices:
        """What the shard must know of prices; its rooms are those that have a price."""
        return replace(prices, ends=prices.ends[self.ends], rooms=prices.rooms[self.several])

    def write(self, answer: Answer, swept: Swept) -> None:
        answer.used.write(swept.used[self.candidates])
        answer.held.write(swept.held[self.of["slot"]])
        answer.share.write(swept.share[self.of["lane"]])
        swept.value[self.of["group"]] = answer.value
