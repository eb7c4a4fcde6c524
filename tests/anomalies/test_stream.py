"""One pass, never looking ahead: streams, batches, kept states, shifts and scales agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer.anomalies.follow import ALARM, RARITY, SETTLING, VIEW, follow
from optimizer.anomalies.state import new_state
from optimizer.anomalies.stream import Detector

exactly = settings(derandomize=True, deadline=None, max_examples=12)
STEP_S = 300.0
STEPS = 1_600
AT_S = 1.7e9 + STEP_S * np.arange(STEPS, dtype=np.float64)


def series(seed: int, gaps: bool = True) -> NDArray[np.float64]:
    """Daily swing and noise with spikes, a shift of level, and gaps."""
    chance = np.random.default_rng(seed)
    values = 100 + 30 * np.sin(2 * np.pi * np.arange(STEPS) / 288) + chance.normal(0, 3, STEPS)
    values[chance.integers(0, STEPS, 5)] += 200
    values[chance.integers(300, STEPS) :] += chance.normal(0, 60)
    if gaps:
        for start in chance.integers(0, STEPS, 3):
            values[start : start + chance.integers(1, 40)] = np.nan
    return values


@exactly
@given(st.integers(0, 10**6), st.integers(0, STEPS))
def test_where_a_series_is_cut_makes_no_difference(seed: int, cut: int) -> None:
    values = series(seed)
    whole = follow(new_state(), AT_S, values, STEP_S)
    state = new_state()
    first = follow(state, AT_S[:cut], values[:cut], STEP_S)
    second = follow(state, AT_S[cut:], values[cut:], STEP_S)
    np.testing.assert_array_equal(whole, np.concatenate([first, second]))


@exactly
@given(st.integers(0, 10**6), st.integers(200, STEPS - 1))
def test_nothing_is_known_of_the_future(seed: int, cut: int) -> None:
    values = series(seed)
    other = values.copy()
    other[cut:] = np.random.default_rng(seed).normal(0, 1e6, STEPS - cut)
    one = follow(new_state(), AT_S, values, STEP_S)
    two = follow(new_state(), AT_S, other, STEP_S)
    np.testing.assert_array_equal(one[:cut], two[:cut])


@exactly
@given(st.integers(0, 10**6), st.integers(-20, 20), st.sampled_from([-4096.0, 0.0, 512.0]))
def test_units_make_no_difference(seed: int, power: int, offset: float) -> None:
    """Scales by a power of two are exact; offsets round, so rarities may differ in late digits."""
    values = series(seed)
    one = follow(new_state(), AT_S, values, STEP_S)
    two = follow(new_state(), AT_S, (values + offset) * 2.0**power, STEP_S)
    np.testing.assert_allclose(one[:, RARITY], two[:, RARITY], rtol=1e-6, atol=1e-6)
    mirrored = follow(new_state(), AT_S, -values, STEP_S)
    np.testing.assert_allclose(one[:, RARITY], mirrored[:, RARITY], rtol=1e-9, atol=1e-9)


def test_a_detector_says_value_by_value_what_a_batch_says() -> None:
    values = series(3)
    whole = follow(new_state(), AT_S, values, STEP_S)
    detector = Detector(STEP_S)
    for i, value in enumerate(values):
        if i == STEPS // 2:
            detector = Detector.from_bytes(detector.to_bytes(), STEP_S)
        score = detector.update(datetime.fromtimestamp(AT_S[i], UTC), float(value))
        assert (score.rarity, score.alarm) == (whole[i, RARITY], whole[i, ALARM] == 1)
        assert (score.why == "") == np.isnan(whole[i, VIEW])
    assert whole[:, ALARM].sum() > 0


def test_a_gap_is_neither_an_alarm_nor_learnt() -> None:
    values = series(4, gaps=False)
    values[900:] -= 500
    values[1000:] += 500
    values[900:1000] = np.nan
    facts = follow(new_state(), AT_S, values, STEP_S)
    assert (facts[900:1000, ALARM] == 0).all()
    assert (facts[1000 : 1000 + SETTLING, ALARM] == 0).all()
    kept = np.isfinite(values)
    np.testing.assert_array_equal(
        facts[kept], follow(new_state(), AT_S[kept], values[kept], STEP_S)
    )


def test_what_returns_shifted_from_a_gap_raises_no_alarm_at_once() -> None:
    values = np.random.default_rng(5).normal(50, 2, STEPS)
    values[900:1000] = np.nan
    values[1000:1006] += 100
    facts = follow(new_state(), AT_S, values, STEP_S)
    assert (facts[900:, ALARM] == 0)[: 100 + SETTLING].all()


@pytest.mark.parametrize("kept", [b"", b"something else", Detector(1.0).to_bytes()[:-40]])
def test_a_state_that_is_none_is_refused(kept: bytes) -> None:
    with pytest.raises(ValueError, match="not a kept state"):
        Detector.from_bytes(kept, STEP_S)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks a time zone"):
        Detector(STEP_S).update(datetime(2025, 1, 1), 1.0)  # noqa: DTZ001


def test_times_in_any_zone_are_the_same() -> None:
    one, two = Detector(STEP_S), Detector(STEP_S)
    at = datetime(2025, 3, 30, tzinfo=UTC)  # clocks change on this night
    for i, value in enumerate(series(6, gaps=False)[:400]):
        when = at + timedelta(seconds=STEP_S * i)
        one.update(when, float(value))
        two.update(when.astimezone(ZoneInfo("Europe/Berlin")), float(value))
    np.testing.assert_array_equal(one.state.ordered, two.state.ordered)
    np.testing.assert_array_equal(one.state.blocks, two.state.blocks)
