"""Events are learnt apart from seasons, and counted in ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.demand import Forecast, History
from models.errors import UnusableData
from models.events import DemandEvent
from optimizer.forecast.demand import forecast
from optimizer.forecast.events import Effect, learnt, told_by_then

STARTS = datetime(2025, 3, 3, tzinfo=UTC)
HOURS = 840
SERIES = [(service, origin) for service in ("api", "web", "zoo") for origin in ("eu", "us")]
Values = NDArray[np.float64]


def usual(noise: float = 0.1) -> Values:
    """Daily and weekly swings with noise in proportion [series, hour]."""
    h = np.arange(-HOURS, 0)
    swing = 1 + 0.5 * np.sin(2 * np.pi * h / 24) - 0.3 * (h // 24 % 7 > 4)
    level = np.geomspace(10, 1000, len(SERIES))[:, None]
    chance = np.random.default_rng(1)
    return level * swing * np.exp(noise * chance.normal(size=(len(SERIES), HOURS)))


def history(rps: Values) -> History:
    ts = pd.date_range(end=STARTS, periods=HOURS + 1, freq="h")[:-1]
    parts = [
        pd.DataFrame({"ts": ts, "service": service, "origin": origin, "rps": row})
        for (service, origin), row in zip(SERIES, rps, strict=True)
    ]
    return History(pd.concat(parts, ignore_index=True))


def event(name: str, first_hour: int, hours: int = 24, **fields: object) -> DemandEvent:
    """An event so many hours after the start of the forecast."""
    starts = STARTS + timedelta(hours=first_hour)
    fields = {"kind": name, **fields}
    return DemandEvent(name=name, starts=starts, ends=starts + timedelta(hours=hours), **fields)  # type: ignore[arg-type]


def with_effect(rps: Values, past: DemandEvent, factor: float | Values) -> Values:
    first = HOURS + int((past.starts - STARTS) / timedelta(hours=1))
    last = HOURS + int((past.ends - STARTS) / timedelta(hours=1))
    moved = rps.copy()
    rows = [past.moves(*pair) for pair in SERIES]
    moved[rows, first:last] *= factor
    return moved


def made(rps: Values, *events: DemandEvent, hours: int = 48) -> Forecast:
    return forecast(history(rps), STARTS, hours, events=events)


def test_a_coming_event_does_what_the_last_one_did() -> None:
    past, coming = event("sale", -15 * 24), event("sale", 6, hours=12)
    plain = made(usual())
    moved = made(with_effect(usual(), past, 3.0), past, coming)
    ratio = moved.at_level(0.5) / plain.at_level(0.5)
    np.testing.assert_allclose(ratio[:, 6:18], 3.0, rtol=0.12)
    np.testing.assert_allclose(ratio[:, :6], 1.0, rtol=0.06)
    np.testing.assert_allclose(ratio[:, 18:], 1.0, rtol=0.06)
    assert all("sale: times " in choice.why for choice in moved.choices)
    assert all("learnt from 1 occurrence" in choice.why for choice in moved.choices)


def test_past_events_leave_usual_days_as_they_are() -> None:
    past = event("sale", -7 * 24)
    known = with_effect(usual(0.02), past, 5.0)
    told, untold = made(known, past), made(known)
    truth = usual(0)[:, -168:-120]
    assert np.abs(told.at_level(0.5) / truth - 1).max() < 0.1
    assert np.abs(untold.at_level(0.5) / truth - 1).max() > 0.3


def test_an_effect_that_varies_widens_the_quantiles() -> None:
    pasts = [event("sale", -day * 24) for day in (24, 17, 10)]
    alike = varied = usual()
    for past, factor in zip(pasts, (1.5, 2.0, 2.7), strict=True):
        alike, varied = with_effect(alike, past, 2.0), with_effect(varied, past, factor)
    coming = event("sale", 0)
    even, uneven = made(alike, *pasts, coming), made(varied, *pasts, coming)
    spread = [f.quantiles_rps[:, :24, -2] / f.at_level(0.5)[:, :24] for f in (even, uneven)]
    assert spread[1].mean() > 1.2 * spread[0].mean()
    np.testing.assert_allclose(
        np.median(uneven.at_level(0.5)[:, :24] / even.at_level(0.5)[:, :24]), 1.0, rtol=0.1
    )


def test_series_that_answer_more_are_foreseen_to_do_so_again() -> None:
    past, coming = event("sale", -15 * 24), event("sale", 0)
    factors = np.array([1.2, 1.2, 2.0, 2.0, 4.0, 4.0])[:, None]
    known = with_effect(usual(0.03), past, factors)
    effect = learnt(SERIES, history(known), STARTS, coming, [past, coming])
    np.testing.assert_allclose(np.exp(effect.mean), factors[:, 0], rtol=0.1)


def test_a_noisy_series_leans_on_the_others() -> None:
    past, coming = event("sale", -15 * 24), event("sale", 0)
    known = with_effect(usual(0.03), past, 2.0)
    chance = np.random.default_rng(3)
    weekly = np.exp(chance.normal(0, 1.0, size=HOURS // 168))
    known[0] *= np.repeat(weekly, 168)
    effect = learnt(SERIES, history(known), STARTS, coming, [past, coming])
    assert effect.mean[0] == pytest.approx(np.log(2), abs=0.15)


def test_an_event_moves_only_those_who_answer_to_it() -> None:
    coming = event("launch", 0, services=frozenset({"web"}), origins=frozenset({"us"}), factor=1.8)
    plain, moved = made(usual()), made(usual(), coming)
    ratio = moved.quantiles_rps[:, :24] / plain.quantiles_rps[:, :24]
    assert [SERIES[i] for i in np.flatnonzero((ratio != 1).any(axis=(1, 2)))] == [("web", "us")]
    np.testing.assert_allclose(ratio[SERIES.index(("web", "us"))], 1.8)
    assert "launch: times 1.8, as given" in moved.choices[SERIES.index(("web", "us"))].why


def test_like_another_means_its_effect() -> None:
    past, coming = event("sale", -15 * 24), event("flash", 0, kind="sale")
    known = history(with_effect(usual(), past, 3.0))
    effect = learnt(SERIES, known, STARTS, coming, [past, coming])
    np.testing.assert_allclose(np.exp(effect.mean), 3.0, rtol=0.12)
    assert effect.occurrences == 1


def test_what_comes_after_the_start_teaches_nothing() -> None:
    past, coming = event("sale", -15 * 24), event("sale", -6, hours=30)
    known = with_effect(usual(), past, 3.0)
    alone = history(known)
    later = alone.frame.assign(
        ts=alone.frame["ts"] + pd.Timedelta(hours=HOURS), rps=1e6 * alone.frame["rps"]
    )
    both = History(pd.concat([alone.frame, later]).sort_values(["service", "origin", "ts"]))
    one = forecast(alone, STARTS, 24, events=(past, coming))
    other = forecast(both, STARTS, 24, events=(past, coming))
    np.testing.assert_array_equal(one.quantiles_rps, other.quantiles_rps)


def test_other_units_have_the_same_effect() -> None:
    past, coming = event("sale", -15 * 24), event("sale", 0)
    known = with_effect(usual(), past, 3.0)
    effects: list[Effect] = [
        learnt(SERIES, history(unit * known), STARTS, coming, [past, coming]) for unit in (1.0, 1e4)
    ]
    np.testing.assert_allclose(effects[0].mean, effects[1].mean, rtol=1e-9)


def test_quantiles_keep_their_order() -> None:
    pasts = [event("sale", -17 * 24), event("sale", -10 * 24)]
    known = with_effect(with_effect(usual(0.5), pasts[0], 1.5), pasts[1], 4.0)
    foreseen = made(known, *pasts, event("sale", 3, hours=30))
    assert (np.diff(foreseen.quantiles_rps, axis=2) >= 0).all()
    assert (foreseen.quantiles_rps >= 0).all()


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(UnusableData, match="does not tell what 'sale' does"):
        made(usual(), event("sale", 0))


def test_replays_know_of_events_what_could_be_known_then() -> None:
    sale, launch = event("sale", 6), event("launch", 6, factor=2.0)
    first, second = event("sale", -200), event("sale", 20)
    known = history(usual())
    assert told_by_then([sale, launch], SERIES, known, STARTS) == (launch,)
    assert told_by_then([first, second], SERIES, known, STARTS) == (first, second)
    before = STARTS - timedelta(hours=300)
    assert told_by_then([first, second], SERIES, known, before) == ()
