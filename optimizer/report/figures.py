"""The headline: what is paid today, what the plan would cost, and how well that is proven."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.placement import Certificate, Proof
from models.plan import Plan
from models.world import World
from optimizer.report.wording import (
    NBSP,
    at_least_usd,
    at_most_percent,
    exact,
    headline_unit,
    hour,
    number,
    per_month,
    percent,
    plural,
    usd,
)

MOST_ITEMS = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """The proof in plain words. ``tone`` is ``good`` or ``warn``."""

    title: str
    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something that a reader must know to read the headline right."""

    title: str
    words: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Headline:
    """Amounts in words, USD. ``compared`` is false when nothing runs today."""

    world: str
    description: str
    span: str
    hours: int
    compared: bool
    today_month: str
    plan_month: str
    saving_month: str
    saving_share: str
    saves: bool
    today_horizon: str
    plan_horizon: str
    saving_horizon: str
    verdict: Verdict
    caveats: tuple[Caveat, ...]
    facts: tuple[tuple[str, str], ...]


def headline(plan: Plan) -> Headline:
    """The first thing that a reader sees."""
    bill, world = plan.placement.bill, plan.world
    now, then = plan.today.bill.total_usd, bill.total_usd
    saving = now - then
    compared = bool(world.fleet.groups)
    unit = headline_unit(per_month(max(now, then), bill.hours))
    return Headline(
        world=world.name,
        description=world.description.strip(),
        span=f"{hour(plan.placement.starts)}, {plural(bill.hours, 'hour')}",
        hours=bill.hours,
        compared=compared,
        today_month=usd(per_month(now, bill.hours), unit),
        plan_month=usd(per_month(then, bill.hours), unit),
        saving_month=usd(abs(per_month(saving, bill.hours)), unit),
        saving_share=percent(abs(saving) / now) if now else "",
        saves=saving >= 0,
        today_horizon=usd(now),
        plan_horizon=usd(then),
        saving_horizon=usd(abs(saving)),
        verdict=verdict(plan.placement.certificate, world),
        caveats=_caveats(plan) if compared else (),
        facts=_facts(plan),
    )  # fmt: skip


def verdict(certificate: Certificate, world: World) -> Verdict:
    """What is proven, never more: bounds are rounded down and gaps up."""
    found = _verdict(certificate, world)
    if not world.counts_besides:
        return found
    with_it = f"Here cost counts {world.counts_besides} at the policy's price"
    decided = usd(per_month(exact(certificate.objective_usd), world.policy.horizon_hours))
    words = f"{found.words} {with_it}: {decided} USD a month for this plan."
    return replace(found, words=words)


def _verdict(certificate: Certificate, world: World) -> Verdict:
    policy = world.policy
    limit, target = number(policy.time_limit_s), percent(exact(policy.gap_target), 2)
    bound = at_least_usd(per_month(exact(certificate.bound_usd), policy.horizon_hours))
    gap = at_most_percent(max(certificate.gap, 0.0))
    match certificate.proof:
        case Proof.OPTIMAL:
            words = f"No plan that keeps every rule can cost less than {bound} USD a month."
            return Verdict("Proven: no lawful plan is cheaper", words, "good")
        case Proof.WITHIN_GAP:
            words = (
                f"No plan that keeps every rule can cost less than {bound} USD a month: "
                f"none is more than {gap} cheaper than this one."
            )
            return Verdict(f"Proven within {gap} of the best", words, "good")
        case Proof.TIME_LIMIT:
            words = (
                f"The time limit of {limit}{NBSP}s was reached before the target "
                f"gap of {target} was proven. The plan keeps every rule, "
                f"but a lawful plan up to {gap} cheaper may exist: all that is proven is that "
                f"none costs less than {bound} USD a month."
            )
            return Verdict(f"Time limit reached: gap of {gap}", words, "warn")


def _caveats(plan: Plan) -> tuple[Caveat, ...]:
    today, world = plan.today, plan.world
    caveats = []
    if today.unpriced:
        groups = tuple(
            f"{g.count:,} × {g.instance_type} for {g.service} in {g.place}" for g in today.unpriced
        )
        caveats.append(
            Caveat(
                f"{plural(len(groups), 'group')} without a price",
                "What they cost is not known, so today truly costs more than is shown.",
                _first(groups),
            )
        )
    if today.broken:
        caveats.append(
            Caveat(
                f"{plural(len(today.broken), 'rule')} broken today",
                "The plan keeps every rule; its cost includes doing so.",
                _first(tuple(f"{b.rule.name}: {b.rule.in_words} — {b.how}" for b in today.broken)),
            )
        )
    peak = plan.demand_rps.sum(axis=1).max(axis=1)
    short = np.flatnonzero(today.capacity_rps < peak * (1 - 1e-9))
    if len(short):
        caveats.append(
            Caveat(
                f"{plural(len(short), 'service')} below planned demand today",
                "What runs today cannot carry the busiest hour that the plan is sized for.",
                _first(
                    tuple(
                        f"{world.services[s].name}: carries {number(float(today.capacity_rps[s]))}"
                        f"{NBSP}rps, planned for {number(float(peak[s]))}{NBSP}rps"
                        for s in short
                    )
                ),
            )
        )
    return tuple(caveats)


def _first(items: tuple[str, ...]) -> tuple[str, ...]:
    if len(items) <= MOST_ITEMS:
        return items
    return (*items[:MOST_ITEMS], f"{len(items) - MOST_ITEMS:,} more are not listed")


def _facts(plan: Plan) -> tuple[tuple[str, str], ...]:
    world, counts = plan.world, plan.placement.counts
    sources = sorted(
        {
            f"{source} ({date})"
            for source, date in counts[["price_source", "price_date"]]
            .drop_duplicates()
            .itertuples(index=False, name=None)
        }
    )
    policy = world.policy
    named = (
        f"the {s.quantile:g} quantile with probability {percent(exact(s.probability))}"
        for s in policy.demand_scenarios
    )
    demand = f"the {policy.demand_quantile:g} quantile of forecast demand in every hour"
    if policy.demand_scenarios:
        demand = f"forecast demand at {', '.join(named)}; after losses, {demand}"
    sized = (
        f"{demand}, with "
        f"{percent(exact(policy.headroom), 0)} of each instance's vCPUs and memory in use"
    )
    scope = (
        f"{plural(len(world.services), 'service')}, {plural(len(world.origins), 'origin')}, "
        f"{len(world.regions):,} candidate regions, {plural(len(world.rules), 'rule')}, "
        f"{len(world.book):,} offerings"
    )
    return (
        ("Price book", f"{world.book.name}, as of {world.book.as_of.isoformat()}"),
        ("Prices used", "; ".join(sources) or "none"),
        ("Demand", world.history.note.strip() or "The source of the demand history is not stated."),
        ("Sized for", sized),
        ("Scope", scope),
    )
