"""What a rolling horizon carries from one step to the next, and what it decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from models.errors import UnusableData
from models.offerings import Purchase
from optimizer import late
from optimizer.problem import Floats, Ints
from optimizer.rolling.facts import GroupKey
from optimizer.rolling.past import HOUR, Past

if TYPE_CHECKING:
    from optimizer.decompose.last import Last

FORMAT = "trimtab rolling horizon 1"


class Cause(StrEnum):
    """Why something changes, or stays although it should change."""

    FIRST = "first"  # there was no plan before
    FORECAST = "forecast"  # demand is expected to be other than it was
    PRICE = "price"
    LOST = "lost"  # a place is gone
    BETTER = "better"  # a look at all offerings found something that pays for its moves
    OBSERVED = "observed"  # more is asked than was planned for
    KEPT = "kept"  # something cheaper does not pay for its moves
    FAILED = "failed"  # no plan was found in time: the former one holds
    REFUSED = "refused"  # a rule leaves no room for what is lacking
    HEDGE = "hedge"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in words; ``service`` is empty where it is about all of them."""

    cause: Cause
    service: str
    what: str


@dataclass(frozen=True, slots=True)
class Cohort:
    """``count`` instances of a group that were started together."""

    key: GroupKey
    started: datetime
    count: int


@dataclass(frozen=True, eq=False)
class Seen:
    """What is there when a step begins: what was asked in the one before, and what runs.

    ``rps`` [series] in the order of the state's past, NaN where nobody knows; None before the
    first step. ``running`` holds instances that boot as well.
    """

    rps: Floats | None
    running: tuple[Cohort, ...]


