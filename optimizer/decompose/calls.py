"""Calls between services that move data, priced at both ends.

What the calls of one dependency for one origin cost depends on where both services are: USD
c[p, p'] if all of them go from p to p'. Their shares x, x' are tied to the flow f ≥ 0 from place
to place by Σ_p' f[p, p'] = x[p] and Σ_p f[p, p'] = x'[p']. With prices α[p], α'[p'] on these rows
both ends are free of each other, and what is left is

    min { Σ (c[p, p'] - α[p] - α'[p']) f[p, p'] : Σ f = 1 }  =  min over p, p' of c - α - α'
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from models.egress import GB_PER_KIB, SECONDS_PER_HOUR
from models.world import World
from optimizer.compiled import compiled
from optimizer.decompose.cells import Cells
from optimizer.formulate.egress import groups, price_levels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.int32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Links:
    """One link per dependency, origin and span in which either end may change.

    ``lane`` [link, end]: the first of the lanes of the caller (0) and callee (1); ``places``
    [link, end]: how many; ``start`` [2 · link + end]: where their prices α stand. ``gb`` [link,
    end]: data that leaves the caller (requests) and the callee (responses) over the span.
    """

    lane: Ints
    places: Ints
    start: Ints
    gb: Floats
    dependency: Ints
    origin: Ints
    first_hour: Ints
    lane_of: Ints  # [price] the lane it stands on
    largest: Floats  # [price] the dearest pair of the link, USD
    usd_per_gb: Floats  # [region, region] data that leaves the first for the second
    region_of_lane: Rows
    may: Bools

    def __len__(self) -> int:
        return len(self.lane)


def find_links(cells: Cells, demand_rps: Floats) -> Links:
    """All links of a world."""
    world, asks = cells.world, cells.asks
    row = {service.name: i for i, service in enumerate(world.services)}
    stateful = np.array([service.stateful for service in world.services], np.bool_)
    heavy = [
        (i, d) for i, d in enumerate(world.dependencies) if d.request_kib > 0 or d.response_kib > 0
    ]
    spans = cells.spans
    short = spans[:-1] if len(spans) > 1 else spans
    whole = (spans[-1],)
    parts = []
    for long in (False, True):
        edges = [
            (i, row[d.caller], row[d.callee], d)
            for i, d in heavy
            if (stateful[row[d.caller]] and stateful[row[d.callee]]) == long
        ]
        if not edges:
            continue
        number, a, b = (np.array([edge[k] for edge in edges]) for k in range(3))
        kib = np.array(
            [(d.calls_per_request * d.request_kib, d.calls_per_request * d.response_kib)
             for _, _, _, d in edges]
        )  # fmt: skip
        for begins, ends in whole if long else short:
            for g in range(len(world.origins)):
                calls = demand_rps[a, g, begins:ends].sum(axis=1) * SECONDS_PER_HOUR * GB_PER_KIB
                cell = cells.cell_at[a, g, begins], cells.cell_at[b, g, begins]
                on = np.flatnonzero((calls > 0) & (cell[0] >= 0) & (cell[1] >= 0))
                if not len(on):
                    continue
                lanes, sizes = [], []
                for end_cell in (cell[0][on], cell[1][on]):
                    places = asks.slot_start[end_cell + 1] - asks.slot_start[end_cell]
                    entry = cells.entry_at[asks.cluster[end_cell], g]
                    lanes.append(asks.lane_start[end_cell] + entry * places)
                    sizes.append(places)
                parts.append((
                    np.stack(lanes, 1), np.stack(sizes, 1), calls[on, None] * kib[on],
                    number[on], np.full(len(on), g), np.full(len(on), begins),
                ))  # fmt: skip
    if not parts:
        none = np.zeros((0, 2), np.int64)
        parts.append((none, none, np.zeros((0, 2)), *(np.zeros(0, np.int64),) * 3))
    lane, places, gb, number, origin, hour = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    start: Ints = np.concatenate([[0], np.cumsum(places.ravel())]).astype(np.int64)
    owner = np.repeat(np.arange(places.size), places.ravel())
    lane_of = lane.ravel()[owner] + np.arange(start[-1]) - start[:-1][owner]
    usd_per_gb = _pair_prices(world)
    dearest = gb @ np.full(2, usd_per_gb.max(initial=0.0))
    cell_of_lane = np.repeat(np.arange(len(asks.need)), np.diff(asks.lane_start))
    slots = np.diff(asks.slot_start)[cell_of_lane]
    within = (np.arange(len(asks.may)) - asks.lane_start[cell_of_lane]) % slots
    region = asks.place[asks.slot_start[cell_of_lane] + within].astype(np.int32)
    return Links(
        lane, places, start, gb, number, origin, hour, lane_of, dearest[owner // 2], usd_per_gb,
        region, asks.may,
    )  # fmt: skip


def data_of_links(cells: Cells, links: Links, demand_rps: Floats) -> Floats:
    """``Links.gb`` at another demand [service, origin, period]."""
    world, spans = cells.world, cells.spans
    dependencies = world.dependencies
    index, services = world.service_index, world.services
    caller = np.array([index[d.caller] for d in dependencies], np.int64)[links.dependency]
    both = [services[index[d.caller]].stateful and services[index[d.callee]].stateful
            for d in dependencies]  # fmt: skip
    short = dict(spans[:-1] or spans)
    end_of = np.zeros(demand_rps.shape[2], np.int64)
    end_of[list(short)] = list(short.values())
    last = np.where(np.array(both, np.bool_)[links.dependency], spans[-1][1],
                    end_of[links.first_hour])  # fmt: skip
    so_far = np.concatenate(
        [np.zeros((*demand_rps.shape[:2], 1)), np.cumsum(demand_rps, axis=2)], axis=2
    )
    requests = so_far[caller, links.origin, last] - so_far[caller, links.origin, links.first_hour]
    kib = np.array(
        [(d.calls_per_request * d.request_kib, d.calls_per_request * d.response_kib)
         for d in dependencies]
    ).reshape(-1, 2)  # fmt: skip
    gb: Floats = requests[:, None] * SECONDS_PER_HOUR * GB_PER_KIB * kib[links.dependency]
    return gb


def _calls(world: World) -> Ints:
    """Caller and callee of every dependency that moves data."""
    index = world.service_index
    return np.array(
        [
            (index[d.caller], index[d.callee])
            for d in world.dependencies
            if d.request_kib > 0 or d.response_kib > 0
        ],
        np.int64,
    ).reshape(-1, 2)


def halves(cells: Cells) -> tuple[Ints, Ints]:
    """Groups of services that call or are called, by odd and even depth in the call graph."""
    calls = _calls(cells.world)
    depth = np.zeros(len(cells.world.services), np.int64)
    for _ in range(len(depth)):
        deeper = depth.copy()
        np.maximum.at(deeper, calls[:, 1], depth[calls[:, 0]] + 1)
        if (deeper == depth).all():
            break
        depth = deeper
    involved = np.zeros(len(depth), np.bool_)
    involved[calls.ravel()] = True
    service = cells.group_service
    even = depth[service] % 2 == 0
    return (
        np.flatnonzero(involved[service] & even),
        np.flatnonzero(involved[service] & ~even),
    )


def tied_groups(cells: Cells) -> tuple[Ints, int]:
    """A number for each set of groups that calls tie together, and how many there are.

    Services that call each other, hour by hour; all hours where one of them keeps its routes.
    """
    calls = _calls(cells.world)
    count = len(cells.world.services)
    graph = sparse.coo_array(
        (np.ones(len(calls)), (calls[:, 0], calls[:, 1])), shape=(count, count)
    )
    _, component = connected_components(graph, directed=False)
    stateful = np.array([service.stateful for service in cells.world.services], np.bool_)
    long = np.zeros(int(component.max(initial=0)) + 1, np.bool_)
    long[component[stateful]] = True
    own = component[cells.group_service]
    span = np.where(long[own], 0, cells.asks.group_span)
    _, unit = np.unique(own * len(cells.spans) + span, return_inverse=True)
    return unit.ravel().astype(np.int64), int(unit.max(initial=0)) + 1


def _pair_prices(world: World) -> Floats:
    """USD per GB that leaves one region for another; 0 inside a region."""
    levels = price_levels(world)
    continent, cloud = groups(world)
    usd = np.where(
        continent[:, None] == continent[None, :],
        levels[:, 0][:, None],
        np.where(cloud[:, None] == cloud[None, :], levels[:, 1][:, None], levels[:, 2][:, None]),
    )
    np.fill_diagonal(usd, 0.0)
    return np.ascontiguousarray(usd)


@compiled
def cheapest_pairs(
    lane: Ints,
    places: Ints,
    start: Ints,
    gb: Floats,
    usd_per_gb: Floats,
    region: Rows,
    may: Bools,
    alpha: Floats,
    chosen: Ints,
    value: Floats,
) -> None:
    """``value`` [link]: the least c - α - α'; ``chosen`` [2 · link + end]: the positions taken."""
    for i in range(len(lane)):
        a, b = lane[i, 0], lane[i, 1]
        best = np.inf
        for p in range(places[i, 0]):
            if not may[a + p]:
                continue
            for q in range(places[i, 1]):
                if not may[b + q]:
                    continue
                r, to = region[a + p], region[b + q]
                usd = gb[i, 0] * usd_per_gb[r, to] + gb[i, 1] * usd_per_gb[to, r]
                usd -= alpha[start[2 * i] + p] + alpha[start[2 * i + 1] + q]
                if usd < best:
                    best = usd
                    chosen[2 * i], chosen[2 * i + 1] = p, q
        value[i] = best


