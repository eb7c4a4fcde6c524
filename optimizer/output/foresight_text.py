"""What is foreseen in the words and tables of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from models.foreseen import Prediction
from models.world import World
from optimizer.foresight.foresee import Foresight
from optimizer.output.terminal import WIDE, plural, rendered, table, words

SHOWN: Final = 30
_SURE: Final = 0.8
_DAYS_FROM: Final = timedelta(hours=48)


def foresight_text(world: World, it: Foresight, least: float, width: int, colour: bool) -> str:
    """Predictions of at least this probability, the surest first, and what curves say."""
    return rendered(_parts(world, it, least, width), width, colour)


def _parts(world: World, it: Foresight, least: float, width: int) -> Iterator[RenderableType]:
    days = it.horizon / timedelta(days=1)
    yield words(world.name, "bold").append(
        f"  {days:g} days from {it.made_at:%Y-%m-%d %H:%M} UTC", "dim"
    )
    yield ""
    likely = it.likely(least)
    if likely:
        yield _predictions(likely, width)
    else:
        count = plural(len(it.predictions), "thing was", "things were")
        yield words(f"Nothing is foreseen with {100 * least:g} % or more; {count} looked at.")
    if it.curves:
        yield ""
        yield _curves(it)


def _predictions(likely: tuple[Prediction, ...], width: int) -> RenderableType:
    wide = width >= WIDE
    heads = ["Chance", "When", *(["Not before"] if wide else []), "What", "Evidence"]
    made = table("What is going to happen", heads, ["Chance"])
    for one in likely[:SHOWN]:
        chance = min(round(100 * one.probability), 99) if one.probability < 1 else 100
        what = Text(f"{one.kind.value}\n", "bold").append_text(words(one.of))
        cells: list[RenderableType] = [
            words(f"{chance} %", "red" if one.probability >= _SURE else "yellow"),
            words(_when(one)),
        ]
        if wide:
            cells.append(words(f"{one.earliest_at:%a %d %b %H:%M}" if one.since is None else ""))
        evidence = Text("\n").join([words(one.what), *map(words, one.evidence)])
        made.add_row(*cells, what, evidence)
    if len(likely) > SHOWN:
        made.caption = words(f"... and {len(likely) - SHOWN:,} more: --format json lists all")
    return made


def _when(one: Prediction) -> str:
    if one.since is not None:
        return f"now, since\n{one.since:%a %d %b %H:%M}"
    return f"{_lead(one.expected_at - one.made_at)}\n{one.expected_at:%a %d %b %H:%M}"


def _lead(ahead: timedelta) -> str:
    hours = ahead / timedelta(hours=1)
    return f"in {hours:.0f} h" if ahead < _DAYS_FROM else f"in {hours / 24:.1f} days"


def _curves(it: Foresight) -> RenderableType:
    made = table("Where latency objectives break", ["Service", "Objective", "Says"], ["Objective"])
    for one in sorted(it.curves, key=lambda one: (not one.wrong, one.service))[:SHOWN]:
        style = "yellow" if one.wrong else ""
        made.add_row(words(one.service), f"{one.objective_ms:g} ms", words(one.says, style))
    if len(it.curves) > SHOWN:
        made.caption = words(f"... and {len(it.curves) - SHOWN:,} more: --format json lists all")
    return made
