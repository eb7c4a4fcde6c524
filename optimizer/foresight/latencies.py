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
from optimizer.foresight.curve import Break, Curve
from optimizer.foresight.objectives import STATED, Objective, objectives
from optimizer.foresight.saying import (
    Moment,
    already,
    growth_in_words,
    load_words,
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

    ``objective_of``: by which rule the service itself may take that long. ``stated_rps``: what a
    replica serves within ``service_time_ms``; None where load is not told per replica. ``breaks``
    None: too little was measured. ``wrong``: what is stated cannot be. ``says``: one sentence.
    """

    service: str
    signal: str
    objective_ms: float
    objective_of: str
    stated_rps: float | None
    breaks: Break | None
    wrong: bool
    says: str
    prediction: Prediction | None


def bottlenecks(world: World, services: Signals, moment: Moment) -> tuple[CurveFinding, ...]:
    """One finding for every service with an objective whose load and latency are measured."""
    found = []
    every = objectives(world)
    for service in world.services:
        objective = every.get(service.name)
        signal = next((s for s in LATENCIES if SignalKey(s, service.name) in services), None)
        load, unit = load_of(services, service.name)
        if objective is None or signal is None or load is None:
            continue
        latency = services.of(SignalKey(signal, service.name))
        one = _finding(service, objective, signal, load, unit, latency, moment)
        found.append(_with_now(one, latency, moment))
    return tuple(found)


def _with_now(one: CurveFinding, latency: Values, moment: Moment) -> CurveFinding:
    """What is broken now is not foreseen, whatever the curve says of it."""
    broken = broken_for(latency, one.objective_ms)
    if not broken:
        return one
    now = moment.made_at
    said_of = f"{_in_words(one.signal, one.objective_ms, one.objective_of)}: {one.says}"
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
    service: Service,
    objective: Objective,
    signal: str,
    load: Values,
    unit: str,
    latency: Values,
    moment: Moment,
) -> CurveFinding:
    stated = service.replica.throughput_rps if unit.startswith("rps") else None
    seen = bottleneck(
        load, latency, objective.ms, moment.day_steps, moment.week_step, moment.horizon_steps
    )
    breaks = seen.breaks
    wrong, correction = _stated(service, seen.curve, stated)
    prediction = None
    if breaks is None:
        says = "load or latency vary too little, or too little of them was measured"
    elif breaks.high <= 0.0:
        says = "is broken whatever the load"
    elif not breaks.known:
        highest = (
            f"at most {load_words(breaks.highest_seen)} {unit} were seen: too far from the knee"
        )
        says = f"holds up to {load_words(breaks.low)} {unit} at least; {highest}{correction}"
    else:
        highest = f"at most {load_words(breaks.highest_seen)} {unit} were seen"
        interval = f"{load_words(breaks.low)} to {load_words(breaks.high)}"
        says = f"breaks at {load_words(breaks.load)} {unit} ({interval}); {highest}{correction}"
        if seen.ahead is not None:
            per_day = np.expm1(seen.ahead.growth.rate[0] * moment.day_steps / seen.ahead.block)
            grows = growth_in_words(seen.ahead, 0, moment, percent_a_day(float(per_day)))
            evidence = (f"{_in_words(signal, objective.ms, objective.of)} {says}", f"load {grows}")
            prediction = said(
                Kind.BOTTLENECK, service.name, signal, moment, seen.ahead, 0, evidence
            )
    return CurveFinding(
        service.name, signal, objective.ms, objective.of, stated, breaks, wrong, says, prediction
    )


def _in_words(signal: str, objective_ms: float, of: str) -> str:
    words = f"{SIGNALS[signal].in_words} of {objective_ms:g} ms"
    return words if of == STATED else f"{words} ({of})"


def _stated(service: Service, curve: Curve | None, stated: float | None) -> tuple[bool, str]:
    """Whether a replica cannot serve what is ``stated`` just within its service time, and words."""
    own = service.replica.service_time_ms
    if curve is None or stated is None or own <= 0:
        return False, ""
    breaks = curve.breaks(own)
    if breaks.high <= 0.0:
        return False, ""
    wrong = stated * WRONG_BY < breaks.low or (breaks.known and stated > breaks.high * WRONG_BY)
    if not wrong:
        return False, ""
    at = (
        f"about {load_words(breaks.load)}" if breaks.known else f"at least {load_words(breaks.low)}"
    )
    return True, f"; the world says {load_words(stated)} within {own:g} ms, the curve {at}"
