"""The columns of the problem: which variables exist, and where they stand.

| column | symbol | meaning |
|---|---|---|
| ``route`` | x[s,g,r,τ] ∈ [0,1] | share of origin g's demand for service s served in region r |
| ``count`` | n[s,o,b] ∈ ℕ | instances of option o that run in block b |
| ``replicas`` | k[s,r,b] ∈ ℕ | replicas of s in r that these hold |
| ``worst_zone`` | z[s,o,b] ∈ ℕ | of n, at most so many in one zone (spread over zones) |
| ``survivors`` | v[s,r,b] ∈ ℕ | replicas left in r after the loss of its worst zone |
| ``open`` | y[s,r] ∈ {0,1} | service s runs in region r (stateful services, bounded places) |
| ``uses`` | u[s,g,r] ∈ {0,1} | traffic of origin g for s may use r (slow workflows) |

A *block* is a run of hours in which a variable keeps its value: ``policy.count_hours`` for counts
and ``policy.route_hours`` for routes of stateless services, the whole horizon for stateful ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.demand import Outlook
from models.rules import Extent, MaxPlacesRule, SpreadRule
from models.world import World
from optimizer.formulate.market import Options
from optimizer.formulate.reach import Distances, Reach
from optimizer.formulate.terms import UnmetTerms
from optimizer.problem import Bools, Draft, Floats, Ints


@dataclass(frozen=True, eq=False)
class Layout:
    """Everything that the rows need to know. Arrays named ``route_*`` and ``option_*`` are
    parallel; ``*_column`` is the first of a run of columns, one per block.
    """

    world: World
    demand_rps: Floats  # [service, origin, period], what rules about losses are about
    outlook: Outlook
    unmet: UnmetTerms
    distances: Distances
    reach: Bools  # [service, origin, region], where there is demand, reach and an option
    options: Options
    option_column: Ints  # of count
    zone_column: Ints  # of worst_zone; -1: the option has none
    replica_column: Ints  # of replicas, [service, region]; -1: none
    survivor_column: Ints  # of survivors, [service, region]; -1: none
    route_service: Ints
    route_origin: Ints
    route_region: Ints
    route_column: Ints
    route_at: Ints  # [service, origin, region] → index into route_*; -1: none
    open_column: Ints  # [service, region]; -1: none
    count_blocks: Ints  # [service]: into how many blocks the horizon falls
    route_blocks: Ints  # [service]
    service_names: Sequence[str]
    origin_names: Sequence[str]
    place_names: Sequence[str]
    period_names: Sequence[str]

    @property
    def periods(self) -> int:
        return int(self.demand_rps.shape[2])

    @property
    def replicas_needed(self) -> Floats:
        """What rules about losses are about, in replicas, [service, origin, period]."""
        needed: Floats = self.demand_rps / self._rate[:, None, None]
        return needed

    @cached_property
    def scenario_replicas(self) -> Floats:
        """Demand in replicas, fractional, [scenario, service, origin, period]."""
        needed: Floats = self.outlook.scenario_rps / self._rate[:, None, None]
        return needed

    def meets_planned(self, service: int) -> bool:
        """Whether the rows about demand alone make capacity meet ``demand_rps``."""
        met = self.outlook.scenario_rps[:, service] >= self.demand_rps[service]
        return bool(self.unmet.at_most[service] == 0 and met.all(axis=(1, 2)).any())

    @cached_property
    def asked(self) -> Bools:
        """[service, origin]: whether there is demand in any hour of any scenario."""
        return asked_for(self.demand_rps, self.outlook)

    @property
    def _rate(self) -> Floats:
        return np.array([service.replica.throughput_rps for service in self.world.services])

    def served_from(self, service: int) -> Ints:
        """Regions that may serve somebody."""
        return np.flatnonzero(self.reach[service].any(axis=0))

    def by_scenario(self, scenario: Ints) -> tuple[tuple[Ints, ...], tuple[Sequence[str], ...]]:
        """Key and labels that tell scenarios apart in names; none where there is only one."""
        names = self.world.policy.scenario_names
        return ((scenario,), (names,)) if len(names) > 1 else ((), ())

    def route_block_of(self, service: int) -> Ints:
        """The route block of every period."""
        return _block_of(
            self.periods, int(self.route_blocks[service]), self.world.policy.route_hours
        )

    def count_block_of(self, service: int) -> Ints:
        """The count block of every period."""
        return _block_of(
            self.periods, int(self.count_blocks[service]), self.world.policy.count_hours
        )

    def block_hours(self, service: int) -> Ints:
        """Hours that each count block lasts."""
        return np.bincount(self.count_block_of(service)).astype(np.int64)

    def peak_per_block(self, service: int, values: Floats) -> Floats:
        """The highest of ``values`` [period] in each count block."""
        starts = np.unique(self.count_block_of(service), return_index=True)[1]
        peaks: Floats = np.maximum.reduceat(values, starts)
        return peaks

    def telling(self, service: int) -> tuple[Ints, Ints]:
        """Scenarios and periods, pair by pair, that tell how much a service needs.

        Where all demand must be met these are the pairs whose demand no other pair of the same
        blocks exceeds for every origin; where some may go unmet, all that have any.
        """
        demand = self.outlook.scenario_rps[:, service].swapaxes(1, 2)
        scenarios, periods = demand.shape[:2]
        demand = demand.reshape(scenarios * periods, -1)
        if self.unmet.at_most[service] > 0:
            found = np.flatnonzero(demand.any(axis=1))
            return found // periods, found % periods
        blocks = self.count_block_of(service) * self.periods + self.route_block_of(service)
        blocks = np.tile(blocks, scenarios)
        same = blocks[:, None] == blocks[None, :]
        covers = same & np.all(demand[:, None, :] >= demand[None, :, :], axis=2)
        number = np.arange(len(blocks))
        covers &= (number[:, None] < number[None, :]) | ~covers.T
        np.fill_diagonal(covers, False)
        found = np.flatnonzero(~covers.any(axis=0))
        return found // periods, found % periods

    def options_of(self, service: int, regions: Ints | None = None) -> Ints:
        """Indices of the service's options, in the given regions only if given."""
        low, high = np.searchsorted(self.options.service, [service, service + 1])
        indices = np.arange(low, high)
        if regions is not None:
            indices = indices[np.isin(self.options.region[low:high], regions)]
        return indices

    def offering_names(self, options: Ints) -> list[str]:
        """Instance type and purchase option of some options."""
        offered = self.world.book.offerings.iloc[self.options.offering[options]]
        types, bought = offered["instance_type"].astype(str), offered["purchase"].astype(str)
        return (types + ":" + bought).tolist()

    def replica_terms(self, service: int, regions: Ints) -> Triplets:
        """Triplets of Σ_r k[s,r,b]: a row per count block."""
        return self._per_block(self.replica_column[service, regions], service)

    def survivor_terms(self, service: int, region: int) -> Triplets:
        """Triplets of v[s,r,b]: a row per count block."""
        return self._per_block(self.survivor_column[service, np.array([region])], service)

    def _per_block(self, first: Ints, service: int) -> Triplets:
        first = first[first >= 0]
        blocks = np.arange(int(self.count_blocks[service]))
        columns = (first[None, :] + blocks[:, None]).ravel()
        return np.repeat(blocks, len(first)), columns, np.ones(len(columns))


