"""What a second look at a plan found, in the words and tables of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table

from models.world import HOURS_PER_MONTH
from optimizer.output.money import usd_per_month
from optimizer.output.terminal import WIDE, plural, rendered, table, usd, words
from optimizer.verify.findings import (
    BoundState,
    Difference,
    Subject,
    Verdict,
    Verification,
    Violation,
)

MOST_LISTED: Final = 40
_FINE: Final = {BoundState.CONFIRMED, BoundState.NOT_CLAIMED, BoundState.SKIPPED}


def verification_text(found: Verification, width: int, colour: bool) -> str:
    """The verdict, then claim by claim, then everything that does not hold."""
    return rendered(_parts(found, width), width, colour)


def _parts(found: Verification, width: int) -> Iterator[RenderableType]:
    world = found.world
    starts = world.starts.strftime("%Y-%m-%d %H:%M UTC")
    span = f"  {found.bill.hours} h from {starts}"
    yield words(world.name, "bold").append(f"{span}, as {words(found.file)} has it", "dim")
    if found.holds:
        yield words(_verified(found), "bold green")
    else:
        reasons = ", ".join(_said(verdict, found) for verdict in found.verdicts)
        yield words(f"Not verified: {reasons}.", "bold red")
    yield ""
    yield _claims(found)
    if found.violations:
        yield from _violations(found.violations, width)
    if found.differences:
        yield from _differences(found.differences, width)
    for one in found.not_checked[:MOST_LISTED]:
        yield words(f"Not checked: {one.what}: {one.why}.", "yellow")
    yield from _left_out(len(found.not_checked))


def _verified(found: Verification) -> str:
    match found.bound.state:
        case BoundState.CONFIRMED:
            return "Verified: rules, bill and bound hold."
        case BoundState.SKIPPED:
            return "Verified: rules and bill hold. The bound was not derived anew."
        case _:
            return "Verified: rules and bill hold."


def _said(verdict: Verdict, found: Verification) -> str:
    if verdict is Verdict.RULES_BROKEN:
        return f"{plural(len({v.rule for v in found.violations}), 'rule')} broken"
    if verdict is Verdict.NOT_CHECKED:
        return f"{plural(len(found.not_checked), 'thing')} not checked"
    return verdict.value


def _claims(found: Verification) -> Table:
    """One row for each thing that a plan claims."""
    made = table("", ["Claim", "Verdict", "Found"])
    for claim, verdict, detail, fine in _rows(found):
        style = "green" if fine else "bold red"
        made.add_row(words(claim), words(verdict, style), words(detail))
    return made


def _rows(found: Verification) -> Iterator[tuple[str, str, str, bool]]:
    subjects = {difference.subject for difference in found.differences}
    same = "the same" if found.world_is_named else "fits"
    detail = "" if found.world_is_named else "the file does not say which world it was made for"
    if Subject.WORLD in subjects:
        detail = "rules and bill were checked in the world that was given"
    yield _row("World", same, Subject.WORLD, subjects, detail)
    yield _row("Demand", "as forecast", Subject.DEMAND, subjects, "forecast anew from the history")
    broken = {violation.rule for violation in found.violations}
    checked = f"{plural(len(found.world.rules), 'rule')}, and what every plan must keep"
    yield "Rules", "broken" if broken else "kept", checked, not broken
    hours = found.bill.hours
    month = f"{usd(usd_per_month(found.bill.total_usd, hours))} USD/month"
    if found.claimed_usd is not None and Subject.BILL in subjects:
        month += f", stated {usd(usd_per_month(found.claimed_usd, hours))}"
    right = "right" if found.claimed_usd is not None else "not stated"
    yield _row("Bill", right, Subject.BILL, subjects, month)
    if Subject.PROOF in subjects or Subject.FACTS in subjects:
        yield "Statements", "differ", "see below", False
    bound = found.bound
    detail = bound.words
    if bound.derived_usd is not None and bound.claimed_usd is not None:
        stated, derived = _monthly(bound.claimed_usd, hours), _monthly(bound.derived_usd, hours)
        detail = f"stated {stated}, derived {derived} USD/month by {bound.how}"
        if bound.state is not BoundState.CONFIRMED:
            detail += f": {bound.words}"
    yield "Bound", bound.state.value, detail, bound.state in _FINE


def _row(
    claim: str, right: str, subject: Subject, wrong: set[Subject], detail: str
) -> tuple[str, str, str, bool]:
    fine = subject not in wrong
    return claim, right if fine else "differs", detail, fine


def _monthly(amount_usd: float, hours: int) -> str:
    monthly = amount_usd * HOURS_PER_MONTH / hours
    return usd(Decimal(f"{monthly:.2f}")) if abs(monthly) < float("inf") else "none"


def _violations(violations: Sequence[Violation], width: int) -> Iterator[RenderableType]:
    wide = width >= WIDE
    columns = ["Rule", "What breaks it", "Hours", "By", *(["Written at"] if wide else [])]
    made = table("Broken rules", columns)
    for one in violations[:MOST_LISTED]:
        by = f"{one.by:,.4g} {one.unit}" if one.unit else ""
        where = [words(str(one.at))] if wide else []
        made.add_row(words(one.rule), words(one.what), words(hours_text(one.hours)), by, *where)
    yield made
    yield from _left_out(len(violations))


def hours_text(hours: Sequence[int]) -> str:
    """``0–3, 7``: runs of hours."""
    runs: list[list[int]] = []
    for hour in hours:
        if runs and hour == runs[-1][-1] + 1:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return ", ".join(f"{r[0]}–{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in runs)


def _differences(differences: Sequence[Difference], width: int) -> Iterator[RenderableType]:
    wide = width >= WIDE
    made = table(
        "Statements that are not so",
        ["What", "Stated", "Found", *(["Where in the file"] if wide else [])],
    )
    for one in differences[:MOST_LISTED]:
        where = [words(one.pointer)] if wide else []
        made.add_row(words(one.what), words(one.stated), words(one.found), *where)
    yield made
    yield from _left_out(len(differences))


def _left_out(count: int) -> Iterator[RenderableType]:
    if count > MOST_LISTED:
        yield Padding(words(f"and {count - MOST_LISTED:,} more", "dim"), (0, 0, 0, 2))
