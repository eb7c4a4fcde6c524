"""What the current fleet costs if it simply stays, and which rules it does not keep.

Nothing here is shared with the formulation: the two sides of "before and after" are computed
apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import numpy as np
import pandas as pd

from models.capacity import replicas_per_instance
from models.egress import GB_PER_KIB, SECONDS_PER_HOUR
from models.fleet import Group
from models.interruptions import chance_of_outage, per_month_of, pools_at_once
from models.offerings import MONTHLY_INTERRUPTION, Purchase
from models.placement import CENT_OF_A_CENT, Bill, BillLine, ShadowLine, Term
from models.places import Region
from models.plan import BrokenRule, Today
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    Extent,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    ResidencyRule,
    Rule,
    SpotRiskRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from models.world import HOURS_PER_MONTH, World
from optimizer.emissions import carbon_lines
from optimizer.problem import Floats, Ints


def look_at_today(world: World, demand_rps: Floats, direct_rps: Floats) -> Today:
    """Price and check the current fleet against the demand that the plan is made for.

    ``demand_rps`` and ``direct_rps`` have shape [service, origin, period].
    """
    fleet = _Fleet(world)
    bill = Bill(
        demand_rps.shape[2],
        (
            *fleet.compute_lines(demand_rps.shape[2]),
            *_egress_lines(fleet, demand_rps, direct_rps),
        ),
        fleet.carbon_lines(demand_rps.shape[2]),
    )
    broken = tuple(
        BrokenRule(rule, how)
        for rule in world.rules
        if (how := _how_broken(rule, fleet, demand_rps, bill)) is not None
    )
    return Today(bill, fleet.capacity_rps(), fleet.unpriced, broken)


class _Fleet:
    """The groups of the current fleet with their prices and sizes, as arrays over groups."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.regions = {region.place: region for region in world.regions}
        book = world.book.offerings
        keys = ["cloud", "region", "instance_type", "purchase"]
        rows = pd.Series(np.arange(len(book)), pd.MultiIndex.from_frame(book[keys].astype(str)))
        wanted = [
            (*g.place.split("/", 1), g.instance_type, g.purchase.value) for g in world.fleet.groups
        ]
        row = np.zeros(0)
        if wanted:
            found = rows.reindex(pd.MultiIndex.from_tuples(wanted, names=keys))
            row = found.to_numpy(np.float64)
        known = ~np.isnan(row)
        self.groups = tuple(g for g, k in zip(world.fleet.groups, known, strict=True) if k)
        self.unpriced = tuple(g for g, k in zip(world.fleet.groups, known, strict=True) if not k)
        self.offered = book.iloc[row[known].astype(np.int64)]
        services = {service.name: s for s, service in enumerate(world.services)}
        self.service = np.array([services[g.service] for g in self.groups], np.int64)
        self.replicas = self._replicas()

    def _replicas(self) -> Ints:
        """Whole replicas that each group holds; at least one per instance, since it does run."""
        replicas = np.zeros(len(self.groups), np.int64)
        for s in np.unique(self.service):
            own = self.service == s
            replica = self.world.services[s].replica
            fits = replicas_per_instance(replica, self.offered[own], self.world.policy.headroom)
            replicas[own] = np.maximum(fits, 1) * [g.count for g in self._chosen(own)]
        return replicas

    def _chosen(self, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Group]:
        return [g for g, k in zip(self.groups, mask, strict=True) if k]

    def capacity_rps(self) -> Floats:
        """[service]"""
        rate = np.array([s.replica.throughput_rps for s in self.world.services])
        held = np.bincount(self.service, self.replicas, minlength=len(rate))
        capacity: Floats = held * rate
        return capacity

    def of(self, service: str) -> list[tuple[Group, Region, int]]:
        """Groups of a service whose size is known, with their regions and replicas."""
        return [
            (g, self.regions[g.place], int(k))
            for g, k in zip(self.groups, self.replicas, strict=True)
            if g.service == service
        ]

    def places_of(self, service: str) -> set[str]:
        """Every place that runs the service, also where the size of what runs is not known."""
        return {g.place for g in self.world.fleet.groups if g.service == service}

    def is_known(self, service: str) -> bool:
        """Whether the size of everything that runs the service is known."""
        return all(g.service != service for g in self.unpriced)

    def compute_lines(self, hours: int) -> Iterator[BillLine]:
        prices = self.offered["price_usd_per_hour"].tolist()
        for group, price in zip(self.groups, prices, strict=True):
            usd = Decimal(repr(float(price))) * group.count * hours
            cloud = group.place.split("/", 1)[0]
            yield BillLine(
                Term.COMPUTE, cloud, group.place, group.service, group.purchase.value, usd
            )

    def carbon_lines(self, hours: int) -> tuple[ShadowLine, ...]:
        services = [group.service for group in self.groups]
        instance_hours = np.array([group.count * hours for group in self.groups], np.float64)
        return carbon_lines(self.world, self.offered, services, instance_hours)


