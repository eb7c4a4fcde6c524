"""What a snapshot says about the services of a world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from models.commitments import Commitment
from models.fleet import Group
from models.rules import QuotaRule

REQUESTS_COLUMNS = ("ts", "service", "place", "rps")


@dataclass(frozen=True, eq=False)
class Seen:
    """What ran, what may run and what was asked, at ``taken_at``.

    ``groups``: instances that run a service, counted. ``nameless``: instances of which nobody says
    what they run. ``quotas``: what the clouds leave to services, after what nameless instances
    use. ``requests`` has the columns of ``REQUESTS_COLUMNS``: mean requests per second that a
    service was asked in a place over the hour from ``ts`` (UTC) on. ``commitments``: contracts in
    force.
    """

    file: str
    taken_at: datetime
    groups: tuple[Group, ...]
    nameless: int
    quotas: tuple[QuotaRule, ...]
    requests: pd.DataFrame
    commitments: tuple[Commitment, ...] = ()
