"""What every cloud promises: four small protocols, and where they are asked.

Reading is lazy: rows come page by page as they are asked for, and an error is raised when the page
that has it is reached, so that what came before is not lost. All methods may be called from
several threads at once, and raise nothing but ``CloudFailed``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from models.actions import Action, Receipt
from models.cloud_errors import CloudFailed
from models.inventory import (
    CommittedRate,
    Instance,
    InstanceGroup,
    InstanceType,
    OwnedCommitment,
    Price,
    Quota,
    RejectedPrice,
    Sample,
)


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """What one walk through a cloud's pages is about: one region of one account.

    ``account`` empty: facts that are the same for everybody; ``region`` empty: of no region.
    """

    cloud: str
    account: str
    region: str

    @property
    def place(self) -> str:
        return f"{self.cloud}/{self.region}"

    def __str__(self) -> str:
        return f"{self.place} of {self.account}" if self.account else self.place


@dataclass(frozen=True, slots=True)
class Unreached:
    """An account (``scope`` without a region), or a region of it, that was asked for and cannot be
    looked at, and why.
    """

    scope: Scope
    failure: CloudFailed


@dataclass(frozen=True, slots=True)
class Scopes:
    """Where a cloud can be asked, and where not; both sorted by scope."""

    found: tuple[Scope, ...]
    unreached: tuple[Unreached, ...] = ()


class Reading(StrEnum):
    """What can be read of a scope."""

    INSTANCES = "instances"
    GROUPS = "groups"
    INSTANCE_TYPES = "instance_types"
    QUOTAS = "quotas"
    COMMITMENTS = "commitments"
    PRICES = "prices"
    SAMPLES = "samples"

    @property
    def in_words(self) -> str:
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Window:
    """From ``starts`` to before ``ends``, in steps of ``step_s`` seconds."""

    starts: datetime
    ends: datetime
    step_s: int = 3600


class Inventory(Protocol):
    """What runs, what could run, and how much of it may."""

    def scopes(self) -> Scopes:
        """Every account in every region that is enabled there and asked for.

        One account that does not answer, or a region that is unknown or not enabled, spoils no
        other: it is ``unreached``.
        """

    def instances(self, scope: Scope) -> Iterator[Instance]: ...

    def groups(self, scope: Scope) -> Iterator[InstanceGroup]: ...

    def instance_types(self, scope: Scope) -> Iterator[InstanceType]: ...

    def quotas(self, scope: Scope) -> Iterator[Quota]: ...

    def commitments(self, scope: Scope) -> Iterator[OwnedCommitment]: ...


class PriceList(Protocol):
    """What things cost."""

    def markets(self) -> Scopes:
        """Where prices are asked for."""

    def prices(self, market: Scope) -> Iterator[Price | RejectedPrice | CommittedRate]: ...


class Metrics(Protocol):
    """What was measured."""

    def samples(self, scope: Scope, window: Window) -> Iterator[Sample]: ...


class Hands(Protocol):
    """What changes things. The only part of a cloud that does."""

    def act(self, action: Action, token: str, *, rehearse: bool = False) -> Receipt:
        """Do ``action`` exactly once for each ``token``, however often this is called with it.

        Returns when the cloud has taken the action on, not when all instances are there.
        ``rehearse``: change nothing, and say whether it could be done.
        """


class Severity(StrEnum):
    """How bad a finding is."""

    FINE = "fine"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at credentials, permissions, reachability, clock or prices showed.

    ``remedy``: what to do about it; empty when nothing need be done.
    """

    cloud: str
    about: str
    severity: Severity
    said: str
    remedy: str = ""


class Doctor(Protocol):
    """Looks whether a cloud can be worked with."""

    def findings(self) -> Iterator[Finding]: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """A cloud, by its parts."""

    cloud: str
    inventory: Inventory
    price_list: PriceList
    metrics: Metrics
    hands: Hands
    doctor: Doctor
