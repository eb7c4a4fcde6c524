"""The frontier of each family of policies: what it costs at any share that goes unserved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.simulate.autoscalers import Hpa, Tracking
from optimizer.simulate.choosing import (
    DAY_MINUTES,
    GUARDS,
    HEADROOMS,
    POWERS,
    QUANTILES,
    WORTHS,
    Case,
    perfect,
)
from optimizer.simulate.hedged import Hedged, outlook
from optimizer.simulate.play import Played, react
from optimizer.simulate.policies import Foresight, Reactive, Static, Yesterday, enough
from optimizer.simulate.replay import replay
from optimizer.simulate.scheduled import schedule
from optimizer.simulate.study import Figures
from optimizer.simulate.tuning import cost_at, frontier, total

TARGETS: Final = tuple(round(0.5 + 0.05 * i, 2) for i in range(11))
LOOP_TARGETS: Final = tuple(round(0.3 + 0.1 * i, 2) for i in range(7))
WINDOWS: Final = (1, 3, 5, 10, 15)
PEAKS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25)
SHARES: Final = (1e-2, 1e-3, 1e-4)
"""At which frontiers are compared."""

FAMILIES: Final = (
    "ours", "reactive", "hpa", "tracking", "scheduled", "yesterday", "static", "foresight",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of a family, over all services: cost over perfect foresight's."""

    family: str
    setting: str
    figures: Figures
    over_foresight: float


@dataclass(frozen=True, eq=False)
class Sweep:
    """Every setting that was played."""

    points: tuple[Point, ...]

    @property
    def families(self) -> tuple[str, ...]:
        """Those that were played, in the order of ``FAMILIES``."""
        played = {point.family for point in self.points}
        return tuple(family for family in FAMILIES if family in played)

    def of(self, family: str) -> NDArray[np.float64]:
        """[point, (cost over foresight's, share unserved)]."""
        own = [(p.over_foresight, p.figures.unserved_share) for p in self.points
               if p.family == family]  # fmt: skip
        return np.array(own, np.float64).reshape(-1, 2)

    def best(self, family: str) -> NDArray[np.float64]:
        """Those that no other one of the family beats in both, by share unserved."""
        return frontier(self.of(family))

    def cost_at(self, family: str, unserved_share: float) -> float:
        """NaN where the family never gets there."""
        return cost_at(self.of(family), unserved_share)


def settings_of(case: Case) -> Iterator[tuple[str, str, Played]]:
    """Every family and setting for one service, played."""
    replica, least = case.replica, case.machine.min_replicas
    for worth, wanted in _hedged(case):
        yield "ours", f"worth {worth:g}", case.follow(wanted, case.lag_s)
    for target in TARGETS:
        for window in WINDOWS:
            wanted = Reactive(target, window).wanted(case.demand, replica)
            yield "reactive", f"{target:.0%}, {window} min", case.follow(wanted, case.lag_s)
    for target in LOOP_TARGETS:
        for name, loop in (("hpa", Hpa(target, lag_s=case.lag_s)),
                           ("tracking", Tracking(target, lag_s=case.lag_s))):  # fmt: skip
            played = react(loop, case.rps, case.step_s, case.machine, case.drawn)
            yield name, f"{target:.0%}", played
    for quantile in QUANTILES:
        wanted = schedule(case.before, case.starts, replica, quantile).wanted(case.demand, replica)
        yield "scheduled", f"quantile {quantile:g}", case.follow(wanted, 0)
    for room in HEADROOMS:
        wanted = Yesterday(DAY_MINUTES, 60, room).wanted(case.demand, replica)
        yield "yesterday", f"× {room:g}", case.follow(wanted, case.lag_s)
    known = case.before[~np.isnan(case.before)]
    peak = int(enough(known.max(initial=0.0, keepdims=True), replica)[0])
    for share in PEAKS:
        count = max(round(share * peak), least, 1)
        wanted = Static(count).wanted(case.demand, replica)
        yield "static", f"{share:.0%} of the peak", case.follow(wanted, 0)
    for minutes in (1, 60):
        wanted = Foresight(minutes).wanted(case.highest, replica)
        yield "foresight", f"every {minutes} min", perfect(case, wanted)


def _hedged(case: Case) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """For each worth the power and guard that would have cost least before."""
    replica, part = case.replica, slice(0, case.known)
    guards = [Reactive(g).wanted(case.demand, replica) if g else None for g in GUARDS]
    best: dict[float, tuple[float, NDArray[np.int64]]] = {}
    for power in POWERS:
        seen = outlook(case.demand, replica, DAY_MINUTES, power)
        for worth in WORTHS:
            bare = Hedged(worth, DAY_MINUTES, power).decided(seen, replica)
            for guard in guards:
                wanted = bare if guard is None else np.maximum(bare, guard)
                played = replay(wanted, case.demand, replica)
                cost = total(played, part, replica.serves, worth)
                if worth not in best or cost < best[worth][0]:
                    best[worth] = cost, wanted
    for worth, (_, wanted) in best.items():
        yield worth, wanted


def gathered(parts: Sequence[dict[tuple[str, str], Figures]], bound_usd: float) -> Sweep:
    """Services together, setting by setting; ``bound_usd``: perfect foresight for all of them."""
    points = []
    for family, setting in parts[0]:
        figures = sum((part[family, setting] for part in parts), start=Figures())
        over = figures.usd / bound_usd if bound_usd > 0 else float("nan")
        points.append(Point(family, setting, figures, over))
    return Sweep(tuple(points))