def _nearest_places(fleet: _Fleet) -> dict[tuple[str, str], str]:
    """(service, origin) → the place from which the service answers fastest."""
    world = fleet.world
    origins = {origin.name: origin.coordinates for origin in world.origins}
    places = {region.place: region.coordinates for region in world.regions}
    rtt = world.round_trips.between(origins, places)
    nearest = {}
    for service in world.services:
        runs = fleet.places_of(service.name)
        columns = [i for i, region in enumerate(world.regions) if region.place in runs]
        if columns:
            for g, origin in enumerate(world.origins):
                best = columns[int(np.argmin(rtt[g, columns]))]
                nearest[service.name, origin.name] = world.regions[best].place
    return nearest


def _egress_lines(fleet: _Fleet, demand_rps: Floats, direct_rps: Floats) -> Iterator[BillLine]:
    """Users reach the nearest place; so do their calls, each service at its own nearest place."""
    world = fleet.world
    at = _nearest_places(fleet)
    usd: dict[tuple[Term, str, str], float] = {}

    def leaves(service: str, place: str, to: str | None, gb: float) -> None:
        if place == to or gb == 0:
            return
        term, price = _price(fleet, place, to)
        key = (term, place, service)
        usd[key] = usd.get(key, 0.0) + gb * price

    volume = SECONDS_PER_HOUR * GB_PER_KIB
    for s, service in enumerate(world.services):
        for g, origin in enumerate(world.origins):
            if place := at.get((service.name, origin.name)):
                gb = float(direct_rps[s, g].sum()) * volume * service.response_kib
                leaves(service.name, place, None, gb)
    rows = {service.name: s for s, service in enumerate(world.services)}
    for edge in world.dependencies:
        for g, origin in enumerate(world.origins):
            here = at.get((edge.caller, origin.name))
            there = at.get((edge.callee, origin.name))
            if here and there:
                calls = demand_rps[rows[edge.caller], g].sum() * edge.calls_per_request * volume
                leaves(edge.caller, here, there, float(calls) * edge.request_kib)
                leaves(edge.callee, there, here, float(calls) * edge.response_kib)
    for (term, place, name), amount in sorted(usd.items()):
        exact = Decimal(repr(amount)).quantize(CENT_OF_A_CENT)
        yield BillLine(term, place.split("/", 1)[0], place, name, "", exact)


def _price(fleet: _Fleet, place: str, to: str | None) -> tuple[Term, float]:
    price = fleet.world.egress[place]
    here = fleet.regions[place]
    there = fleet.regions[to] if to else None
    if there is None or there.cloud is not here.cloud:
        return Term.EGRESS_INTERNET, price.internet_usd_per_gb
    if there.continent != here.continent:
        return Term.EGRESS_INTER_REGION, price.same_cloud_usd_per_gb
    return Term.EGRESS_INTER_REGION, price.same_continent_usd_per_gb


