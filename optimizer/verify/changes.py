"""What a plan changes of today's fleet: minimum runs, changes a day, one-off costs and hurdles.

A reserved instance runs like one on demand: what is bought is another matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np

from models.offerings import Purchase
from models.placement import CENT_OF_A_CENT, BillLine, ShadowLine, ShadowTerm, Term
from models.rules import DisruptionRule, MaxPlacesRule, MinReplicasRule, SpotShareRule, SpreadRule
from models.world import HOURS_PER_MONTH
from optimizer.verify.case import TOLERANCE, Bools, Case, Ints
from optimizer.verify.entries import InstanceEntry
from optimizer.verify.findings import Given, Violation, given
from optimizer.verify.givens import eligible, unmet_terms
from optimizer.verify.reroute import unserved
from optimizer.verify.rules import check_alone

HOURS_PER_DAY = 24
ONE_OFF = "one_off"

Key = tuple[str, str, str]
"""Place, instance type and purchase option."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """Instances of one service on one offering: ``now``, and in the plan [hour]."""

    key: Key
    now: int
    planned: Ints


class Changes:
    """What becomes of every service. ``allowed`` [service, origin, region] is lawful."""

    def __init__(self, case: Case, allowed: Bools) -> None:
        self.case, self.allowed = case, allowed
        self.costs = case.world.policy.changes
        self.today: dict[str, dict[Key, int]] = {}
        for group in case.world.fleet.groups:
            spot = group.purchase is Purchase.SPOT
            bought = (Purchase.SPOT if spot else Purchase.ON_DEMAND).value
            key = (group.place, group.instance_type, bought)
            mine = self.today.setdefault(group.service, {})
            mine[key] = mine.get(key, 0) + group.count
        self.plan: dict[str, dict[Key, Ints]] = {}
        for entry in case.plan.instances:
            key = (entry.place, entry.instance_type, entry.purchase)
            counts = np.array(entry.count_per_hour, np.int64)
            mine_planned = self.plan.setdefault(entry.service, {})
            mine_planned[key] = mine_planned.get(key, 0) + counts

    def of(self, service: str) -> Iterator[Numbers]:
        """Every offering that runs now or in the plan."""
        now, planned = self.today.get(service, {}), self.plan.get(service, {})
        none = np.zeros(self.case.hours, np.int64)
        for key in sorted(now.keys() | planned.keys()):
            yield Numbers(key, now.get(key, 0), planned.get(key, none))

    def violations(self) -> Iterator[Violation]:
        """Instances that stop too soon, and days of too many changes."""
        for service in self.case.world.services:
            least = service.minimum_run_hours or self.case.world.policy.minimum_run_hours
            if least > 1 and not service.stateful:
                yield from self._too_soon(service.name, least)
        for rule in self.case.world.rules:
            if isinstance(rule, DisruptionRule):
                yield from self._too_many(rule)

    def _too_soon(self, name: str, least: int) -> Iterator[Violation]:
        """The oldest stop first: whatever started within the minimum must still run."""
        for numbers in self.of(name):
            before = numbers.now if name in self.today else int(numbers.planned[0])
            started = np.maximum(np.diff(numbers.planned, prepend=before), 0)
            recent = np.convolve(started, np.ones(least, np.int64))[: self.case.hours]
            missing = recent - numbers.planned
            if (missing > 0).any():
                place, kind, _ = numbers.key
                yield given(
                    Given.STEADINESS,
                    f"{name} stops {kind} in {place} within {least} h of its start",
                    service=name,
                    place=place,
                    hours=tuple(np.flatnonzero(missing > 0).tolist()),
                    by=float(missing.max()),
                    unit="instances",
                )

    def _too_many(self, rule: DisruptionRule) -> Iterator[Violation]:
        day = np.arange(self.case.hours) // HOURS_PER_DAY
        in_all = np.zeros(int(day.max()) + 1)
        for name in rule.services:
            if name in self.today:
                changes = np.zeros(self.case.hours)
                for numbers in self.of(name):
                    changes += np.abs(np.diff(numbers.planned, prepend=numbers.now))
                per_day = np.bincount(day, changes)
                in_all += per_day
                yield from _beyond(rule, rule.at_most_per_day, per_day, name)
        yield from _beyond(rule, rule.in_all_per_day, in_all, "")

    def moves(self) -> tuple[BillLine, ...]:
        """The horizon's share of what is paid once, per service and place."""
        share = Decimal(self.case.hours) / Decimal(repr(self.costs.amortise_over_hours))
        lines = []
        for service in self.case.world.services:
            if not self.costs.moves_cost or service.name not in self.today:
                continue
            once: dict[str, Decimal] = {}
            for numbers in self.of(service.name):
                started = max(0, int(numbers.planned.max()) - numbers.now)
                usd = started * Decimal(repr(self.costs.usd_per_started_instance))
                once[numbers.key[0]] = once.get(numbers.key[0], Decimal(0)) + usd
            if service.stateful:
                here = {place for place, _, _ in self.today[service.name]}
                there = {key[0] for key, n in self.plan.get(service.name, {}).items() if n.any()}
                per_gib = Decimal(repr(self.costs.usd_per_gib_of_state_moved))
                for place in there - here:
                    once[place] += Decimal(repr(float(service.state_gib))) * per_gib
            for place, usd in sorted(once.items()):
                exact = (usd * share).quantize(CENT_OF_A_CENT)
                if exact:
                    cloud = place.split("/", 1)[0]
                    lines.append(BillLine(Term.MOVES, cloud, place, service.name, ONE_OFF, exact))
        return tuple(lines)

    @cached_property
    def hurdles(self) -> tuple[ShadowLine, ...]:
        """Minimum savings of services that change and could stay."""
        if not self.costs.must_be_worth_it:
            return ()
        months = Decimal(repr(self.case.hours / HOURS_PER_MONTH)).quantize(CENT_OF_A_CENT)
        lines = []
        for name in self.case.services:
            changes = any((n.planned != n.now).any() for n in self.of(name))
            least = self._least_saving_usd(name)
            if name in self.today and changes and least > 0 and self._could_stay(name):
                usd = Decimal(repr(least)).quantize(CENT_OF_A_CENT)
                lines.append(ShadowLine(ShadowTerm.MINIMUM_SAVING, "", "", name, months, usd))
        return tuple(lines)

    def _least_saving_usd(self, name: str) -> float:
        book = self.case.world.book.offerings
        keys = zip(
            book["cloud"].astype(str) + "/" + book["region"].astype(str),
            book["instance_type"].astype(str),
            book["purchase"].astype(str),
            strict=True,
        )
        price = dict(zip(keys, book["price_usd_per_hour"].tolist(), strict=True))
        spent = sum(price.get(key, 0.0) * n for key, n in self.today.get(name, {}).items())
        least = self.costs.minimum_saving_usd_per_month * self.case.hours / HOURS_PER_MONTH
        return float(max(least, self.costs.minimum_saving_share * spent * self.case.hours))

    def _could_stay(self, name: str) -> bool:
        """Whether what runs today may go on, and is enough for the service's demand and rules."""
        s = self.case.services[name]
        service = self.case.world.services[s]
        book = self.case.world.book.offerings[eligible(self.case, service)]
        may_buy = set(
            zip(
                book["cloud"].astype(str) + "/" + book["region"].astype(str),
                book["instance_type"].astype(str),
                book["purchase"].astype(str),
                strict=True,
            )
        )
        asks = self.case.asks[s] if self.case.asks[s].any() else np.ones_like(self.case.asks[s])
        useful = self.allowed[s][asks].any(axis=0)
        for key in self.today[name]:
            if key not in may_buy or not useful[self.case.places[key[0]]]:
                return False
        still = self._as_it_stands(name)
        capacity = (still.replicas(s).T * service.replica.throughput_rps).astype(np.float64)
        spared, _ = unmet_terms(self.case.world, service)
        for scenario in self.case.demand.outlook.scenario_rps[:, s]:
            short = unserved(scenario.T, capacity, self.allowed[s])
            total = scenario.sum(axis=0)
            if (short > spared * total + TOLERANCE * (1 + total)).any():
                return False
        return not any(
            violation.service == name
            for rule in self.case.world.rules
            if isinstance(rule, MinReplicasRule | MaxPlacesRule | SpreadRule | SpotShareRule)
            for violation in check_alone(rule, still, self.allowed)
        )

    def _as_it_stands(self, name: str) -> Case:
        """The case of a plan that leaves the service's instances as they are."""
        hours = self.case.hours
        entries = [
            InstanceEntry(
                service=name,
                place=place,
                instance_type=kind,
                purchase=purchase,
                count_per_hour=[count] * hours,
            )
            for (place, kind, purchase), count in self.today[name].items()
        ]
        plan = self.case.plan.model_copy(update={"instances": entries, "routes": []})
        return Case(self.case.world, plan, self.case.demand)


def _beyond(
    rule: DisruptionRule, limit: int | None, per_day: np.ndarray, name: str
) -> Iterator[Violation]:
    if limit is None or not (per_day > limit).any():
        return
    worst = int(per_day.argmax())
    first = worst * HOURS_PER_DAY
    whose = name or "services together"
    yield Violation(
        rule.name,
        rule.in_words,
        rule.at,
        f"{whose}: {per_day[worst]:,.0f} instances start or stop on day {worst + 1}, "
        f"{limit:,} are allowed",
        name,
        "",
        tuple(range(first, first + HOURS_PER_DAY)),
        float(per_day[worst] - limit),
        "instances",
    )
