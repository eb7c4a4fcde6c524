"""Several policies for the services of a world, played in the same cloud and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.errors import UnusableData
from models.world import World
from optimizer.simulate.asked import Asked, by_minute
from optimizer.simulate.choosing import Case, Goal, Spec, play, read_specs
from optimizer.simulate.cloud import fate
from optimizer.simulate.machines import AS_WORLD, Bought, Price, Settings, bought
from optimizer.simulate.play import Played
from optimizer.watch import SILENT, Watch

BOUND: Final = "foresight:1m"


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a policy over some time; sums over services are sums of all."""

    usd: float = 0.0
    asked: float = 0.0
    lost: float = 0.0
    minutes: int = 0
    missed_minutes: int = 0
    starts: int = 0
    stops: int = 0
    failures: int = 0
    interruptions: int = 0
    survived: int = 0

    @classmethod
    def of(cls, played: Played, minutes: slice) -> Figures:
        """``minutes`` counts those in which demand is known, and those that missed, all of them."""
        return cls(
            played.sum("usd", minutes), played.sum("asked", minutes), played.sum("lost", minutes),
            int((played.of("told_s", minutes) > 0).sum()), played.missed_minutes(minutes),
            int(played.sum("starts", minutes)), int(played.sum("stops", minutes)),
            int(played.sum("failures", minutes)), int(played.sum("reclaims", minutes)),
            played.survived(minutes),
        )  # fmt: skip

    @property
    def unserved_share(self) -> float:
        return self.lost / self.asked if self.asked > 0 else 0.0

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Of:
    """A policy for one service: its parameters in words, and its figures."""

    policy: str
    service: str
    chosen: str
    figures: Figures


@dataclass(frozen=True, eq=False)
class Study:
    """``asked`` up to where it was played; parameters are chosen before ``starts``, and figures are
    of ``starts`` to ``ends``. ``bound`` [service]: perfect foresight, minute by minute.
    """

    world: str
    source: str
    asked: Asked
    starts: datetime
    ends: datetime
    seed: int
    held: tuple[Bought, ...]
    bound: Mapping[str, Figures]
    found: tuple[Of, ...]
    settings: Settings = AS_WORLD

    @property
    def policies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.policy for one in self.found))

    def of(self, policy: str) -> Figures:
        """Of all services together."""
        return sum((o.figures for o in self.found if o.policy == policy), start=Figures())

    def over_foresight(self, figures: Figures, service: str | None = None) -> float:
        """Cost over that of perfect foresight, minute by minute, without boots; NaN when free."""
        own = self.bound.values() if service is None else [self.bound[service]]
        usd = sum(one.usd for one in own)
        return figures.usd / usd if usd > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Span:
    """What is told: from ``starts`` (None: the middle) to ``ends`` (None: the end)."""

    starts: datetime | None = None
    ends: datetime | None = None

    def within(self, asked: Asked) -> tuple[Asked, int]:
        """What is played, and the minute from which figures count; raises ``UnusableData``."""
        if self.ends is not None:
            asked = asked.until(self.ends)
        first = asked.minutes // 2 if self.starts is None else asked.minute_of(self.starts)
        if not 0 < first < asked.minutes:
            raise UnusableData(
                f"demand is known from {asked.starts:%Y-%m-%dT%H:%MZ} to "
                f"{asked.at(asked.minutes):%Y-%m-%dT%H:%MZ}\n"
                "    → choose --from and --to inside, with some time before --from to learn from"
            )
        return asked, first


WHOLE: Final = Span()


@dataclass(frozen=True, slots=True)
class Choose:
    """How parameters are chosen: see ``Goal``. ``granted`` None: as the world says."""

    granted: float | None = None
    worth: float | None = None


AS_GRANTED: Final = Choose()


def cases(
    world: World, asked: Asked, held: Sequence[Bought], first: int, seed: int, lag_s: int,
    choose: Choose,
) -> Iterator[Case]:  # fmt: skip
    """What each service is played with; services draw their fates apart from each other."""
    demand = by_minute(asked.rps, asked.step_s)
    highest = by_minute(asked.rps, asked.step_s, highest=True)
    for s, one in enumerate(held):
        own = world.services[world.service_index[one.service]].unmet_at_most
        unmet = world.policy.unmet_at_most if own is None else own
        may = unmet or world.policy.unserved_share
        seconds = asked.rps.shape[1] * asked.step_s
        yield Case(
            asked.starts, demand[s], highest[s], asked.rps[s], asked.step_s, first, one.machine,
            fate(one.machine, seconds, seed + s), lag_s,
            Goal(choose.granted or may, choose.worth),
        )  # fmt: skip


def study(
    world: World, asked: Asked, source: str, specs: Sequence[Spec], *, span: Span = WHOLE,
    settings: Settings = AS_WORLD, seed: int = 0, lag_s: int = 15,
    choose: Choose = AS_GRANTED, planned: Mapping[str, Price] | None = None,
    watch: Watch = SILENT,
) -> Study:  # fmt: skip
    """Play every policy for every service of ``asked``; ``planned``: at the prices of a plan."""
    asked, first = span.within(asked)
    held = bought(world, asked, settings, planned)
    minutes = slice(first, None)
    (foresight,) = read_specs(BOUND)
    bound: dict[str, Figures] = {}
    found: list[Of] = []
    with watch.stage("play policies", len(held) * len(specs)) as stage:
        made = cases(world, asked, held, first, seed, lag_s, choose)
        for one, case in zip(held, made, strict=True):
            bound[one.service] = Figures.of(play(foresight, case).played, minutes)
            for spec in specs:
                watch.note(f"{spec.text} for {one.service}")
                outcome = play(spec, case)
                figures = Figures.of(outcome.played, minutes)
                found.append(Of(spec.text, one.service, outcome.chosen, figures))
                stage.advance()
    return Study(
        world.name, source, asked, asked.at(first), asked.at(asked.minutes), seed, held, bound,
        tuple(found), settings,
    )  # fmt: skip
