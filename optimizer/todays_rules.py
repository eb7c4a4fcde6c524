"""Which rules the current fleet breaks, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np

from models.fleet import Group
from models.interruptions import chance_of_outage, per_month_of, pools_at_once
from models.offerings import MONTHLY_INTERRUPTION, Purchase
from models.placement import Bill
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
from models.services import Workflow
from models.world import HOURS_PER_MONTH
from optimizer.problem import Floats, Ints
from optimizer.todays_fleet import TodaysFleet


@dataclass(frozen=True, eq=False)
class Inspection:
    """Looks at a fleet rule by rule. ``demand_rps`` [service, origin, period]."""

    fleet: TodaysFleet
    demand_rps: Floats
    bill: Bill

    def at(self, rule: Rule) -> str | None:
        """How the fleet breaks a rule, in words; None when it keeps it."""
        match rule:
            case ResidencyRule():
                return self._wrong_places(
                    rule.services,
                    lambda r: bool(r.jurisdictions & rule.jurisdictions),
                    rule.origins,
                )
            case CertificationRule():
                return self._wrong_places(
                    rule.services, lambda r: rule.certificates <= r.certifications
                )
            case AllowedPlacesRule():
                return self._wrong_places(
                    rule.services,
                    lambda r: (
                        (rule.allow is None or rule.allow.holds(r))
                        and not (rule.forbid is not None and rule.forbid.holds(r))
                    ),
                )
            case LatencyRule() | WorkflowRule():
                return self._too_slow(rule)
            case MinReplicasRule():
                held = sum(replicas for _, _, replicas in self.fleet.of(rule.service))
                short = held < rule.at_least and rule.service not in self.fleet.unknown
                return f"runs {held}" if short else None
            case MaxPlacesRule():
                places = int(self.fleet.runs[self._index[rule.service]].sum())
                return f"runs in {places} places" if places > rule.at_most else None
            case SpreadRule() | SpotRiskRule():
                return self._too_little_left(rule)
            case SpotShareRule():
                return self._too_much_spot(rule)
            case QuotaRule():
                return self._beyond_quota(rule)
            case BudgetRule():
                return self._over_budget(rule)
            case DisruptionRule():
                return None  # about changes, and a fleet that stays as it is makes none

    @property
    def _index(self) -> Mapping[str, int]:
        return self.fleet.world.service_index

    @cached_property
    def _origins(self) -> Mapping[str, int]:
        return {origin.name: g for g, origin in enumerate(self.fleet.world.origins)}

    @cached_property
    def _workflows(self) -> Mapping[str, Workflow]:
        return {workflow.name: workflow for workflow in self.fleet.world.workflows}

    def _wrong_places(
        self,
        services: tuple[str, ...],
        fine: Callable[[Region], bool],
        origins: tuple[str, ...] = (),
    ) -> str | None:
        regions = self.fleet.world.regions
        rows = np.array([self._index[name] for name in services], np.int64)
        used = self.fleet.runs[rows]
        if origins:  # only these users' traffic is bound, and it goes to the nearest place
            used = np.zeros_like(used)
            for name in origins:
                nearest = self.fleet.nearest[rows, self._origins[name]]
                used[np.flatnonzero(nearest >= 0), nearest[nearest >= 0]] = True
        used &= np.array([not fine(region) for region in regions], np.bool_)
        wrong = {(services[i], regions[r].place) for i, r in np.argwhere(used).tolist()}
        return listed([f"{service} runs in {place}" for service, place in sorted(wrong)])

    def _too_slow(self, rule: LatencyRule | WorkflowRule) -> str | None:
        if isinstance(rule, LatencyRule):
            bound, takes_ms = rule.origins, self._answers_ms(rule)
        else:
            workflow = self._workflows[rule.workflow]
            bound, takes_ms = workflow.origins, self._ends_ms(workflow)
        slow = ((name, takes_ms[self._origins[name]]) for name in bound or tuple(self._origins))
        return listed(
            [f"takes {ms:.0f} ms for users of {name}" for name, ms in slow if ms > rule.within_ms]
        )

    def _answers_ms(self, rule: LatencyRule) -> Floats:
        """[origin]; not a number where nothing answers."""
        s = self._index[rule.service]
        own_ms = self.fleet.world.services[s].replica.service_time_ms
        nearest = self.fleet.nearest[s]
        trips = self.fleet.from_origin_ms[np.arange(len(nearest)), nearest]
        answers: Floats = np.where(nearest >= 0, trips + own_ms, np.nan)
        return answers

    def _ends_ms(self, workflow: Workflow) -> Floats:
        """[origin]: when the last step ends, each in the place nearest to the origin; not a number
        where one runs nowhere.
        """
        fleet = self.fleet
        all_origins = np.arange(len(self._origins))
        ends: dict[str, Floats] = {}
        at: dict[str, Ints] = {}
        for step in workflow.in_order():
            s = self._index[step.service]
            here = at[step.service] = fleet.nearest[s]
            starts = [ends[name] + fleet.between_ms[at[name], here] for name in step.after]
            first = starts or [fleet.from_origin_ms[all_origins, here]]
            own_ms = fleet.world.services[s].replica.service_time_ms
            ends[step.service] = np.max(first, axis=0) + own_ms
        nowhere = np.any([places < 0 for places in at.values()], axis=0)
        last: Floats = np.where(nowhere, np.nan, np.max(list(ends.values()), axis=0))
        return last

    def _too_little_left(self, rule: SpreadRule | SpotRiskRule) -> str | None:
        if isinstance(rule, SpreadRule):
            return self._not_spread(rule)
        return self._too_few_pools(rule)

    def _not_spread(self, rule: SpreadRule) -> str | None:
        world = self.fleet.world
        short = []
        for s in sorted({self._index[name] for name in rule.services}):
            service = world.services[s]
            held = self.fleet.of(service.name)
            if not held or service.name in self.fleet.unknown:
                continue
            needed = rule.share * self.demand_rps[s].sum(axis=0).max()
            total = sum(replicas for _, _, replicas in held)
            lost: dict[str, float] = {}
            for group, region, replicas in held:
                name, gone = _lost_with(rule.survives, region, group, replicas)
                lost[name] = lost.get(name, 0.0) + gone
            worst = max(lost, key=lambda name: lost[name])
            left = (total - lost[worst]) * service.replica.throughput_rps
            if left < needed * (1 - 1e-9):
                kept = left / needed * rule.share
                short.append(f"{service.name} keeps {kept:.0%} of demand without {worst}")
        return listed(short)

    def _too_much_spot(self, rule: SpotShareRule) -> str | None:
        beyond = []
        for name in rule.services:
            total: dict[str, int] = {}
            spot: dict[str, int] = {}
            for group, _, replicas in self.fleet.of(name):
                total[group.place] = total.get(group.place, 0) + replicas
                if group.purchase is Purchase.SPOT:
                    spot[group.place] = spot.get(group.place, 0) + replicas
            beyond += [
                f"{name} runs {held / total[place]:.0%} on spot in {place}"
                for place, held in sorted(spot.items())
                if held > rule.at_most * total[place]
            ]
        return listed(beyond)

    def _too_few_pools(self, rule: SpotRiskRule) -> str | None:
        """Whether the loss of as many pools as may go at once, the largest, leaves too little."""
        fleet = self.fleet
        short = []
        for s in sorted({self._index[name] for name in rule.services}):
            service = fleet.world.services[s]
            if service.name in fleet.unknown:
                continue
            total, pools, often = 0, dict[tuple[str, str], int](), dict[tuple[str, str], float]()
            for i in fleet.rows_of(service.name):
                group, held = fleet.groups[i], int(fleet.replicas[i])
                total += held
                if group.purchase is Purchase.SPOT:
                    family, monthly = str(self._families[i]), self._interruptions[i]
                    pool = (group.place, family)
                    known = None if np.isnan(monthly) else per_month_of(monthly)
                    rate = rule.per_month(fleet.regions[group.place], family, known)
                    pools[pool] = pools.get(pool, 0) + held
                    often[pool] = max(often.get(pool, 0.0), rate)
            chances = np.array([chance_of_outage(often[p], rule.outage_hours) for p in pools])
            at_once = pools_at_once(chances, rule.chance_at_most)
            lost = sum(sorted(pools.values(), reverse=True)[:at_once])
            needed = rule.share * self.demand_rps[s].sum(axis=0).max()
            left = (total - lost) * service.replica.throughput_rps
            if lost and left < needed * (1 - 1e-9):
                short.append(
                    f"{service.name} keeps {left / needed * rule.share:.0%} of demand without "
                    f"{at_once} of its {len(pools)} spot pools"
                )
        return listed(short)

    def _beyond_quota(self, rule: QuotaRule) -> str | None:
        fleet = self.fleet
        regions = fleet.world.regions
        counted = np.array([rule.where.holds(region) for region in regions])[fleet.region]
        if rule.families:
            counted &= np.isin(self._families, rule.families)
        if rule.spot is not None:
            counted &= self._spot == rule.spot
        vcpus = fleet.offered["vcpus"].to_numpy(np.float64) * fleet.count
        beyond = []
        for size, limit, unit in (
            (vcpus, rule.vcpus_at_most, "vCPUs"),
            (fleet.count, rule.instances_at_most, "instances"),
        ):
            if limit is not None:
                used = np.bincount(fleet.region[counted], size[counted], len(regions))
                over = [(regions[r].place, used[r]) for r in np.flatnonzero(used > limit)]
                beyond += [f"{amount:g} {unit} in {place}" for place, amount in sorted(over)]
        return listed(beyond)

    @cached_property
    def _families(self) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
        return self.fleet.offered["family"].astype(str).to_numpy(object)

    @cached_property
    def _interruptions(self) -> Floats:
        """[group]: the chance of an interruption within a month, where the book tells it."""
        if MONTHLY_INTERRUPTION not in self.fleet.offered:
            return np.full(len(self.fleet.groups), np.nan)
        return self.fleet.offered[MONTHLY_INTERRUPTION].to_numpy(np.float64)

    @cached_property
    def _spot(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array([g.purchase is Purchase.SPOT for g in self.fleet.groups], np.bool_)

    def _over_budget(self, rule: BudgetRule) -> str | None:
        counted = [
            usd
            for (team, cloud), usd in self._spent.items()
            if (rule.team is None or team == rule.team)
            and (rule.cloud is None or cloud == rule.cloud.value)
        ]
        monthly = float(sum(counted, Decimal(0))) * HOURS_PER_MONTH / self.bill.hours
        return f"costs {monthly:,.0f} USD per month" if monthly > rule.usd_per_month else None

    @cached_property
    def _spent(self) -> Mapping[tuple[str, str], Decimal]:
        """USD by team and cloud; commitments are of no team."""
        teams = {service.name: service.team for service in self.fleet.world.services}
        spent: dict[tuple[str, str], Decimal] = {}
        for line in self.bill.lines:
            key = (teams.get(line.service, ""), line.cloud)
            spent[key] = spent.get(key, Decimal(0)) + line.usd
        return spent


def _lost_with(extent: Extent, region: Region, group: Group, replicas: int) -> tuple[str, float]:
    """What is lost, and how many replicas of the group go with it."""
    if extent is Extent.CLOUD:
        return region.cloud.value, replicas
    if extent is Extent.REGION or region.zones == 1:
        return region.place, replicas
    worst_zone = -(-group.count // region.zones)  # instances stand evenly in the zones
    return f"a zone of {region.place}", replicas * worst_zone / group.count


def listed(found: list[str], most: int = 3) -> str | None:
    """The first of what was found, and how many more; None when nothing was."""
    if not found:
        return None
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + more
