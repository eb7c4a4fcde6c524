"""Noise in many signals is told from what strays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from models.signals import SignalKey, Signals
from optimizer.anomalies.chance import beyond_chance
from optimizer.anomalies.detect import detect

STARTS = datetime(2026, 3, 1, tzinfo=UTC)
STEPS, MANY = 2_000, 30


def noise(series: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(5).normal(100.0, 5.0, (series, STEPS))


def signals(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Signals:
    keys = tuple(SignalKey("requests_rps", f"s{i:02d}") for i in range(len(values)))
    return Signals(STARTS, 300, keys, values)


def test_noise_in_many_signals_leaves_about_one() -> None:
    found = detect(signals(noise(MANY)))
    assert len(found) > 10  # once in 800 steps of each: too many for a person
    assert len(beyond_chance(found, MANY * STEPS)) <= 2


def test_what_strays_stays() -> None:
    values = noise(MANY)
    values[7, 1_500:1_530] += 60.0
    kept = beyond_chance(detect(signals(values)), MANY * STEPS)
    at = STARTS + timedelta(seconds=300 * 1_500)
    assert any(one.key.service == "s07" and one.starts == at for one in kept)


def test_one_look_is_told_of_whatever_is_found() -> None:
    found = detect(signals(noise(2)))
    assert beyond_chance(found, 1) == found
