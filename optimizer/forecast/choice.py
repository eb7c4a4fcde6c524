"""Which models forecast a series, with what weight, and the reason in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.demand import ModelChoice
from optimizer.forecast.backtest import Trials
from optimizer.forecast.candidates import CANDIDATES
from optimizer.forecast.combine import Combined
from optimizer.forecast.grid import DAY, Grid
from optimizer.forecast.shifts import Shifts

COMBINATION: Final = "combination"

MOSTLY_IDLE = 0.5


def unscored() -> tuple[tuple[str, float], ...]:
    """Every model, without a score."""
    return tuple((candidate.name, float("nan")) for candidate in CANDIDATES)


def why_chosen(grid: Grid, trials: Trials, together: Combined, row: int) -> ModelChoice:
    """The models of a scored series with their weights, in words."""
    scores = dict(zip(trials.names, trials.score[:, row].tolist(), strict=True))
    weight = dict(zip(trials.names, together.weight[:, row].tolist(), strict=True))
    used = sorted((name for name in weight if weight[name] > 0), key=lambda name: -weight[name])
    windows = f"over {trials.windows[row]} forecasts"
    if len(used) == 1:
        model = used[0]
        why = f"backtest error {scores[model]:.3g} {windows}"
        others = {n: s for n, s in scores.items() if n != model and not np.isnan(s)}
        if others:
            rival = min(others, key=others.__getitem__)
            why += f"; next is {rival} with {others[rival]:.3g}, too far behind to count"
    else:
        model, error = COMBINATION, float(together.score[row])
        shares = ", ".join(f"{weight[name]:.0%} {name}" for name in used)
        alone = min(used, key=scores.__getitem__)
        why = (
            f"{shares}: backtest error {error:.3g} together {windows};"
            f" the best alone is {alone} with {scores[alone]:.3g}"
        )
        scores[COMBINATION] = error
    silent = [name for name, score in scores.items() if np.isnan(score)]
    if silent:
        why += f"; not scored, for want of history: {', '.join(silent)}"
    service, origin = grid.series[row]
    return ModelChoice(service, origin, model, tuple(scores.items()), why)


def with_shift(choice: ModelChoice, shifts: Shifts, row: int, hours: int) -> ModelChoice:
    """Add that the level has shifted, of a history of so many ``hours``, if it has."""
    if not shifts.since_hour[row]:
        return choice
    days = (hours - int(shifts.since_hour[row])) // DAY
    shift = f"demand moved to {shifts.factor[row]:.3g} times its level {days} days before the end"
    return replace(choice, why=f"{choice.why}; {shift}: what came before counts at the new one")


def with_remarks(choice: ModelChoice, rps: NDArray[np.float64]) -> ModelChoice:
    """Add what is odd about the history [hour] of a series: gaps, idle hours."""
    seen = ~np.isnan(rps)
    if not seen.any():
        return choice
    since_first = seen[seen.argmax() :]
    why = choice.why
    if not since_first.all():
        edges = np.flatnonzero(np.diff(np.concatenate(([True], since_first, [True]))))
        longest = int(np.diff(edges)[::2].max())
        why += (
            f"; {int((~since_first).sum())} of {since_first.size} hours are missing (at most"
            f" {longest} in a row): filled from neighbouring weeks and days to fit, never scored"
        )
    idle = float((rps[seen] == 0).mean())
    if MOSTLY_IDLE <= idle < 1:
        why += f"; intermittent: {idle:.0%} of hours have no requests"
    return replace(choice, why=why)
