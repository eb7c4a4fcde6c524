"""New kinds of errors and bursts of known ones, judged by what came before."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.foreseen import Anomaly
from models.signals import SignalKey, Signals
from optimizer.incidents.error_lines import straying_lines, surprises
from providers.otlp.logs import ErrorLines

exactly = settings(derandomize=True, deadline=None, max_examples=60)
T0 = datetime(2026, 3, 2, tzinfo=UTC)
START = int(T0.timestamp())
DAY = 1440


def straying(counts: dict[str, np.ndarray], gap: slice | None = None) -> tuple[Anomaly, ...]:
    """Anomalies of the kinds of lines of one service."""
    total = np.sum(list(counts.values()), axis=0) / 60.0
    if gap is not None:
        total[gap] = np.nan
    lines = [
        ErrorLines(START + 60 * i, 60, "web", f"{kind} <*>", kind, int(n), f"{kind} 7")
        for kind, row in counts.items()
        for i, n in enumerate(row)
        if n and not np.isnan(total[i])
    ]  # fmt: skip
    key = SignalKey("log_errors_rps", "web")
    return straying_lines(lines, Signals(T0, 60, (key,), total[None, :].astype(float)))


def steady(rate: float, steps: int = 2 * DAY, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rate, steps)


def test_a_new_kind_of_error_is_told_with_an_example() -> None:
    new = np.zeros(2 * DAY, int)
    new[2000] = 3
    (found,) = straying({"lost": steady(2), "refused": new})
    assert found.starts == T0.replace(day=3, hour=9, minute=20)
    assert found.why == ("a new kind of error, 3 lines a minute: refused <*>, such as: refused 7")
    assert found.score == pytest.approx(0.875)


def test_nothing_is_new_to_whoever_has_just_come() -> None:
    new = np.zeros(DAY - 10, int)
    new[-1] = 3
    assert straying({"lost": steady(2, DAY - 10), "refused": new}) == ()


def test_a_burst_is_one_anomaly_with_what_was_usual() -> None:
    counts = steady(2)
    counts[2500:2510] = 40
    (found,) = straying({"lost": counts})
    assert (found.ends - found.starts).total_seconds() == 600
    assert found.value == pytest.approx(40 / 60)
    assert found.expected == pytest.approx(2 / 60, rel=0.2)
    assert "40 lines a minute of an error that comes 2" in found.why


@pytest.mark.parametrize("seed", range(5))
def test_clumps_are_usual_where_they_are_usual(seed: int) -> None:
    chance = np.random.default_rng(seed)
    clumps = np.where(chance.random(4 * DAY) < 0.02, chance.poisson(30, 4 * DAY), 0)
    found = straying({"retry": clumps})
    assert all(one.starts < T0.replace(day=3) for one in found)  # learnt within a day


def test_steady_errors_alarm_nobody() -> None:
    counts = {f"k{i}": steady(rate, 7 * DAY, i) for i, rate in enumerate((0.01, 0.3, 2, 20))}
    early = T0.replace(day=3)
    assert [one for one in straying(counts) if one.starts >= early and "new" not in one.why] == []


def test_a_gap_is_no_silence() -> None:
    counts = steady(20)
    assert straying({"lost": counts}, slice(1500, 2500)) == ()


@exactly
@given(st.lists(st.integers(0, 50), min_size=2, max_size=60), st.integers(1, 59))
def test_no_step_is_judged_by_what_comes_after(counts: list[int], cut: int) -> None:
    whole, _ = surprises(counts, 60)
    part, _ = surprises(counts[:cut], 60)
    np.testing.assert_allclose(part, whole[:cut])


@exactly
@given(st.floats(0.05, 30), st.integers(0, 1000))
def test_rare_is_as_rare_as_it_says(rate: float, seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(rate, 3_000).astype(float)
    surprise, expected = surprises(counts, 60)
    assert (surprise[1_000:] <= 1e-3).mean() <= 5e-3
    assert expected[1_000:].mean() == pytest.approx(rate, rel=0.3, abs=0.1)
