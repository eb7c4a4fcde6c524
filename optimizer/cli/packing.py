"""The command that packs pods onto shared nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from models.errors import NOWHERE, Fault, FaultyInput
from optimizer.cli.exits import ExitCode
from optimizer.cli.facts import PurchaseOption
from optimizer.cli.options import OutOption, QuietOption, TableFormat, finite
from optimizer.cli.screen import say, stdout_screen

if TYPE_CHECKING:
    from models.nodes import NoNodes, SharedNodes

GAP: Final = 0.001
TIME_LIMIT_S: Final = 30.0


def pack(
    pods: Annotated[
        Path,
        typer.Argument(
            metavar="PODS",
            help="File of pods: CSV, Parquet or YAML, one row per service.",
            show_default=False,
        ),
    ],
    place: Annotated[
        list[str],
        typer.Option(
            "--place",
            metavar="PLACE",
            help="Where the nodes are, such as aws/us-east-1. May be repeated: each place is "
            "packed for itself, and the cheapest comes first.",
            show_default=False,
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="BOOK",
            help="Price book of your own, CSV or Parquet. Default: the embedded book.",
            show_default=False,
        ),
    ] = None,
    purchase: Annotated[
        PurchaseOption, typer.Option("--purchase", help="How the nodes are bought.")
    ] = PurchaseOption.ON_DEMAND,
    burstable: Annotated[
        bool, typer.Option("--burstable", help="Burstable types, too, by what they sustain.")
    ] = False,
    reserve_vcpus: Annotated[
        float,
        typer.Option(
            "--reserve-vcpus", metavar="VCPUS", min=0, callback=finite,
            help="What the system and its daemons take of every node.",
        ),
    ] = 0.1,
    reserve_memory: Annotated[
        float,
        typer.Option(
            "--reserve-memory", metavar="GIB", min=0, callback=finite,
            help="The same for memory, GiB.",
        ),
    ] = 0.5,
    pods_per_node: Annotated[
        int, typer.Option("--pods-per-node", metavar="N", min=1, max=10**6, help="At most so many.")
    ] = 110,
    gap: Annotated[
        float,
        typer.Option(
            "--gap", metavar="SHARE", min=0.0, max=1.0, callback=finite,
            help="Stop when cost is proven to be within this share of the least possible.",
        ),
    ] = GAP,
    time_limit: Annotated[
        float,
        typer.Option(
            "--time-limit", metavar="SECONDS", min=0.001, callback=finite,
            help="Seconds that packing may take, for each place.",
        ),
    ] = TIME_LIMIT_S,
    out: OutOption = None,
    form: Annotated[
        TableFormat,
        typer.Option("--format", help="What is printed; json is the text of nodes.json."),
    ] = TableFormat.TABLE,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 5 when the gap target is missed.")
    ] = False,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Find the cheapest nodes that many services' pods can share, and prove it."""
    from models.nodes import Reserve
    from models.offerings import Purchase
    from optimizer.cli.interrupting import interruptible
    from optimizer.cli.progress import watching
    from optimizer.nodes.share import share_nodes
    from optimizer.output.writing import check_destination
    from providers.geography.regions import load_regions
    from providers.pricebook.embedded import load_embedded_book
    from providers.pricebook.files import read_book
    from scenarios.pods import read_pods

    known = load_regions()
    _check_places(place, list(known))
    if out is not None:
        check_destination(out)
    wanted = read_pods(pods)
    found = []
    with watching(quiet) as watch:
        with watch.stage("load prices"):
            book = load_embedded_book(known) if file is None else read_book(file, known, "report")
        for name in dict.fromkeys(place):
            with watch.stage(f"pack in {name} (the first time ever also compiles, ~20 s)"):
                one = interruptible(
                    lambda name=name: share_nodes(  # type: ignore[misc]
                        wanted, known[name], book,
                        purchase=Purchase(purchase.value), burstable=burstable,
                        reserve=Reserve(reserve_vcpus, reserve_memory, pods_per_node),
                        gap=gap, time_limit_s=time_limit, watch=watch,
                    )
                )  # fmt: skip
            found.append(one)
    raise typer.Exit(_shown(found, out, form, strict, quiet))


def _shown(
    found: list[SharedNodes | NoNodes],
    out: Path | None,
    form: TableFormat,
    strict: bool,
    quiet: bool,
) -> ExitCode:
    from models.nodes import NoNodes
    from models.placement import Proof
    from optimizer.output.json_values import json_text
    from optimizer.output.nodes_json import nodes_document, nodes_files, nodes_table
    from optimizer.output.nodes_text import nodes_text
    from optimizer.output.sheets import csv_bytes
    from optimizer.output.writing import write_folder

    found.sort(key=lambda one: (isinstance(one, NoNodes), getattr(one, "usd_per_hour", 0)))
    best = found[0]
    if out is not None and not isinstance(best, NoNodes):
        write_folder(out, nodes_files(found))
    if not quiet:
        screen = stdout_screen()
        match form:
            case TableFormat.TABLE:
                say(nodes_text(found, screen.width, screen.colour))
                if out is not None:
                    done = not isinstance(best, NoNodes)
                    written = f"Written to {out}: nodes.html, nodes.json and nodes.csv."
                    say(written if done else f"Nothing was written to {out}.")
            case TableFormat.CSV:
                say(csv_bytes(nodes_table(found)).decode())
            case TableFormat.JSON:
                say(json_text(nodes_document(found)))
    if isinstance(best, NoNodes):
        return ExitCode.INFEASIBLE
    missed = best.proof is Proof.TIME_LIMIT
    return ExitCode.GAP_MISSED if strict and missed else ExitCode.FINE


def _check_places(places: list[str], known: list[str]) -> None:
    from scenarios.faults import nearest

    faults = [
        Fault(NOWHERE, f"no place is called {name!r}", nearest(name, known))
        for name in places
        if name not in known
    ]
    if faults:
        raise FaultyInput(faults)
