"""The page of what is expected: history with gaps, quantiles, what strayed, hostile names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np

from models.demand import Forecast, ModelChoice
from models.events import DemandEvent
from models.foreseen import Anomaly
from models.plan import Plan
from models.signals import SignalKey
from optimizer.expectations import Expectations
from optimizer.report.forecast import MOST_CHARTS, render_forecast

PAST, AHEAD = 168, 24
LEVELS = (0.1, 0.5, 0.9)


def expectations(plan: Plan, series: int = 2) -> Expectations:
    names = [service.name for service in plan.world.services]
    pairs = tuple((f"{names[i % len(names)]}{i:03d}", "all") for i in range(series))
    hour = np.arange(PAST + AHEAD)
    wave = 100 + 50 * np.sin(hour * 2 * np.pi / 24)
    past = np.tile(wave[:PAST], (series, 1))
    past[:, 40:50] = np.nan
    mean = np.tile(wave[PAST:], (series, 1))
    quantiles = mean[:, :, None] * np.array([0.8, 1.0, 1.3])
    choices = tuple(ModelChoice(s, o, "mstl_ets", (("mstl_ets", 0.4),), "least") for s, o in pairs)
    made = Forecast(plan.world.starts, LEVELS, pairs, mean, quantiles, choices)
    return Expectations(plan.world, past, made)


def strayed(it: Expectations, hours_before: int, why: str) -> Anomaly:
    service, origin = it.forecast.series[0]
    starts = it.forecast.starts - timedelta(hours=hours_before)
    key = SignalKey("requests_rps", service, origin)
    return Anomaly(key, starts, starts + timedelta(hours=3), 0.97, 900.0, 120.0, why)


def test_history_breaks_at_gaps_and_quantiles_follow(plan: Plan) -> None:
    page = render_forecast(expectations(plan))
    seen = re.findall(r'class="line seen" d="([^"]*)"', page)[1:]  # the first is the legend's
    assert [path.count("M") for path in seen] == [2, 2]
    assert page.count('class="band"') == 2  # 0.1 to 0.9 of two series
    assert "Nothing in the time that is shown." in page


def test_what_strayed_is_marked_where_it_did(plan: Plan) -> None:
    it = expectations(plan)
    it = replace(it, anomalies=(strayed(it, 24, "nine times the usual"),))
    page = render_forecast(it)
    assert page.count("nine times the usual") == 2  # on the chart and in the table
    (mark,) = re.findall(r'class="strayed" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', page)
    frame_width, periods = 582.0, PAST + AHEAD
    at, width = map(float, mark)
    assert abs(at - (48 + frame_width * (PAST - 24) / periods)) < 0.1
    assert abs(width - frame_width * 3 / periods) < 0.2


def test_what_strayed_before_the_hours_shown_is_not_drawn(plan: Plan) -> None:
    it = expectations(plan)
    it = replace(it, anomalies=(strayed(it, PAST + 24, "long ago"),))
    page = render_forecast(it)
    assert not re.findall(r'class="strayed" x="[0-9.]+" y', page)
    assert page.count("long ago") == 1


def test_events_are_drawn_where_they_move_demand(plan: Plan) -> None:
    it = expectations(plan)
    service, _ = it.forecast.series[1]
    sale = DemandEvent(
        "sale", "sale", it.forecast.starts + timedelta(hours=6),
        it.forecast.starts + timedelta(hours=12), frozenset({service}), factor=2.0,
    )  # fmt: skip
    over = replace(sale, name="long ago", starts=sale.starts - timedelta(days=90),
                   ends=sale.ends - timedelta(days=90))  # fmt: skip
    it = replace(it, world=replace(it.world, events=(sale, over)))
    page = render_forecast(it)
    (mark,) = re.findall(r'class="event" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', page)
    at, width = map(float, mark)
    assert abs(at - (48 + 582.0 * (PAST + 6) / (PAST + AHEAD))) < 0.1
    assert abs(width - 582.0 * 6 / (PAST + AHEAD)) < 0.2
    assert "× 2" in page
    assert "long ago" not in page


def test_many_series_are_counted_not_drawn(plan: Plan) -> None:
    page = render_forecast(expectations(plan, series=MOST_CHARTS + 5))
    assert page.count("<figure") == MOST_CHARTS
    assert "5 more are in quantiles.csv" in page


def test_hostile_names_stay_words(plan_of: Callable[..., Plan]) -> None:
    attack = '"\'></title></svg><script>document.title="owned"</script><img src=x onerror=alert(1)>'
    it = expectations(plan_of(name=lambda text: text + attack))
    page = render_forecast(replace(it, anomalies=(strayed(it, 5, attack),)))
    assert "<img" not in page
    assert page.count("<script>") == 1
