"""What was asked of each service, step by step: from a trace, from telemetry, or from history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.combining import of_services
from models.demand import CallGraph
from models.errors import UnusableData
from models.signals import SignalKey, Signals
from models.world import World
from optimizer.forecast.grid import hourly_grid

Floats = NDArray[np.float64]

REQUESTS: Final = "requests_rps"
MINUTE_S: Final = 60


@dataclass(frozen=True, eq=False)
class Asked:
    """Requests per second of ``services``: ``rps`` [service, step], NaN where nobody knows.

    ``step_s`` divides a minute, and ``starts`` is UTC. ``smooth``: steps were longer than a minute,
    and bursts within them are unknown.
    """

    starts: datetime
    step_s: int
    services: tuple[str, ...]
    rps: Floats
    smooth: bool

    @property
    def minutes(self) -> int:
        return int(self.rps.shape[1]) * self.step_s // MINUTE_S

    def at(self, minute: int) -> datetime:
        return self.starts + timedelta(minutes=minute)

    def minute_of(self, moment: datetime) -> int:
        """The minute that a moment falls in, within what there is."""
        return min(max(int((moment - self.starts).total_seconds() // MINUTE_S), 0), self.minutes)

    def until(self, moment: datetime) -> Asked:
        """What was asked before a moment."""
        steps = self.minute_of(moment) * MINUTE_S // self.step_s
        return replace(self, rps=self.rps[:, :steps])

    def only(self, names: Sequence[str]) -> Asked:
        """Some of the services."""
        rows = [self.services.index(name) for name in names]
        return replace(self, services=tuple(names), rps=self.rps[rows])


def by_minute(rps: Floats, step_s: int, *, highest: bool = False) -> Floats:
    """Means, or the highest, of every minute [..., minute]; NaN where a step is unknown."""
    minutes = rps.reshape(*rps.shape[:-1], -1, MINUTE_S // step_s)
    found: Floats = minutes.max(axis=-1) if highest else minutes.mean(axis=-1)
    return found


def asked_by_history(world: World) -> Asked:
    """The hourly history of ``world``, traced through calls and laid on minutes."""
    return asked_directly(world, history_signals(world))


def history_signals(world: World) -> Signals:
    """The hourly history of ``world``: what users asked of services themselves."""
    grid = hourly_grid(world.history, world.starts)
    keys = [SignalKey(REQUESTS, service, origin) for service, origin in grid.series]
    starts = world.starts - timedelta(hours=grid.rps.shape[1])
    return Signals(starts, 3600, tuple(keys), grid.rps)


def asked_directly(world: World, signals: Signals) -> Asked:
    """From what users ask themselves; services that others call are asked for that besides."""
    names, rps = _by_service(world, signals)
    return _asked(world, signals, names, rps, measured=np.zeros(len(names), np.bool_))


def asked_in_all(world: World, signals: Signals) -> Asked:
    """From what arrives at services, whoever asks; calls tell of those that are not measured."""
    names, rps = _by_service(world, signals)
    measured = ~np.isnan(rps).all(axis=1) & np.isin(names, [key.service for key in signals.keys])
    return _asked(world, signals, names, rps, measured)


def _by_service(world: World, signals: Signals) -> tuple[list[str], Floats]:
    """All services, and what signals say of each [service, step]: 0 where they are silent."""
    names = [service.name for service in world.services]
    rows = [i for i, key in enumerate(signals.keys) if key.signal == REQUESTS and not key.callee]
    keys = tuple(signals.keys[i] for i in rows)
    own = of_services(replace(signals, keys=keys, values=signals.values[rows]))
    rps = np.zeros((len(names), signals.steps))
    for s, name in enumerate(names):
        if (key := SignalKey(REQUESTS, name)) in own:
            rps[s] = own.of(key)
    return names, rps


def _asked(
    world: World, signals: Signals, names: list[str], rps: Floats, measured: NDArray[np.bool_]
) -> Asked:
    graph = CallGraph.of(names, world.dependencies)
    for callees, callers, calls in graph.rounds:
        told = ~measured[callees]
        np.add.at(rps, callees[told], calls[told, None] * rps[callers[told]])
    some = np.nansum(rps, axis=1) > 0
    if not some.any():
        raise UnusableData("nothing was asked of any service of the world in this time")
    rps, step_s = rps[some], signals.step_s
    smooth = step_s > MINUTE_S
    starts = signals.starts
    if smooth:
        rps, step_s = laid_on_minutes(rps, step_s // MINUTE_S), MINUTE_S
    late = int(starts.timestamp()) % MINUTE_S
    if late:  # minutes are those of the clock
        rps = rps[:, (MINUTE_S - late) // step_s :]
        starts += timedelta(seconds=MINUTE_S - late)
    whole = rps.shape[1] * step_s // MINUTE_S * MINUTE_S // step_s
    if not whole:
        raise UnusableData("there is less than a minute of demand")
    found = tuple(name for name, has in zip(names, some, strict=True) if has)
    return Asked(starts, step_s, found, np.ascontiguousarray(rps[:, :whole]), smooth)


def laid_on_minutes(rps: Floats, minutes: int) -> Floats:
    """Steps [row, step] of so many minutes as minutes [row, minute]: linear from the middle of a
    step to that of the next, then scaled so that every step keeps its mean. Gaps stay gaps.
    """
    before = np.concatenate([rps[:, :1], rps[:, :-1]], axis=1)
    after = np.concatenate([rps[:, 1:], rps[:, -1:]], axis=1)
    before, after = (np.where(np.isnan(one), rps, one) for one in (before, after))
    x = (np.arange(minutes) + 0.5) / minutes - 0.5
    towards = np.where(x < 0, (before - rps)[..., None], (after - rps)[..., None])
    found = rps[..., None] + np.abs(x) * towards
    mean = found.mean(axis=2)
    found *= np.divide(rps, mean, out=np.ones_like(rps), where=mean > 0)[..., None]
    minutely: Floats = found.reshape(len(rps), -1)
    return minutely
