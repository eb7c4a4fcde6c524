"""What runs at an instant."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import NOWHERE, Location
from models.offerings import Purchase


@dataclass(frozen=True, slots=True)
class Group:
    """``count`` equal instances that run one service in one place."""

    service: str
    place: str
    instance_type: str
    purchase: Purchase
    count: int
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Fleet:
    """All groups that run."""

    groups: tuple[Group, ...] = ()
