"""Shared nodes: many services' pods on the machines of one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from models.errors import NOWHERE, Location
from models.offerings import Architecture
from models.placement import Proof
from models.world import HOURS_PER_MONTH

PODS_PER_NODE: Final = 110
"""What Kubernetes lets a node run unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Pods:
    """``count`` equal pods of one service.

    At most ``per_node`` of them share a node (None: as many as fit), none shares a node with a pod
    of a service in ``apart_from``, and with ``spread_zones`` no zone holds two more of them than
    another (a topology spread of skew 1).
    """

    name: str
    vcpus: float
    memory_gib: float
    count: int
    gpus: float = 0.0
    gpu_models: frozenset[str] = frozenset()  # empty: any
    architectures: frozenset[Architecture] = frozenset({Architecture.X86_64})
    per_node: int | None = None
    apart_from: frozenset[str] = frozenset()
    spread_zones: bool = False
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Reserve:
    """What the system and its daemons take of every node, and how many pods it may run."""

    vcpus: float = 0.1
    memory_gib: float = 0.5
    pods_per_node: int = PODS_PER_NODE


@dataclass(frozen=True, slots=True)
class Node:
    """``copies`` machines of one type with the same pods on each.

    ``zone`` counts from 1; it is 0 where zones do not matter. ``pods`` are (service, how many).
    """

    instance_type: str
    purchase: str
    price_usd_per_hour: Decimal
    price_date: str
    zone: int
    copies: int
    pods: tuple[tuple[str, int], ...]

    @property
    def usd_per_hour(self) -> Decimal:
        return self.price_usd_per_hour * self.copies


@dataclass(frozen=True, slots=True)
class SharedNodes:
    """The nodes of one place that hold all pods, what they cost, and what is proven.

    No nodes that keep the rules cost less than ``bound_usd_per_hour``. ``first_fit_usd_per_hour``
    is what first-fit decreasing would pay, as node autoscalers do it, for the same pods (None where
    it does not apply).
    """

    place: str
    nodes: tuple[Node, ...]
    bound_usd_per_hour: Decimal
    gap: float
    proof: Proof
    first_fit_usd_per_hour: Decimal | None
    book: str
    as_of: date
    seconds: float

    @property
    def usd_per_hour(self) -> Decimal:
        return sum((node.usd_per_hour for node in self.nodes), Decimal(0))

    @property
    def usd_per_month(self) -> Decimal:
        return self.usd_per_hour * Decimal(HOURS_PER_MONTH)

    @property
    def machines(self) -> int:
        return sum(node.copies for node in self.nodes)


@dataclass(frozen=True, slots=True)
class NoNodes:
    """No node type of the place can hold some pods; ``reasons`` say which, and why."""

    place: str
    reasons: tuple[str, ...]
