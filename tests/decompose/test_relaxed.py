"""The best mix of ways costs no more than any choice of them, and swaps leave nothing to gain."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from separable import decomposed, simple

from optimizer.decompose.answer import Decomposed
from optimizer.decompose.choose import fleet_of
from optimizer.decompose.dual import quota_use, spending
from optimizer.decompose.relaxed import relax
from optimizer.decompose.repair import cell_answers
from optimizer.decompose.swaps import covered_usd, swap
from optimizer.decompose.tariff import Prices
from optimizer.decompose.ways import Ways, find_ways, no_less, tied_units


def _ways_of(seed: int) -> tuple[Ways, Prices] | None:
    """What the units of a small world answer at the prices of its bound."""
    found = decomposed(simple(seed))
    if not isinstance(found, Decomposed):
        return None
    case, prices = found.case, found.prices
    if not len(case.limits.quota_limit) and not len(case.covered.cover):
        return None
    none = np.zeros(len(case.lane_slot))
    own = case.tariff.routes(Prices(prices.quota, prices.budget, prices.covered,
                                    np.zeros_like(prices.ends), prices.rooms))  # fmt: skip
    answers = cell_answers(case, prices, (), own, none)
    if answers is None:
        return None
    return find_ways(case, answers, tied_units(case)).with_calls(own), prices


@pytest.mark.parametrize("first", [0, 20])
def test_no_choice_of_ways_costs_less_than_their_best_mix(first: int) -> None:
    compared = 0
    for seed in range(first, first + 20):
        if (asked := _ways_of(seed)) is None:
            continue
        ways, prices = asked
        case, cover = ways.case, ways.case.covered.cover
        mixed = relax(ways, prices)
        weights = np.bincount(mixed.unit, mixed.weight)
        assert weights == pytest.approx(np.ones(len(ways.first_cell))), f"seed {seed}"
        counted = 1.0 + prices.budget @ case.covered.counts
        usd = float(ways.usd(prices)[mixed.way, mixed.unit] @ mixed.weight)
        usd += float(counted @ (cover.usd_per_level_hour[:, None] * mixed.level).sum(axis=1))
        rng = np.random.default_rng(seed)
        for _ in range(20):
            chosen = rng.integers(0, len(ways.fleets), len(ways.first_cell))
            fleet = fleet_of(ways, chosen)
            if (quota_use(case, fleet.used) > case.limits.quota_limit[:, None]).any():
                continue
            compared += 1
            own = float(ways.usd(prices)[chosen, np.arange(len(chosen))].sum())
            own += fleet.levels.usd + float(prices.budget @ fleet.levels.paid)
            covered = (
                mixed.covered.sum() if not counted.size else mixed.covered.sum() * counted.max()
            )
            assert own >= usd - covered - 1e-6 * abs(usd), f"seed {seed}"
    assert compared >= 10


def test_ways_cost_bring_and_use_what_their_fleets_do() -> None:
    compared = 0
    for seed in range(20):
        if (asked := _ways_of(seed)) is None:
            continue
        ways, prices = asked
        case, rng = ways.case, np.random.default_rng(seed)
        worth = rng.random((case.covered.classes, case.periods))
        scarce = rng.random((len(case.limits.quota_limit), case.periods))
        dear = rng.random(len(case.limits.budget_limit))
        dearer = ways.usd(replace(prices, budget=dear)) - ways.usd(replace(prices, budget=0 * dear))
        for i, thin in enumerate(ways.fleets):
            fleet = thin.fleet(case)
            same = fleet_of(ways, np.full(len(ways.first_cell), i))
            for name in ("cell", "candidate", "count", "held", "share"):
                np.testing.assert_array_equal(getattr(fleet, name), getattr(same, name))
            at_list = case.covered.at_list(fleet.used, case.cells.spans)
            assert ways.saved(worth)[i].sum() == pytest.approx((worth * at_list).sum())
            used = quota_use(case, fleet.used)
            assert ways.charged(scarce)[i].sum() == pytest.approx((scarce * used).sum())
            paid = spending(case, fleet.used, fleet.share)
            assert dearer[i].sum() == pytest.approx(dear @ paid)
            compared += 1
    assert compared >= 20


@pytest.mark.parametrize("first", [1.0, 0.3, 16_777_217.0, 1e-30])
def test_what_quotas_count_is_never_told_too_low(first: float) -> None:
    values = first * np.random.default_rng(0).random(1000)
    told = no_less(values)
    assert (told.astype(np.float64) >= values).all()
    assert told == pytest.approx(values, rel=1.2e-7)
    np.testing.assert_array_equal(no_less(np.arange(1000) / 4), np.arange(1000) / 4)


@pytest.mark.parametrize("seed", range(20))
def test_levels_cover_as_much_as_a_linear_programme_says(seed: int) -> None:
    """Where each commitment takes all it covers at one rate, and covers one class or all."""
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(1, 5))
    pairs = [(e, e, rng.uniform(1, 20)) for e in range(classes)]
    pairs += [(classes, e, 0.7) for e in range(classes)]
    k, e = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    rate = np.array([pair[2] for pair in pairs])
    usage, level = rng.uniform(0, 5, classes), rng.uniform(0, 8, classes + 1)
    rows = np.zeros((classes + len(level), len(pairs)))
    rows[e, np.arange(len(pairs))] = 1.0
    rows[classes + k, np.arange(len(pairs))] = rate
    found: Any = linprog(-np.ones(len(pairs)), A_ub=rows, b_ub=np.concatenate([usage, level]))
    covers = covered_usd(usage, level, k, e, rate, np.ones(len(level)))
    assert covers == pytest.approx(-found.fun)


@pytest.mark.parametrize("seed", range(20))
def test_after_swaps_no_move_of_one_unit_or_two_saves_anything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ways, units, classes, quotas = 3, 7, 2, 2
    usd = rng.uniform(0, 1, (ways, units))
    own_usd = rng.uniform(0, 2, (ways, units, classes))
    use = rng.integers(0, 4, (ways, units, quotas)).astype(np.float32)
    level = rng.uniform(0, 5, (classes, 1))
    k = e = np.arange(classes)
    rate, counted, lacking_usd = np.ones(classes), np.ones(classes), 50.0
    limit = rng.uniform(0.3, 1.0, quotas) * use.max(axis=0).sum(axis=0)
    chosen = rng.integers(0, ways, units)
    every = np.arange(units)
    usage = own_usd[chosen, every].sum(axis=0)[:, None]
    left = (limit - use[chosen, every].sum(axis=0))[:, None]

    def cost(of: Any) -> float:
        brought, used = own_usd[of, every].sum(axis=0), use[of, every].sum(axis=0)
        lack = np.maximum(used - limit, 0.0).sum()
        covered = np.minimum(brought, level[:, 0]).sum()
        return float(usd[of, every].sum() - covered + lacking_usd * lack)

    before = cost(chosen)
    moves = np.array([(v, g) for v in range(ways) for g in range(units)])
    swap(
        usd, use, np.arange(ways * units + 1, dtype=np.int32) * classes,
        np.tile(np.arange(classes, dtype=np.int16), ways * units), own_usd.ravel(),
        moves[:, 0].copy(), moves[:, 1].copy(), 0, 1, k, e, rate, counted, level, usage, left,
        chosen, lacking_usd, len(moves), 1000,
    )  # fmt: skip
    after = cost(chosen)
    assert after <= before + 1e-9
    assert usage[:, 0] == pytest.approx(own_usd[chosen, every].sum(axis=0))
    assert left[:, 0] == pytest.approx(limit - use[chosen, every].sum(axis=0))
    for a, b in combinations(range(len(moves)), 2):
        other = chosen.copy()
        other[moves[a, 1]] = moves[a, 0]
        assert cost(other) >= after - 1e-6
        other[moves[b, 1]] = moves[b, 0]
        assert cost(other) >= after - 1e-6
