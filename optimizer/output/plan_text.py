"""An outcome in the words and tables that a terminal shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from models.placement import SHADOW_UNITS, Certificate, Proof, ShadowTerm
from models.places import CLOUD_NAMES, Cloud
from models.plan import Infeasible, Outcome, Plan, Unfinished
from models.rules import Rule
from models.world import HOURS_PER_MONTH, World
from optimizer.output.commitments_text import commitments_text
from optimizer.output.money import usd_per_month
from optimizer.output.summary import (
    Headline,
    cvar_usd,
    headline,
    monthly,
    peak_instances,
    places_of_services,
    shadow_per_month,
    starts_per_day,
    whole_peak,
)
from optimizer.output.terminal import (
    WIDE,
    percent,
    plural,
    rendered,
    signed_usd,
    table,
    usd,
    words,
)

MOST_SERVICES: Final = 30
MOST_RULES: Final = 12
MOST_PLACES: Final = 4
MOST_REASONS: Final = 6


def outcome_text(outcome: Outcome, width: int, colour: bool) -> str:
    """What the run ended in, for a terminal of ``width`` columns."""
    match outcome:
        case Plan():
            parts = _plan(outcome, width)
        case Infeasible():
            parts = _infeasible(outcome)
        case Unfinished():
            parts = _unfinished(outcome)
    return rendered(parts, width, colour)


def headline_words(head: Headline) -> str:
    """Before → after per month, and what that saves."""
    plan = usd(head.plan_usd_per_month)
    if head.today_usd_per_month is None or head.saving_usd_per_month is None:
        return f"{plan} USD/month"
    least = "at least " if head.unpriced_groups else ""
    change = f"{least}{usd(head.today_usd_per_month)} → {plan} USD/month"
    saving = head.saving_usd_per_month
    share = f" ({percent(abs(head.saved))})" if head.saved is not None else ""
    if not saving:
        return f"{change}, the same as today"
    if saving < 0:
        return f"{change}, costs {usd(-saving)} more{share}"
    return f"{change}, saves {least}{usd(saving)}{share}"


def proof_words(certificate: Certificate, world: World) -> str:
    """What is proven about cheaper plans, in plain words."""
    besides = f", {world.counts_besides} included" if world.counts_besides else ""
    if certificate.proof is Proof.OPTIMAL:
        return f"Proven: no plan that keeps every rule costs less{besides}."
    bound = certificate.bound_usd * HOURS_PER_MONTH / world.policy.horizon_hours
    if not math.isfinite(certificate.gap) or not math.isfinite(bound) or bound <= 0:
        return "Time ran out: nothing is proven about cheaper plans."
    proven = (
        f"no plan that keeps every rule costs less than {usd(Decimal(f'{bound:.2f}'))} USD/month"
        f"{besides}"
    )
    below = f"{percent(certificate.gap)} below this one"
    if certificate.proof is Proof.WITHIN_GAP:
        return f"Proven: {proven}, {below}."
    return (
        f"Missed the target of {percent(world.policy.gap_target)}. "
        f"Proven so far: {proven}, {below}."
    )


def cloud_name(cloud: str) -> str:
    """``Google Cloud`` for ``gcp``."""
    return CLOUD_NAMES[Cloud(cloud)] if cloud in set(Cloud) else cloud


def _title(world: World) -> Text:
    starts = world.starts.strftime("%Y-%m-%d %H:%M UTC")
    return words(world.name, "bold").append(
        f"  {world.policy.horizon_hours} h from {starts}, prices of {world.book.as_of}", "dim"
    )


def _plan(plan: Plan, width: int) -> Iterator[RenderableType]:
    head, certificate = headline(plan), plan.placement.certificate
    saves = head.saving_usd_per_month is not None and head.saving_usd_per_month > 0
    proven = certificate.proof is not Proof.TIME_LIMIT
    yield _title(plan.world)
    yield words(headline_words(head), "bold green" if saves else "bold")
    yield words(proof_words(certificate, plan.world), "" if proven else "yellow")
    yield from _shadow(plan)
    yield from _today(plan, head)
    yield from _starts(plan)
    yield ""
    if plan.placement.scenarios:
        yield _scenarios(plan)
    yield _clouds(plan)
    yield _services(plan, width)
    yield from commitments_text(plan, width)
    yield from _binding(plan, width)
    yield from _spot_risk(plan)
    yield from _changes(plan)


def _today(plan: Plan, head: Headline) -> Iterator[RenderableType]:
    if head.unpriced_groups:
        groups = plural(head.unpriced_groups, "group")
        yield words(f"Today costs more than shown: {groups} without a known price.", "yellow")
    broken = plan.today.broken
    if broken and plan.world.fleet.groups:
        yield words(f"Today's fleet breaks {plural(len(broken), 'rule')}:", "yellow")
        for item in broken[:MOST_RULES]:
            yield _indented(words(f"{item.rule.name}: {item.how}"))
        if len(broken) > MOST_RULES:
            yield _indented(words(f"and {len(broken) - MOST_RULES:,} more", "dim"))


def _shadow(plan: Plan) -> Iterator[RenderableType]:
    """What counts beside the bill: quantities and what they count, per month."""
    before = shadow_per_month(plan.today.bill) if plan.world.fleet.groups else {}
    for term, (quantity, amount) in shadow_per_month(plan.placement.bill).items():
        today = f"{before[term][0]:,.0f} → " if term in before else ""
        name = term.value.replace("_", " ").capitalize()
        yield words(
            f"{name}: {today}{quantity:,.0f} {SHADOW_UNITS[term]}/month, counted as "
            f"{usd(amount)} USD/month beside the bill."
        )


def _scenarios(plan: Plan) -> Table:
    """What each demand scenario costs and leaves unmet, per month."""
    placement = plan.placement
    numbers = ["Probability", "Paid", "Requests unmet", "Counted"]
    made = table("By demand scenario, per month, USD", ["Demand", *numbers], numbers)
    for one in placement.scenarios:
        requests, _ = one.bill.shadow_of(ShadowTerm.UNMET_DEMAND)
        made.add_row(
            f"{one.quantile:g} quantile",
            percent(one.probability),
            usd(usd_per_month(one.bill.total_usd, placement.hours)),
            f"{usd_per_month(requests, placement.hours):,.0f}",
            usd(usd_per_month(one.counted_usd, placement.hours)),
        )
    tail, risk = cvar_usd(plan), plan.world.policy.cvar
    if tail is not None and risk is not None:
        made.add_section()
        dearest = usd_per_month(Decimal(f"{tail:.6f}"), placement.hours)
        share = float(1 - Decimal(repr(risk.level)))
        made.add_row(f"the dearest {percent(share)}", "", "", "", usd(dearest))
    return made


def _starts(plan: Plan) -> Iterator[RenderableType]:
    """How often sizes change, where somebody asks that they keep for a while."""
    world = plan.world
    own = [s.minimum_run_hours for s in world.services if s.minimum_run_hours is not None]
    if max([world.policy.minimum_run_hours, *own]) > 1:
        started = sum(starts_per_day(plan.placement).values())
        yield words(f"Instances that start a day: {started:,.0f}.")


def _clouds(plan: Plan) -> Table:
    today, after = monthly(plan.today.bill, "cloud"), monthly(plan.placement.bill, "cloud")
    peaks = peak_instances(plan.placement, "cloud")
    runs = bool(plan.world.fleet.groups)
    numbers = ["Peak instances", *(["Today"] if runs else []), "Plan"]
    made = table("By cloud, USD/month", ["Cloud", *numbers], numbers)
    for cloud in sorted(today.keys() | after.keys()):
        before = [usd(today.get(cloud, Decimal(0)))] if runs else []
        made.add_row(
            words(cloud_name(cloud)),
            f"{peaks.get(cloud, 0):,}",
            *before,
            usd(after.get(cloud, Decimal(0))),
        )
    made.add_section()
    head = headline(plan)
    total = [usd(head.today_usd_per_month)] if head.today_usd_per_month is not None else []
    made.add_row(
        "Total",
        f"{whole_peak(plan.placement):,}",
        *total,
        usd(head.plan_usd_per_month),
        style="bold",
    )
    return made


def _services(plan: Plan, width: int) -> Table:
    today, after = monthly(plan.today.bill, "service"), monthly(plan.placement.bill, "service")
    places = places_of_services(plan.placement)
    peaks = peak_instances(plan.placement, "service")
    wide = width >= WIDE
    compared = wide and bool(plan.world.fleet.groups)
    numbers = ["Peak instances" if wide else "Peak"]
    numbers += ["Today", "Change", "Plan"] if compared else ["Plan"]
    columns = ["Service", *(["Team"] if wide else []), "Places", *numbers]
    made = table("By service, USD/month", columns, numbers)
    zero = Decimal(0)
    services = sorted(plan.world.services, key=lambda s: (-after.get(s.name, zero), s.name))
    for service in services[:MOST_SERVICES]:
        before, then = today.get(service.name, zero), after.get(service.name, zero)
        made.add_row(
            words(service.name),
            *([words(service.team)] if wide else []),
            words(_some_places(places.get(service.name, ()))),
            f"{peaks.get(service.name, 0):,}",
            *([usd(before), signed_usd(then - before)] if compared else []),
            usd(then),
        )
    rest = services[MOST_SERVICES:]
    if rest:
        made.add_section()
        cost = usd(sum((after.get(service.name, zero) for service in rest), zero))
        gaps = [""] * (len(made.columns) - 2)
        made.add_row(words(f"{len(rest):,} more", "dim"), *gaps, cost)
    return made


def _some_places(places: Sequence[str]) -> str:
    more = len(places) - MOST_PLACES
    if more <= 1:
        return ", ".join(places)
    return ", ".join(places[:MOST_PLACES]) + f" and {more} more"


def _binding(plan: Plan, width: int) -> Iterator[RenderableType]:
    binding = plan.placement.binding
    binding = binding[binding["binding_rows"] > 0]
    if binding.empty:
        return
    wide = width >= WIDE
    made = table("Rules without slack", ["Rule", "In words", *(["Written at"] if wide else [])])
    shown = binding[["rule", "in_words", "where"]].astype(str).head(MOST_RULES)
    for rule, in_words, where in shown.itertuples(index=False, name=None):
        made.add_row(words(rule), words(in_words), *([words(where)] if wide else []))
    yield made
    if len(binding) > MOST_RULES:
        yield words(f"and {len(binding) - MOST_RULES:,} more", "dim")


def _spot_risk(plan: Plan) -> Iterator[RenderableType]:
    risks = plan.placement.spot_risk
    if risks.empty:
        return
    numbers = ["Pools", "May go at once", "Chance of more, per hour"]
    made = table("Spot pools", ["Rule", "Service", *numbers], numbers)
    for row in risks.head(MOST_SERVICES).itertuples(index=False):
        made.add_row(
            words(str(row.rule)),
            words(str(row.service)),
            f"{row.pools_used:,} of {row.pools:,}",
            f"{row.at_once:,}",
            f"{row.chance_in_plan:.2g} (granted: {row.chance_at_most:g})",
        )
    yield made
    if len(risks) > MOST_SERVICES:
        yield words(f"and {len(risks) - MOST_SERVICES:,} more", "dim")


def _changes(plan: Plan) -> Iterator[RenderableType]:
    """What becomes of today's services: those that stay, then those that change."""
    changes = plan.placement.changes
    if changes.empty:
        return
    numbers = ["Start", "Stop"]
    made = table("Changes of what runs today", ["Service", *numbers, "Why"], numbers)
    for row in changes.head(MOST_SERVICES).itertuples(index=False):
        said = "stays" if row.changes == "no" else "changes"
        made.add_row(
            words(str(row.service)),
            f"{row.started:,}",
            f"{row.stopped:,}",
            words(f"{said}: {row.why}"),
        )
    yield made
    if len(changes) > MOST_SERVICES:
        yield words(f"and {len(changes) - MOST_SERVICES:,} more", "dim")


