"""What a snapshot says about the services of a world."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import pandas as pd

from models.commitments import Commitment
from models.fleet import Group
from models.rules import QuotaRule

REQUESTS_COLUMNS = ("ts", "service", "place", "rps")

NOBODY = ""
"""Stands for the service of what no service of any world may claim."""


@dataclass(frozen=True, slots=True)
class SeenQuota:
    """A limit of a cloud for an ``account``, ``whole``, and how much of it is ``used``, in its
    unit, by service.

    Under ``NOBODY`` stands what instances use that run no service, or that worlds do not plan.
    ``stated``: what the cloud says is used of it in all; None: nothing. ``unsized``: services with
    instances of which nobody knows how much they use.
    """

    account: str
    whole: QuotaRule
    used: Mapping[str, float]
    stated: float | None = None
    unsized: frozenset[str] = frozenset()

    def left_to(self, services: Collection[str]) -> QuotaRule:
        """What others than ``services`` leave of it."""
        taken = sum(used for service, used in self.used.items() if service not in services)
        if self.stated is not None and not self.unsized.issubset(services):
            own = sum(used for service, used in self.used.items() if service in services)
            taken = max(taken, self.stated - own)
        rule = self.whole
        if rule.vcpus_at_most is not None:
            return replace(rule, vcpus_at_most=max(rule.vcpus_at_most - taken, 0.0))
        return replace(rule, instances_at_most=max((rule.instances_at_most or 0.0) - taken, 0.0))


@dataclass(frozen=True, eq=False)
class Seen:
    """What ran, what may run and what was asked, at ``taken_at``.

    ``groups``: instances that run a service, counted. Not among them are instances of which nobody
    says what they run (``nameless``), and ``variants`` of machines that prices are not of, counted
    by what sets them apart (``windows``, ``dedicated``). ``requests`` has the columns of
    ``REQUESTS_COLUMNS``: mean requests per second that a service was asked in a place over the hour
    from ``ts`` (UTC) on. ``commitments``: contracts in force; ``unclear_commitments``: those of
    which nobody says what they save. ``accounts``: those that each service runs in.
    """

    file: str
    taken_at: datetime
    groups: tuple[Group, ...]
    nameless: int
    quotas: tuple[SeenQuota, ...]
    requests: pd.DataFrame
    commitments: tuple[Commitment, ...] = ()
    unclear_commitments: tuple[str, ...] = ()
    variants: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[str, frozenset[str]] = field(default_factory=dict)
