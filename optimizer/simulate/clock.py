"""The clock of the simulated cloud: seconds, of which those are skipped in which nothing happens.

At each second, in this order: spot pools are told to go; replicas whose time has come leave; a
replica fails; a decision is made; replicas are started or stopped to follow it. Then the second
passes: requests come, wait and are served. All of it is in ``run``; ``tests/simulate`` holds it
against a clock that looks at every replica in every second.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.simulate.autoscalers import Loop
from optimizer.simulate.waiting import late_share

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIGURES: Final = (
    "told_s", "asked", "served", "lost", "late", "waiting", "paid_s", "serving_s", "usd", "starts",
    "stops", "failures", "reclaims",
)  # fmt: skip
"""Columns of what is told of each minute. ``told_s``: seconds in which demand is known; nothing
else counts in the others. ``waiting``: requests at the minute's end. ``paid_s`` and ``serving_s``:
replica-seconds."""

_TOLD, _ASKED, _SERVED, _LOST, _LATE, _WAITING, _PAID, _SERVING, _USD = range(9)
_STARTS, _STOPS, _FAILURES, _RECLAIMS = range(9, 13)
_STARTED, _READY, _GONE, _SPOT = range(4)  # rows of ``who`` [row, replica], oldest first
_NEVER: Final = 1 << 60
_LONG_S: Final = 10**9
# Where the clock stands, whole numbers: the second; replicas, those that are to go, and those that
# serve; how many were started, have failed, and pools told to go so far; how many are wanted, and
# when that is decided next; when a pool is back, growth was last, and somebody began to wait.
_NOW, _N, _DOOMED, _ON, _BEGUN, _FAILED, _TOLD_TO_GO, _WANT, _DECISION, _DECIDE_AT = range(10)
_POOL_BACK, _GROWN_AT, _SINCE = range(10, 13)
# and what is not whole: running since the last failure, and requests that wait.
_WEAR, _BACKLOG = range(2)


class Terms(NamedTuple):
    """Of ``Machine``, what the clock needs."""

    serves_rps: float
    boot_s: float
    slots: int
    usd_per_s: float
    on_demand_usd_per_s: float
    spot: int
    granularity_s: int
    minimum_s: int
    min_replicas: int
    max_replicas: int
    cooldown_s: int
    patience_s: int
    wait_s: float
    variability: float
    knee: float
    failures_per_s: float
    restart_s: int
    notice_s: int
    outage_s: int


@compiled
def _leave(who: Ints, n: int, i: int, now: int, terms: Terms) -> float:
    """Replica ``i`` leaves: what is paid beyond the seconds that it ran, USD."""
    life = now - who[_STARTED, i]
    paid = max(terms.minimum_s, -(-life // terms.granularity_s) * terms.granularity_s)
    price = terms.usd_per_s if who[_SPOT, i] == terms.spot else terms.on_demand_usd_per_s
    for row in range(4):
        for j in range(i, n - 1):
            who[row, j] = who[row, j + 1]
    return float((paid - life) * price)


@compiled
def _start(who: Ints, n: int, now: int, factor: float, pool_out: bool, terms: Terms) -> None:
    boot = int(np.ceil(terms.boot_s * factor - 1e-9))
    who[_STARTED, n] = now
    who[_READY, n] = now + boot
    who[_GONE, n] = _NEVER
    who[_SPOT, n] = terms.spot if not pool_out else 0


@compiled
def _fail(who: Ints, n: int, now: int, at: float, restart_s: int) -> None:
    """One of those that serve stops serving for a while."""
    serving = 0
    for i in range(n):
        serving += who[_READY, i] <= now
    victim = int(at * serving)
    for i in range(n):
        if who[_READY, i] <= now:
            if victim == 0:
                who[_READY, i] = now + restart_s
                return
            victim -= 1


@compiled
def _hpa(busy: float, serving: int, replicas: int, loop: Loop) -> int:
    """What the horizontal autoscaler recommends; ``busy``: replicas' worth of work done."""
    if serving == 0:
        return replicas
    quotient = busy / serving / loop.target
    idle = replicas - serving
    if quotient <= 1.0 or idle <= 0:
        if abs(quotient - 1.0) <= loop.tolerance + 1e-9:
            return replicas
        return int(np.ceil(quotient * serving - 1e-9))
    with_idle = busy / replicas / loop.target
    if abs(with_idle - 1.0) <= loop.tolerance + 1e-9 or with_idle < 1.0:
        return replicas
    return max(int(np.ceil(with_idle * replicas - 1e-9)), replicas)


