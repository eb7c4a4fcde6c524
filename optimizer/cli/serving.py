"""The work behind listen. Heavy: the command imports it when it runs."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from models.errors import NOWHERE, Fault, FaultyInput
from models.signals import Signals
from optimizer.cli.progress import watching
from optimizer.cli.screen import say
from optimizer.output.plain import plain
from providers.otlp.intake import Intake, Pace, Tally
from providers.otlp.lines import append_lines, known_templates
from providers.otlp.logs import ErrorLines
from providers.otlp.server import Server
from providers.telemetry.layout import DESCRIPTION, RECEIVED
from providers.telemetry.store import Store
from providers.telemetry.writing import StoreWriter

TOKEN_VARIABLE: Final = "TRIMTAB_OTLP_TOKEN"  # noqa: S105 - the name of the variable
NAME: Final = "otlp"
"""What a new folder is called where nobody says."""
_MOST_CONNECTIONS: Final = 1_000
_LAST_ANSWERS_S: Final = 10
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Kept:
    """Where telemetry is kept, in what steps, for how long, and under what name; None: as the
    folder is called already.
    """

    folder: Path
    step_s: int
    days: int
    name: str | None = None


class _Folder:
    """Where signals go. Once an hour, days that are too old are forgotten, and those that are over
    are tidied up.
    """

    def __init__(self, writer: StoreWriter, keep_days: int) -> None:
        self._writer, self._keep_days = writer, keep_days
        self._hour = -1

    def add(self, signals: Signals) -> None:
        hour = int(signals.starts.timestamp()) // _HOUR_S
        if hour != self._hour:
            self._hour = hour
            self._writer.retire(signals.starts, self._keep_days, None)
        self._writer.write(signals)
        self._writer.flush()

    def tell(self, lines: Sequence[ErrorLines]) -> None:
        append_lines(self._writer.folder, lines)


def token_in(path: Path | None) -> str | None:
    """The token in a file, or else in the environment; None: anybody may send."""
    if path is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise FaultyInput([Fault(NOWHERE, f"the token in {path} cannot be read")]) from None
    if not token or not token.isascii() or len(token.split()) != 1:
        hint = "write one word of printable ASCII characters"
        raise FaultyInput([Fault(NOWHERE, f"{path} holds no token", hint)])
    return token


def serve(host: str, port: int, kept: Kept, token: str | None, *, quiet: bool) -> None:
    """Listen until SIGTERM or Ctrl-C, then write what is whole."""
    with _bound(host, port) as door, _writer(kept) as writer:
        address = _url(door)
        if token is None and not ipaddress.ip_address(door.getsockname()[0]).is_loopback:
            with watching(quiet) as watch:
                watch.warn(f"anybody who reaches {address} may send: no token is asked for")
        known = known_templates(kept.folder, datetime.now(UTC))
        intake = Intake(_Folder(writer, kept.days), time.time(), Pace(step_s=kept.step_s), known)
        _run(
            intake,
            token,
            door,
            "" if quiet else f"Listening on {address}, writing to {kept.folder}.",
        )
        if not quiet:
            say(_summary(intake.tally))


def _writer(kept: Kept) -> StoreWriter:
    name = kept.name
    if name is None:
        name = Store(kept.folder).name if (kept.folder / DESCRIPTION).exists() else NAME
    return StoreWriter(kept.folder, name, kept.step_s, RECEIVED)


def _run(intake: Intake, token: str | None, door: socket.socket, announcement: str) -> None:
    failures: list[Exception] = []

    def stop(failure: Exception) -> None:
        failures.append(failure)
        server.should_exit = True

    config = uvicorn.Config(
        Server(intake, token, failed=stop).app(), log_config=None, access_log=False,
        server_header=False, lifespan="on", limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )  # fmt: skip
    server = _Quiet(config)
    with server.ended_by_signals():
        if announcement:
            say(plain(announcement))
        server.run(sockets=[door])
    if failures:
        raise failures[0]


class _Quiet(uvicorn.Server):
    """A server that ends well on a signal, instead of dying of it once all is done."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @contextmanager
    def ended_by_signals(self) -> Iterator[None]:
        def end(_number: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, end) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        door = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _no_door(host, port, error) from error
    with door:
        try:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(where)
            door.listen(128)
        except OSError as error:
            raise _no_door(host, port, error) from error
        yield door


def _no_door(host: str, port: int, error: OSError) -> FaultyInput:
    message = f"cannot listen on {host}:{port}: {error.strerror}"
    return FaultyInput([Fault(NOWHERE, message, "choose another with --address")])


def _url(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _summary(tally: Tally) -> str:
    spans = tally.spans
    counted = f"{spans['accepted']:,} spans and {tally.log_lines['accepted']:,} lines of logs"
    lines = [f"{tally.steps:,} steps closed, {counted}."]
    for fate, said in (
        ("late", "came after their step was closed"),
        ("ahead", "are of clocks that are ahead"),
        ("rejected", "broke the format"),
    ):
        if spans[fate]:
            lines.append(f"{spans[fate]:,} more spans {said}.")
    if tally.orphans:
        lines.append(f"{tally.orphans:,} requests came from callers that sent no spans.")
    return "\n".join(lines)
