"""Events of a world: from files to nouns, and every fault at its line."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.errors import Fault
from models.world import Catalogue
from scenarios.build import build_world
from scenarios.documents import read_world

Write = Callable[..., Path]
Faults = Callable[..., list[Fault]]
HISTORY = "history: demand.csv"


def _demand(write: Write) -> str:
    """The line of the corner shop that names its history."""
    text = write().read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("demand:")]
    return line


def _events(write: Write, *events: str, more: str = "") -> dict[str, str]:
    listed = "".join(f"\n    - {event}" for event in events)
    return {_demand(write): f"demand:\n  {HISTORY}\n{more}  events:{listed}"}


def test_events_and_calendar_are_read(write: Write, catalogue: Catalogue) -> None:
    world = build_world(read_world(write()), catalogue)
    service, origin = world.history.frame.iloc[0][["service", "origin"]]
    day = f"{world.starts:%Y-%m-%d}"
    launch = f"{{name: launch, starts: {day}T10:00:00+02:00, services: [{service}], factor: 2.5}}"
    calendar = f"name,starts,ends,origins,factor\nholiday,{day},,{origin},0.5\n"
    path = write(_events(write, launch, more="  calendar: holidays.csv\n"), holidays_csv=calendar)
    first, second = build_world(read_world(path), catalogue).events
    assert first.name == first.kind == "launch"
    assert first.starts == datetime.fromisoformat(f"{day}T08:00:00+00:00")
    assert first.services == {service}
    assert first.factor == 2.5
    assert second.starts == datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert (second.ends - second.starts).days == 1
    assert second.origins == {origin}


@pytest.mark.parametrize(
    ("event", "message", "hint"),
    [
        ("{name: a, starts: 2026-02-30, factor: 2}", "'2026-02-30' is no date", "such as"),
        ("{name: a, starts: 2026-02-3, factor: 2}", "starts", ""),
        ("{name: a, starts: 2026-02-03T10:00:00, factor: 2}", "starts", ""),
        ("{name: a, starts: 2026-02-05, ends: 2026-02-04, factor: 2}", "ends before it", "first"),
        ("{name: a, starts: 2026-02-05, factor: 0}", "factor", ""),
        ("{name: a, starts: 2026-02-05, factor: 2, services: [wbe]}", "unknown service", "'web'"),
        ("{name: a, starts: 2026-02-05, factor: 2, origins: [mars]}", "unknown origin", ""),
        ("{name: a, starts: 2026-02-05, like: b}", "unknown event 'b'", "known: a"),
        ("{name: a, starts: 2099-02-05}", "what the event 'a' does", "give a factor"),
        ("{name: a, start: 2026-02-05}", "start", "starts"),
    ],
)
def test_faults_have_lines_and_hints(
    write: Write, faults_of: Faults, event: str, message: str, hint: str
) -> None:
    replaced = _events(write, event)
    faults = faults_of(replaced)
    text = write(replaced).read_text(encoding="utf-8")
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "{name: a" in row)
    told = [fault for fault in faults if message in fault.message]
    assert told, [fault.message for fault in faults]
    assert told[0].at.line == line
    assert re.search(re.escape(hint), told[0].suggestion)


def test_faults_of_a_calendar_name_its_line(write: Write, faults_of: Faults) -> None:
    calendar = "name,starts,factor\ngood,2026-02-05,2\nbad,2026-02-30,2\nworse,2026-02-05,x\n"
    faults = faults_of(
        {_demand(write): f"demand:\n  {HISTORY}\n  calendar: holidays.csv"},
        holidays_csv=calendar,
    )
    told = {(Path(f.at.file).name, f.at.line) for f in faults}
    assert told == {("holidays.csv", 3), ("holidays.csv", 4)}
