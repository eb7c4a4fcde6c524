"""What was asked of services by their users, what is expected, and what strayed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.demand import Forecast
from models.events import DemandEvent
from models.foreseen import Anomaly
from models.signals import SignalKey, Signals
from models.world import World
from optimizer.anomalies.chance import beyond_chance
from optimizer.anomalies.detect import detect
from optimizer.executor.seam import IN_PROCESS, Executor
from optimizer.forecast.adjust import apply_factors
from optimizer.forecast.demand import forecast_and_errors
from optimizer.forecast.grid import KEPT_HOURS, WEEK, Grid, hourly_grid
from optimizer.forecast.short import foresee_short, side_by_side
from optimizer.forecast.totals import Totals
from optimizer.forecast.tracked import Tracked, track
from optimizer.watch import SILENT, Watch

SOON_SERIES = 4
"""So many series of minutes are a piece of work: some seconds."""

SOON_SHOWN_STEPS = 240
"""So many steps of the past are shown at least beside steps that are foreseen soon."""


def past_hours(hours: int) -> int:
    """How much of the history is shown beside ``hours`` that are expected."""
    return min(max(4 * hours, WEEK), 2 * WEEK)


@dataclass(frozen=True, eq=False)
class Expectations:
    """Direct demand of a world, behind and ahead of ``forecast.starts``.

    ``past_rps`` [series, period] ends there, NaN where nothing was observed; its series are those
    of the forecast. ``anomalies`` are those of the past shown that chance would not bring, by time.
    """

    world: World
    past_rps: NDArray[np.float64]
    forecast: Forecast
    anomalies: tuple[Anomaly, ...] = ()
    totals: Forecast | None = None
    """Of everything, of origins and of services, where several series add up; see ``Totals``."""
    tracked: Tracked | None = None
    """How the last days would have been foretold, if that was asked for."""
    measured: str = ""
    """Whose telemetry this is of: what arrives at services, whoever asks. Empty: direct demand."""

    @property
    def past_starts(self) -> datetime:
        return self.forecast.starts - self.past_shown

    @property
    def past_shown(self) -> timedelta:
        """How much of the past there is."""
        return int(self.past_rps.shape[1]) * self.step

    @property
    def step(self) -> timedelta:
        """How long a period lasts."""
        return timedelta(seconds=self.forecast.step_s)

    @property
    def lately(self) -> timedelta:
        """How much of the past its mean is shown of."""
        return timedelta(days=1) if self.step >= timedelta(hours=1) else timedelta(hours=1)

    @property
    def lately_rps(self) -> NDArray[np.float64]:
        """Mean of that [series]; NaN where nothing of it was observed."""
        values = self.past_rps[:, -(self.lately // self.step) :]
        seen = ~np.isnan(values)
        count = seen.sum(axis=1)
        sums = np.where(seen, values, 0.0).sum(axis=1)
        mean: NDArray[np.float64] = np.divide(
            sums, count, out=np.full(len(values), np.nan), where=count > 0
        )
        return mean

    @property
    def events(self) -> tuple[DemandEvent, ...]:
        """Those ahead, and those of the weeks that forecasts learn from, by time."""
        ends = self.forecast.starts + self.forecast.periods * self.step
        known = timedelta(hours=KEPT_HOURS) if not self.measured else self.past_shown
        first = self.forecast.starts - known
        shown = [e for e in self.world.events if e.starts < ends and e.ends > first]
        return tuple(sorted(shown, key=lambda event: (event.starts, event.name)))

    @property
    def summed(self) -> Expectations | None:
        """The same of totals instead of series; None when there are none."""
        if self.totals is None or not self.totals.series:
            return None
        past = Totals.of(self.forecast.series).added(self.past_rps)
        return replace(
            self, past_rps=past, forecast=self.totals, anomalies=(), totals=None, tracked=None
        )

    @property
    def order(self) -> NDArray[np.int64]:
        """Series, those with the most demand ahead first: by their mean."""
        return np.argsort(-self.forecast.mean_rps.sum(axis=1), kind="stable")

    @property
    def against_last_week(self) -> NDArray[np.float64]:
        """What is expected in the mean over what came in the same time a week before, less 1
        [series]; NaN where that was not observed or nothing.
        """
        week = timedelta(weeks=1) // self.step
        periods = min(self.forecast.periods, week)
        if self.past_rps.shape[1] < week:
            return np.full(len(self.past_rps), np.nan)
        first = self.past_rps.shape[1] - week
        before = self.past_rps[:, first : first + periods]
        ahead = np.where(np.isnan(before), np.nan, self.forecast.mean_rps[:, :periods])
        came = np.nansum(before, axis=1)
        expected = np.nansum(ahead, axis=1)
        change: NDArray[np.float64] = np.divide(
            expected, came, out=np.full(len(came), np.nan), where=came > 0
        )
        return change - 1


def expect(
    world: World,
    hours: int,
    *,
    track_days: int = 0,
    executor: Executor = IN_PROCESS,
    watch: Watch = SILENT,
) -> Expectations:
    """Foresee the direct demand of ``world`` for ``hours`` hours, under its what-ifs' factors.

    ``track_days``: so many of the last days are foretold again, from what was known before each.
    Raises ``UnusableData`` if nothing was observed before the world starts.
    """
    expected, errors = forecast_and_errors(
        world.history, world.starts, hours, events=world.events, executor=executor, watch=watch
    )
    expected = apply_factors(expected, world.demand_factors)
    with watch.stage("add up"):
        totals = Totals.of(expected.series).foreseen(expected, errors)
    tracked = None
    if track_days:
        tracked = track(
            world.history, world.starts, track_days,
            events=world.events, executor=executor, watch=watch,
        )  # fmt: skip
    grid = hourly_grid(world.history, world.starts)
    past = grid.rps[:, -past_hours(hours) :]
    with watch.stage("look for what strays"):
        shown_from = world.starts - timedelta(hours=past.shape[1])
        found = beyond_chance(detect(_signals(grid, world)), int(grid.observed.sum()))
        strayed = [one for one in found if one.ends > shown_from]
    return Expectations(
        world=world,
        past_rps=past,
        forecast=expected,
        anomalies=tuple(sorted(strayed, key=lambda one: (one.starts, one.key))),
        totals=totals,
        tracked=tracked,
    )


def expect_soon(
    world: World,
    measured: str,
    requests: Signals,
    steps: int,
    *,
    executor: Executor = IN_PROCESS,
    watch: Watch = SILENT,
) -> Expectations:
    """Foresee what arrives at services in the next ``steps`` steps of ``requests``.

    ``requests`` are those of services and origins until now, of a telemetry named ``measured``.
    Raises ``ValueError`` as ``foresee_short`` does.
    """
    series = [(key.service, key.origin) for key in requests.keys]
    with watch.stage("foresee"):
        blocks = [slice(i, i + SOON_SERIES) for i in range(0, len(series), SOON_SERIES)]
        parts = executor.map(
            foresee_short,
            [
                (series[b], requests.values[b], requests.ends, requests.step_s, steps)
                for b in blocks
            ],
        )
        made = side_by_side(list(parts))
    past = requests.values[:, -min(max(2 * steps, SOON_SHOWN_STEPS), requests.steps) :]
    shown_from = requests.ends - past.shape[1] * timedelta(seconds=requests.step_s)
    with watch.stage("look for what strays"):
        found = beyond_chance(detect(requests), int((~np.isnan(requests.values)).sum()))
    strayed = sorted(
        (one for one in found if one.ends > shown_from), key=lambda one: (one.starts, one.key)
    )
    return Expectations(world, past, made, tuple(strayed), measured=measured)


def _signals(grid: Grid, world: World) -> Signals:
    """The history as signals, of every hour that is kept: what is usual takes weeks to learn.

    Hours of events are left out: that they are unusual is known.
    """
    starts = world.starts - timedelta(hours=grid.rps.shape[1])
    values = grid.rps.copy()
    for event in world.events:
        first = max((event.starts - starts) // timedelta(hours=1), 0)
        last = max(-((starts - event.ends) // timedelta(hours=1)), 0)
        rows = [
            i for i, (service, origin) in enumerate(grid.series) if event.moves(service, origin)
        ]
        values[rows, first:last] = np.nan
    keys = tuple(SignalKey("requests_rps", service, origin) for service, origin in grid.series)
    return Signals(starts, 3600, keys, values)
