"""All that the solver sees at an instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.changes import FREE_CHANGES, ChangeCosts
from models.commitments import Commitment
from models.demand import History
from models.egress import EgressPrices
from models.errors import Location
from models.events import DemandEvent
from models.fleet import Fleet
from models.latency import RoundTrips
from models.offerings import PriceBook, Purchase
from models.places import Region
from models.risk import CvarPolicy
from models.rules import Rule
from models.services import Dependency, Origin, Service, Workflow

HOURS_PER_MONTH = 730.0  # 8,760 / 12, as the clouds' own calculators count


@dataclass(frozen=True, slots=True)
class DemandScenario:
    """Every series at the same quantile of its forecast: all are high at once, or low at once."""

    quantile: float
    probability: float


@dataclass(frozen=True, slots=True)
class Policy:
    """How decisions are made."""

    horizon_hours: int = 24
    demand_quantile: float = 0.9
    """Capacity is planned for this quantile of forecast demand."""
    headroom: float = 0.9
    """Share of an instance's vCPUs and memory that replicas may use, in (0, 1]."""
    count_hours: int = 1
    """Sizes stay the same for blocks of this many hours (1: they may change every hour)."""
    route_hours: int = 1
    """Routes stay the same for blocks of this many hours (1: they may change every hour)."""
    purchases: frozenset[Purchase] = frozenset({Purchase.ON_DEMAND, Purchase.SPOT})
    burstable: bool = False
    """Whether instance types that live on CPU credits may be used, at their baseline."""
    minimum_run_hours: int = 1
    """An instance that starts in the plan runs at least this long, or to the plan's end."""
    changes: ChangeCosts = FREE_CHANGES
    """What it costs to leave today's fleet, and what a change must save."""
    gap_target: float = 1e-3
    """Stop when (cost - bound) / cost is proven to be at most this."""
    time_limit_s: float = 60.0
    carbon_usd_per_tonne: float = 0.0
    """What a tonne of CO2e counts in the decision, beside what is paid (0: nothing)."""
    demand_scenarios: tuple[DemandScenario, ...] = ()
    """What demand may be; empty: the one quantile above, for sure. With scenarios, the quantile
    above is the demand that rules about losses are about."""
    unmet_at_most: float = 0.0
    """Share of a service's demand that may go unmet in an hour; services may have their own."""
    unmet_usd_per_million_requests: float = 0.0
    """What a million unserved requests count in the decision; services may have their own."""

    unserved_share: float = 0.001
    """Share of a service's requests that may go unserved in the long run: what rolling plans hedge
    for."""
    cvar: CvarPolicy | None = None
    """How much the dearest demand scenarios weigh; None: by their probability alone."""

    @property
    def scenario_names(self) -> tuple[str, ...]:
        """``q0.9`` for demand at its 0.9 quantile."""
        if not self.demand_scenarios:
            return (f"q{self.demand_quantile:g}",)
        return tuple(f"q{scenario.quantile:g}" for scenario in self.demand_scenarios)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The facts that worlds are written against: regions, prices, latency, egress."""

    regions: dict[str, Region]
    book: PriceBook
    egress: EgressPrices
    round_trips: RoundTrips = field(default_factory=RoundTrips)


@dataclass(frozen=True, eq=False)
class World:
    """Services, users, rules, prices and places at an instant.

    ``regions`` are the candidate places, sorted; ``starts`` is the first hour to plan, the one
    that follows the end of ``history``.
    """

    name: str
    description: str
    at: Location
    starts: datetime
    services: tuple[Service, ...]
    origins: tuple[Origin, ...]
    dependencies: tuple[Dependency, ...]
    workflows: tuple[Workflow, ...]
    rules: tuple[Rule, ...]
    policy: Policy
    fleet: Fleet
    history: History
    regions: tuple[Region, ...]
    book: PriceBook
    egress: EgressPrices
    round_trips: RoundTrips
    demand_factors: tuple[DemandFactor, ...] = ()
    """What a what-if does to forecast demand, applied in order after the forecast."""
    commitments: tuple[Commitment, ...] = ()
    """Discount contracts that are owned, or on offer."""
    events: tuple[DemandEvent, ...] = ()
    """What is known to move demand, past and to come."""

    @property
    def counts_besides(self) -> str:
        """What the decision counts beside what is paid, in words; empty when that is nothing."""
        policy = self.policy
        shares = [
            policy.unmet_at_most if s.unmet_at_most is None else s.unmet_at_most
            for s in self.services
        ]
        counted = {
            "carbon": policy.carbon_usd_per_tonne > 0,
            "unmet demand": max(shares) > 0,
            "the risk of dear scenarios": policy.cvar is not None and policy.cvar.weight > 0,
        }
        return " and ".join(name for name, counts in counted.items() if counts)

    @cached_property
    def service_index(self) -> Mapping[str, int]:
        """Where each service stands in ``services``, by name."""
        return {service.name: s for s, service in enumerate(self.services)}

    @cached_property
    def region_of_offerings(self) -> NDArray[np.int64]:
        """[row of the price book]: its index in ``regions``; -1 where it is no candidate."""
        book = self.book.offerings
        index = {region.place: r for r, region in enumerate(self.regions)}
        place = book["cloud"].astype(str) + "/" + book["region"].astype(str)
        return place.map(index).fillna(-1).to_numpy(np.int64).astype(np.int64)

    def keeping(self, rules: tuple[Rule, ...]) -> World:
        """The same world under other rules."""
        return replace(self, rules=rules)


@dataclass(frozen=True, slots=True)
class DemandFactor:
    """Forecast direct demand times ``factor``, for some services, origins and periods.

    Empty ``services`` or ``origins`` mean all; periods ``first_hour`` (inclusive) to ``last_hour``
    (exclusive, None: the end) counted from the start of the plan.
    """

    factor: float
    services: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    first_hour: int = 0
    last_hour: int | None = None
