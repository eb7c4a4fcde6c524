"""The best mix of what units may do: a linear programme over their ways, and its prices.

    min  Σ usd x + Σ γ T c - Σ u             Σ_{ways of a unit} x = 1
    Σ_k u[k,e,t] ≤ Σ V x       : λ[e,t]      Σ_e ρ[k,e] u[k,e,t] ≤ c_k + owned[k,t]
    Σ use x ≤ limit            : ν[q,t]

with every dollar of a commitment counted as budgets at their prices count it. The master mixes
answers of whole spans; here every unit mixes for itself. A basic solution has at most as many units
that go several ways as rows that units share: of large fleets, hardly any (Shapley and Folkman).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from models.errors import SolverFailed
from optimizer.decompose.cells import within
from optimizer.decompose.tariff import Prices
from optimizer.decompose.ways import Ways

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OPEN = 800
"""Ways of a span's units that a part mixes anew: those for which prices change least."""
UNITS = 50_000
"""Units of a part, at most: about those of 1,000 services over a day."""
COLUMNS = 30_000
"""Ways that one programme mixes, at most: about those of 400 services over a day."""
FAR = 0.5
"""By how much prices per dollar of usage would have to change for a way that is not mixed."""
LACKING = 100.0
"""Price of what a quota lacks, in multiples of the dearest price of what an instance uses of it."""


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The best mix of ways: ``weight`` [column] of ``way`` and ``unit`` [column].

    ``prices`` are its dual's. ``level`` [commitment, hour] is what is owned and bought, and
    ``covered`` [class, hour] the usage that it covers.
    """

    way: Ints
    unit: Ints
    weight: Floats
    prices: Prices
    level: Floats
    covered: Floats

    @property
    def heaviest(self) -> Ints:
        """The way of each unit with the largest weight."""
        order = np.lexsort((-self.weight, self.unit))
        first = np.flatnonzero(np.diff(self.unit[order], prepend=-1))
        return np.asarray(self.way[order][first], np.int64)

    @property
    def divided(self) -> Bools:
        """Units that go several ways [unit]."""
        whole = self.unit[self.weight > 1.0 - 1e-6]
        divided: Bools = np.bincount(whole, minlength=int(self.unit.max(initial=-1)) + 1) == 0
        return divided


def relax(ways: Ways, prices: Prices) -> Relaxed:
    """The best mix of all ways, worth mixing at ``prices``.

    Large fleets are dealt into parts, each of which has its share of levels and quotas: they are
    alike, and one programme would take more than linearly longer.
    """
    way, unit = _worth_mixing(ways, prices, None, 0)
    return _dealt(ways, prices, way, unit, -(-len(way) // COLUMNS))


def relax_near(ways: Ways, prices: Prices, before: Ints, most: int = OPEN) -> Relaxed:
    """The best mix near ``before`` [unit], ways that make a good mix at ``prices``.

    Units that these prices do not tempt stay; a part mixes ``most`` other ways of a span. Units
    that span all hours, whose choice binds all, are whole before the others are mixed.
    """
    parts = -(-len(before) // UNITS)
    way, unit = _worth_mixing(ways, prices, before, most * parts)
    found = _dealt(ways, prices, way, unit, parts)
    of_all = (ways.end - ways.start == ways.case.periods) & (ways.case.periods > 1)
    if not (of_all & found.divided).any():
        return found
    kept = ~of_all[unit] | (way == found.heaviest[unit])
    return _dealt(ways, prices, way[kept], unit[kept], parts)


def _dealt(ways: Ways, prices: Prices, way: Ints, unit: Ints, parts: int) -> Relaxed:
    """The best mix of columns ``way``, ``unit``, each of some ``parts`` of the units for itself."""
    usd = ways.usd(prices)[way, unit]
    first = np.bincount(unit, usd) / np.bincount(unit)
    shares = np.bincount(np.arange(len(first)) % parts, first, parts) / first.sum()
    mixes = [
        _mixed(ways, prices, way[own := unit % parts == part], unit[own], usd[own], float(share))
        for part, share in enumerate(shares)
    ]
    if parts == 1:
        return mixes[0]
    asked = replace(
        prices,
        covered=np.mean([mix.prices.covered for mix in mixes], axis=0),
        quota=np.mean([mix.prices.quota for mix in mixes], axis=0),
    )
    return Relaxed(
        np.concatenate([mix.way for mix in mixes]),
        np.concatenate([mix.unit for mix in mixes]),
        np.concatenate([mix.weight for mix in mixes]),
        asked,
        np.sum([mix.level for mix in mixes], axis=0),
        np.sum([mix.covered for mix in mixes], axis=0),
    )


def _mixed(ways: Ways, prices: Prices, way: Ints, unit: Ints, usd: Floats, share: float) -> Relaxed:
    """The best mix of columns ``way``, ``unit`` that cost ``usd`` at ``prices``, for a ``share`` of
    all levels and quotas.
    """
    case, of, cover = ways.case, ways.case.covered, ways.case.covered.cover
    usage, use = _usage(ways, way, unit), _quota_use(ways, way, unit)
    alone = np.bincount(unit)[unit] == 1
    mixed, weight = np.flatnonzero(~alone), alone.astype(np.float64)
    levels, quotas = len(cover), use.shape[0]
    bought, lacking = len(mixed), len(mixed) + of.programme.rows.shape[1]
    counted = 1.0 + prices.budget @ of.counts
    cost = np.concatenate([
        usd[mixed],
        counted * cover.usd_per_level_hour * of.hours,
        -np.repeat(counted[of.programme.commitment], of.hours),
        np.full(quotas, lacking_usd(ways)),
    ])  # fmt: skip
    upper = np.full(len(cost), np.inf)
    upper[bought : bought + levels] = cover.at_most * share
    bounds: Any = np.stack([np.zeros(len(cost)), upper], axis=1)
    limit = np.repeat(case.limits.quota_limit, of.hours) * share
    settled = cover.owned.ravel() * share, usage @ weight, limit - use @ weight
    whole: Any = _one_of_each(unit[mixed], len(cost))
    found: Any = linprog(
        cost,
        A_ub=_shared_rows(ways, usage[:, mixed], use[:, mixed]),
        b_ub=np.concatenate(settled),
        A_eq=whole,
        b_eq=np.ones(whole.shape[0]),
        bounds=bounds,
        method="highs",
    )
    if found.x is None:
        raise SolverFailed(f"the best mix of ways cannot be told: {found.message}")
    price = np.maximum(-found.ineqlin.marginals[levels * of.hours :], 0.0)
    worth, scarce = np.split(price, [usage.shape[0]])
    asked = replace(
        prices,
        covered=worth.reshape(of.classes, of.hours),
        quota=scarce.reshape(-1, of.hours),
    )
    weight[mixed] = found.x[:bought]
    covered = np.zeros((of.classes, of.hours))
    by_pair = found.x[bought + levels : lacking].reshape(-1, of.hours)
    np.add.at(covered, of.programme.usage_class, by_pair)
    level = cover.owned * share + found.x[bought : bought + levels, None]
    return Relaxed(way, unit, weight, asked, level, covered)


def _shared_rows(ways: Ways, usage: Any, use: Any) -> Any:
    """Levels, usage and quotas; columns: ways, then levels and what they cover, then what lacks."""
    programme, ways_mixed, quotas = ways.case.covered.programme.rows, usage.shape[1], use.shape[0]
    level_rows = programme.shape[0] - usage.shape[0]
    empty = sparse.csr_array
    return sparse.vstack(
        [
            sparse.hstack([empty((level_rows, ways_mixed)), programme[:level_rows],
                           empty((level_rows, quotas))]),
            sparse.hstack([-usage, programme[level_rows:], empty((usage.shape[0], quotas))]),
            sparse.hstack([use, empty((quotas, programme.shape[1])), -sparse.eye_array(quotas)]),
        ],
        format="csr",
    )  # fmt: skip


def _one_of_each(unit: Ints, columns: int) -> Any:
    """One row for every unit among the first columns, those of ``unit`` [way]."""
    row = np.unique(unit, return_inverse=True)[1].ravel()
    ones = np.ones(len(unit)), (row, np.arange(len(unit)))
    return sparse.csr_array(ones, shape=(int(row.max(initial=-1)) + 1, columns))


def _worth_mixing(ways: Ways, prices: Prices, before: Ints | None, most: int) -> tuple[Ints, Ints]:
    """Way and unit of the columns: every unit's best way, and others that are not far from it.

    Where there is a way ``before``, that and at most ``most`` others of each span.
    """
    way, unit, far = _not_far(ways, prices, before)
    if before is None:
        return way, unit
    span = np.unique(ways.start * (ways.case.periods + 1) + ways.end, return_inverse=True)[1]
    order = np.lexsort((far, span.ravel()[unit]))
    way, unit, far, span = way[order], unit[order], far[order], span.ravel()[unit][order]
    rank = np.arange(len(way)) - np.searchsorted(span, span)
    near = rank < np.bincount(span, np.isinf(far))[span] + most
    return way[near], unit[near]


def _not_far(ways: Ways, prices: Prices, before: Ints | None) -> tuple[Ints, Ints, Floats]:
    """Ways ``FAR`` from each unit's best at most, or from the one ``before``: way, unit, how far.

    Of a unit's ways that cost and use the same, the nearest.
    """
    usd = ways.usd(prices) + ways.charged(prices.quota) - ways.saved(prices.covered)
    every = np.arange(usd.shape[1])
    best = usd.argmin(axis=0) if before is None else before
    stake = ways.saved(np.ones_like(prices.covered))
    stake += ways.use.sum(axis=2) * _unit_usd(ways) * (ways.end - ways.start)
    stake = np.maximum(stake + stake[best, every], 1e-12)
    change = (usd - usd[best, every]) / stake
    change[best, every] = -np.inf
    del stake
    mark = _marks(ways, usd)
    found = []
    for first in range(0, len(every), UNITS):
        part = slice(first, first + UNITS)
        way, unit = np.nonzero(change[:, part] < FAR)
        far, of = change[:, part][way, unit], mark[:, part][way, unit]
        order = np.lexsort((far, of, unit))
        new = np.ones(len(way), np.bool_)
        new[1:] = (np.diff(unit[order]) != 0) | (np.diff(of[order]) != 0)
        kept = order[new]
        found.append((way[kept], unit[kept] + first, far[kept]))
    way, unit, far = (np.concatenate(part) for part in zip(*found, strict=True))
    return way, unit, far


def _marks(ways: Ways, usd: Floats) -> Floats:
    """Numbers [way, unit] that are equal where ways cost ``usd`` and use the same.

    What they use is told by its sum with weights that no two classes, hours or quotas share.
    """
    weights = np.random.default_rng(0).random(ways.case.covered.classes * ways.case.covered.hours)
    sums = usd + ways.saved(weights.reshape(-1, ways.case.covered.hours))
    for q in range(ways.use.shape[2]):
        sums += (0.5 + q) * ways.use[:, :, q]
    return np.round(sums, 9)


def _unit_usd(ways: Ways) -> float:
    """About what an instance costs per unit of what quotas count."""
    goods = ways.case.cells.goods
    return float(np.median(goods.cost_usd_per_hour / np.maximum(goods.vcpus, 1e-9)))


def lacking_usd(ways: Ways) -> float:
    """Price of what a quota lacks, USD per unit and hour."""
    return LACKING * float(ways.case.cells.goods.cost_usd_per_hour.max(initial=1.0))


def _usage(ways: Ways, way: Ints, unit: Ints) -> Any:
    """Usage at list price [class · hour, column], USD/h."""
    at = way * len(ways.first_cell) + unit
    low = ways.own_start[at].astype(np.int64)
    length = ways.own_start[at + 1] - low
    entry: Ints = np.repeat(low, length)
    entry += within(length)
    column = np.repeat(np.arange(len(at)), length)
    return _hourly(
        ways,
        unit,
        ways.own_class[entry].astype(np.int64),
        column,
        ways.own_usd[entry],
        ways.case.covered.classes,
    )


def _quota_use(ways: Ways, way: Ints, unit: Ints) -> Any:
    """Use of quotas [quota row · hour, column]."""
    use = ways.use[way, unit].astype(np.float64)
    column, row = np.nonzero(use)
    return _hourly(ways, unit, row, column, use[column, row], use.shape[1])


def _hourly(ways: Ways, unit: Ints, row: Ints, column: Ints, value: Floats, rows: int) -> Any:
    """A matrix [row · hour, column] with ``value`` in every hour of the column's unit."""
    hours = ways.case.covered.hours
    first = ways.start[unit[column]]
    length = ways.end[unit[column]] - first
    hour = np.repeat(first, length) + within(length)
    at: Ints = np.repeat(row, length) * hours + hour
    entries = np.repeat(value, length), (at, np.repeat(column, length))
    return sparse.csr_array(entries, shape=(rows * hours, len(unit)))
