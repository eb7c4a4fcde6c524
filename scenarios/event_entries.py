"""Events that demand answers to, as world files and calendar files hold them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from scenarios.fields import Entry, Name, SomeNames

_INSTANT = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$"

Instant = Annotated[str, StringConstraints(pattern=_INSTANT)]


class EventEntry(Entry):
    """A holiday, campaign or release: past ones are learnt from, coming ones are counted in."""

    name: Name
    """Name of the event. Events of one name are expected to have the same effect."""
    starts: Instant
    """When it starts: a time with its zone (`2026-11-27T08:00:00+01:00`), or a day in UTC."""
    ends: Instant | None = None
    """When it is over. Default: a day after it starts."""
    services: SomeNames | None = None
    """Services with users of their own whose demand it moves. Default: all."""
    origins: SomeNames | None = None
    """Origins whose demand it moves. Default: all."""
    like: Name | None = None
    """Name of an earlier event whose effect it is expected to have. Default: its own name."""
    factor: Annotated[float, Field(gt=0, le=1000)] | None = None
    """What demand is multiplied by. Default: learnt from earlier events of the same name."""
