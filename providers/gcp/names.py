"""Google's names of things, and the ids that rows carry.

An instance's id is ``zone/number``: a recreated instance keeps its name and gets another number.
A group's id is ``zone/name`` or ``region/name``, as in the addresses that Google uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from models.cloud_errors import Asked, NotFound, Unavailable

_ZONE: Final = re.compile(r"[a-z]+-[a-z]+\d+-(?:ai\d+)?[a-z]")
"""Those for accelerators, such as ``us-central1-ai1a``, too."""


@dataclass(frozen=True, slots=True)
class Named:
    """Something in a zone or a region: ``scope`` is the name of either."""

    scope: str
    name: str

    @property
    def id(self) -> str:
        return f"{self.scope}/{self.name}"

    @property
    def is_zonal(self) -> bool:
        return _ZONE.fullmatch(self.scope) is not None

    @property
    def region(self) -> str:
        return region_of(self.scope)


def region_of(scope: str) -> str:
    """The region of a zone, or the region itself."""
    return scope.rpartition("-")[0] if _ZONE.fullmatch(scope) else scope


def last(url: str) -> str:
    """What stands last in an address."""
    return url.rpartition("/")[2]


def in_address(url: str) -> Named:
    """Scope and name from ``.../zones/ZONE/KIND/NAME`` or ``.../regions/REGION/KIND/NAME``."""
    parts = url.split("/")
    return Named(parts[-3], parts[-1]) if len(parts) >= 4 else Named("", url)


def parsed(asked: Asked, given: str, region: str) -> Named:
    """The thing of a ``Target``; raises ``NotFound`` where no such thing can be."""
    scope, _, name = given.partition("/")
    if not name or "/" in name or region_of(scope) != region:
        raise NotFound(asked, "BadId", f"{given} is no id of anything in {region}")
    return Named(scope, name)


def time_of(asked: Asked, text: str) -> datetime:
    """A moment in RFC 3339, in UTC; raises ``Unavailable`` where there is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unavailable(asked, "BadTime", f"{text!r} is no time") from None
