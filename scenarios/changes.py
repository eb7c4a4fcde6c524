"""Scenario files, field by field: named changes to a world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from models.places import CLOUD_NAMES
from scenarios.commitment_entries import CommitmentEntry
from scenarios.fields import (
    CloudName,
    Entry,
    Name,
    Names,
    Places,
    Prose,
    ServiceSelection,
    SomeNames,
    TeamServices,
)
from scenarios.rule_entries import RuleEntry

Factor = Annotated[float, Field(ge=0, le=1e6)]
PositiveFactor = Annotated[float, Field(gt=0, le=1e6)]
Hour = Annotated[int, Field(ge=0, le=744)]
PurchaseNames = Annotated[
    tuple[Literal["on_demand", "spot"], ...], Field(strict=False, min_length=1)
]


class ScaleDemand(Entry):
    """Users ask for more, or for less."""

    by: Factor
    """Factor on forecast demand; 2 doubles it."""
    services: Names = ()
    """Services with users of their own whose demand changes; what they call follows. Default:
    all."""
    origins: Names = ()
    """Origins whose demand changes. Default: all."""
    hours: Annotated[tuple[Hour, Hour], Field(strict=False)] | None = None
    """First hour of the plan that changes, counted from 0, and the first that no longer does.
    Default: all hours."""


class ScalePrices(Entry):
    """Prices of instances rise or fall."""

    by: PositiveFactor
    """Factor on prices; 1.15 adds 15 %."""
    where: Places | None = None
    """Places whose prices change. Default: all."""
    purchases: PurchaseNames | None = None
    """Purchase options whose prices change: on_demand, spot. Default: both."""


class Lose(Entry):
    """Regions are gone, with everything that runs there. At least one field must be given."""

    regions: SomeNames | None = None
    """Regions by place, `cloud/region`."""
    clouds: Annotated[tuple[CloudName, ...], Field(strict=False, min_length=1)] | None = None
    """Whole clouds: aws, azure, gcp."""


class Forbid(Entry):
    """Services must leave places."""

    services: ServiceSelection = "all"
    """The services: `all`, a list of names, or `{team: name}`. Default: all."""
    where: Places
    """The places that they must leave."""
    why: Prose = ""
    """The reason; reports repeat it."""


class Withdraw(Entry):
    """Purchase options are no longer to be had."""

    purchases: PurchaseNames
    """The purchase options: on_demand, spot."""


class ScaleInterruptions(Entry):
    """Spot capacity is interrupted more often, or less."""

    by: Factor
    """Factor on how often pools are interrupted, as spot risk rules count; 3 triples it."""
    where: Places | None = None
    """Places of the pools. Default: all."""
    families: Names = ()
    """Families of instance types, such as m5. Default: all."""


class ScaleBudget(Entry):
    """Budgets rise or fall."""

    by: PositiveFactor
    """Factor on the monthly limits; 0.8 cuts them by 20 %."""
    rules: SomeNames | None = None
    """Names of the budget rules that change. Default: all of them."""


class PriceCarbon(Entry):
    """Carbon counts more, or less."""

    usd_per_tonne: Annotated[float, Field(ge=0, le=1e6)]
    """What a tonne of CO2e counts in the decision, USD, instead of the policy's price."""


class ScaleDemandChange(Entry):
    """Users ask for more, or for less."""

    scale_demand: ScaleDemand
    """Forecast demand times a factor."""

    @property
    def in_words(self) -> str:
        change = self.scale_demand
        whose = f" for {', '.join(change.services)}" if change.services else ""
        where = f" from {', '.join(change.origins)}" if change.origins else ""
        when = f" in hours {change.hours[0]} to {change.hours[1]}" if change.hours else ""
        return f"demand{whose}{where} times {change.by:g}{when}"


class ScalePricesChange(Entry):
    """Prices of instances rise or fall."""

    scale_prices: ScalePrices
    """Prices times a factor."""

    @property
    def in_words(self) -> str:
        change = self.scale_prices
        kind = f"{_listed(change.purchases)} " if change.purchases else ""
        where = f" in {change.where.in_words}" if change.where else ""
        return f"{kind}prices{where} times {change.by:g}"


class LoseChange(Entry):
    """Regions are gone."""

    lose: Lose
    """Regions that are gone, with everything that runs there."""

    @property
    def in_words(self) -> str:
        clouds = [CLOUD_NAMES[cloud] for cloud in self.lose.clouds or ()]
        return f"{_listed([*(self.lose.regions or ()), *clouds])} lost"


class ForbidChange(Entry):
    """Services must leave places."""

    forbid: Forbid
    """A rule that keeps services out of places."""

    @property
    def in_words(self) -> str:
        return f"{_whose(self.forbid.services)} kept out of {self.forbid.where.in_words}"


