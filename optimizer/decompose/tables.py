"""What replicas of an assortment cost in each region, as tables that cells look things up in.

A table is either a *bound* (no lawful way is cheaper) or for a *plan* (what it says can be had).
The two differ only where a rule has no exact programme: the loss of a zone for large services, and
together with a spot share.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.covering import INFINITE, at_least, exactly, mix, reserve
from optimizer.decompose.packed import PackedTables
from optimizer.decompose.zones import bundles, survivors_table, unwind_survivors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LARGEST_ZONED = 48
"""Replicas up to which the loss of a zone is an exact programme (its tables are square)."""


class Stock(NamedTuple):
    """Candidates, sorted by assortment and region; ``start`` [assortment · regions + region]."""

    start: Ints
    size: Ints  # replicas on one instance
    spot: Bools
    zones: Ints  # [region]
    cloud: Ints  # [region]
    share: Floats  # [assortment]: most of the replicas in a place on spot
    most: Ints  # [assortment]: the most replicas that a cell may place
    least: Ints  # [assortment]: replicas in each place that is open
    zoned: Bools  # [assortment]: whether the loss of a zone must be survived


class Asks(NamedTuple):
    """What cells ask for. Groups of cells share a minimum; a cell has a slot per place, an entry
    per origin and, origin by origin, a lane per place.

    Cells of several origins have Hall rows (one per set of origins, ``optimizer.formulate.spread``)
    over *atoms*: places that the same origins may use.
    """

    group_start: Ints  # [group + 1] into cells
    group_assortment: Ints
    group_span: Ints
    group_extra: Ints  # replicas beyond the needs of the cells, wherever they are
    slot_start: Ints  # [cell + 1] into slots
    entry_start: Ints  # [cell + 1] into entries
    lane_start: Ints  # [cell + 1] into lanes
    need: Ints  # [cell]: replicas that all origins ask for together
    low: Ints  # [cell]: of these, how many plans must have
    low_bound: Ints  # [cell]: how many any lawful way has
    least_of_group: Ints  # [cell]: replicas that all cells of its group hold, whatever demand is
    share_zone: Floats  # [cell]: of demand, after the loss of any zone, region or cloud
    share_region: Floats
    share_cloud: Floats
    cluster: Ints  # [cell]
    place: Ints  # [slot]: region
    peak: Floats  # [entry]: replicas that the origin's traffic keeps busy in its own peak hour
    busy: Floats  # [entry]: the same in the peak hour of all origins
    ruled: Floats  # [entry]: ``peak`` of the demand that rules about losses are about
    hour_start: (
        Ints  # [entry + 1] into hours; none where a span is one hour, or the cell has one origin
    )
    hour_busy: Floats
    may: Bools  # [lane]: whether the origin may be served there
    row_start: Ints  # [cell + 1] into rows
    row_busy: Floats  # [row]: replicas that the traffic of a set of origins keeps busy
    row_ruled: Floats  # [row]: the same of the demand that rules about losses are about
    row_atoms: Bools  # [row, atom]: the atoms that the set may use
    atom: Ints  # [slot]
    unmet_most: Floats  # [cell]: replicas that may be missing at once
    unmet_top: Floats  # [cell]: USD of an hour without one, in the scenario of highest demand
    unmet_start: Ints  # [cell + 1] into hours of scenarios in which replicas may be missing
    unmet_busy: Floats  # [hour of a scenario]: replicas that the traffic keeps busy
    unmet_usd: Floats  # [hour of a scenario]: USD for each that is missing
    unmet_cap: Floats  # [hour of a scenario]: replicas that may be missing in all cells of a group
    part_start: Ints  # [cell + 1] into parts; none where a cell has one origin
    unmet_part: Floats  # [part]: ``unmet_busy`` of every origin, hour of a scenario by hour


class Unmet(NamedTuple):
    """What one cell may leave unmet: as in ``Asks``."""

    most: float
    top: float
    busy: Floats
    usd: Floats


class Tables(NamedTuple):
    """Room for the tables of one assortment in one span; first axis: region."""

    cost: Floats
    on_spot: Ints
    steady: Floats
    steady_choice: Ints
    spot: Floats
    spot_choice: Ints
    pair: Floats  # [region, held, survivors]
    pair_layers: Floats  # [region, layer, held, survivors]
    kind: Ints  # [region]: 0 nothing sold here, 1 covering, 2 with a spot share


@compiled
def unmet_of(asks: Asks, cell: int) -> Unmet:
    between = slice(asks.unmet_start[cell], asks.unmet_start[cell + 1])
    return Unmet(
        asks.unmet_most[cell], asks.unmet_top[cell], asks.unmet_busy[between],
        asks.unmet_usd[between],
    )  # fmt: skip


@compiled
def nothing_unmet(asks: Asks) -> Unmet:
    return Unmet(0.0, 0.0, asks.unmet_busy[:0], asks.unmet_usd[:0])


@compiled
def make_tables(regions: int, length: int, most: int, square: int, layers: int) -> Any:
    return PackedTables(
        np.empty((regions, most + 1)),
        np.empty((regions, most + 1), np.int64),
        np.empty((regions, length + 1)),
        np.empty((regions, length + 1), np.int64),
        np.empty((regions, length + 1)),
        np.empty((regions, length + 1), np.int64),
        np.empty((regions, square + 1, square + 1)),
        np.empty((regions, layers + 1, square + 1, square + 1)),
        np.zeros(regions, np.int64),
    )


@compiled
def fill_tables(
    stock: Stock,
    usd: Floats,
    assortment: int,
    span: int,
    plan: bool,
    wanted: Bools,
    tables: Tables,
) -> None:
    """Tables of regions ``wanted`` [region] for one assortment in one span; ``usd`` [candidate,
    span].
    """
    regions = len(stock.zones)
    most, share = stock.most[assortment], stock.share[assortment]
    least = stock.least[assortment]
    zoned = stock.zoned[assortment]
    for r in range(regions):
        low = stock.start[assortment * regions + r]
        high = stock.start[assortment * regions + r + 1]
        tables.kind[r] = 0
        if high == low or not wanted[r]:
            continue
        size, price = stock.size[low:high], usd[low:high, span]
        mixed = share < 1.0 and stock.spot[low:high].any()
        if mixed and zoned and not plan:
            mixed = False  # the share is let go of: a bound
        if mixed:
            spot = stock.spot[low:high]
            length = reserve(size, spot, share, most)
            at_least(size[~spot], price[~spot], length, tables.steady[r], tables.steady_choice[r])
            exactly(size[spot], price[spot], length, tables.spot[r], tables.spot_choice[r])
            here = 0.0 if zoned else share
            mix(
                tables.steady[r, : length + 1], tables.spot[r, : length + 1], here, most,
                size[spot].max(), tables.cost[r], tables.on_spot[r],
            )  # fmt: skip
            tables.kind[r] = 2
            size, price = size[~spot], price[~spot]
        else:
            at_least(size, price, most, tables.steady[r], tables.steady_choice[r])
            for q in range(most + 1):
                tables.cost[r, q] = tables.steady[r, q]
            tables.kind[r] = 1
        for q in range(1, min(least, most + 1)):
            tables.cost[r, q] = tables.cost[r, least]
        if zoned and most <= LARGEST_ZONED:
            survivors_table(
                size, price, stock.zones[r], most, tables.pair_layers[r], tables.pair[r]
            )


@compiled
def zone_cost(
    stock: Stock, assortment: int, tables: Tables, r: int, held: int, alive: int, plan: bool
) -> float:
    """The least for ``held`` replicas in a region of which ``alive`` outlive a zone."""
    held = max(held, stock.least[assortment])
    if alive <= 0:
        return tables.cost[r, held]
    if stock.most[assortment] <= LARGEST_ZONED:
        return tables.pair[r, held, alive]
    zones = stock.zones[r]
    if zones <= 1:
        return INFINITE
    if plan:
        return zones * tables.steady[r, bundles(zones, alive, held)]
    enough = max(held, -(-alive * zones // (zones - 1)))
    return tables.steady[r, min(enough, stock.most[assortment])]


@compiled
def expand(
    stock: Stock,
    usd: Floats,
    tables: Tables,
    assortment: int,
    span: int,
    r: int,
    held: int,
    alive: int,
    plan: bool,
    count: Ints,
) -> None:
    """Add the instances behind ``held`` replicas in a region to ``count`` [candidate]."""
    if held <= 0:
        return
    regions = len(stock.zones)
    low = stock.start[assortment * regions + r]
    high = stock.start[assortment * regions + r + 1]
    held = max(held, stock.least[assortment])
    steady = np.arange(low, high)
    if tables.kind[r] == 2:
        steady = steady[~stock.spot[low:high]]
    zones = stock.zones[r]
    if alive > 0 and stock.most[assortment] <= LARGEST_ZONED:
        found = np.zeros(len(steady), np.int64)
        unwind_survivors(
            stock.size[steady], usd[steady, span], zones, stock.most[assortment],
            tables.pair_layers[r], held, alive, found,
        )  # fmt: skip
        for i in range(len(steady)):
            count[steady[i]] += found[i]
        return
    times, q = 1, held
    if alive > 0:
        if plan:
            times, q = zones, bundles(zones, alive, held)
        else:
            q = min(max(held, -(-alive * zones // (zones - 1))), stock.most[assortment])
    elif tables.kind[r] == 2:
        on_spot = tables.on_spot[r, held]
        if on_spot > 0:
            share = stock.share[assortment]
            beside = int(np.ceil(on_spot * (1.0 - share) / share - 1e-9))
            q = max(beside, held - on_spot)
            spot = np.arange(low, high)[stock.spot[low:high]]
            i = on_spot
            while i > 0:
                taken = spot[tables.spot_choice[r, i]]
                count[taken] += 1
                i -= stock.size[taken]
    while q > 0:
        taken = steady[tables.steady_choice[r, q]]
        count[taken] += times
        q -= stock.size[taken]
