"""Waiting times against Erlang's formula, and where it has a closed form."""

from __future__ import annotations

import math

import pytest

from optimizer.simulate.waiting import late_share


def _erlang_c(servers: int, load: float) -> float:
    """By its definition."""
    offered = servers * load
    busy = offered**servers / (math.factorial(servers) * (1 - load))
    return busy / (sum(offered**k / math.factorial(k) for k in range(servers)) + busy)


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9, 0.99])
def test_one_server_is_exact(load: float) -> None:
    for wait_s in (0.0, 0.3, 2.0):
        exact = load * math.exp(-(1 - load) * wait_s / 0.2)
        assert late_share(load, 1.0, 0.2, wait_s, 1.0) == pytest.approx(exact)


@pytest.mark.parametrize("servers", [1, 2, 5, 20, 100])
@pytest.mark.parametrize("load", [0.05, 0.5, 0.8, 0.95])
def test_the_chance_to_wait_is_erlangs(servers: int, load: float) -> None:
    exact = _erlang_c(servers, load)
    assert late_share(load, float(servers), 1.0, 0.0, 1.0) == pytest.approx(exact)


def test_variability_scales_the_mean_wait() -> None:
    calm, wild = (late_share(0.9, 4.0, 1.0, 1.0, v) for v in (0.5, 2.0))
    waits = late_share(0.9, 4.0, 1.0, 0.0, 1.0)
    assert math.log(calm / waits) == pytest.approx(4 * math.log(wild / waits))


def test_overload_is_late_and_idleness_is_not() -> None:
    assert late_share(1.0, 8.0, 0.1, 5.0, 1.0) == 1.0
    assert late_share(0.0, 8.0, 0.1, 0.0, 1.0) == 0.0
    assert late_share(0.8, 8.0, 0.1, 0.5, 0.0) < 1e-30