@compiled
def _recommend(
    busy: float, serving: int, now_serving: int, replicas: int, said: Ints, loop: Loop
) -> int:
    """The next number of replicas; ``said`` is what the loop remembers."""
    if loop.kind == 1:
        wanted = _hpa(busy, serving, replicas, loop)
        for i in range(said.size - 1, 0, -1):
            said[i] = said[i - 1]
        said[0] = wanted
        if wanted < replicas:
            return min(replicas, int(said.max()))
        return min(wanted, max(int(loop.most_times * replicas), replicas + loop.most_more))
    load = busy / serving if serving > 0 else 1.0
    said[0] = said[0] + 1 if load > loop.target else 0
    said[1] = said[1] + 1 if load < loop.low_share * loop.target else 0
    need = int(np.ceil(busy / loop.target - 1e-9))
    if said[0] >= loop.high_times:
        return max(replicas, need)
    if said[1] >= loop.low_times and now_serving == replicas:
        return min(replicas, need)
    return replicas


@compiled
def _queue(
    rps: float, capacity: float, seconds: int, backlog: float, since: int, now: int, came: Floats,
    patience: int,
) -> tuple[float, float, float, int]:  # fmt: skip
    """Served, lost and waiting after ``seconds``, first come first served, and since when some
    have been waiting (-1: none are).

    ``came`` is a ring of how many had come by the end of each second, since somebody waits.
    """
    asked = rps * seconds
    if backlog <= 0.0 and (rps <= capacity or patience == 0):
        served = min(asked, capacity * seconds)
        return served, asked - served, 0.0, -1
    # One second: callers go no further while somebody waits.
    if since < 0:
        since = now
        came[(now - 1) % came.size] = 0.0
    before = came[(now - 1) % came.size]
    came[now % came.size] = before + asked
    served = min(backlog + asked, capacity)
    left = backlog + asked - served
    lost = 0.0
    if now - patience >= since:  # else even those who came first still wait
        done = before + asked - left
        lost = min(max(came[(now - patience) % came.size] - done, 0.0), left)
        left -= lost
    if left <= 1e-9 * (1.0 + capacity):
        return served + left, lost, 0.0, -1
    return served, lost, left, since


@compiled
def _strike(
    at: Ints, of: Floats, who: Ints, row: Floats, terms: Terms, lives: Floats, victims: Floats,
    reclaims: Ints, counts: float,
) -> None:  # fmt: skip
    """Pools are told to go, replicas leave, a replica fails."""
    now = at[_NOW]
    while at[_TOLD_TO_GO] < reclaims.size and reclaims[at[_TOLD_TO_GO]] <= now:
        at[_TOLD_TO_GO] += 1
        row[_RECLAIMS] += counts
        at[_POOL_BACK] = now + terms.notice_s + terms.outage_s
        for i in range(at[_N]):
            if who[_SPOT, i] == 1 and who[_GONE, i] == _NEVER:
                who[_GONE, i] = now + terms.notice_s
                at[_DOOMED] += 1
    if at[_DOOMED] > 0:
        for i in range(at[_N] - 1, -1, -1):
            if who[_GONE, i] <= now:
                row[_USD] += counts * _leave(who, at[_N], i, now, terms)
                at[_N] -= 1
                at[_DOOMED] -= 1
    if terms.failures_per_s > 0.0 and of[_WEAR] >= lives[at[_FAILED] % lives.size]:
        _fail(who, at[_N], now, victims[at[_FAILED] % victims.size], terms.restart_s)
        of[_WEAR] = 0.0
        at[_FAILED] += 1
        row[_FAILURES] += counts


