"""Columns, rows and cost of data that leaves a region.

To users: every response to a direct request leaves for the internet, so the cost stands on the
route itself.

Between services: calls of ``a`` to ``b`` for one origin leave a's places in a's shares and reach
b's places in b's shares; calls stay as near as these shares allow. With prices that depend on the
leaving region and on *how far* the data goes (same region, same continent, same cloud, beyond:
nested, never cheaper farther out), the cheapest matching needs no variable per pair of places.
Per region and level ℓ it is enough to know how much of a's share goes out, and of b's share comes
in, over exactly ℓ:

    k[r]  stays in r;   f_ℓ[r] leaves r, h_ℓ[r] arrives in r, at level ℓ
    k + Σ_ℓ f_ℓ ≤ x_a[r],   k + Σ_ℓ h_ℓ ≤ x_b[r],   Σ_{r∈group} f_ℓ = Σ_{r∈group} h_ℓ

What is left over goes beyond the cloud. Any pairing inside a group is possible and none is
dearer, so the optimum of this is that of the full transport problem, with 5 columns per region
instead of one per pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.egress import GB_PER_KIB, SECONDS_PER_HOUR
from models.services import Dependency
from models.world import World
from optimizer.formulate.layout import Layout
from optimizer.problem import Bools, Draft, Floats, Ints


def price_levels(world: World) -> Floats:
    """USD per GB that leaves a region [region, level]: 0 same continent, 1 same cloud, 2 beyond."""
    prices = [world.egress[region.place] for region in world.regions]
    return np.array(
        [
            (p.same_continent_usd_per_gb, p.same_cloud_usd_per_gb, p.internet_usd_per_gb)
            for p in prices
        ]
    ).reshape(len(prices), 3)


def groups(world: World) -> tuple[Ints, Ints]:
    """Per region: its group at level 0 (cloud and continent) and at level 1 (cloud)."""
    clouds = [region.cloud.value for region in world.regions]
    continents = [f"{region.cloud.value}/{region.continent}" for region in world.regions]
    return (
        np.unique(continents, return_inverse=True)[1].astype(np.int64),
        np.unique(clouds, return_inverse=True)[1].astype(np.int64),
    )


def to_users(draft: Draft, layout: Layout) -> None:
    """Cost of responses to users, on the routes."""
    direct_rps = layout.outlook.direct_rps
    internet = price_levels(layout.world)[:, 2]
    kib = np.array([service.response_kib for service in layout.world.services])
    for i in np.flatnonzero(kib[layout.route_service] > 0):
        s, g, r = layout.route_service[i], layout.route_origin[i], layout.route_region[i]
        gb = direct_rps[:, s, g] * SECONDS_PER_HOUR * kib[s] * GB_PER_KIB
        per_block = _by_block(gb, layout.route_block_of(s))
        columns = layout.route_column[i] + np.arange(per_block.shape[1])
        draft.add_uncertain_cost(columns, per_block * internet[r], service=s, region=r)


def _by_block(gb: Floats, block: Ints) -> Floats:
    """[scenario, period] summed to [scenario, block]."""
    return np.stack([np.bincount(block, weights=row) for row in gb]).astype(np.float64)


def between_services(draft: Draft, layout: Layout) -> tuple[Calls, ...]:
    """Columns, rows and cost of every dependency that moves data."""
    edges = []
    for number, dependency in enumerate(layout.world.dependencies):
        if dependency.request_kib > 0 or dependency.response_kib > 0:
            for g in range(len(layout.origin_names)):
                edge = _one_edge(draft, layout, number, dependency, g)
                if edge is not None:
                    edges.append(edge)
    return tuple(edges)


def _one_edge(draft: Draft, layout: Layout, number: int, edge: Dependency, g: int) -> Calls | None:
    a = layout.service_names.index(edge.caller)
    b = layout.service_names.index(edge.callee)
    calls = (
        layout.outlook.scenario_rps[:, a, g]
        * edge.calls_per_request
        * SECONDS_PER_HOUR
        * GB_PER_KIB
    )
    if not calls.any() or not layout.reach[a, g].any() or not layout.reach[b, g].any():
        return None
    # Caller and callee may change their routes at different times: follow the finer blocks.
    finer = a if layout.route_blocks[a] >= layout.route_blocks[b] else b
    blocks = layout.route_block_of(finer)
    first_of = np.unique(blocks, return_index=True)[1]
    calls_gb = _by_block(calls, blocks)
    columns = _EdgeColumns(draft, layout, f"{number}", a, b, g, first_of)
    columns.add_rows()
    columns.add_cost(calls_gb * edge.request_kib, calls_gb * edge.response_kib)
    return columns.as_calls(calls_gb * edge.request_kib, calls_gb * edge.response_kib)


@dataclass(frozen=True, eq=False)
class End:
    """One end of the calls: caller or callee. Columns have shape [region, block]; -1: none.

    ``levels`` are the columns of data that leaves at level 0 and 1; ``gb`` [scenario, block] leaves
    in all.
    """

    service: int
    gb: Floats
    route: Ints
    levels: tuple[Ints, ...]


@dataclass(frozen=True, eq=False)
class Calls:
    """Where the calls of one dependency for one origin stand among the columns."""

    stays: Ints
    ends: tuple[End, End]


class _EdgeColumns:
    """The columns k, f_ℓ, h_ℓ of one dependency and origin, by region and block."""

    def __init__(
        self, draft: Draft, layout: Layout, edge: str, a: int, b: int, g: int, first_of: Ints
    ) -> None:
        self.draft, self.layout = draft, layout
        self.a, self.b, self.g = a, b, g
        self.first_of = first_of
        self.labels = ([f"{layout.service_names[a]}>{layout.service_names[b]}#{edge}"],)
        leaves, arrives = layout.reach[a, g], layout.reach[b, g]
        self.stays = self._add("stays", np.flatnonzero(leaves & arrives))
        self.out: list[Ints] = []
        self.into: list[Ints] = []
        for level, group in enumerate(groups(layout.world)):
            out, into = _worthwhile(leaves, arrives, group)
            self.out.append(self._add(f"leaves_{level}", out))
            self.into.append(self._add(f"arrives_{level}", into))

    def _add(self, name: str, regions: Ints) -> Ints:
        """Columns [region, block]; -1 where there is none."""
        blocks = len(self.first_of)
        columns = np.full((len(self.layout.place_names), blocks), -1)
        if len(regions):
            columns[regions] = self.draft.add_columns(
                f"calls_{name}",
                "share",
                (
                    np.zeros(len(regions) * blocks, np.int64),
                    np.full(len(regions) * blocks, self.g),
                    np.repeat(regions, blocks),
                    np.tile(np.arange(blocks), len(regions)),
                ),
                (
                    *self.labels,
                    self.layout.origin_names,
                    self.layout.place_names,
                    [f"b{i}" for i in range(blocks)],
                ),
                upper=1.0,
            ).reshape(len(regions), blocks)
        return columns

    def _route(self, service: int, region: int) -> Ints:
        """Route columns of every block."""
        index = self.layout.route_at[service, self.g, region]
        first: int = self.layout.route_column[index]
        return first + self.layout.route_block_of(service)[self.first_of]

    def add_rows(self) -> None:
        blocks = np.arange(len(self.first_of))
        ends = (("calls_leave", self.a, self.out), ("calls_arrive", self.b, self.into))
        for name, service, levels in ends:
            for r in np.flatnonzero(self.layout.reach[service, self.g]).tolist():
                used = [columns[r] for columns in (self.stays, *levels) if columns[r, 0] >= 0]
                if used:
                    terms = [(blocks, columns, np.ones(len(blocks))) for columns in used]
                    terms.append((blocks, self._route(service, r), np.full(len(blocks), -1.0)))
                    self._rows(name, self.layout.place_names[r], terms, -np.inf)
        for level, group in enumerate(groups(self.layout.world)):
            for number in np.unique(group):
                out = self.out[level][(group == number) & (self.out[level][:, 0] >= 0)]
                into = self.into[level][(group == number) & (self.into[level][:, 0] >= 0)]
                if len(out):
                    terms = [
                        *((blocks, columns, np.ones(len(blocks))) for columns in out),
                        *((blocks, columns, np.full(len(blocks), -1.0)) for columns in into),
                    ]
                    self._rows(f"calls_balance_{level}", f"group{number}", terms, 0.0)

    def _rows(
        self, name: str, where: str, terms: list[tuple[Ints, Ints, Floats]], lower: float
    ) -> None:
        blocks = np.arange(len(self.first_of))
        self.draft.add_rows(
            name,
            "share",
            (blocks * 0, blocks * 0 + self.g, blocks * 0, blocks),
            (*self.labels, self.layout.origin_names, [where], [f"b{i}" for i in blocks]),
            terms,
            lower=lower,
            upper=0.0,
        )

    def add_cost(self, request_gb: Floats, response_gb: Floats) -> None:
        """Beyond-the-cloud prices on the routes, less what nearer calls save."""
        prices = price_levels(self.layout.world)
        for r in range(len(prices)):
            ends = ((self.a, request_gb, self.out), (self.b, response_gb, self.into))
            for service, gb, levels in ends:
                if self.layout.reach[service, self.g, r]:
                    self._pay(self._route(service, r), gb * prices[r, 2], service, r)
                for level, columns in enumerate(levels):
                    if columns[r, 0] >= 0:
                        saved = gb * (prices[r, level] - prices[r, 2])
                        self._pay(columns[r], saved, service, r)
                if self.stays[r, 0] >= 0:
                    self._pay(self.stays[r], -gb * prices[r, 2], service, r)

    def _pay(self, columns: Ints, usd: Floats, service: int, region: int) -> None:
        self.draft.add_uncertain_cost(columns, usd, service=service, region=region)

    def as_calls(self, request_gb: Floats, response_gb: Floats) -> Calls:
        return Calls(
            self.stays,
            (
                End(self.a, request_gb, self._routes(self.a), tuple(self.out)),
                End(self.b, response_gb, self._routes(self.b), tuple(self.into)),
            ),
        )

    def _routes(self, service: int) -> Ints:
        columns = np.full((len(self.layout.place_names), len(self.first_of)), -1)
        for r in np.flatnonzero(self.layout.reach[service, self.g]).tolist():
            columns[r] = self._route(service, r)
        return columns


def _worthwhile(leaves: Bools, arrives: Bools, group: Ints) -> tuple[Ints, Ints]:
    """Regions that may send, or receive, over a level: their group holds another counterpart."""
    out, into = [], []
    for number in np.unique(group):
        inside = group == number
        senders = np.flatnonzero(inside & leaves)
        receivers = np.flatnonzero(inside & arrives)
        if len(np.union1d(senders, receivers)) > 1 and len(senders) and len(receivers):
            out.append(senders)
            into.append(receivers)
    none = np.zeros(0, np.int64)
    return np.concatenate([none, *out]), np.concatenate([none, *into])
