"""The machines and groups of a simulated cloud, and how they change as time passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

import numpy as np

from models.inventory import GroupKind, InstanceState, Labels
from models.offerings import Purchase
from models.places import Cloud
from providers.simulated.script import (
    LostAnswers,
    NeverHealthy,
    NoCapacity,
    Reclaim,
    Script,
    Throttling,
)

KINDS: Mapping[str, GroupKind] = {
    Cloud.AWS: GroupKind.AUTO_SCALING_GROUP,
    Cloud.GCP: GroupKind.MANAGED_INSTANCE_GROUP,
    Cloud.AZURE: GroupKind.SCALE_SET,
}


@dataclass(eq=False)
class Machine:
    """An instance. ``serves_s``: when it has booted; ``healthy``: whether it serves then."""

    id: str
    place: str
    zone: str
    instance_type: str
    purchase: Purchase
    launched_s: float
    serves_s: float
    group: str = ""
    labels: Labels = ()
    stopped: bool = False
    healthy: bool = True

    def state(self, at_s: float) -> InstanceState:
        if self.stopped:
            return InstanceState.STOPPED
        return InstanceState.RUNNING if at_s >= self.serves_s else InstanceState.STARTING

    def serves(self, at_s: float) -> bool:
        return self.healthy and self.state(at_s) is InstanceState.RUNNING


@dataclass(eq=False)
class Pool:
    """A group."""

    id: str
    name: str
    place: str
    zones: tuple[str, ...]
    minimum: int
    desired: int
    maximum: int
    instance_types: tuple[str, ...]
    on_demand_base: int = 0
    spot_share: float = 0.0
    template: str = ""
    labels: Labels = ()
    lacking: str = ""
    """Why the last instance could not be started, empty when it could."""

    def purchase_of(self, number: int) -> Purchase:
        """How the ``number``-th instance (from 0) is bought."""
        beyond = number - self.on_demand_base
        if beyond < 0:
            return Purchase.ON_DEMAND
        spot = ceil((beyond + 1) * self.spot_share - 1e-9) - ceil(beyond * self.spot_share - 1e-9)
        return Purchase.SPOT if spot else Purchase.ON_DEMAND


@dataclass(eq=False)
class Machines:
    """All there is, at ``now_s`` seconds since ``starts``. Not for several threads at once."""

    cloud: str
    starts: datetime
    script: Script
    now_s: float = 0.0
    machines: dict[str, Machine] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    lost_answers: int = 0
    _made: int = 0
    _past_s: float = -1.0

    def __post_init__(self) -> None:
        self._chance = np.random.default_rng([self.script.seed, *self.cloud.encode()])

    @property
    def now(self) -> datetime:
        return self.time_of(self.now_s)

    def time_of(self, at_s: float) -> datetime:
        return self.starts + timedelta(seconds=at_s)

    def advance(self, seconds: float) -> None:
        """Let time pass: reclaims happen in their turn, and groups start what they lack."""
        ends = self.now_s + seconds
        stops = sorted({at for at in self._moments() if self.now_s < at < ends} | {ends})
        for at in stops:
            self.now_s = at
            self._happen()
            for pool in self.pools.values():
                self.settle(pool)

    def _moments(self) -> Iterator[float]:
        """When something happens, or what was not to be had may be again."""
        for event in self.script.events:
            match event:
                case Reclaim() | LostAnswers():
                    yield event.at_s
                case NoCapacity() | NeverHealthy() | Throttling():
                    yield from (event.when.starts_s, event.when.ends_s)
                case _:
                    pass

    def _happen(self) -> None:
        for event in self.script.events:
            match event:
                case Reclaim() if self._past_s < event.at_s <= self.now_s:
                    self._reclaim(event)
                case LostAnswers() if self._past_s < event.at_s <= self.now_s:
                    self.lost_answers += event.count
                case _:
                    pass
        self._past_s = self.now_s

    def _reclaim(self, event: Reclaim) -> None:
        pool = [
            machine
            for machine in self.machines.values()
            if machine.purchase is Purchase.SPOT
            and event.place in ("", machine.place)
            and event.instance_type in ("", machine.instance_type)
        ]
        count = round(event.share * len(pool))
        for i in sorted(self._chance.permutation(len(pool))[:count].tolist()):
            del self.machines[pool[i].id]

    def members(self, pool: str) -> list[Machine]:
        """The machines of a group, the oldest first."""
        return [machine for machine in self.machines.values() if machine.group == pool]

    def settle(self, pool: Pool) -> None:
        """Start what is missing, end what is too much, the newest first."""
        members = self.members(pool.id)
        for machine in members[: pool.desired - 1 : -1] if pool.desired else members:
            del self.machines[machine.id]
        pool.lacking = ""
        for number in range(len(members), pool.desired):
            if self._start_one(pool, number) is None:
                break

    def _start_one(self, pool: Pool, number: int) -> Machine | None:
        purchase = pool.purchase_of(number)
        for instance_type in pool.instance_types:
            for i in range(len(pool.zones)):
                zone = pool.zones[(number + i) % len(pool.zones)]
                if self.has_capacity(pool.place, zone, instance_type, purchase):
                    return self.start(
                        pool.place, zone, instance_type, purchase, pool.id, pool.labels
                    )
        pool.lacking = f"no {purchase} capacity for {', '.join(pool.instance_types)}"
        return None

    def has_capacity(self, place: str, zone: str, instance_type: str, purchase: Purchase) -> bool:
        return not any(
            isinstance(event, NoCapacity)
            and event.when.holds(self.now_s)
            and event.place in ("", place)
            and event.zone in ("", zone)
            and event.instance_type in ("", instance_type)
            and event.purchase in ("", purchase.value)
            for event in self.script.events
        )

    def start(
        self,
        place: str,
        zone: str,
        instance_type: str,
        purchase: Purchase,
        group: str = "",
        labels: Labels = (),
        running: bool = False,
    ) -> Machine:
        """A new machine; ``running``: it has booted long ago."""
        self._made += 1
        boot_s = self.script.boot_s * float(self._chance.uniform(0.5, 1.5))
        launched = self.now_s - 10 * boot_s if running else self.now_s
        machine = Machine(
            f"{self.cloud}-{self._made:08d}", place, zone, instance_type, purchase, launched,
            launched + boot_s, group, labels,
            healthy=running or not self._never_healthy(place),
        )  # fmt: skip
        self.machines[machine.id] = machine
        return machine

    def boot_again(self, machine: Machine) -> None:
        boot_s = self.script.boot_s * float(self._chance.uniform(0.5, 1.5))
        machine.stopped, machine.serves_s = False, self.now_s + boot_s
        machine.healthy = not self._never_healthy(machine.place)

    def _never_healthy(self, place: str) -> bool:
        return any(
            isinstance(event, NeverHealthy)
            and event.when.holds(self.now_s)
            and event.place in ("", place)
            for event in self.script.events
        )
