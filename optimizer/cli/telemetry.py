"""The work behind observe. Heavy: the command imports it when it runs."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from models.errors import NOWHERE, Fault, FaultyInput
from models.measured import Grid
from optimizer.cli.exits import ExitCode
from optimizer.cli.options import Format
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.metrics import Address, ObserveMetrics, served
from optimizer.observe import Coverage, Observed, Request, coverage, follow, observe
from optimizer.output.json_values import json_text
from optimizer.output.plain import plain
from optimizer.output.telemetry_text import observed_document, observed_text, round_text
from optimizer.sources import parts_of
from providers.telemetry.store import Store
from providers.telemetry.writing import StoreWriter
from scenarios.observing import Telemetry, read_telemetry

SHOWN_BEFORE: Final = timedelta(days=1)
"""What is shown when nobody asked for a window."""


@dataclass(frozen=True, slots=True)
class Window:
    """What was asked for; all None: what is new."""

    starts: datetime | None = None
    ends: datetime | None = None
    last: timedelta | None = None

    def until(self, now: datetime) -> datetime:
        return now if self.ends is None else min(self.ends, now)

    def since(self, now: datetime) -> datetime | None:
        return self.starts if self.last is None else self.until(now) - self.last

    def check(self, now: datetime) -> None:
        """Raise ``FaultyInput`` when nothing lies in it."""
        starts, ends = self.since(now), self.until(now)
        if starts is not None and starts >= ends:
            message = f"nothing lies between {starts.isoformat()} and {ends.isoformat()}"
            raise FaultyInput([Fault(NOWHERE, message, "let --from lie before --to, and now")])


def observe_telemetry(
    path: Path, out: Path, window: Window, form: Format, *, quiet: bool
) -> ExitCode:
    """Read everything once, and show what is known."""
    telemetry = read_telemetry(path)
    now = datetime.now(UTC)
    window.check(now)
    request = _request(telemetry, window, now)
    with watching(quiet) as watch, _writer(telemetry, out) as writer:
        parts = parts_of(telemetry)
        after = telemetry.content.hours_after_days
        observed = observe(parts, writer, request, after, watch=watch)
    starts = window.since(now) or request.ends - SHOWN_BEFORE
    measured = _known(out, starts, request.ends)
    name = telemetry.content.telemetry
    if form is Format.JSON:
        say(json_text(observed_document(name, observed, measured, starts, request.ends)))
    elif not quiet:
        screen = stdout_screen()
        say(observed_text(name, observed, measured, screen.width, screen.colour))
        say(f"Kept in {plain(str(out))}.")
    return ExitCode.FINE if observed.whole else ExitCode.PARTLY


def _known(out: Path, starts: datetime, ends: datetime) -> tuple[Coverage, ...]:
    return coverage(Store(out).read(starts, ends))


def _request(telemetry: Telemetry, window: Window, now: datetime) -> Request:
    content = telemetry.content
    ends = Grid.over(_EPOCH, window.until(now), content.step_s).ends
    late = timedelta(minutes=content.late_minutes)
    return Request(now, ends, content.step_s, content.keep_days, late, window.since(now))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _writer(telemetry: Telemetry, out: Path) -> StoreWriter:
    return StoreWriter(out, telemetry.content.telemetry, telemetry.content.step_s)


def follow_telemetry(
    path: Path, out: Path, window: Window, every: timedelta, address: str | None, form: Format,
    *, quiet: bool,
) -> ExitCode:  # fmt: skip
    """Read again and again, until somebody asks to stop."""
    telemetry = read_telemetry(path)
    after = telemetry.content.hours_after_days
    asked = [window]  # the window asked for is that of the first round; then on from there
    with ExitStack() as stack:
        stop = stack.enter_context(_stopped_by_signals())
        writer = stack.enter_context(_writer(telemetry, out))
        parts = parts_of(telemetry)
        metrics = ObserveMetrics(parts)
        if address is not None:
            host, _, port = address.rpartition(":")
            wanted = Address(host.strip("[]"), int(port))
            at = stack.enter_context(served(metrics.registry, wanted))
            if not quiet:
                sys.stderr.write(f"metrics: http://{at}/metrics\n")
        watch = stack.enter_context(watching(quiet=True))
        told: set[str] = set()

        def one_round(now: datetime) -> Observed:
            request = _request(telemetry, asked.pop() if asked else Window(), now)
            observed = observe(parts, writer, request, after, stop, watch)
            if not observed.stopped:
                metrics.tell(observed, now)
                if form is Format.JSON:
                    name, ends = telemetry.content.telemetry, request.ends
                    say(json.dumps(observed_document(name, observed, (), ends, ends)))
                elif not quiet:
                    say(round_text(observed, request.now, told))
            return observed

        follow(one_round, every.total_seconds(), stop)
    return ExitCode.FINE


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one of them ends the process as usual."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
