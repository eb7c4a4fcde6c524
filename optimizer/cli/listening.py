"""Commands about traces and logs that services send: listen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.options import QuietOption

HOUR_S = 3600


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
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of telemetry.")
    ] = Path("telemetry"),
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
    serving.serve(host, port, out, step, serving.token_in(token_file), quiet=quiet)
