"""Capacity curves: how latency rises with load, learnt from what was measured.

    L(λ) = base + w·q(ρ),   ρ = λ / C,   q(ρ) = ρ^(√(2(c+1)) − 1) / (c·(1 − ρ)^m)

λ is load per replica, C the load that saturates it, c how many requests it serves at once; q is the
wait in a queue with c servers for m = 1 (Sakasegawa 1977, exact for c = 1); other m are softer and
harder walls than a queue's. For given C, c and m the curve is a straight line in q, so that all of
a grid of them are some matrix products: their posterior says how sure the curve is, also where data
never came near the knee. Latency is taken as medians over bins of load, which one bad neighbour in
two does not move.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

SERVERS: Final = (1, 2, 4, 8, 16)
WALLS: Final = (0.7, 1.0, 1.4)
"""m."""

SATURATES: Final = 1.0 + np.geomspace(0.004, 29.0, 100)
"""C, as multiples of the highest load that was seen."""

BINS: Final = 40
LEAST_IN_BIN: Final = 5
LEAST_BINS: Final = 6

CURVE_ERROR: Final = 0.02
"""No queue is exactly the formula's: medians may lie off by this share of the curve."""

WAIT_SPREAD: Final = 0.7
"""Standard deviation of log(w / base) before anything is seen, around 0: where service times are
exponential, quantiles of latency grow as the mean does, and w is base."""

FULLEST: Final = 0.995
"""ρ up to which the curve is used."""

KNOWN_WITHIN: Final = 2.0
"""The breaking load is known when the ends of its interval differ by no more than this factor."""

_NEGLIGIBLE: Final = 1e-3
"""Of the weight of the best hypothesis."""

_GRID: Final = 100
_RHO: Final = np.linspace(0.0, FULLEST, 400)


@dataclass(frozen=True, eq=False)
class Curve:
    """What is thought of a capacity curve: hypotheses with ``weight`` [hypothesis].

    ``highest``: the highest usual load that was seen, per replica; ``bins`` [bin, (load, latency,
    standard error)]; ``noise``: how far the logarithm of latency usually strays.
    """

    base: Values
    wait: Values
    saturates: Values
    servers: Values
    wall: Values
    weight: Values
    highest: float
    bins: Values
    noise: float

    def latency(self, load: Values) -> Values:
        """Median of expected latency [load], beyond ``FULLEST`` as there; between so many loads
        as ``_GRID`` by straight lines.
        """
        if load.size > _GRID:
            grid = np.linspace(float(load.min()), float(load.max()), _GRID)
            return np.interp(load, grid, self.latency(grid))
        rho = load[:, None] / self.saturates
        q = _wait(np.minimum(rho, FULLEST), self.servers, self.wall)
        each: Values = self.base + self.wait * q
        order = np.argsort(each, axis=1)
        sums = np.cumsum(self.weight[order], axis=1)
        middle = (sums >= 0.5).argmax(axis=1)
        median: Values = np.take_along_axis(each, order, 1)[np.arange(len(load)), middle]
        return median

    def breaks(self, objective: float) -> Break:
        """The load per replica at which latency reaches ``objective``."""
        loads = np.empty(len(self.weight))
        for servers, wall in product(SERVERS, WALLS):
            own = (self.servers == servers) & (self.wall == wall)
            if not own.any():
                continue
            q = (objective - self.base[own]) / np.maximum(self.wait[own], 1e-12)
            rho = np.interp(q, _wait(_RHO, np.float64(servers), np.float64(wall)), _RHO)
            loads[own] = np.where(q <= 0, 0.0, rho * self.saturates[own])
        order = np.argsort(loads)
        sums = np.cumsum(self.weight[order])
        at = np.searchsorted(sums, (0.05, 0.5, 0.95)).clip(max=len(order) - 1)
        low, middle, high = (loads[order][at] * (1 - CURVE_ERROR, 1, 1 + CURVE_ERROR)).tolist()
        safe = np.log(np.maximum(loads, 1e-12))
        mean = float(self.weight @ safe)
        spread = float(np.hypot(np.sqrt(self.weight @ (safe - mean) ** 2), CURVE_ERROR))
        return Break(middle, low, high, spread, self.highest)


@dataclass(frozen=True, slots=True)
class Break:
    """Where an objective breaks: load per replica, and the interval that holds it with nine
    chances in ten. ``spread``: standard deviation of its logarithm.
    """

    load: float
    low: float
    high: float
    spread: float
    highest_seen: float

    @property
    def known(self) -> bool:
        """Whether the data say where; else they only say that it is not below ``low``."""
        return self.low > 0.0 and self.high <= KNOWN_WITHIN * self.low


