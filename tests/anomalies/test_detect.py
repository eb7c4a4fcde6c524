"""Planted events are found where they are, said in words; ordinary days and known gaps are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from models.foreseen import Anomaly
from models.signals import SignalKey, Signals
from optimizer.anomalies.detect import Known, detect

STARTS = datetime(2025, 3, 3, tzinfo=UTC)
STEP_S = 300
DAY = 288
DAYS = 14
LATE = slice(10 * DAY + 100, 10 * DAY + 160)


def measured(*rows: NDArray[np.float64]) -> Signals:
    keys = tuple(SignalKey("requests_rps", f"s{i}") for i in range(len(rows)))
    return Signals(STARTS, STEP_S, keys, np.stack(rows))


def daily(seed: int) -> NDArray[np.float64]:
    chance = np.random.default_rng(seed)
    swing = 1 + 0.5 * np.sin(2 * np.pi * np.arange(DAYS * DAY) / DAY)
    return 100 * swing * np.exp(chance.normal(0, 0.05, DAYS * DAY))


def during(found: tuple[Anomaly, ...], steps: slice) -> list[Anomaly]:
    starts, ends = (STARTS + timedelta(seconds=STEP_S * i) for i in (steps.start, steps.stop))
    return [anomaly for anomaly in found if starts <= anomaly.starts <= ends]


def planted(kind: str) -> NDArray[np.float64]:
    values = daily(1)
    if kind == "spike":
        values[LATE.start + 10 : LATE.start + 13] += 300
    elif kind == "drop to nothing":
        values[LATE] = 0
    elif kind == "frozen":
        values[LATE] = values[LATE.start]
        values[10 * DAY + 160 : 10 * DAY + 260] = values[LATE.start]
    elif kind == "day at the wrong hour":
        values[LATE] = values[5 * DAY : 5 * DAY + 60][::-1]
        values[LATE] = np.roll(values[10 * DAY : 11 * DAY], 144)[100:160]
    return values


@pytest.mark.parametrize("kind", ["spike", "drop to nothing", "frozen", "day at the wrong hour"])
def test_what_is_planted_is_found_within_its_time(kind: str) -> None:
    found = detect(measured(planted(kind)))
    span = slice(LATE.start, LATE.stop + (100 if kind == "frozen" else 0))
    hits = during(found, span)
    assert hits, found
    assert hits[0].score > 0.99999
    assert hits[0].starts < hits[0].ends
    assert "once in" in hits[0].why


def test_words_and_figures_of_a_spike() -> None:
    values = np.random.default_rng(2).normal(50, 2, DAYS * DAY)
    values[3000] = 95.2
    (hit,) = during(detect(measured(values)), slice(3000, 3001))
    assert hit.starts == STARTS + timedelta(hours=250)
    assert hit.ends <= hit.starts + timedelta(hours=12)
    assert hit.value == 95.2
    assert hit.expected == pytest.approx(50, abs=0.2)
    assert hit.why.startswith("value 95.2, usually 45.")


def test_a_spike_is_told_though_the_means_that_hold_it_are_rarer() -> None:
    values = daily(3)
    values[LATE.start] += 150
    values[LATE.start + 1 : LATE.start + 9] += 90
    alone = values[: LATE.start + 1]
    (spike,) = during(detect(measured(alone)), LATE)
    (event,) = during(detect(measured(values)), LATE)
    assert (event.value, event.expected, event.why) == (spike.value, spike.expected, spike.why)
    assert event.value == values[LATE.start]
    assert event.why.startswith("value ")
    assert event.score > spike.score  # it became rarer


def test_a_level_that_stays_is_one_anomaly_and_then_usual() -> None:
    values = np.random.default_rng(3).normal(50, 2, DAYS * DAY)
    values[2500:] += 40
    found = detect(measured(values))
    assert len(during(found, slice(2500, 2512))) == 1
    assert len(during(found, slice(2512, DAYS * DAY))) <= 4


def test_ordinary_series_raise_no_more_alarms_than_promised() -> None:
    """40 series of 4,032 steps, seen by four views."""
    chance = np.random.default_rng(4)
    signals = measured(*chance.normal(50, 2, (40, DAYS * DAY)))
    for least in (3.0, 3.5, 4.0):
        assert len(detect(signals, least=least)) < 4 * signals.values.size / 10**least


def test_a_constant_raises_no_alarm_and_its_end_does() -> None:
    flat = np.full(1000, 45.0)
    assert detect(measured(flat)) == ()
    flat[900] = 45.5
    (hit,) = detect(measured(flat))
    assert hit.starts == STARTS + timedelta(seconds=STEP_S * 900)


def test_what_is_known_raises_no_alarm_and_is_not_learnt() -> None:
    values = planted("drop to nothing")
    hours = timedelta(seconds=STEP_S * LATE.start), timedelta(seconds=STEP_S * LATE.stop)
    known = Known(STARTS + hours[0], STARTS + hours[1], service="s0")
    found = detect(measured(values, values), [known])
    later = slice(LATE.start, LATE.stop + 12)
    of = [[a for a in during(found, later) if a.key.service == name] for name in ("s0", "s1")]
    assert of[0] == []
    assert of[1] != []
    blank = values.copy()
    blank[LATE] = np.nan
    assert [a for a in found if a.key.service == "s0"] == list(detect(measured(blank)))


def test_signals_without_a_value_or_a_key_have_no_anomalies() -> None:
    assert detect(measured(np.full(500, np.nan))) == ()
    assert detect(Signals(STARTS, STEP_S, (), np.empty((0, 10)))) == ()
