"""What a plan comes to: as expected, in every demand scenario, and in the decision."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from models.placement import CENT_OF_A_CENT, Bill, Term
from models.risk import CvarPolicy, cvar
from models.rules import BudgetRule
from models.world import DemandScenario
from optimizer.verify.billing import Spending
from optimizer.verify.case import TOLERANCE, Case


@dataclass(frozen=True, slots=True)
class Reckoned:
    """A bill under the cheapest pairing of calls with places.

    ``dearer_usd`` is how much dearer a plan may rightly state it: not at all, unless a budget of a
    team or cloud may make a dearer pairing the better one.
    """

    bill: Bill
    dearer_usd: Decimal

    @property
    def rounding_usd(self) -> Decimal:
        return rounding_of(self.bill)


@dataclass(frozen=True, eq=False)
class Reckoning:
    """What a plan costs as expected, and in each demand scenario. ``cvar_usd`` is the mean of the
    dearest share of what scenarios count; None when that weighs nothing."""

    expected: Reckoned
    scenarios: tuple[tuple[DemandScenario, Reckoned], ...]
    cvar: CvarPolicy | None

    @property
    def cvar_usd(self) -> Decimal | None:
        if self.cvar is None or not self.scenarios:
            return None
        outcomes = [
            (scenario.probability, float(own.bill.total_usd + own.bill.shadow_usd))
            for scenario, own in self.scenarios
        ]
        return Decimal(repr(cvar(outcomes, self.cvar.level)))

    @property
    def counted_usd(self) -> Decimal:
        """What the decision is about: paid, and what weighs beside it."""
        bill, tail = self.expected.bill, self.cvar_usd
        mean = bill.total_usd + bill.shadow_usd
        if tail is None or self.cvar is None:
            return mean
        weight = Decimal(repr(self.cvar.weight))
        return (1 - weight) * mean + weight * tail

    @property
    def rounding_usd(self) -> Decimal:
        every = (self.expected, *(own for _, own in self.scenarios))
        return max(one.rounding_usd for one in every)

    @property
    def dearer_usd(self) -> Decimal:
        every = (self.expected, *(own for _, own in self.scenarios))
        return max(one.dearer_usd for one in every)


def rounding_of(bill: Bill) -> Decimal:
    """How far a sum of rounded lines of data transfer may be from another, USD."""
    metered = (line for line in bill.lines if line.term not in (Term.COMPUTE, Term.COMMITMENTS))
    amounts = sum((abs(line.usd) for line in metered), bill.shadow_usd)
    lines = 2 * len({(line.service, line.place) for line in bill.lines}) + len(bill.shadow) + 2
    return lines * CENT_OF_A_CENT + amounts * Decimal(repr(TOLERANCE))


def reckon(case: Case, expected: Spending) -> Reckoning:
    """The bill as expected and in every scenario."""
    policy = case.world.policy
    scoped = any(isinstance(r, BudgetRule) and (r.team or r.cloud) for r in case.world.rules)

    def reckoned(spending: Spending) -> Reckoned:
        dearer = Decimal(repr(spending.dearer_usd())) if scoped else Decimal(0)
        return Reckoned(spending.bill, dearer)

    each = np.eye(len(policy.demand_scenarios))
    scenarios = tuple(
        (scenario, reckoned(Spending(case, expected.contracts, expected.beside, weights)))
        for scenario, weights in zip(policy.demand_scenarios, each, strict=True)
    )
    return Reckoning(reckoned(expected), scenarios, policy.cvar)
