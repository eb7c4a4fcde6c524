"""Policies by name, and the parameters that would have done best so far.

Parameters that nobody gives are chosen on the earlier part of demand, for a ``Goal``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.errors import NOWHERE, Fault, FaultyInput
from optimizer.simulate.autoscalers import Hpa, Tracking
from optimizer.simulate.cloud import NO_MINIMUM, Fate, Machine
from optimizer.simulate.hedged import Hedged, outlook
from optimizer.simulate.play import Played, follow, react
from optimizer.simulate.policies import Foresight, Reactive, Static, Yesterday, enough
from optimizer.simulate.replay import Replayed, Replica, replay
from optimizer.simulate.scheduled import schedule
from scenarios.faults import nearest

_Key = TypeVar("_Key")

DAY_MINUTES: Final = 1440
TARGETS: Final = tuple(round(0.5 + 0.02 * i, 2) for i in range(26))
STABILISATIONS: Final = (1, 2, 3, 5, 7, 10, 15)
LOOP_TARGETS: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
WORTHS: Final = (3.0, 5.0, 8.0, 15.0, 30.0, 60.0, 150.0, 400.0, 1e3, 3e3, 1e4, 3e4)
GUARDS: Final = (0.0, 0.8, 0.9, 1.0)
POWERS: Final = (0.5, 1.0)
HEADROOMS: Final = (1.0, 1.1, 1.2, 1.35, 1.5, 2.0)
QUANTILES: Final = (0.5, 0.8, 0.9, 0.95, 0.99, 1.0)
LEAST_GRANTED: Final = 1e-9
MOST_WORTH: Final = 0.5
"""On public traces the least that gives up no share that can be kept there."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A policy as somebody names it: ``reactive:0.7:5m`` has the kind and two parameters."""

    text: str
    kind: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """What parameters came to: replica-minutes ``paid`` and ``undone``, what was lost by what
    replicas could have done, and the share of requests that was lost.
    """

    paid: float
    undone: float
    unserved_share: float


@dataclass(frozen=True, slots=True)
class Goal:
    """The cheapest that leaves no more than the share ``granted`` unserved, unless that costs more
    than it is worth: requests that are let go count as at most ``MOST_WORTH`` of the rent of all
    work, were all of the share let go. A share of little demand, which strays more, may cost any
    price, and what is chosen at that price would be paid when demand has grown.

    With ``worth``: the least of what is paid and ``worth`` times what is left undone.
    """

    granted: float
    worth: float | None = None

    def best(self, tried: Mapping[_Key, Tried]) -> _Key:
        """The first one of equals."""
        worth = MOST_WORTH / max(self.granted, LEAST_GRANTED) if self.worth is None else self.worth
        pays = min(tried, key=lambda key: (tried[key].paid + worth * tried[key].undone,
                                           tried[key].paid))  # fmt: skip
        if self.worth is not None or tried[pays].unserved_share > self.granted:
            return pays
        kept = [key for key, one in tried.items() if one.unserved_share <= self.granted]
        return min(kept, key=lambda key: tried[key].paid)


