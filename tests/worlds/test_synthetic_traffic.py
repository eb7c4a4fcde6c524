"""Synthetic demand has the rhythm, growth and noise that it was asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from scenarios.generate.chance import Chance
from scenarios.generate.traffic import BUSINESS, SHOPPERS, Crowd, hourly_rps

MONDAY = datetime(2026, 10, 19, tzinfo=UTC)
WEEK = 168


QUIET = Crowd(peak_rps=100.0, rhythm=SHOPPERS, utc_offset_hours=0, noise=0.0)


def test_without_noise_the_busiest_hour_reaches_the_peak() -> None:
    rps = hourly_rps([QUIET], MONDAY, WEEK, Chance(0))
    assert rps.max() == 100.0
    assert int(rps.argmax()) == 6 * 24 + 20  # Sunday evening


def test_people_farther_east_come_earlier_in_utc() -> None:
    here, east = hourly_rps(
        [QUIET, replace(QUIET, utc_offset_hours=8)], MONDAY, 3 * WEEK, Chance(0)
    )
    assert np.array_equal(east[:-8], here[8:])


def test_history_may_start_in_the_middle_of_a_day() -> None:
    whole = hourly_rps([QUIET], MONDAY, 48, Chance(0))
    late = hourly_rps([QUIET], MONDAY.replace(hour=15), 33, Chance(0))
    assert np.array_equal(late[0], whole[0, 15:])


def test_offices_are_empty_at_the_weekend() -> None:
    days = (
        hourly_rps([replace(QUIET, rhythm=BUSINESS)], MONDAY, WEEK, Chance(0))
        .reshape(7, 24)
        .sum(axis=1)
    )
    assert days[5:].max() < 0.5 * days[:5].min()


def test_growth_is_measured_from_the_end() -> None:
    weeks = hourly_rps([replace(QUIET, growth_per_week=0.1)], MONDAY, 4 * WEEK, Chance(0))
    totals = weeks.reshape(4, WEEK).sum(axis=1)
    assert np.diff(totals) == pytest.approx(totals[3] * 0.1 / 0.95, rel=0.02)
    assert totals[3] < hourly_rps([QUIET], MONDAY, WEEK, Chance(0)).sum()


def test_noise_is_as_large_as_asked_for_and_persists() -> None:
    plain, noisy = (
        hourly_rps([replace(QUIET, peak_rps=1e6, noise=noise)], MONDAY, 20 * WEEK, Chance(1))
        for noise in (0.0, 0.1)
    )
    shocks = np.log(noisy / plain)[0]
    assert shocks.std() == pytest.approx(0.1, rel=0.05)
    assert np.corrcoef(shocks[:-1], shocks[1:])[0, 1] == pytest.approx(0.6, abs=0.05)
