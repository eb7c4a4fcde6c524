"""Tags that a scale set bears while a machine of it is replaced, or after it was restarted, for a
day; a machine that is in none bears the latter itself.

Each names the machine and the token, so that whoever comes back with the token sees what was done.
A resource has room for 50 tags, so ours are few, and old ones go with the next change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from providers.azure.machines import REPLACES, RESTARTED

KEPT: Final = timedelta(days=1)
"""After this long nobody comes back with the token."""
MOST_MARKS: Final = 15
"""Marks on a scale set; of more, the oldest goes."""
_MOST_TAGS: Final = 50
"""Tags that Azure lets a resource have."""
_WRITTEN: Final = re.compile(
    r"(?P<digest>[0-9a-f]{32}) (?P<at>\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ)"
)


def held(tags: Mapping[str, str] | None, name: str) -> str:
    """The digest of the token that a mark holds; empty without one."""
    match = _WRITTEN.fullmatch((tags or {}).get(name, ""))
    return match["digest"] if match is not None else ""


def with_mark(
    tags: Mapping[str, str] | None, name: str, digest: str, now: datetime
) -> dict[str, str] | None:
    """Tags with a mark, without old ones; None when there is no room for it."""
    marks = {key: at for key, value in (tags or {}).items() if (at := _written(key, value))}
    others = {key: value for key, value in (tags or {}).items() if key not in marks}
    others.pop(name, None)
    room = min(MOST_MARKS, _MOST_TAGS - len(others)) - 1
    if room < 0:
        return None
    # Those of restarts go first: without one that replaces, a machine too many might be started.
    young = sorted(
        (key.startswith(REPLACES), at, key)
        for key, at in marks.items()
        if now - at <= KEPT and key != name
    )
    kept = {key: (tags or {})[key] for _, _, key in young[max(len(young) - room, 0) :]}
    return {**others, **kept, name: f"{digest} {now:%Y-%m-%dT%H:%M:%SZ}"}


def without_old(tags: Mapping[str, str] | None, now: datetime) -> dict[str, str]:
    """Tags but for the marks that nobody will ask for; what others wrote stays."""
    return {
        key: value
        for key, value in (tags or {}).items()
        if (at := _written(key, value)) is None or now - at <= KEPT
    }


def _written(key: str, value: str) -> datetime | None:
    """When a mark was made; None of what is no mark of ours."""
    match = _WRITTEN.fullmatch(value) if key.startswith((REPLACES, RESTARTED)) else None
    if match is None:
        return None
    try:
        return datetime.strptime(match["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:  # the thirty-first of a month that has none: not written by us
        return None
