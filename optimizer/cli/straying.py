"""Commands that look for what strays: anomalies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from optimizer.cli.listening import LastOption, TelemetryFolder
from optimizer.cli.observing import DAY, moment
from optimizer.cli.options import Format, QuietOption

Stretch = tuple[datetime, datetime, str]
"""From, until, and the service; all services without one."""


def _stretch(text: str) -> Stretch:
    span, _, service = text.partition("@")
    starts, slash, ends = span.partition("/")
    if not slash:
        raise typer.BadParameter(
            f"{text!r} is no stretch of time: write FROM/TO or FROM/TO@SERVICE"
        )
    since, until = moment(starts), moment(ends)
    if since >= until:
        raise typer.BadParameter(f"{text!r} ends before it starts")
    return since, until, service


def anomalies(
    telemetry: TelemetryFolder,
    last: LastOption = DAY,
    once_in: Annotated[
        int,
        typer.Option(
            "--once-in",
            metavar="STEPS",
            min=100,
            help="As rare as once in so many steps. Fewer: more events, more false alarms.",
        ),
    ] = 10_000,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known",
            metavar="FROM/TO[@SERVICE]",
            help="Known to be unusual, such as maintenance: not looked at. May be repeated.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What is printed.")] = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Show what strays from the usual, and why.

    Every value is judged by those before it; gaps never stray (docs/anomalies.md).
    """
    from optimizer.cli import strays

    stretches = [_stretch(text) for text in known or ()]
    strays.show_anomalies(telemetry, last, once_in, stretches, form, quiet=quiet)
