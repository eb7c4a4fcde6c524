"""How much of today's spending is provably wasted.

A plan is a witness: the same work can be done, keeping every rule, for what it costs, so that at
least (today - plan) / today of each dollar is wasted. Its bound is the other side: no lawful fleet
costs less, so that at most (today - bound) / today is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

import numpy as np

from models.changes import ChangeCosts
from models.placement import Bill, BillLine, Term
from models.plan import Plan
from models.world import World

ZERO: Final = Decimal(0)
LETTERS: Final[tuple[tuple[str, Decimal], ...]] = (
    ("A", Decimal("0.05")),
    ("B", Decimal("0.15")),
    ("C", Decimal("0.30")),
    ("D", Decimal("0.50")),
)
"""The most of a dollar that may be wasted for a letter; beyond the last it is an F."""
NO_TEAM: Final = "(no team)"
NO_CLOUD: Final = "(does not run today)"
COMMITMENTS: Final = "(commitments)"
_SAME: Final = 1e-9


class Standing(StrEnum):
    """What can be said about today's spending."""

    WASTEFUL = "wasteful"  # a lawful plan does the same work for less
    NOTHING_PROVEN = "nothing proven"  # lawful, and no cheaper plan was found
    NOT_COMPARABLE = "not comparable"  # cheaper than the plan because it does less, or breaks rules


@dataclass(frozen=True, slots=True)
class Part:
    """A team, cloud or service: USD over the horizon, today and for the same work in the plan.

    What is wasted falls into what runs beyond need at today's price of a replica hour
    (``too_much_usd``), what is paid beyond need for the replica hours that the plan runs
    (``too_dear_usd``), and data transfer. The three add up; each may be negative.
    """

    name: str
    today_usd: Decimal
    plan_usd: Decimal
    too_much_usd: Decimal = ZERO
    too_dear_usd: Decimal = ZERO
    transfer_usd: Decimal = ZERO

    @property
    def wasted_usd(self) -> Decimal:
        return self.today_usd - self.plan_usd

    @property
    def wasted_share(self) -> Decimal | None:
        return self.wasted_usd / self.today_usd if self.today_usd else None

    def and_(self, other: Part) -> Part:
        """Both together, under this one's name."""
        return Part(
            self.name,
            self.today_usd + other.today_usd,
            self.plan_usd + other.plan_usd,
            self.too_much_usd + other.too_much_usd,
            self.too_dear_usd + other.too_dear_usd,
            self.transfer_usd + other.transfer_usd,
        )


@dataclass(frozen=True, eq=False)
class Grade:
    """Today's fleet against a plan. Parts are sorted by what is wasted, the most first.

    ``bound_usd`` over the horizon; None when nothing is proven. ``short`` are services whose
    capacity today is below the peak that the plan is made for.
    """

    plan: Plan
    whole: Part
    bound_usd: Decimal | None
    teams: tuple[Part, ...]
    clouds: tuple[Part, ...]
    services: tuple[Part, ...]
    short: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        if self.whole.wasted_usd > 0:
            return Standing.WASTEFUL
        lawful = not (self.plan.today.broken or self.short or self.plan.today.unpriced)
        possible = self.bound_usd is None or self.whole.today_usd >= self.bound_usd
        return Standing.NOTHING_PROVEN if lawful and possible else Standing.NOT_COMPARABLE

    @property
    def at_least(self) -> Decimal | None:
        """The share of each dollar that is wasted, proven; None when nothing can be compared."""
        if self.standing is Standing.NOT_COMPARABLE or not self.whole.today_usd:
            return None
        return max(ZERO, self.whole.wasted_usd / self.whole.today_usd)

    @property
    def at_most(self) -> Decimal | None:
        """No lawful fleet saves more of each dollar; None when no bound is proven."""
        if self.at_least is None or self.bound_usd is None:
            return None
        return max(self.at_least, 1 - self.bound_usd / self.whole.today_usd)

    @property
    def letter(self) -> str | None:
        """For what is proven at least; None when nothing can be compared."""
        return None if self.at_least is None else letter_for(self.at_least)

    @property
    def letter_at_worst(self) -> str | None:
        """What the letter could still become, were the bound reached."""
        return None if self.at_most is None else letter_for(self.at_most)


def letter_for(wasted: Decimal) -> str:
    """A, B, C, D or F for a share of each dollar."""
    return next((letter for letter, most in LETTERS if wasted <= most), "F")


def graded_world(world: World) -> World:
    """The world in which money alone decides, and all work is done.

    A grade is about dollars that are paid for the same work: carbon has no price, the dearest
    scenarios weigh as much as they are likely, no demand goes unmet, and moves cost nothing.
    """
    policy = replace(
        world.policy,
        carbon_usd_per_tonne=0.0,
        cvar=None,
        unmet_at_most=0.0,
        changes=ChangeCosts(),
    )
    services = tuple(
        replace(service, unmet_at_most=None) if service.unmet_at_most else service
        for service in world.services
    )
    return replace(world, policy=policy, services=services)