@dataclass(frozen=True, eq=False)
class Routes:
    """Who is served from where: columns of equal length, shares of an origin's demand.

    ``service``, ``origin`` and ``region`` are indices in the world.
    """

    service: Ints
    origin: Ints
    region: Ints
    share: Floats

    @classmethod
    def nowhere(cls) -> Routes:
        """Nobody is served."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, np.zeros(0))

    def load_rps(self, demand_rps: Floats, regions: int) -> Floats:
        """[service, region] of ``demand_rps`` [service, origin]."""
        services = len(demand_rps)
        flow = self.share * demand_rps[self.service, self.origin]
        cell = self.service * regions + self.region
        flat = np.bincount(cell, flow, services * regions)
        load: Floats = flat.astype(np.float64).reshape(services, regions)
        return load


@dataclass(frozen=True, eq=False)
class Ahead:
    """A plan in force from ``starts`` on, hour by hour.

    ``counts`` [group, hour]; ``usd_per_hour`` [group] as they were when it was made.
    ``route`` [3, row] are indices of service, origin and region, with ``share`` [row, hour].
    ``mean_rps`` [service, origin, hour] is expected, and ``planned_rps`` [service, hour] has
    capacity.
    """

    starts: datetime
    keys: tuple[GroupKey, ...]
    counts: Ints
    usd_per_hour: Floats
    route: Ints
    share: Floats
    mean_rps: Floats
    planned_rps: Floats

    @property
    def hours(self) -> int:
        return int(self.counts.shape[1])

    def hour_at(self, when: datetime) -> int:
        """The plan's hour that holds ``when``; beyond its end, the same hour of its last day."""
        hour = max((when - self.starts) // HOUR, 0)
        if hour < self.hours:
            return hour
        last_day = min(24, self.hours)
        return self.hours - last_day + (hour - self.hours) % last_day

    def counts_at(self, when: datetime) -> Ints:
        """[group]"""
        counts: Ints = self.counts[:, self.hour_at(when)]
        return counts

    def most_until(self, first: datetime, last: datetime) -> Ints:
        """[group]: the most that any hour from ``first`` to ``last`` asks for."""
        most = self.counts_at(first)
        when = first
        while when < last:
            when = min(when + HOUR, last)
            most = np.maximum(most, self.counts_at(when))
        return most

    def routes_at(self, when: datetime) -> Routes:
        share = self.share[:, self.hour_at(when)]
        some = np.flatnonzero(share > 0)
        service, origin, region = self.route[:, some]
        return Routes(service, origin, region, share[some])

    def mean_at(self, when: datetime) -> Floats:
        """Expected demand [service, origin] at an instant: linear between the middles of hours."""
        middle = when - HOUR / 2
        before, after = self.hour_at(middle), self.hour_at(middle + HOUR)
        if middle < self.starts:
            before = after = 0
        weight = ((middle - self.starts) % HOUR) / HOUR
        mean: Floats = (1 - weight) * self.mean_rps[:, :, before] + weight * self.mean_rps[
            :, :, after
        ]
        return mean


@dataclass(frozen=True, eq=False)
class Hedge:
    """Of every service: the ``level`` of the forecast that is planned for, and the ``target`` to
    which corrections fill what runs by the most of the last ``hold`` steps; ``chosen`` when.
    ``why`` [service] in words.
    """

    level: Floats
    target: Floats
    hold: Ints
    chosen: datetime
    why: tuple[str, ...]

    @property
    def numbers(self) -> tuple[Floats | Ints, ...]:
        return self.level, self.target, self.hold


@dataclass(frozen=True, eq=False)
class State:
    """All that the next decision depends on, beside the facts and what is seen.

    ``need_rps`` [service, region, step] is what corrections asked for in the last steps.
    ``foretold_rps`` [service, origin, hour, level] is what was said of the last hours shortly
    before each, until the hour of ``foretold_until``. ``lately`` are the groups that were wanted
    in each of the last 24 hours, ``moved`` [service, hour] the instances started and stopped then.
    ``whole`` is when all offerings were last looked at; ``tried`` the hour that was last planned
    for, whether or not there was a plan, and ``avoided`` the places that were lost by then.
    """

    past: Past
    ahead: Ahead | None
    hedge: Hedge
    need_rps: Floats
    foretold_rps: Floats
    foretold_until: datetime
    lately: tuple[tuple[datetime, Mapping[GroupKey, int]], ...]
    moved: Ints
    whole: datetime | None
    tried: datetime | None
    avoided: frozenset[str]
    last: Last | None = None
    """What a decomposed plan left behind."""

    @property
    def now(self) -> datetime:
        return self.past.now

    def as_bytes(self) -> bytes:
        """A file that ``from_bytes`` reads: arrays, and the rest as JSON; no objects."""
        ahead, past, hedge = self.ahead, self.past, self.hedge
        told = {
            "format": FORMAT,
            "now": past.now.isoformat(),
            "step_s": past.step_s,
            "series": past.series,
            "chosen": hedge.chosen.isoformat(),
            "why": hedge.why,
            "foretold_until": self.foretold_until.isoformat(),
            "whole": _text(self.whole),
            "tried": _text(self.tried),
            "avoided": sorted(self.avoided),
            "lately": [
                [hour.isoformat(), [[*_key_words(key), n] for key, n in groups.items()]]
                for hour, groups in self.lately
            ],
            "starts": None if ahead is None else ahead.starts.isoformat(),
            "keys": [_key_words(key) for key in ahead.keys] if ahead else [],
        }
        arrays = {
            "hourly": past.hourly,
            "steps": past.steps,
            "level": hedge.level,
            "target": hedge.target,
            "hold": hedge.hold,
            "need_rps": self.need_rps,
            "foretold_rps": self.foretold_rps,
            "moved": self.moved,
        }
        if ahead is not None:
            arrays |= {name: getattr(ahead, name) for name in _AHEAD}
        if self.last is not None:
            arrays |= {_LAST + name: array for name, array in self.last.arrays.items()}
        file = BytesIO()
        np.savez_compressed(file, allow_pickle=False, told=np.array(json.dumps(told)), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """Raises ``UnusableData`` when that is no file of ours."""
        try:
            with np.load(BytesIO(data), allow_pickle=False) as arrays:
                told = json.loads(str(arrays["told"]))
                if told["format"] != FORMAT:
                    raise ValueError(f"its format is {told['format']}")
                ahead = None
                if told["starts"]:
                    keys = tuple(_key(words) for words in told["keys"])
                    starts = datetime.fromisoformat(told["starts"])
                    ahead = Ahead(starts, keys, *(arrays[name] for name in _AHEAD))
                return cls(
                    Past(
                        tuple((service, origin) for service, origin in told["series"]),
                        datetime.fromisoformat(told["now"]),
                        int(told["step_s"]),
                        arrays["hourly"],
                        arrays["steps"],
                    ),
                    ahead,
                    Hedge(
                        arrays["level"],
                        arrays["target"],
                        arrays["hold"],
                        datetime.fromisoformat(told["chosen"]),
                        tuple(told["why"]),
                    ),
                    arrays["need_rps"],
                    arrays["foretold_rps"],
                    datetime.fromisoformat(told["foretold_until"]),
                    tuple(
                        (
                            datetime.fromisoformat(hour),
                            {_key(words[:4]): int(words[4]) for words in groups},
                        )
                        for hour, groups in told["lately"]
                    ),
                    arrays["moved"],
                    _when(told["whole"]),
                    _when(told["tried"]),
                    frozenset(told["avoided"]),
                    _last_of({name: arrays[name] for name in arrays.files}),
                )
        except (ValueError, KeyError, TypeError, BadZipFile, EOFError, OSError) as error:
            raise UnusableData(f"this is no state of a rolling horizon: {error}") from error


_LAST = "last_"
_AHEAD = ("counts", "usd_per_hour", "route", "share", "mean_rps", "planned_rps")


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that was made, or tried: ``how`` in a word, and what it took.

    ``usd`` is what the plan costs over its horizon, None where there was none.
    """

    starts: datetime
    how: str
    usd: float | None
    foresee_s: float
    solve_s: float


@dataclass(frozen=True, eq=False)
class Decision:
    """What is to run from ``at`` on, instances that boot included, and who is served from where.

    Everything else is stopped. ``planned``: the plans that were made on the way.
    """

    at: datetime
    wanted: Mapping[GroupKey, int]
    routes: Routes
    reasons: tuple[Reason, ...]
    planned: tuple[Planned, ...] = ()


def _last_of(arrays: dict[str, Any]) -> Last | None:
    found = {name[len(_LAST) :]: of for name, of in arrays.items() if name.startswith(_LAST)}
    return late.decomposition().Last(found) if found else None


def _key_words(key: GroupKey) -> list[str]:
    return [key.service, key.place, key.instance_type, key.purchase.value]


def _key(words: list[str]) -> GroupKey:
    service, place, kind, purchase = words
    return GroupKey(service, place, kind, Purchase(purchase))


def _text(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


DAY = timedelta(hours=24)