Triplets = tuple[Ints, Ints, Floats]
"""Rows, columns and coefficients."""


def asked_for(demand_rps: Floats, outlook: Outlook) -> Bools:
    """[service, origin]: whether there is demand in any hour of any scenario."""
    asked: Bools = np.maximum(demand_rps, outlook.highest_rps).max(axis=2) > 0
    return asked


def lay_out(
    world: World,
    demand_rps: Floats,
    outlook: Outlook,
    distances: Distances,
    reach: Reach,
    options: Options,
) -> tuple[Draft, Layout]:
    """Create every column but those of egress, unmet demand and workflow times, which their rows
    add.
    """
    asked = asked_for(demand_rps, outlook)
    allowed: Bools = reach.allowed & asked[:, :, None]
    useful = np.asarray(allowed.any(axis=1))
    idle = ~asked.any(axis=1)  # nobody asks for it, but its minimum still has to run somewhere
    useful[idle] = reach.allowed[idle].any(axis=1)
    options = options.where(useful[options.service, options.region])

    draft = Draft(world.rules, outlook.probability)
    periods = demand_rps.shape[2]
    stateful = np.array([service.stateful for service in world.services])
    count_blocks = np.where(stateful, 1, -(-periods // world.policy.count_hours))
    route_blocks = np.where(stateful, 1, -(-periods // world.policy.route_hours))
    names = (
        [service.name for service in world.services],
        [origin.name for origin in world.origins],
        [region.place for region in world.regions],
        [f"t{t}" for t in range(periods)],
    )

    route_service, route_origin, route_region = np.nonzero(allowed)
    route_column = _routes(draft, names, route_service, route_origin, route_region, route_blocks)
    route_at = np.full(allowed.shape, -1)
    route_at[route_service, route_origin, route_region] = np.arange(len(route_service))

    option_column = _counts(draft, world, names, options, count_blocks, "count")
    held = np.zeros((len(world.services), len(world.regions)), np.bool_)
    held[options.service, options.region] = True
    zoned = _zoned(world, options)
    zoned_places = np.zeros_like(held)
    zoned_places[options.service[zoned], options.region[zoned]] = True
    zone_column = np.full(len(options), -1)
    if zoned.any():
        zone_column[zoned] = _counts(
            draft, world, names, options.where(zoned), count_blocks, "worst_zone"
        )
    layout = Layout(
        world,
        demand_rps,
        outlook,
        UnmetTerms.of(world),
        distances,
        allowed,
        options,
        option_column,
        zone_column,
        _by_place(draft, names, held, count_blocks, "replicas"),
        _by_place(draft, names, zoned_places, count_blocks, "survivors"),
        route_service,
        route_origin,
        route_region,
        route_column,
        route_at,
        _opens(draft, world, names, useful),
        count_blocks,
        route_blocks,
        *names,
    )
    hours = [layout.block_hours(s) for s in range(len(world.services))]
    option, block = runs(np.arange(len(options)), count_blocks[options.service])
    block_hours = np.concatenate([np.zeros(0), *(hours[s] for s in options.service)])
    draft.add_cost(
        option_column[option] + block,
        options.price_usd_per_hour[option] * block_hours,
        service=options.service[option],
        region=options.region[option],
    )
    if options.carbon_usd_per_hour.any():
        draft.add_cost(
            option_column[option] + block,
            options.carbon_usd_per_hour[option] * block_hours,
            service=options.service[option],
            region=options.region[option],
            paid=False,
        )
    return draft, layout


def _block_of(periods: int, blocks: int, hours: int) -> Ints:
    if blocks == 1:
        return np.zeros(periods, np.int64)
    return np.arange(periods) // hours


def runs(owners: Ints, blocks: Ints) -> tuple[Ints, Ints]:
    """Every (owner, block): owner i ``blocks[i]`` times, with 0, 1, …, ``blocks[i]`` - 1."""
    return np.repeat(owners, blocks), _within(blocks)


def _within(blocks: Ints) -> Ints:
    """0, 1, …, blocks[0]-1, 0, 1, …, blocks[1]-1, …"""
    ends = np.cumsum(blocks)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - blocks, blocks)


Names = tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]]


def _routes(
    draft: Draft, names: Names, service: Ints, origin: Ints, region: Ints, route_blocks: Ints
) -> Ints:
    blocks = route_blocks[service]
    owner, block = runs(np.arange(len(service)), blocks)
    columns = draft.add_columns(
        "route",
        "share",
        (service[owner], origin[owner], region[owner], block),
        (*names[:3], [f"b{b}" for b in range(int(route_blocks.max(initial=0)))]),
        upper=1.0,
    )
    return _firsts(columns, blocks)


def _counts(
    draft: Draft, world: World, names: Names, options: Options, count_blocks: Ints, family: str
) -> Ints:
    blocks = count_blocks[options.service]
    owner, block = runs(np.arange(len(options)), blocks)
    book = world.book.offerings
    rows, row_of = np.unique(options.offering, return_inverse=True)
    offered = book.iloc[rows]
    labels = (offered["instance_type"].astype(str) + ":" + offered["purchase"].astype(str)).tolist()
    columns = draft.add_columns(
        family,
        "instances",
        (options.service[owner], options.region[owner], row_of[owner], block),
        (names[0], names[2], labels, names[3]),
        integer=True,
    )
    return _firsts(columns, blocks)


def _by_place(draft: Draft, names: Names, where: Bools, count_blocks: Ints, family: str) -> Ints:
    """A column per service, region and block; the first of each run, [service, region]."""
    service, region = np.nonzero(where)
    blocks = count_blocks[service]
    owner, block = runs(np.arange(len(service)), blocks)
    columns = draft.add_columns(
        family,
        "replicas",
        (service[owner], region[owner], block),
        (names[0], names[2], names[3]),
        integer=True,
    )
    first = np.full(where.shape, -1)
    first[service, region] = _firsts(columns, blocks)
    return first


def _firsts(columns: Ints, blocks: Ints) -> Ints:
    ends = np.cumsum(blocks)
    return columns[ends - blocks] if len(columns) else np.zeros(len(blocks), np.int64)


def _zoned(world: World, options: Options) -> Bools:
    """Options whose loss of a zone must be counted (more than one zone, and a rule asks)."""
    asked = {
        name
        for rule in world.rules
        if isinstance(rule, SpreadRule) and rule.survives is Extent.ZONE
        for name in rule.services
    }
    services = np.array([service.name in asked for service in world.services], np.bool_)
    zones = np.array([region.zones for region in world.regions])
    zoned: Bools = services[options.service] & (zones[options.region] > 1)
    return zoned


def _opens(draft: Draft, world: World, names: Names, useful: Bools) -> Ints:
    bounded = {rule.service for rule in world.rules if isinstance(rule, MaxPlacesRule)}
    needed = np.array(
        [service.stateful or service.name in bounded for service in world.services], np.bool_
    )
    service, region = np.nonzero(useful & needed[:, None])
    column = np.full(useful.shape, -1)
    column[service, region] = draft.add_columns(
        "open", "yes or no", (service, region), (names[0], names[2]), upper=1.0, integer=True
    )
    return column
