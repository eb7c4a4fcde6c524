"""The simulated cloud looked at replica by replica and request by request's second, plainly."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from optimizer.simulate.cloud import Fate, Machine

HOUR_S = 3600.0
MONTH_S = 730 * HOUR_S


@dataclass
class Instance:
    started: int
    ready: int
    usd_per_hour: float
    spot: bool
    leaves: int | None = None


@dataclass
class Totals:
    asked: float = 0.0
    served: float = 0.0
    lost: float = 0.0
    usd: float = 0.0
    starts: int = 0
    stops: int = 0
    failures: int = 0
    serving: list[int] = field(default_factory=list)
    waiting: float = 0.0


def watched(
    wanted_at: Callable[[int, list[float], list[int], int], int | None],
    first: int,
    rps: Sequence[float],
    machine: Machine,
    drawn: Fate,
) -> Totals:
    """Every second of ``rps`` [second].

    ``wanted_at`` (second, work done and replicas that served in every second before, replicas that
    are to stay) says how many there are to be, or None for as many as before.
    """
    hazards, billing = machine.hazards, machine.billing
    totals = Totals()
    fleet = [Instance(-(10**9), 0, machine.usd_per_hour, machine.spot) for _ in range(first)]
    line: deque[list[float]] = deque()  # [second of arrival, requests]
    want, wear, pool_back, grown = first, 0.0, 0, -(10**9)
    done_before: list[float] = []
    reclaims = list(drawn.reclaims)

    def bill_off(gone: Instance, now: int) -> None:
        life = now - gone.started
        totals.usd += (billing.seconds(life) - life) * gone.usd_per_hour / HOUR_S

    for now, demand in enumerate(rps):
        while reclaims and reclaims[0] <= now:
            reclaims.pop(0)
            pool_back = now + hazards.notice_s + round(HOUR_S * hazards.outage_hours)
            for one in fleet:
                if one.spot and one.leaves is None:
                    one.leaves = now + hazards.notice_s
        for one in [one for one in fleet if one.leaves is not None and one.leaves <= now]:
            bill_off(one, now)
            fleet.remove(one)
        if hazards.failures_per_month and wear >= drawn.lives[totals.failures % 4096]:
            _fail([one for one in fleet if one.ready <= now], drawn, totals.failures, machine, now)
            totals.failures += 1
            wear = 0.0
        staying = [one for one in fleet if one.leaves is None]
        asked_for = wanted_at(now, done_before, totals.serving, len(staying))
        if asked_for is not None:
            most = machine.max_replicas or 10**6
            want = min(max(asked_for, machine.min_replicas), most)
        while len(staying) < want:
            factor = float(drawn.boots[totals.starts % 4096])
            fresh = _begin(machine, now, factor, now < pool_back)
            fleet.append(fresh)
            staying.append(fresh)
            totals.starts += 1
            grown = now
        while len(staying) > want and now - grown >= machine.cooldown_s:
            gone = staying.pop()
            bill_off(gone, now)
            fleet.remove(gone)
            totals.stops += 1
        up_now = sum(one.ready <= now for one in fleet)
        totals.serving.append(up_now)
        wear += hazards.failures_per_month / MONTH_S * up_now
        totals.usd += sum(one.usd_per_hour for one in fleet) / HOUR_S
        totals.asked += demand
        line.append([now, demand])
        served = _serve(line, up_now * machine.serves_rps)
        while line and now - line[0][0] >= machine.patience_s:
            totals.lost += line.popleft()[1]
        totals.served += served
        done_before.append(served)
    totals.waiting = sum(requests for _, requests in line)
    return totals


def _serve(line: deque[list[float]], room: float) -> float:
    """First come first served, as far as there is room; how many were."""
    served = 0.0
    while line and room > 0:
        take = min(room, line[0][1])
        line[0][1] -= take
        room -= take
        served += take
        if line[0][1] <= 0:
            line.popleft()
    return served


def _begin(machine: Machine, now: int, factor: float, pool_out: bool) -> Instance:
    boot = math.ceil(machine.boot_s * factor - 1e-9)
    price = machine.on_demand_usd_per_hour if pool_out and machine.spot else machine.usd_per_hour
    return Instance(now, now + boot, price, machine.spot and not pool_out)


def _fail(up: list[Instance], drawn: Fate, failures: int, machine: Machine, now: int) -> None:
    if up:
        victim = up[int(drawn.victims[failures % 4096] * len(up))]
        victim.ready = now + machine.hazards.restart_s
