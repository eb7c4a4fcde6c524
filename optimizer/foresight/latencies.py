"""Predictions that load breaks the latency objectives of services, and what their curves say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.foreseen import Kind, Prediction
from models.services import Service
from models.signals import SIGNALS, SignalKey, Signals
from models.world import World
from optimizer.foresight.bottlenecks import bottleneck
from optimizer.foresight.curve import Break
from optimizer.foresight.saying import (
    Moment,
    already,
    growth_in_words,
    percent_a_day,
    said,
)

Values = NDArray[np.float64]

LATENCIES: Final = ("latency_p95_ms", "latency_p99_ms", "latency_p50_ms", "latency_mean_ms")
"""What an objective is compared with: the first of these that is measured."""

WRONG_BY: Final = 1.1
"""A stated throughput is wrong when it lies outside the interval by more than this factor."""


BROKEN_OF: Final = (3, 4)
"""An objective is broken now when it was in so many of the last so many steps."""


@dataclass(frozen=True, eq=False)
class CurveFinding:
    """What the curve of a service says of its ``objective_ms``, beside what the world states.

    ``stated_rps``: of a replica; None where load is not told per replica. ``breaks`` None: too
    little was measured. ``says``: one sentence.
    """

    service: str
    signal: str
    objective_ms: float
    stated_rps: float | None
    breaks: Break | None
    wrong: bool
    says: str
    prediction: Prediction | None


def bottlenecks(world: World, services: Signals, moment: Moment) -> tuple[CurveFinding, ...]:
    """One finding for every service with an objective whose load and latency are measured."""
    found = []
    for service in world.services:
        objective = service.replica.service_time_ms
        signal = next((s for s in LATENCIES if SignalKey(s, service.name) in services), None)
        load, unit = load_of(services, service.name)
        if objective <= 0 or signal is None or load is None:
            continue
        latency = services.of(SignalKey(signal, service.name))
        found.append(
            _with_now(_finding(service, signal, load, unit, latency, moment), latency, moment)
        )
    return tuple(found)


def _with_now(one: CurveFinding, latency: Values, moment: Moment) -> CurveFinding:
    """What is broken now is not foreseen, whatever the curve says of it."""
    broken = broken_for(latency, one.objective_ms)
    if not broken:
        return one
    now = moment.made_at
    said_of = f"{SIGNALS[one.signal].in_words} of {one.objective_ms:g} ms: {one.says}"
    told = one.prediction or Prediction(
        Kind.BOTTLENECK, one.service, one.signal, now, now, now, 1.0, (said_of,)
    )
    return replace(one, prediction=already(told, moment, broken))


def broken_for(latency: Values, objective: float) -> int:
    """For how many steps the objective has been broken, up to the last; 0: it holds.

    It is broken while it is in at least ``BROKEN_OF[0]`` of the last ``BROKEN_OF[1]`` steps that
    were measured: one slow hour is none yet.
    """
    least, of = BROKEN_OF
    known = np.flatnonzero(~np.isnan(latency))
    if known.size < of or known[-1] < latency.size - of:
        return 0
    slow = np.cumsum(np.concatenate([[0], latency[known] > objective]))
    broken = slow[of:] - slow[:-of] >= least
    if not broken[-1]:
        return 0
    held = np.flatnonzero(~broken)
    first = int(held[-1]) + 1 if held.size else 0
    inside = known[first : first + of]
    return int(latency.size - inside[latency[inside] > objective][0])


def load_of(services: Signals, name: str) -> tuple[Values | None, str]:
    """Load [step] and its unit: requests per replica, or the share of processors in use where
    replicas are not measured; None where neither is.
    """
    requests, replicas = SignalKey("requests_rps", name), SignalKey("replicas", name)
    if requests in services and replicas in services:
        count = services.of(replicas)
        rate = np.full(count.shape, np.nan)
        np.divide(services.of(requests), count, out=rate, where=count > 0)
        return rate, "rps per replica"
    cpu = SignalKey("cpu_share", name)
    return (services.of(cpu), "of the processors") if cpu in services else (None, "")


def _finding(
    service: Service, signal: str, load: Values, unit: str, latency: Values, moment: Moment
) -> CurveFinding:
    objective = service.replica.service_time_ms
    per_replica = unit.startswith("rps")
    stated = service.replica.throughput_rps if per_replica else None
    seen = bottleneck(
        load, latency, objective, moment.day_steps, moment.week_step, moment.horizon_steps
    )
    if seen.breaks is None or seen.curve is None:
        says = "load or latency vary too little, or too little of them was measured"
        return CurveFinding(service.name, signal, objective, stated, None, False, says, None)
    breaks = seen.breaks
    highest = f"at most {breaks.highest_seen:.3g} {unit} were seen"
    if breaks.high <= 0.0:
        says = "is broken whatever the load"
        return CurveFinding(service.name, signal, objective, stated, breaks, False, says, None)
    if not breaks.known:
        says = f"holds up to {breaks.low:.3g} {unit} at least; {highest}: too far from the knee"
        wrong = stated is not None and stated * WRONG_BY < breaks.low
        return CurveFinding(service.name, signal, objective, stated, breaks, wrong, says, None)
    says = f"breaks at {breaks.load:.3g} {unit} ({breaks.low:.3g} to {breaks.high:.3g}); {highest}"
    wrong = stated is not None and not (breaks.low / WRONG_BY <= stated <= breaks.high * WRONG_BY)
    if wrong:
        says += f"; the world says {stated:.3g}"
    if seen.ahead is None:
        return CurveFinding(service.name, signal, objective, stated, breaks, wrong, says, None)
    words = SIGNALS[signal].in_words
    per_day = float(np.expm1(seen.ahead.growth.rate[0] * moment.day_steps / seen.ahead.block))
    evidence = (
        f"{words} of {objective:g} ms {says}",
        "load " + growth_in_words(seen.ahead, 0, moment, percent_a_day(per_day)),
    )
    prediction = said(Kind.BOTTLENECK, service.name, signal, moment, seen.ahead, 0, evidence)
    return CurveFinding(service.name, signal, objective, stated, breaks, wrong, says, prediction)
