"""A fleet as arrays of small independent problems.

An *assortment* is a set of candidates that services of one kind choose from: equal replicas under
equal terms. A *span* is a run of hours in which counts stay the same. A *cell* is what one service
asks for in one span for the origins of one *cluster*: origins that share some of the places that
may serve them, directly or through others. Cells of one service and span form a *group*. A cell has
a *slot* per place, an *entry* per origin, a *lane* per origin and place, and, when it has several
origins, a *row* per set of origins whose demand must find room (``optimizer.formulate.spread``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.demand import Outlook
from models.rules import (
    BudgetRule,
    Extent,
    MinReplicasRule,
    SpotShareRule,
    SpreadRule,
)
from models.world import World
from optimizer.decompose.clusters import Cluster, find_clusters
from optimizer.decompose.lacking import Where, with_unmet
from optimizer.decompose.tables import Asks, Stock
from optimizer.formulate.candidates import Candidates
from optimizer.formulate.layout import asked_for
from optimizer.formulate.spread import whole_replicas

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Goods:
    """What assortments hold, parallel to ``Stock.size``."""

    offering: Ints  # row of the book
    region: Ints
    assortment: Ints
    price_usd_per_hour: Floats
    cost_usd_per_hour: Floats  # with carbon
    vcpus: Floats
    spot: Bools
    replicas: Ints


@dataclass(frozen=True, eq=False)
class Cells:
    """The fleet; groups are sorted by assortment and span."""

    world: World
    stock: Stock
    goods: Goods
    asks: Asks
    spans: tuple[tuple[int, int], ...]
    team: Ints  # [assortment] number of the team that has a budget; -1: none
    group_service: Ints
    cell_group: Ints
    clusters: tuple[Cluster, ...]
    cell_at: Ints  # [service, origin, period] → cell; -1: none
    place_at: Ints  # [cluster, region] → position among the cluster's places; -1: none
    entry_at: Ints  # [cluster, origin] → position among the cluster's origins; -1: none
    assortment_of: Ints  # [service]
    unmet_scenario: NDArray[np.int16]  # parallel to ``Asks.unmet_busy``

    @property
    def hours(self) -> Floats:
        """Hours of each span."""
        return np.array([end - start for start, end in self.spans], np.float64)

    def lane_at(self, service: Ints, origin: Ints, region: Ints, period: Ints) -> Ints:
        """The lane from an origin to a region in an hour; -1: none, or not allowed."""
        cell = self.cell_at[service, origin, period]
        cluster = self.asks.cluster[cell]
        place = self.place_at[cluster, region]
        places = self.asks.slot_start[cell + 1] - self.asks.slot_start[cell]
        lane = self.asks.lane_start[cell] + self.entry_at[cluster, origin] * places + place
        there = (cell >= 0) & (place >= 0)
        lane = np.where(there, lane, 0)
        found: Ints = np.where(there & self.asks.may[lane], lane, -1)
        return found


def make_cells(
    world: World,
    demand_rps: Floats,
    outlook: Outlook,
    reach: Bools,
    candidates: Candidates,
) -> Cells:
    """Cut a world into cells; sizes and routes must change at the same hours.

    ``demand_rps`` is what rules about losses are about; one scenario of ``outlook`` dominates.
    """
    terms = _terms(world)
    assortment_of, owners = _assortments(candidates, terms)
    spans = _spans(world, demand_rps.shape[2])
    drafts, clusters = _draft(world, demand_rps, outlook, reach, terms, spans)
    asks, service, cell_group = _sorted_asks(drafts, assortment_of, clusters)
    where = Where(
        service[cell_group],
        asks.group_span[cell_group],
        asks.cluster,
        tuple(cluster.origins for cluster in clusters),
        spans,
    )
    minimum = np.where(terms.stateful, 0, terms.minimum)
    asks, unmet_scenario = with_unmet(world, outlook, asks, where, minimum)
    stock, goods = _stock(world, candidates, owners, terms, asks)
    place_at = np.full((len(clusters), len(world.regions)), -1)
    entry_at = np.full((len(clusters), len(world.origins)), -1)
    for i, cluster in enumerate(clusters):
        place_at[i, cluster.regions] = np.arange(len(cluster.regions))
        entry_at[i, cluster.origins] = np.arange(len(cluster.origins))
    cell_at = np.full(demand_rps.shape, -1)
    starts, ends = (np.array(edge) for edge in zip(*spans, strict=True))
    span = asks.group_span[cell_group]
    for i, cluster in enumerate(clusters):
        mine = np.flatnonzero(asks.cluster == i)
        lengths = ends[span[mine]] - starts[span[mine]]
        owner = np.repeat(mine, lengths)
        period = starts[span[owner]] + within(lengths)
        for g in cluster.origins:
            cell_at[service[cell_group[owner]], g, period] = owner
    return Cells(
        world, stock, goods, asks, spans, terms.team[owners], service, cell_group,
        clusters, cell_at, place_at, entry_at, assortment_of, unmet_scenario,
    )  # fmt: skip


def within(lengths: Ints) -> Ints:
    """0, 1, …, lengths[0]-1, 0, 1, …, lengths[1]-1, …"""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)


@dataclass(frozen=True, eq=False)
class _Terms:
    """Per service: what rules ask of its capacity. Shares that must be left: 0, none."""

    minimum: Ints
    left: dict[Extent, Floats]
    spot_share: Floats
    team: Ints
    stateful: Bools


def _terms(world: World) -> _Terms:
    count = len(world.services)
    index = {service.name: i for i, service in enumerate(world.services)}
    minimum = np.zeros(count, np.int64)
    left = {extent: np.zeros(count) for extent in Extent}
    spot_share = np.ones(count)
    budgeted: dict[str, int] = {}
    for rule in world.rules:
        match rule:
            case MinReplicasRule():
                s = index[rule.service]
                minimum[s] = max(minimum[s], rule.at_least)
            case SpreadRule():
                rows = [index[name] for name in rule.services]
                left[rule.survives][rows] = np.maximum(left[rule.survives][rows], rule.share)
            case SpotShareRule():
                rows = [index[name] for name in rule.services]
                spot_share[rows] = np.minimum(spot_share[rows], rule.at_most)
            case BudgetRule() if rule.team is not None:
                budgeted.setdefault(rule.team, len(budgeted))
            case _:
                pass
    team = np.array([budgeted.get(service.team, -1) for service in world.services], np.int64)
    stateful = np.array([service.stateful for service in world.services], np.bool_)
    return _Terms(minimum, left, spot_share, team, stateful)


def _assortments(candidates: Candidates, terms: _Terms) -> tuple[Ints, Ints]:
    """The assortment of each service, and a service of each assortment."""
    treatment = np.stack(
        [
            candidates.kind_of_service,
            terms.spot_share,
            terms.team,
            terms.left[Extent.ZONE] > 0,
            np.where(terms.stateful, terms.minimum, 0),
        ],
        axis=1,
    )
    _, owners, of = np.unique(treatment, axis=0, return_index=True, return_inverse=True)
    return of.ravel().astype(np.int64), owners.astype(np.int64)


def _spans(world: World, periods: int) -> tuple[tuple[int, int], ...]:
    step = world.policy.count_hours
    short = [(start, min(start + step, periods)) for start in range(0, periods, step)]
    return (*short, (0, periods)) if len(short) > 1 else tuple(short)


@dataclass(frozen=True, eq=False)
class _Drafts:
    """Unsorted cells of one cluster: [cell] and [cell, entry or row]."""

    cluster: int
    service: Ints
    span: Ints
    minimum: Ints
    need: Ints
    peak: Floats
    busy: Floats
    ruled: Floats
    row_busy: Floats
    row_ruled: Floats
    hour_busy: Floats  # [cell, entry · hour]; nothing where one hour or origin says it all
    shares: dict[Extent, Floats]


def _draft(
    world: World,
    demand_rps: Floats,
    outlook: Outlook,
    reach: Bools,
    terms: _Terms,
    spans: tuple[tuple[int, int], ...],
) -> tuple[list[_Drafts], tuple[Cluster, ...]]:
    asked, highest_rps = asked_for(demand_rps, outlook), outlook.highest_rps
    rate = np.array([service.replica.throughput_rps for service in world.services])
    idle = np.asarray(~asked.any(axis=1))
    useful = reach & (asked | idle[:, None])[:, :, None]
    bits = np.packbits(useful.reshape(len(useful), -1), axis=1)
    bits = np.concatenate([bits, idle[:, None].astype(np.uint8)], axis=1)
    _, first, of = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    of = of.ravel()
    last = len(spans) - 1
    clusters: list[Cluster] = []
    drafts: list[_Drafts] = []
    for pattern, example in enumerate(first.tolist()):
        members = np.flatnonzero(of == pattern)
        stays = terms.stateful[members]
        for cluster in find_clusters(useful[example], bool(idle[example])):
            for chosen, which in (
                (members[~stays], range(last if last else 1)),
                (members[stays], (last,)),
            ):
                if len(chosen):
                    busy, ruled = (
                        rps[chosen][:, cluster.origins] / rate[chosen][:, None, None]
                        for rps in (highest_rps, demand_rps)
                    )
                    drafts += [
                        _cut(len(clusters), cluster, chosen, span, busy[..., slice(*spans[span])],
                             ruled[..., slice(*spans[span])], terms, idle[chosen])
                        for span in which
                    ]  # fmt: skip
            clusters.append(cluster)
    return drafts, tuple(clusters)


def _cut(
    number: int,
    cluster: Cluster,
    services: Ints,
    span: int,
    busy: Floats,
    ruled: Floats,
    terms: _Terms,
    idle: Bools,
) -> _Drafts:
    """The cells of some services in one span; ``busy`` [service, origin, hour], in replicas.

    ``ruled``: the same of the demand that rules about losses are about.
    """
    count = len(services)
    together = busy.sum(axis=1)
    hour = together.argmax(axis=1)
    rows, ruled_rows = (
        np.array(
            [of[:, members].sum(axis=1).max(axis=1) for members, _ in cluster.sets], np.float64
        )
        .reshape(len(cluster.sets), count)
        .T
        for of in (busy, ruled)
    )
    stateful = terms.stateful[services]
    minimum = terms.minimum[services]
    return _Drafts(
        number,
        services,
        np.full(count, span),
        np.where(stateful, (idle & (minimum > 0)).astype(np.int64), minimum),
        whole_replicas(together.max(axis=1)).astype(np.int64),
        busy.max(axis=2),
        busy[np.arange(count), :, hour],
        ruled.max(axis=2),
        rows,
        ruled_rows,
        busy.reshape(count, -1) if min(busy.shape[1:]) > 1 else np.zeros((count, 0)),
        {extent: share[services] for extent, share in terms.left.items()},
    )


def _sorted_asks(
    drafts: list[_Drafts], assortment_of: Ints, clusters: tuple[Cluster, ...]
) -> tuple[Asks, Ints, Ints]:
    """Cells by assortment, span, service and cluster, with all that belongs to them."""
    service = np.concatenate([draft.service for draft in drafts])
    span = np.concatenate([draft.span for draft in drafts])
    cluster = np.repeat([draft.cluster for draft in drafts], [len(d.service) for d in drafts])
    assortment = assortment_of[service]
    order = np.lexsort((cluster, service, span, assortment))
    service, span, cluster = service[order], span[order], cluster[order]
    need = np.concatenate([draft.need for draft in drafts])[order]
    minimum = np.concatenate([draft.minimum for draft in drafts])[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (service[1:] != service[:-1]) | (span[1:] != span[:-1])
    starts = np.flatnonzero(new)
    places = np.array([len(c.regions) for c in clusters], np.int64)[cluster]
    entries = np.array([len(c.origins) for c in clusters], np.int64)[cluster]
    rows = np.array([len(c.sets) for c in clusters], np.int64)[cluster]
    atoms = max((len(mask) for c in clusters for _, mask in c.sets), default=1)

    def of_cluster(values: list[Any], lengths: Ints) -> Any:
        """Each cell's own values, which its cluster determines."""
        sizes = np.array([len(one) for one in values], np.int64)
        first = np.cumsum(sizes) - sizes
        joined = np.concatenate(values) if len(values) else np.zeros(0, np.int64)
        return joined[np.repeat(first[cluster], lengths) + within(lengths)]

    def left(extent: Extent) -> Floats:
        return np.concatenate([draft.shares[extent] for draft in drafts])[order]

    row_atoms = [
        np.array([np.pad(mask, (0, atoms - len(mask))) for _, mask in c.sets], np.bool_).reshape(
            -1, atoms
        )
        for c in clusters
    ]
    hours = np.concatenate(
        [np.full(len(d.service), d.hour_busy.shape[1] // max(d.peak.shape[1], 1)) for d in drafts]
    )[order]
    hour_start = _starts(np.repeat(hours, entries))
    asks = Asks(
        np.concatenate([starts, [len(order)]]),
        assortment[order][starts],
        span[starts],
        np.maximum(minimum[starts] - np.add.reduceat(need, starts), 0),
        _starts(places),
        _starts(entries),
        _starts(entries * places),
        need,
        need,
        need,
        np.zeros_like(need),
        left(Extent.ZONE),
        left(Extent.REGION),
        left(Extent.CLOUD),
        cluster,
        of_cluster([c.regions for c in clusters], places),
        _ragged([draft.peak for draft in drafts], order),
        _ragged([draft.busy for draft in drafts], order),
        _ragged([draft.ruled for draft in drafts], order),
        hour_start,
        _ragged([draft.hour_busy for draft in drafts], order),
        of_cluster([c.may.ravel() for c in clusters], entries * places),
        _starts(rows),
        _ragged([draft.row_busy for draft in drafts], order),
        _ragged([draft.row_ruled for draft in drafts], order),
        of_cluster(row_atoms, rows),
        of_cluster([c.atom for c in clusters], places),
        np.zeros(len(order)),
        np.zeros(len(order)),
        np.zeros(len(order) + 1, np.int64),
        np.zeros(0),
        np.zeros(0),
        np.zeros(0),
        np.zeros(len(order) + 1, np.int64),
        np.zeros(0),
    )
    return asks, service[starts], np.cumsum(new) - 1


def _starts(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _ragged(parts: list[Any], order: Ints) -> Any:
    """Rows of tables of different widths, in ``order``, as one array."""
    lengths = np.concatenate([np.full(len(part), part.shape[1]) for part in parts])
    joined = np.concatenate([part.ravel() for part in parts])
    first = np.cumsum(lengths) - lengths
    return joined[np.repeat(first[order], lengths[order]) + within(lengths[order])]


def _stock(
    world: World, candidates: Candidates, owners: Ints, terms: _Terms, asks: Asks
) -> tuple[Stock, Goods]:
    regions = len(world.regions)
    options = candidates.options.dealt(candidates.kind_of_service[owners])
    place = options.service * regions + options.region
    start = np.searchsorted(place, np.arange(len(owners) * regions + 1))
    cell_group = np.repeat(np.arange(len(asks.group_span)), np.diff(asks.group_start))
    share = np.maximum(np.maximum(asks.share_zone, asks.share_region), asks.share_cloud)
    entry_cell = np.repeat(np.arange(len(asks.need)), np.diff(asks.entry_start))
    peak = whole_replicas(np.maximum(asks.peak, asks.ruled))
    apart = np.bincount(entry_cell, peak, len(asks.need)).astype(np.int64)
    wanted = np.maximum(asks.need, apart) + asks.group_extra[cell_group]
    wanted += np.ceil(share * wanted).astype(np.int64) + np.diff(asks.entry_start)
    wanted += np.where(np.diff(asks.entry_start) > 1, np.diff(asks.slot_start), 0)
    # Where others leave demand unmet, one cell may hold all that a minimum asks for.
    wanted = np.maximum(wanted, asks.least_of_group)
    most = np.ones(len(owners), np.int64)
    np.maximum.at(most, asks.group_assortment[cell_group], wanted)
    least = np.where(terms.stateful[owners], terms.minimum[owners], 0)
    most = np.maximum(most, least)
    clouds = np.unique([region.cloud.value for region in world.regions], return_inverse=True)[1]
    stock = Stock(
        start.astype(np.int64),
        np.minimum(options.replicas, most[options.service]),
        options.spot,
        np.array([region.zones for region in world.regions], np.int64),
        clouds.astype(np.int64),
        terms.spot_share[owners],
        most,
        least,
        terms.left[Extent.ZONE][owners] > 0,
    )
    goods = Goods(
        options.offering,
        options.region,
        options.service,
        options.price_usd_per_hour,
        options.cost_usd_per_hour,
        options.vcpus,
        options.spot,
        options.replicas,
    )
    return stock, goods
