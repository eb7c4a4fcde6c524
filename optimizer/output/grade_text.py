"""A grade in the words and tables of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table

from models.places import CLOUD_NAMES, Cloud
from optimizer.grade import Grade, Part, Standing
from optimizer.output.grade_words import basis_words, caveats, month, verdict_words
from optimizer.output.terminal import WIDE, percent, rendered, table, words

MOST_PARTS: Final = 12
MOST_RULES: Final = 12
_STYLES: Final = {"A": "bold green", "B": "bold green", "C": "bold yellow"}


def grade_text(grade: Grade, width: int, colour: bool) -> str:
    """The letter and its proof, where the money goes, and what today's fleet breaks."""
    return rendered(_parts(grade, width), width, colour)


def cloud_name(name: str) -> str:
    return CLOUD_NAMES[Cloud(name)] if name in set(Cloud) else name


def _parts(grade: Grade, width: int) -> Iterator[RenderableType]:
    world, hours = grade.plan.world, grade.plan.placement.hours
    starts = world.starts.strftime("%Y-%m-%d %H:%M UTC")
    span = f"  {hours} h from {starts}, prices of {world.book.as_of}"
    yield words(world.name, "bold").append(span, "dim")
    letter = grade.letter or "–"
    worst = grade.letter_at_worst
    range_ = f" ({worst} at worst)" if worst is not None and worst != grade.letter else ""
    headline = words(f"Grade {letter}{range_}. ", _STYLES.get(letter, "bold red"))
    if grade.standing is Standing.NOT_COMPARABLE:
        headline = words("", "bold")
    yield headline.append(verdict_words(grade), "bold")
    yield words(basis_words(grade))
    for caveat in caveats(grade):
        yield words(caveat, "yellow")
    yield ""
    if grade.standing is not Standing.NOT_COMPARABLE:
        yield _why(grade)
    yield from _cut(grade, "By team", "Team", grade.teams, width)
    yield from _cut(grade, "By cloud that is paid today", "Cloud", grade.clouds, width)
    yield from _cut(grade, "By service", "Service", grade.services, width)
    yield from _broken(grade)


def _why(grade: Grade) -> Table:
    made = table("Why, USD/month", ["Reason", "Wasted"], ["Wasted"])
    whole = grade.whole
    made.add_row("More runs than is needed, hour by hour", month(grade, whole.too_much_usd))
    made.add_row("What is needed is paid too dearly", month(grade, whole.too_dear_usd))
    made.add_row("Data goes farther than it must", month(grade, whole.transfer_usd))
    made.add_section()
    made.add_row("In all", month(grade, whole.wasted_usd), style="bold")
    return made


def _cut(
    grade: Grade, title: str, head: str, parts: tuple[Part, ...], width: int
) -> Iterator[RenderableType]:
    wide = width >= WIDE
    reasons = ["Too much", "Too dear", "Transfer"] if wide else []
    numbers = ["Today", "Plan", *reasons, "Wasted", "Share"]
    made = table(f"{title}, USD/month", [head, *numbers], numbers)
    for part in parts[:MOST_PARTS]:
        amounts = [part.today_usd, part.plan_usd]
        if wide:
            amounts += [part.too_much_usd, part.too_dear_usd, part.transfer_usd]
        share = "" if part.wasted_share is None else percent(float(part.wasted_share))
        made.add_row(
            words(cloud_name(part.name)),
            *(month(grade, usd) for usd in (*amounts, part.wasted_usd)),
            share,
        )
    yield made
    if len(parts) > MOST_PARTS:
        yield _more(len(parts) - MOST_PARTS)


def _broken(grade: Grade) -> Iterator[RenderableType]:
    broken = grade.plan.today.broken
    if broken:
        yield words("What today's fleet breaks", "bold")
        for item in broken[:MOST_RULES]:
            yield Padding(words(f"{item.rule.name}: {item.how}"), (0, 0, 0, 2))
        if len(broken) > MOST_RULES:
            yield _more(len(broken) - MOST_RULES)


def _more(count: int) -> Padding:
    return Padding(words(f"and {count:,} more", "dim"), (0, 0, 0, 2))