def _how_broken(rule: Rule, fleet: _Fleet, demand_rps: Floats, bill: Bill) -> str | None:
    """How today's fleet breaks a rule, in words; None when it keeps it."""
    match rule:
        case ResidencyRule():
            return _wrong_places(
                rule.services,
                fleet,
                lambda r: bool(r.jurisdictions & rule.jurisdictions),
                rule.origins,
            )
        case CertificationRule():
            return _wrong_places(
                rule.services, fleet, lambda r: rule.certificates <= r.certifications
            )
        case AllowedPlacesRule():
            return _wrong_places(
                rule.services,
                fleet,
                lambda r: (
                    (rule.allow is None or rule.allow.holds(r))
                    and not (rule.forbid is not None and rule.forbid.holds(r))
                ),
            )
        case LatencyRule() | WorkflowRule():
            return _too_slow(rule, fleet)
        case MinReplicasRule():
            held = sum(replicas for _, _, replicas in fleet.of(rule.service))
            short = held < rule.at_least and fleet.is_known(rule.service)
            return f"runs {held}" if short else None
        case MaxPlacesRule():
            places = fleet.places_of(rule.service)
            return f"runs in {len(places)} places" if len(places) > rule.at_most else None
        case SpreadRule():
            return _not_spread(rule, fleet, demand_rps)
        case SpotShareRule():
            return _too_much_spot(rule, fleet)
        case SpotRiskRule():
            return _too_few_pools(rule, fleet, demand_rps)
        case QuotaRule():
            return _beyond_quota(rule, fleet)
        case BudgetRule():
            return _over_budget(rule, fleet, bill)


def _wrong_places(
    services: tuple[str, ...],
    fleet: _Fleet,
    fine: Callable[[Region], bool],
    origins: tuple[str, ...] = (),
) -> str | None:
    if origins:  # only these users' traffic is bound, and it goes to the nearest place
        at = _nearest_places(fleet)
        used = {(s, at[s, o]) for s in services for o in origins if (s, o) in at}
    else:
        used = {(s, place) for s in services for place in fleet.places_of(s)}
    wrong = sorted((s, p) for s, p in used if not fine(fleet.regions[p]))
    return _listed([f"{s} runs in {p}" for s, p in wrong])


def _too_slow(rule: LatencyRule | WorkflowRule, fleet: _Fleet) -> str | None:
    world = fleet.world
    at = _nearest_places(fleet)
    places = {region.place: region.coordinates for region in world.regions}
    users = {origin.name: origin.coordinates for origin in world.origins}
    trips = world.round_trips.between({**users, **places}, {**users, **places})
    index = {name: i for i, name in enumerate([*users, *places])}
    own = {s.name: s.replica.service_time_ms for s in world.services}

    def takes_ms(origin: str) -> float | None:
        if isinstance(rule, LatencyRule):
            place = at.get((rule.service, origin))
            return None if place is None else trips[index[origin], index[place]] + own[rule.service]
        workflow = next(w for w in world.workflows if w.name == rule.workflow)
        if any((step.service, origin) not in at for step in workflow.steps):
            return None
        ends: dict[str, float] = {}
        for step in workflow.in_order():
            here = index[at[step.service, origin]]
            starts = [
                ends[before] + trips[index[at[before, origin]], here] for before in step.after
            ] or [trips[index[origin], here]]
            ends[step.service] = max(starts) + own[step.service]
        return max(ends.values())

    if isinstance(rule, LatencyRule):
        bound = rule.origins
    else:
        bound = next(w.origins for w in world.workflows if w.name == rule.workflow)
    slow = []
    for origin in bound or tuple(o.name for o in world.origins):
        ms = takes_ms(origin)
        if ms is not None and ms > rule.within_ms:
            slow.append(f"takes {ms:.0f} ms for users of {origin}")
    return _listed(slow)


def _not_spread(rule: SpreadRule, fleet: _Fleet, demand_rps: Floats) -> str | None:
    world = fleet.world
    short = []
    for s, service in enumerate(world.services):
        if service.name not in rule.services or not fleet.is_known(service.name):
            continue
        needed = rule.share * demand_rps[s].sum(axis=0).max()
        held = fleet.of(service.name)
        total = sum(replicas for _, _, replicas in held)
        lost: dict[str, float] = {}
        for group, region, replicas in held:
            name, gone = _lost_with(rule.survives, region, group, replicas)
            lost[name] = lost.get(name, 0.0) + gone
        if not lost:
            continue
        worst = max(lost, key=lambda name: lost[name])
        left = (total - lost[worst]) * service.replica.throughput_rps
        if left < needed * (1 - 1e-9):
            short.append(
                f"{service.name} keeps {left / needed * rule.share:.0%} of demand without {worst}"
            )
    return _listed(short)


