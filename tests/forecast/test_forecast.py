"""A forecast sees only the past, keeps its units, and says how it was made."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.demand import Forecast, History, ModelChoice
from models.errors import UnusableData
from optimizer.forecast.candidates import CANDIDATES
from optimizer.forecast.demand import LEVELS, forecast

STARTS = datetime(2025, 3, 3, tzinfo=UTC)
Values = NDArray[np.float64]
Pair = tuple[str, str]


def history(series: dict[Pair, Values], ends: datetime = STARTS) -> History:
    """Series that end an hour before ``ends``; NaN are missing hours."""
    frames = []
    for (service, origin), rps in sorted(series.items()):
        ts = pd.date_range(end=ends, periods=len(rps) + 1, freq="h")[:-1]
        frames.append(pd.DataFrame({"ts": ts, "service": service, "origin": origin, "rps": rps}))
    return History(pd.concat(frames, ignore_index=True).dropna(ignore_index=True))


def traffic(hours: int = 672, noise: float = 0.1, seed: int = 1) -> Values:
    """Days that swing, quiet weekends, noise in proportion."""
    h = np.arange(-hours, 0)
    swing = 1 + 0.5 * np.sin(2 * np.pi * h / 24) - 0.3 * (h // 24 % 7 > 4)
    return 100 * swing * np.exp(noise * np.random.default_rng(seed).normal(size=hours))


def one(rps: Values, hours: int = 24) -> tuple[Forecast, ModelChoice]:
    made = forecast(history({("web", "eu"): rps}), STARTS, hours)
    return made, made.choices[0]


def same(a: Forecast, b: Forecast) -> None:
    np.testing.assert_array_equal(a.mean_rps, b.mean_rps)
    np.testing.assert_array_equal(a.quantiles_rps, b.quantiles_rps)
    assert a.series == b.series
    assert repr(a.choices) == repr(b.choices)


def test_what_comes_after_the_start_changes_nothing() -> None:
    known = history({("web", "eu"): traffic()})
    later = history({("web", "eu"): 1e6 * traffic(48), ("new", "eu"): traffic(48)})
    later = History(later.frame.assign(ts=later.frame["ts"] + pd.Timedelta(hours=48)))
    both = History(pd.concat([known.frame, later.frame]).sort_values(["service", "origin", "ts"]))
    same(forecast(known, STARTS, 24), forecast(both, STARTS, 24))


def test_two_runs_agree() -> None:
    known = history({("web", "eu"): traffic(), ("web", "us"): traffic(seed=2)})
    same(forecast(known, STARTS, 24), forecast(known, STARTS, 24))


def test_a_series_is_foreseen_alike_alone_and_in_company() -> None:
    alone = forecast(history({("web", "eu"): traffic()}), STARTS, 24)
    company = forecast(
        history({("api", "eu"): traffic(100), ("web", "eu"): traffic(), ("zoo", "eu"): np.ones(3)}),
        STARTS,
        24,
    )
    np.testing.assert_allclose(company.quantiles_rps[1], alone.quantiles_rps[0], rtol=1e-9)
    assert company.choices[1].why == alone.choices[0].why


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e6])
def test_other_units_give_the_same_forecast(factor: float) -> None:
    plain, choice = one(traffic())
    scaled, scaled_choice = one(traffic() * factor)
    assert scaled_choice.model == choice.model
    np.testing.assert_allclose(scaled.mean_rps, plain.mean_rps * factor, rtol=1e-4)
    np.testing.assert_allclose(scaled.quantiles_rps, plain.quantiles_rps * factor, rtol=1e-4)


@pytest.mark.parametrize("hours", [1, 24, 100, 400])
@pytest.mark.parametrize("length", [1, 30, 60, 100, 200, 400, 672, 2000])
def test_quantiles_are_ordered_and_demand_is_not_negative(length: int, hours: int) -> None:
    rps = np.maximum(traffic(length, noise=1.0) - 60, 0)
    made, choice = one(rps, hours)
    assert made.mean_rps.shape == (1, hours)
    assert made.quantiles_rps.shape == (1, hours, len(LEVELS))
    assert np.isfinite(made.quantiles_rps).all()
    assert (made.mean_rps >= 0).all()
    assert (made.quantiles_rps >= 0).all()
    assert (np.diff(made.quantiles_rps, axis=2) >= 0).all()
    assert choice.why


def test_what_repeats_exactly_is_foreseen_exactly_by_seasonal_naive() -> None:
    made, choice = one(traffic(noise=0))
    np.testing.assert_allclose(made.mean_rps[0], traffic(noise=0)[-168:-144], rtol=1e-6)
    np.testing.assert_allclose(made.quantiles_rps[0, :, -1], made.mean_rps[0], rtol=1e-6)
    assert choice.model == "seasonal_naive_168h"


def test_trend_and_two_seasons_are_foreseen_better_than_repeated() -> None:
    h = np.arange(1008)
    swing = 50 * np.sin(2 * np.pi * h / 24) + 20 * np.sin(2 * np.pi * h / 168)
    noise = np.random.default_rng(3).normal(size=h.size)
    made, choice = one((200 + 0.2 * h + swing + 3 * noise)[:-24])
    scores = dict(choice.scores)
    assert scores[choice.model] < 0.8 * min(
        scores["seasonal_naive_168h"], scores["seasonal_naive_24h"]
    )
    truth = (200 + 0.2 * h + swing)[-24:]
    assert np.abs(made.mean_rps[0] - truth).mean() < 2


def test_the_reason_tells_weights_and_what_they_gain() -> None:
    _, choice = one(traffic())
    scores = dict(choice.scores)
    assert choice.model == "combination"
    assert len(scores) == len(CANDIDATES) + 1
    shares = [int(share) for share in re.findall(r"(\d+)% ", choice.why)]
    assert len(shares) > 1
    assert 97 <= sum(shares) <= 103
    assert f"{scores['combination']:.3g} together" in choice.why
    named = {name: score for name, score in scores.items() if f" {name}" in choice.why}
    alone = min((name for name in named if name != "combination"), key=named.__getitem__)
    assert f"the best alone is {alone}" in choice.why


def test_a_new_level_is_taken_up() -> None:
    rps = traffic()
    rps[-120:] *= 3
    made, _ = one(rps)
    assert 0.75 < made.mean_rps.mean() / (3 * traffic()[-168:-144].mean()) < 1.25


def test_steady_growth_is_followed() -> None:
    """Repeating last week alone would stay behind by a week's growth."""
    growing = traffic(noise=0.02) * np.linspace(1, 3, 672)
    made, _ = one(growing)
    expected = traffic(noise=0)[-168:-144] * 3
    assert 0.95 < made.mean_rps.mean() / expected.mean() < 1.1


