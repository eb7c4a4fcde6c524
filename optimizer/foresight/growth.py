"""How series grow towards a limit, and when they reach it: a mixture of simple shapes of growth.

Every hypothesis says that a series was flat until some time, and has grown in some shape since:

    x(t) = a + b·g((t − τ)₊ / A) + r(t),   A = now − τ,   r(t) = φ·r(t − 1) + ε,  ε ~ N(0, σ²)

with g even, even on workdays, accelerating (z², z³), slowing without end (√z) or filling up
(1 − exp(−z/κ)). φ runs from 0 (noise around a path) to 1 (growth by chance steps). For given τ,
g and φ, a and b are a regression of x(t) − φ·x(t − 1) on one column (Cochrane, Orcutt 1949), so
that all hypotheses of all series are some matrix products. Hypotheses weigh as the evidence says,
by the Bayesian information criterion (Schwarz 1978); the chance to be over the limit within h steps
is that of a normal around each hypothesis' path, weighed (Hoeting et al. 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Values = NDArray[np.float64]

LEAST_STEPS: Final = 7
"""Nothing is said of what was observed for fewer steps."""

ONSETS: Final = tuple(dict.fromkeys(round(6 * 1.1**k) for k in range(44)))
"""Steps before now at which growth may have begun; from one to the next a tenth more."""

SHAPES: Final = {
    "even": 0.3, "on workdays": 0.1, "faster": 0.1, "much faster": 0.05, "slowing": 0.1,
    "filling slowly": 0.1, "filling": 0.1, "filling fast": 0.1,
}  # fmt: skip
"""How probable each shape is before anything is seen."""

LEAST_BENT: Final = 16
"""That growth becomes faster is not told of what began fewer steps ago."""

_ACCELERATING: Final = (2, 3)
_FILLING: Final = (1.0, 0.5, 0.2)
"""κ of the last shapes: share of the time since the onset in which 63 % is filled."""

ALIKE: Final = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 1.0)
"""φ: how alike the noise of neighbouring steps is."""

NOISE_FLOOR: Final = 1e-3
"""Share of the limit to within which levels are known at best."""

TEMPER: Final = 0.7
"""Evidence counts by this power, as no hypothesis is exactly right (Grünwald 2012)."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """How little growth is believed to go on as it did.

    ``model_error``: further growth may be off by this share of itself: nothing grows on as exactly
    as a formula. ``ends``: what has grown for A steps goes on for h more with the chance
    (A / (A + h)) to this power.
    """

    model_error: float
    ends: float


FILLING_UP: Final = Doubt(0.12, 0.05)
"""Of what is used up: nobody but whoever looks after it ends that."""

ASKED: Final = Doubt(0.2, 0.3)
"""Of what users ask for, which is less steady."""

JUMPS: Final = 2
"""So many of the largest jumps may be one-off events that no growth follows from."""

_OF_JUMP: Final = 0.3
JUMP_STEPS: Final = 2
"""A jump goes on while steps are at least that share of its largest, and so near to it."""

_NEGLIGIBLE: Final = 3e-3


@dataclass(frozen=True, eq=False)
class Growth:
    """What is thought of the growth of series, and what would come of it.

    ``reached`` [series, time]: the chance that the limit has been reached by each time. ``rate``
    [series]: expected growth in the next step. ``level``: where it stands, without waves.
    ``onset`` (steps before the end) and ``shape`` of the hypotheses that have most for them
    together, -1 where that is no growth; ``weight``: theirs.
    """

    reached: Values
    rate: Values
    level: Values
    onset: NDArray[np.int64]
    shape: NDArray[np.int64]
    weight: Values


@dataclass(frozen=True, eq=False)
class _Hypotheses:
    """``column`` [step, hypothesis] in the past, ``later`` [time, hypothesis] in the future.

    Hypothesis 0 is no growth.
    """

    column: Values
    later: Values
    onset: NDArray[np.int64]
    shape: NDArray[np.int64]
    prior: Values


@dataclass(frozen=True, eq=False)
class _Fits:
    """Regressions [series, φ, hypothesis]; ``count`` [series] of steps that were observed."""

    count: Values
    base: Values
    mean_column: Values
    spread: Values
    slope: Values
    noise: Values
    score: Values


def grown(
    values: Values,
    observed: Values,
    limit: Values,
    times: Values,
    later_wave: Values,
    limit_spread: Values,
    work: NDArray[np.bool_],
    doubt: Doubt,
) -> Growth:
    """Foresee ``values`` [series, step]: without waves, NaN before the present life and nowhere
    else.

    ``observed`` [series]: how many of them were measured, not interpolated. ``limit`` [series] is
    reached by the path plus ``later_wave`` [series, time]; ``limit_spread`` is its standard
    deviation. All are in shares of the limit, or another unit in which 1 is much. ``times`` are
    steps ahead; ``work`` [step + last time]: whether a step is of a workday.
    """
    tried = _hypotheses(values.shape[1], times, work)
    series = len(values)
    variants = np.concatenate(_without_jumps(values))
    fits = _fits(variants, np.tile(observed, JUMPS + 1), tried)
    jumps = np.repeat(np.arange(JUMPS + 1), series)
    scores = fits.score - (1.5 * TEMPER * jumps * np.log(fits.count))[:, None, None]
    reached = np.zeros((series, times.size))
    rate, weight = np.zeros(series), np.zeros(series)
    onset, shape = np.zeros(series, np.int64), np.full(series, -1)
    for row in np.flatnonzero(observed >= LEAST_STEPS):
        score = scores[row::series]
        likely = np.exp(score - score.max())
        variant, phi, which = np.nonzero(likely > _NEGLIGIBLE)
        share = likely[variant, phi, which] / likely[variant, phi, which].sum()
        last = float(values[row, -1])
        path, spread = _ahead(fits, tried, row + series * variant, phi, which, last, times, doubt)
        spread = np.sqrt(spread + limit_spread[row] ** 2)
        over = ndtr((path + later_wave[row][:, None] - limit[row]) / spread)
        over = np.maximum.accumulate(over, axis=0)
        age = tried.onset[which]
        stays = (age / (age + times[:, None])) ** np.where(tried.shape[which] >= 0, doubt.ends, 0.0)
        came = np.cumsum(np.diff(over, axis=0, prepend=0.0) * stays, axis=0)
        reached[row] = came @ share
        rate[row] = (path[0] - last) @ share / times[0]
        together = np.zeros(len(tried.shape))
        np.add.at(together, which, share)
        by_shape = np.bincount(tried.shape + 1, weights=together, minlength=len(SHAPES) + 1)
        shape[row] = int(by_shape.argmax()) - 1
        weight[row] = by_shape.max()
        of_shape = np.where(tried.shape == shape[row], together, 0.0)
        onset[row] = tried.onset[int(of_shape.argmax())]
    level = np.nan_to_num(values[:, -1])
    return Growth(reached, rate, level, onset, shape, weight)


def _without_jumps(values: Values) -> list[Values]:
    """``values`` [series, step], then without the largest jump, without the largest two, ...

    What came before a jump is moved, so that the end stays.
    """
    variants = [values]
    step = np.arange(values.shape[1])
    row = np.arange(len(values))
    for _ in range(JUMPS):
        now = variants[-1]
        change = np.nan_to_num(np.diff(now, axis=1, prepend=now[:, :1]))
        at = np.abs(change).argmax(axis=1)
        most = change[row, at]
        part = change * np.sign(most)[:, None] >= _OF_JUMP * np.abs(most)[:, None]
        broken = ~part
        first = np.where(broken & (step <= at[:, None]), step, -1).max(axis=1)
        last = np.where(broken & (step >= at[:, None]), step, step.size).min(axis=1)
        near = np.abs(step - at[:, None]) < JUMP_STEPS
        inside = near & (step > first[:, None]) & (step < last[:, None])
        moved = np.cumsum((change * inside)[:, ::-1], axis=1)[:, ::-1]
        moved = np.concatenate([moved[:, 1:], np.zeros((len(values), 1))], axis=1)
        variants.append(now + moved)
    return variants


def _hypotheses(steps: int, times: Values, work: NDArray[np.bool_]) -> _Hypotheses:
    column, later = [np.zeros(steps)], [np.zeros(times.size)]
    onset, shape = [steps], [-1]
    past = np.arange(steps, dtype=np.float64) - (steps - 1)
    worked = np.concatenate([[0.0], np.cumsum(work)])[1:]
    ahead_at = steps - 1 + times.astype(np.int64)
    ages = [age for age in ONSETS if age < steps + ONSETS[0]]
    for age in ages:
        since, ahead = np.maximum(past + age, 0.0) / age, (times + age) / age
        begun = worked[max(steps - 1 - age, 0)]
        pace = 5.0 / 7.0 * age
        on_workdays = (
            np.maximum(worked[:steps] - begun, 0.0) / pace,
            np.maximum(worked[ahead_at] - begun, 0.0) / pace,
        )
        both = [*zip(_shaped(since), _shaped(ahead), strict=True)]
        for k, (before, after) in enumerate([both[0], on_workdays, *both[1:]]):
            if age < LEAST_BENT and k in _ACCELERATING:
                continue
            column.append(before)
            later.append(after)
            onset.append(age)
            shape.append(k)
    kinds = np.array(shape)
    chance = np.array([1.0, *SHAPES.values()]) / np.array([1.0, *[len(ages)] * len(SHAPES)])
    return _Hypotheses(
        np.stack(column, axis=1), np.stack(later, axis=1), np.array(onset), kinds, chance[kinds + 1]
    )


def _shaped(z: Values) -> list[Values]:
    """Every shape of growth but that of workdays, 1 (or near it) at z = 1."""
    return [z, z * z, z * z * z, z**0.7, *(-np.expm1(-z / kappa) for kappa in _FILLING)]


def _fits(values: Values, observed: Values, tried: _Hypotheses) -> _Fits:
    """All regressions, from sums of products that all φ share."""
    known = ~np.isnan(values)
    first = known.argmax(axis=1)  # known from there on
    pairs = np.maximum(values.shape[1] - 1.0 - first, 1.0)[:, None]
    x = np.where(known, values - values[:, -1:], 0.0)  # near 0: sums of squares keep their digits
    before = np.where(known[:, :-1], x[:, :-1], 0.0)
    x[np.arange(len(x)), first] = 0.0  # the first one has none before it
    after, g, h = x[:, 1:], tried.column[1:], tried.column[:-1]
    gg, gh, hh = (_from(product, first) for product in (g * g, g * h, h * h))
    sum_g, sum_h = _from(g, first), _from(h, first)
    xx, xy, yy = ((p * q).sum(axis=1, keepdims=True)
                  for p, q in ((after, after), (after, before), (before, before)))  # fmt: skip
    sum_x, sum_y = after.sum(axis=1, keepdims=True), before.sum(axis=1, keepdims=True)
    xg, mixed, yh = after @ g, after @ h + before @ g, before @ h
    count = np.maximum(np.minimum(observed - 1.0, pairs[:, 0]), 1.0)[:, None]
    shape = (len(values), len(ALIKE), len(tried.onset))
    base, mean_column, spread, slope, noise, score = (np.zeros(shape) for _ in range(6))
    for k, phi in enumerate(ALIKE):
        free = 1.0 if phi < 1.0 else 0.0  # chance steps are around no level: nothing to take away
        mean_x, mean_g = free * (sum_x - phi * sum_y) / pairs, free * (sum_g - phi * sum_h) / pairs
        width = gg - 2 * phi * gh + phi**2 * hh - mean_g**2 * pairs
        usable = width > 1e-7 * pairs
        together = xg - phi * mixed + phi**2 * yh - mean_x * mean_g * pairs
        slope[:, k] = np.divide(together, width, out=np.zeros(width.shape), where=usable)
        spread[:, k] = np.where(usable, width, 0.0)
        total = xx - 2 * phi * xy + phi**2 * yy - mean_x**2 * pairs
        error = np.maximum(total - slope[:, k] ** 2 * spread[:, k], 0.0) / pairs
        noise[:, k] = error * (count / np.maximum(count - 3.0, 1.0)) + NOISE_FLOOR**2
        mean_column[:, k] = mean_g
        base[:, k] = mean_x - slope[:, k] * mean_g  # (1 − φ) times the level, from the last value
        fit = -0.5 * count * np.log(error + NOISE_FLOOR**2)
        cost = np.where(tried.shape >= 0, 0.5, 0.0) * np.log(count)
        score[:, k] = TEMPER * (fit - cost) + np.log(tried.prior)
        score[:, k, 1:][~usable[:, 1:]] = -np.inf
    return _Fits(count[:, 0], base, mean_column, spread, slope, noise, score)


def _from(products: Values, first: NDArray[np.int64]) -> Values:
    """Sums [series, hypothesis] of ``products`` [step, hypothesis] from each ``first`` step on."""
    total = np.cumsum(products[::-1], axis=0)[::-1]
    sums: Values = total[np.minimum(first, len(total) - 1)]
    return sums


def _ahead(
    fits: _Fits,
    tried: _Hypotheses,
    row: NDArray[np.int64],
    phi: NDArray[np.int64],
    which: NDArray[np.int64],
    last: float,
    times: Values,
    doubt: Doubt,
) -> tuple[Values, Values]:
    """Path and variance [time, chosen hypothesis] from the value ``last``."""
    alike = np.asarray(ALIKE)[phi]
    held = alike ** times[:, None]
    # Sums of φ^i and of φ^2i over the steps ahead.
    once = np.divide(1 - held, 1 - alike, out=np.repeat(times[:, None], alike.size, axis=1),
                     where=alike < 1)  # fmt: skip
    twice = np.divide(1 - held**2, 1 - alike**2, out=np.repeat(times[:, None], alike.size, axis=1),
                      where=alike < 1)  # fmt: skip
    slope, spread = fits.slope[row, phi, which], fits.spread[row, phi, which]
    noise, mean = fits.noise[row, phi, which], fits.mean_column[row, phi, which]
    now, later = tried.column[-1, which], tried.later[:, which]
    moved = later - held * now
    path = last + fits.base[row, phi, which] * once + slope * moved
    lever = (moved - once * mean) ** 2
    told = np.divide(lever, spread, out=np.zeros(lever.shape), where=spread > 0)
    level = np.where(alike < 1, once**2, 0.0) / fits.count[row]
    variance = noise * (twice + told + level) + (doubt.model_error * slope * (later - now)) ** 2
    return path, variance