def _lost_with(extent: Extent, region: Region, group: Group, replicas: int) -> tuple[str, float]:
    """What is lost, and how many replicas of the group go with it."""
    if extent is Extent.CLOUD:
        return region.cloud.value, replicas
    if extent is Extent.REGION or region.zones == 1:
        return region.place, replicas
    worst_zone = -(-group.count // region.zones)  # instances stand evenly in the zones
    return f"a zone of {region.place}", replicas * worst_zone / group.count


def _too_much_spot(rule: SpotShareRule, fleet: _Fleet) -> str | None:
    beyond = []
    for name in rule.services:
        total: dict[str, int] = {}
        spot: dict[str, int] = {}
        for group, _, replicas in fleet.of(name):
            total[group.place] = total.get(group.place, 0) + replicas
            if group.purchase is Purchase.SPOT:
                spot[group.place] = spot.get(group.place, 0) + replicas
        beyond += [
            f"{name} runs {held / total[place]:.0%} on spot in {place}"
            for place, held in sorted(spot.items())
            if held > rule.at_most * total[place]
        ]
    return _listed(beyond)


def _too_few_pools(rule: SpotRiskRule, fleet: _Fleet, demand_rps: Floats) -> str | None:
    """Whether the loss of as many pools as may go at once, the largest, leaves too little."""
    families = fleet.offered["family"].astype(str).tolist()
    told = [np.nan] * len(families)
    if MONTHLY_INTERRUPTION in fleet.offered:
        told = fleet.offered[MONTHLY_INTERRUPTION].tolist()
    short = []
    for s, service in enumerate(fleet.world.services):
        if service.name not in rule.services or not fleet.is_known(service.name):
            continue
        total, pools, often = 0, dict[tuple[str, str], int](), dict[tuple[str, str], float]()
        for group, held, family, monthly in zip(
            fleet.groups, fleet.replicas.tolist(), families, told, strict=True
        ):
            if group.service == service.name:
                total += held
                if group.purchase is Purchase.SPOT:
                    pool = (group.place, family)
                    known = None if np.isnan(monthly) else per_month_of(monthly)
                    rate = rule.per_month(fleet.regions[group.place], family, known)
                    pools[pool] = pools.get(pool, 0) + held
                    often[pool] = max(often.get(pool, 0.0), rate)
        chances = np.array([chance_of_outage(often[p], rule.outage_hours) for p in pools])
        at_once = pools_at_once(chances, rule.chance_at_most)
        lost = sum(sorted(pools.values(), reverse=True)[:at_once])
        needed = rule.share * demand_rps[s].sum(axis=0).max()
        left = (total - lost) * service.replica.throughput_rps
        if lost and left < needed * (1 - 1e-9):
            short.append(
                f"{service.name} keeps {left / needed * rule.share:.0%} of demand without "
                f"{at_once} of its {len(pools)} spot pools"
            )
    return _listed(short)


def _beyond_quota(rule: QuotaRule, fleet: _Fleet) -> str | None:
    vcpus: dict[str, float] = {}
    instances: dict[str, float] = {}
    families = fleet.offered["family"].astype(str).tolist()
    sizes = fleet.offered["vcpus"].tolist()
    for group, family, size in zip(fleet.groups, families, sizes, strict=True):
        spot = group.purchase is Purchase.SPOT
        if (
            rule.where.holds(fleet.regions[group.place])
            and (not rule.families or family in rule.families)
            and (rule.spot is None or rule.spot == spot)
        ):
            vcpus[group.place] = vcpus.get(group.place, 0.0) + size * group.count
            instances[group.place] = instances.get(group.place, 0.0) + group.count
    beyond = []
    for used, limit, unit in (
        (vcpus, rule.vcpus_at_most, "vCPUs"),
        (instances, rule.instances_at_most, "instances"),
    ):
        beyond += [
            f"{amount:g} {unit} in {place}"
            for place, amount in sorted(used.items())
            if limit is not None and amount > limit
        ]
    return _listed(beyond)


def _over_budget(rule: BudgetRule, fleet: _Fleet, bill: Bill) -> str | None:
    teams = {service.name: service.team for service in fleet.world.services}
    counted = [
        line.usd
        for line in bill.lines
        if (rule.team is None or teams[line.service] == rule.team)
        and (rule.cloud is None or line.cloud == rule.cloud.value)
    ]
    monthly = float(sum(counted, Decimal(0))) * HOURS_PER_MONTH / bill.hours
    return f"costs {monthly:,.0f} USD per month" if monthly > rule.usd_per_month else None


def _listed(found: list[str], most: int = 3) -> str | None:
    if not found:
        return None
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + more
