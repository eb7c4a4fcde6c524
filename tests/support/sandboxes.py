"""Clouds that tests may act in: one per provider, all with the same things in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from models.inventory import InstanceGroup
from models.places import Cloud
from models.world import World
from optimizer.gather import gather
from providers.seam import Provider
from providers.simulated.cloud import ACCOUNT, SERVICE_LABEL, Cap, SimulatedCloud, play
from providers.simulated.machines import Machines
from providers.simulated.provider import provider_of
from providers.simulated.script import (
    BrokenPage,
    Event,
    LostAnswers,
    NoCapacity,
    Outage,
    Script,
    Throttling,
)

ROOT: Final = Path(__file__).parents[2]


class Trouble(StrEnum):
    """What a sandbox can be made to do wrong."""

    THROTTLED = "throttled"  # every call, for as long as it lasts
    DOWN = "down"  # no answer that says anything
    GARBLED = "garbled"  # answers break off in the middle, or are not what they should be
    DENIED = "denied"  # credentials do not suffice
    ANSWER_LOST = "answer_lost"  # the next action is done, and its answer does not arrive
    NO_CAPACITY = "no_capacity"  # no machines of ``Sandbox.types[0]``


class Sandbox(Protocol):
    """A cloud with an account, two regions, a template, and nothing that runs yet."""

    provider: Provider
    account: str
    place: str
    other_place: str
    template: str
    types: tuple[str, str]
    """Two instance types that are offered in both places, of the same architecture."""
    troubles: frozenset[Trouble]
    """What this sandbox can be made to do."""

    def settle(self) -> None:
        """Let time pass until what was started has booted."""

    def measure(self, group: InstanceGroup, at: datetime) -> None:
        """Have the processors of the group, or of one of its instances, be busy at ``at``."""

    def trouble(self, kind: Trouble) -> AbstractContextManager[None]:
        """One of ``troubles``, while the context lasts."""


class SimulatedSandbox:
    """The simulated cloud as a sandbox."""

    account, template = ACCOUNT, "initial"
    place, other_place = "aws/eu-central-1", "aws/us-east-1"
    types = ("c5.large", "c5.xlarge")
    troubles = frozenset(Trouble) - {Trouble.DENIED}

    def __init__(self, world: World) -> None:
        empty = replace(world.fleet, groups=())
        machines = Machines(Cloud.AWS.value, world.starts, Script())
        caps = (Cap(self.place, 1000.0),)
        self.cloud: SimulatedCloud = play(
            Cloud.AWS.value, empty, world.book, world.regions, machines, caps
        )
        self.provider = provider_of(self.cloud, world)

    def settle(self) -> None:
        self.cloud.advance(10 * self.cloud.script.boot_s)

    def measure(self, group: InstanceGroup, at: datetime) -> None:
        """Groups of a service with a history are measured at all times."""
        with self.cloud.lock:
            self.cloud.machines.pools[group.id].labels = ((SERVICE_LABEL, "storefront"),)

    @contextmanager
    def trouble(self, kind: Trouble) -> Iterator[None]:
        calm = self.cloud.machines.script
        events: dict[Trouble, tuple[Event, ...]] = {
            Trouble.THROTTLED: (Throttling(0),),
            Trouble.DOWN: (Outage(),),
            Trouble.GARBLED: tuple(
                BrokenPage(reading, 0) for reading in ("instances", "groups", "prices")
            ),
            Trouble.NO_CAPACITY: (NoCapacity(instance_type=self.types[0]),),
            Trouble.ANSWER_LOST: (LostAnswers(1),),
        }
        self.cloud.machines.script = replace(calm, events=events[kind])
        if kind is Trouble.ANSWER_LOST:
            self.cloud.machines.lost_answers = 1
        try:
            yield
        finally:
            self.cloud.machines.script = calm


@contextmanager
def simulated() -> Iterator[Sandbox]:
    world, _ = gather(ROOT / "scenarios" / "shop")
    yield SimulatedSandbox(world)


def aws() -> AbstractContextManager[Sandbox]:
    from aws_sandbox import aws  # its SDK, and moto, take seconds to import

    return aws()


def azure() -> AbstractContextManager[Sandbox]:
    from azure_sandbox import azure  # its SDK takes a second to import

    return azure()


def gcp() -> AbstractContextManager[Sandbox]:
    from gcp_sandbox import gcp  # its SDK takes seconds to import

    return gcp()


SANDBOXES: Final[dict[str, Callable[[], AbstractContextManager[Sandbox]]]] = {
    "aws": aws,
    "azure": azure,
    "gcp": gcp,
    "simulated": simulated,
}
"""How each sandbox is made, by the provider that it is for."""
