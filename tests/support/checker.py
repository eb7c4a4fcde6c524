"""Checks a placement rule by rule, and recomputes its bill, with plain loops.

Nothing here comes from the formulation: lawful places are found by trying every path, reserves
by trying every loss and every set of origins, and the calls between services by a transport
problem over all pairs of places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import chain, combinations, product

import numpy as np
from change_checker import ChangeChecker
from covering import Instances, wrongly_covered
from referee import (
    carbon_kg,
    forbids,
    holds,
    level_price,
    may_go_at_once,
    outage_chance,
    rtt_ms,
)
from scipy.optimize import linprog
from small_worlds import Asked

from models.placement import Bill, BillLine, Placement, ShadowTerm, Term
from models.places import Region
from models.rules import (
    BudgetRule,
    Extent,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    Rule,
    SpotRiskRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from models.services import Dependency, Service, Workflow

SLACK = 1e-5  # shares below a millionth are not reported
GB_PER_HOUR_OF_RPS_KIB = 3600 * 1024 / 1e9


@dataclass(frozen=True)
class Group:
    """Instances of one type in one place in one hour."""

    place: str
    family: str
    vcpus: float
    carbon_kg: float
    spot: bool
    count: int
    replicas_each: int
    offering: tuple[str, ...]

    @property
    def replicas(self) -> int:
        return self.count * self.replicas_each


class Checker:
    """One placement and the world that it must be lawful in."""

    def __init__(self, asked: Asked, placement: Placement) -> None:
        self.asked, self.world, self.placement = asked, asked.world, placement
        self.services = {s.name: s for s in self.world.services}
        self.service_row = {s.name: i for i, s in enumerate(self.world.services)}
        self.origin_row = {o.name: i for i, o in enumerate(self.world.origins)}
        self.regions = {r.place: r for r in self.world.regions}
        self.hours = range(asked.demand_rps.shape[2])
        self.chances = asked.outlook.probability.tolist()
        self.ways = range(len(self.chances))  # how demand may come out
        self.unmet_requests = [0.0 for _ in self.ways]
        self.unmet_usd = [0.0 for _ in self.ways]
        self.fleet: dict[tuple[str, int], list[Group]] = {
            (s, t): [] for s in self.services for t in self.hours
        }
        self.faults: list[str] = []
        self._read_counts()
        self.share: dict[tuple[str, str, int], dict[str, float]] = {}
        for row in placement.routes.to_dict("records"):
            for t in range(row["first_period"], row["first_period"] + row["periods"]):
                shares = self.share.setdefault((row["service"], row["origin"], t), {})
                shares[f"{row['cloud']}/{row['region']}"] = row["share"]
        self.fastest_ms = cache(self._fastest_ms)

    def _read_counts(self) -> None:
        keys = ["cloud", "region", "instance_type", "purchase"]
        self.offers = {
            tuple(str(offer[key]) for key in keys): offer
            for _, offer in self.world.book.offerings.iterrows()
        }
        for row in self.placement.counts.to_dict("records"):
            key = tuple(str(row[key]) for key in keys)
            offer = self.offers[key]
            service = self.services[row["service"]]
            each = holds(service, offer, self.world.policy.headroom)
            spot = row["purchase"] == "spot"
            if each < 1 or (spot and not service.spot_tolerant):
                self.faults.append(f"{service.name} cannot run on {row['instance_type']}")
            if row["price_usd_per_hour"] != offer["price_usd_per_hour"]:
                self.faults.append(f"wrong price of {row['instance_type']}")
            self.fleet[service.name, row["period"]].append(
                Group(
                    f"{row['cloud']}/{row['region']}",
                    str(offer["family"]),
                    float(offer["vcpus"]),
                    carbon_kg(offer, self.regions[f"{row['cloud']}/{row['region']}"]),
                    spot,
                    int(row["count"]),
                    each,
                    key,
                )
            )

    def demand(self, service: str, origin: str, t: int) -> float:
        row = self.service_row[service], self.origin_row[origin], t
        return float(self.asked.demand_rps[row])

    def demand_in(self, scenario: int, service: str, origin: str, t: int) -> float:
        row = scenario, self.service_row[service], self.origin_row[origin], t
        return float(self.asked.outlook.scenario_rps[row])

    def held(self, service: str, t: int, place: str | None = None) -> int:
        groups = self.fleet[service, t]
        return sum(group.replicas for group in groups if place in (None, group.place))

    def users_of(self, service: str) -> list[str]:
        return [
            g
            for g in self.origin_row
            if any(
                self.demand(service, g, t)
                + sum(self.demand_in(w, service, g, t) for w in self.ways)
                for t in self.hours
            )
        ]

    def places_of(self, service: str) -> set[str]:
        return {group.place for t in self.hours for group in self.fleet[service, t]}

    def broken(self) -> list[str]:
        for name, service in self.services.items():
            self._demand(service)
            self._kept_for_blocks(service)
            self._stands_lawfully(name)
            for g in self.users_of(name):
                self._lawful(name, g)
        for rule in self.world.rules:
            self._rule(rule)
        self._bill()
        return self.faults + ChangeChecker(self.asked, self.placement).faults()

    def _demand(self, service: Service) -> None:
        for t in self.hours:
            for g in self.users_of(service.name):
                if abs(sum(self.share.get((service.name, g, t), {}).values()) - 1) > SLACK:
                    self.faults.append(f"routes of {service.name} for {g} at {t} do not add up")
            for w in self.ways:
                self._demand_in(w, service, t)

    def _demand_in(self, w: int, service: Service, t: int) -> None:
        policy = self.world.policy
        most, price = service.unmet_at_most, service.unmet_usd_per_million_requests
        most = policy.unmet_at_most if most is None else most
        price = policy.unmet_usd_per_million_requests if price is None else price
        asked = dict.fromkeys(self.regions, 0.0)
        for g in self.users_of(service.name):
            for place, share in self.share.get((service.name, g, t), {}).items():
                asked[place] += share * self.demand_in(w, service.name, g, t)
        rate = service.replica.throughput_rps
        lacking = {p: rps - rate * self.held(service.name, t, p) for p, rps in asked.items()}
        unmet = sum(rps for p, rps in lacking.items() if rps > SLACK * (1 + asked[p]))
        if unmet > most * sum(asked.values()) * (1 + SLACK) + SLACK:
            self.faults.append(f"{service.name} leaves {unmet} rps unmet at {t} in scenario {w}")
        self.unmet_requests[w] += unmet * 3600
        self.unmet_usd[w] += unmet * 3600 / 1e6 * price

    def _kept_for_blocks(self, service: Service) -> None:
        policy = self.world.policy
        for t in self.hours:
            first = 0 if service.stateful else t - t % policy.count_hours
            if self.fleet[service.name, t] != self.fleet[service.name, first]:
                self.faults.append(f"{service.name} changes size at {t}")
            first = 0 if service.stateful else t - t % policy.route_hours
            for g in self.users_of(service.name):
                now = self.share.get((service.name, g, t))
                if now != self.share.get((service.name, g, first)):
                    self.faults.append(f"routes of {service.name} change at {t}")

    def _stands_lawfully(self, service: str) -> None:
        """Nothing runs where no user at all may be served, not even for a minimum."""
        users = self.users_of(service) or list(self.origin_row)
        for place, rule in product(self.places_of(service), self.world.rules):
            region = self.regions[place]
            if all(forbids(rule, self.world, service, g, region) for g in users):
                self.faults.append(f"{rule.name}: {service} runs in {place}")

    def _lawful(self, service: str, origin: str) -> None:
        for place in self.used(service, origin):
            for rule in self.world.rules:
                if forbids(rule, self.world, service, origin, self.regions[place]):
                    self.faults.append(f"{rule.name}: {service} serves {origin} from {place}")

    def used(self, service: str, origin: str) -> set[str]:
        return {
            place
            for (s, g, _), shares in self.share.items()
            if (s, g) == (service, origin)
            for place, share in shares.items()
            if share > SLACK
        }

    def _rule(self, rule: Rule) -> None:
        match rule:
            case MinReplicasRule():
                self._min_replicas(rule)
            case MaxPlacesRule():
                if len(self.places_of(rule.service)) > rule.at_most:
                    self.faults.append(f"{rule.name}: {rule.service} runs in too many places")
            case SpreadRule():
                for service, t in product(rule.services, self.hours):
                    self._spread(rule, service, t)
            case SpotShareRule():
                self._spot(rule)
            case SpotRiskRule():
                for service, t in product(rule.services, self.hours):
                    self._spot_risk(rule, service, t)
            case QuotaRule():
                self._quota(rule)
            case WorkflowRule():
                self._workflow(rule)
            case BudgetRule():
                self._budget(rule)
            case _:
                pass  # rules about single places are checked with the routes

    def _min_replicas(self, rule: MinReplicasRule) -> None:
        stateful = self.services[rule.service].stateful
        for t in self.hours:
            amounts = [self.held(rule.service, t)]
            if stateful:
                amounts = [self.held(rule.service, t, p) for p in self.places_of(rule.service)]
            if not amounts or min(amounts) < rule.at_least:
                self.faults.append(f"{rule.name}: {rule.service} runs too few replicas at {t}")

    def _spot(self, rule: SpotShareRule) -> None:
        for service, place, t in product(rule.services, self.regions, self.hours):
            groups = self.fleet[service, t]
            spot = sum(g.replicas for g in groups if g.place == place and g.spot)
            if spot > rule.at_most * self.held(service, t, place) + SLACK:
                self.faults.append(f"{rule.name}: {service} has too much spot in {place} at {t}")

    def _spot_risk(self, rule: SpotRiskRule, service: str, t: int) -> None:
        chances = [outage_chance(rule, self.regions[p], f) for p, f in self._pools_of(service)]
        at_once = may_go_at_once(chances, rule.chance_at_most)
        used = sorted({(g.place, g.family) for g in self.fleet[service, t] if g.spot})
        for lost in combinations(used, min(at_once, len(used))):
            kept = [
                g for g in self.fleet[service, t] if not (g.spot and (g.place, g.family) in lost)
            ]
            for origins in self._groups_of_users(service):
                open_to_them = set().union(*(self.may_use(service, g) for g in origins))
                left = sum(group.replicas for group in kept if group.place in open_to_them)
                asked = rule.share * sum(self.demand(service, g, t) for g in origins)
                rate = self.services[service].replica.throughput_rps
                if left * rate < asked - SLACK * (1 + asked):
                    self.faults.append(f"{rule.name}: {service} at {t} without {lost}")

    def _pools_of(self, service: str) -> set[tuple[str, str]]:
        """Place and family of all spot capacity that the service could use, in use or not."""
        noun = self.services[service]
        offers = [offer for _, offer in self.world.book.offerings.iterrows()]
        open_to_some = {p for g in self.users_of(service) for p in self.may_use(service, g)}
        return {
            (place, str(offer["family"]))
            for offer in offers
            if noun.spot_tolerant
            and offer["purchase"] == "spot"
            and holds(noun, offer, self.world.policy.headroom) >= 1
            and (place := f"{offer['cloud']}/{offer['region']}") in open_to_some
        }

    def _groups_of_users(self, service: str) -> list[tuple[str, ...]]:
        users = self.users_of(service)
        sizes = range(1, len(users) + 1)
        return [group for size in sizes for group in combinations(users, size)]

    def _quota(self, rule: QuotaRule) -> None:
        for place, t in product(self.regions, self.hours):
            counted = [
                group
                for service in self.services
                for group in self.fleet[service, t]
                if group.place == place
                and rule.where.holds(self.regions[place])
                and (not rule.families or group.family in rule.families)
                and rule.spot in (None, group.spot)
            ]
            vcpus = sum(group.vcpus * group.count for group in counted)
            count = sum(group.count for group in counted)
            if vcpus > (rule.vcpus_at_most or math.inf) + SLACK:
                self.faults.append(f"{rule.name}: {vcpus} vCPUs in {place} at {t}")
            if count > (rule.instances_at_most or math.inf):
                self.faults.append(f"{rule.name}: {count} instances in {place} at {t}")

    def _workflow(self, rule: WorkflowRule) -> None:
        workflow = next(w for w in self.world.workflows if w.name == rule.workflow)
        for g in workflow.origins or self.origin_row:
            if all(g in self.users_of(step.service) for step in workflow.steps):
                places = [sorted(self.used(step.service, g)) for step in workflow.in_order()]
                for chosen in product(*places):
                    if self.takes_ms(workflow, g, chosen) > rule.within_ms + SLACK:
                        self.faults.append(f"{rule.name}: too slow for {g} over {chosen}")

    def takes_ms(self, workflow: Workflow, origin: str, chosen: tuple[str, ...]) -> float:
        """End of the last step with one place per step, in the workflow's order."""
        steps = workflow.in_order()
        at = {step.service: place for step, place in zip(steps, chosen, strict=True)}
        ends: dict[str, float] = {}
        for step in steps:
            here = at[step.service]
            start = max(
                (ends[i] + rtt_ms(self.world, at[i], here) for i in step.after),
                default=rtt_ms(self.world, origin, here),
            )
            ends[step.service] = start + self.services[step.service].replica.service_time_ms
        return max(ends.values())

    def may_use(self, service: str, origin: str) -> set[str]:
        """Places that could lawfully serve the origin, alone and on some path of workflows."""
        limits = {r.workflow: r.within_ms for r in self.world.rules if isinstance(r, WorkflowRule)}
        return {
            place
            for place in self._singly(service, origin)
            if all(
                self.fastest_ms(w.name, origin, service, place) <= limits[w.name] + SLACK
                for w in self.world.workflows
                if w.name in limits
            )
        }

    def _singly(self, service: str, origin: str) -> set[str]:
        """Places that no rule forbids on their own and where something is sold that fits."""
        noun = self.services[service]
        sold = set()
        for _, offer in self.world.book.offerings.iterrows():
            fits = holds(noun, offer, self.world.policy.headroom) >= 1
            if fits and (noun.spot_tolerant or offer["purchase"] != "spot"):
                sold.add(f"{offer['cloud']}/{offer['region']}")
        return {
            place
            for place, region in self.regions.items()
            if place in sold
            and not any(forbids(r, self.world, service, origin, region) for r in self.world.rules)
        }

    def _fastest_ms(self, name: str, origin: str, service: str, place: str) -> float:
        """Fastest run of a workflow whose step ``service`` is served from ``place``."""
        workflow = next(w for w in self.world.workflows if w.name == name)
        steps = [step.service for step in workflow.in_order()]
        bound = not workflow.origins or origin in workflow.origins
        if service not in steps or not bound:
            return 0.0
        if not all(origin in self.users_of(step) for step in steps):
            return 0.0
        places = [[place] if s == service else self._singly(s, origin) for s in steps]
        return min(
            (self.takes_ms(workflow, origin, chosen) for chosen in product(*places)),
            default=math.inf,
        )

    def _spread(self, rule: SpreadRule, service: str, t: int) -> None:
        """After every loss, every set of users finds enough left where any of them may go."""
        may_use = {g: self.may_use(service, g) for g in self.users_of(service)}
        sizes = range(1, len(may_use) + 1)
        sets = chain.from_iterable(combinations(may_use, size) for size in sizes)
        rate = self.services[service].replica.throughput_rps
        for origins in sets:
            open_to_them = set().union(*(may_use[g] for g in origins))
            asked = rule.share * sum(self.demand(service, g, t) for g in origins)
            for lost in {_lost_with(rule.survives, region) for region in self.regions.values()}:
                left = 0
                for group in self.fleet[service, t]:
                    region = self.regions[group.place]
                    if group.place not in open_to_them:
                        continue
                    if _lost_with(rule.survives, region) != lost:
                        left += group.replicas
                    elif rule.survives is Extent.ZONE:
                        left += self._left_without_a_zone(group, region)
                if left * rate < asked - SLACK * (1 + asked):
                    self.faults.append(f"{rule.name}: {service} at {t} without {lost}")

    def _left_without_a_zone(self, group: Group, region: Region) -> int:
        worst = math.ceil(group.count / region.zones)
        return (group.count - worst) * group.replicas_each

    def _budget(self, rule: BudgetRule) -> None:
        spent = sum(
            float(line.usd)
            for line in self.placement.bill.lines
            if (rule.team is None or self._team(line) == rule.team)
            and rule.cloud in (None, line.cloud)
        )
        monthly = spent * 730 / len(self.hours)
        if monthly > rule.usd_per_month * (1 + SLACK) + 0.1:  # egress lines are rounded
            self.faults.append(f"{rule.name}: {monthly} USD per month")

    def _instances(self, t: int) -> list[Instances]:
        groups = (group for service in self.services for group in self.fleet[service, t])
        return [(self.offers[g.offering], self.regions[g.place], g.count) for g in groups]

    def _team(self, line: BillLine) -> str:
        return self.services[line.service].team if line.service else ""

    def _bill(self) -> None:
        bill = self.placement.bill
        compute = sum(
            (
                Decimal(str(row["price_usd_per_hour"])) * row["count"]
                for row in self.placement.counts.to_dict("records")
            ),
            Decimal(0),
        )
        if bill.by("term").get(Term.COMPUTE, Decimal(0)) != compute:
            self.faults.append(f"compute costs {compute}, not as billed")
        self.faults += wrongly_covered(self.world, self.placement, self._instances)
        committed = sum((line.usd for line in bill.lines if line.commitment), Decimal(0))
        moves = bill.by("term").get(Term.MOVES, Decimal(0))
        billed = bill.total_usd - compute - committed - moves
        by_way = [self.egress_usd(w) for w in self.ways]
        egress = self.expected(by_way)
        # Each line is rounded to a hundredth of a cent.
        rounding = 1e-4 * (1 + 2 * len(self.services) * len(self.regions)) + 1e-6 * egress
        rounding += 1e-3 * len(self.world.commitments)
        if abs(float(billed) - egress) > rounding and not self._may_pay_more(float(billed), egress):
            self.faults.append(f"egress costs {egress}, not {billed}")
        self._carbon()
        self._unmet(bill, self.expected(self.unmet_requests), self.expected(self.unmet_usd))
        for w, one in enumerate(self.placement.scenarios):
            self._unmet(one.bill, self.unmet_requests[w], self.unmet_usd[w])
            compute_too = float(one.bill.total_usd - compute - committed - moves)
            if abs(compute_too - by_way[w]) > rounding and not self._may_pay_more(
                compute_too, by_way[w]
            ):
                self.faults.append(f"egress of scenario {w} costs {by_way[w]}, not {compute_too}")
        objective = self.placement.certificate.objective_usd
        decided = float(bill.total_usd + bill.shadow_usd)
        if self.world.policy.cvar is not None:
            decided = self._with_risk(decided)
        if abs(decided - objective) > rounding + 1e-6 * objective:
            self.faults.append(f"the bill counts as {decided}, the objective is {objective}")

    def _with_risk(self, expected: float) -> float:
        """Fill the tail of the dearest outcomes until its probability is used up."""
        cvar = self.world.policy.cvar
        assert cvar is not None
        left, tail = 1 - cvar.level, 0.0
        dearest = sorted(self.placement.scenarios, key=lambda one: -one.counted_usd)
        for one in dearest:
            taken = min(left, one.probability)
            tail += taken * float(one.counted_usd)
            left -= taken
        return (1 - cvar.weight) * expected + cvar.weight * tail / (1 - cvar.level)

    def expected(self, by_way: list[float]) -> float:
        pairs = zip(self.chances, by_way, strict=True)
        return float(sum(chance * value for chance, value in pairs))

    def _unmet(self, bill: Bill, requests: float, usd: float) -> None:
        said = bill.shadow_of(ShadowTerm.UNMET_DEMAND)
        rounding = 1e-4 * (1 + len(self.services) * len(self.regions))
        close = abs(float(said[1]) - usd) <= rounding
        # a request more or less where solvers leave out a millionth of a replica
        if not close or abs(float(said[0]) - requests) > rounding + 1e-4 * requests:
            self.faults.append(f"unmet demand counts as {said}, not ({requests}, {usd})")

    def _carbon(self) -> None:
        emitted = sum(g.count * g.carbon_kg for groups in self.fleet.values() for g in groups)
        usd_per_tonne = self.world.policy.carbon_usd_per_tonne
        due = (emitted, emitted / 1000 * usd_per_tonne) if usd_per_tonne else (0.0, 0.0)
        said = self.placement.bill.shadow_of(ShadowTerm.CARBON)
        rounding = 1e-4 * (1 + len(self.services) * len(self.regions))
        if any(abs(float(a) - b) > rounding for a, b in zip(said, due, strict=True)):
            self.faults.append(f"carbon counts as {said}, not {due}")

    def _may_pay_more(self, billed: float, egress: float) -> bool:
        """A budget of one team or cloud may make a dearer pairing of places the better one."""
        scoped = any(
            isinstance(rule, BudgetRule) and (rule.team or rule.cloud) for rule in self.world.rules
        )
        return scoped and billed > egress

    def egress_usd(self, w: int) -> float:
        total = 0.0
        for (service, g, t), shares in self.share.items():
            row = w, self.service_row[service], self.origin_row[g], t
            rps = float(self.asked.outlook.direct_rps[row])
            for place, share in shares.items():
                gb = rps * share * self.services[service].response_kib * GB_PER_HOUR_OF_RPS_KIB
                total += gb * self.world.egress[place].internet_usd_per_gb
        for edge, g, t in product(self.world.dependencies, self.origin_row, self.hours):
            calls = self.demand_in(w, edge.caller, g, t) * edge.calls_per_request
            if calls > 0:
                total += calls * GB_PER_HOUR_OF_RPS_KIB * self._usd_per_kib_gb(edge, g, t)
        return total

    def _usd_per_kib_gb(self, edge: Dependency, g: str, t: int) -> float:
        """Cheapest pairing of the caller's places with the callee's, per call."""
        out, into = self.share[edge.caller, g, t], self.share[edge.callee, g, t]
        pairs = list(product(out, into))
        usd = [
            edge.request_kib * level_price(self.world, self.regions[p], self.regions[q])
            + edge.response_kib * level_price(self.world, self.regions[q], self.regions[p])
            for p, q in pairs
        ]
        leaves = [[float(p == place) for p, _ in pairs] for place in out]
        arrives = [[float(q == place) for _, q in pairs] for place in into]
        # one row is implied by the others, and may miss them by the shares left out
        right = [*out.values(), *into.values()][:-1]
        found = linprog(usd, A_eq=np.array([*leaves, *arrives])[:-1], b_eq=right)
        if found.fun is None:
            raise AssertionError(f"no pairing of {out} with {into}: {found.message}")
        return float(found.fun)


def _lost_with(extent: Extent, region: Region) -> str:
    return region.cloud.value if extent is Extent.CLOUD else region.place


def broken(asked: Asked, placement: Placement) -> list[str]:
    """Everything that is wrong with ``placement``; empty when it is lawful and its bill right."""
    return Checker(asked, placement).broken()
