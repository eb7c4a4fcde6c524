"""Pairs of units that go other ways together, to fill levels of commitments to the dollar.

One unit alone gains nothing where usage meets a level: with more usage the rest is not covered,
with less the level runs idle. Two units can: one brings what the other takes away. Among the few
units of a span that are near to changing their minds all pairs are tried.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.compiled import compiled
from optimizer.decompose.dual import quota_use
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.relaxed import Relaxed, lacking_usd
from optimizer.decompose.tariff import Prices
from optimizer.decompose.ways import Ways

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOVES = 240
"""Moves of a span's units of which all pairs are tried, those first that are almost free."""
SWEEPS = 4
"""How often all pairs of a span are tried, at most."""


def swapped(
    ways: Ways, mixed: Relaxed, prices: Prices, fleet: Fleet, bought: Floats, chosen: Ints
) -> Ints:
    """The way of each unit after all swaps that make ``fleet`` cheaper.

    ``chosen`` [unit] are its ways, ``bought`` [commitment] its levels; ``mixed`` tells which other
    ways are worth trying.
    """
    case, of, cover = ways.case, ways.case.covered, ways.case.covered.cover
    at = mixed.prices
    usd = ways.usd(prices)
    reduced = usd + ways.charged(at.quota) - ways.saved(at.covered)
    more = reduced[mixed.way, mixed.unit]
    more -= reduced[chosen, np.arange(len(chosen))][mixed.unit]
    elsewhere = mixed.way != chosen[mixed.unit]
    # The most specific commitment first, and of each what it covers most cheaply.
    k, e = of.programme.commitment, of.programme.usage_class
    rate = cover.level_per_usd[k, e]
    rank = np.lexsort((rate, k, cover.covers.sum(axis=1)[k]))
    counted = 1.0 + prices.budget @ of.counts
    usage = of.at_list(fleet.used, case.cells.spans)
    left = case.limits.quota_limit[:, None] - quota_use(case, fleet.used)
    level = cover.owned + bought[:, None]
    chosen = chosen.copy()
    for start, end in case.cells.spans:
        here = elsewhere & (ways.start[mixed.unit] == start) & (ways.end[mixed.unit] == end)
        mine = np.flatnonzero(here)
        mine = mine[np.argsort(more[mine], kind="stable")]
        swap(
            usd, ways.use, ways.own_start, ways.own_class, ways.own_usd, mixed.way[mine],
            mixed.unit[mine], start, end, k[rank], e[rank], rate[rank], counted, level, usage,
            left, chosen, lacking_usd(ways), MOVES, SWEEPS,
        )  # fmt: skip
    return chosen


@compiled
def covered_usd(
    usage: Floats, level: Floats, k: Ints, e: Ints, rate: Floats, counted: Floats
) -> float:
    """What levels [commitment] cover of ``usage`` [class] when pairs k, e are filled in order."""
    left, room, usd = usage.copy(), level.copy(), 0.0
    for i in range(len(k)):
        taken = min(left[e[i]], room[k[i]] / rate[i])
        if taken > 0.0:
            left[e[i]] -= taken
            room[k[i]] -= taken * rate[i]
            usd += taken * counted[k[i]]
    return usd


@compiled
def swap(
    usd: Floats,
    use: NDArray[np.float32],
    own_start: NDArray[np.int32],
    own_class: NDArray[np.int16],
    own_usd: Floats,
    way: Ints,
    unit: Ints,
    start: int,
    end: int,
    k: Ints,
    e: Ints,
    rate: Floats,
    counted: Floats,
    level: Floats,
    usage: Floats,
    left: Floats,
    chosen: Ints,
    lacking_usd: float,
    pairs: int,
    sweeps: int,
) -> None:
    """Move units, one or two at a time, to their listed ways while that saves anything.

    Quotas that are overdrawn cost ``lacking_usd``. Moves are column i of ``way`` and ``unit``;
    writes ``usage`` [class, hour], ``left`` [quota row, hour] and ``chosen``.
    """
    moves, hours = len(way), np.arange(start, end)
    brings, needs = np.zeros((moves, len(usage))), np.zeros((moves, len(left)))
    costs, now = np.zeros(moves), 0.0
    for i in range(moves):
        costs[i] = _move(
            usd, use, own_start, own_class, own_usd, way[i], unit[i], chosen, brings[i], needs[i]
        )
    for t in hours:
        now += covered_usd(usage[:, t], level[:, t], k, e, rate, counted)
        now -= lacking_usd * _lack(left[:, t])
    for _ in range(sweeps):
        moved = False
        for i in range(moves):
            for j in range(i, max(min(moves, pairs), i + 1)):  # j = i: one unit alone
                if chosen[unit[i]] == way[i]:
                    break
                if j > i and (unit[j] == unit[i] or chosen[unit[j]] == way[j]):
                    continue
                bring, need, cost = brings[i].copy(), needs[i].copy(), costs[i]
                if j > i:
                    bring, need, cost = bring + brings[j], need + needs[j], cost + costs[j]
                after = 0.0
                for t in hours:
                    after += covered_usd(usage[:, t] + bring, level[:, t], k, e, rate, counted)
                    after -= lacking_usd * _lack(left[:, t] - need)
                if cost - after + now > -1e-9:
                    continue
                moved, now = True, after
                chosen[unit[i]], chosen[unit[j]] = way[i], way[j]
                for t in hours:
                    usage[:, t] += bring
                    left[:, t] -= need
                for m in range(moves):
                    if unit[m] == unit[i] or unit[m] == unit[j]:
                        costs[m] = _move(
                            usd, use, own_start, own_class, own_usd, way[m], unit[m], chosen,
                            brings[m], needs[m],
                        )  # fmt: skip
        if not moved:
            break


@compiled
def _lack(left: Floats) -> float:
    """What quotas lack when ``left`` [quota row] is left of them."""
    lack = 0.0
    for q in range(len(left)):
        lack += max(-left[q] - 1e-9, 0.0)
    return lack


@compiled
def _move(
    usd: Floats,
    use: NDArray[np.float32],
    own_start: NDArray[np.int32],
    own_class: NDArray[np.int16],
    own_usd: Floats,
    way: int,
    unit: int,
    chosen: Ints,
    bring: Floats,
    need: Floats,
) -> float:
    """What it costs to move a unit to a way; writes the usage and quotas that it takes more."""
    units, was = usd.shape[1], chosen[unit]
    bring[:] = 0.0
    for j in range(own_start[way * units + unit], own_start[way * units + unit + 1]):
        bring[own_class[j]] += own_usd[j]
    for j in range(own_start[was * units + unit], own_start[was * units + unit + 1]):
        bring[own_class[j]] -= own_usd[j]
    for q in range(len(need)):
        need[q] = use[way, unit, q] - use[was, unit, q]
    return usd[way, unit] - usd[was, unit]