@dataclass(frozen=True, eq=False)
class Case:
    """One service: minutes of ``demand`` and the highest of each, until ``known`` for choosing.

    ``rps`` [step] is what the clock plays.
    """

    starts: datetime
    demand: NDArray[np.float64]
    highest: NDArray[np.float64]
    rps: NDArray[np.float64]
    step_s: int
    known: int
    machine: Machine
    drawn: Fate
    lag_s: int
    goal: Goal

    @property
    def replica(self) -> Replica:
        """As policies see it, in whole minutes: from a decision until it serves."""
        late_s = self.machine.boot_s + self.lag_s
        return Replica(self.machine.serves_rps, int(-(-late_s // 60)))

    @property
    def before(self) -> NDArray[np.float64]:
        """Demand of the part that parameters are chosen on."""
        return self.demand[: self.known]

    def follow(self, wanted: NDArray[np.int64], lag_s: int) -> Played:
        return follow(wanted, 60, self.rps, self.step_s, self.machine, self.drawn, lag_s)

    def best(self, tried: Mapping[_Key, NDArray[np.int64]]) -> _Key:
        """Of numbers of replicas, wanted minute by minute, by steps of a minute."""
        least = self.machine.min_replicas
        most = self.machine.max_replicas or np.iinfo(np.int64).max
        replica, part = self.replica, slice(0, self.known)
        played = {
            key: replay(np.clip(wanted, least, most), self.demand, replica)
            for key, wanted in tried.items()
        }
        return self.goal.best({key: _tried(one, part, replica) for key, one in played.items()})


def _tried(played: Replayed, part: slice, replica: Replica) -> Tried:
    undone = float(np.nansum(played.unserved[part])) / replica.serves
    return Tried(played.cost(part), undone, played.unserved_share(part))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a policy, and its parameters in words."""

    played: Played
    chosen: str


def _ours(case: Case, values: tuple[float, ...]) -> Outcome:
    """Every worth, power and guard; given: the worth."""
    replica = case.replica
    worths = values[:1] or WORTHS
    guards = {g: Reactive(g).wanted(case.demand, replica) if g else None for g in GUARDS}
    tried: dict[tuple[float, float, float], NDArray[np.int64]] = {}
    for power in POWERS:
        seen = outlook(case.demand, replica, DAY_MINUTES, power)
        for worth in worths:
            bare = Hedged(worth, DAY_MINUTES, power).decided(seen, replica)
            for guard, least in guards.items():
                wanted = bare if least is None else np.maximum(bare, least)
                tried[worth, power, guard] = wanted
    worth, power, guard = best = case.best(tried)
    said = f"worth {worth:g}, power {power:g}" + (f", guard {guard:.0%}" if guard else "")
    return Outcome(case.follow(tried[best], case.lag_s), said)


def _reactive(case: Case, values: tuple[float, ...]) -> Outcome:
    targets = values[:1] or TARGETS
    windows = tuple(max(1, round(v / 60)) for v in values[1:2]) or (
        (5,) if values else STABILISATIONS
    )
    tried = {
        (target, steps): Reactive(target, steps).wanted(case.demand, case.replica)
        for target in targets
        for steps in windows
    }
    target, steps = best = case.best(tried)
    return Outcome(case.follow(tried[best], case.lag_s), f"target {target:.0%}, {steps} min")


def _yesterday(case: Case, values: tuple[float, ...]) -> Outcome:
    tried = {
        room: Yesterday(DAY_MINUTES, 60, room).wanted(case.demand, case.replica)
        for room in values[:1] or HEADROOMS
    }
    room = case.best(tried)
    return Outcome(case.follow(tried[room], case.lag_s), f"yesterday × {room:g}")


def _scheduled(case: Case, values: tuple[float, ...]) -> Outcome:
    plans = {
        q: schedule(case.before, case.starts, case.replica, q) for q in values[:1] or QUANTILES
    }
    tried = {q: plan.wanted(case.demand, case.replica) for q, plan in plans.items()}
    quantile = case.best(tried)
    return Outcome(case.follow(tried[quantile], 0), f"quantile {quantile:g} of each hour")


def _static(case: Case, values: tuple[float, ...]) -> Outcome:
    if values:
        count = round(values[0])
    else:
        known = case.before[~np.isnan(case.before)]
        count = int(enough(known.max(initial=0.0, keepdims=True), case.replica)[0])
    count = max(count, case.machine.min_replicas)
    wanted = Static(count).wanted(case.demand, case.replica)
    return Outcome(case.follow(wanted, 0), f"{count:,} always")


def _foresight(case: Case, values: tuple[float, ...]) -> Outcome:
    """Knows what is coming, pays for no boots, and nothing fails: a bound, not a policy."""
    minutes = max(1, round((values or (60.0,))[0] / 60))
    wanted = Foresight(minutes).wanted(case.highest, case.replica)
    return Outcome(perfect(case, wanted), f"every {minutes} min")


def perfect(case: Case, wanted: NDArray[np.int64]) -> Played:
    """``wanted`` in a cloud where replicas serve at once, never fail, and bill by the second."""
    machine = case.machine
    ideal = Machine(
        machine.serves_rps, 0.0, machine.usd_per_hour, machine.slots,
        min_replicas=machine.min_replicas, max_replicas=machine.max_replicas,
        patience_s=machine.patience_s, wait_s=machine.wait_s, variability=machine.variability,
        knee=machine.knee, billing=NO_MINIMUM,
    )  # fmt: skip
    calm = Fate(case.drawn.boots, case.drawn.lives, case.drawn.victims, case.drawn.reclaims[:0])
    return follow(wanted, 60, case.rps, case.step_s, ideal, calm)


def _hpa(case: Case, values: tuple[float, ...]) -> Outcome:
    window = round(values[1]) if len(values) > 1 else 300
    return _loop(case, {t: Hpa(t, window, lag_s=case.lag_s) for t in values[:1] or LOOP_TARGETS})


def _tracking(case: Case, values: tuple[float, ...]) -> Outcome:
    return _loop(case, {t: Tracking(t, lag_s=case.lag_s) for t in values[:1] or LOOP_TARGETS})


def _loop(case: Case, loops: Mapping[float, Hpa | Tracking]) -> Outcome:
    played = {
        target: react(loop, case.rps, case.step_s, case.machine, case.drawn)
        for target, loop in loops.items()
    }
    part = slice(0, case.known)
    price, work = case.machine.usd_per_hour / 60, 60 * case.machine.serves_rps
    told = {
        target: Tried(
            one.sum("usd", part) / price, one.sum("lost", part) / work, one.unserved_share(part)
        )
        for target, one in played.items()
    }
    target = case.goal.best(told)
    return Outcome(played[target], f"target {target:.0%}")


@dataclass(frozen=True, slots=True)
class _Kind:
    """``takes``: what each parameter is; ``share`` above 0 and up to 1, ``time`` as 5m or 1h,
    ``number`` above 0.
    """

    play: Callable[[Case, tuple[float, ...]], Outcome]
    takes: tuple[str, ...]
    in_words: str


KINDS: Final[Mapping[str, _Kind]] = {
    "ours": _Kind(_ours, ("number",), "ours:WORTH"),
    "reactive": _Kind(_reactive, ("share", "time"), "reactive:TARGET:STABILISATION"),
    "hpa": _Kind(_hpa, ("share", "time"), "hpa:TARGET:STABILISATION"),
    "tracking": _Kind(_tracking, ("share",), "tracking:TARGET"),
    "static": _Kind(_static, ("number",), "static:REPLICAS"),
    "scheduled": _Kind(_scheduled, ("share",), "scheduled:QUANTILE"),
    "yesterday": _Kind(_yesterday, ("number",), "yesterday:FACTOR"),
    "foresight": _Kind(_foresight, ("time",), "foresight:1m or foresight:1h"),
}
"""Policies by name."""

WHOLE_FLEET: Final = "plan"
"""A policy for all services at once; whoever plays services one by one leaves it out."""

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


def read_specs(text: str) -> tuple[Spec, ...]:
    """``ours,reactive:0.7:5m,static``; raises ``FaultyInput`` with all that is wrong."""
    faults: list[Fault] = []
    found: dict[str, Spec] = {}
    for part in (one.strip() for one in text.split(",")):
        kind, *given = part.split(":")
        if part == WHOLE_FLEET:
            found[part] = Spec(part, kind, ())
            continue
        if kind not in KINDS:
            near = nearest(kind, [*KINDS, WHOLE_FLEET])
            faults.append(Fault(NOWHERE, f"unknown policy {part!r}", near))
            continue
        takes = KINDS[kind].takes
        values = [_value(one, what) for one, what in zip(given, takes, strict=False)]
        if len(given) > len(takes) or None in values:
            hint = f"write {kind}, or {KINDS[kind].in_words}, such as {_EXAMPLES[kind]}"
            faults.append(Fault(NOWHERE, f"the policy {part!r} cannot be understood", hint))
            continue
        found[part] = Spec(part, kind, tuple(v for v in values if v is not None))
    if faults:
        raise FaultyInput(faults)
    return tuple(found.values())


_EXAMPLES: Final = {
    "ours": "ours:50", "reactive": "reactive:0.7:5m", "hpa": "hpa:0.6", "tracking": "tracking:0.6",
    "static": "static:12", "scheduled": "scheduled:0.95", "yesterday": "yesterday:1.1",
    "foresight": "foresight:1h",
}  # fmt: skip


def _value(text: str, what: str) -> float | None:
    unit = 1.0
    if what == "time":
        if text[-1:] not in _UNITS:
            return None
        text, unit = text[:-1], _UNITS[text[-1]]
    try:
        value = float(text) * unit
    except ValueError:
        return None
    most = 1.0 if what == "share" else 86_400.0 if what == "time" else 1e9
    return value if 0 < value <= most else None


def play(spec: Spec, case: Case) -> Outcome:
    """What comes of a policy for one service."""
    return KINDS[spec.kind].play(case, spec.values)
