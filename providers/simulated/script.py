"""What happens to a simulated cloud, and when: seconds since its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """From ``starts_s`` to before ``ends_s``."""

    starts_s: float = 0.0
    ends_s: float = inf

    def holds(self, at_s: float) -> bool:
        return self.starts_s <= at_s < self.ends_s


ALWAYS: Final = Span()


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing answers in ``place`` (empty: anywhere)."""

    place: str = ""
    when: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class NoCapacity:
    """No such machines are left; empty fields match everything."""

    place: str = ""
    zone: str = ""
    instance_type: str = ""
    purchase: str = ""
    when: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Reclaim:
    """At ``at_s`` the cloud takes ``share`` of the spot instances of ``place`` back."""

    at_s: float
    place: str = ""
    instance_type: str = ""
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class PriceMove:
    """From ``at_s`` on prices are ``factor`` times what they were; empty fields match all."""

    at_s: float
    factor: float
    place: str = ""
    instance_type: str = ""
    purchase: str = ""


@dataclass(frozen=True, slots=True)
class Throttling:
    """More than ``calls_per_s`` calls within a second are refused."""

    calls_per_s: int
    when: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class LostAnswers:
    """The cloud does what it is asked, but the answers to the next ``count`` actions get lost."""

    count: int
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class NeverHealthy:
    """Instances that boot meanwhile in ``place`` never serve."""

    place: str = ""
    when: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class BrokenPage:
    """Every walk through the pages of ``reading`` ends with an error after ``rows`` rows."""

    reading: str
    rows: int
    place: str = ""
    when: Span = ALWAYS


Event = (
    Outage | NoCapacity | Reclaim | PriceMove | Throttling | LostAnswers | NeverHealthy | BrokenPage
)


@dataclass(frozen=True, slots=True)
class Script:
    """How a simulated cloud behaves. The same seed and script play the same play.

    ``boot_s``: mean time until an instance serves; each takes 0.5 to 1.5 times that.
    """

    seed: int = 1
    boot_s: float = 120.0
    events: tuple[Event, ...] = field(default=())