class WithdrawChange(Entry):
    """Purchase options are no longer to be had."""

    withdraw: Withdraw
    """Purchase options that plans may no longer use."""

    @property
    def in_words(self) -> str:
        return f"{_listed(self.withdraw.purchases)} capacity withdrawn"


class ScaleInterruptionsChange(Entry):
    """Spot capacity is interrupted more often, or less."""

    scale_interruptions: ScaleInterruptions
    """Interruptions times a factor."""

    @property
    def in_words(self) -> str:
        change = self.scale_interruptions
        whose = f" of {_listed(change.families)}" if change.families else ""
        where = f" in {change.where.in_words}" if change.where else ""
        return f"interruptions of spot capacity{whose}{where} times {change.by:g}"


class ScaleBudgetChange(Entry):
    """Budgets rise or fall."""

    scale_budget: ScaleBudget
    """Monthly limits times a factor."""

    @property
    def in_words(self) -> str:
        which = _listed(self.scale_budget.rules) if self.scale_budget.rules else "all"
        return f"budgets ({which}) times {self.scale_budget.by:g}"


class PriceCarbonChange(Entry):
    """Carbon counts more, or less."""

    price_carbon: PriceCarbon
    """What a tonne of CO2e counts in the decision."""

    @property
    def in_words(self) -> str:
        return f"carbon priced at {self.price_carbon.usd_per_tonne:g} USD per tonne"


class AddRulesChange(Entry):
    """More rules hold."""

    add_rules: Annotated[tuple[RuleEntry, ...], Field(strict=False, min_length=1)]
    """Rules as in world files."""

    @property
    def in_words(self) -> str:
        added = (f"{rule.name or rule.kind} ({rule.kind})" for rule in self.add_rules)
        return f"rules added: {', '.join(added)}"


class DropRulesChange(Entry):
    """Some rules no longer hold."""

    drop_rules: SomeNames
    """Names of rules of the world. Rules that fields of services and workflows stand for are
    named `latency:service`, `min_replicas:service`, `max_places:service`, `workflow:name`."""

    @property
    def in_words(self) -> str:
        return f"rules dropped: {', '.join(self.drop_rules)}"


class AddCommitmentsChange(Entry):
    """More commitments are owned, or on offer."""

    add_commitments: Annotated[tuple[CommitmentEntry, ...], Field(strict=False, min_length=1)]
    """Commitments as in world files."""

    @property
    def in_words(self) -> str:
        return f"commitments added: {', '.join(entry.name for entry in self.add_commitments)}"


class DropCommitmentsChange(Entry):
    """Some commitments are neither owned nor on offer any more."""

    drop_commitments: SomeNames
    """Names of commitments of the world."""

    @property
    def in_words(self) -> str:
        return f"commitments dropped: {', '.join(self.drop_commitments)}"


def _listed(names: Sequence[str]) -> str:
    shown = [name.replace("on_demand", "on-demand") for name in names]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _whose(services: str | Sequence[str] | TeamServices) -> str:
    if isinstance(services, TeamServices):
        return f"team {services.team}"
    return "every service" if isinstance(services, str) else _listed(services)


def _key(value: Any) -> str | None:
    """A change is known by its first key; further keys are unknown to it."""
    return next((f"<{key}>" for key in value), None) if isinstance(value, dict) else None


Change = Annotated[
    Annotated[ScaleDemandChange, Tag("<scale_demand>")]
    | Annotated[ScalePricesChange, Tag("<scale_prices>")]
    | Annotated[LoseChange, Tag("<lose>")]
    | Annotated[ForbidChange, Tag("<forbid>")]
    | Annotated[WithdrawChange, Tag("<withdraw>")]
    | Annotated[ScaleInterruptionsChange, Tag("<scale_interruptions>")]
    | Annotated[ScaleBudgetChange, Tag("<scale_budget>")]
    | Annotated[PriceCarbonChange, Tag("<price_carbon>")]
    | Annotated[AddRulesChange, Tag("<add_rules>")]
    | Annotated[DropRulesChange, Tag("<drop_rules>")]
    | Annotated[AddCommitmentsChange, Tag("<add_commitments>")]
    | Annotated[DropCommitmentsChange, Tag("<drop_commitments>")],
    Discriminator(_key),
]
"""One change: a mapping with exactly one key."""


class ScenarioFile(Entry):
    """A what-if: named changes to a world, applied in order."""

    trimtab: Literal[1]
    """Version of the format."""
    scenario: Name
    """Name of the scenario."""
    description: Prose = ""
    """What is supposed; reports repeat it."""
    changes: Annotated[tuple[Change, ...], Field(strict=False, min_length=1)]
    """Changes, applied in order; each has exactly one key."""
