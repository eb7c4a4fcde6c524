"""Commands that show the facts plans are made from: prices, regions."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from models.errors import NOWHERE, Fault, FaultyInput
from models.places import Cloud
from optimizer.cli.finding import find_world
from optimizer.cli.options import TableFormat
from optimizer.cli.screen import say, stdout_screen

if TYPE_CHECKING:
    import pandas as pd

    from models.offerings import PriceBook
    from models.places import Coordinates, Region

SHOWN_UNASKED: Final = 20
"""Rows of the terminal table when --cheapest is not given."""


class CpuArchitecture(StrEnum):
    """``models.offerings.Architecture``, which is too heavy to import for ``--help``."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


class PurchaseOption(StrEnum):
    """``models.offerings.Purchase``, likewise."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"
    RESERVED_1Y = "reserved_1y"
    RESERVED_3Y = "reserved_3y"


CloudOption = Annotated[
    list[Cloud] | None,
    typer.Option("--cloud", help="Only this cloud; may be repeated.", show_default=False),
]


def prices(
    world: Annotated[
        str | None,
        typer.Option(
            "--world",
            metavar="WORLD",
            help="Prices that this world is planned with. Default: the embedded book.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="BOOK",
            help="Price book of your own, CSV or Parquet.",
            show_default=False,
        ),
    ] = None,
    cloud: CloudOption = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="REGION",
            help="Only here: aws/us-east-1 or us-east-1; may be repeated.",
            show_default=False,
        ),
    ] = None,
    vcpus_min: Annotated[
        float, typer.Option("--vcpus-min", metavar="VCPUS", min=0, help="At least so many vCPUs.")
    ] = 0,
    memory_min: Annotated[
        float, typer.Option("--memory-min", metavar="GIB", min=0, help="At least so many GiB.")
    ] = 0,
    gpus_min: Annotated[
        float, typer.Option("--gpus-min", metavar="GPUS", min=0, help="At least so many GPUs.")
    ] = 0,
    arch: Annotated[
        list[CpuArchitecture] | None,
        typer.Option("--arch", help="Only this architecture; may be repeated.", show_default=False),
    ] = None,
    purchase: Annotated[
        list[PurchaseOption] | None,
        typer.Option("--purchase", help="Only bought so; may be repeated.", show_default=False),
    ] = None,
    cheapest: Annotated[
        int | None,
        typer.Option(
            "--cheapest",
            metavar="N",
            min=1,
            help=f"Only the N cheapest. Default: {SHOWN_UNASKED} in a table, all in CSV and JSON.",
            show_default=False,
        ),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="What the book holds, corrects and rejects instead.")
    ] = False,
    form: Annotated[TableFormat, typer.Option("--format", help="What is printed.")] = (
        TableFormat.TABLE
    ),
) -> None:
    """Look prices up, each with its date and source; the cheapest come first."""
    from models.offerings import Architecture, Purchase
    from optimizer.output.json_values import json_text
    from optimizer.output.prices_text import book_document, book_text
    from providers.pricebook.search import search

    book = _book(world, file)
    screen = stdout_screen()
    if summary:
        if form is TableFormat.CSV:
            raise typer.BadParameter("a summary is a table or json", param_hint="--format")
        text = book_text(book, screen.width, screen.colour)
        say(text if form is TableFormat.TABLE else json_text(book_document(book)))
        return
    found = search(
        book,
        clouds=cloud or (),
        regions=region or (),
        vcpus_min=vcpus_min,
        memory_gib_min=memory_min,
        gpus_min=gpus_min,
        architectures=[Architecture(one.value) for one in arch or ()],
        purchases=[Purchase(one.value) for one in purchase or ()],
    )
    _print_offerings(book, found, cheapest, form)


def _print_offerings(
    book: PriceBook, found: pd.DataFrame, cheapest: int | None, form: TableFormat
) -> None:
    from optimizer.output.json_values import json_text
    from optimizer.output.prices_text import offerings_document, offerings_text
    from optimizer.output.sheets import csv_bytes

    shown = found if cheapest is None else found.head(cheapest)
    match form:
        case TableFormat.TABLE:
            screen = stdout_screen()
            shown = found.head(cheapest or SHOWN_UNASKED)
            say(offerings_text(book, shown, len(found), screen.width, screen.colour))
        case TableFormat.CSV:
            say(csv_bytes(shown).decode())
        case TableFormat.JSON:
            say(json_text(offerings_document(book, shown)))


def regions(
    cloud: CloudOption = None,
    near: Annotated[
        str | None,
        typer.Option(
            "--near",
            metavar="PLACE",
            help="The nearest first, with the estimated round trip in ms, from a place "
            "(aws/eu-central-1) or from degrees north,east (52.5,13.4).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the known places."""
    from models.latency import estimated_rtt_ms
    from optimizer.output.regions_text import regions_text
    from providers.geography.regions import load_regions

    known = load_regions()
    listed = [region for region in known.values() if not cloud or region.cloud in cloud]
    rtt_ms: list[float] | None = None
    if near is not None:
        there = [region.coordinates for region in listed]
        distances = estimated_rtt_ms([_point(near, known)], there)[0].tolist()
        ranked = sorted(
            zip(distances, listed, strict=True), key=lambda pair: (pair[0], pair[1].place)
        )
        rtt_ms, listed = [ms for ms, _ in ranked], [region for _, region in ranked]
    screen = stdout_screen()
    say(regions_text(listed, rtt_ms, screen.width, screen.colour))


def _book(world: str | None, file: Path | None) -> PriceBook:
    from optimizer.cli.progress import watching
    from optimizer.gather import catalogue_for, snapshot_of
    from providers.geography.regions import load_regions
    from providers.pricebook.embedded import load_embedded_book
    from providers.pricebook.files import read_book
    from scenarios.documents import read_world

    if world is not None and file is not None:
        raise typer.BadParameter("give --world or --file, not both")
    if world is not None:
        document = read_world(find_world(world))
        with watching(quiet=False) as watch:
            return catalogue_for(document, snapshot_of(document, watch)).book
    if file is not None:
        return read_book(file, load_regions(), "report")
    return load_embedded_book(load_regions())


def _point(near: str, known: dict[str, Region]) -> Coordinates:
    from models.places import Coordinates
    from scenarios.faults import nearest

    if near in known:
        return known[near].coordinates
    north, comma, east = near.partition(",")
    if not comma:
        fault = Fault(NOWHERE, f"no place is called {near!r}", nearest(near, list(known)))
        raise FaultyInput([fault])
    try:
        return Coordinates(float(north), float(east))
    except ValueError as error:
        hint = "write degrees north, a comma, degrees east: 52.5,13.4"
        raise FaultyInput([Fault(NOWHERE, f"--near {near}: {error}", hint)]) from error
