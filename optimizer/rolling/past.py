"""What has been asked so far: hour by hour for forecasts, step by step for corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from models.demand import CallGraph, History, direct_demand_rps
from optimizer.forecast.grid import KEPT_HOURS
from optimizer.problem import Floats

HOUR = timedelta(hours=1)
LEAST_OF_HOUR = 0.5
"""An hour counts as observed when this share of it was."""


@dataclass(frozen=True, eq=False)
class Past:
    """Direct demand, rps, of ``series`` (service, origin) until ``now``, NaN where unknown.

    ``hourly`` [series, hour] ends with the hour before that of ``now``; ``steps`` [series, step]
    are the last ones of ``step_s`` seconds, the latest at the end.
    """

    series: tuple[tuple[str, str], ...]
    now: datetime
    step_s: int
    hourly: Floats
    steps: Floats

    @classmethod
    def of(cls, history: History, now: datetime, step_s: int) -> Past:
        """From an hourly history; what is in it at or after ``now`` is not looked at.

        Raises ``ValueError`` when an hour is no whole number of steps.
        """
        if 3600 % step_s:
            raise ValueError(f"an hour is no whole number of steps of {step_s} s")
        frame = history.frame
        hour = hour_of(now)
        lead = (pd.Timestamp(hour) - frame["ts"]).to_numpy()
        age = (lead // np.timedelta64(1, "h")).astype(np.int64)
        names = list(zip(frame["service"].astype(str), frame["origin"].astype(str), strict=True))
        pairs = sorted(set(names))
        row = {pair: i for i, pair in enumerate(pairs)}
        kept = (age >= 1) & (age <= KEPT_HOURS)
        hours = int(age[kept].max(initial=0))
        hourly = np.full((len(pairs), hours), np.nan)
        at = np.array([row[pair] for pair in names], np.int64)
        hourly[at[kept], hours - age[kept]] = frame["rps"].to_numpy(np.float64)[kept]
        return cls(tuple(pairs), now, step_s, hourly, np.empty((len(pairs), 0)))

    @classmethod
    def of_steps(
        cls, series: tuple[tuple[str, str], ...], now: datetime, step_s: int, steps: Floats
    ) -> Past:
        """From what was asked step by step until ``now``, a full hour."""
        per_hour = 3600 // step_s
        whole = steps[:, steps.shape[1] % per_hour :]
        hours = whole.reshape(len(steps), -1, per_hour)
        hourly = np.stack([_mean(one, per_hour) for one in hours])[:, -KEPT_HOURS:]
        return cls(series, now, step_s, hourly, steps)

    @property
    def steps_per_hour(self) -> int:
        return 3600 // self.step_s

    def with_steps(self, rps: Floats) -> Past:
        """The same with ``rps`` [series, step] as what was observed step by step until now."""
        return replace(self, steps=rps)

    def after(self, rps: Floats, kept_steps: int) -> Past:
        """A step later, in which ``rps`` [series] were asked, NaN where nobody knows."""
        steps = np.concatenate([self.steps, rps[:, None]], axis=1)[:, -kept_steps:]
        now = self.now + timedelta(seconds=self.step_s)
        hourly = self.hourly
        if hour_of(now) == now:
            ended = _mean(steps[:, -self.steps_per_hour :], self.steps_per_hour)
            hourly = np.concatenate([hourly, ended[:, None]], axis=1)[:, -KEPT_HOURS:]
        return replace(self, now=now, hourly=hourly, steps=steps)

    def history(self) -> History:
        """All hours so far; the hour that runs counts with what was seen of it, if that is half."""
        hourly, hour = self.hourly, hour_of(self.now)
        begun = (self.now - hour) // timedelta(seconds=self.step_s)
        if begun:
            running = _mean(self.steps[:, -begun:], self.steps_per_hour)
            hourly = np.concatenate([hourly, running[:, None]], axis=1)
            hour += HOUR
        at, when = np.nonzero(~np.isnan(hourly))
        first = pd.Timestamp(hour - hourly.shape[1] * HOUR).tz_convert(UTC)
        services, origins = np.array(self.series, dtype=object).reshape(-1, 2).T
        return History(
            pd.DataFrame(
                {
                    "ts": first + pd.to_timedelta(when, unit="h"),
                    "service": services[at],
                    "origin": origins[at],
                    "rps": hourly[at, when],
                }
            )
        )


def demand_of(
    graph: CallGraph,
    services: Sequence[str],
    origins: Sequence[str],
    series: Sequence[tuple[str, str]],
    rps: Floats,
) -> Floats:
    """Demand [service, origin, step], calls included, of ``rps`` [series, step]."""
    return graph.traced(direct_demand_rps(services, origins, series, rps))


def hour_of(when: datetime) -> datetime:
    """The hour that holds ``when``."""
    return when.replace(minute=0, second=0, microsecond=0)


def _mean(steps: Floats, whole: int) -> Floats:
    """Mean of observed steps [series]; NaN where fewer than half of ``whole`` were."""
    seen = ~np.isnan(steps)
    count = seen.sum(axis=1)
    total = np.where(seen, steps, 0.0).sum(axis=1)
    enough = count >= LEAST_OF_HOUR * whole
    return np.where(enough, total / np.maximum(count, 1), np.nan)
