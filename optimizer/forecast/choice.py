"""Which model forecasts a series, and the reason in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.demand import ModelChoice
from optimizer.forecast.backtest import Trial
from optimizer.forecast.candidates import CANDIDATES
from optimizer.forecast.grid import Grid

TIE = 1e-6
"""Scores this near are equal: the simpler model, which stands first, is taken."""

MOSTLY_IDLE = 0.5


def chosen(trials: tuple[Trial, ...]) -> NDArray[np.int64]:
    """Index of the best trial of every series; -1 where no model could be scored."""
    scores = np.stack([trial.score for trial in trials])
    best: NDArray[np.int64] = np.full(scores.shape[1], -1, dtype=np.int64)
    lowest = np.full(scores.shape[1], np.inf)
    for k, score in enumerate(scores):
        better = score < lowest - TIE  # never true for NaN
        best[better], lowest[better] = k, score[better]
    return best


def scores_of(trials: tuple[Trial, ...], row: int) -> tuple[tuple[str, float], ...]:
    """Every model with its score; NaN for all where there was no trial."""
    if not trials:
        return tuple((candidate.name, float("nan")) for candidate in CANDIDATES)
    return tuple((trial.name, float(trial.score[row])) for trial in trials)


def why_chosen(grid: Grid, trials: tuple[Trial, ...], row: int, best: int) -> ModelChoice:
    """The choice of a scored series, in words."""
    trial = trials[best]
    others = [t for t in trials if t is not trial and not np.isnan(t.score[row])]
    why = f"backtest error {trial.score[row]:.3g} over {trial.windows[row]} forecasts"
    if others:
        rival = min(others, key=lambda t: float(t.score[row]))
        tied = rival.score[row] <= trial.score[row] + TIE
        why += (
            f"; {rival.name} does no better, and the simpler model is taken"
            if tied
            else f", the lowest; next is {rival.name} with {rival.score[row]:.3g}"
        )
    unscored = [t.name for t in trials if np.isnan(t.score[row])]
    if unscored:
        why += f"; not scored, for want of history: {', '.join(unscored)}"
    service, origin = grid.series[row]
    return ModelChoice(service, origin, trial.name, scores_of(trials, row), why)


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
