"""How much more than expected to plan for: the quantile that pays, checked on the days before.

The newsvendor (Arrow, Harris and Marschak 1951): one instance more pays while the chance that it is
needed, times what its work is worth, exceeds its rent, so that the level of demand to plan for is
1 - rent / worth. Here nobody names a worth, but how much may go unserved; so every level is played
on the days before, corrections included, and the cheapest that kept the objective is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Final

import numpy as np

from optimizer.forecast.demand import LEVELS
from optimizer.problem import Floats, Ints
from optimizer.rolling.correct import LEAST_GROWTH, MOST_GROWTH
from optimizer.rolling.state import Hedge
from optimizer.simulate.policies import enough, known
from optimizer.simulate.replay import Replica, over_last, replay

LEVELS_TRIED: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Below the median a plan leaves more of the work to corrections."""
LEAST_LEVEL_OF_SURVIVORS: Final = 0.5
"""Where rules ask what is planned for to survive losses, plans are for the median at least."""
TARGETS_TRIED: Final = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Filled to the brim, capacity would do by luck of whole instances, which do not stay the same."""
NO_CORRECTIONS: Final = (math.inf,)
HOLDS_TRIED_S: Final = (60, 300, 600, 1200)
LEAST_HOURS: Final = 24
"""With less to look back on, the policy's quantile and the middle target and hold are taken."""
USUAL_TARGET: Final = 0.85
USUAL_HOLD_S: Final = 300
SAFETY: Final = 0.5
"""What was unserved on days that the hedge was chosen on may be at most so much of the objective,
and on none of them more than the objective: the best of many looks better than it is."""


@dataclass(frozen=True, eq=False)
class Lookback:
    """The last hours of one service, as they were and as they had been foretold, place by place.

    ``load_rps`` [place, step], NaN where nobody knows; ``foretold_rps`` [place, hour, level of
    LEVELS]. Capacity comes in parts of ``serves_rps`` [place], the smallest that corrections start.
    ``premium`` [place]: what capacity that is started on correction costs, over what the plan pays.
    """

    load_rps: Floats
    foretold_rps: Floats
    serves_rps: Floats
    premium: Floats

    @property
    def hours(self) -> int:
        return int(self.foretold_rps.shape[1])


@dataclass(frozen=True, slots=True)
class Grid:
    """The hedges that are tried: levels of the forecast, and targets and holds of corrections.

    ``holds`` are steps of which corrections serve the most.
    """

    levels: tuple[float, ...]
    targets: tuple[float, ...]
    holds: tuple[int, ...]

    @classmethod
    def of(cls, step_s: int, *, corrects: bool = True) -> Grid:
        """All that are tried at steps of so many seconds."""
        holds = holds_of(step_s)
        if not corrects:
            return cls(LEVELS_TRIED, NO_CORRECTIONS, holds[:1])
        return cls(LEVELS_TRIED, TARGETS_TRIED, holds)

    def from_level(self, least: float) -> Grid:
        return replace(self, levels=tuple(one for one in self.levels if one >= least))


