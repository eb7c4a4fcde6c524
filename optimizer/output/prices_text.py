"""Price books as terminal tables and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pandas as pd
from rich.console import RenderableType

from models.offerings import PriceBook
from optimizer.output.json_values import Document, finite_or_null, records
from optimizer.output.money import price_text
from optimizer.output.plan_text import cloud_name
from optimizer.output.terminal import WIDE, plural, rendered, table, words

OFFERINGS_FORMAT: Final = "trimtab-prices"


def offerings_text(
    book: PriceBook, shown: pd.DataFrame, matching: int, width: int, colour: bool
) -> str:
    """``shown`` of ``matching`` offerings; every price with its date and source."""
    return rendered(_offerings(book, shown, matching, width), width, colour)


def offerings_document(book: PriceBook, shown: pd.DataFrame) -> Document:
    """Offerings as JSON values; prices are exact decimal text."""
    return {
        "format": OFFERINGS_FORMAT,
        "version": 1,
        "book": book.name,
        "as_of": book.as_of.isoformat(),
        "offerings": [
            {
                **row,
                "price_usd_per_hour": price_text(row["price_usd_per_hour"]),
                "baseline_vcpus": finite_or_null(row["baseline_vcpus"]),
            }
            for row in records(shown)
        ],
    }


def book_text(book: PriceBook, width: int, colour: bool) -> str:
    """What a book holds, by cloud and purchase option, and what was left out and why."""
    return rendered(_book(book), width, colour)


def book_document(book: PriceBook) -> Document:
    """``book_text`` as JSON values."""
    return {
        "format": "trimtab-price-book",
        "version": 1,
        "book": book.name,
        "as_of": book.as_of.isoformat(),
        "offerings": len(book),
        "places": len(book.places),
        "priced": _counted(book.offerings, "purchase"),
        "unpriced": _counted(book.unpriced, "reason"),
        "notes": dict(book.notes),
    }


def _counted(rows: pd.DataFrame, field: str) -> list[Document]:
    """Rows per cloud and distinct value of ``field``."""
    counted = rows.groupby(["cloud", field], observed=True).size().rename("offerings")
    return records(counted.reset_index())


def _offerings(
    book: PriceBook, shown: pd.DataFrame, matching: int, width: int
) -> Iterator[RenderableType]:
    wide = width >= WIDE
    numbers = ["USD/hour", "vCPU", "GiB"]
    more = ["GPU", "Arch"] if wide else []
    yield words(f"Prices, book {book.name}", "bold")
    made = table("", ["Place", "Type", "Purchase", *numbers, *more, "Of"], numbers)
    sources: dict[tuple[str, str], int] = {}
    for row in records(shown):
        source = (str(row["price_date"]), str(row["source"]))
        gpus = f"{row['gpus']:g} {row['gpu_model']}".strip() if row["gpus"] else ""
        made.add_row(
            words(f"{row['cloud']}/{row['region']}"),
            words(str(row["instance_type"])),
            words(str(row["purchase"])),
            price_text(row["price_usd_per_hour"]),
            f"{row['vcpus']:g}",
            f"{row['memory_gib']:g}",
            *([words(gpus), words(str(row["architecture"]))] if wide else []),
            f"[{sources.setdefault(source, len(sources) + 1)}]",
        )
    yield made
    for (day, name), number in sources.items():
        yield words(f"[{number}] {day}, {name or 'source not given'}")
    if matching > len(shown):
        yield words(f"{len(shown):,} of {matching:,} offerings; --cheapest N shows more.", "dim")


def _book(book: PriceBook) -> Iterator[RenderableType]:
    holds = book_document(book)
    yield words(f"{book.name}, as of {book.as_of}", "bold")
    yield words(f"{plural(len(book), 'offering')} in {plural(len(book.places), 'place')}")
    yield ""
    priced = table("With a price", ["Cloud", "Purchase", "Offerings"], ["Offerings"])
    for row in holds["priced"]:
        priced.add_row(
            words(cloud_name(row["cloud"])), words(row["purchase"]), f"{row['offerings']:,}"
        )
    yield priced
    left_out = table("Without a usable price", ["Cloud", "Why", "Offerings"], ["Offerings"])
    for row in holds["unpriced"]:
        left_out.add_row(
            words(cloud_name(row["cloud"])), words(row["reason"]), f"{row['offerings']:,}"
        )
    yield left_out
    notes = table("On the way", ["What", "Count"], ["Count"])
    for what, count in book.notes.items():
        notes.add_row(words(what.replace("_", " ")), f"{count:,}")
    yield notes