@compiled
def _decide(
    at: Ints, wanted: Ints, loop: Loop, terms: Terms, work: Floats, full: Floats, said: Ints
) -> None:
    """A decision, when it is time; ``work`` and ``full`` [interval]: requests served and seconds of
    replicas that served since the last decisions, newest first.
    """
    if at[_NOW] < at[_DECIDE_AT]:
        return
    if loop.kind == 0:
        at[_WANT] = wanted[min(at[_DECISION], wanted.size - 1)]
    elif full[-1] > 0.0:
        busy = work[-1] / terms.serves_rps / loop.every_s
        serving = int(np.round(full[-1] / loop.every_s))
        at[_WANT] = _recommend(busy, serving, at[_ON], at[_N] - at[_DOOMED], said, loop)
    at[_WANT] = min(max(at[_WANT], terms.min_replicas), terms.max_replicas)
    at[_DECISION] += 1
    at[_DECIDE_AT] += loop.every_s
    for i in range(work.size - 1, 0, -1):
        work[i], full[i] = work[i - 1], full[i - 1]
    work[0], full[0] = 0.0, 0.0


@compiled
def _follow(at: Ints, who: Ints, row: Floats, terms: Terms, boots: Floats, counts: float) -> None:
    """Start or stop replicas, the youngest first, until there are as many as are wanted."""
    now = at[_NOW]
    while at[_N] - at[_DOOMED] < at[_WANT] and at[_N] < who.shape[1]:
        pool_out = now < at[_POOL_BACK]
        _start(who, at[_N], now, boots[at[_BEGUN] % boots.size], pool_out, terms)
        at[_ON] += who[_READY, at[_N]] <= now
        at[_BEGUN] += 1
        at[_N] += 1
        at[_GROWN_AT] = now
        row[_STARTS] += counts
    if at[_N] - at[_DOOMED] <= at[_WANT] or now - at[_GROWN_AT] < terms.cooldown_s:
        return
    for i in range(at[_N] - 1, -1, -1):
        if at[_N] - at[_DOOMED] > at[_WANT] and who[_GONE, i] == _NEVER:
            at[_ON] -= who[_READY, i] <= now
            row[_USD] += counts * _leave(who, at[_N], i, now, terms)
            at[_N] -= 1
            row[_STOPS] += counts


@compiled
def _until(
    at: Ints, of: Floats, who: Ints, terms: Terms, lives: Floats, reclaims: Ints, last: int
) -> int:
    """The next second, up to ``last``, in which anything may happen."""
    now = at[_NOW]
    until = min(last, int(at[_DECIDE_AT]))
    if at[_TOLD_TO_GO] < reclaims.size:
        until = min(until, int(reclaims[at[_TOLD_TO_GO]]))
    for i in range(at[_N]):
        until = min(until, int(who[_GONE, i]))
        if who[_READY, i] > now:
            until = min(until, int(who[_READY, i]))
    if at[_N] - at[_DOOMED] > at[_WANT]:
        until = min(until, int(at[_GROWN_AT]) + terms.cooldown_s)
    wears = terms.failures_per_s * at[_ON]
    if wears > 0.0:
        left = (lives[at[_FAILED] % lives.size] - of[_WEAR]) / wears
        until = min(until, now + int(min(np.ceil(left), 1e15)))
    return int(max(until, now + 1))