@compiled
def given_other_end(
    lane: Ints,
    places: Ints,
    gb: Floats,
    usd_per_gb: Floats,
    region: Rows,
    share: Floats,
    end: int,
    route_usd: Floats,
) -> None:
    """Add to the routes of one end of every link what its calls cost, the other end as it is."""
    for i in range(len(lane)):
        mine, other = lane[i, end], lane[i, 1 - end]
        for p in range(places[i, end]):
            r = region[mine + p]
            usd = 0.0
            for q in range(places[i, 1 - end]):
                if share[other + q] > 0.0:
                    to = region[other + q]
                    usd += share[other + q] * (
                        gb[i, end] * usd_per_gb[r, to] + gb[i, 1 - end] * usd_per_gb[to, r]
                    )
            route_usd[mine + p] += usd


@compiled
def link_cost(
    lane: Ints, places: Ints, gb: Floats, usd_per_gb: Floats, region: Rows, share: Floats
) -> float:
    """USD of all links at given shares, paired place by place from the cheapest pair on.

    A lawful pairing; the cheapest one where either end is in one place.
    """
    nobody = np.zeros((len(lane), 2), np.int64)
    none = np.zeros((0, 0))
    return _pair(
        lane, places, gb, usd_per_gb, region, share, nobody, np.zeros(0, np.int64), none, none
    )