def test_calm_hours_have_narrower_quantiles_where_noise_grows_with_demand() -> None:
    made, _ = one(traffic(1008, noise=0.2))
    width = made.quantiles_rps[0, :, -2] - made.quantiles_rps[0, :, 0]
    busiest, calmest = made.mean_rps[0].argmax(), made.mean_rps[0].argmin()
    assert width[busiest] > 1.5 * width[calmest]


def test_quantiles_cover_what_they_promise() -> None:
    series = {(f"s{i}", "eu"): traffic(696, seed=i) for i in range(40)}
    made = forecast(history({k: v[:-24] for k, v in series.items()}), STARTS, 24)
    actual = np.stack([series[pair][-24:] for pair in made.series])
    for level in (0.1, 0.5, 0.9, 0.95):
        assert abs((actual <= made.at_level(level)).mean() - level) < 0.04


def test_an_outlying_hour_does_not_carry_over() -> None:
    rps = traffic(noise=0.02)
    rps[-60] *= 50
    made, _ = one(rps)
    truth = traffic(noise=0)[-168:-144]
    assert np.abs(made.quantiles_rps[0, :, LEVELS.index(0.5)] / truth - 1).max() < 0.3


def test_gaps_are_filled_to_fit_and_told() -> None:
    rps = traffic(noise=0)
    rps[100:130] = np.nan
    rps[-30:-27] = np.nan
    made, choice = one(rps)
    np.testing.assert_allclose(made.mean_rps[0], traffic(noise=0)[-168:-144], rtol=0.02)
    assert "33 of 672 hours are missing (at most 30 in a row)" in choice.why


