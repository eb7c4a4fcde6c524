"""What-ifs: scenario files, and the worlds that they make of a world."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from models.errors import Location
from models.offerings import Purchase
from models.rules import AllowedPlacesRule, BudgetRule, InterruptionFactor, SpotRiskRule
from models.world import Catalogue, DemandFactor, World
from scenarios.build import book_in, series_of
from scenarios.changes import (
    AddCommitmentsChange,
    AddRulesChange,
    DropCommitmentsChange,
    DropRulesChange,
    Forbid,
    ForbidChange,
    Lose,
    LoseChange,
    PriceCarbon,
    PriceCarbonChange,
    ScaleBudget,
    ScaleBudgetChange,
    ScaleDemand,
    ScaleDemandChange,
    ScaleInterruptions,
    ScaleInterruptionsChange,
    ScalePrices,
    ScalePricesChange,
    ScenarioFile,
    Withdraw,
    WithdrawChange,
)
from scenarios.commitments import commitments_of
from scenarios.documents import check_version
from scenarios.faults import Faults
from scenarios.grids import check_grids
from scenarios.known import Known, check_names, known_names, place_filter, selected_services
from scenarios.lines import read_yaml
from scenarios.rules import written_rules
from scenarios.tables import Written


@dataclass(frozen=True, eq=False)
class Scenario:
    """A what-if as written. ``changes`` are applied in order."""

    name: str
    description: str
    at: Location
    changes: tuple[Written[Any], ...]

    @property
    def in_words(self) -> tuple[str, ...]:
        """What each change supposes."""
        return tuple(written.entry.in_words for written in self.changes)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises ``FaultyInput`` with every fault of its text."""
    data = read_yaml(path)
    check_version(path, data, "scenario", {"world", "services"})
    try:
        content = ScenarioFile.model_validate(data)
    except ValidationError as error:
        faults = Faults()
        faults.add_all(error, ScenarioFile, data, str(path))
        raise faults.refusal() from None
    changes = zip(content.changes, data["changes"], strict=True)
    return Scenario(
        name=content.scenario,
        description=content.description,
        at=Location(str(path), data.lines["scenario"]),
        changes=tuple(Written(change, str(path), row) for change, row in changes),
    )


def apply(scenario: Scenario, world: World, catalogue: Catalogue) -> World:
    """The world under a what-if; ``world`` itself stays as it is.

    ``catalogue`` is the one that ``world`` was built with: it knows the names of what the world
    does not use. Raises ``FaultyInput`` with every name that the world does not know and every
    change that would do nothing.
    """
    regions = {region.place: region for region in world.regions}
    known = known_names(
        world.services,
        (origin.name for origin in world.origins),
        {**catalogue.regions, **regions}.values(),  # the world's own hold its certificates
        catalogue,
    )
    faults = Faults()
    for written in scenario.changes:
        world = _Step(scenario.name, written, world, catalogue, known, faults).world_after()
    if faults.count:
        raise faults.refusal()
    return world


