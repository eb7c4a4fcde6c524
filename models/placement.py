"""The answer: what to run where, who is served from where, what it costs, and the proof."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import pandas as pd

from models.commitments import CommitmentUse

COUNT_COLUMNS: Final[dict[str, str]] = {
    "service": "service name",
    "cloud": "aws, azure or gcp",
    "region": "the cloud's name of the region",
    "instance_type": "the cloud's name of the machine shape",
    "purchase": "on_demand or spot",
    "period": "hours since the plan's start, 0-based",
    "count": "instances; > 0",
    "price_usd_per_hour": "USD per hour of one instance",
    "replicas_per_instance": "whole replicas that one instance holds",
    "capacity_rps": "requests per second that the row's instances serve within the objective",
    "price_source": "where the price comes from",
    "price_date": "ISO date of the price in its source",
}
ROUTE_COLUMNS: Final[dict[str, str]] = {
    "service": "service name",
    "origin": "origin name",
    "cloud": "aws, azure or gcp",
    "region": "the cloud's name of the region",
    "first_period": "first hour for which the route holds, 0-based",
    "periods": "how many hours it holds",
    "share": "share of the origin's demand for the service; > 0, sums to 1 over places",
    "rtt_ms": "round trip between origin and place",
}
BINDING_COLUMNS: Final[dict[str, str]] = {
    "rule": "name of the rule",
    "in_words": "the rule as its author would say it",
    "where": "file and line",
    "rows": "rows of the problem that the rule wrote",
    "binding_rows": "of these, rows without slack in the plan",
}
EXCLUSION_COLUMNS: Final[dict[str, str]] = {
    "service": "service name",
    "place": "cloud/region",
    "rule": "name of the rule that excludes it, or `offerings` when nothing there can hold it",
    "reason": "why, in words",
}

CHANGE_COLUMNS: Final[dict[str, str]] = {
    "service": "service that runs today",
    "changes": "yes, no (it stays exactly as it is) or must (it cannot stay)",
    "started": "instances that the plan runs at its busiest hour beside today's, by option",
    "stopped": "of today's instances, how many the plan does without in some hour",
    "moved_gib": "GiB of state that are copied to places where it does not run today",
    "moves_usd_per_month": "what that costs, USD a month of the time that it is spread over",
    "saving_usd_per_month": "what it saves or would save a month, moves paid; empty: not known",
    "minimum_usd_per_month": "the least that a change must save a month",
    "why": "in words",
}
SPOT_RISK_COLUMNS: Final[dict[str, str]] = {
    "rule": "name of the spot risk rule",
    "service": "service name",
    "chance_at_most": "the chance that the rule grants, per hour",
    "pools": "pools of spot capacity that the service could use",
    "at_once": "of these, so many may be gone at once and enough is left, whichever they are",
    "chance": "that more than that are gone, in an hour",
    "pools_used": "pools that the plan uses in its most spread hour",
    "chance_in_plan": "that more than ``at_once`` of the used pools are gone, in the worst hour",
}


CENT_OF_A_CENT: Final = Decimal("0.0001")
"""Data transfer and the use of commitments are metered in floating point; their amounts are
rounded to this many USD."""
COMMITMENT_PURCHASE: Final = "commitment"
"""What stands for the purchase option in the bill's lines of commitments."""


class Term(StrEnum):
    """A part of what is paid."""

    COMPUTE = "compute"  # at list price
    COMMITMENTS = "commitments"  # owned and bought, used or not
    COVERED = "covered"  # list price of what commitments pay for: never above 0
    EGRESS_INTER_REGION = "egress_inter_region"
    EGRESS_INTERNET = "egress_internet"
    MOVES = "moves"


class ShadowTerm(StrEnum):
    """What counts in the decision although nobody is paid it."""

    CARBON = "carbon"
    UNMET_DEMAND = "unmet_demand"
    MINIMUM_SAVING = "minimum_saving"


SHADOW_UNITS: Final[dict[ShadowTerm, str]] = {
    ShadowTerm.CARBON: "kg CO2e",
    ShadowTerm.UNMET_DEMAND: "requests",
    ShadowTerm.MINIMUM_SAVING: "service-months",
}
"""What the quantity of a shadow line is counted in."""


