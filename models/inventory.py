"""What clouds say of themselves at an instant: what runs, what could run, limits and prices.

Rows, as collected. ``place`` is ``cloud/region`` (``cloud/`` for what belongs to no region),
``account`` what the cloud bills: an AWS account, a Google Cloud project, an Azure subscription
(empty for facts that are the same for everybody). Times are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.commitments import CommitmentKind
from models.offerings import Architecture, Purchase

Labels = tuple[tuple[str, str], ...]
"""Tags or labels, sorted by key."""


class InstanceState(StrEnum):
    """Of an instance that still exists."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


class GroupKind(StrEnum):
    """What keeps instances at a number."""

    AUTO_SCALING_GROUP = "auto_scaling_group"
    MANAGED_INSTANCE_GROUP = "managed_instance_group"
    SCALE_SET = "scale_set"


class QuotaUnit(StrEnum):
    """What a quota counts."""

    VCPUS = "vcpus"
    INSTANCES = "instances"
    GPUS = "gpus"


@dataclass(frozen=True, slots=True)
class Instance:
    """A virtual machine. ``group`` is the id of its group, empty when it has none; ``service`` is
    what the configuration says that it runs, empty when it says nothing.

    ``variant``: what sets it apart from the machines that prices are of, Linux on shared hardware:
    ``windows``, ``dedicated``, a licence; empty: nothing.
    """

    id: str
    account: str
    place: str
    zone: str
    instance_type: str
    purchase: Purchase
    state: InstanceState
    launched: datetime
    group: str = ""
    labels: Labels = ()
    service: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class InstanceGroup:
    """Instances that the cloud keeps at ``desired``, from ``minimum`` to ``maximum``.

    ``maximum`` is None where the cloud knows none. New instances are of the first of
    ``instance_types`` that can be had. Beyond ``on_demand_base`` instances, ``spot_share`` of them
    is spot. ``healthy`` counts instances that serve. ``trouble``: why there are fewer than
    ``desired``, in the cloud's words; empty where it gives no reason.
    """

    id: str
    name: str
    kind: GroupKind
    account: str
    place: str
    zones: tuple[str, ...]
    minimum: int
    desired: int
    maximum: int | None
    healthy: int
    instance_types: tuple[str, ...]
    on_demand_base: int = 0
    spot_share: float = 0.0
    template: str = ""
    labels: Labels = ()
    service: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class InstanceType:
    """A machine shape in a place, and where there it may be started.

    ``baseline_vcpus``: what a burstable type sustains; None where the cloud does not say.
    ``zones``: where it is offered to this account. ``restriction``: why it is not, empty when it
    is.
    """

    place: str
    instance_type: str
    account: str
    vcpus: float
    baseline_vcpus: float | None
    memory_gib: float
    architecture: Architecture
    family: str
    gpus: float = 0.0
    gpu_model: str = ""
    burstable: bool = False
    spot: bool = True
    zones: tuple[str, ...] = ()
    restriction: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of the cloud. ``families`` empty: all; ``used`` None: the cloud does not say.

    ``purchase`` None: whatever the purchase option.
    """

    account: str
    place: str
    name: str
    unit: QuotaUnit
    limit: float
    used: float | None = None
    purchase: Purchase | None = None
    families: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """USD per hour of an instance; ``zone`` empty: the same in all zones of the place."""

    place: str
    instance_type: str
    purchase: Purchase
    zone: str
    price_usd_per_hour: float
    as_of: datetime
    source: str


@dataclass(frozen=True, slots=True)
class RejectedPrice:
    """A price that the cloud states and nobody should plan with, and why."""

    place: str
    instance_type: str
    purchase: Purchase
    zone: str
    stated: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class CommittedRate:
    """What an hour of an instance costs under a commitment that can be bought.

    ``upfront_share``: of the whole term's price, paid on the first day and spread over the term in
    ``price_usd_per_hour``.
    """

    product: str
    kind: CommitmentKind
    term_years: int
    upfront_share: float
    place: str
    instance_type: str
    price_usd_per_hour: float
    as_of: datetime
    source: str


@dataclass(frozen=True, slots=True)
class OwnedCommitment:
    """A contract that an account holds.

    ``level``: USD per hour where spend is committed, vCPUs where resources are.
    ``usd_per_hour``: what it costs, with what was paid upfront spread over the term; NaN where
    the cloud does not say.
    ``used_share``: of its level, lately; None where the cloud does not say. ``families`` and
    ``place`` say what it covers (empty families: all).
    """

    id: str
    account: str
    place: str
    product: str
    kind: CommitmentKind
    term_years: int
    level: float
    usd_per_hour: float
    starts: datetime
    ends: datetime
    families: tuple[str, ...] = ()
    used_share: float | None = None


class Signal(StrEnum):
    """What a measurement is of, with its unit."""

    CPU_SHARE = "cpu_share"  # of the instance's vCPUs, 0 to 1
    NETWORK_OUT_BYTES = "network_out_bytes"  # per second
    REQUESTS_RPS = "requests_rps"
    LATENCY_MEAN_MS = "latency_mean_ms"
    LATENCY_P95_MS = "latency_p95_ms"


@dataclass(frozen=True, slots=True)
class Sample:
    """A signal of a ``subject`` over ``step_s`` seconds from ``at`` on.

    The subject is the id of an instance or a group; what a load balancer counts is the groups'
    that it sends it to.
    """

    signal: Signal
    account: str
    place: str
    subject: str
    at: datetime
    step_s: int
    value: float
