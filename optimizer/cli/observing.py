"""Commands that look at telemetry: observe."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from optimizer.cli.options import Format, QuietOption

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration(text: str | timedelta) -> timedelta:
    """``90s``, ``15m``, ``6h``, ``28d``, ``2w``; a default is one already."""
    if isinstance(text, timedelta):
        return text
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]+)?)([smhdw])", text.strip())
    if match is None or not float(match[1]):
        raise typer.BadParameter(f"{text!r} is no duration: write 90s, 15m, 6h, 28d or 2w")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


class Usually(timedelta):
    """A default, shown as it is written."""

    text: str

    def __new__(cls, text: str) -> Usually:
        made = super().__new__(cls, seconds=duration(text).total_seconds())
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text


MINUTE: Final = Usually("60s")
DAY: Final = Usually("24h")
WEEK: Final = Usually("7d")


def moment(text: str) -> datetime:
    """ISO 8601 with an offset, or a day, which starts at midnight UTC."""
    try:
        day = re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip())
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        message = f"{text!r} is no moment: write 2026-03-01T14:00:00Z or 2026-03-01"
        raise typer.BadParameter(message) from error
    if day:
        return found.replace(tzinfo=UTC)
    if found.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no time zone: end it with Z, or an offset")
    return found.astimezone(UTC)


def _served_at(text: str) -> str:
    host, _, port = text.rpartition(":")
    if text != "off" and not (host and port.isdigit() and int(port) < 65_536):
        raise typer.BadParameter(f"{text!r} is no address: write 127.0.0.1:9464, or off")
    return text


def observe(
    telemetry: Annotated[
        Path,
        typer.Argument(
            metavar="TELEMETRY",
            help="Telemetry file: where signals come from (docs/telemetry.md).",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder that signals are kept in.")
    ] = Path("telemetry"),
    starts: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            metavar="TIME",
            parser=moment,
            help="Read from here on. Default: where each source was left.",
            show_default=False,
        ),
    ] = None,
    ends: Annotated[
        datetime | None,
        typer.Option(
            "--to", metavar="TIME", parser=moment, help="Read until here. Default: now.",
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        timedelta | None,
        typer.Option(
            "--last",
            metavar="DURATION",
            parser=duration,
            help="Read so much before --to: 90s, 15m, 6h, 28d or 2w.",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on reading, until SIGTERM or Ctrl-C.")
    ] = False,
    every: Annotated[
        timedelta,
        typer.Option(
            "--every", metavar="DURATION", parser=duration, help="With --follow: how often.",
        ),
    ] = MINUTE,
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics",
            metavar="HOST:PORT",
            parser=_served_at,
            help="With --follow: where /metrics is served, or off.",
        ),
    ] = "127.0.0.1:9464",
    form: Annotated[Format, typer.Option("--format", help="What is printed.")] = Format.TABLE,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Read all sources of telemetry, and keep the signals.

    What a source does not answer is said, with the reason, and the rest is kept: the run ends
    with 7 then. Reading the same again changes nothing.
    """
    from optimizer.cli import telemetry as work

    if last is not None and starts is not None:
        raise typer.BadParameter("give --from or --last, not both")
    if follow and ends is not None:
        raise typer.BadParameter("--follow has no end: leave out --to")
    window = work.Window(starts, ends, last)
    if follow:
        address = None if metrics == "off" else metrics
        end = work.follow_telemetry(telemetry, out, window, every, address, form, quiet=quiet)
    else:
        end = work.observe_telemetry(telemetry, out, window, form, quiet=quiet)
    raise typer.Exit(end)