@dataclass(frozen=True, eq=False)
class _Step:
    """One change about to be made to a world."""

    scenario: str
    written: Written[Any]
    world: World
    catalogue: Catalogue
    known: Known
    faults: Faults

    def world_after(self) -> World:
        match self.written.entry:
            case ScaleDemandChange(scale_demand=change):
                return self._scale_demand(change)
            case ScalePricesChange(scale_prices=change):
                return self._scale_prices(change)
            case LoseChange(lose=change):
                return self._lose(change)
            case ForbidChange(forbid=change):
                return self._forbid(change)
            case WithdrawChange(withdraw=change):
                return self._withdraw(change)
            case ScaleInterruptionsChange(scale_interruptions=change):
                return self._scale_interruptions(change)
            case ScaleBudgetChange(scale_budget=change):
                return self._scale_budget(change)
            case PriceCarbonChange(price_carbon=change):
                return self._price_carbon(change)
            case _:
                return self._with_other_lists()

    def _with_other_lists(self) -> World:
        match self.written.entry:
            case AddRulesChange():
                return self._add_rules()
            case DropRulesChange(drop_rules=names):
                return self._drop_rules(names)
            case AddCommitmentsChange():
                return self._add_commitments()
            case DropCommitmentsChange(drop_commitments=names):
                return self._drop_commitments(names)
            case other:
                raise TypeError(f"no change is made of {type(other).__name__}")

    def _scale_demand(self, change: ScaleDemand) -> World:
        path = ("scale_demand",)
        services, origins = self.known.services, self.known.origins
        self._check(change.services, (*path, "services"), "service", services)
        self._check(change.origins, (*path, "origins"), "origin", origins)
        users = {service for service, _ in series_of(self.world.history.frame)}
        for i, name in enumerate(change.services):
            if name in services and name not in users:
                message = f"{name!r} has no users of its own: its demand follows its callers"
                self._fault((*path, "services", i), message, "scale the services that call it")
        first, last = change.hours or (0, None)
        if last is not None and not first < min(last, self.world.policy.horizon_hours):
            horizon = self.world.policy.horizon_hours
            message = f"hours {first} to {last} hold no hour of the plan"
            hint = f"count from 0; the second is the first hour after; the plan has {horizon}"
            self._fault((*path, "hours"), message, hint)
        factor = DemandFactor(
            change.by, frozenset(change.services), frozenset(change.origins), first, last
        )
        return replace(self.world, demand_factors=(*self.world.demand_factors, factor))

    def _scale_prices(self, change: ScalePrices) -> World:
        path = ("scale_prices", "where")
        where = place_filter(change.where, self.written, path, self.known, self.faults)
        changed = [(r.cloud.value, r.name) for r in self.world.regions if where.holds(r)]
        book = self.world.book
        offers = book.offerings.copy()
        rows = pd.MultiIndex.from_frame(offers[["cloud", "region"]]).isin(changed)
        if change.purchases is not None:
            rows &= offers["purchase"].isin(change.purchases).to_numpy()
        offers.loc[rows, "price_usd_per_hour"] *= change.by
        said = f" × {change.by:g} (what-if {self.scenario})"
        offers["source"] = (
            offers["source"].astype("str").mask(rows, offers["source"].astype("str") + said)
        )
        name = f"{book.name}, changed by what-if {self.scenario}"
        return replace(self.world, book=replace(book, name=name, offerings=offers))

    def _lose(self, change: Lose) -> World:
        """Candidates, prices and today's instances of the lost regions are gone."""
        world = self.world
        if not change.model_fields_set:
            self._fault(("lose",), "nothing is lost", "give 'regions' or 'clouds'")
        used = {region.place for region in world.regions}
        used |= {group.place for group in world.fleet.groups}
        self._check(change.regions or (), ("lose", "regions"), "region of this world", used)
        clouds = {cloud.value for cloud in change.clouds or ()}

        def is_lost(place: str) -> bool:
            return place in (change.regions or ()) or place.partition("/")[0] in clouds

        left = tuple(region for region in world.regions if not is_lost(region.place))
        if not left:
            self._fault(("lose",), "no place is left to run in", "lose fewer regions")
            return world
        groups = tuple(group for group in world.fleet.groups if not is_lost(group.place))
        book = book_in(world.book, left)
        return replace(world, regions=left, book=book, fleet=replace(world.fleet, groups=groups))

    def _forbid(self, change: Forbid) -> World:
        taken = {rule.name for rule in self.world.rules}
        rule = AllowedPlacesRule(
            name=next(name for i in count(1) if (name := f"forbid-{i}") not in taken),
            at=self.written.at(),
            why=change.why,
            services=selected_services(
                change.services, self.written, self.known, self.faults, ("forbid", "services")
            ),
            forbid=place_filter(
                change.where, self.written, ("forbid", "where"), self.known, self.faults
            ),
        )
        return self.world.keeping((*self.world.rules, rule))

    def _withdraw(self, change: Withdraw) -> World:
        policy = self.world.policy
        left = policy.purchases - {Purchase(name) for name in change.purchases}
        if not left:
            message = "no purchase option is left"
            hint = f"the world plans with {', '.join(sorted(policy.purchases))}"
            self._fault(("withdraw", "purchases"), message, hint)
        return replace(self.world, policy=replace(policy, purchases=left))

    def _scale_interruptions(self, change: ScaleInterruptions) -> World:
        path = ("scale_interruptions",)
        self._check(change.families, (*path, "families"), "family", self.known.families)
        where = place_filter(change.where, self.written, (*path, "where"), self.known, self.faults)
        rules = self.world.rules
        if not any(isinstance(rule, SpotRiskRule) for rule in rules):
            hint = "add one with 'add_rules'"
            self._fault(path, "the world has no spot risk rule to count interruptions", hint)
        more = InterruptionFactor(change.by, where, change.families)
        return self.world.keeping(
            tuple(
                replace(rule, factors=(*rule.factors, more))
                if isinstance(rule, SpotRiskRule)
                else rule
                for rule in rules
            )
        )

    def _scale_budget(self, change: ScaleBudget) -> World:
        rules = self.world.rules
        budgets = {rule.name for rule in rules if isinstance(rule, BudgetRule)}
        self._check(change.rules or (), ("scale_budget", "rules"), "budget rule", budgets)
        if not budgets:
            self._fault(("scale_budget",), "the world has no budget", "add one with 'add_rules'")
        names = budgets if change.rules is None else set(change.rules)
        return self.world.keeping(
            tuple(
                replace(rule, usd_per_month=rule.usd_per_month * change.by)
                if isinstance(rule, BudgetRule) and rule.name in names
                else rule
                for rule in rules
            )
        )

    def _price_carbon(self, change: PriceCarbon) -> World:
        policy = replace(self.world.policy, carbon_usd_per_tonne=change.usd_per_tonne)
        at = self.written.at("price_carbon", "usd_per_tonne")
        check_grids(policy, self.world.regions, at, self.faults)
        return replace(self.world, policy=policy)

    def _add_rules(self) -> World:
        rows = self.written.data["add_rules"]
        entries = self.written.entry.add_rules
        added = [Written(e, self.written.file, row) for e, row in zip(entries, rows, strict=True)]
        rules = self.world.rules
        return self.world.keeping((*rules, *written_rules(added, rules, self.known, self.faults)))

    def _drop_rules(self, names: tuple[str, ...]) -> World:
        rules = self.world.rules
        self._check(names, ("drop_rules",), "rule", {rule.name for rule in rules})
        return self.world.keeping(tuple(rule for rule in rules if rule.name not in names))

    def _add_commitments(self) -> World:
        world, written = self.world, self.written
        entries, rows = written.entry.add_commitments, written.data["add_commitments"]
        added = commitments_of(
            [Written(e, written.file, row) for e, row in zip(entries, rows, strict=True)],
            world.commitments,
            self.catalogue.book.offerings,
            self.catalogue.regions.values(),
            world.starts,
            self.known,
            self.faults,
        )
        return replace(world, commitments=(*world.commitments, *added))

    def _drop_commitments(self, names: tuple[str, ...]) -> World:
        held = self.world.commitments
        self._check(names, ("drop_commitments",), "commitment", {c.name for c in held})
        return replace(self.world, commitments=tuple(c for c in held if c.name not in names))

    def _check(
        self, names: Sequence[str], path: tuple[str | int, ...], what: str, known: Collection[str]
    ) -> None:
        check_names(names, self.written, path, what, known, self.faults)

    def _fault(self, path: tuple[str | int, ...], message: str, suggestion: str) -> None:
        self.faults.add(self.written.at(*path), message, suggestion)
