"""Commands about what services send: listen, graph, incidents."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.observing import DAY, duration
from optimizer.cli.options import Format, GraphFormat, QuietOption

HOUR_S = 3600


TelemetryFolder = Annotated[
    Path,
    typer.Argument(metavar="TELEMETRY", help="Folder of telemetry.", show_default=False),
]
LastOption = Annotated[
    timedelta,
    typer.Option(
        "--last",
        metavar="DURATION",
        parser=duration,
        help="How much of it, up to the last that was measured: 90m, 24h, 7d.",
    ),
]


def _address(text: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[host]:port``."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise typer.BadParameter("give host:port, such as 127.0.0.1:4318")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _whole_share(step_s: int) -> int:
    if HOUR_S % step_s:
        raise typer.BadParameter("steps must divide an hour: 10, 15, 30, 60, 300, ...")
    return step_s


def listen(
    address: Annotated[
        str,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="Where to listen; port 0 takes a free one.",
        ),
    ] = "127.0.0.1:4318",
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder of telemetry; observe may write to the same.",
        ),
    ] = Path("traces"),
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="What a new folder is called, as in the file of observe. Default: otlp.",
            show_default=False,
        ),
    ] = None,
    step: Annotated[
        int,
        typer.Option(
            "--step",
            metavar="SECONDS",
            min=1,
            max=HOUR_S,
            callback=_whole_share,
            help="Seconds that a value covers.",
        ),
    ] = 60,
    keep_days: Annotated[
        int,
        typer.Option("--keep-days", metavar="DAYS", min=1, help="Older days are forgotten."),
    ] = 90,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="File with the token that senders must show. Default: the environment variable "
            "TRIMTAB_OTLP_TOKEN, or none.",
            show_default=False,
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Receive traces and logs by OTLP over HTTP, and keep what they say of services.

    Any SDK or Collector of OpenTelemetry can send (docs/otlp.md). Ends well on Ctrl-C and on
    SIGTERM: steps that are whole are written first.
    """  # fmt: skip
    from optimizer.cli import serving

    host, port = _address(address)
    kept = serving.Kept(out, step, keep_days, name)
    serving.serve(host, port, kept, serving.token_in(token_file), quiet=quiet)


def graph(
    telemetry: TelemetryFolder,
    world: Annotated[
        str | None,
        typer.Argument(
            metavar="[WORLD]", help="World whose dependencies are compared.", show_default=False
        ),
    ] = None,
    last: LastOption = DAY,
    form: Annotated[
        GraphFormat,
        typer.Option("--format", help="What is printed; yaml is for a world file."),
    ] = GraphFormat.TABLE,
) -> None:
    """Show who calls whom, how often, how well, and what a world says of it."""
    from optimizer.cli import tracing

    tracing.show_graph(telemetry, world, last, form)


def incidents(
    telemetry: TelemetryFolder,
    last: LastOption = DAY,
    form: Annotated[Format, typer.Option("--format", help="What is printed.")] = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Show what strays from the usual, grouped by cause."""
    from optimizer.cli import tracing

    tracing.show_incidents(telemetry, last, form, quiet=quiet)
