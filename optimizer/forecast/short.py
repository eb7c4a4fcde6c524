"""Foresee the next minutes and hours, at steps of a minute to an hour.

One face for the one-pass forecaster of ``next_steps`` and the spread of its errors in
``straying``: what was foreseen from every former step, for so many steps ahead, tells how far the
next forecast will stray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.demand import Forecast, ModelChoice
from optimizer.forecast.demand import LEVELS
from optimizer.forecast.next_steps import foreseen
from optimizer.forecast.spread import quantile_loss
from optimizer.forecast.straying import WINDOW_DAYS, straying

Values = NDArray[np.float64]

KNOTS: Final = (1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720)
"""Steps ahead that are foreseen; those between them are interpolated."""

MOST_STEPS: Final = KNOTS[-1]

POWERS: Final = (0.5, 1.0)
"""Errors that grow like those of counts, and in proportion: whichever loses less."""

NEGLIGIBLE: Final = 0.05
"""Demand below this share of its mean counts as this share, when errors are compared."""

LEAST_STEPS: Final = 60
"""Fewer former forecasts tell nothing of their errors."""

_DAY_S: Final = 86_400


def foresee_short(
    series: Sequence[tuple[str, str]],
    rps: Values,
    starts: datetime,
    step_s: int,
    steps: int,
    levels: tuple[float, ...] = LEVELS,
) -> Forecast:
    """Foresee ``steps`` steps of ``step_s`` seconds from ``starts``.

    ``rps`` [series, step] is what came in the steps right before, NaN where nobody knows: the more
    days, the better; with two weeks, how demand changed a day and a week ago counts. Quantiles are
    those of relative errors of the same forecaster, as many steps ahead, over the last two weeks.
    Raises ``ValueError`` for steps that do not divide a day, or that are too far.
    """
    if step_s <= 0 or _DAY_S % step_s or not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"{steps} steps of {step_s} s cannot be foreseen")
    level = np.asarray(levels, dtype=np.float64)
    knots = np.array([k for k in KNOTS if k < steps] + [steps])
    mean = np.zeros((len(series), steps))
    quantiles = np.zeros((len(series), steps, level.size))
    choices = []
    for row, ((service, origin), values) in enumerate(zip(series, rps, strict=True)):
        begun = np.flatnonzero(~np.isnan(values))
        known = values[begun[0] :] if begun.size else values[:0]
        if known.size <= LEAST_STEPS + steps:
            why = f"{known.size} steps are too few to know how forecasts err"
            mean[row], quantiles[row] = _as_before(known, steps, level)
            choices.append(ModelChoice(service, origin, "mean", (), why))
            continue
        said = [_ahead(known, int(knot), _DAY_S // step_s, level) for knot in knots]
        at = np.arange(1, steps + 1)
        mean[row] = np.interp(at, knots, [each[0] for each in said])
        for k in range(level.size):
            quantiles[row, :, k] = np.interp(at, knots, [each[1][k] for each in said])
        why = f"learnt from {known.size} steps, {int(np.isnan(known).sum())} of them unknown"
        choices.append(ModelChoice(service, origin, "next_steps", (), why))
    return Forecast(
        starts, tuple(levels), tuple(series), mean, quantiles, tuple(choices), step_s=step_s
    )


def side_by_side(parts: Sequence[Forecast]) -> Forecast:
    """Forecasts of different series for the same time, as one."""
    return replace(
        parts[0],
        series=tuple(one for part in parts for one in part.series),
        mean_rps=np.concatenate([part.mean_rps for part in parts]),
        quantiles_rps=np.concatenate([part.quantiles_rps for part in parts]),
        choices=tuple(one for part in parts for one in part.choices),
    )


def _ahead(values: Values, ahead: int, day_steps: int, levels: Values) -> tuple[float, Values]:
    """Mean and quantiles [level] of demand so many steps after the last of ``values`` [step]."""
    told = ~np.isnan(values)
    filled = values[np.maximum.accumulate(np.where(told, np.arange(values.size), 0))]
    unit = NEGLIGIBLE * float(filled.mean())
    if unit <= 0:
        return 0.0, np.zeros(levels.size)
    expected = foreseen(filled, told, ahead, day_steps)
    answers = []
    for power in POWERS:
        strays = straying(filled, told, expected, ahead, day_steps, unit, power)
        judged = np.flatnonzero(told[:-ahead] & told[ahead:])[-WINDOW_DAYS * day_steps :]
        error = filled[judged + ahead] - expected[judged]
        if not error.size:
            error, judged = np.zeros(1), np.array([0])
        relative = error / strays.scale[judged]
        shape = np.quantile(relative, levels)
        lost = quantile_loss(error, strays.scale[judged, None] * shape, levels).mean()
        at_end = expected[-1] + strays.scale[-1] * np.append(shape, relative.mean())
        answers.append((lost, np.maximum(at_end, 0.0)))
    best = min(answers, key=lambda answer: answer[0])[1]
    return float(best[-1]), best[:-1]


def _as_before(known: Values, steps: int, levels: Values) -> tuple[Values, Values]:
    """Mean [step] and quantiles [step, level] of what was seen, whenever that was."""
    seen = known[~np.isnan(known)]
    if not seen.size:
        return np.zeros(steps), np.zeros((steps, levels.size))
    return np.full(steps, seen.mean()), np.tile(np.quantile(seen, levels), (steps, 1))