class Proof(StrEnum):
    """How much is known about the distance to the best possible plan."""

    OPTIMAL = "optimal"  # the gap is within 1e-6
    WITHIN_GAP = "within_gap"  # the gap is within the target that was asked for
    TIME_LIMIT = "time_limit"  # time, or progress, ran out; the gap is what it is


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the solver proved.

    ``gap`` = (objective - bound) / objective, relative; costs are USD over the horizon.
    """

    proof: Proof
    objective_usd: float
    bound_usd: float
    gap: float
    backend: str
    solver: str
    rows: int
    columns: int
    integer_columns: int
    nonzeros: int
    build_s: float
    solve_s: float


@dataclass(frozen=True, slots=True)
class BillLine:
    """One exact amount, USD over the horizon.

    Commitments belong to a cloud, and to nobody in particular: their lines, the only ones with a
    ``commitment``, have neither place nor service.
    """

    term: Term
    cloud: str
    place: str
    service: str
    purchase: str  # empty for egress, "commitment" for those lines, "one_off" for moves
    usd: Decimal
    commitment: str = ""


@dataclass(frozen=True, slots=True)
class ShadowLine:
    """A shadow cost over the horizon: ``quantity``, in the unit of its term, at the policy's price.

    It is metered in floating point and rounded as data transfer is.
    """

    term: ShadowTerm
    cloud: str
    place: str
    service: str
    quantity: Decimal
    usd: Decimal


@dataclass(frozen=True)
class Bill:
    """Everything that is paid for over ``hours``, recomputed exactly from counts and prices.

    ``shadow`` holds what counts in the decision beside it and is never part of a total of what is
    paid.
    """

    hours: int
    lines: tuple[BillLine, ...]
    shadow: tuple[ShadowLine, ...] = ()

    @property
    def total_usd(self) -> Decimal:
        """What is paid."""
        return sum((line.usd for line in self.lines), Decimal(0))

    @property
    def shadow_usd(self) -> Decimal:
        """What counts beside it."""
        return sum((line.usd for line in self.shadow), Decimal(0))

    def shadow_of(self, term: ShadowTerm) -> tuple[Decimal, Decimal]:
        """Quantity and USD of one term."""
        own = [line for line in self.shadow if line.term is term]
        quantity = sum((line.quantity for line in own), Decimal(0))
        return quantity, sum((line.usd for line in own), Decimal(0))

    def of_commitment(self, name: str, term: Term) -> Decimal:
        """What the lines of one commitment and term come to."""
        lines = (line for line in self.lines if line.commitment == name and line.term is term)
        return sum((line.usd for line in lines), Decimal(0))

    def by(self, field: str) -> dict[str, Decimal]:
        """Totals per distinct value of ``field`` of the lines, dearest first."""
        totals: dict[str, Decimal] = {}
        for line in self.lines:
            key = str(getattr(line, field))
            totals[key] = totals.get(key, Decimal(0)) + line.usd
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True)
class ScenarioBill:
    """The bill of one demand scenario: the same instances and routes, its own traffic."""

    name: str
    quantile: float
    probability: float
    bill: Bill

    @property
    def counted_usd(self) -> Decimal:
        """What counts in the decision: what is paid, and what weighs beside it."""
        return self.bill.total_usd + self.bill.shadow_usd


@dataclass(frozen=True, eq=False)
class Placement:
    """A plan for the horizon that starts at ``starts``.

    ``counts``, ``routes``, ``binding``, ``exclusions`` and ``spot_risk`` are tables with the
    columns that ``COUNT_COLUMNS``, ``ROUTE_COLUMNS``, ``BINDING_COLUMNS``, ``EXCLUSION_COLUMNS``
    and ``SPOT_RISK_COLUMNS`` describe; the last has a row per service under a spot risk rule.
    With demand scenarios ``bill`` is the expected one, and ``scenarios`` has that of each.
    ``changes`` (``CHANGE_COLUMNS``) has a row per service that runs today where changes cost
    something or must be worth it.
    """

    starts: datetime
    hours: int
    counts: pd.DataFrame
    routes: pd.DataFrame
    bill: Bill
    certificate: Certificate
    binding: pd.DataFrame
    exclusions: pd.DataFrame
    spot_risk: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(SPOT_RISK_COLUMNS))
    )
    scenarios: tuple[ScenarioBill, ...] = ()
    commitments: tuple[CommitmentUse, ...] = ()
    changes: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(CHANGE_COLUMNS))
    )