def grade(plan: Plan) -> Grade:
    """Today's fleet against ``plan``. A bound is only claimed where money alone was decided on."""
    services = _services(plan)
    committed = _committed(plan)
    contracts = _together(COMMITMENTS, committed)
    every = [*services, *([contracts] if contracts.today_usd or contracts.plan_usd else [])]
    teams = {service.name: service.team or NO_TEAM for service in plan.world.services}
    bound = plan.placement.certificate.bound_usd
    proven = bool(np.isfinite(bound)) and not plan.world.counts_besides
    peak = plan.demand_rps.sum(axis=1).max(axis=1)
    names = [service.name for service in plan.world.services]
    short = np.flatnonzero(plan.today.capacity_rps < peak * (1 - _SAME)).tolist()
    return Grade(
        plan,
        _together("all", every),
        Decimal(repr(float(max(bound, 0.0)))) if proven else None,
        _by_waste(_joined(every, lambda part: teams.get(part.name, part.name))),
        _by_waste(_joined([*_clouds(plan, services), *committed], lambda part: part.name)),
        _by_waste(every),
        tuple(names[s] for s in short),
    )


def _services(plan: Plan) -> list[Part]:
    world, hours = plan.world, plan.placement.hours
    today, after = _by_kind(plan.today.bill), _by_kind(plan.placement.bill)
    counts = plan.placement.counts
    replica_hours = (counts["count"] * counts["replicas_per_instance"]).groupby(counts["service"])
    needed = {str(name): Decimal(int(total)) for name, total in replica_hours.sum().items()}
    parts = []
    for s, service in enumerate(world.services):
        name = service.name
        held = plan.today.capacity_rps[s] / service.replica.throughput_rps
        runs = Decimal(round(float(held))) * hours if np.isfinite(held) else ZERO
        paid, pays = today.get((name, _COMPUTE), ZERO), after.get((name, _COMPUTE), ZERO)
        at_todays_price = paid * needed.get(name, ZERO) / runs if runs else ZERO
        moved = today.get((name, _TRANSFER), ZERO) - after.get((name, _TRANSFER), ZERO)
        parts.append(
            Part(
                name,
                paid + today.get((name, _TRANSFER), ZERO),
                pays + after.get((name, _TRANSFER), ZERO),
                paid - at_todays_price,
                at_todays_price - pays,
                moved,
            )
        )
    return parts


_COMPUTE, _TRANSFER, _COMMITTED = "compute", "transfer", "committed"


def _kind(line: BillLine) -> str:
    match line.term:
        case Term.COMPUTE | Term.MOVES:  # instances, and what it takes to start them
            return _COMPUTE
        case Term.COMMITMENTS | Term.COVERED:
            return _COMMITTED
        case Term.EGRESS_INTER_REGION | Term.EGRESS_INTERNET:
            return _TRANSFER
        case _:
            assert_never(line.term)


def _by_kind(bill: Bill) -> Mapping[tuple[str, str], Decimal]:
    totals: dict[tuple[str, str], Decimal] = {}
    for line in bill.lines:
        key = (line.service, _kind(line))
        totals[key] = totals.get(key, ZERO) + line.usd
    return totals


def _committed(plan: Plan) -> list[Part]:
    """What commitments cost less what they cover, by cloud: a matter of rates, of nobody's use."""

    def by_cloud(bill: Bill) -> dict[str, Decimal]:
        totals: dict[str, Decimal] = {}
        for line in bill.lines:
            if _kind(line) == _COMMITTED:
                totals[line.cloud] = totals.get(line.cloud, ZERO) + line.usd
        return totals

    today, after = by_cloud(plan.today.bill), by_cloud(plan.placement.bill)
    return [
        Part(cloud, before, then, too_dear_usd=before - then)
        for cloud in sorted(today.keys() | after.keys())
        for before, then in [(today.get(cloud, ZERO), after.get(cloud, ZERO))]
    ]


def _clouds(plan: Plan, services: Iterable[Part]) -> list[Part]:
    """What is paid to each cloud today, and what the same services would cost.

    The plan may do the work elsewhere. A service's cost in the plan, and why it is less, is shared
    out among the clouds that it runs on today in proportion to what they are paid for it; services
    that do not run today stand apart, under no cloud.
    """
    paid: dict[tuple[str, str], Decimal] = {}
    for line in plan.today.bill.lines:
        if _kind(line) != _COMMITTED:
            key = (line.cloud, line.service)
            paid[key] = paid.get(key, ZERO) + line.usd
    parts = []
    for part in services:
        shares = {cloud: usd for (cloud, name), usd in paid.items() if name == part.name}
        if not part.today_usd:
            parts.append(replace(part, name=NO_CLOUD))
        for cloud, usd in shares.items():
            if part.today_usd:
                parts.append(_share_of(part, usd / part.today_usd, cloud))
    return parts


def _share_of(part: Part, share: Decimal, name: str) -> Part:
    return Part(
        name,
        part.today_usd * share,
        part.plan_usd * share,
        part.too_much_usd * share,
        part.too_dear_usd * share,
        part.transfer_usd * share,
    )


def _joined(parts: Iterable[Part], name_of: Callable[[Part], str]) -> list[Part]:
    joined: dict[str, Part] = {}
    for part in parts:
        name = name_of(part)
        joined[name] = joined.get(name, Part(name, ZERO, ZERO)).and_(part)
    return [part for part in joined.values() if part.today_usd or part.plan_usd]


def _together(name: str, parts: Iterable[Part]) -> Part:
    whole = Part(name, ZERO, ZERO)
    for part in parts:
        whole = whole.and_(part)
    return whole


def _by_waste(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (-part.wasted_usd, part.name)))
