"""Sums and exact quantiles by group, against a plain second way to work them out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.otlp.measures import QUANTILES, measure

exactly = settings(derandomize=True, deadline=None, max_examples=200)
CALLS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.floats(0, 1e5, allow_subnormal=False),
        st.booleans(),
        st.sampled_from([0.0, 1.0, 2.0, 4.0]),
    ),
    max_size=40,
)


@exactly
@given(CALLS)
def test_measures_are_those_of_every_call_written_out(
    calls: list[tuple[int, float, bool, float]],
) -> None:
    columns = zip(*calls, strict=True) if calls else [(), (), (), ()]
    groups, ms, failed, weight = map(list, columns)
    found = measure(
        np.array(groups, np.int64), np.array(ms, float), np.array(failed, bool),
        np.array(weight, float),
    )  # fmt: skip
    assert found.groups.tolist() == sorted(set(groups))
    for i, group in enumerate(found.groups):
        alike = [call for call in calls if call[0] == group for _ in range(int(call[3]))]
        assert found.calls[i] == len(alike)
        assert found.errors[i] == sum(call[2] for call in alike)
        latencies = sorted(call[1] for call in alike)
        for name, share in QUANTILES.items():
            value = found.latency_ms[name][i]
            if not latencies:
                assert math.isnan(value)
            else:
                rank = math.ceil(round(share * len(latencies), 6))
                assert value == latencies[rank - 1]
        if latencies:
            mean = sum(latencies) / len(latencies)
            assert found.latency_ms["latency_mean_ms"][i] == pytest.approx(mean)


@exactly
@given(CALLS.filter(bool), st.floats(0.1, 10))
def test_latency_scales_and_does_not_depend_on_order(
    calls: list[tuple[int, float, bool, float]], factor: float
) -> None:
    groups, ms, failed, weight = map(np.array, zip(*calls, strict=True))
    one = measure(groups, ms, failed, weight)
    other = measure(groups[::-1], factor * ms[::-1], failed[::-1], weight[::-1])
    for name, values in one.latency_ms.items():
        np.testing.assert_allclose(other.latency_ms[name], factor * values, rtol=1e-9)
