"""Commands that look at clouds: collect, diff, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.options import Format, QuietOption

CollectionName = Annotated[
    Path,
    typer.Argument(
        metavar="COLLECTION",
        help="Collection file: which clouds are looked at (docs/collect.md).",
        show_default=False,
    ),
]


def _named(folder: str) -> Path:
    if not folder:
        raise typer.BadParameter("no folder is named")
    return Path(folder)


def collect(
    collection: CollectionName,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            parser=_named,
            help="Folder of snapshots; each gets a dated folder.",
        ),
    ] = Path("snapshots"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask for everything, whatever the last snapshot has.")
    ] = False,
    form: Annotated[
        Format, typer.Option("--format", help="What is printed; json is snapshot.json.")
    ] = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Ask all clouds what runs, what could run, limits and prices, and keep it as a snapshot.

    What a cloud does not answer is marked in the snapshot, with the reason, and the rest is kept:
    the run ends with 7 then. No cloud is changed.
    """
    from optimizer.cli import surveying

    raise typer.Exit(surveying.collect_clouds(collection, out, form, fresh=fresh, quiet=quiet))


def diff(
    before: Annotated[
        Path,
        typer.Argument(
            metavar="BEFORE",
            help="Snapshot, or a folder of snapshots: its newest two are compared.",
            show_default=False,
        ),
    ],
    after: Annotated[
        Path | None, typer.Argument(metavar="[AFTER]", help="Snapshot.", show_default=False)
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What is printed.")] = Format.TABLE,
) -> None:
    """Say what changed from one snapshot to another."""
    from optimizer.cli import surveying

    raise typer.Exit(surveying.compare_snapshots(before, after, form))


def doctor(
    collection: CollectionName,
    form: Annotated[Format, typer.Option("--format", help="What is printed.")] = Format.TABLE,
    deadline: Annotated[
        float,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            min=1.0,
            help="A cloud that has not told all by then is a finding, too.",
        ),
    ] = 120.0,
) -> None:
    """Check credentials, permissions, reachability, clock and prices, and say how to mend them.

    All clouds are looked at at once; what is found is shown as it is found.
    Ends with 7 when something would keep a collection from being whole.
    """
    from optimizer.cli import surveying

    raise typer.Exit(surveying.doctor_clouds(collection, form, deadline))
