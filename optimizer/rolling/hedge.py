"""How much more than expected to plan for: the quantile that pays, checked on the days before.

The newsvendor (Arrow, Harris and Marschak 1951): one instance more pays while the chance that it is
needed, times what its work is worth, exceeds its rent, so that the level of demand to plan for is
1 - rent / worth. Here nobody names a worth, but how much may go unserved; so every level is played
on the days before, corrections included, and the cheapest that kept the objective is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimizer.forecast.demand import LEVELS
from optimizer.problem import Floats
from optimizer.rolling.correct import LEAST_GROWTH, MOST_GROWTH
from optimizer.rolling.state import Hedge
from optimizer.simulate.policies import enough, known
from optimizer.simulate.replay import Replica, replay

LEVELS_TRIED: Final = (0.5, 0.75, 0.9, 0.95, 0.99)
TARGETS_TRIED: Final = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Filled to the brim, capacity would do by luck of whole instances, which do not stay the same."""
NO_CORRECTIONS: Final = (math.inf,)
LEAST_HOURS: Final = 24
"""With less to look back on, the policy's quantile and the middle target are taken."""
USUAL_TARGET: Final = 0.85
SAFETY: Final = 0.5
"""What was unserved on days that the hedge was chosen on may be at most so much of the objective:
the best of many looks better there than it is."""


@dataclass(frozen=True, eq=False)
class Lookback:
    """The last hours of one service, as they were and as they had been foretold, place by place.

    ``load_rps`` [place, step], NaN where nobody knows; ``foretold_rps`` [place, hour, level of
    LEVELS]. An instance serves ``serves_rps`` [place]. ``premium``: what capacity that is started
    on correction costs, over what the plan pays.
    """

    load_rps: Floats
    foretold_rps: Floats
    serves_rps: Floats
    premium: float

    @property
    def hours(self) -> int:
        return int(self.foretold_rps.shape[1])


def usual_hedge(services: int, level: float, now: datetime) -> Hedge:
    """What is taken before there is anything to look back on."""
    why = f"level {level:g} by policy: too little is known yet to look back on"
    return Hedge(np.full(services, level), np.full(services, USUAL_TARGET), now, (why,) * services)


def play_back(
    past: Lookback, levels: Sequence[float], targets: Sequence[float], boot_steps: int,
    hold_steps: int,
) -> dict[tuple[float, float], tuple[float, float]]:  # fmt: skip
    """By level and target: what was paid, in rps of capacity and step, and the share unserved.

    The plan holds its hours' quantile from a boot before on; a correction asks for what was seen
    in the last ``hold_steps`` steps, grown as foretold, filled to the target.
    """
    tried = {(level, target): np.zeros(2) for level in levels for target in targets}
    for load, foretold, serves in zip(
        past.load_rps, past.foretold_rps, past.serves_rps.tolist(), strict=True
    ):
        replica, told = Replica(serves, boot_steps), ~np.isnan(load)
        asked = _asked(known(load), foretold, boot_steps, hold_steps)
        corrected = {target: enough(asked / target, replica) for target in targets}
        for level in levels:
            base = enough(_planned(foretold, level, load.size, boot_steps), replica)
            for target in targets:
                wanted = np.maximum(base, corrected[target])
                paid = serves * float((base + past.premium * (wanted - base))[told].sum())
                lost = float(np.nansum(replay(wanted, load, replica).unserved))
                tried[level, target] += paid, lost
    total = float(np.nansum(past.load_rps))
    return {
        key: (float(paid), float(lost) / total if total > 0 else 0.0)
        for key, (paid, lost) in tried.items()
    }


def _planned(foretold: Floats, level: float, steps: int, boot_steps: int) -> Floats:
    """The plan's quantile [step]; what an hour needs is there a boot before it begins."""
    at = np.array([np.interp(level, LEVELS, hour) for hour in foretold])
    planned = np.repeat(at, steps // len(foretold))
    begun = np.concatenate([planned, np.full(boot_steps, planned[-1])])
    most: Floats = sliding_window_view(begun, boot_steps + 1).max(axis=1)
    return most


def _asked(load: Floats, foretold: Floats, boot_steps: int, hold_steps: int) -> Floats:
    """What corrections ask for [step] at a target of 1, decided when each begins."""
    middle = foretold[:, LEVELS.index(0.5)]
    step = (np.arange(load.size) + 0.5) / (load.size // len(foretold)) - 0.5
    shape = np.interp(step, np.arange(middle.size), middle)
    later = shape[np.minimum(np.arange(load.size) + boot_steps + 1, load.size - 1)]
    growth = np.divide(later, shape, out=np.ones_like(shape), where=shape > 0)
    seen = load * np.clip(growth, LEAST_GROWTH, MOST_GROWTH)
    seen = np.concatenate([seen[:1], seen[:-1]])
    before = np.concatenate([np.full(hold_steps - 1, seen[0]), seen])
    asked: Floats = sliding_window_view(before, hold_steps).max(axis=1)
    return asked


def choose(
    looks: list[Lookback | None],
    objective: Floats,
    level: float,
    now: datetime,
    boot_steps: int,
    hold_steps: int,
    among: tuple[float, ...] = TARGETS_TRIED,
) -> Hedge:
    """The hedge of every service: the cheapest that kept its ``objective`` share unserved.

    ``among``: the targets of corrections. None looks back on too little: its ``level`` is the
    policy's. Where none kept the objective,
    the one that came nearest is taken, and ``why`` says so.
    """
    usual = usual_hedge(len(looks), level, now)
    levels, targets, why = usual.level.copy(), usual.target.copy(), list(usual.why)
    for s, look in enumerate(looks):
        if look is None or look.hours < LEAST_HOURS or not np.nansum(look.load_rps):
            continue
        tried = play_back(look, LEVELS_TRIED, among, boot_steps, hold_steps)
        kept = {key: paid for key, (paid, lost) in tried.items() if lost <= SAFETY * objective[s]}
        if kept:
            best = min(kept, key=lambda key: kept[key])
            said = (
                f"cheapest of {len(tried)} that left at most {SAFETY * objective[s]:.2g} unserved"
            )
        else:
            best = min(tried, key=lambda key: (tried[key][1], tried[key][0]))
            said = f"none of {len(tried)} kept {SAFETY * objective[s]:.2g}; this left the least"
        levels[s], targets[s] = best
        worth = 1 / (1 - best[0])
        corrections = f" and corrections to {best[1]:.0%}" if math.isfinite(best[1]) else ""
        why[s] = (
            f"level {best[0]:g}{corrections}: {said} "
            f"({tried[best][1]:.2g}) in the last {look.hours} h; pays where work is "
            f"worth {worth:.0f} times its rent"
        )
    return Hedge(levels, targets, now, tuple(why))
