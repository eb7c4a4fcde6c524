"""Rounds over all sources: what fails by itself, what is kept, what is read on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import generate_latest
from prometheus_host import wait_for

from models.errors import SourceFailed, UnusableData
from models.measured import Grid, Samples
from models.signals import SignalKey
from optimizer.metrics import Address, ObserveMetrics, served
from optimizer.observe import _AHEAD, Observed, Request, follow, observe
from optimizer.output.telemetry_text import observed_document, observed_text, round_text
from providers.telemetry.seam import Chunk, Listener, Part
from providers.telemetry.store import Store
from providers.telemetry.writing import StoreWriter

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = SignalKey("requests_rps", "web")
Reader = Callable[[Grid, Listener], Iterator[Chunk]]


def ramp(grid: Grid, key: SignalKey = KEY, level: float = 0.0) -> Chunk:
    """The minute of the day as value, of every step."""
    step = grid.first + np.arange(grid.steps)
    value = level + step % 1440
    zero = np.zeros(grid.steps, np.int64)
    return Chunk(grid, Samples((key,), zero, step * 60_000, value.astype(float)))


def steady(grid: Grid, _: Listener) -> Iterator[Chunk]:
    yield ramp(grid)


def request(now: datetime = NOW, **given: object) -> Request:
    return Request(now, now, 60, 30, timedelta(minutes=10), **given)  # type: ignore[arg-type]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path / "telemetry", "t", 60) as one:
        yield one


def kept(writer: StoreWriter, ends: datetime = NOW, hours: int = 24) -> NDArray[np.float64]:
    writer.flush()
    found = Store(writer.folder).read(ends - timedelta(hours=hours), ends)
    return found.of(KEY)


def test_a_part_that_fails_spoils_no_other(writer: StoreWriter) -> None:
    def breaks(grid: Grid, _: Listener) -> Iterator[Chunk]:
        half = Grid(grid.first, 60, grid.steps // 2)
        yield ramp(half)
        raise SourceFailed("b", "it broke off", "look at it")

    def ours(grid: Grid, _: Listener) -> Iterator[Chunk]:
        raise ZeroDivisionError("password=hunter2secret")
        yield ramp(grid)

    def damaged(grid: Grid, _: Listener) -> Iterator[Chunk]:
        raise UnusableData("file is damaged")
        yield ramp(grid)

    day = timedelta(days=1)
    parts = [
        Part("b", "breaks", "1", breaks, day), Part("b", "steady", "1", steady, timedelta(hours=1)),
        Part("c", "ours", "1", ours, day), Part("d", "damaged", "1", damaged, day),
    ]  # fmt: skip
    observed = observe(parts, writer, request(), None)
    assert [one.title for one in observed.parts] == ["b/breaks", "b/steady", "c/ours", "d/damaged"]
    whys = [one.why for one in observed.parts]
    assert whys[0] == "it broke off: look at it"
    assert whys[1] == ""
    assert "ZeroDivisionError" in whys[2]
    assert "hunter2" not in whys[2]
    assert whys[3] == "file is damaged"
    assert not observed.whole
    row = kept(writer)
    assert (~np.isnan(row)).sum() == 720 + 60
    assert set(writer.store.progress()) == {"b/steady@1"}


def test_a_server_that_is_down_is_waited_for_once(writer: StoreWriter) -> None:
    asked: list[str] = []

    def reader(name: str, *, altogether: bool) -> Reader:
        def read(grid: Grid, _: Listener) -> Iterator[Chunk]:
            asked.append(name)
            raise SourceFailed("a", name, "look", altogether=altogether)
            yield ramp(grid)

        return read

    day = timedelta(days=1)
    parts = [
        Part("a", "1", "1", reader("this question", altogether=False), day),
        Part("a", "2", "1", reader("all of it", altogether=True), day),
        Part("a", "3", "1", reader("never", altogether=True), day),
        Part("b", "4", "1", steady, day),
    ]
    observed = observe(parts, writer, request(), None)
    whys = [one.why for one in observed.parts]
    assert whys == ["this question: look", "all of it: look", "all of it: look", ""]
    assert asked == ["this question", "all of it"]
    told = [round_text(observed, NOW, set()), observed_text("t", observed, (), 100, False)]
    for text in told:
        assert text.count("this question: look") == text.count("all of it: look") == 1
        assert "a: 2 queries or files" in text


def test_what_was_missed_is_read_on(writer: StoreWriter) -> None:
    grids: list[Grid] = []

    def reads(grid: Grid, _: Listener) -> Iterator[Chunk]:
        grids.append(grid)
        yield ramp(grid)

    parts = [Part("a", "p", "1", reads, timedelta(days=1))]
    for now in (NOW, NOW + timedelta(minutes=1), NOW + timedelta(hours=9)):  # down for a while
        assert observe(parts, writer, request(now), None).whole
    assert [grid.steps for grid in grids] == [1440, 11, 539 + 10]
    row = kept(writer, NOW + timedelta(hours=9), 33)
    assert not np.isnan(row).any()
    changed = [Part("a", "p", "2", reads, timedelta(days=1))]  # another question: from the start
    observe(changed, writer, request(NOW + timedelta(hours=9)), None)
    assert grids[-1].steps == 1440
    asked = request(NOW + timedelta(hours=9), starts=NOW - timedelta(days=90))
    observe(changed, writer, asked, None)
    assert grids[-1].steps == 30 * 1440  # no longer than signals are kept


def test_what_is_too_old_to_be_kept_is_said(writer: StoreWriter) -> None:
    parts = [Part("a", "p", "1", steady, timedelta(days=1))]
    assert not observe(parts, writer, request(starts=NOW - timedelta(days=30)), None).cut
    observed = observe(parts, writer, request(starts=NOW - timedelta(days=60)), None)
    cut = "before 2026-01-31 12:00 UTC nothing is read or kept: keep_days is 30"
    assert observed.cut == cut
    assert cut[1:] in observed_text("t", observed, (), 100, False)
    told: set[str] = set()
    assert cut in round_text(observed, NOW, told)
    assert cut not in round_text(observed, NOW, told)
    assert observed_document("t", observed, (), NOW, NOW)["cut"] == cut


def test_the_later_source_counts(writer: StoreWriter) -> None:
    def higher(grid: Grid, _: Listener) -> Iterator[Chunk]:
        yield ramp(grid, level=5000.0)

    day = timedelta(days=1)
    parts = [Part("a", "p", "1", steady, day), Part("b", "p", "1", higher, day)]
    for _ in range(3):
        observe(parts, writer, request(), None)
        assert kept(writer).min() >= 5000.0


def test_a_source_that_is_ahead_waits_for_its_turn(writer: StoreWriter) -> None:
    made, ahead = 0, 0

    def first(grid: Grid, _: Listener) -> Iterator[Chunk]:
        nonlocal ahead
        ahead = wait_for(lambda: made if made > _AHEAD else None, "the other source is ahead")
        yield ramp(grid)

    def many(grid: Grid, _: Listener) -> Iterator[Chunk]:
        nonlocal made
        for i in range(1000):
            made += 1
            yield ramp(Grid(grid.first + i, 60, 1))

    day = timedelta(days=1)
    parts = [Part("a", "p", "1", first, day), Part("b", "p", "1", many, day)]
    observed = observe(parts, writer, request(), None)
    assert observed.whole
    assert ahead == _AHEAD + 1
    assert observed.parts[1].samples == made == 1000


def test_stopping_keeps_what_is_whole_and_waits_for_nobody(writer: StoreWriter) -> None:
    stop, never = threading.Event(), threading.Event()

    def hangs(grid: Grid, _: Listener) -> Iterator[Chunk]:
        yield ramp(Grid(grid.first, 60, 5))
        stop.set()
        never.wait(30)
        yield ramp(grid)

    day = timedelta(days=1)
    parts = [Part("a", "p", "1", steady, day), Part("b", "hangs", "1", hangs, day)]
    observed = observe(parts, writer, request(), None, stop)
    never.set()
    assert observed.stopped
    assert not observed.whole
    assert "b/hangs@1" not in writer.store.progress()


def test_rounds_follow_the_clock() -> None:
    began: list[datetime] = []
    stop = threading.Event()
    now = NOW + timedelta(seconds=7)

    def one_round(at: datetime) -> Observed:
        nonlocal now
        began.append(at)
        now += timedelta(seconds=0.999999) if len(began) < 3 else timedelta(seconds=5)
        if len(began) == 4:
            stop.set()
        return Observed((), 0.0)

    class Waits(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal now
            now += timedelta(seconds=timeout or 0.0)
            return self.is_set()

    stop = Waits()
    follow(one_round, 2.0, stop, lambda: now)
    assert [(at - NOW).total_seconds() for at in began] == [7, 8, 10, 15]


def test_metrics_tell_what_was_done(writer: StoreWriter) -> None:
    def odd(grid: Grid, _: Listener) -> Iterator[Chunk]:
        chunk = ramp(Grid(grid.first, 60, 10))
        value = chunk.samples.value.copy()
        value[4:6] = np.nan
        value[7] = -1.0
        yield Chunk(chunk.grid, Samples((KEY,), chunk.samples.series, chunk.samples.at_ms, value))

    def fails(grid: Grid, _: Listener) -> Iterator[Chunk]:
        raise SourceFailed("b", "no", "look")
        yield ramp(grid)

    day = timedelta(days=1)
    parts = [Part("a", "odd", "1", odd, day), Part("b", 'f"\n', "1", fails, day)]
    metrics = ObserveMetrics(parts)
    for _ in range(2):
        metrics.tell(observe(parts, writer, request(), None), NOW)
    text = generate_latest(metrics.registry).decode()
    of = '{part="odd",source="a"}'
    assert f"trimtab_telemetry_samples_total{of} 20.0" in text
    assert f"trimtab_telemetry_gaps{of} 3.0" in text
    assert f"trimtab_telemetry_steps_written_total{of} 14.0" in text
    assert f"trimtab_telemetry_last_success_timestamp_seconds{of} {NOW.timestamp():.8g}" in text
    assert (
        'trimtab_telemetry_odd_samples_total{oddity="impossible",part="odd",source="a"} 2.0' in text
    )
    assert 'trimtab_telemetry_failures_total{part="f\\" ",source="b"} 2.0' in text
    assert "trimtab_telemetry_round_seconds_count 2.0" in text


def test_what_is_odd_is_told_once_and_failures_each_time(writer: StoreWriter) -> None:
    def noted(grid: Grid, listener: Listener) -> Iterator[Chunk]:
        listener.note("the server says: \x1b[31modd")
        raise SourceFailed("a", "it broke off", "look")
        yield ramp(grid)

    parts = [Part("a", "p", "1", noted, timedelta(days=1))]
    told: set[str] = set()
    first, again = (
        round_text(observe(parts, writer, request(), None), NOW, told).splitlines()
        for _ in range(2)
    )
    assert first[1:] == ["a/p: it broke off: look", "a/p: the server says: odd"]
    assert again[1:] == first[1:2]
    assert first[0].startswith("2026-03-02 12:00:00 UTC: 0 samples, 0 steps new, 1 part failed, ")


def test_an_address_that_is_taken_is_a_fault() -> None:
    metrics = ObserveMetrics([])
    with served(metrics.registry, Address("127.0.0.1", 0)) as at:
        assert at.port > 0
        with (
            pytest.raises(Exception, match="metrics cannot be served"),
            served(metrics.registry, at),
        ):
            pass
