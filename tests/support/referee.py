"""A second model of the same question that shares no code with the formulation.

``cheapest_usd`` solves a deliberately naive model: every offering (dominated or not), explicit
rerouting after every loss instead of Hall's condition, one variable per pair of places for calls
instead of nested levels, no valid inequalities. Slow, obvious, and must agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import pandas as pd
import pulp
from covering import level_taken, owned_at
from referee_changes import StandingFleet
from small_worlds import Asked

from models.offerings import Purchase
from models.places import Region
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    DisruptionRule,
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
from models.services import Dependency, Service, Workflow
from models.world import World

TOLERANCE = 1e-6

WATTS_PER_VCPU = {"aws": 2.12, "azure": 2.27, "gcp": 2.485}  # half way from rest to full load
PUE = {"aws": 1.135, "azure": 1.185, "gcp": 1.1}


def carbon_kg(offer: pd.Series, region: Region) -> float:
    """What an instance without GPUs emits in an hour."""
    watts = offer["vcpus"] * WATTS_PER_VCPU[offer["cloud"]] + offer["memory_gib"] * 0.392
    assert region.gco2e_per_kwh is not None
    return float(watts * PUE[offer["cloud"]] / 1000 * region.gco2e_per_kwh / 1000)


def rtt_ms(world: World, a: str, b: str) -> float:
    points = {o.name: o.coordinates for o in world.origins}
    points |= {r.place: r.coordinates for r in world.regions}
    return float(world.round_trips.between({a: points[a]}, {b: points[b]})[0, 0])


def holds(service: Service, offer: pd.Series, headroom: float) -> int:
    """Whole replicas on one instance, without GPUs."""
    if offer["architecture"] not in {a.value for a in service.architectures}:
        return 0
    replica = service.replica
    cores = float(offer["vcpus"]) * headroom / replica.vcpus
    memory = float(offer["memory_gib"]) * headroom / replica.memory_gib
    return math.floor(min(cores, memory) + 1e-9)


def may_serve(world: World, service: str, origin: str, region: Region) -> bool:
    """Rules about single (service, origin, place) triples; workflows are checked on paths."""
    return not any(forbids(rule, world, service, origin, region) for rule in world.rules)


def forbids(rule: Rule, world: World, service: str, origin: str, region: Region) -> bool:
    match rule:
        case LatencyRule() if rule.service == service:
            own = next(s for s in world.services if s.name == service).replica.service_time_ms
            slow = rtt_ms(world, origin, region.place) + own > rule.within_ms
            return slow and (not rule.origins or origin in rule.origins)
        case ResidencyRule() if service in rule.services:
            foreign = not rule.jurisdictions & region.jurisdictions
            return foreign and (not rule.origins or origin in rule.origins)
        case CertificationRule() if service in rule.services:
            return not rule.certificates <= region.certifications
        case AllowedPlacesRule() if service in rule.services:
            outside = rule.allow is not None and not rule.allow.holds(region)
            return outside or (rule.forbid is not None and rule.forbid.holds(region))
        case _:
            return False


def outage_chance(rule: SpotRiskRule, region: Region, family: str) -> float:
    """Chance that a Poisson process strikes within the hours that an outage lasts."""
    per_month = rule.interruptions_per_month
    for rate in rule.rates:
        if rate.where.holds(region) and (not rate.families or family in rate.families):
            per_month = rate.value
    return 1 - math.exp(-per_month / 730 * rule.outage_hours)


def chance_that_more_go(chances: list[float], at_once: int) -> float:
    """By looking at every set of pools that could go."""
    total = 0.0
    for size in range(at_once + 1, len(chances) + 1):
        for lost in combinations(range(len(chances)), size):
            total += math.prod(q if i in lost else 1 - q for i, q in enumerate(chances))
    return total


def may_go_at_once(chances: list[float], chance_at_most: float) -> int:
    return next(
        k for k in range(len(chances) + 1) if chance_that_more_go(chances, k) <= chance_at_most
    )


def level_price(world: World, leaves: Region, reaches: Region) -> float:
    price = world.egress[leaves.place]
    if leaves.place == reaches.place:
        return 0.0
    if leaves.cloud is not reaches.cloud:
        return price.internet_usd_per_gb
    if leaves.continent != reaches.continent:
        return price.same_cloud_usd_per_gb
    return price.same_continent_usd_per_gb


@dataclass
class Naive:
    """The naive model of one small world, in PuLP."""

    asked: Asked

    def __post_init__(self) -> None:
        self.world = self.asked.world
        self.hours = self.asked.demand_rps.shape[2]
        self.model = pulp.LpProblem("naive", pulp.LpMinimize)
        self.number = 0
        self.regions = {r.place: r for r in self.world.regions}
        self.services = {s.name: (i, s) for i, s in enumerate(self.world.services)}
        self.origins = {o.name: i for i, o in enumerate(self.world.origins)}
        self.spend: list[tuple[pulp.LpAffineExpression, str, str]] = []  # cost, service, place
        self.unpaid: list[pulp.LpAffineExpression] = []
        self.chances = self.asked.outlook.probability.tolist()  # of the demand scenarios
        self.differs: list[list[pulp.LpAffineExpression]] = [[] for _ in self.chances]
        self._routes()
        self._counts()
        self._capacity()
        self._open()
        self._egress()
        self._commitments()
        self.standing = StandingFleet(self)
        self.standing.moves()
        self.standing.sustained()
        self._rules()
        expected = pulp.lpSum(cost for cost, _, _ in self.spend) + pulp.lpSum(self.unpaid)
        self.model.setObjective(self._with_risk(expected))

    def _with_risk(self, expected: pulp.LpAffineExpression) -> pulp.LpAffineExpression:
        """Whole bills of scenarios, dear ones weighing more: what is certain, and what is not."""
        cvar = self.world.policy.cvar
        if cvar is None:
            return expected
        uncertain = [pulp.lpSum(costs) for costs in self.differs]
        means = [p * bill for p, bill in zip(self.chances, uncertain, strict=True)]
        certain = expected - pulp.lpSum(means)
        eta = pulp.LpVariable("eta")
        beyond = [self.var("z") for _ in uncertain]
        for z, bill in zip(beyond, uncertain, strict=True):
            self.model += z >= certain + bill - eta
        excess = pulp.lpSum(p * z for p, z in zip(self.chances, beyond, strict=True))
        tail = eta + excess * (1 / (1 - cvar.level))
        return (1 - cvar.weight) * expected + cvar.weight * tail

    def solve(self) -> float | None:
        """Least cost, USD over the horizon; None: infeasible."""
        self.model.solve(pulp.PULP_CBC_CMD(msg=False, gapRel=1e-9, gapAbs=0.0, timeLimit=60))
        if pulp.LpStatusInfeasible in (self.model.status, self.model.sol_status):
            return None
        if self.model.sol_status != pulp.LpSolutionOptimal:
            raise AssertionError("the naive model was not solved to optimality")
        return float(pulp.value(self.model.objective))

    def var(self, name: str, top: float | None = None, kind: str = "Continuous") -> pulp.LpVariable:
        self.number += 1
        return pulp.LpVariable(f"{name}_{self.number}", 0, top, kind)

    def demand(self, service: str, origin: str, t: int) -> float:
        """What spread rules are about."""
        return float(self.asked.demand_rps[self.services[service][0], self.origins[origin], t])

    def demand_in(self, scenario: int, service: str, origin: str, t: int) -> float:
        row = scenario, self.services[service][0], self.origins[origin], t
        return float(self.asked.outlook.scenario_rps[row])

    def block(self, service: str, t: int) -> int:
        return 0 if self.services[service][1].stateful else t // self.world.policy.route_hours

    def needs(self, service: str, origin: str) -> bool:
        return any(
            self.demand(service, origin, t) > 0
            or any(self.demand_in(w, service, origin, t) > 0 for w in range(len(self.chances)))
            for t in range(self.hours)
        )

    def share(self, service: str, origin: str, place: str, t: int) -> pulp.LpVariable | int:
        return self.x.get((service, origin, place, self.block(service, t)), 0)

    def _routes(self) -> None:
        self.x: dict[tuple[str, str, str, int], pulp.LpVariable] = {}
        for s in self.services:
            for g in self.origins:
                if not self.needs(s, g):
                    continue
                for b in {self.block(s, t) for t in range(self.hours)}:
                    row = []
                    for place, region in self.regions.items():
                        if may_serve(self.world, s, g, region):
                            self.x[s, g, place, b] = self.var("x", 1)
                            row.append(self.x[s, g, place, b])
                    self.model += pulp.lpSum(row) == 1

    def _counts(self) -> None:
        self.n: dict[tuple[str, int, int], pulp.LpVariable] = {}
        self.fits: dict[tuple[str, int], int] = {}
        offers = self.world.book.offerings
        self.offers = {i: offers.iloc[i] for i in range(len(offers))}
        for s, (_, service) in self.services.items():
            for i, offer in self.offers.items():
                place = f"{offer['cloud']}/{offer['region']}"
                spot = offer["purchase"] == Purchase.SPOT
                fits = holds(service, offer, self.world.policy.headroom)
                if place not in self.regions or fits < 1 or (spot and not service.spot_tolerant):
                    continue
                users = [g for g in self.origins if self.needs(s, g)] or list(self.origins)
                if not any(may_serve(self.world, s, g, self.regions[place]) for g in users):
                    continue
                self.fits[s, i] = fits
                for t in range(self.hours):
                    first = 0 if service.stateful else t - t % self.world.policy.count_hours
                    if first < t:
                        self.n[s, i, t] = self.n[s, i, first]
                    else:
                        self.n[s, i, t] = self.var("n", 200, "Integer")
                    price = float(offer["price_usd_per_hour"])
                    self.spend.append((price * self.n[s, i, t], s, place))
                    tonnes = carbon_kg(offer, self.regions[place]) / 1000
                    carbon_usd = tonnes * self.world.policy.carbon_usd_per_tonne
                    self.unpaid.append(carbon_usd * self.n[s, i, t])

    def place_of(self, i: int) -> str:
        return f"{self.offers[i]['cloud']}/{self.offers[i]['region']}"

    def held(self, s: str, t: int, places: set[str] | None = None) -> pulp.LpAffineExpression:
        return pulp.lpSum(
            self.fits[s, i] * self.n[s, i, t]
            for name, i in self.fits
            if name == s and (places is None or self.place_of(i) in places)
        )

    def _capacity(self) -> None:
        for s, (_, service) in self.services.items():
            for w in range(len(self.chances)):
                for t in range(self.hours):
                    unmet_rps = self._unmet(s, service, w, t)
                    for place in self.regions:
                        flow = pulp.lpSum(
                            self.demand_in(w, s, g, t) * self.share(s, g, place, t)
                            for g in self.origins
                        )
                        served = service.replica.throughput_rps * self.held(s, t, {place})
                        self.model += served + unmet_rps.get(place, 0) >= flow

    def _unmet(self, s: str, service: Service, w: int, t: int) -> dict[str, pulp.LpVariable]:
        """Requests per second that each place may leave unserved."""
        policy = self.world.policy
        most, price = service.unmet_at_most, service.unmet_usd_per_million_requests
        most = policy.unmet_at_most if most is None else most
        price = policy.unmet_usd_per_million_requests if price is None else price
        if most == 0:
            return {}
        unmet = {place: self.var("m") for place in self.regions}
        asked = sum(self.demand_in(w, s, g, t) for g in self.origins)
        self.model += pulp.lpSum(unmet.values()) <= most * asked
        millions = pulp.lpSum(unmet.values()) * (3600 / 1e6)
        self.unpaid.append(self.chances[w] * price * millions)
        self.differs[w].append(price * millions)
        return unmet

    def _open(self) -> None:
        bounded = {r.service for r in self.world.rules if isinstance(r, MaxPlacesRule)}
        self.y: dict[tuple[str, str], pulp.LpVariable] = {}
        for s, (_, service) in self.services.items():
            if not (service.stateful or s in bounded):
                continue
            for place in self.regions:
                opened = self.y[s, place] = self.var("y", 1, "Binary")
                for t in range(self.hours):
                    self.model += self.held(s, t, {place}) <= 2000 * opened
            self.model += pulp.lpSum(self.y[s, p] for p in self.regions) >= 1

    def _egress(self) -> None:
        volume = 3600 * 1024 / 1e9
        for s, (row, service) in self.services.items():
            for (name, g, place, b), x in self.x.items():
                for w, chance in enumerate(self.chances):
                    if name != s or not service.response_kib:
                        continue
                    rps = sum(
                        self.asked.outlook.direct_rps[w, row, self.origins[g], t]
                        for t in range(self.hours)
                        if self.block(s, t) == b
                    )
                    price = self.world.egress[place].internet_usd_per_gb
                    cost = float(rps) * volume * service.response_kib * price
                    self.spend.append((chance * cost * x, s, place))
                    self.differs[w].append(cost * x)
        for edge in self.world.dependencies:
            for g in self.origins:
                blocks = {
                    (self.block(edge.caller, t), self.block(edge.callee, t))
                    for t in range(self.hours)
                }
                for pair in blocks:
                    hours = [
                        t
                        for t in range(self.hours)
                        if (self.block(edge.caller, t), self.block(edge.callee, t)) == pair
                    ]
                    for w in range(len(self.chances)):  # each pairs places on its own
                        calls = sum(self.demand_in(w, edge.caller, g, t) for t in hours)
                        gb = calls * edge.calls_per_request * volume
                        if gb > 0:
                            self._calls(edge, g, hours[0], gb, w)

    def _commitments(self) -> None:
        """What each commitment covers of each service's instances of each type, hour by hour."""
        covered: dict[tuple[str, int, int], list[pulp.LpVariable]] = {}
        for commitment in self.world.commitments:
            cloud = commitment.cloud.value
            bought = self.var("c", commitment.at_most)
            usd = commitment.usd_per_level_hour
            for t in range(self.hours):
                level = bought + owned_at(commitment, self.world, t)
                self.spend.append((usd * level, "", cloud))
                taken = []
                for s, i, h in self.n:
                    region = self.regions[self.place_of(i)]
                    rate = level_taken(commitment, self.offers[i], region)
                    if h == t and rate is not None:
                        u = self.var("u")
                        covered.setdefault((s, i, t), []).append(u)
                        taken.append(rate * u)
                        self.spend.append((-1 * u, "", cloud))
                self.model += pulp.lpSum(taken) <= level
        for (s, i, t), parts in covered.items():
            price = float(self.offers[i]["price_usd_per_hour"])
            self.model += pulp.lpSum(parts) <= price * self.n[s, i, t]

    def _calls(self, edge: Dependency, origin: str, t: int, kib_to_gb: float, w: int) -> None:
        z = {(p, q): self.var("z", 1) for p in self.regions for q in self.regions}
        for p in self.regions:
            out = pulp.lpSum(z[p, q] for q in self.regions)
            self.model += out == self.share(edge.caller, origin, p, t)
            into = pulp.lpSum(z[q, p] for q in self.regions)
            self.model += into == self.share(edge.callee, origin, p, t)
        for (p, q), flow in z.items():
            there = level_price(self.world, self.regions[p], self.regions[q])
            back = level_price(self.world, self.regions[q], self.regions[p])
            out_usd = kib_to_gb * edge.request_kib * there * flow
            back_usd = kib_to_gb * edge.response_kib * back * flow
            self.differs[w] += [out_usd, back_usd]
            self.spend.append((self.chances[w] * out_usd, edge.caller, p))
            self.spend.append((self.chances[w] * back_usd, edge.callee, q))

    def may_serve(self, s: str, g: str, place: str) -> bool:
        return may_serve(self.world, s, g, self.regions[place]) and self.path_fits(s, g, place)

    def _rules(self) -> None:
        for rule in self.world.rules:
            match rule:
                case MinReplicasRule():
                    self._min_replicas(rule)
                case MaxPlacesRule():
                    opens = [y for (s, _), y in self.y.items() if s == rule.service]
                    self.model += pulp.lpSum(opens) <= rule.at_most
                case SpreadRule() | SpotShareRule() | SpotRiskRule():
                    for s in rule.services:
                        self._of_a_service(rule, s)
                case QuotaRule():
                    self._quota(rule)
                case DisruptionRule():
                    self.standing.disruption(rule)
                case WorkflowRule():
                    self._workflow(rule)
                case _:
                    pass
        for rule in self.world.rules:
            if isinstance(rule, BudgetRule):
                teams = {s: service.team for s, (_, service) in self.services.items()}
                spent = pulp.lpSum(
                    cost
                    for cost, s, place in self.spend
                    if (rule.team is None or teams.get(s) == rule.team)
                    and (rule.cloud is None or place.split("/")[0] == rule.cloud)
                )
                self.model += 730 / self.hours * spent <= rule.usd_per_month

    def _of_a_service(self, rule: SpreadRule | SpotShareRule | SpotRiskRule, s: str) -> None:
        match rule:
            case SpreadRule():
                self._spread(rule, s)
            case SpotShareRule():
                self._spot(rule, s)
            case SpotRiskRule():
                self._spot_risk(rule, s)

    def _min_replicas(self, rule: MinReplicasRule) -> None:
        for t in range(self.hours):
            if not self.services[rule.service][1].stateful:
                self.model += self.held(rule.service, t) >= rule.at_least
                continue
            for place in self.regions:
                opened = self.y[rule.service, place]
                self.model += self.held(rule.service, t, {place}) >= rule.at_least * opened

    def _spread(self, rule: SpreadRule, s: str) -> None:
        """After each loss, some lawful rerouting must exist: its shares are variables."""
        by_cloud = {r.cloud.value: {p for p, q in self.regions.items() if q.cloud is r.cloud}
                    for r in self.regions.values()}  # fmt: skip
        lost_sets = {
            Extent.CLOUD: list(by_cloud.values()),
            Extent.REGION: [{p} for p in self.regions],
            Extent.ZONE: [{p} for p in self.regions],
        }[rule.survives]
        worst = self._worst_zones(s) if rule.survives is Extent.ZONE else {}
        for lost in lost_sets:
            for t in range(self.hours):
                left_in = {}
                for p in self.regions:
                    left = self.held(s, t, {p})
                    if p in lost:
                        zoned = rule.survives is Extent.ZONE and self.regions[p].zones > 1
                        left = (
                            left
                            - pulp.lpSum(
                                self.fits[s, i] * w
                                for (i, h), w in worst.items()
                                if h == t and self.place_of(i) == p
                            )
                            if zoned
                            else pulp.lpSum([])
                        )
                    left_in[p] = left
                self._still_serves(s, t, rule.share, left_in)

    def _still_serves(
        self, s: str, t: int, share: float, left_in: dict[str, pulp.LpAffineExpression]
    ) -> None:
        """Some lawful routes for a share of demand fit into what is left in each place."""
        rate = self.services[s][1].replica.throughput_rps
        rerouted = {
            (g, p): self.var("v")
            for g in self.origins
            for p, region in self.regions.items()
            if may_serve(self.world, s, g, region)
            and any((s, g, p, b) in self.x and self.path_fits(s, g, p) for b in range(self.hours))
        }
        # a whole replica serves rate rps; a group of origins is served in whole replicas
        for g in self.origins:
            asked = share * self.demand(s, g, t)
            if asked > 0:
                self.model += pulp.lpSum(v for (o, _), v in rerouted.items() if o == g) >= asked
        for p, left in left_in.items():
            used = pulp.lpSum(v for (_, q), v in rerouted.items() if q == p)
            self.model += rate * left >= used

    def path_fits(self, s: str, g: str, place: str) -> bool:
        """Whether some path of every workflow can go through the place at all."""
        for rule in self.world.rules:
            if isinstance(rule, WorkflowRule):
                workflow = next(w for w in self.world.workflows if w.name == rule.workflow)
                steps = [step.service for step in workflow.steps]
                if s not in steps or not all(self.needs(step, g) for step in steps):
                    continue
                if self._fastest(workflow, g, {s: place}) > rule.within_ms + TOLERANCE:
                    return False
        return True

    def _fastest(self, workflow: Workflow, g: str, pinned: dict[str, str]) -> float:
        """Fastest end over all choices of places; chains only (as the small worlds have)."""
        steps = workflow.in_order()
        best: dict[str, float] = {}
        for k, step in enumerate(steps):
            own = self.services[step.service][1].replica.service_time_ms
            ends = {}
            for p, region in self.regions.items():
                if pinned.get(step.service, p) != p:
                    continue
                if not may_serve(self.world, step.service, g, region):
                    continue
                if not any(name == step.service and self.place_of(i) == p for name, i in self.fits):
                    continue
                start = (
                    rtt_ms(self.world, g, p)
                    if k == 0
                    else min((e + rtt_ms(self.world, q, p) for q, e in best.items()),
                             default=math.inf)
                )  # fmt: skip
                ends[p] = start + own
            best = ends
        return min(best.values(), default=math.inf)

    def _worst_zones(self, s: str) -> dict[tuple[int, int], pulp.LpVariable]:
        worst = {}
        for name, i in self.fits:
            if name == s:
                for t in range(self.hours):
                    w = worst[i, t] = self.var("w", None, "Integer")
                    self.model += self.regions[self.place_of(i)].zones * w >= self.n[s, i, t]
        return worst

    def _spot(self, rule: SpotShareRule, s: str) -> None:
        for t in range(self.hours):
            for place in self.regions:
                spot = pulp.lpSum(
                    self.fits[s, i] * self.n[s, i, t]
                    for name, i in self.fits
                    if name == s
                    and self.place_of(i) == place
                    and self.offers[i]["purchase"] == Purchase.SPOT
                )
                self.model += spot <= rule.at_most * self.held(s, t, {place})

    def _spot_risk(self, rule: SpotRiskRule, s: str) -> None:
        """Whichever pools are lost, as many as may go at once, the rest still serves."""
        pools = self._pools(s)
        chances = [outage_chance(rule, self.regions[p], family) for p, family in pools]
        at_once = may_go_at_once(chances, rule.chance_at_most)
        for lost in combinations(pools, min(at_once, len(pools))):
            for t in range(self.hours):
                gone = [i for pool in lost for i in pools[pool]]
                left_in = {
                    p: self.held(s, t, {p})
                    - pulp.lpSum(
                        self.fits[s, i] * self.n[s, i, t] for i in gone if self.place_of(i) == p
                    )
                    for p in self.regions
                }
                self._still_serves(s, t, rule.share, left_in)

    def _pools(self, s: str) -> dict[tuple[str, str], list[int]]:
        """Spot offers by place and family, where users of the service may be served."""
        pools: dict[tuple[str, str], list[int]] = {}
        for name, i in self.fits:
            spot = self.offers[i]["purchase"] == Purchase.SPOT
            served = any(
                self.needs(s, g)
                and may_serve(self.world, s, g, self.regions[self.place_of(i)])
                and self.path_fits(s, g, self.place_of(i))
                for g in self.origins
            )
            if name == s and spot and served:
                pools.setdefault((self.place_of(i), str(self.offers[i]["family"])), []).append(i)
        return pools

    def _quota(self, rule: QuotaRule) -> None:
        for place, region in self.regions.items():
            if not rule.where.holds(region):
                continue
            for t in range(self.hours):
                counted = [
                    (self.offers[i]["vcpus"], n)
                    for (_, i, h), n in self.n.items()
                    if h == t
                    and self.place_of(i) == place
                    and (not rule.families or self.offers[i]["family"] in rule.families)
                    and rule.spot in (None, self.offers[i]["purchase"] == Purchase.SPOT)
                ]
                if rule.vcpus_at_most is not None:
                    self.model += pulp.lpSum(v * n for v, n in counted) <= rule.vcpus_at_most
                if rule.instances_at_most is not None:
                    self.model += pulp.lpSum(n for _, n in counted) <= rule.instances_at_most

    def _workflow(self, rule: WorkflowRule) -> None:
        """Forbid every combination of places along the chain that is too slow."""
        workflow = next(w for w in self.world.workflows if w.name == rule.workflow)
        chain = [step.service for step in workflow.in_order()]
        for g in self.origins:
            if workflow.origins and g not in workflow.origins:
                continue
            if not all(self.needs(s, g) for s in chain):
                continue
            used = {}
            for s in dict.fromkeys(chain):
                for p in self.regions:
                    used[s, p] = self.var("u", 1, "Binary")
                    for t in range(self.hours):
                        self.model += self.share(s, g, p, t) <= used[s, p]
            self._forbid(rule, chain, g, used, [], 0.0)

    def _forbid(
        self,
        rule: WorkflowRule,
        chain: list[str],
        g: str,
        used: dict[tuple[str, str], pulp.LpVariable],
        path: list[str],
        so_far: float,
    ) -> None:
        if len(path) == len(chain):
            if so_far > rule.within_ms + TOLERANCE:
                hops = list(zip(chain, path, strict=True))
                self.model += pulp.lpSum(used[hop] for hop in hops) <= len(hops) - 1
            return
        own = self.services[chain[len(path)]][1].replica.service_time_ms
        for p in self.regions:
            before = path[-1] if path else g
            ms = so_far + rtt_ms(self.world, before, p) + own
            self._forbid(rule, chain, g, used, [*path, p], ms)


def cheapest_usd(asked: Asked) -> float | None:
    """Least cost of the naive model; None: infeasible."""
    return Naive(asked).solve()
