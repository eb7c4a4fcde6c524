"""How the last days would have been foretold, day by day, from what was known before each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.demand import Forecast, History
from models.errors import UnusableData
from models.events import DemandEvent
from optimizer.executor.seam import IN_PROCESS, Executor
from optimizer.forecast.candidates import CANDIDATES
from optimizer.forecast.choice import COMBINATION
from optimizer.forecast.demand import BLOCK_SERIES, LEVELS, foresee_apart
from optimizer.forecast.events import told_by_then, with_events, without_events
from optimizer.forecast.grid import DAY, WEEK, Grid, hourly_grid
from optimizer.forecast.online import A_DAY_AHEAD, OnlineErrors
from optimizer.forecast.spread import quantile_loss
from optimizer.watch import SILENT, Watch

Values = NDArray[np.float64]

MODELS: Final = (COMBINATION, *(candidate.name for candidate in CANDIDATES))
"""The first is in use until another does better. Where series are too short to score models, it
stands for what is foreseen instead."""


@dataclass(frozen=True, eq=False)
class Tracked:
    """What was given out for the hours before ``ends``, and what came.

    ``actual_rps`` [series, hour] is NaN where nothing was observed; ``week_before_rps`` are the
    same hours a week earlier. ``given_rps`` [series, hour, level] are the quantiles given out, by
    the model ``used`` [series, hour] (of ``MODELS``), corrected; ``plain_rps`` those of the
    combination as they were. ``online`` is what has been learnt of them.
    """

    ends: datetime
    actual_rps: Values
    week_before_rps: Values
    given_rps: Values
    plain_rps: Values
    used: NDArray[np.int64]
    online: OnlineErrors

    @property
    def hours(self) -> int:
        return int(self.actual_rps.shape[1])

    @property
    def starts(self) -> datetime:
        return self.ends - timedelta(hours=self.hours)

    @property
    def median_rps(self) -> Values:
        """The medians given out [series, hour]."""
        at = int(np.argmin(np.abs(self.online.levels - 0.5)))
        median: Values = self.given_rps[:, :, at]
        return median

    @property
    def error(self) -> Values:
        """Mean error of the median given out over that of repeating the week before [series]; NaN
        where that was right, or unknown.
        """
        naive = np.abs(self.actual_rps - self.week_before_rps)
        ours = np.abs(self.actual_rps - self.median_rps)
        known = ~(np.isnan(naive) | np.isnan(ours))
        sums = [np.where(known, each, 0.0).sum(axis=1) for each in (ours, naive)]
        return _ratio(sums[0], sums[1])

    def loss(self, quantiles_rps: Values) -> Values:
        """Mean quantile loss [series], rps, of quantiles [series, hour, level]."""
        each = quantile_loss(self.actual_rps, quantiles_rps, self.online.levels)
        known = ~np.isnan(each)
        return _ratio(np.where(known, each, 0.0).sum(axis=1), known.sum(axis=1).astype(float))


def _ratio(above: Values, below: Values) -> Values:
    """NaN for a division by nothing."""
    ratio: Values = np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)
    return ratio


def track(
    history: History,
    ends: datetime,
    days: int,
    levels: tuple[float, ...] = LEVELS,
    *,
    events: Sequence[DemandEvent] = (),
    executor: Executor = IN_PROCESS,
    watch: Watch = SILENT,
) -> Tracked:
    """Foretell each of the ``days`` before ``ends`` from what was known when it began, by every
    model, and follow how they do.

    Raises ``UnusableData`` when nothing is known before the first of them.
    """
    grid = hourly_grid(history, ends)
    hours = days * DAY
    if grid.rps.shape[1] <= hours:
        raise UnusableData(
            f"the demand history has {grid.rps.shape[1]} hours: nothing is known before the last"
            f" {hours} of them"
        )
    row = {pair: i for i, pair in enumerate(grid.series)}
    online = OnlineErrors(grid.series, MODELS, levels, pace=A_DAY_AHEAD)
    actual = grid.rps[:, -hours:]
    given = np.empty((len(row), hours, len(levels)))
    plain, used = np.empty_like(given), np.empty((len(row), hours), np.int64)
    begins = [ends - timedelta(hours=hours - first) for first in range(0, hours, DAY)]
    known = [without_events(hourly_grid(history, at), at, events) for at in begins]
    with watch.stage("foretell the last days", days) as stage:
        foretold = _days(known, begins, history, np.asarray(levels), events, executor)
        for day, (series, quantiles) in enumerate(foretold):
            said = np.full((len(MODELS), len(row), DAY, len(levels)), np.nan)
            said[:, [row[pair] for pair in series]] = quantiles
            times = [begins[day] + timedelta(hours=h) for h in range(DAY)]
            today = slice(day * DAY, (day + 1) * DAY)
            plain[:, today], used[:, today] = said[0], online.in_use[:, None]
            for h, at in enumerate(times):
                given[:, day * DAY + h] = online.expect(at, said[:, :, h])
            for h, at in enumerate(times):
                online.observe(at, actual[:, day * DAY + h])
            stage.advance()
    before = np.full((len(row), hours), np.nan)
    earlier = grid.rps[:, -hours - WEEK : -WEEK]
    before[:, hours - earlier.shape[1] :] = earlier
    return Tracked(ends, actual, before, given, plain, used, online)


def _days(
    known: Sequence[Grid],
    begins: Sequence[datetime],
    history: History,
    levels: Values,
    events: Sequence[DemandEvent],
    executor: Executor,
) -> list[tuple[tuple[tuple[str, str], ...], Values]]:
    """Series of every day, and their quantiles [model, series, hour, level] by ``MODELS``."""
    blocks = [
        (grid.only(np.arange(len(grid.series))[first : first + BLOCK_SERIES]), DAY, levels)
        for grid in known
        for first in range(0, len(grid.series), BLOCK_SERIES)
    ]
    parts = executor.map(foresee_apart, blocks)
    found = []
    for grid, at in zip(known, begins, strict=True):
        pieces = []
        for _ in range(0, len(grid.series), BLOCK_SERIES):
            part, apart = next(parts)
            quantiles = np.concatenate([part.quantiles_rps[None], apart])
            pieces.append((part.choices, quantiles))
        quantiles = np.concatenate([each for _, each in pieces], axis=1)
        choices = tuple(choice for several, _ in pieces for choice in several)
        one = Forecast(
            at,
            tuple(levels.tolist()),
            grid.series,
            quantiles[0].mean(axis=2),
            quantiles[0],
            choices,
        )
        found.append((grid.series, _moved(one, quantiles, history, events)))
    return found


def _moved(
    one: Forecast, quantiles: Values, history: History, events: Sequence[DemandEvent]
) -> Values:
    """``quantiles`` [model, ...] with events of that day, as far as their effect was known then."""
    ends = one.starts + timedelta(hours=one.periods)
    coming = [event for event in events if event.ends > one.starts and event.starts < ends]
    over = [event for event in events if event.ends <= one.starts]
    known = told_by_then([*over, *coming], one.series, history, one.starts)
    if len(known) == len(over):
        return quantiles
    moved = [
        with_events(replace(one, quantiles_rps=each), history, known).quantiles_rps
        for each in np.nan_to_num(quantiles)
    ]
    return np.where(np.isnan(quantiles), np.nan, np.stack(moved))
