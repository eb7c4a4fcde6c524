"""Samples on a grid, against a checker that goes through them one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.combining import longer_steps, of_services
from models.measured import (
    COUNTERS,
    LARGEST,
    LONGEST_INTERVAL_S,
    Grid,
    Oddity,
    Samples,
    gridded,
)
from models.signals import SIGNALS, Combine, SignalKey, Signals

START = datetime(2026, 3, 1, tzinfo=UTC)
START_S = int(START.timestamp())
LATER = START + timedelta(days=1)
WEB = SignalKey("requests_rps", "web")
SLOW = SignalKey("latency_p95_ms", "web")

exactly = settings(derandomize=True, deadline=None, max_examples=100)


def grid(steps: int = 6, step_s: int = 60) -> Grid:
    return Grid(START_S // step_s, step_s, steps)


def samples(
    rows: Sequence[tuple[int, float, float]], *keys: SignalKey, counter: str = "", covers_s: int = 0
) -> Samples:
    """Rows are (series, seconds after the start, value)."""
    return Samples(
        keys or (WEB,),
        np.array([row[0] for row in rows], np.int64),
        np.array([round((START_S + row[1]) * 1000) for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
        covers_s * 1000,
        COUNTERS[counter] if counter else None,
    )


def values(made: Samples, on: Grid | None = None) -> list[list[float]]:
    signals, _ = gridded(made, on or grid(), LATER)
    rows: list[list[float]] = signals.values.tolist()
    return rows


def oddities(made: Samples, now: datetime = LATER) -> dict[Oddity, int]:
    return {one.oddity: one.count for one in gridded(made, grid(), now)[1]}


def combined(found: Sequence[float], combine: Combine) -> float:
    if not found:
        return math.nan
    if combine is Combine.MAX:
        return max(found)
    return sum(found) / (len(found) if combine is Combine.MEAN else 1)


def checked_levels(made: Samples, on: Grid) -> list[list[float]]:
    """The same, slowly: every step looks at every sample."""
    parts: dict[SignalKey, list[list[float]]] = {}
    for series, key in enumerate(made.keys):
        known: dict[int, float] = {}
        for of, at, value in zip(made.series, made.at_ms, made.value, strict=True):
            if of == series and math.isfinite(value) and value >= 0:
                known[int(at)] = float(value)
        row = []
        for step in range(on.steps):
            starts = (on.first + step) * on.step_s * 1000
            ends = starts + on.step_s * 1000
            if made.covers_ms > on.step_s * 1000:
                inside = [v for at, v in known.items() if at <= starts < at + made.covers_ms]
            else:
                inside = [v for at, v in known.items() if starts <= at < ends]
            row.append(combined(inside, SIGNALS[key.signal].over_time))
        parts.setdefault(key, []).append(row)
    return [checked_whole(parts[key], SIGNALS[key.signal].over_parts) for key in sorted(parts)]


def checked_whole(rows: list[list[float]], combine: Combine) -> list[float]:
    if len(rows) == 1:
        return rows[0]
    whole = []
    for step in range(len(rows[0])):
        there = [row[step] for row in rows if not math.isnan(row[step])]
        gap = combine is Combine.SUM and any(
            math.isnan(row[step])
            and any(not math.isnan(v) for v in row[:step])
            and any(not math.isnan(v) for v in row[step:])
            for row in rows
        )
        whole.append(math.nan if gap else combined(there, combine))
    return whole


numbers = st.one_of(
    st.floats(0, 1e6), st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf, -1.0])
)
LEVELS = st.lists(st.tuples(st.integers(0, 3), st.integers(-90, 450), numbers), max_size=40)


@exactly
@given(LEVELS, st.sampled_from([0, 60, 120, 150]))
def test_levels_are_what_a_slow_checker_finds(
    rows: list[tuple[int, float, float]], covers_s: int
) -> None:
    made = samples(rows, WEB, SLOW, WEB, SLOW, covers_s=covers_s)
    expected = checked_levels(made, grid())
    np.testing.assert_allclose(values(made), expected, rtol=1e-12)


def checked_rate(made: Samples, on: Grid) -> list[float]:
    """Rate per second of one series in order, millisecond by millisecond."""
    known: dict[int, float] = {}
    for at, value in zip(made.at_ms, made.value, strict=True):
        known[int(at)] = float(value)
    readings = sorted(known.items())
    found = []
    for step in range(on.steps):
        starts = (on.first + step) * on.step_s * 1000
        ends = starts + on.step_s * 1000
        counted = covered = 0.0
        for (at, before), (until, after) in pairwise(readings):
            if until - at > max(LONGEST_INTERVAL_S, 2 * on.step_s) * 1000:
                continue
            rise = after - before if after >= before else after
            share = max(min(until, ends) - max(at, starts), 0) / (until - at)
            counted += rise * share
            covered += share * (until - at)
        whole = on.step_s * 1000
        found.append(counted / covered * 1000 if covered >= whole / 2 and covered else math.nan)
    return found


READINGS = st.lists(
    st.tuples(st.just(0), st.integers(-600, 900), st.integers(0, 1000)), min_size=0, max_size=25
)


@exactly
@given(READINGS)
def test_rates_are_what_a_slow_checker_finds(rows: list[tuple[int, float, float]]) -> None:
    made = samples(sorted(rows, key=lambda row: row[1]), counter="requests_total")
    found = values(made)[0] if rows else [math.nan] * 6
    np.testing.assert_allclose(found, checked_rate(made, grid()), rtol=1e-9, atol=1e-12)


def without_overtaken(rows: list[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
    """Without what lies within a stretch that came later, after the time had jumped back."""
    stretches: list[list[tuple[int, float, float]]] = []
    for row in rows:
        if not stretches or row[1] < stretches[-1][-1][1]:
            stretches.append([])
        stretches[-1].append(row)
    return [
        row
        for i, stretch in enumerate(stretches)
        for row in stretch
        if not any(late[0][1] <= row[1] <= late[-1][1] for late in stretches[i + 1 :])
    ]


@exactly
@given(READINGS, READINGS)
def test_jumps_back_are_what_a_slow_checker_finds(
    rows: list[tuple[int, float, float]], others: list[tuple[int, float, float]]
) -> None:
    """Two counters whose readings came mixed, in any order."""
    mixed = [(1, *row[1:]) for row in others] + rows
    found = values(samples(mixed, WEB, SignalKey("errors_rps", "web"), counter="requests_total"))
    for series, own in ((1, rows), (0, others)):  # keys are sorted: errors come first
        kept = samples(without_overtaken(own), counter="requests_total")
        expected = checked_rate(kept, grid()) if own else [math.nan] * 6
        np.testing.assert_allclose(found[series], expected, rtol=1e-9, atol=1e-12)


@exactly
@given(
    st.lists(st.tuples(st.integers(1, 90), st.integers(0, 500)), min_size=30, max_size=60),
    st.sets(st.integers(0, 59)),
)
def test_no_request_is_lost_by_resets_or_odd_intervals(
    rises: list[tuple[int, int]], resets: set[int]
) -> None:
    """All that was counted lies somewhere on the grid, whenever the process started again."""
    at, total, rows, counted = 0, 0.0, [(0, 0.0, 0.0)], 0.0
    for i, (after_s, rise) in enumerate(rises):
        at += after_s
        reset = i in resets and rise < total
        total = rise if reset else total + rise
        counted += rise
        rows.append((0, at, total))
    rows.append((0, -(-at // 60) * 60 + 60, total))  # the last step is covered to its end
    on = grid(rows[-1][1].__trunc__() // 60)
    found = values(samples(rows, counter="requests_total"), on)[0]
    assert sum(found) * 60 == pytest.approx(counted)


@exactly
@given(LEVELS, st.integers(0, 5))
def test_nothing_looks_into_the_future(rows: list[tuple[int, float, float]], step: int) -> None:
    """What comes later changes nothing of a level before."""
    keys = WEB, SLOW, SignalKey("cpu_share", "web"), SignalKey("replicas", "web")
    made = samples(rows, *keys)
    early = samples([row for row in rows if row[1] < step * 60], *keys)
    np.testing.assert_array_equal(
        np.array(values(made))[:, :step], np.array(values(early))[:, :step]
    )


@exactly
@given(LEVELS, st.randoms(use_true_random=False))
def test_late_samples_change_nothing_but_ties(rows: list[tuple[int, float, float]], chance) -> None:  # type: ignore[no-untyped-def]
    once = list({(of, at): (of, at, value) for of, at, value in rows}.values())
    mixed = list(once)
    chance.shuffle(mixed)
    keys = WEB, SLOW, WEB, SLOW
    np.testing.assert_allclose(
        values(samples(once, *keys)), values(samples(mixed, *keys)), rtol=1e-12
    )


@exactly
@given(READINGS, st.integers(1, 9))
def test_rates_scale_with_what_is_counted(
    rows: list[tuple[int, float, float]], factor: int
) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    once = values(samples(rows, counter="requests_total"))
    more = values(
        samples([(of, at, factor * value) for of, at, value in rows], counter="requests_total")
    )
    np.testing.assert_allclose(np.array(more), factor * np.array(once), rtol=1e-9)


def test_gaps_stay_gaps() -> None:
    assert values(samples([(0, 0, 5.0), (0, 200, 0.0)])) == [
        pytest.approx([5.0, math.nan, math.nan, 0.0, math.nan, math.nan], nan_ok=True)
    ]


def test_what_came_last_counts() -> None:
    made = samples([(0, 0, 5.0), (0, 0, 5.0), (0, 60, 1.0), (0, 60, 7.0)])
    assert values(made)[0][:2] == [5.0, 7.0]
    assert oddities(made) == {Oddity.AGAIN: 1, Oddity.DIFFERENT: 1}


def test_the_future_is_left_out_and_named() -> None:
    made = samples([(0, 0, 5.0), (0, 240, 9.0)])
    signals, (notice,) = gridded(made, grid(), START + timedelta(seconds=100))
    assert np.isnan(signals.values[0, 4])
    assert notice.in_words.startswith("1 samples lie in the future")
    assert notice.keys == (WEB,)


def test_the_impossible_is_left_out() -> None:
    made = samples([(0, 0, -5.0), (0, 60, math.inf), (0, 120, math.nan)])
    assert np.isnan(values(made)).all()
    assert oddities(made) == {Oddity.IMPOSSIBLE: 2}


def test_sums_of_all_that_is_possible_stay_finite() -> None:
    made = samples([(0, 0, 1.7e308), (0, 1, 1.7e308), (0, 60, LARGEST), (0, 61, LARGEST)])
    assert values(made)[0][:2] == pytest.approx([math.nan, LARGEST], nan_ok=True)
    assert oddities(made) == {Oddity.IMPOSSIBLE: 2}


def test_a_reset_starts_at_zero() -> None:
    rows = [(0, 0, 100.0), (0, 60, 160.0), (0, 120, 30.0), (0, 180, 90.0)]
    made = samples(rows, counter="requests_total")
    assert values(made)[0][:3] == pytest.approx([1.0, 0.5, 1.0])
    assert oddities(made) == {Oddity.RESET: 1}


def test_restarts_are_counted_per_hour() -> None:
    key = SignalKey("restarts_per_hour", "web")
    made = samples([(0, 0, 3.0), (0, 60, 4.0)], key, counter="restarts_total")
    assert values(made)[0][0] == pytest.approx(60.0)


def test_a_clock_that_jumps_back_makes_no_reset() -> None:
    """A clock was five minutes ahead and was put right; the counter went on counting."""
    fast = [(0, 300 + 60 * i, 60.0 * i) for i in range(5)]
    right = [(0, 240 + 60 * i, 60.0 * (5 + i)) for i in range(6)]
    made = samples([*fast, *right], counter="requests_total")
    found = values(made, grid(10))[0]
    assert found[4:9] == pytest.approx([1.0] * 5)
    assert oddities(made) == {Oddity.BACK: 5}


def test_one_late_reading_costs_no_request() -> None:
    rows = [(0, 0, 0.0), (0, 30, 30.0), (0, 90, 90.0), (0, 60, 60.0), (0, 120, 120.0)]
    assert values(samples(rows, counter="requests_total"))[0][:2] == pytest.approx([1.0, 1.0])


def test_a_long_silence_of_a_counter_is_a_gap() -> None:
    rows = [(0, 0, 0.0), (0, 60, 60.0), (0, 60 + 301, 400.0), (0, 420, 460.0)]
    found = values(samples(rows, counter="requests_total"), grid(7))[0]
    assert found[0] == 1.0
    assert np.isnan(found[1:6]).all()


def test_a_sum_with_a_gap_in_a_part_is_unknown() -> None:
    rows = [(0, 60 * i, 1.0) for i in range(6)] + [(1, 60.0, 2.0), (1, 180.0, 2.0)]
    found = values(samples(rows, WEB, WEB))[0]
    assert found == pytest.approx([1.0, 3.0, math.nan, 3.0, 1.0, 1.0], nan_ok=True)


def signals_of(**rows: list[float]) -> Signals:
    keys = {
        "whole": SignalKey("requests_rps", "web"),
        "europe": SignalKey("requests_rps", "web", origin="europe"),
        "asia": SignalKey("requests_rps", "web", origin="asia"),
        "one": SignalKey("requests_rps", "web", instance="1"),
        "two": SignalKey("requests_rps", "web", instance="2"),
        "edge": SignalKey("requests_rps", "web", callee="db"),
        "europe_one": SignalKey("requests_rps", "web", origin="europe", instance="1"),
    }
    named = sorted((keys[name], row) for name, row in rows.items())
    return Signals(START, 60, tuple(k for k, _ in named), np.array([row for _, row in named]))


def test_wholes_come_from_one_kind_of_part() -> None:
    parts = signals_of(europe=[1.0], asia=[2.0], one=[2.0], two=[1.0], edge=[9.0])
    whole = of_services(parts)
    assert whole.of(WEB).tolist() == [3.0]
    assert whole.of(SignalKey("requests_rps", "web", callee="db")).tolist() == [9.0]
    assert of_services(signals_of(whole=[5.0], one=[2.0])).of(WEB).tolist() == [5.0]
    europe = SignalKey("requests_rps", "web", origin="europe")
    found = of_services(signals_of(europe_one=[4.0], whole=[5.0]), origins=True)
    assert found.of(europe).tolist() == [4.0]
    assert found.of(WEB).tolist() == [5.0]


@exactly
@given(
    st.lists(st.one_of(st.floats(0, 100), st.just(math.nan)), min_size=1, max_size=40),
    st.integers(0, 7),
    st.sampled_from([120, 300, 3600]),
)
def test_longer_steps(row: list[float], late: int, step_s: int) -> None:
    starts = START + timedelta(minutes=late)
    found = longer_steps(Signals(starts, 60, (WEB,), np.array([row])), step_s)
    at = {starts + timedelta(minutes=i): value for i, value in enumerate(row)}
    assert found.starts <= starts < found.at(1)
    assert found.at(found.steps - 1) <= max(at) < found.ends
    for step in range(found.steps):
        inside = [v for t, v in at.items() if found.at(step) <= t < found.at(step + 1)]
        known = [v for v in inside if not math.isnan(v)]
        enough = len(known) >= step_s / 60 / 2
        expected = sum(known) / len(known) if enough else math.nan
        assert found.values[0, step] == pytest.approx(expected, nan_ok=True)
