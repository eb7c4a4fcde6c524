"""The command forecast."""

from __future__ import annotations

from typing import Annotated

import typer

from optimizer.cli.options import (
    DaskOption,
    OutOption,
    QuietOption,
    TableFormat,
    WorkersOption,
    WorldName,
    one_of,
)


def forecast(
    world: WorldName,
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario",
            metavar="FILE",
            help="Foresee the world as this what-if changes it: a scenario file, or its name among "
            "the world's whatifs.",
            show_default=False,
        ),
    ] = None,
    hours: Annotated[
        int | None,
        typer.Option(
            "--hours",
            metavar="H",
            min=1,
            max=744,
            help="How far to look ahead. Default: the hours that the world plans.",
            show_default=False,
        ),
    ] = None,
    track: Annotated[
        int | None,
        typer.Option(
            "--track",
            metavar="DAYS",
            min=1,
            max=28,
            help="Also foretell the last days again, each from what was known before it, and say "
            "how forecasts did, which model was in use, and why it was switched.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        bool,
        typer.Option(
            "--plot",
            help="Draw history, quantiles, events and anomalies on one page: forecast.html in the "
            "folder of --out, by default WORLD-forecast.",
        ),
    ] = False,
    out: OutOption = None,
    form: Annotated[
        TableFormat, typer.Option("--format", help="What is printed; csv has all hours.")
    ] = TableFormat.TABLE,
    workers: WorkersOption = 1,
    dask: DaskOption = None,
    quiet: QuietOption = False,
) -> None:
    """Say what users will ask of services, with quantiles, and what strayed from the usual.

    Demand that services cause by calling others is not in it: plans derive it.
    """
    from optimizer.cli.expecting import Asked, forecast_world

    one_of(workers, dask)
    asked = Asked(scenario, hours, track or 0, plot, out, form, quiet, workers, dask)
    raise typer.Exit(forecast_world(world, asked))
