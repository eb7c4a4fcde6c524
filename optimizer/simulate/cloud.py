"""What the simulated cloud is like, and what it has in store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.interruptions import per_month_of
from models.world import HOURS_PER_MONTH
from optimizer.simulate.waiting import late_share

LATE_SHARE: Final = 0.01
"""A minute misses the objective when more of its requests than this share are late or lost."""

DRAWS: Final = 4096
"""Draws of each kind; the next replica after the last takes the first one again."""


@dataclass(frozen=True, slots=True)
class Billing:
    """What runs is paid from its start to its stop, in whole ``granularity_s``, and for at least
    ``minimum_s``.
    """

    granularity_s: int = 1
    minimum_s: int = 60

    def seconds(self, life_s: int) -> int:
        """Seconds that are paid for so many that it ran."""
        return max(self.minimum_s, -(-life_s // self.granularity_s) * self.granularity_s)


PER_SECOND: Final = Billing()
"""As AWS, Google Cloud and Azure bill Linux: by the second, a minute at least."""

PER_HOUR: Final = Billing(3600, 3600)

NO_MINIMUM: Final = Billing(1, 0)


@dataclass(frozen=True, slots=True)
class Hazards:
    """What goes wrong.

    ``failures_per_month``: of a replica that serves; it is back after ``restart_s``, and paid
    meanwhile. ``monthly_interruption``: the chance that a spot pool is taken away in a month; its
    replicas leave ``notice_s`` after they were told, and for ``outage_hours`` nothing new starts
    there: replicas are bought on demand then.
    """

    failures_per_month: float = 0.0
    restart_s: int = 60
    monthly_interruption: float = 0.0
    notice_s: int = 120
    outage_hours: float = 1.0


NO_HAZARDS: Final = Hazards()


@dataclass(frozen=True, slots=True)
class Machine:
    """One replica of a service, and what is around it.

    ``serves_rps``: what it serves, ``slots`` requests at once. ``boot_s``: from its start until it
    serves, in the middle; times of boots are lognormal with ``boot_spread``, the standard deviation
    of their logarithm. ``usd_per_hour`` is what it costs; where it is ``spot``,
    ``on_demand_usd_per_hour`` is paid for one that replaces it while its pool is out.

    A request waits up to ``patience_s`` for a replica, and is lost then. One that waits longer than
    ``wait_s`` is late. ``knee`` is the load of its slots when it serves ``serves_rps``: see
    ``knee``. ``variability``: half the sum of the squared coefficients of variation of
    the times between requests and of their service, 1 for M/M/c.
    """

    serves_rps: float
    boot_s: float
    usd_per_hour: float = 1.0
    slots: int = 1
    boot_spread: float = 0.0
    billing: Billing = PER_SECOND
    hazards: Hazards = NO_HAZARDS
    spot: bool = False
    on_demand_usd_per_hour: float = 1.0
    min_replicas: int = 1
    max_replicas: int | None = None
    cooldown_s: int = 0
    patience_s: int = 10
    wait_s: float = 1.0
    variability: float = 1.0
    knee: float = 1.0


def knee(slots: int, serves_rps: float, wait_s: float, variability: float = 1.0) -> float:
    """The load at which one replica alone keeps its objective, and no more: ``LATE_SHARE`` of its
    requests wait longer than ``wait_s``.

    A service's throughput is what a replica serves *while it keeps its latency*, so that there is
    this load at that throughput. Requests beyond it wait all the same: nobody sends a replica more.
    """
    low, high = 0.0, 1.0
    for _ in range(50):
        load = (low + high) / 2
        late = late_share(load, float(slots), load * slots / serves_rps, wait_s, variability)
        low, high = (load, high) if late <= LATE_SHARE else (low, load)
    return low


@dataclass(frozen=True, eq=False)
class Fate:
    """What happens whatever anybody decides, so that all policies meet the same.

    ``boots`` [draw]: times of boots over their median. ``lives`` [draw]: exponential, how much
    running wears until the next failure. ``victims`` [draw], 0 to 1: which replica fails.
    ``reclaims`` [event]: seconds at which the spot pool is told to go, in order.
    """

    boots: NDArray[np.float64]
    lives: NDArray[np.float64]
    victims: NDArray[np.float64]
    reclaims: NDArray[np.int64]


def fate(machine: Machine, seconds: int, seed: int) -> Fate:
    """Draw what happens within so many ``seconds``; the same for the same ``seed``."""
    rng = np.random.default_rng(seed)
    hazards = machine.hazards
    boots = np.exp(machine.boot_spread * rng.standard_normal(DRAWS))
    lives, victims = rng.standard_exponential(DRAWS), rng.random(DRAWS)
    reclaims = np.empty(0, np.int64)
    if machine.spot and hazards.monthly_interruption > 0:
        per_month = per_month_of(hazards.monthly_interruption)
        count = rng.poisson(per_month * seconds / (3600 * HOURS_PER_MONTH))
        reclaims = np.sort(rng.integers(0, seconds, count))
    return Fate(boots, lives, victims, reclaims)