@compiled
def pay_links(
    lane: Ints,
    places: Ints,
    gb: Floats,
    usd_per_gb: Floats,
    region: Rows,
    share: Floats,
    service: Ints,
    cloud: Ints,
    internet: Floats,
    between: Floats,
) -> float:
    """``link_cost``, written to the bills of ``service`` [link, end] in the region that data
    leaves: ``internet`` and ``between`` [service, region].
    """
    return _pair(lane, places, gb, usd_per_gb, region, share, service, cloud, internet, between)


@compiled
def _pair(
    lane: Ints,
    places: Ints,
    gb: Floats,
    usd_per_gb: Floats,
    region: Rows,
    share: Floats,
    service: Ints,
    cloud: Ints,
    internet: Floats,
    between: Floats,
) -> float:
    total = 0.0
    for i in range(len(lane)):
        a, b = lane[i, 0], lane[i, 1]
        n, m = places[i, 0], places[i, 1]
        left, room = share[a : a + n].copy(), share[b : b + m].copy()
        while True:
            best, at, to = np.inf, -1, -1
            for p in range(n):
                if left[p] <= 1e-12:
                    continue
                for q in range(m):
                    if room[q] <= 1e-12:
                        continue
                    r, s = region[a + p], region[b + q]
                    usd = gb[i, 0] * usd_per_gb[r, s] + gb[i, 1] * usd_per_gb[s, r]
                    if usd < best:
                        best, at, to = usd, p, q
            if at < 0:
                break
            moved = min(left[at], room[to])
            total += moved * best
            left[at] -= moved
            room[to] -= moved
            if len(cloud) == 0:
                continue
            r, s = region[a + at], region[b + to]
            bill = between if cloud[r] == cloud[s] else internet
            bill[service[i, 0], r] += moved * gb[i, 0] * usd_per_gb[r, s]
            bill[service[i, 1], s] += moved * gb[i, 1] * usd_per_gb[s, r]
    return total


@compiled
def cost_of_each(
    lane: Ints, places: Ints, gb: Floats, usd_per_gb: Floats, region: Rows, share: Floats
) -> Floats:
    """``link_cost`` of every link."""
    nobody = np.zeros((1, 2), np.int64)
    none, empty = np.zeros((0, 0)), np.zeros(0, np.int64)
    usd = np.empty(len(lane))
    for i in range(len(lane)):
        one = slice(i, i + 1)
        usd[i] = _pair(
            lane[one], places[one], gb[one], usd_per_gb, region, share, nobody, empty, none, none
        )
    return usd
