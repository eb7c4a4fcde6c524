"""Text for terminals: wrapped to a width, coloured or not, and deaf to what names contain."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from optimizer.output.plain import plain

WIDE = 100
"""Columns from which tables show more than what is needed."""


def rendered(parts: Iterable[RenderableType], width: int, colour: bool) -> str:
    """The parts one below the other as text for a terminal of ``width`` columns.

    Without ``colour`` the text holds no escape sequence at all. Markup is off: ``[red]`` in a
    name stays as it is.
    """
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().split("\n"))


def words(text: str, style: str = "") -> Text:
    """Text of any origin in one style."""
    return Text(plain(text), style=style)


def table(title: str, columns: Sequence[str], right: Iterable[str] = ()) -> Table:
    """A table without rows yet, with or without title; the columns in ``right`` hold numbers."""
    numbers = set(right)
    made = Table(
        title=words(title, "bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in columns:
        if name in numbers:
            made.add_column(words(name), justify="right", no_wrap=True)
        else:
            made.add_column(words(name), overflow="fold")
    return made


@dataclass(frozen=True, slots=True)
class Column:
    """``rank``: those of the highest are left out first where a terminal is narrow; 0: never."""

    name: str
    rank: int = 0
    right: bool = False


def narrow_table(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int
) -> list[RenderableType]:
    """A row a line, every cell whole: what does not fit is left out by columns, which are named
    below. Where names alone are too long, lines are cut at their end.
    """
    shown = sorted(range(len(columns)), key=lambda i: columns[i].rank)
    while True:
        made = _whole_cells(title, columns, rows, sorted(shown))
        made.width = _endless().measure(made).maximum
        if made.width <= width or not columns[shown[-1]].rank:
            break
        shown.pop()
    left = [column.name for i, column in enumerate(columns) if i not in shown]
    return [made, words(f"Not shown here: {'; '.join(left)}.", "dim")] if left else [made]


def _whole_cells(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[Text]], shown: Sequence[int]
) -> Table:
    numbers = [columns[i].name for i in shown if columns[i].right]
    made = table(title, [columns[i].name for i in shown], numbers)
    for column in made.columns:
        column.no_wrap = True
    for row in rows:
        made.add_row(*(row[i] for i in shown))
    return made


def _endless() -> Console:
    return Console(file=io.StringIO(), width=100_000, legacy_windows=False)


def figure(value: float) -> str:
    """Three significant digits, and more of what is larger: ``0.00312``, ``12.5``, ``12,345``."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def usd(amount: Decimal) -> str:
    """``12,345``; small amounts keep their cents."""
    return f"{amount:,.0f}" if abs(amount) >= 1000 or not amount else f"{amount:,.2f}"


def signed_usd(amount: Decimal) -> str:
    """``+1,200`` or ``−1,200``, with a true minus sign."""
    sign = "+" if amount > 0 else "−" if amount < 0 else ""
    return sign + usd(abs(amount))


def percent(share: float) -> str:
    """``12 %``, ``3.2 %``, ``0.05 %``: two significant digits below ten."""
    points = share * 100
    if points and abs(points) < 0.0005:
        return "less than 0.001 %"
    return f"{points:.1f} %" if abs(points) >= 10 else f"{points:.2g} %"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 rule``, ``2,000 rules``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
