"""The command forecast."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from optimizer.cli.observing import Usually, duration
from optimizer.cli.options import (
    DaskOption,
    OutOption,
    QuietOption,
    TableFormat,
    WorkersOption,
    WorldName,
    one_of,
)

THREE_HOURS: Final = Usually("3h")


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
    telemetry: Annotated[
        Path | None,
        typer.Option(
            "--telemetry",
            metavar="DIR",
            help="Foresee the next minutes instead: of the requests in this folder, as trimtab "
            "observe keeps it.",
            show_default=False,
        ),
    ] = None,
    step: Annotated[
        timedelta | None,
        typer.Option(
            "--step", metavar="DURATION", parser=duration,
            help="With --telemetry: the length of a period. Default: that of the telemetry, a "
            "minute at least.",
            show_default=False,
        ),
    ] = None,
    ahead: Annotated[
        timedelta,
        typer.Option(
            "--ahead", metavar="DURATION", parser=duration,
            help="With --telemetry: how far to look ahead, at most 720 periods.",
        ),
    ] = THREE_HOURS,
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
) -> None:  # fmt: skip
    """Say what users will ask of services, with quantiles, and what strayed from the usual.

    Demand that services cause by calling others is not in it: plans derive it.
    """
    from optimizer.cli.expecting import Asked, Soon, forecast_soon, forecast_world

    one_of(workers, dask)
    if telemetry is not None:
        others = {"--scenario": scenario, "--hours": hours, "--track": track}
        for name in (name for name, value in others.items() if value is not None):
            raise typer.BadParameter(f"{name} does not go with --telemetry: see --ahead and --step")
        soon = Soon(telemetry, step, ahead)
        asked = Asked(None, None, 0, plot, out, form, quiet, workers, dask)
        raise typer.Exit(forecast_soon(world, asked, soon))
    if step is not None or ahead is not THREE_HOURS:
        raise typer.BadParameter("--step and --ahead go with --telemetry: see --hours")
    asked = Asked(scenario, hours, track or 0, plot, out, form, quiet, workers, dask)
    raise typer.Exit(forecast_world(world, asked))