def fitted(load: Values, latency: Values) -> Curve | None:
    """The curve of ``latency`` over ``load`` per replica [step]; NaN: not measured.

    None where there is too little to say anything: fewer than ``LEAST_BINS`` bins of
    ``LEAST_IN_BIN`` steps, or load that hardly varies.
    """
    known = ~np.isnan(load) & ~np.isnan(latency) & (load > 0) & (latency > 0)
    bins = _binned(load[known], latency[known])
    if len(bins) < LEAST_BINS or bins[-1, 0] < 1.2 * bins[0, 0]:
        return None
    at, middle, error = bins.T
    highest = float(at[-1])
    saturates, servers, wall = (
        one.ravel() for one in np.meshgrid(SATURATES * highest, np.array(SERVERS, float), WALLS)
    )
    column = _wait(np.minimum(at[:, None] / saturates, FULLEST), servers, wall)
    base, wait, miss = _lines(column, middle, error)
    prior = -0.5 * (np.log(np.maximum(wait, 1e-12) / np.maximum(base, 1e-12)) / WAIT_SPREAD) ** 2
    stray = max(1.0, float(miss.min()) / max(len(bins) - 3, 1))
    score = -0.5 * miss / stray + np.where((base > 0) & (wait > 0), prior, -np.inf)
    if not np.isfinite(score).any():
        return None
    weight = np.exp(score - score.max())
    likely = weight > _NEGLIGIBLE
    weight = weight[likely] / weight[likely].sum()
    curve = Curve(
        base[likely],
        wait[likely],
        saturates[likely],
        servers[likely],
        wall[likely],
        weight,
        highest,
        bins,
        0.0,
    )
    rest = np.log(latency[known]) - np.log(curve.latency(load[known]))
    noise = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    return replace(curve, noise=noise)


def _wait(rho: Values, servers: Values | np.float64, wall: Values | np.float64) -> Values:
    power = np.sqrt(2.0 * (servers + 1.0)) - 1.0
    waited: Values = rho**power / (servers * (1.0 - rho) ** wall)
    return waited


def _binned(load: Values, latency: Values) -> Values:
    """[bin, (load, latency, standard error)]: medians of steps with like load, in its order.

    Half of the bins hold equally many steps each; the highest loads, which tell most, are cut
    finer, down to ``LEAST_IN_BIN`` steps.
    """
    if load.size < LEAST_IN_BIN * LEAST_BINS:
        return np.empty((0, 3))
    order = np.argsort(load)
    shares = 1.0 - np.geomspace(LEAST_IN_BIN / load.size, 1.0, BINS)[::-1]
    even = np.linspace(0.0, 1.0, BINS // 2 + 1)
    edges = np.unique((np.concatenate([shares, even]) * load.size).round().astype(np.int64))
    edges = _apart(edges, LEAST_IN_BIN)
    bins = []
    for first, last in itertools.pairwise(edges):
        own = order[first:last]
        middle = float(np.median(latency[own]))
        spread = 1.4826 * float(np.median(np.abs(latency[own] - middle)))
        error = 1.2533 * spread / np.sqrt(own.size)
        floor = CURVE_ERROR * middle
        bins.append((float(np.median(load[own])), middle, float(np.hypot(error, floor))))
    return np.array(bins)


def _apart(edges: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """``edges`` without those that lie closer together; the last one stays."""
    kept = [int(edges[0])]
    for edge in edges[1:-1].tolist():
        if edge - kept[-1] >= least and edges[-1] - edge >= least:
            kept.append(edge)
    return np.array([*kept, int(edges[-1])])


def _lines(column: Values, middle: Values, error: Values) -> tuple[Values, Values, Values]:
    """Weighted regressions of latency on every column [bin, hypothesis], the prior of w / base
    included as one more observation: base, w and the sum of squared standard errors.

    w = base at the prior's centre, so that it is an observation w − base = 0 with the standard
    deviation ``WAIT_SPREAD`` times the base; it is found in two rounds.
    """
    weight = 1.0 / error**2
    ones, g = weight.sum(), weight @ column
    gg, gy, y = weight @ column**2, weight @ (column * middle[:, None]), weight @ middle
    scale = np.full(column.shape[1], float(np.median(middle)))
    for _ in range(2):
        pull = 1.0 / (WAIT_SPREAD * scale) ** 2
        a, b, c = ones + pull, g - pull, gg + pull
        det = a * c - b * b
        base, wait = (c * y - b * gy) / det, (a * gy - b * y) / det
        scale = np.maximum(base, 0.05 * scale)
    miss = (weight[:, None] * (middle[:, None] - base - column * wait) ** 2).sum(axis=0)
    return base, wait, miss
