"""The calls between services as telemetry saw them, and what a world says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.services import Dependency, call_order
from models.signals import SignalKey, Signals

ENOUGH_REQUESTS: Final = 100
"""Below, nothing is said of how often a service calls another."""
FAR_OFF: Final = 3.0  # standard errors
LEAST_OFF: Final = 0.05  # share of what the world says


@dataclass(frozen=True, slots=True)
class SeenCall:
    """An edge as it was. ``per_request``: calls per request of the caller, NaN when it served none;
    ``per_request_error`` is its standard error. ``p95_ms`` is the median over steps, NaN without
    any. ``requests``: what the caller served in the steps that tell of calls.
    """

    caller: str
    callee: str
    calls: float
    requests: float
    rps: float
    error_share: float
    p95_ms: float
    per_request: float
    per_request_error: float


class Verdict(StrEnum):
    """What telemetry says of a dependency of the world."""

    AS_STATED = "as stated"
    OFF = "another number of calls"
    NEVER_SEEN = "never seen"
    UNKNOWN = "too little seen"
    MISSING = "missing in the world"
    OUTSIDE = "not of the world"


@dataclass(frozen=True, slots=True)
class Compared:
    """A dependency that is stated, seen, or both."""

    verdict: Verdict
    caller: str
    callee: str
    stated: float | None
    seen: SeenCall | None


def seen_calls(signals: Signals) -> tuple[SeenCall, ...]:
    """Every edge with at least one call, by caller and callee."""
    edges = sorted({(key.service, key.callee) for key in signals.keys if key.callee})
    rows = {key: row for key, row in zip(signals.keys, signals.values, strict=True)
            if not key.origin and not key.instance}  # fmt: skip
    seen = (_seen(caller, callee, rows, signals.step_s) for caller, callee in edges)
    return tuple(one for one in seen if one.calls > 0)


def _seen(
    caller: str, callee: str, rows: dict[SignalKey, NDArray[np.float64]], step_s: int
) -> SeenCall:
    calls = rows[SignalKey("requests_rps", caller, callee=callee)] * step_s
    known = ~np.isnan(calls)
    nothing = np.full(len(calls), np.nan)
    errors = rows.get(SignalKey("errors_rps", caller, callee=callee), nothing) * step_s
    served = rows.get(SignalKey("requests_rps", caller), nothing) * step_s
    latency = rows.get(SignalKey("latency_p95_ms", caller, callee=callee), nothing)
    total = float(calls[known].sum())
    both = known & ~np.isnan(served)
    ratio, error = ratio_of(calls[both], served[both])
    timed = latency[~np.isnan(latency)]
    return SeenCall(
        caller, callee, total, float(served[both].sum()),
        total / (step_s * max(int(known.sum()), 1)),
        float(np.nansum(errors)) / total if total else 0.0,
        float(np.median(timed)) if len(timed) else np.nan,
        ratio, error,
    )  # fmt: skip


def ratio_of(calls: NDArray[np.float64], requests: NDArray[np.float64]) -> tuple[float, float]:
    """Σ calls / Σ requests with its standard error, both NaN without requests.

    The error is that of a ratio estimator (Cochran, "Sampling Techniques", 3rd ed., 6.4): from
    what steps deviate from the ratio, so that calls that come in bursts make it larger. Never
    less than that of a Poisson count.
    """
    total = float(requests.sum())
    if total <= 0:
        return np.nan, np.nan
    ratio, steps = float(calls.sum()) / total, len(calls)
    off = calls - ratio * requests
    spread = steps / (steps - 1) * float((off**2).sum()) if steps > 1 else 0.0
    return ratio, float(np.sqrt(max(spread, calls.sum(), 1.0))) / total


def compared(
    seen: Sequence[SeenCall], stated: Iterable[Dependency], services: Iterable[str],
    served: dict[str, float],
) -> tuple[Compared, ...]:  # fmt: skip
    """Every dependency that a world states, and every call that was seen, by caller and callee.

    ``served``: requests of every service in all. Calls of a service to itself are left out: a
    world knows none.
    """
    known = set(services)
    by_edge = {(one.caller, one.callee): one for one in seen if one.caller != one.callee}
    wanted = {(one.caller, one.callee): one.calls_per_request for one in stated}
    made = []
    for edge in sorted({*by_edge, *wanted}):
        one, per_request = by_edge.get(edge), wanted.get(edge)
        if per_request is not None:
            verdict = _judged(one, per_request, served.get(edge[0], 0.0))
        else:
            verdict = Verdict.MISSING if known.issuperset(edge) else Verdict.OUTSIDE
        made.append(Compared(verdict, *edge, per_request, one))
    return tuple(made)


def _judged(seen: SeenCall | None, stated: float, served: float) -> Verdict:
    if seen is None:
        return Verdict.NEVER_SEEN if served * min(stated, 1) >= ENOUGH_REQUESTS else Verdict.UNKNOWN
    if seen.requests < ENOUGH_REQUESTS:
        return Verdict.UNKNOWN
    off = abs(seen.per_request - stated)
    far = off > FAR_OFF * seen.per_request_error and off > LEAST_OFF * stated
    return Verdict.OFF if far else Verdict.AS_STATED


def requests_served(signals: Signals) -> dict[str, float]:
    """Requests of every service in all that is known."""
    return {
        key.service: float(np.nansum(row)) * signals.step_s
        for key, row in zip(signals.keys, signals.values, strict=True)
        if key == SignalKey("requests_rps", key.service)
    }


def dependencies_seen(
    seen: Sequence[SeenCall], stated: Iterable[Dependency] = (), services: Iterable[str] = ()
) -> tuple[Dependency, ...]:
    """What a world may say of calls: those seen, with the sizes that it states already.

    With ``services``, between these only. Calls to oneself, and of services that served too few
    requests to tell, are left out.
    """
    only, sizes = set(services), {(one.caller, one.callee): one for one in stated}
    made = []
    for one in seen:
        of_world = not only or only.issuperset((one.caller, one.callee))
        if one.caller == one.callee or one.requests < ENOUGH_REQUESTS or not of_world:
            continue
        size = sizes.get((one.caller, one.callee), Dependency(one.caller, one.callee, 1))
        made.append(
            Dependency(
                one.caller, one.callee, float(f"{one.per_request:.3g}"),
                size.request_kib, size.response_kib,
            )
        )  # fmt: skip
    return tuple(made)


def circle_in(dependencies: Iterable[Dependency]) -> str:
    """Services that call each other in a circle, which no world may; empty without one."""
    calls: dict[str, tuple[str, ...]] = {}
    for one in dependencies:
        calls[one.caller] = (*calls.get(one.caller, ()), one.callee)
    try:
        call_order(calls)
    except ValueError as error:
        return str(error)
    return ""
