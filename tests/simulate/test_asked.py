"""What was asked, from signals and history: sums, calls, gaps, and hours laid on minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from played_worlds import played_world

from models.errors import UnusableData
from models.signals import SignalKey, Signals
from optimizer.simulate.asked import (
    Asked,
    asked_by_history,
    asked_directly,
    asked_in_all,
    by_minute,
    laid_on_minutes,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RATES = st.lists(st.one_of(st.floats(0, 1e6), st.just(float("nan"))), min_size=1, max_size=30)


def _signals(step_s: int, **values: list[float]) -> Signals:
    keys = tuple(sorted(SignalKey("requests_rps", *name.split("__")) for name in values))
    rows = [values["__".join(filter(None, (key.service, key.origin)))] for key in keys]
    return Signals(NOON, step_s, keys, np.array(rows, np.float64))


def _of(asked: Asked, service: str) -> NDArray[np.float64]:
    row: NDArray[np.float64] = asked.rps[asked.services.index(service)]
    return row


def test_origins_add_up_and_callers_ask() -> None:
    world = played_world()
    first, second = "front", "back"
    values = {
        f"{first}__a": [1.0, 2.0, np.nan, 4.0],
        f"{first}__b": [10.0] * 4,
        f"{second}__a": [5.0] * 4,
    }
    asked = asked_directly(world, _signals(60, **values))
    assert _of(asked, first) == pytest.approx([11, 12, np.nan, 14], nan_ok=True)
    assert _of(asked, second) == pytest.approx([27, 29, np.nan, 33], nan_ok=True)
    assert not asked.smooth
    measured = asked_in_all(world, _signals(60, **values))
    assert _of(measured, second) == pytest.approx([5, 5, 5, 5])
    alone = asked_in_all(world, _signals(60, **{first: [3.0, 4.0]}))
    assert _of(alone, second) == pytest.approx([6, 8])


def test_a_whole_that_is_measured_beside_its_origins_counts_once() -> None:
    values = {"front": [11.0, 12.0], "front__a": [1.0, 2.0], "front__b": [10.0, 10.0]}
    asked = asked_directly(played_world(), _signals(60, **values))
    assert _of(asked, "front") == pytest.approx([11, 12])


def test_minutes_are_those_of_the_clock() -> None:
    world = played_world()
    name = world.services[0].name
    late = Signals(
        NOON + timedelta(seconds=40),
        20,
        (SignalKey("requests_rps", name),),
        np.array([[9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]),
    )
    asked = asked_directly(world, late)
    assert asked.starts == NOON + timedelta(minutes=1)
    assert asked.minutes == 2
    assert by_minute(_of(asked, name), 20).tolist() == [2.0, 5.0]
    assert by_minute(_of(asked, name), 20, highest=True).tolist() == [3.0, 6.0]
    assert asked.at(1) == NOON + timedelta(minutes=2)
    assert asked.minute_of(NOON + timedelta(seconds=130)) == 1
    assert asked.until(NOON + timedelta(minutes=2)).minutes == 1


@settings(derandomize=True, deadline=None)
@given(RATES, st.sampled_from([2, 5, 60]))
def test_hours_keep_their_means_and_their_gaps(rates: list[float], minutes: int) -> None:
    rps = np.array([rates])
    laid = laid_on_minutes(rps, minutes)
    assert laid.shape == (1, minutes * len(rates))
    means = laid.reshape(-1, minutes).mean(axis=1)
    assert means == pytest.approx(rps[0], rel=1e-9, abs=1e-9, nan_ok=True)
    assert (laid[~np.isnan(laid)] >= 0).all()
    told = np.repeat(~np.isnan(rps), minutes, axis=1)
    assert (~np.isnan(laid) == told).all()


def test_minutes_between_hours_are_linear() -> None:
    laid = laid_on_minutes(np.array([[0.0, 6.0, 12.0]]), 6)[0]
    assert laid[6:12] == pytest.approx([3.5, 4.5, 5.5, 6.5, 7.5, 8.5])


def test_history_is_smooth() -> None:
    world = played_world()
    asked = asked_by_history(world)
    assert asked.smooth
    assert asked.at(asked.minutes) == world.starts


def test_nothing_asked_is_said() -> None:
    world = played_world()
    name = world.services[0].name
    with pytest.raises(UnusableData, match="nothing was asked"):
        asked_directly(world, _signals(60, **{name: [0.0, 0.0]}))
