"""A cloud that plays a world: its fleet runs, its prices hold, its quotas bind."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import RLock
from time import monotonic
from typing import Final

import pandas as pd

from models.cloud_errors import Asked, CloudFailed, Throttled, Unavailable
from models.fleet import Fleet
from models.inventory import Labels
from models.offerings import PriceBook, Purchase
from models.places import Region
from providers.ledger import Ledger
from providers.seam import Scope
from providers.simulated.machines import Machines, Pool
from providers.simulated.script import BrokenPage, Outage, Script, Throttling

ACCOUNT: Final = "simulated"
SERVICE_LABEL: Final = "service"
PAGE_ROWS: Final = 100


def zones_of(region: Region) -> tuple[str, ...]:
    """The names of a region's zones in a simulated cloud."""
    return tuple(f"{region.name}-{'abcdefgh'[i]}" for i in range(min(region.zones, 8)))


@dataclass(frozen=True, slots=True)
class Cap:
    """A quota that a simulated cloud enforces: ``vcpus`` on demand or spot (None: both)."""

    place: str
    vcpus: float
    purchase: Purchase | None = None
    families: tuple[str, ...] = ()


@dataclass(eq=False)
class SimulatedCloud:
    """State shared by the parts of a simulated cloud. Time passes only in ``advance``.

    Every access holds ``lock``. ``calls`` counts what was asked, by operation. ``clock`` says the
    seconds that pass for whoever asks, while the play stands still: calls a second are theirs.
    """

    name: str
    book: PriceBook
    regions: tuple[Region, ...]
    machines: Machines
    caps: tuple[Cap, ...] = ()
    lock: RLock = field(default_factory=RLock)
    calls: Counter[str] = field(default_factory=Counter)
    ledger: Ledger = field(default_factory=Ledger)
    weights: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    clock: Callable[[], float] = monotonic
    _answered: deque[float] = field(default_factory=deque)

    @property
    def script(self) -> Script:
        return self.machines.script

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self.lock:
            self.machines.advance(seconds)

    def zones_of(self, place: str) -> tuple[str, ...]:
        return zones_of(next(region for region in self.regions if region.place == place))

    def asked(self, operation: str, place: str = "") -> Asked:
        return Asked(self.name, operation, ACCOUNT, place)

    def call(self, operation: str, place: str = "") -> None:
        """Count a call, and fail it where the script says so."""
        now_s = self.machines.now_s
        self.calls[operation] += 1
        for event in self.script.events:
            match event:
                case Outage() if event.when.holds(now_s) and event.place in ("", place):
                    raise Unavailable(
                        self.asked(operation, place), "Outage", f"{place or self.name} is down"
                    )
                case Throttling() if event.when.holds(now_s) and self._too_many(event):
                    raise Throttled(self.asked(operation, place), "Throttling", "slow down")
                case _:
                    pass

    def _too_many(self, limit: Throttling) -> bool:
        """Whether the last second, of the play and of the clock, has had its calls."""
        now, answered = self.machines.now_s + self.clock(), self._answered
        while answered and now - answered[0] >= 1.0:
            answered.popleft()
        if len(answered) >= limit.calls_per_s:
            return True
        answered.append(now)
        return False

    def pages(
        self, reading: str, scope: Scope, rows: Callable[[], list[object]]
    ) -> Iterator[object]:
        """All rows, a call for each page; the script may break them off."""
        with self.lock:
            self.call(reading, scope.place)
            found = rows()
        for i, row in enumerate(found):
            if i and i % PAGE_ROWS == 0:
                with self.lock:
                    self.call(reading, scope.place)
            if (error := self._broken(reading, scope, i)) is not None:
                raise error
            yield row

    def _broken(self, reading: str, scope: Scope, row: int) -> CloudFailed | None:
        for event in self.script.events:
            if (
                isinstance(event, BrokenPage)
                and event.reading == reading
                and event.rows == row
                and event.place in ("", scope.place)
                and event.when.holds(self.machines.now_s)
            ):
                return Unavailable(
                    self.asked(reading, scope.place), "Truncated", "the answer broke off"
                )
        return None

    def offerings(self, place: str) -> pd.DataFrame:
        """The book's offerings in a place."""
        cloud, _, region = place.partition("/")
        book = self.book.offerings
        return book[(book["cloud"] == cloud) & (book["region"] == region)]


def play(
    cloud: str,
    fleet: Fleet,
    book: PriceBook,
    regions: tuple[Region, ...],
    machines: Machines,
    caps: tuple[Cap, ...] = (),
) -> SimulatedCloud:
    """A cloud in which ``fleet`` (its part in ``cloud``) has been running for a while."""
    own = tuple(region for region in regions if region.cloud.value == cloud)
    played = SimulatedCloud(cloud, book, own, machines, caps)
    for number, group in enumerate(fleet.groups):
        if group.place.partition("/")[0] != cloud:
            continue
        labels: Labels = ((SERVICE_LABEL, group.service),)
        pool = Pool(
            f"pool-{number:04d}", f"{group.service}-{number:04d}", group.place,
            played.zones_of(group.place), 0, group.count, max(2 * group.count, 10),
            (group.instance_type,), 0, float(group.purchase is Purchase.SPOT), "initial", labels,
        )  # fmt: skip
        machines.pools[pool.id] = pool
        for i in range(group.count):
            zone = pool.zones[i % len(pool.zones)]
            machines.start(
                pool.place, zone, group.instance_type, group.purchase, pool.id, labels, True
            )
    return played