def _infeasible(outcome: Infeasible) -> Iterator[RenderableType]:
    yield _title(outcome.world)
    yield words("No plan keeps every rule.", "bold red")
    if outcome.clash:
        yield words(_clash_words(outcome))
        yield from (_indented(_rule(rule)) for rule in outcome.clash)
    else:
        yield words("Demand cannot be placed even without rules.")
    for reason in outcome.reasons[:MOST_REASONS]:
        yield _indented(words(reason))
    if len(outcome.reasons) > MOST_REASONS:
        yield _indented(words(f"and {len(outcome.reasons) - MOST_REASONS:,} more", "dim"))


def _clash_words(outcome: Infeasible) -> str:
    if len(outcome.clash) == 1:
        return "This rule cannot be kept:"
    together = f"These {len(outcome.clash)} rules cannot be kept together"
    if outcome.smallest:
        return f"{together}, and no smaller set clashes; without any one of them, the others can:"
    if outcome.irreducible:
        return f"{together}; without any one of them, the others can. A smaller set may exist:"
    return f"{together}. Time ran out before the search for a smaller set ended:"


def _rule(rule: Rule) -> Text:
    line = words(rule.name, "bold").append(f": {words(rule.in_words)}")
    if rule.at.file:
        line.append(f"  ({words(str(rule.at))})", "dim")
    if rule.why:
        line.append(f"  because: {words(rule.why)}")
    return line


def _indented(line: Text) -> Padding:
    return Padding(line, (0, 0, 0, 2))


def _unfinished(outcome: Unfinished) -> Iterator[RenderableType]:
    yield _title(outcome.world)
    yield words(f"No plan was found in {outcome.seconds:.0f} s.", "bold yellow")
    policy = outcome.world.policy
    bound = outcome.bound_usd * HOURS_PER_MONTH / policy.horizon_hours
    if math.isfinite(bound) and bound > 0:
        yield words(f"Any plan costs at least {usd(Decimal(f'{bound:.2f}'))} USD/month.")
    yield words("Whether one exists is not known: allow more time with --time-limit.")
