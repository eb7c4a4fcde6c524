"""The command foresee."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.observing import WEEK, duration, moment
from optimizer.cli.options import QuietOption, TableFormat, WorldName


def foresee(
    world: WorldName,
    telemetry: Annotated[
        Path,
        typer.Option(
            "--telemetry",
            metavar="DIR",
            help="Folder of signals, as trimtab observe keeps it.",
            show_default=False,
        ),
    ],
    horizon: Annotated[
        timedelta,
        typer.Option(
            "--horizon", metavar="DURATION", parser=duration,
            help="How far to look ahead: 6h, 7d or 2w, at most 28d.",
        ),
    ] = WEEK,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME",
            help="As it would have been seen then. Default: the end of what was measured.",
            show_default=False,
        ),
    ] = None,
    least: Annotated[
        float,
        typer.Option(
            "--least", metavar="SHARE", min=0.0, max=1.0,
            help="Leave out what is less probable. json and csv have everything with 0.",
        ),
    ] = 0.5,
    snapshots: Annotated[
        Path | None,
        typer.Option(
            "--snapshots", metavar="DIR",
            help="Folder of snapshots, as trimtab collect keeps it: quotas are foreseen, too.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        TableFormat, typer.Option("--format", help="What is printed.")
    ] = TableFormat.TABLE,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Say what is going to go wrong: surges, bottlenecks, exhaustion and failures.

    Each with its probability, when to expect it, and what speaks for it.
    """
    from optimizer.cli.warning import Asked, foresee_world

    if not timedelta(hours=1) <= horizon <= timedelta(days=28):
        raise typer.BadParameter("--horizon: between 1h and 28d")
    when = None if at is None else moment(at)
    asked = Asked(telemetry, horizon, when, least, snapshots, form, quiet)
    raise typer.Exit(foresee_world(world, asked))