@compiled
def _pass(
    at: Ints, of: Floats, who: Ints, row: Floats, terms: Terms, demand: float, until: int,
    came: Floats, counts: float,
) -> float:  # fmt: skip
    """Time passes until ``until``, or for a second where requests wait; how many were served."""
    now, n, serving = at[_NOW], at[_N], at[_ON]
    capacity = serving * terms.serves_rps
    backlog = of[_BACKLOG]
    one = backlog > 0.0 or (demand > capacity and terms.patience_s > 0)
    seconds = 1 if one else until - now
    served, lost, of[_BACKLOG], at[_SINCE] = _queue(
        demand, capacity, seconds, backlog, at[_SINCE], now, came, terms.patience_s
    )
    late = 1.0
    if serving > 0 and backlog <= terms.wait_s * capacity:
        late = late_share(
            terms.knee * demand / capacity, float(serving * terms.slots),
            terms.knee * terms.slots / terms.serves_rps, terms.wait_s, terms.variability,
        )  # fmt: skip
    of[_WEAR] += terms.failures_per_s * serving * seconds
    cheap = 0
    for i in range(n):
        cheap += who[_SPOT, i] == terms.spot
    usd = cheap * terms.usd_per_s + (n - cheap) * terms.on_demand_usd_per_s
    row[_TOLD] += counts * seconds
    row[_ASKED] += demand * seconds
    row[_SERVED] += served
    row[_LOST] += lost
    row[_LATE] += late * served
    row[_WAITING] = of[_BACKLOG]
    row[_PAID] += counts * n * seconds
    row[_SERVING] += counts * serving * seconds
    row[_USD] += counts * usd * seconds
    at[_NOW] += seconds
    return served


@compiled
def run(
    rps: Floats, step_s: int, wanted: Ints, loop: Loop, terms: Terms, boots: Floats, lives: Floats,
    victims: Floats, reclaims: Ints,
) -> Floats:  # fmt: skip
    """Figures of every minute [minute, ``FIGURES``] under demand ``rps`` [step of ``step_s``].

    ``wanted`` [decision] is followed, the i-th from second i · every_s + lag_s on, when that is the
    loop's kind; else its first is where the loop starts. Before the first second, so many had been
    running for long.
    """
    ends = rps.size * step_s
    told = np.zeros((-(-ends // 60), 13))
    who = np.zeros((4, 2 * terms.max_replicas + 2), np.int64)
    at, of = np.zeros(13, np.int64), np.zeros(2)
    first = min(max(wanted[0], terms.min_replicas), terms.max_replicas)
    at[_N] = at[_WANT] = first
    at[_DECIDE_AT] = loop.lag_s if loop.kind == 0 else loop.every_s
    at[_GROWN_AT] = -_LONG_S
    at[_SINCE] = -1
    for i in range(first):
        who[_STARTED, i], who[_GONE, i], who[_SPOT, i] = -_LONG_S, _NEVER, terms.spot
    came = np.zeros(terms.patience_s + 2)
    lagging = -(-loop.lag_s // loop.every_s) + 1
    work, full = np.zeros(lagging), np.zeros(lagging)
    said = np.full(max(2, loop.stabilisation_s // loop.every_s + 1), first, np.int64)
    if loop.kind != 1:
        said[:] = 0
    while at[_NOW] < ends:
        now = at[_NOW]
        row = told[now // 60]
        known = not np.isnan(rps[now // step_s])
        demand = rps[now // step_s] if known else 0.0
        counts = 1.0 if known else 0.0
        _strike(at, of, who, row, terms, lives, victims, reclaims, counts)
        serving = 0
        for i in range(at[_N]):
            serving += who[_READY, i] <= now
        at[_ON] = serving
        _decide(at, wanted, loop, terms, work, full, said)
        _follow(at, who, row, terms, boots, counts)
        last = min((now // step_s + 1) * step_s, (now // 60 + 1) * 60, ends)
        until = _until(at, of, who, terms, lives, reclaims, last)
        work[0] += _pass(at, of, who, row, terms, demand, until, came, counts)
        full[0] += at[_ON] * (at[_NOW] - now)
    return told
