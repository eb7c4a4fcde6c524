"""Totals and parts add up, are no worse for it, and have quantiles of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.demand import History
from models.events import DemandEvent
from optimizer.forecast.demand import LEVELS, forecast
from optimizer.forecast.reconcile import MOST_CORRELATED, Totals, _coherent, _covariance, reconciled

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


def made(rps: Values, hours: int = 24, **more: object) -> Totals:
    return reconciled(history(rps), STARTS, hours, **more)  # type: ignore[arg-type]


def check_sums(totals: Totals) -> None:
    parts = dict(zip(totals.parts.series, totals.parts.mean_rps, strict=True))
    for sums in (totals.services, totals.origins, totals.overall):
        for (service, origin), mean in zip(sums.series, sums.mean_rps, strict=True):
            of = [pair for pair in parts if service in ("", pair[0]) and origin in ("", pair[1])]
            rows = [parts[pair] for pair in of]
            np.testing.assert_allclose(mean, np.sum(rows, axis=0), rtol=1e-9)
    for part in (totals.parts, totals.services, totals.origins, totals.overall):
        assert (np.diff(part.quantiles_rps, axis=2) >= 0).all()
        assert (part.quantiles_rps >= 0).all()


def test_means_add_up_along_services_and_origins() -> None:
    totals = made(traffic())
    check_sums(totals)
    assert totals.overall.series == (("", ""),)
    assert len(totals.services.series) == 6
    assert len(totals.origins.series) == 3


def test_series_that_are_new_idle_or_gappy_add_up_too() -> None:
    rps = traffic()
    rps[0] = 0.0
    rps[1, :-5] = np.nan
    rps[2, :-60] = np.nan
    rps[3, 100:130] = np.nan
    rps[4] = 7.0
    check_sums(made(rps))


def test_parts_that_stray_alone_make_calmer_totals_than_those_that_stray_together() -> None:
    width = []
    for share in (0.0, 0.95):
        totals = made(traffic(together=share))
        high, low = LEVELS.index(0.9), LEVELS.index(0.1)
        quantiles = totals.overall.quantiles_rps[0]
        summed = totals.parts.quantiles_rps.sum(axis=0)
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
        totals = made(rps[:, :-24])
        actual = rps[:, -24:].sum(axis=0)
        quantiles = totals.overall.quantiles_rps[0]
        inside.append(
            (actual >= quantiles[:, LEVELS.index(0.05)])
            & (actual <= quantiles[:, LEVELS.index(0.95)])
        )
    assert 0.78 <= np.mean(inside) <= 0.99


def test_noisy_parts_gain_from_their_totals() -> None:
    gained = []
    for seed in range(2):
        rps = traffic(720, seed=seed)
        known, actual = rps[:, :-24], rps[:, -24:]
        alone = forecast(history(known), STARTS, 24)
        totals = made(known)
        order = [SERIES.index(pair) for pair in alone.series]
        errors = [np.abs(f.mean_rps - actual[order]).mean() for f in (alone, totals.parts)]
        gained.append(errors[1] / errors[0])
    assert np.mean(gained) < 1.02


def test_what_comes_after_the_start_changes_nothing() -> None:
    known = history(traffic())
    later = known.frame.assign(ts=known.frame["ts"] + pd.Timedelta(hours=696), rps=1e6)
    both = History(pd.concat([known.frame, later]).sort_values(["service", "origin", "ts"]))
    one, other = (reconciled(of, STARTS, 6) for of in (known, both))
    np.testing.assert_array_equal(one.overall.quantiles_rps, other.overall.quantiles_rps)
    np.testing.assert_array_equal(one.parts.quantiles_rps, other.parts.quantiles_rps)


def test_totals_follow_events_of_their_parts() -> None:
    event = DemandEvent(
        "launch", "launch", STARTS, STARTS + timedelta(hours=6), frozenset({"s5"}), factor=3.0
    )
    plain, moved = made(traffic()), made(traffic(), events=(event,))
    check_sums(moved)
    ratio = moved.services.mean_rps / plain.services.mean_rps
    np.testing.assert_allclose(ratio[5, :6], 3.0)
    np.testing.assert_allclose(np.delete(ratio, 5, axis=0), 1.0)


def test_reconciliation_is_the_projection_of_the_textbook() -> None:
    """MinT as published: S (Sᵀ W⁻¹ S)⁻¹ Sᵀ W⁻¹ y."""
    chance = np.random.default_rng(3)
    adds = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]], dtype=np.float64)
    errors = chance.normal(size=(7, 300)) @ np.diag(chance.random(300) + 0.5)
    y = 50 + chance.normal(size=(7, 2))
    spread = np.linalg.inv(_covariance(errors))
    structure = np.concatenate([adds, np.eye(4)])
    inner = np.linalg.inv(structure.T @ spread @ structure)
    np.testing.assert_allclose(_coherent(y, errors, adds), inner @ structure.T @ spread @ y)


def test_many_series_are_reconciled_by_their_variances_alone() -> None:
    errors = np.random.default_rng(3).normal(size=(MOST_CORRELATED + 1, 20))
    assert _covariance(errors).shape == (MOST_CORRELATED + 1,)
    adds = np.ones((1, MOST_CORRELATED))
    means = np.append(1000.0, np.full(MOST_CORRELATED, 2.0))[:, None]
    assert 2 * MOST_CORRELATED < _coherent(means, errors, adds).sum() < 1000


def test_errors_that_have_nothing_in_common_are_shrunk_to_their_variances() -> None:
    chance = np.random.default_rng(3)
    alone, shared = chance.normal(size=(2, 30, 100))
    shared = shared + 3 * chance.normal(size=100)
    apart = ~np.eye(30, dtype=bool)
    assert np.abs(_covariance(alone)[apart]).mean() < 0.02
    assert _covariance(shared)[apart].mean() > 6
