"""What-ifs beside the base plan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from models.placement import COMMITMENT_PURCHASE
from models.plan import Infeasible, Outcome, Plan, Unfinished
from optimizer.report.commitments import Commitments, commitments
from optimizer.report.figures import Verdict, verdict
from optimizer.report.shadow import shadow_words
from optimizer.report.wording import (
    NBSP,
    PURCHASE_WORDS,
    at_least_usd,
    at_most_percent,
    change_percent,
    change_usd,
    exact,
    number,
    per_month,
    usd,
)

MOST_MOVES = 60
MOST_REASONS = 12


@dataclass(frozen=True, slots=True)
class Move:
    """Instances of one service in one place, at the busiest hour of each group."""

    service: str
    place: str
    started: int
    stopped: int


@dataclass(frozen=True, slots=True)
class RuleWords:
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """One service's cost under every scenario that has a plan: amount and change."""

    service: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One column of the comparison. Amounts are empty where there is no plan."""

    key: str
    name: str
    kind: str  # base, plan, infeasible or unfinished
    status: str
    changes: tuple[str, ...]
    month: str
    change: str
    change_share: str
    shadow: tuple[str, ...]  # beside the bill, in words
    gap: str
    width: float
    base_width: float
    verdict: Verdict | None
    words: str
    started: int
    stopped: int
    moves: tuple[Move, ...]
    moves_left_out: int
    commitments: Commitments | None
    became_binding: tuple[RuleWords, ...]
    no_longer_binding: tuple[RuleWords, ...]
    clash: tuple[RuleWords, ...]
    reasons: tuple[str, ...]
    reasons_left_out: int


@dataclass(frozen=True, slots=True)
class Comparison:
    world: str
    base_month: str
    facts: tuple[tuple[str, str], ...]
    scenarios: tuple[Scenario, ...]
    planned: tuple[str, ...]
    services: tuple[ServiceCost, ...]


def comparison(
    base: Plan,
    others: Sequence[tuple[str, Outcome]],
    changes: Mapping[str, Sequence[str]],
) -> Comparison:
    """The base plan and every what-if, in the order given; ``changes`` in words, by name."""
    outcomes: list[tuple[str, Outcome]] = [("Base plan", base), *others]
    plans = [(name, outcome) for name, outcome in outcomes if isinstance(outcome, Plan)]
    longest = max(_month(plan) for _, plan in plans) or Decimal(1)
    scenarios = tuple(
        _scenario(f"scenario-{i}", name, outcome, base, longest, changes.get(name, ()) if i else ())
        for i, (name, outcome) in enumerate(outcomes)
    )
    book = base.world.book
    return Comparison(
        world=base.world.name,
        base_month=usd(_month(base)),
        facts=(
            ("Price book", f"{book.name}, as of {book.as_of.isoformat()}"),
            ("Demand", base.world.history.note.strip()
             or "The source of the demand history is not stated."),
        ),
        scenarios=scenarios,
        planned=tuple(name for name, _ in plans),
        services=_services(base, [plan for _, plan in plans]),
    )  # fmt: skip


def _month(plan: Plan) -> Decimal:
    return per_month(plan.placement.bill.total_usd, plan.placement.bill.hours)


def _scenario(
    key: str, name: str, outcome: Outcome, base: Plan, longest: Decimal, changes: Sequence[str]
) -> Scenario:
    moves: list[Move] = []
    verdict_: Verdict | None = None
    month = change = share = gap = words = ""
    width = 0.0
    besides: tuple[str, ...] = ()
    became: tuple[RuleWords, ...] = ()
    no_longer: tuple[RuleWords, ...] = ()
    clash: tuple[RuleWords, ...] = ()
    reasons: tuple[str, ...] = ()
    match outcome:
        case Plan():
            kind, status = ("base", "Base") if outcome is base else ("plan", "Planned")
            certificate = outcome.placement.certificate
            verdict_ = verdict(certificate, outcome.world)
            difference = _month(outcome) - _month(base)
            month, gap = usd(_month(outcome)), at_most_percent(max(certificate.gap, 0.0))
            if outcome is not base:
                change = change_usd(difference)
                share = change_percent(difference, _month(base))
            width = round(float(_month(outcome) / longest * 100), 2)
            besides = shadow_words(outcome)
            moves = instance_moves(base, outcome)
            became = _binding_beyond(outcome, base)
            no_longer = _binding_beyond(base, outcome)
        case Infeasible():
            kind, status = "infeasible", "No lawful plan"
            clash = tuple(RuleWords(rule.name, rule.in_words) for rule in outcome.clash)
            reasons = outcome.reasons
            words = _clash_words(outcome)
        case Unfinished():
            kind, status = "unfinished", "Not finished"
            words = _unfinished_words(outcome)
    return Scenario(
        key=key, name=name, kind=kind, status=status, changes=tuple(changes), month=month,
        change=change, change_share=share, shadow=besides, gap=gap, width=width,
        base_width=round(float(_month(base) / longest * 100), 2), verdict=verdict_, words=words,
        started=sum(move.started for move in moves), stopped=sum(move.stopped for move in moves),
        moves=tuple(moves[:MOST_MOVES]), moves_left_out=max(0, len(moves) - MOST_MOVES),
        commitments=commitments(outcome) if isinstance(outcome, Plan) else None,
        became_binding=became, no_longer_binding=no_longer, clash=clash,
        reasons=reasons[:MOST_REASONS], reasons_left_out=max(0, len(reasons) - MOST_REASONS),
    )  # fmt: skip


def _clash_words(outcome: Infeasible) -> str:
    if not outcome.clash:
        return "Demand itself cannot be placed, whatever the rules."
    if outcome.smallest:
        return (
            "These rules cannot be kept together, and no smaller set of rules clashes. "
            "Leave any one of them out and the rest can be kept."
        )
    if outcome.irreducible:
        return (
            "These rules cannot be kept together. Leave any one of them out and the rest can be "
            "kept. A smaller set that clashes may exist."
        )
    return (
        "These rules cannot be kept together. Time ran out before the search for a smaller set "
        "ended."
    )


def _unfinished_words(outcome: Unfinished) -> str:
    words = (
        f"Time ran out after {number(outcome.seconds)}{NBSP}s before any plan was found. "
        "Whether a lawful plan exists is not known"
    )
    if not 0 < outcome.bound_usd < math.inf:
        return f"{words}."
    bound = per_month(exact(outcome.bound_usd), outcome.world.policy.horizon_hours)
    return f"{words}; if one does, it costs at least {at_least_usd(bound)} USD a month."


def instance_moves(base: Plan, other: Plan) -> list[Move]:
    """Instances to start and stop, most first; groups differ by type and purchase as well."""
    key = ["service", "cloud", "region", "instance_type", "purchase"]
    before, after = (_peaks(plan, key) for plan in (base, other))
    change = after.sub(before, fill_value=0).astype(int)
    frame = change.rename("change").reset_index()
    frame["place"] = frame["cloud"].astype(str) + "/" + frame["region"].astype(str)
    frame["started"] = frame["change"].clip(lower=0)
    frame["stopped"] = (-frame["change"]).clip(lower=0)
    totals = frame.groupby(["service", "place"], sort=True)[["started", "stopped"]].sum()
    moves = [
        Move(str(service), str(place), int(started), int(stopped))
        for (service, place), started, stopped in zip(
            totals.index, totals["started"], totals["stopped"], strict=True
        )
        if started or stopped
    ]
    return sorted(moves, key=lambda m: (-(m.started + m.stopped), m.service, m.place))


def _peaks(plan: Plan, key: list[str]) -> pd.Series:
    counts = plan.placement.counts
    text = counts.assign(**{column: counts[column].astype(str) for column in key})
    return text.groupby([*key, "period"])["count"].sum().groupby(key).max()


def _binding_beyond(one: Plan, other: Plan) -> tuple[RuleWords, ...]:
    """Rules that bind in ``one`` and not in ``other``."""
    here, there = _binding(one), _binding(other)
    return tuple(RuleWords(name, here[name]) for name in sorted(here.keys() - there.keys()))


def _binding(plan: Plan) -> dict[str, str]:
    table = plan.placement.binding
    table = table[table["binding_rows"] > 0]
    return dict(zip(table["rule"].astype(str), table["in_words"].astype(str), strict=True))


def _services(base: Plan, plans: Sequence[Plan]) -> tuple[ServiceCost, ...]:
    zero = Decimal(0)
    costs = [
        {name: per_month(amount, plan.placement.bill.hours)
         for name, amount in plan.placement.bill.by("service").items()}
        for plan in plans
    ]  # fmt: skip
    first = costs[0]
    names = dict.fromkeys(name for cost in costs for name in cost)
    return tuple(
        ServiceCost(
            name or PURCHASE_WORDS[COMMITMENT_PURCHASE],
            tuple(
                (usd(cost.get(name, zero)),
                 "" if cost is first else change_usd(cost.get(name, zero) - first.get(name, zero)))
                for cost in costs
            ),
        )
        for name in names
    )  # fmt: skip
