"""A plan as one of the policies that are compared on the demand of a world.

It runs whole instances in the plan's places, by the minute, in clouds in which nothing fails and
nothing waits; other policies hold each service in one place, in shares of instances.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np

from models.errors import UnusableData
from models.signals import Signals
from models.world import World
from optimizer.problem import Bools, Floats
from optimizer.rolling.facts import Facts
from optimizer.rolling.horizon import Horizon
from optimizer.rolling.past import Past, hour_of
from optimizer.rolling.play import Cloud, Played, Trace, play
from optimizer.rolling.policies import Rolling
from optimizer.rolling.state import Cause, Hedge
from optimizer.simulate.asked import MINUTE_S, REQUESTS, by_minute, laid_on_minutes
from optimizer.simulate.choosing import WHOLE_FLEET
from optimizer.simulate.cloud import LATE_SHARE
from optimizer.simulate.study import Figures, Of, Study
from optimizer.watch import SILENT, Watch

LEAST_HOURS: Final = 24


def direct_trace(world: World, signals: Signals) -> Trace:
    """What users asked of services themselves, minute by minute, from whole hours on.

    Requests whose origin nobody tells are split as the world's history is, or evenly. Raises
    ``UnusableData`` when there are none.
    """
    series: dict[tuple[str, str], Floats] = {}
    for key, values in zip(signals.keys, signals.values, strict=True):
        if key.signal != REQUESTS or key.callee or key.instance:
            continue
        shares = {key.origin: 1.0} if key.origin else _split(world, key.service)
        for origin, share in shares.items():
            pair = (key.service, origin)
            series[pair] = series.get(pair, 0.0) + share * values
    if not series:
        raise UnusableData("nothing was asked of any service of the world in this time")
    rps, step_s = np.stack([series[pair] for pair in sorted(series)]), signals.step_s
    if step_s > MINUTE_S:
        rps, step_s = laid_on_minutes(rps, step_s // MINUTE_S), MINUTE_S
    late = -int(signals.starts.timestamp()) % 3600
    whole = (rps.shape[1] * step_s - late) // 3600 * 3600
    rps = rps[:, late // step_s : (late + max(whole, 0)) // step_s]
    starts = signals.starts + timedelta(seconds=late)
    return Trace(tuple(sorted(series)), starts, MINUTE_S, by_minute(rps, step_s))


def _split(world: World, service: str) -> dict[str, float]:
    frame = world.history.frame
    own = frame[frame["service"].astype(str) == service]
    means = own.groupby(own["origin"].astype(str))["rps"].sum()
    if means.sum() > 0:
        return {str(origin): float(rps / means.sum()) for origin, rps in means.items()}
    return {origin.name: 1 / len(world.origins) for origin in world.origins}


def with_plan(
    study: Study, world: World, signals: Signals, *, lag_s: int, watch: Watch = SILENT
) -> Study:
    """The study with a horizon that rolls over the same time; before it, all is known.

    ``signals``: what users asked of services themselves. Raises ``UnusableData`` with less than a
    day of it before the figures begin.
    """
    trace = direct_trace(world, signals)
    minute = timedelta(seconds=MINUTE_S)
    first = hour_of(study.starts)
    at, last = (first - trace.starts) // minute, (study.ends - trace.starts) // minute
    if at < LEAST_HOURS * 60:
        raise UnusableData(
            "a plan needs a day of demand before its figures begin\n    → choose a later --from"
        )
    boot_s = max(service.replica.boot_s for service in world.services)
    late_s = -(-int(boot_s + lag_s) // MINUTE_S) * MINUTE_S
    horizon = Horizon(step_s=MINUTE_S, boot_s=late_s, lead_s=min(max(600, late_s), 3600))
    before = trace.rps[:, :at]
    history = Past.of_steps(trace.series, first, MINUTE_S, before).history()
    facts = Facts(replace(world, starts=first, history=history))
    part = replace(trace, starts=first, rps=trace.rps[:, at:last])
    policy = Rolling(horizon, horizon.begin(facts, first, before), part)
    with watch.stage("roll the plan", float(part.steps)) as stage:
        played = play(
            part, lambda _: facts, Cloud(timedelta(seconds=boot_s)), policy,
            lambda _: stage.advance(),
        )  # fmt: skip
    for words in dict.fromkeys(r.what for _, r in played.reasons if r.cause is Cause.FAILED):
        watch.warn(words)
    told = slice((study.starts - first) // minute, None)
    known: Bools = np.array(np.isfinite(part.rps).all(axis=0), np.bool_)
    own = []
    for one in study.held:
        s = world.service_index[one.service]
        figures = _figures(played, s, told, known)
        own.append(Of(WHOLE_FLEET, one.service, _chosen(policy.state.hedge, s), figures))
    return replace(study, found=(*study.found, *own))


def _chosen(hedge: Hedge, service: int) -> str:
    level, target, hold = (of[service] for of in hedge.numbers)
    return f"quantile {level:g}, corrections to {target:.0%}, {hold} min"


def _figures(played: Played, service: int, told: slice, known: Bools) -> Figures:
    """Of one service, from its minutes; a minute that loses more than a share misses. Nothing
    counts in those of which nobody knows the demand.
    """
    asked, lost, usd, started, stopped = (
        of[service, told][known[told]]
        for of in (
            played.asked_rps * MINUTE_S, played.lost_rps * MINUTE_S, played.usd, played.started,
            played.stopped,
        )
    )  # fmt: skip
    return Figures(
        usd=float(usd.sum()),
        asked=float(asked.sum()),
        lost=float(lost.sum()),
        minutes=int(known[told].sum()),
        missed_minutes=int((lost > LATE_SHARE * asked + 1e-9).sum()),
        starts=int(started.sum()),
        stops=int(stopped.sum()),
    )
