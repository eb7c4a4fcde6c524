"""Changes of an account do not come faster than they may."""

from __future__ import annotations

import pytest

from providers.pace import Pace


class _Time:
    """Goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_burst_passes_and_then_a_rate() -> None:
    time = _Time()
    pace = Pace(per_s=2.0, at_first=3, clock=time, sleep=time.sleep)
    turns = []
    for _ in range(6):
        pace.wait("shop")
        turns.append(time.now - 100.0)
    assert turns == pytest.approx([0.0, 0.0, 0.0, 0.5, 1.0, 1.5])
    pace.wait("other")  # each account has a rate of its own
    assert time.now == pytest.approx(101.5)
    time.now += 60.0  # a rest fills one burst, not more
    for _ in range(4):
        pace.wait("shop")
    assert time.now == pytest.approx(162.0)


def test_nobody_changes_anything_while_the_cloud_asked_to_wait() -> None:
    time = _Time()
    pace = Pace(per_s=2.0, at_first=3, clock=time, sleep=time.sleep)
    pace.hold("shop", 7.0)
    pace.hold("shop", 1.0)  # the longest counts
    pace.wait("other")
    assert time.now == 100.0
    pace.wait("shop")
    assert time.now == pytest.approx(107.0)


def test_those_who_waited_for_the_cloud_come_one_after_the_other() -> None:
    slept: list[float] = []
    pace = Pace(per_s=2.0, at_first=3, clock=lambda: 100.0, sleep=slept.append)
    pace.hold("shop", 7.0)
    for _ in range(4):  # as threads that all come while the cloud must be left alone
        pace.wait("shop")
    assert slept == pytest.approx([7.0, 7.5, 8.0, 8.5])


def test_whoever_waits_already_waits_for_the_cloud_too() -> None:
    time = _Time()

    def sleep(seconds: float) -> None:
        if time.now == 100.0:
            pace.hold("shop", 7.0)  # another thread hears it meanwhile
        time.sleep(seconds)

    pace = Pace(per_s=2.0, at_first=1, clock=time, sleep=sleep)
    pace.wait("shop")
    pace.wait("shop")
    assert time.now == pytest.approx(107.0)
