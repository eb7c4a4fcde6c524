"""The work behind graph and incidents. Heavy: the commands import it when they run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from models.errors import UnusableData
from models.foreseen import Anomaly, Incident
from models.signals import Signals
from models.world import World
from optimizer.anomalies.chance import beyond_chance
from optimizer.anomalies.detect import detect
from optimizer.call_graph import (
    circle_in,
    compared,
    dependencies_seen,
    requests_served,
    seen_calls,
)
from optimizer.cli.finding import find_world
from optimizer.cli.options import Format, GraphFormat
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.gather import gather
from optimizer.incidents.error_lines import straying_lines
from optimizer.incidents.grouping import incidents_of
from optimizer.output.call_graph_text import (
    CALL_COLUMNS,
    calls_document,
    calls_text,
    dependencies_yaml,
)
from optimizer.output.incidents_text import incidents_document, incidents_text
from optimizer.output.json_values import json_text
from optimizer.output.sheets import csv_bytes
from providers.otlp.lines import read_lines
from providers.telemetry.store import Store

LEARNT_BEFORE: Final = timedelta(days=7)
"""What is read before the window asked for, to know what is usual."""


def show_graph(folder: Path, name: str | None, last: timedelta, form: GraphFormat) -> None:
    """The calls that were seen in a window, against those of a world."""
    signals = _newest(folder, last)
    seen = seen_calls(signals)
    if not seen:
        message = f"{folder} tells of no calls between services in that time"
        raise UnusableData(f"{message}\n    → trimtab listen receives them")
    world = _world(name)
    stated = world.dependencies if world else ()
    services = [service.name for service in world.services] if world else []
    found = compared(seen, stated, services, requests_served(signals))
    match form:
        case GraphFormat.YAML:
            made = dependencies_seen(seen, stated, services)
            say(dependencies_yaml(made, circle_in(made)))
        case GraphFormat.JSON:
            say(json_text(calls_document(found)))
        case GraphFormat.CSV:
            rows = pd.DataFrame(calls_document(found)["calls"], columns=list(CALL_COLUMNS))
            say(csv_bytes(rows).decode())
        case GraphFormat.TABLE:
            screen = stdout_screen()
            say(calls_text(found, world is not None, screen.width, screen.colour))


def _world(name: str | None) -> World | None:
    if name is None:
        return None
    with watching(quiet=True) as watch:
        world, _ = gather(find_world(name), watch)
    return world


def show_incidents(folder: Path, last: timedelta, form: Format, *, quiet: bool) -> None:
    """What strays in a window, by cause."""
    signals = _newest(folder, last + LEARNT_BEFORE)
    since = signals.ends - last
    with watching(quiet) as watch, watch.stage("look for what strays"):
        lines = straying_lines(read_lines(folder, signals.starts), signals)
        edges = {(key.service, key.callee) for key in signals.keys if key.callee}
        strays = [one for one in (*detect(signals), *lines) if one.ends > since]
        found = _told(incidents_of(strays, edges, signals), lines, _values(signals, last))
    if form is Format.JSON:
        say(json_text(incidents_document(found)))
        return
    screen = stdout_screen()
    say(incidents_text(found, screen.width, screen.colour))


def _told(found: Sequence[Incident], lines: Sequence[Anomaly], values: int) -> tuple[Incident, ...]:
    """Incidents in which something is rarer than chance would bring among so many values.

    New kinds of errors, and bursts, are told in any case: they were not looked for among values.
    """
    sure = frozenset(lines)
    return tuple(
        one
        for one in found
        if not sure.isdisjoint(one.anomalies) or beyond_chance(one.anomalies, values)
    )


def _values(signals: Signals, last: timedelta) -> int:
    """Values measured in the window."""
    steps = int(last.total_seconds()) // signals.step_s
    return int((~np.isnan(signals.values[:, -steps:])).sum())


def _newest(folder: Path, last: timedelta) -> Signals:
    """The last of what is kept in a folder of telemetry."""
    store = Store(folder)
    until = store.measured_until()
    if until is None:
        raise UnusableData(f"{folder} holds no telemetry yet")
    return store.read(until - last, until)
