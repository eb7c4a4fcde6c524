"""Memories against lists, and rarities against what they promise of chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.anomalies.memory import MOST, TAIL_LEAST, TAIL_SHARE, rarity, remember

exactly = settings(derandomize=True, deadline=None, max_examples=60)
few = st.integers(-4, 4).map(float)


@exactly
@given(st.lists(few, max_size=60), st.integers(1, 20))
def test_a_memory_holds_its_last_values_in_both_orders(values: list[float], size: int) -> None:
    ordered, aged = np.zeros(size), np.zeros(size)
    held = oldest = 0
    for value in values:
        held, oldest = remember(ordered, aged, held, oldest, value)
    last = values[-size:]
    assert held == len(last)
    assert ordered[:held].tolist() == sorted(last)
    assert sorted(aged[:held].tolist()) == sorted(last)


def _by_hand(values: list[float], value: float) -> float:
    many = max(TAIL_LEAST, int(TAIL_SHARE * len(values)))
    if len(values) <= many:
        return 0.0
    above = sum(other >= value for other in values)
    if above >= many:
        return -math.log10((above + 1) / (len(values) + 1))
    tail = sorted(values)[-many:]
    threshold = sorted(values)[-many - 1]
    scale = max(sum(tail) / many - threshold, 1e-9 * abs(threshold), 1e-300)
    chance = math.exp(-(value - threshold) / scale) * many / (len(values) + 1)
    return min(MOST, -math.log10(chance)) if chance > 0 else MOST


@exactly
@given(st.lists(st.floats(-100, 100), min_size=5, max_size=80), st.floats(-300, 300))
def test_rarity_is_what_one_works_out_by_hand(values: list[float], value: float) -> None:
    ordered = np.array(sorted(values))
    assert rarity(ordered, len(values), value, True) == pytest.approx(_by_hand(values, value))
    mirrored = [-other for other in values]
    below = rarity(ordered, len(values), value, False)
    assert below == pytest.approx(_by_hand(mirrored, -value))


def test_rarer_than_all_is_rarer_the_further_out() -> None:
    ordered = np.sort(np.random.default_rng(1).normal(size=500))
    outwards = [rarity(ordered, 500, value, True) for value in (0.0, 1.0, 2.0, 3.0, 5.0, 9.0, 1e9)]
    assert outwards == sorted(outwards)
    assert outwards[0] == pytest.approx(0.3, abs=0.05)
    assert outwards[-1] <= MOST


@pytest.mark.parametrize("rare", [1.0, 2.0, 3.0])
def test_chance_is_as_often_that_rare_as_it_says(rare: float) -> None:
    """Of exponential values, 10^-rarity and no more than twice that are as rare."""
    chance = np.random.default_rng(2)
    as_rare = 0
    for _ in range(200):
        ordered = np.sort(chance.exponential(size=1_000))
        as_rare += sum(
            rarity(ordered, 1_000, x, True) >= rare for x in chance.exponential(size=100)
        )
    assert 0.4 * 10.0**-rare <= as_rare / 20_000 <= 2.0 * 10.0**-rare
