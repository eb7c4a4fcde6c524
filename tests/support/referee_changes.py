"""The naive model's view of today's fleet: what moves cost, what must be worth it, what is slow.

The numbers of instances are those of the naive model, hour by hour and offering by offering.
"""

from __future__ import annotations

import math
from itertools import combinations, product
from typing import TYPE_CHECKING

import pulp

from models.fleet import Group
from models.offerings import Purchase
from models.rules import (
    DisruptionRule,
    Extent,
    MaxPlacesRule,
    MinReplicasRule,
    Rule,
    SpotShareRule,
    SpreadRule,
)

if TYPE_CHECKING:
    from referee import Naive

TOLERANCE = 1e-6


class StandingFleet:
    """What runs today, in the terms of one naive model."""

    def __init__(self, naive: Naive) -> None:
        self.naive = naive

    def runs_now(self) -> dict[tuple[str, int], int]:
        """Instances of today's fleet by service and row of the price book; -1: of none that the
        service may still use."""
        now: dict[tuple[str, int], int] = {}
        for group in self.naive.world.fleet.groups:
            rows = [
                i
                for name, i in self.naive.fits
                if name == group.service
                and self.naive.place_of(i) == group.place
                and self.naive.offers[i]["instance_type"] == group.instance_type
                and self.naive.offers[i]["purchase"] == group.purchase
            ]
            key = (group.service, rows[0] if rows and self.is_open(group) else -1)
            now[key] = now.get(key, 0) + group.count
        return now

    def is_open(self, group: Group) -> bool:
        """Whether anybody may be served where the group runs."""
        s, p = group.service, group.place
        users = [g for g in self.naive.origins if self.naive.needs(s, g)]
        return any(self.naive.may_serve(s, g, p) for g in users or self.naive.origins)

    def moves(self) -> None:
        costs, now = self.naive.world.policy.changes, self.runs_now()
        share = self.naive.hours / costs.amortise_over_hours
        for s in {service for service, _ in now} if costs.count else set():
            stays = self.may_stay(s, now)
            changed = self.naive.var("changed", 1, "Binary")
            for name, i in self.naive.fits:
                if name != s:
                    continue
                runs = now.get((s, i), 0)
                started = self.naive.var("started")
                for t in range(self.naive.hours):
                    self.naive.model += started >= self.naive.n[s, i, t] - runs
                    if stays:
                        self.naive.model += self.naive.n[s, i, t] - runs <= 1000 * changed
                        self.naive.model += runs - self.naive.n[s, i, t] <= 1000 * changed
                once = costs.usd_per_started_instance * share
                self.naive.spend.append((once * started, s, self.naive.place_of(i)))
            if stays:
                self.naive.unpaid.append(self._least_saving(s) * changed)
            here = {g.place for g in self.naive.world.fleet.groups if g.service == s}
            service = self.naive.services[s][1]
            for (name, place), opened in self.naive.y.items():
                if name == s and service.stateful and place not in here:
                    once = service.state_gib * costs.usd_per_gib_of_state_moved * share
                    self.naive.spend.append((once * opened, s, place))

    def may_stay(self, s: str, now: dict[tuple[str, int], int]) -> bool:
        """Whether a hurdle holds: all that runs may stay, and is enough for what the service's
        own demand and rules ask for."""
        mine = {i: count for (name, i), count in now.items() if name == s}
        return -1 not in mine and self._least_saving(s) > 0 and self.is_enough(s, mine)

    def is_enough(self, s: str, now: dict[int, int]) -> bool:
        held: dict[str, int] = {}
        spot: dict[str, int] = {}
        for i, count in now.items():
            place = self.naive.place_of(i)
            held[place] = held.get(place, 0) + self.naive.fits[s, i] * count
            if self.naive.offers[i]["purchase"] == Purchase.SPOT:
                spot[place] = spot.get(place, 0) + self.naive.fits[s, i] * count
        return self._meets_demand(s, held) and all(
            self._keeps(rule, s, now, held, spot) for rule in self.naive.world.rules
        )

    def _keeps(
        self, rule: Rule, s: str, now: dict[int, int], held: dict[str, int], spot: dict[str, int]
    ) -> bool:
        match rule:
            case MinReplicasRule(service=name) if name == s:
                each = self.naive.services[s][1].stateful
                return min(held.values() if each else [sum(held.values())]) >= rule.at_least
            case MaxPlacesRule(service=name) if name == s:
                return len(held) <= rule.at_most
            case SpotShareRule(services=names) if s in names:
                return all(n <= rule.at_most * held[p] + TOLERANCE for p, n in spot.items())
            case SpreadRule(services=names) if s in names:
                left = self._left_after_losses(s, now, rule.survives, held)
                return all(self._covers(s, rule.share, rest) for rest in left)
            case _:
                return True

    def _left_after_losses(
        self, s: str, now: dict[int, int], extent: Extent, held: dict[str, int]
    ) -> list[dict[str, int]]:
        if extent is Extent.CLOUD:
            clouds = {region.cloud for region in self.naive.regions.values()}
            return [
                {p: n for p, n in held.items() if self.naive.regions[p].cloud is not c}
                for c in clouds
            ]
        left = []
        for p, region in self.naive.regions.items():
            rest = {q: n for q, n in held.items() if q != p}
            if extent is Extent.ZONE and region.zones > 1:
                rest[p] = sum(
                    self.naive.fits[s, i] * (count - math.ceil(count / region.zones))
                    for i, count in now.items()
                    if self.naive.place_of(i) == p
                )
            left.append(rest)
        return left

    def _covers(self, s: str, share: float, held: dict[str, int]) -> bool:
        """Whether every set of users finds a share of planned demand where some of them may go."""
        return all(
            replicas >= share * sum(self.naive.demand(s, g, t) for g in group)
            for group, replicas in self._usable(s, held)
            for t in range(self.naive.hours)
        )

    def _meets_demand(self, s: str, held: dict[str, int]) -> bool:
        """The same for every demand scenario, less what may go unmet."""
        own = self.naive.services[s][1].unmet_at_most
        spared = self.naive.world.policy.unmet_at_most if own is None else own
        users = [g for g in self.naive.origins if self.naive.needs(s, g)]
        for w, t in product(
            range(len(self.naive.asked.outlook.probability)), range(self.naive.hours)
        ):
            rps = {g: self.naive.demand_in(w, s, g, t) for g in users}
            for group, replicas in self._usable(s, held):
                if replicas < sum(rps[g] for g in group) - spared * sum(rps.values()):
                    return False
        return True

    def _usable(self, s: str, held: dict[str, int]) -> list[tuple[tuple[str, ...], float]]:
        """Every set of users, and the rps of what is held where some of them may go."""
        users = [g for g in self.naive.origins if self.naive.needs(s, g)]
        rate = self.naive.services[s][1].replica.throughput_rps
        found = []
        for size in range(1, len(users) + 1):
            for group in combinations(users, size):
                places = {
                    p for p in self.naive.regions for g in group if self.naive.may_serve(s, g, p)
                }
                held_rps = rate * sum(n for p, n in held.items() if p in places)
                found.append((group, held_rps + TOLERANCE))
        return found

    def _least_saving(self, s: str) -> float:
        """What a change of the service must save over the horizon."""
        costs = self.naive.world.policy.changes
        usd_per_hour = 0.0
        for group in self.naive.world.fleet.groups:
            for offer in self.naive.offers.values():
                if (
                    group.service == s
                    and group.place == f"{offer['cloud']}/{offer['region']}"
                    and group.instance_type == offer["instance_type"]
                    and group.purchase == offer["purchase"]
                ):
                    usd_per_hour += group.count * float(offer["price_usd_per_hour"])
        least = costs.minimum_saving_usd_per_month * self.naive.hours / 730
        return float(max(least, costs.minimum_saving_share * usd_per_hour * self.naive.hours))

    def disruption(self, rule: DisruptionRule) -> None:
        now = self.runs_now()
        by_day: dict[tuple[str, int], list[pulp.LpVariable | int]] = {}
        for s in {service for service, _ in now} & set(rule.services):
            by_day[s, 0] = [now.get((s, -1), 0)]
            for name, i in self.naive.fits:
                if name != s:
                    continue
                before = now.get((s, i), 0)
                for t in range(self.naive.hours):
                    up, down = self.naive.var("up"), self.naive.var("down")
                    self.naive.model += self.naive.n[s, i, t] - before == up - down
                    by_day.setdefault((s, t // 24), []).extend([up, down])
                    before = self.naive.n[s, i, t]
        for changes in by_day.values():
            if rule.at_most_per_day is not None:
                self.naive.model += pulp.lpSum(changes) <= rule.at_most_per_day
        for day in {day for _, day in by_day}:
            if rule.in_all_per_day is not None:
                all_of_them = [x for (_, d), changes in by_day.items() if d == day for x in changes]
                self.naive.model += pulp.lpSum(all_of_them) <= rule.in_all_per_day

    def sustained(self) -> None:
        """Every instance has a start and an end, far enough apart; what runs now may end any time.

        Of a service that does not run today, what runs in the first hour has been running before.
        """
        now = self.runs_now()
        hours = self.naive.hours
        for s, i in self.naive.fits:
            service = self.naive.services[s][1]
            least = service.minimum_run_hours or self.naive.world.policy.minimum_run_hours
            if service.stateful or least == 1:
                continue
            lives = {
                (t, end): self.naive.var("life", None, "Integer")
                for t in range(hours)
                for end in range(t + 1, hours + 1)
                if end >= min(t + least, hours)
            }
            old = [self.naive.var("old", None, "Integer") for _ in range(hours + 1)]  # by end
            if any(name == s for name, _ in now):
                self.naive.model += pulp.lpSum(old) == now.get((s, i), 0)
            for t in range(hours):
                alive = [x for (start, end), x in lives.items() if start <= t < end]
                self.naive.model += self.naive.n[s, i, t] == pulp.lpSum(alive + old[t + 1 :])
