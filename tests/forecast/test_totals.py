"""Totals and parts add up, and totals have quantiles of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from benchmarks.minimum_trace import MOST_CORRELATED, coherent, covariance
from models.demand import Forecast, History
from models.events import DemandEvent
from optimizer.forecast.demand import LEVELS, forecast, forecast_and_errors
from optimizer.forecast.totals import Totals

STARTS = datetime(2025, 3, 3, tzinfo=UTC)
SERIES = [(f"s{i}", origin) for i in range(6) for origin in ("eu", "us", "ap")]
Values = NDArray[np.float64]


def traffic(hours: int = 696, together: float = 0.0, seed: int = 1) -> Values:
    """Swings with noise of which a share is the same for all [series, hour]."""
    chance = np.random.default_rng(seed)
    h = np.arange(hours)
    swing = 1 + 0.5 * np.sin(2 * np.pi * h / 24) - 0.3 * (h // 24 % 7 > 4)
    level = np.geomspace(5, 500, len(SERIES))[:, None]
    own = chance.normal(size=(len(SERIES), hours))
    shared = chance.normal(size=hours)
    noise = np.sqrt(1 - together) * own + np.sqrt(together) * shared
    rps: Values = level * swing * np.exp(0.3 * noise)
    return rps


def history(rps: Values) -> History:
    parts = []
    for (service, origin), row in zip(SERIES, rps, strict=True):
        ts = pd.date_range(end=STARTS, periods=len(row) + 1, freq="h")[:-1]
        parts.append(pd.DataFrame({"ts": ts, "service": service, "origin": origin, "rps": row}))
    frame = pd.concat(parts, ignore_index=True).dropna(ignore_index=True)
    return History(frame.sort_values(["service", "origin", "ts"]))


def made(rps: Values, hours: int = 24, **more: object) -> tuple[Forecast, Forecast]:
    """Parts and totals."""
    parts, errors = forecast_and_errors(history(rps), STARTS, hours, **more)  # type: ignore[arg-type]
    return parts, Totals.of(parts.series).foreseen(parts, errors)


def check_sums(parts: Forecast, totals: Forecast) -> None:
    for (service, origin), mean in zip(totals.series, totals.mean_rps, strict=True):
        rows = [s in (service, s if not service else "") and o in (origin, o if not origin else "")
                for s, o in parts.series]  # fmt: skip
        np.testing.assert_allclose(mean, parts.mean_rps[rows].sum(axis=0), rtol=1e-9)
    assert (np.diff(totals.quantiles_rps, axis=2) >= 0).all()
    assert (totals.quantiles_rps >= 0).all()


def test_means_add_up_along_services_and_origins() -> None:
    parts, totals = made(traffic())
    check_sums(parts, totals)
    origins = [("", origin) for origin in ("ap", "eu", "us")]
    assert totals.series == (("", ""), *origins, *((f"s{i}", "") for i in range(6)))


def test_parts_are_what_plans_expect() -> None:
    parts, _ = made(traffic())
    plain = forecast(history(traffic()), STARTS, 24)
    np.testing.assert_array_equal(parts.quantiles_rps, plain.quantiles_rps)


def test_what_has_one_part_is_no_total() -> None:
    assert Totals.of([("web", "eu")]).names == ()
    assert Totals.of([("web", "eu"), ("web", "us")]).names == (("", ""),)
    assert Totals.of([("a", "eu"), ("b", "eu"), ("b", "us")]).names == (
        ("", ""), ("", "eu"), ("b", ""),
    )  # fmt: skip


def test_gaps_of_parts_are_gaps_of_totals() -> None:
    past = np.array([[1.0, 2.0, np.nan], [10.0, np.nan, 30.0], [5.0, 5.0, 5.0]])
    totals = Totals.of([("a", "eu"), ("a", "us"), ("b", "us")])
    nan = np.nan
    expected = [[16.0, nan, nan], [15.0, nan, 35.0], [11.0, nan, nan]]
    np.testing.assert_array_equal(totals.added(past), expected)


def test_sums_of_normal_parts_have_the_quantiles_of_the_textbook() -> None:
    """Independent parts: variances add up. Parts that stray as one: deviations add up."""
    chance = np.random.default_rng(5)
    scores = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
    deviation = np.array([3.0, 4.0])
    quantiles = 100 + deviation[:, None, None] * scores
    parts = Forecast(STARTS, LEVELS, (("a", "eu"), ("b", "eu")), np.full((2, 1), 100.0), quantiles)
    apart, one = chance.normal(size=(2, 20_000)), chance.normal(size=20_000)
    totals = Totals.of(parts.series)
    for errors, expected in ((apart, 5.0), (np.stack([one, 2 * one]), 7.0)):
        found = totals.foreseen(parts, errors).quantiles_rps[0, 0]
        np.testing.assert_allclose(found, 200 + expected * scores, atol=0.25)


def test_series_that_are_new_idle_or_gappy_add_up_too() -> None:
    rps = traffic()
    rps[0] = 0.0
    rps[1, :-5] = np.nan
    rps[2, :-60] = np.nan
    rps[3, 100:130] = np.nan
    rps[4] = 7.0
    check_sums(*made(rps))


def test_parts_that_stray_alone_make_calmer_totals_than_those_that_stray_together() -> None:
    width = []
    for share in (0.0, 0.95):
        parts, totals = made(traffic(together=share))
        high, low = LEVELS.index(0.9), LEVELS.index(0.1)
        quantiles = totals.quantiles_rps[0]
        summed = parts.quantiles_rps.sum(axis=0)
        width.append(
            (quantiles[:, high] - quantiles[:, low]).mean()
            / (summed[:, high] - summed[:, low]).mean()
        )
    assert width[0] < 0.65
    assert width[1] > 0.85


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_quantiles_of_totals_cover_what_they_promise(share: float) -> None:
    inside = []
    for seed in range(3):
        rps = traffic(720, share, seed)
        _, totals = made(rps[:, :-24])
        actual = rps[:, -24:].sum(axis=0)
        quantiles = totals.quantiles_rps[0]
        inside.append(
            (actual >= quantiles[:, LEVELS.index(0.05)])
            & (actual <= quantiles[:, LEVELS.index(0.95)])
        )
    assert 0.78 <= np.mean(inside) <= 0.99


def test_totals_follow_events_of_their_parts() -> None:
    event = DemandEvent(
        "launch", "launch", STARTS, STARTS + timedelta(hours=6), frozenset({"s5"}), factor=3.0
    )
    (_, plain), moved = made(traffic()), made(traffic(), events=(event,))
    check_sums(*moved)
    ratio = moved[1].mean_rps / plain.mean_rps
    np.testing.assert_allclose(ratio[-1, :6], 3.0)
    np.testing.assert_allclose(ratio[4:-1], 1.0)


def test_what_comes_after_the_start_changes_nothing() -> None:
    known = history(traffic())
    later = known.frame.assign(ts=known.frame["ts"] + pd.Timedelta(hours=696), rps=1e6)
    both = History(pd.concat([known.frame, later]).sort_values(["service", "origin", "ts"]))
    (_, one), (_, other) = (forecast_and_errors(of, STARTS, 6) for of in (known, both))
    np.testing.assert_array_equal(one, other)


def test_the_rival_is_the_projection_of_the_textbook() -> None:
    """MinT as published: S (Sᵀ W⁻¹ S)⁻¹ Sᵀ W⁻¹ y."""
    chance = np.random.default_rng(3)
    adds = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]], dtype=np.float64)
    errors = chance.normal(size=(7, 300)) @ np.diag(chance.random(300) + 0.5)
    y = 50 + chance.normal(size=(7, 2))
    spread = np.linalg.inv(covariance(errors))
    structure = np.concatenate([adds, np.eye(4)])
    inner = np.linalg.inv(structure.T @ spread @ structure)
    np.testing.assert_allclose(coherent(y, errors, adds), inner @ structure.T @ spread @ y)


def test_many_series_are_reconciled_by_their_variances_alone() -> None:
    errors = np.random.default_rng(3).normal(size=(MOST_CORRELATED + 1, 20))
    assert covariance(errors).shape == (MOST_CORRELATED + 1,)
    adds = np.ones((1, MOST_CORRELATED))
    means = np.append(1000.0, np.full(MOST_CORRELATED, 2.0))[:, None]
    assert 2 * MOST_CORRELATED < coherent(means, errors, adds).sum() < 1000


def test_errors_that_have_nothing_in_common_are_shrunk_to_their_variances() -> None:
    chance = np.random.default_rng(3)
    alone, shared = chance.normal(size=(2, 30, 100))
    shared = shared + 3 * chance.normal(size=100)
    apart = ~np.eye(30, dtype=bool)
    assert np.abs(covariance(alone)[apart]).mean() < 0.02
    assert covariance(shared)[apart].mean() > 6
