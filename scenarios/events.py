"""Events that demand answers to: from entries to nouns, checked against the history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from models.events import DemandEvent
from scenarios.event_entries import EventEntry
from scenarios.faults import Faults, shown
from scenarios.known import Known
from scenarios.tables import Written, table_path, validated_rows

_A_DAY = timedelta(days=1)


def events_of(
    top: Written[Any], folder: Path, history: pd.DataFrame | None, known: Known, faults: Faults
) -> tuple[DemandEvent, ...]:
    """The events of a world, those in its file before those in its calendar.

    Adds faults for unknown names, for times that are none or in the wrong order, and for events to
    come that nothing says the effect of.
    """
    demand = top.entry.demand
    rows = top.data.get("demand", {}).get("events", ())
    written = [
        Written(entry, top.file, row) for entry, row in zip(demand.events, rows, strict=True)
    ]
    if demand.calendar is not None:
        path = table_path(folder, demand.calendar, top.at("demand", "calendar"), faults)
        if path is not None:
            written += validated_rows(path, EventEntry, faults)[0]
    names = {one.entry.name for one in written}
    events = [(one, _event(one, names, known, faults)) for one in written]
    good = [(one, event) for one, event in events if event is not None]
    if history is not None and len(history):
        _check_effects(good, history, faults)
    return tuple(event for _, event in good)


def _event(
    written: Written[EventEntry], names: set[str], known: Known, faults: Faults
) -> DemandEvent | None:
    entry = written.entry
    before = faults.count
    for kind, given, all_names in (
        ("services", entry.services, known.service_names),
        ("origins", entry.origins, known.origins),
    ):
        for i, name in enumerate(given or ()):
            if name not in all_names:
                faults.unknown(written.at(kind, i), kind[:-1], name, all_names)
    if entry.like is not None and entry.like not in names:
        faults.unknown(written.at("like"), "event", entry.like, names)
    starts = _instant(entry.starts, written, "starts", faults)
    ends = None if entry.ends is None else _instant(entry.ends, written, "ends", faults)
    if starts is not None and ends is not None and ends <= starts:
        message = f"the event {shown(entry.name)} ends before it starts"
        faults.add(written.at("ends"), message, "ends is the first instant after it")
    if starts is None or faults.count > before:
        return None
    return DemandEvent(
        name=entry.name,
        kind=entry.like or entry.name,
        starts=starts,
        ends=ends or starts + _A_DAY,
        services=frozenset(entry.services or ()),
        origins=frozenset(entry.origins or ()),
        factor=entry.factor,
    )


def _instant(
    text: str, written: Written[EventEntry], field: str, faults: Faults
) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        message = f"{shown(text)} is no date of the calendar"
        faults.add(written.at(field), message, "such as 2026-11-27 or 2026-11-27T08:00:00Z")
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _check_effects(
    events: Sequence[tuple[Written[EventEntry], DemandEvent]],
    history: pd.DataFrame,
    faults: Faults,
) -> None:
    """Events to come need a factor, or one of their kind that the history holds."""
    first = history["ts"].min().to_pydatetime()
    last = history["ts"].max().to_pydatetime() + timedelta(hours=1)
    learnt = {e.kind for _, e in events if first <= e.starts < last}
    for written, event in events:
        if event.ends > last and event.factor is None and event.kind not in learnt:
            message = (
                f"what the event {shown(event.name)} does to demand is unknown: the history"
                f" ({first:%Y-%m-%d} to {last:%Y-%m-%d}) holds none like it"
            )
            hint = "give a factor, or add an earlier one by the same name or under 'like'"
            faults.add(written.at("starts"), message, hint)
