"""A simulation in the words and tables of a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from rich.console import RenderableType
from rich.table import Table

from optimizer.output.terminal import WIDE, percent, plural, rendered, table, usd, words
from optimizer.simulate.choosing import WHOLE_FLEET
from optimizer.simulate.compare import Compared
from optimizer.simulate.study import Figures, Study
from optimizer.simulate.sweep import SHARES, Sweep

MOST_ROWS: Final = 200
WHOLE_INSTANCES: Final = (
    "plan pays for whole instances, the others only for their replicas' share of a full one: where "
    "instances are not full, its costs should not be compared with theirs."
)


def simulation_text(it: Compared, services: bool, width: int, colour: bool) -> str:
    """Policies compared, over all services and, when asked for, for each."""
    return rendered(_parts(it, services, width), width, colour)


def _parts(it: Compared, services: bool, width: int) -> Iterator[RenderableType]:
    study = it.study
    starts, ends = (moment.strftime("%Y-%m-%d %H:%M") for moment in (study.starts, study.ends))
    yield words(study.world, "bold").append(f"  {starts} to {ends} UTC", "dim")
    yield words(
        f"{plural(len(study.held), 'service')}; demand: {study.source}. Parameters are chosen on "
        f"what came before, from {study.asked.starts:%Y-%m-%d %H:%M} on."
    )
    yield _policies(study, width)
    if any(study.over_foresight(study.of(name), None) < 1 for name in study.policies):
        yield words("Below 1 ÷ foresight: requests waited or went unserved.", "dim")
    if WHOLE_FLEET in study.policies:
        yield words(WHOLE_INSTANCES, "dim")
    if services:
        yield _services(study, width)
    if it.sweep is not None:
        yield _frontiers(it.sweep)


def share_words(share: float) -> str:
    """``0`` when nothing was lost; else with two significant digits."""
    return percent(share) if share else "0"


def over_words(over: float) -> str:
    return f"{over:.3f}" if math.isfinite(over) else ""


_NUMBERS: Final = ("USD", "÷ foresight", "Unserved", "Late minutes", "Starts")
_FURTHER: Final = ("Stops", "Failures", "Interruptions")


def _cells(study: Study, figures: Figures, service: str | None, wide: bool) -> list[str]:
    cells = [
        usd(Decimal(f"{figures.usd:.2f}")),
        over_words(study.over_foresight(figures, service)),
        share_words(figures.unserved_share),
        share_words(figures.missed_minutes / figures.minutes if figures.minutes else 0.0),
        f"{figures.starts:,}",
    ]
    if wide:
        gone = figures.interruptions
        survived = f"{gone:,} ({figures.survived:,} survived)" if gone else "0"
        cells += [f"{figures.stops:,}", f"{figures.failures:,}", survived]
    return cells


def _policies(study: Study, width: int) -> Table:
    wide = width >= WIDE
    numbers = [*_NUMBERS, *(_FURTHER if wide else ())]
    made = table("", ["Policy", *numbers], numbers)
    for name in study.policies:
        made.add_row(words(name), *_cells(study, study.of(name), None, wide))
    return made


def _services(study: Study, width: int) -> Table:
    wide = width >= WIDE
    chosen = ["Parameters"] if wide else []
    made = table("By service", ["Service", "Policy", *chosen, *_NUMBERS], _NUMBERS)
    rows = sorted(study.found, key=lambda one: [h.service for h in study.held].index(one.service))
    for one in rows[:MOST_ROWS]:
        cells = _cells(study, one.figures, one.service, wide=False)
        said = [words(one.chosen)] if wide else []
        made.add_row(words(one.service), words(one.policy), *said, *cells)
    if len(rows) > MOST_ROWS:
        made.add_section()
        made.add_row(words(f"{len(rows) - MOST_ROWS:,} more with --format csv", "dim"))
    return made


def _frontiers(sweep: Sweep) -> Table:
    heads = [f"at {percent(share)}" for share in SHARES]
    made = table("Least cost ÷ foresight by share unserved", ["Family", *heads], heads)
    for family in sweep.families:
        costs = [sweep.cost_at(family, share) for share in SHARES]
        made.add_row(words(family), *(over_words(c) or "not reached" for c in costs))
    return made
