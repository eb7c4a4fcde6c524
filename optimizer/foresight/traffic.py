"""Predictions of surges and drops of the requests of services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.demand import Forecast, History
from models.foreseen import Kind, Prediction
from models.signals import SignalKey, Signals
from models.world import World
from optimizer.forecast.demand import forecast
from optimizer.foresight.exhaustion import so_for
from optimizer.foresight.lives import carried
from optimizer.foresight.saying import EARLIEST, Moment, already, load_words
from optimizer.foresight.surges import (
    FACTOR,
    Crossing,
    chance_over,
    crossings,
    over_days,
    over_usual,
    usual,
)

Values = NDArray[np.float64]

DAY, WEEK = 24, 168
NOW_HOURS: Final = 2
"""What was measured so lately is so now."""

LEAST_HOURS: Final = 2 * WEEK
"""Nobody knows the usual of an hour of the week before it came twice."""

SCARCE_RPS: Final = 0.1
"""Of fewer requests a second nothing is said: their ratios are chance."""


def surges_and_drops(world: World, services: Signals, moment: Moment) -> tuple[Prediction, ...]:
    """Up to three predictions for every service: demand ``FACTOR`` times the usual of its hour,
    that share of it, and more than the replicas that run now serve.
    """
    names = [
        key.service
        for key, rps in zip(services.keys, services.values, strict=True)
        if key == SignalKey("requests_rps", key.service)
        and (~np.isnan(rps)).sum() >= LEAST_HOURS
        and not np.isnan(rps[-DAY:]).all()
        and np.nanmean(rps) >= SCARCE_RPS
    ]
    if not names:
        return ()
    rps = np.stack([services.of(SignalKey("requests_rps", name)) for name in names])
    hours = moment.horizon_steps
    expected = usual(rps, WEEK, hours)
    made = foretold(names, rps, services.starts, hours)
    rows = {name: row for row, (name, _) in enumerate(made.series)}
    ratio = {name: over_usual(rps[i], expected[i, : rps.shape[1]]) for i, name in enumerate(names)}
    found: list[Prediction] = []
    for i, name in enumerate(names):
        who, callers = _callers(world, name, ratio)
        serves = _serves(world, services, name)
        row = rows[name]
        found += _of_service(
            name, rps[i], expected[i], made.quantiles_rps[row], made.levels, who, callers,
            serves, moment,
        )  # fmt: skip
    return tuple(found)


def foretold(names: Sequence[str], rps: Values, starts: datetime, hours: int) -> Forecast:
    """The hourly forecast of ``rps`` [name, hour] from ``starts`` on, for the hours behind it."""
    ts = pd.date_range(starts, periods=rps.shape[1], freq="1h")
    frame = pd.DataFrame(
        {
            "ts": np.tile(ts, len(names)),
            "service": np.repeat(names, rps.shape[1]),
            "origin": "",
            "rps": rps.ravel(),
        }
    ).dropna()
    frame["ts"] = pd.to_datetime(frame["ts"], utc=True)
    return forecast(History(frame), starts + timedelta(hours=rps.shape[1]), hours)


def _of_service(
    name: str,
    rps: Values,
    expected: Values,
    quantiles: Values,
    levels: tuple[float, ...],
    who: str,
    callers: Values | None,
    serves: Values | None,
    moment: Moment,
) -> Iterator[Prediction]:
    ratio = over_usual(rps, expected[: rps.size])
    now = float(ratio[-1])
    state = "not measured now" if np.isnan(now) else f"{now:.2f} times the usual now"
    signs = [f"demand is {state}"]
    if callers is not None and np.isfinite(callers[-1]):
        signs.append(f"its callers ({who}) have {callers[-1]:.2f} times their usual")
    for kind, factor in ((Kind.SURGE, FACTOR), (Kind.DROP, 1 / FACTOR)):
        far, near = crossings(rps, expected, quantiles, levels, callers, factor)
        way = "above" if kind is Kind.SURGE else "below"
        what = f"requests_rps {way} {factor:.2g} times the usual"
        beyond = ratio > factor if kind is Kind.SURGE else ratio < factor
        yield already(
            _said(kind, name, what, moment, far, near, tuple(signs)),
            moment,
            so_for(ratio, beyond, NOW_HOURS),
        )
    if serves is not None:
        capacity = float(serves[-1])
        over = chance_over(np.full(len(quantiles), capacity), quantiles, levels)
        far = over_days(over, DAY)
        highest = float(quantiles[:, -1].max())
        evidence = (
            f"replicas that run now serve {load_words(capacity)} rps",
            f"demand stays below {load_words(highest)} rps with a chance of {100 * levels[-1]:g} %",
        )
        nothing = Crossing(np.zeros(1))
        yield already(
            _said(Kind.SURGE, name, "requests_rps above what runs", moment, far, nothing, evidence),
            moment,
            so_for(rps, rps > serves, NOW_HOURS),
        )


def _said(
    kind: Kind, name: str, what: str, moment: Moment, far: Crossing, near: Crossing,
    evidence: tuple[str, ...],
) -> Prediction:  # fmt: skip
    sure = near if near.probability > far.probability else far
    how = "by the next hours" if sure is near else "by the hourly forecast"
    return Prediction(
        kind,
        name,
        what,
        moment.made_at,
        moment.after(sure.hour(EARLIEST) - 1),
        moment.after(sure.hour(0.5)),
        min(max(sure.probability, 0.0), 1.0),
        (*evidence, how),
    )


def _callers(world: World, name: str, ratio: dict[str, Values]) -> tuple[str, Values | None]:
    """Who calls a service, and the ratio to the usual of theirs that stands out most [hour]."""
    who = sorted({d.caller for d in world.dependencies if d.callee == name and d.caller in ratio})
    if not who:
        return "", None
    rows = np.stack([ratio[one] for one in who])
    known = np.where(np.isfinite(rows) & (rows > 0), rows, 1.0)
    most = np.abs(np.log(known)).argmax(axis=0)
    return ", ".join(who), known[most, np.arange(rows.shape[1])]


def _serves(world: World, services: Signals, name: str) -> Values | None:
    """What the replicas that ran served [hour], as the world states it; None where they were not
    counted in the last day. Hours that were not counted are like the one before.
    """
    key = SignalKey("replicas", name)
    if key not in services or name not in world.service_index:
        return None
    count = services.of(key)
    if np.isnan(count[-DAY:]).all():
        return None
    throughput = world.services[world.service_index[name]].replica.throughput_rps
    served: Values = carried(count[None])[0] * throughput
    return served
