"""The planted worlds of the benchmark hold what they say, and its counts are right."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.foresight import HORIZON, Looks, Tally
from benchmarks.planted import DAY, FULL, HARMFUL, STEPS, planted_world
from benchmarks.planted_failures import FAILURES, planted_failures
from benchmarks.planted_loads import LOADS, planted_load
from models.signals import SignalKey


def test_trouble_is_where_it_is_planted_and_nowhere_else() -> None:
    world = planted_world(3)
    harmful = {one.key for one in world.trouble}
    for case, key, values in zip(
        world.cases, world.signals.keys, world.signals.values, strict=True
    ):
        assert (key in harmful) == (case in HARMFUL)
        if case not in HARMFUL:
            assert np.nanmax(values) < FULL
    for one in world.trouble:
        assert 0 < one.begins < one.happens < STEPS
        assert 0 < one.lead <= 3 * DAY
    again = planted_world(3)
    np.testing.assert_array_equal(again.signals.values, world.signals.values)


@pytest.mark.parametrize("case", LOADS)
def test_objectives_break_at_the_load_that_is_said(case: str) -> None:
    planted = planted_load(5, case)
    near = np.abs(np.log(planted.load / planted.breaking_load)) < 0.02
    if near.sum() > 10 and case not in ("neighbours", "new-version"):
        at = np.nanmedian(planted.latency[near])
        assert at == pytest.approx(planted.objective_ms, rel=0.25)
    if planted.happens is not None:
        assert planted.begins is not None
        assert planted.latency[planted.happens - 40 : planted.happens].size == 40
        assert np.nanmax(planted.load[: planted.happens]) > 0.8 * planted.breaking_load


@pytest.mark.parametrize("case", FAILURES)
def test_services_fail_where_it_is_planted(case: str) -> None:
    planted = planted_failures(4, case)
    signals, failed = planted.signals, set(planted.failed)
    errors = signals.of(SignalKey("errors_rps", case))
    share = errors / signals.of(SignalKey("requests_rps", case))
    restarts = signals.values[[i for i, key in enumerate(signals.keys) if key.instance]]
    assert set(np.flatnonzero((share > 0.07) | restarts.any(axis=0)).tolist()) <= failed
    for begins, happens in planted.troubles:
        assert begins < happens < STEPS
        assert happens in failed
    harmless = case in ("calm", "lone-anomaly", "new-level")
    assert bool(failed) != harmless


def looks(*alarms: int) -> Looks:
    at = np.arange(0, STEPS + 1, 6)
    chance = np.isin(at, alarms).astype(float)
    return Looks(at, chance, np.zeros(at.size), np.full(at.size, 12.0))


@pytest.mark.parametrize(
    ("alarms", "found", "false"),
    [
        ((), False, 0),
        ((420,), True, 0),
        ((450,), False, 0),  # after the promised lead time
        ((360,), False, 0),  # too long before to stand when it has to
        ((240,), False, 1),  # nothing happens within its horizon
        ((60, 66, 84, 210), False, 2),  # the first three are one
        ((420, 504), True, 0),  # as it happens
    ],
)
def test_found_and_false_are_counted(alarms: tuple[int, ...], found: bool, false: int) -> None:
    tally = Tally()
    happens, lead = 504, 72
    assert 240 + HORIZON < happens < 360 + HORIZON
    tally.add("case", looks(*alarms), [(336, happens, lead)])
    assert tally.found == {"case": [found]}
    assert tally.false.get("case", 0) == false
