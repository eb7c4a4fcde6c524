"""Checks what a placement changes of today's fleet, with plain loops over hours and offerings."""

from __future__ import annotations

from referee import Naive
from small_worlds import Asked

from models.placement import Placement, ShadowTerm, Term
from models.rules import DisruptionRule

Key = tuple[str, str, str]  # place, instance type, "spot" or "on_demand"
ROUNDING_USD = 1e-4


class ChangeChecker:
    def __init__(self, asked: Asked, placement: Placement) -> None:
        self.world, self.placement = asked.world, placement
        self.hours = asked.demand_rps.shape[2]
        self.costs = self.world.policy.changes
        self.today: dict[str, dict[Key, int]] = {}
        for group in self.world.fleet.groups:
            bought = "spot" if group.purchase == "spot" else "on_demand"
            key = (group.place, group.instance_type, bought)
            mine = self.today.setdefault(group.service, {})
            mine[key] = mine.get(key, 0) + group.count
        self.plan: dict[str, dict[Key, list[int]]] = {}
        for row in placement.counts.to_dict("records"):
            key = (f"{row['cloud']}/{row['region']}", row["instance_type"], row["purchase"])
            counts = self.plan.setdefault(row["service"], {}).setdefault(key, [0] * self.hours)
            counts[row["period"]] = row["count"]
        self.services = {service.name: service for service in self.world.services}
        self.may_stay: set[str] = set()
        if self.costs.must_be_worth_it and self.today:
            standing = Naive(asked).standing
            now = standing.runs_now()
            self.may_stay = {s for s in self.today if standing.may_stay(s, now)}

    def faults(self) -> list[str]:
        found = [fault for name in self.plan for fault in self._sustained(name)]
        if self.costs.count:
            found += [fault for name in self.today for fault in self._moves(name)]
            found += self._hurdles()
        for rule in self.world.rules:
            if isinstance(rule, DisruptionRule):
                found += self._disruption(rule)
        return found

    def _of(self, service: str) -> list[tuple[Key, int, list[int]]]:
        """Every offering that runs now or in the plan: now, and hour by hour."""
        plan, today = self.plan.get(service, {}), self.today[service]
        keys = sorted(plan.keys() | today.keys())
        return [(key, today.get(key, 0), plan.get(key, [0] * self.hours)) for key in keys]

    def _moves(self, name: str) -> list[str]:
        started = sum(max(0, max(hours) - now) for _, now, hours in self._of(name))
        once = started * self.costs.usd_per_started_instance
        if self.services[name].stateful:
            here = {place for place, _, _ in self.today[name]}
            there = {place for place, _, _ in self.plan.get(name, {})} - here
            gib = len(there) * self.services[name].state_gib
            once += gib * self.costs.usd_per_gib_of_state_moved
        due = once * self.hours / self.costs.amortise_over_hours
        lines = self.placement.bill.lines
        said = sum(float(x.usd) for x in lines if x.term is Term.MOVES and x.service == name)
        wrong = abs(due - said) > ROUNDING_USD * (1 + len(self.world.regions))
        return [f"moves of {name} cost {due}, not {said}"] if wrong else []

    def _hurdles(self) -> list[str]:
        due = sum(self._least_saving(name) for name in self.today if self._is_charged(name))
        said = float(self.placement.bill.shadow_of(ShadowTerm.MINIMUM_SAVING)[1])
        wrong = abs(due - said) > ROUNDING_USD * (1 + len(self.today))
        return [f"minimum savings count as {said}, not {due}"] if wrong else []

    def _is_charged(self, name: str) -> bool:
        changes = any(set(hours) != {now} for _, now, hours in self._of(name))
        return changes and name in self.may_stay

    def _least_saving(self, name: str) -> float:
        price = {
            (f"{o['cloud']}/{o['region']}", o["instance_type"], o["purchase"]): float(
                o["price_usd_per_hour"]
            )
            for _, o in self.world.book.offerings.iterrows()
        }
        spent = sum(price.get(key, 0.0) * now for key, now in self.today[name].items()) * self.hours
        least = self.costs.minimum_saving_usd_per_month * self.hours / 730
        return float(max(least, self.costs.minimum_saving_share * spent))

    def _disruption(self, rule: DisruptionRule) -> list[str]:
        found = []
        for day in range(-(-self.hours // 24)):
            changes = {
                name: self._changes(name, day) for name in rule.services if name in self.today
            }
            most = rule.at_most_per_day
            found += [
                f"{rule.name}: {name} changes {count} instances on day {day}"
                for name, count in changes.items()
                if most is not None and count > most
            ]
            if rule.in_all_per_day is not None and sum(changes.values()) > rule.in_all_per_day:
                found.append(f"{rule.name}: {sum(changes.values())} changes on day {day}")
        return found

    def _changes(self, name: str, day: int) -> int:
        """Starts and stops of one day."""
        total = 0
        for _, now, hours in self._of(name):
            before = [now, *hours]
            first, last = 24 * day, min(24 * day + 24, self.hours)
            total += sum(abs(hours[t] - before[t]) for t in range(first, last))
        return total

    def _sustained(self, name: str) -> list[str]:
        """What started within the minimum time still runs, oldest instances stopping first."""
        service = self.services[name]
        least = service.minimum_run_hours or self.world.policy.minimum_run_hours
        if service.stateful:
            return []
        found = []
        for key, hours in self.plan[name].items():
            before = [self.today[name].get(key, 0) if name in self.today else hours[0], *hours]
            starts = [max(0, hours[t] - before[t]) for t in range(self.hours)]
            found += [
                f"{name} stops what has just started on {key} at {t}"
                for t in range(self.hours)
                if sum(starts[max(0, t - least + 1) : t + 1]) > hours[t]
            ]
        return found
