"""The last days, foretold again, only from what was known then; models switched for cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.demand import History
from models.errors import UnusableData
from models.events import DemandEvent
from optimizer.forecast.demand import forecast
from optimizer.forecast.tracked import MODELS, track

ENDS = datetime(2025, 3, 3, tzinfo=UTC)
Values = NDArray[np.float64]


def history(*rows: Values) -> History:
    parts = []
    for i, row in enumerate(rows):
        ts = pd.date_range(end=ENDS, periods=len(row) + 1, freq="h")[:-1]
        parts.append(pd.DataFrame({"ts": ts, "service": f"s{i}", "origin": "eu", "rps": row}))
    return History(pd.concat(parts, ignore_index=True).dropna(ignore_index=True))


def traffic(seed: int = 1, hours: int = 28 * 24) -> Values:
    hour = np.arange(hours)
    swing = 1 + 0.5 * np.sin(2 * np.pi * hour / 24) - 0.3 * (hour // 24 % 7 > 4)
    rps: Values = 100 * swing * np.exp(0.1 * np.random.default_rng(seed).normal(size=hours))
    return rps


def test_every_day_is_foretold_as_it_would_have_been() -> None:
    known = history(traffic())
    found = track(known, ENDS, 3)
    for day in range(3):
        begins = ENDS - timedelta(days=3 - day)
        told = forecast(known, begins, 24).quantiles_rps
        np.testing.assert_array_equal(found.plain_rps[:, 24 * day : 24 * (day + 1)], told)


def test_what_comes_later_changes_nothing_that_was_foretold() -> None:
    rps = traffic()
    other = rps.copy()
    other[-24:] *= 7
    one, two = (track(history(row), ENDS, 9) for row in (rps, other))
    np.testing.assert_array_equal(one.given_rps, two.given_rps)
    np.testing.assert_array_equal(one.used, two.used)


def test_errors_and_coverage_are_of_what_was_given_out() -> None:
    found = track(history(traffic(), traffic(2)), ENDS, 7)
    naive = np.abs(found.actual_rps - found.week_before_rps).mean(axis=1)
    ours = np.abs(found.actual_rps - found.median_rps).mean(axis=1)
    np.testing.assert_allclose(found.error, ours / naive)
    assert (found.error < 0.9).all()
    below = (found.actual_rps[:, :, None] <= found.given_rps).mean(axis=1)
    np.testing.assert_allclose(found.online.coverage, below)
    assert (np.diff(found.given_rps, axis=2) >= 0).all()


def test_a_change_that_another_model_knows_better_switches_to_it() -> None:
    """Demand that follows two weeks of habits, then jumps about but repeats every day exactly."""
    chance = np.random.default_rng(3)
    day = 100 * chance.lognormal(0, 0.8, 24)
    rps = np.concatenate([traffic(hours=21 * 24), np.tile(day, 14)])
    found = track(history(rps), ENDS, 14)
    assert found.online.journal
    first = found.online.journal[0]
    assert first.before == MODELS[0] != first.after
    assert "less" in first.why
    hour = int((first.at - found.starts) / timedelta(hours=1))
    assert hour >= found.online.pace.least_seen - 1
    assert (found.used[0, : hour + 1] == 0).all()


def test_gaps_are_not_scored() -> None:
    rps = traffic()
    rps[-40:-10] = np.nan
    found = track(history(rps), ENDS, 3)
    assert int(found.online.seen[0]) == 72 - 30
    assert np.isfinite(found.loss(found.given_rps)).all()


def test_an_event_counts_once_its_effect_can_be_known() -> None:
    rps = traffic()
    rps[-8 * 24 : -8 * 24 + 6] *= 3
    rps[-24 : -24 + 6] *= 3
    times = [ENDS - timedelta(days=days) for days in (8, 1)]
    events = [DemandEvent(f"sale {at:%d}", "sale", at, at + timedelta(hours=6)) for at in times]
    found = track(history(rps), ENDS, 10, events=events)
    ratio = found.plain_rps[0, :, 3] / traffic()[-240:]
    assert np.median(ratio[48:54]) < 1.3  # the first: nobody knew
    assert np.median(ratio[-24:-18]) > 2


def test_days_of_which_nothing_was_known_before_are_refused() -> None:
    with pytest.raises(UnusableData, match="nothing is known before the last 168"):
        track(history(traffic(hours=100)), ENDS, 7)