def test_a_history_that_stops_early_is_carried_to_the_start() -> None:
    rps = traffic(noise=0)
    rps[-40:] = np.nan
    made, choice = one(rps)
    np.testing.assert_allclose(made.mean_rps[0], traffic(noise=0)[-168:-144], rtol=0.02)
    assert "at most 40 in a row" in choice.why


def test_filled_hours_are_never_scored() -> None:
    """With every tested hour missing there is nothing to score, whatever the filling."""
    rps = traffic()
    rps[-24 * 10 :] = np.nan
    _, choice = one(rps)
    assert all(math.isnan(score) for _, score in choice.scores)
    assert choice.model.startswith("seasonal_naive")
    assert "432 hours observed of the last 672 are too few to score" in choice.why


@pytest.mark.parametrize("level", [0.0, 12.5])
def test_constant_demand_stays(level: float) -> None:
    made, choice = one(np.full(300, level))
    assert choice.model == "constant"
    assert f"every observed hour has {level:g} rps" in choice.why
    assert (made.mean_rps == level).all()
    assert (made.quantiles_rps == level).all()


@pytest.mark.parametrize(
    ("length", "model", "why"),
    [
        (1, "mean", "1 hour of history"),
        (20, "mean", "20 hours of history are less than a day"),
        (30, "seasonal_naive_24h", "30 hours observed of the last 30 are too few to score"),
        (60, "seasonal_naive_24h", "60 hours observed of the last 60 are too few to score"),
    ],
)
def test_short_histories_say_so(length: int, model: str, why: str) -> None:
    made, choice = one(traffic(length))
    assert choice.model == model
    assert why in choice.why
    assert made.mean_rps.min() > 10
    assert all(math.isnan(score) for _, score in choice.scores)


def test_intermittent_demand_is_named_and_not_repeated_blindly() -> None:
    chance = np.random.default_rng(5)
    made, choice = one(np.where(chance.random(672) < 0.1, 50.0, 0.0))
    assert "intermittent: " in choice.why
    assert 0 < made.mean_rps.mean() < 15
    assert made.at_level(0.99).max() >= 40


def test_a_series_long_gone_is_expected_to_stay_away() -> None:
    gone = history({("old", "eu"): traffic(100)}, datetime(2024, 6, 1, tzinfo=UTC))
    here = history({("web", "eu"): traffic()})
    made = forecast(History(pd.concat([gone.frame, here.frame])), STARTS, 24)
    assert made.choices[0].model == "none"
    assert not made.quantiles_rps[0].any()
    assert made.mean_rps[1].all()


def test_names_of_any_kind_come_sorted() -> None:
    odd = ["µ", "a,b", "A", " ", "zürich", "日本", "a\nb"]
    made = forecast(history({("s", name): traffic(100) for name in odd}), STARTS, 3)
    assert made.series == tuple(sorted(("s", name) for name in odd))


def test_rows_in_any_order_give_the_same_forecast() -> None:
    known = history({("web", "eu"): traffic(), ("api", "us"): traffic(seed=2)})
    mixed = History(known.frame.sample(frac=1, random_state=0))
    same(forecast(known, STARTS, 24), forecast(mixed, STARTS, 24))


def test_nothing_before_the_start_is_refused() -> None:
    late = history({("web", "eu"): traffic(24)}, datetime(2025, 4, 1, tzinfo=UTC))
    with pytest.raises(UnusableData, match="nothing before 2025-03-03"):
        forecast(late, STARTS, 24)


@pytest.mark.parametrize("levels", [(), (0.5, 0.1), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5)])
def test_levels_that_make_no_sense_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="not increasing"):
        forecast(history({("web", "eu"): traffic(100)}), STARTS, 24, levels)
