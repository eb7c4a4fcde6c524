"""So many replicas at each hour of the week, as people write it into a scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.simulate.policies import enough
from optimizer.simulate.replay import Replica

HOURS: Final = 168


@dataclass(frozen=True, eq=False)
class Scheduled:
    """``replicas`` [hour of the week], Monday 00:00 UTC first; steps are of a minute.

    ``first_minute``: minute of the week in which the first step lies. Replicas that an hour needs
    beyond the one before are started a boot before it.
    """

    replicas: NDArray[np.int64]
    first_minute: int

    def wanted(self, demand: NDArray[np.float64], replica: Replica) -> NDArray[np.int64]:
        minute = self.first_minute + np.arange(demand.size)
        now = self.replicas[minute // 60 % HOURS]
        soon = self.replicas[(minute + replica.boot_steps) // 60 % HOURS]
        wanted: NDArray[np.int64] = np.maximum(now, soon)
        return wanted


def minute_of_week(moment: datetime) -> int:
    return (moment.weekday() * 24 + moment.hour) * 60 + moment.minute


def schedule(
    demand: NDArray[np.float64], starts: datetime, replica: Replica, quantile: float = 1.0
) -> Scheduled:
    """What each hour of the week needed at a quantile of its minutes in ``demand`` [minute].

    An hour of the week of which nothing is known takes the most of that hour of any day, else of
    all hours.
    """
    first = minute_of_week(starts)
    hour = (first + np.arange(demand.size)) // 60 % HOURS
    need = np.zeros(HOURS, np.int64)
    told = np.zeros(HOURS, np.bool_)
    known = ~np.isnan(demand)
    for h in range(HOURS):
        seen = demand[known & (hour == h)]
        if seen.size:
            told[h] = True
            need[h] = enough(np.quantile(seen, quantile, keepdims=True), replica)[0]
    days = np.where(told, need, 0).reshape(7, 24)
    of_any_day = days.max(axis=0)
    of_any_day = np.where(told.reshape(7, 24).any(axis=0), of_any_day, need.max(initial=1))
    filled = np.where(told, need, np.tile(of_any_day, 7))
    return Scheduled(np.maximum(filled, 1), first)
