"""What hands can do in a cloud: one small, repeatable action at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from models.inventory import Labels


@dataclass(frozen=True, slots=True)
class Target:
    """An instance or a group: the cloud's own id, and where it is."""

    account: str
    place: str
    id: str


@dataclass(frozen=True, slots=True)
class Resize:
    """Keep ``group`` at ``desired`` instances; its bounds move along where they are in the way."""

    group: Target
    desired: int


@dataclass(frozen=True, slots=True)
class Remix:
    """Start new instances of ``group`` from these types, the first that can be had, so bought."""

    group: Target
    instance_types: tuple[str, ...]
    on_demand_base: int = 0
    spot_share: float = 0.0


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """A group called ``name`` like ``template`` (a launch template, an instance template, or a
    scale set to take after), with ``desired`` instances.
    """

    account: str
    place: str
    name: str
    template: str
    instance_types: tuple[str, ...]
    desired: int
    maximum: int
    zones: tuple[str, ...] = ()
    on_demand_base: int = 0
    spot_share: float = 0.0
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """Take the group away with all its instances."""

    group: Target


@dataclass(frozen=True, slots=True)
class Start:
    """Start a stopped instance."""

    instance: Target


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart an instance where it is."""

    instance: Target


@dataclass(frozen=True, slots=True)
class Replace:
    """End an instance of a group; the group starts another one."""

    instance: Target


@dataclass(frozen=True, slots=True)
class Drain:
    """Take an instance out of its group and of the group's traffic, but let it run.

    With ``replace``, the group starts another one in its stead; else it gets smaller by one.
    """

    instance: Target
    replace: bool = False


@dataclass(frozen=True, slots=True)
class SetWeights:
    """Weights of the weighted records ``name`` of a DNS zone, by set identifier."""

    account: str
    zone: str
    name: str
    weights: tuple[tuple[str, int], ...]


Action = Resize | Remix | CreateGroup | DeleteGroup | Start | Restart | Replace | Drain | SetWeights


def account_of(action: Action) -> str:
    """The account that an action is about."""
    match action:
        case CreateGroup() | SetWeights():
            return action.account
        case Resize() | Remix() | DeleteGroup():
            return action.group.account
        case Start() | Restart() | Replace() | Drain():
            return action.instance.account


def place_of(action: Action) -> str:
    """The place that an action is about; empty for what is of none."""
    match action:
        case CreateGroup():
            return action.place
        case SetWeights():
            return ""
        case Resize() | Remix() | DeleteGroup():
            return action.group.place
        case Start() | Restart() | Replace() | Drain():
            return action.instance.place


class Effect(StrEnum):
    """What came of an action."""

    DONE = "done"
    ALREADY = "already"  # it was so before: nothing was changed
    WOULD = "would"  # a rehearsal: the cloud, or its absence of objections, says that it can


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of an action; ``ids``: what it made, or changed. ``note``: what else to know."""

    effect: Effect
    ids: tuple[str, ...] = field(default=())
    note: str = ""
