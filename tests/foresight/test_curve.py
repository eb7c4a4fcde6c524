"""Capacity curves: what is learnt of planted queues, and when nothing may be claimed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer.foresight.bottlenecks import bottleneck, present_curve
from optimizer.foresight.curve import Break, fitted

Values = NDArray[np.float64]
HOURS = 14 * 24
SATURATED, BASE, OBJECTIVE = 100.0, 20.0, 60.0


def queue(rho: Values, servers: int) -> Values:
    waited: Values = rho ** (np.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - rho))
    return waited


def breaking(servers: int) -> float:
    rho = np.linspace(0, 0.999, 5000)
    return SATURATED * float(np.interp(OBJECTIVE, BASE + BASE * queue(rho, servers), rho))


def measured(servers: int, top: float, seed: int = 0, hours: int = HOURS) -> tuple[Values, Values]:
    chance = np.random.default_rng(seed)
    wave = 0.55 + 0.45 * np.sin(2 * np.pi * np.arange(hours) / 24)
    load = SATURATED * top * wave * np.exp(0.05 * chance.normal(size=hours))
    load = np.minimum(load, 0.98 * SATURATED)
    latency = BASE + BASE * queue(load / SATURATED, servers)
    return load, latency * np.exp(0.08 * chance.normal(size=hours))


def breaks(load: Values, latency: Values, objective: float = OBJECTIVE) -> Break:
    curve = fitted(load, latency)
    assert curve is not None
    return curve.breaks(objective)


@pytest.mark.parametrize(("servers", "top"), [(1, 0.5), (1, 0.8), (4, 0.7), (4, 0.9), (8, 0.9)])
def test_a_knee_is_found_from_below(servers: int, top: float) -> None:
    found = breaks(*measured(servers, top))
    assert found.known
    assert found.low * 0.95 <= breaking(servers) <= found.high * 1.05
    assert found.load == pytest.approx(breaking(servers), rel=0.12)


def test_far_from_the_knee_nothing_is_claimed_but_a_floor() -> None:
    found = breaks(*measured(8, 0.3))
    assert not found.known
    assert 30.0 < found.low < breaking(8) * 1.05


def test_a_flat_latency_claims_nothing() -> None:
    load, _ = measured(1, 0.5)
    latency = 20.0 * np.exp(0.05 * np.random.default_rng(3).normal(size=load.size))
    assert not breaks(load, latency).known


def test_bad_neighbours_do_not_move_the_curve() -> None:
    load, latency = measured(1, 0.7)
    slow = latency * np.where(np.random.default_rng(4).random(load.size) < 0.15, 3.0, 1.0)
    assert breaks(load, slow).load == pytest.approx(breaks(load, latency).load, rel=0.05)


def test_gaps_are_left_out() -> None:
    load, latency = measured(1, 0.7)
    gone = np.random.default_rng(5).random(load.size) < 0.2
    found = breaks(np.where(gone, np.nan, load), latency)
    assert found.load == pytest.approx(breaking(1), rel=0.05)


def test_load_that_hardly_varies_has_no_curve() -> None:
    load, latency = measured(1, 0.7)
    assert fitted(np.full(load.size, 50.0), latency) is None
    assert fitted(load[:20], latency[:20]) is None


def test_a_new_version_has_a_curve_of_its_own() -> None:
    load, latency = measured(1, 0.8, hours=20 * 24)
    slower = np.where(np.arange(load.size) >= 12 * 24, 1.3, 1.0) * latency
    curve = present_curve(load, slower, 24)
    assert curve is not None
    want = fitted(load, 1.3 * latency)
    assert want is not None
    assert curve.breaks(90.0).load == pytest.approx(want.breaks(90.0).load, rel=0.03)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6), unit=st.sampled_from([0.01, 8.0]), ms=st.sampled_from([0.1, 50.0])
)
def test_units_do_not_matter(seed: int, unit: float, ms: float) -> None:
    load, latency = measured(2, 0.8, seed)
    one, two = breaks(load, latency), breaks(unit * load, ms * latency, ms * OBJECTIVE)
    assert two.load == pytest.approx(unit * one.load, rel=1e-6)
    assert two.high == pytest.approx(unit * one.high, rel=1e-6)
    assert one.low <= one.load <= one.high


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_latency_rises_with_load(seed: int) -> None:
    curve = fitted(*measured(4, 0.8, seed))
    assert curve is not None
    assert (np.diff(curve.latency(np.linspace(1, 150, 60))) >= -1e-9).all()


def test_growing_load_is_foreseen_to_break_the_objective_and_steady_load_is_not() -> None:
    hours = 24 * 24
    hour = np.arange(hours)
    chance = np.random.default_rng(6)
    wave = 0.6 + 0.4 * np.sin(2 * np.pi * (hour - 8) / 24)
    noise = np.exp(0.03 * chance.normal(size=hours))
    steady = 0.5 * breaking(1) * wave * noise
    growing = steady * np.exp(np.maximum(hour - 16 * 24, 0) * np.log(1.7) / (8 * 24))

    def look(load: Values) -> float:
        latency = BASE + BASE * queue(np.minimum(load / SATURATED, 0.98), 1)
        latency *= np.exp(0.06 * chance.normal(size=hours))
        return bottleneck(load, latency, OBJECTIVE, 24, hours % 168, 168).probability

    assert look(growing) > 0.8
    assert look(steady) < 0.1
