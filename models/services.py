"""Workloads, the people who use them, and how they call each other."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from models.errors import NOWHERE, Location
from models.offerings import Architecture
from models.places import Coordinates


@dataclass(frozen=True, slots=True)
class Replica:
    """What one replica of a service takes, and what it gives in return.

    ``throughput_rps`` is what it serves while it keeps ``service_time_ms`` (its own latency
    objective, without the network). It serves ``boot_s`` seconds after it was started.
    """

    vcpus: float
    memory_gib: float
    throughput_rps: float
    service_time_ms: float = 0.0
    gpus: float = 0.0
    gpu_models: frozenset[str] = frozenset()  # empty: any
    boot_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Service:
    """A workload.

    ``stateful`` services keep data: each place that they are open in holds ``min_replicas`` at
    all times, and their routes are the same in every period. A stateless service holds
    ``min_replicas`` in all, wherever they are. ``max_places`` bounds the number of places.
    ``response_kib`` leaves the cloud for every request that comes straight from an origin.
    At most the share ``unmet_at_most`` of its demand may go unmet in an hour, at a price.
    An instance that starts runs at least ``minimum_run_hours``.
    """

    name: str
    replica: Replica
    team: str = ""
    architectures: frozenset[Architecture] = frozenset({Architecture.X86_64})
    min_replicas: int = 1
    stateful: bool = False
    state_gib: float = 0.0
    spot_tolerant: bool = False
    max_places: int | None = None
    response_kib: float = 0.0
    unmet_at_most: float | None = None  # None: as the policy says
    unmet_usd_per_million_requests: float | None = None  # None: as the policy says
    minimum_run_hours: int | None = None  # None: as the policy says
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Origin:
    """A population of users: where they are."""

    name: str
    coordinates: Coordinates
    country: str
    continent: str
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Dependency:
    """``caller`` makes ``calls_per_request`` calls to ``callee`` per request that it serves."""

    caller: str
    callee: str
    calls_per_request: float
    request_kib: float = 0.0
    response_kib: float = 0.0
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Step:
    """One service call of a workflow; it starts when every step in ``after`` has ended."""

    service: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """A business transaction: a DAG of service calls, for the users of some origins.

    Steps are named by their service (one call each). ``origins`` empty means all of them.
    """

    name: str
    steps: tuple[Step, ...]
    latency_objective_ms: float
    origins: tuple[str, ...] = ()
    at: Location = NOWHERE

    def in_order(self) -> tuple[Step, ...]:
        """Steps such that each stands behind those that it waits for.

        Raises ``ValueError`` naming the cycle when there is one.
        """
        order = call_order({step.service: step.after for step in self.steps})
        by_name = {step.service: step for step in self.steps}
        return tuple(by_name[name] for name in order)


def call_order(waits_for: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Topological order of a call graph; ``ValueError`` naming the cycle when there is one."""
    try:
        return tuple(TopologicalSorter(waits_for).static_order())
    except CycleError as error:
        raise ValueError(" → ".join(reversed(error.args[1]))) from error
