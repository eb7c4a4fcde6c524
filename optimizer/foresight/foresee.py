"""Foresee what goes wrong in a world, from what was measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.combining import longer_steps, of_services
from models.errors import UnusableData
from models.foreseen import Anomaly, Prediction
from models.inventory import Quota
from models.signals import Signals
from models.world import World
from optimizer.foresight.budgets import budget_exhaustions
from optimizer.foresight.latencies import CurveFinding, bottlenecks
from optimizer.foresight.quotas import quota_exhaustions
from optimizer.foresight.resources import exhaustions
from optimizer.foresight.saying import Moment
from optimizer.foresight.traffic import surges_and_drops
from optimizer.foresight.troubles import failures
from optimizer.watch import SILENT, Watch

HOUR_S: Final = 3600

LIKELY: Final = 0.5
"""Predictions of at least this probability are alarms."""


@dataclass(frozen=True, eq=False)
class Foresight:
    """``predictions``: the most probable first, whatever their probability. ``curves``: what was
    learnt of the capacity of services.
    """

    made_at: datetime
    horizon: timedelta
    predictions: tuple[Prediction, ...]
    curves: tuple[CurveFinding, ...]

    def likely(self, least: float = LIKELY) -> tuple[Prediction, ...]:
        return tuple(one for one in self.predictions if one.probability >= least)


def foresee(
    world: World,
    signals: Signals,
    horizon: timedelta,
    *,
    anomalies: Sequence[Anomaly] = (),
    quotas: Sequence[tuple[datetime, Quota]] = (),
    watch: Watch = SILENT,
) -> Foresight:
    """What is going to happen within ``horizon`` of the end of ``signals``, as seen then.

    ``quotas`` are readings with the time at which each was taken. Signals are looked at by the
    hour; raises ``UnusableData`` when they are kept in longer steps or hold nothing.
    """
    if HOUR_S % signals.step_s:
        raise UnusableData(f"signals in steps of {signals.step_s} s do not make hours")
    if not signals.keys:
        raise UnusableData("nothing was measured: there is nothing to foresee from")
    hourly = longer_steps(signals, HOUR_S)
    services = of_services(hourly)
    moment = Moment(hourly.ends, HOUR_S, horizon)
    found: list[Prediction] = []
    with watch.stage("foresee", 5) as stage:
        found += exhaustions(hourly, moment)
        found += quota_exhaustions(quotas, moment)
        stage.advance()
        curves = bottlenecks(world, services, moment)
        found += [one.prediction for one in curves if one.prediction is not None]
        stage.advance()
        found += surges_and_drops(world, services, moment)
        stage.advance()
        found += budget_exhaustions(world, services, moment)
        stage.advance()
        found += failures(world, hourly, moment, anomalies)
        stage.advance()
    found.sort(key=lambda one: (-one.probability, one.expected_at, one.of, one.what))
    return Foresight(hourly.ends, horizon, tuple(found), curves)