def holds_of(step_s: int) -> tuple[int, ...]:
    """The holds that are tried, in steps."""
    return tuple(sorted({max(hold_s // step_s, 1) for hold_s in HOLDS_TRIED_S}))


def usual_hedge(services: int, level: float, now: datetime, step_s: int) -> Hedge:
    """What is taken before there is anything to look back on."""
    why = f"level {level:g} by policy: too little is known yet to look back on"
    hold = np.full(services, max(USUAL_HOLD_S // step_s, 1), np.int64)
    return Hedge(
        np.full(services, level), np.full(services, USUAL_TARGET), hold, now, (why,) * services
    )


@dataclass(frozen=True, slots=True)
class Tried:
    """What a hedge came to: rps of capacity and step that were ``paid``, counting what corrections
    cost over plans, and the share ``unserved``, in all and on the worst of the days.
    """

    paid: float
    unserved: float
    worst_day: float

    def keeps(self, objective: float) -> bool:
        return self.unserved <= SAFETY * objective and self.worst_day <= objective


Key = tuple[float, float, int]
"""Level, target and hold."""


def play_back(
    past: Lookback, grid: Grid, boot_steps: int, extra_steps: float = 0.0
) -> dict[Key, Tried]:
    """What every hedge of the grid would have come to, when a start costs ``extra_steps`` of rent.

    The plan holds its hours' quantile from a boot before on; a correction asks for what was seen
    in the last steps of the hold, grown as foretold, filled to the target.
    """
    keys = list(product(grid.levels, grid.targets, grid.holds))
    steps = past.load_rps.shape[1]
    days = _days(steps, steps // past.hours * 24)
    paid, lost = np.zeros(len(keys)), np.zeros((len(keys), len(days)))
    for load, foretold, serves, premium in zip(
        past.load_rps, past.foretold_rps, past.serves_rps.tolist(), past.premium.tolist(),
        strict=True,
    ):  # fmt: skip
        told, part = ~np.isnan(load), Replica(serves, boot_steps)
        asked = _asked(known(load), foretold, boot_steps)
        base = {
            level: enough(_planned(foretold, level, steps, boot_steps), part)
            for level in grid.levels
        }
        corrected = {
            (target, hold): enough(over_last(np.maximum, asked, hold) / target, part)
            for target in grid.targets
            for hold in grid.holds
        }
        for i, (level, target, hold) in enumerate(keys):
            wanted = np.maximum(base[level], corrected[target, hold])
            planned = int(base[level][told].sum())
            extra = float(wanted[told].sum()) - planned
            extra += extra_steps * int(np.maximum(np.diff(wanted), 0).sum())
            paid[i] += serves * (planned + premium * extra)
            unserved = np.nan_to_num(replay(wanted, load, part).unserved)
            lost[i] += np.add.reduceat(unserved, days)
    asked_of = np.add.reduceat(np.nan_to_num(past.load_rps).sum(axis=0), days)
    share = np.divide(lost, asked_of, out=np.zeros_like(lost), where=asked_of > 0)
    in_all = lost.sum(axis=1) / max(float(asked_of.sum()), 1e-300)
    return {
        key: Tried(float(paid[i]), float(in_all[i]), float(share[i].max()))
        for i, key in enumerate(keys)
    }


def _days(steps: int, per_day: int) -> Ints:
    """The first step of every whole day from the end back; what is over belongs to the first."""
    first = np.arange(steps % per_day, steps, per_day, dtype=np.int64)
    first[:1] = 0
    return first if first.size else np.zeros(1, np.int64)


def _planned(foretold: Floats, level: float, steps: int, boot_steps: int) -> Floats:
    """The plan's quantile [step]; what an hour needs is there a boot before it begins."""
    at = np.array([np.interp(level, LEVELS, hour) for hour in foretold])
    planned = np.repeat(at, steps // len(foretold))
    return over_last(np.maximum, planned[::-1], boot_steps + 1)[::-1]


def _asked(load: Floats, foretold: Floats, boot_steps: int) -> Floats:
    """What a correction asks for [step] at a target of 1, by the step before it."""
    middle = foretold[:, LEVELS.index(0.5)]
    step = (np.arange(load.size) + 0.5) / (load.size // len(foretold)) - 0.5
    shape = np.interp(step, np.arange(middle.size), middle)
    later = shape[np.minimum(np.arange(load.size) + boot_steps + 1, load.size - 1)]
    growth = np.divide(later, shape, out=np.ones_like(shape), where=shape > 0)
    seen = load * np.clip(growth, LEAST_GROWTH, MOST_GROWTH)
    return np.concatenate([seen[:1], seen[:-1]])


def choose(
    looks: Sequence[Lookback | None],
    objective: Floats,
    usual: Hedge,
    grids: Sequence[Grid],
    boot_steps: int,
    extra_steps: float = 0.0,
) -> Hedge:
    """The hedge of every service: of its grid the cheapest that kept its ``objective``, the share
    that may go unserved, as ``Tried.keeps`` says.

    A start costs ``extra_steps`` of rent beside its boot. None looks back on too little: ``usual``
    is taken. Where none kept the objective, the one that left the least is, and ``why`` says so.
    """
    levels, targets, holds = usual.level.copy(), usual.target.copy(), usual.hold.copy()
    why = list(usual.why)
    for s, (look, grid) in enumerate(zip(looks, grids, strict=True)):
        if look is None or look.hours < LEAST_HOURS or not np.nansum(look.load_rps):
            continue
        tried = play_back(look, grid, boot_steps, extra_steps)
        kept = [key for key, one in tried.items() if one.keeps(float(objective[s]))]
        if kept:
            best = min(kept, key=lambda key: tried[key].paid)
            said = (
                f"cheapest of {len(tried)} that left at most {SAFETY * objective[s]:.2g} unserved"
            )
        else:
            best = min(tried, key=lambda key: (tried[key].unserved, tried[key].paid))
            said = f"none of {len(tried)} kept {SAFETY * objective[s]:.2g}; this left the least"
        levels[s], targets[s], holds[s] = best
        corrections = ""
        if math.isfinite(best[1]):
            corrections = f" and corrections to {best[1]:.0%} of the most of {best[2]} steps"
        why[s] = (
            f"level {best[0]:g}{corrections}: {said} "
            f"({tried[best].unserved:.2g}) in the last {look.hours} h; pays where work is "
            f"worth {1 / (1 - best[0]):.2g} times its rent"
        )
    return replace(usual, level=levels, target=targets, hold=holds, why=tuple(why))
