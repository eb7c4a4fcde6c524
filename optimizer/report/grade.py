"""The page of a grade: one sheet for whoever pays."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from optimizer.grade import LETTERS, Grade, Part, Standing
from optimizer.output.grade_words import basis_words, caveats, points, verdict_words
from optimizer.report.figures import verdict
from optimizer.report.page import render
from optimizer.report.wording import (
    CLOUD_WORDS,
    hour,
    listed,
    per_month,
    percent,
    plural,
    usd,
)

MOST_ROWS = 15
MOST_RULES = 30
ZERO = Decimal(0)
_TOO_THIN = Decimal("0.0005")  # would be shown as 0.0 %
TONES = {"A": "good", "B": "good"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of today's dollar, in thousandths of the bar's width."""

    label: str
    tint: str
    start: float
    width: float
    usd: str
    share: str


@dataclass(frozen=True, slots=True)
class Reason:
    label: str
    words: str
    tint: str
    width: float
    usd: str


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    today: str
    plan: str
    wasted: str
    share: str
    today_width: float
    plan_width: float


@dataclass(frozen=True, slots=True)
class Cut:
    title: str
    head: str
    rows: tuple[Row, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class BrokenRow:
    name: str
    words: str
    how: str
    where: str


@dataclass(frozen=True, slots=True)
class GradePage:
    """Everything on the page, in words. ``dollar`` and ``reasons`` are empty where nothing can be
    compared."""

    world: str
    span: str
    letter: str
    worst: str
    tone: str
    verdict: str
    basis: str
    wasted: str
    dollar: tuple[Piece, ...]
    caveats: tuple[str, ...]
    reasons: tuple[Reason, ...]
    cuts: tuple[Cut, ...]
    broken: tuple[BrokenRow, ...]
    short: str
    unpriced: str
    scale: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]


def render_grade(grade: Grade) -> str:
    """A whole HTML document, the same for the same grade."""
    return render("grade.html.j2", it=grade_page(grade))


def grade_page(grade: Grade) -> GradePage:
    placement, today = grade.plan.placement, grade.plan.today
    comparable = grade.standing is not Standing.NOT_COMPARABLE
    worst = grade.letter_at_worst
    groups = [f"{g.count:,} × {g.instance_type} in {g.place}" for g in today.unpriced]
    return GradePage(
        world=grade.plan.world.name,
        span=f"{hour(placement.starts)}, {plural(placement.hours, 'hour')}",
        letter=grade.letter or "–",
        worst=worst if worst is not None and worst != grade.letter else "",
        tone=TONES.get(grade.letter or "", "warn"),
        verdict=verdict_words(grade),
        basis=basis_words(grade),
        wasted=_month(grade, grade.whole.wasted_usd),
        dollar=_dollar(grade) if comparable else (),
        caveats=caveats(grade),
        reasons=_reasons(grade) if comparable else (),
        cuts=(
            _cut(grade, "By team", "Team", grade.teams),
            _cut(grade, "By cloud that is paid today", "Cloud", grade.clouds),
            _cut(grade, "By service", "Service", grade.services),
        ),
        broken=tuple(
            BrokenRow(b.rule.name, b.rule.in_words, b.how, str(b.rule.at))
            for b in today.broken[:MOST_RULES]
        ),
        short=listed(list(grade.short), 12),
        unpriced=listed(groups, 8),
        scale=_scale(),
        facts=_facts(grade),
    )


def _dollar(grade: Grade) -> tuple[Piece, ...]:
    """What is needed for sure, what may be, and what is wasted for sure."""
    today = grade.whole.today_usd
    plan = min(grade.whole.plan_usd, today)
    bound = ZERO if grade.bound_usd is None else min(grade.bound_usd, plan)
    pieces = (
        ("Needed by any fleet that keeps every rule", "needed", ZERO, bound),
        ("Not known", "unsure", bound, plan),
        ("Wasted, proven", "wasted", plan, today),
    )
    return tuple(
        Piece(
            label,
            tint,
            _thousandths(start, today),
            _thousandths(end - start, today),
            _month(grade, end - start),
            percent((end - start) / today),
        )
        for label, tint, start, end in pieces
        if end - start > _TOO_THIN * today
    )


def _thousandths(part: Decimal, whole: Decimal) -> float:
    return round(float(part / whole * 1000), 2)


def _reasons(grade: Grade) -> tuple[Reason, ...]:
    whole = grade.whole
    reasons = (
        (
            "More runs than is needed",
            "Capacity beyond demand and rules, hour by hour: nights, weekends, spare instances.",
            whole.too_much_usd,
        ),
        (
            "What is needed is paid too dearly",
            "Instance types, places and purchase options that cost more for the same work.",
            whole.too_dear_usd,
        ),
        (
            "Data goes farther than it must",
            "Transfer between regions and clouds, and to users.",
            whole.transfer_usd,
        ),
    )
    longest = max(abs(amount) for _, _, amount in reasons) or Decimal(1)
    return tuple(
        Reason(
            label,
            words,
            "wasted" if amount >= 0 else "needed",
            round(float(abs(amount) / longest * 100), 2),
            _month(grade, amount),
        )
        for label, words, amount in reasons
    )


def _cut(grade: Grade, title: str, head: str, parts: tuple[Part, ...]) -> Cut:
    longest = max((max(p.today_usd, p.plan_usd) for p in parts), default=ZERO) or Decimal(1)
    rows = tuple(
        Row(
            CLOUD_WORDS.get(part.name, part.name) if head == "Cloud" else part.name,
            _month(grade, part.today_usd),
            _month(grade, part.plan_usd),
            _month(grade, part.wasted_usd),
            "" if part.wasted_share is None else percent(part.wasted_share),
            _width(part.today_usd, longest),
            _width(part.plan_usd, longest),
        )
        for part in parts[:MOST_ROWS]
    )
    return Cut(title, head, rows, max(0, len(parts) - MOST_ROWS))


def _width(amount: Decimal, longest: Decimal) -> float:
    return round(float(amount / longest * 100), 2) if amount > 0 else 0.0


def _month(grade: Grade, amount: Decimal) -> str:
    return usd(per_month(amount, grade.plan.placement.hours))


def _scale() -> tuple[tuple[str, str], ...]:
    rows, beyond = [], ""
    for letter, most in LETTERS:
        rows.append((letter, f"{beyond}at most {points(most)}"))
        beyond = f"more than {points(most)}, "
    return (*rows, ("F", beyond.removesuffix(", ")))


def _facts(grade: Grade) -> tuple[tuple[str, str], ...]:
    world, placement = grade.plan.world, grade.plan.placement
    policy = world.policy
    proof = verdict(placement.certificate, world)
    unsaid = "The source of the demand history is not stated."
    return (
        ("Proof", proof.words),
        ("Price book", f"{world.book.name}, as of {world.book.as_of.isoformat()}"),
        ("Demand", world.history.note.strip() or unsaid),
        ("Sized for", f"the {policy.demand_quantile:g} quantile of forecast demand in every hour"),
        ("Counts", "what is paid. Prices of carbon and of unmet demand are set aside."),
    )
