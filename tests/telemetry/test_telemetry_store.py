"""A store is whole at any moment, and reading a source again changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import FaultyInput, OutputFailed, UnusableData
from models.signals import SignalKey, Signals
from providers.telemetry import days, writing
from providers.telemetry.store import Store
from providers.telemetry.writing import StoreWriter

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
STEP_S = 600
STEP = timedelta(seconds=STEP_S)
WEB = SignalKey("requests_rps", "web", "europe")
SLOW = SignalKey("latency_p95_ms", "web", instance="=cmd|' /C calc'!A0\x1b[31m")
EDGE = SignalKey("requests_rps", "web", callee="stöck")


def signals(values: dict[SignalKey, list[float]], starts: datetime = START) -> Signals:
    keys = tuple(sorted(values))
    return Signals(starts, STEP_S, keys, np.array([values[key] for key in keys]))


def ramp(steps: int = 30, first: float = 0.0) -> Signals:
    row = [first + i for i in range(steps)]
    return signals({WEB: row, SLOW: [*row[:-1], np.nan], EDGE: row})


def writer(folder: Path) -> StoreWriter:
    return StoreWriter(folder, "production", STEP_S)


def assert_same(found: Signals, expected: Signals) -> None:
    assert (found.starts, found.step_s, found.keys) == (
        expected.starts, expected.step_s, expected.keys,
    )  # fmt: skip
    np.testing.assert_array_equal(found.values, expected.values)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        assert out.write(ramp()).changed == 89
    store = Store(tmp_path)
    assert [day.isoformat() for day in store.days()] == ["2026-03-01", "2026-03-02"]
    assert_same(store.read(START, START + timedelta(seconds=30 * STEP_S)), ramp())
    assert store.measured_until() == ramp().ends
    only = store.read(START, ramp().ends, signals={"latency_p95_ms"}, services={"web"})
    assert only.keys == (SLOW,)
    assert store.read(START, ramp().ends, services={"other"}).keys == ()
    hours = store.read(START, START + timedelta(hours=5), step_s=3600)
    assert hours.of(WEB).tolist() == [2.5, 8.5, 14.5, 20.5, 26.5]
    assert hours.of(SLOW).tolist() == [5, 11, 17, 23, 28]


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
    before = contents(tmp_path)
    with writer(tmp_path) as out:
        assert out.write(ramp()).changed == 0
    assert contents(tmp_path) == before


def test_a_gap_erases_nothing_and_what_is_new_counts(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.write(signals({WEB: [1.0, 2.0, np.nan]}))
        done = out.write(signals({WEB: [np.nan, 5.0, 6.0], EDGE: [7.0, np.nan, np.nan]}))
    assert done.changed == 3
    found = Store(tmp_path).read(START, START + timedelta(seconds=3 * STEP_S))
    assert found.of(WEB).tolist() == [1.0, 5.0, 6.0]
    np.testing.assert_array_equal(found.of(EDGE), [7.0, np.nan, np.nan])


KEYS = st.sampled_from([WEB, SLOW, EDGE, SignalKey("cpu_share", "db", instance="i-1")])
WINDOWS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.dictionaries(
            KEYS,
            st.lists(st.sampled_from([0.0, 1.5, 2.0, np.nan]), min_size=4, max_size=4),
            min_size=1,
        ),
    ),
    max_size=6,
)


@settings(
    derandomize=True, deadline=None, max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(windows=WINDOWS)
def test_windows_in_any_order_are_a_dictionary(
    windows: list[tuple[int, dict[SignalKey, list[float]]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("store")
    expected: dict[tuple[SignalKey, int], float] = {}
    with writer(folder) as out:
        for first, rows in windows:
            out.write(signals(rows, START + timedelta(seconds=first * STEP_S)))
            for key, row in rows.items():
                known = {(key, first + i): v for i, v in enumerate(row) if not np.isnan(v)}
                expected.update(known)
    found = Store(folder).read(START, START + timedelta(seconds=50 * STEP_S))
    read = {
        (key, step): float(value)
        for key, row in zip(found.keys, found.values, strict=True)
        for step, value in enumerate(row)
        if not np.isnan(value)
    }
    assert read == expected


class Killed(BaseException):
    """The process ends here: nothing may be tidied up behind it."""


def _killing(monkeypatch: pytest.MonkeyPatch, at: int, half: Callable[[Path], None]) -> None:
    """Every touch of the disk is counted, and the one with number ``at`` is the last."""
    seen = 0

    def touch(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*given: Any, **named: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == at:
                if name == "write_table":
                    half(Path(given[1]))
                raise Killed
            return real(*given, **named)

        return act

    touching = ((Path, "replace"), (os, "fsync"), (pq, "write_table"), (Path, "write_text"),
                (Path, "unlink"), (Path, "mkdir"))  # fmt: skip
    for module, name in touching:
        monkeypatch.setattr(module, name, touch(name, getattr(module, name)))


def _half_written(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"PAR1 and then the lights went out")


def _session(folder: Path) -> None:
    now = START + timedelta(days=12)
    with writer(folder) as out:
        out.write(ramp(first=100.0))
        out.note_progress({"a/b": ramp().ends})
        out.retire(now, keep_days=30, hours_after_days=11)
        out.retire(now + timedelta(days=19), keep_days=30, hours_after_days=11)


def test_killed_anywhere_every_day_is_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk over all moments at which a writer may die; the next one ends what it began."""
    clean = tmp_path / "clean"
    with writer(clean) as out:
        out.write(ramp())
    before = contents(clean)
    _session(clean)
    after = contents(clean)
    at, killed = 0, True
    while killed:
        at, killed = at + 1, False
        folder = tmp_path / str(at)
        with writer(folder) as out:
            out.write(ramp())
        with monkeypatch.context() as patched:
            _killing(patched, at, _half_written)
            try:
                _session(folder)
            except Killed:
                killed = True
        store = Store(folder)
        for day in store.days():  # whole, whatever happened
            shown = store.read(
                datetime(day.year, day.month, day.day, tzinfo=UTC),
                datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1),
                step_s=3600,
            )
            assert shown.keys
        store.progress()
        _session(folder)
        assert contents(folder) == after
    assert at > 15
    assert before != after


def minute(i: int, value: float) -> Signals:
    """A step more of every series, the later ones at the end of the first day."""
    at = START - timedelta(hours=10) + i * timedelta(seconds=STEP_S)
    return signals({WEB: [value], SLOW: [np.nan if i % 2 else value], EDGE: [value]}, at)


ROUNDS = 6


def _rounds(folder: Path, first: float) -> None:
    """Rounds of a daemon: each is on disk before the next; then the day is over."""
    with writer(folder) as out:
        for i in range(ROUNDS):
            out.write(minute(i, first + i))
            out.flush()
        out.retire(START + timedelta(hours=4), keep_days=30, hours_after_days=None)


def test_a_round_writes_what_is_new(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
        out.flush()
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
        out.write(minute(0, 7.0))
        out.flush()
        now = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert before.items() <= now.items()
    (new,) = now.keys() - before.keys()
    assert new == tmp_path / "increments" / "2026-03-01.000001.parquet"
    assert pq.read_metadata(new).num_rows == 3
    assert Store(tmp_path).read(minute(0, 0.0).starts, START).of(EDGE)[0] == 7.0


def test_many_increments_go_into_their_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_INCREMENTS", 3)
    with writer(tmp_path) as out:
        out.write(ramp())
        for i in range(30):
            out.write(minute(i % 7, float(i)))
            out.flush()
            assert len(list((tmp_path / "increments").iterdir())) <= 3
            found = Store(tmp_path).read(START - timedelta(hours=10), START)
            assert found.of(WEB)[i % 7] == i
    assert len(list((tmp_path / "increments").iterdir())) > 0
    with writer(tmp_path) as out:  # another goes on counting where the first one ended
        out.write(minute(3, 99.0))
    assert Store(tmp_path).read(START - timedelta(hours=10), START).of(WEB)[3] == 99.0


def test_killed_anywhere_between_rounds_loses_no_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every moment at which a writer may die, each step is as an earlier round or this one left
    it, and later rounds are there only with earlier ones.
    """
    monkeypatch.setattr(writing, "MOST_INCREMENTS", 2)
    starts, ends = START - timedelta(hours=10), START - timedelta(hours=10) + ROUNDS * STEP
    expected = None
    at, killed = 0, True
    while killed:
        at, killed = at + 1, False
        folder = tmp_path / str(at)
        _rounds(folder, first=0.0)
        with monkeypatch.context() as patched:
            _killing(patched, at, _half_written)
            try:
                _rounds(folder, first=100.0)
            except Killed:
                killed = True
        found = Store(folder).read(starts, ends).of(WEB)
        rounds = int((found >= 100).sum())
        np.testing.assert_array_equal(
            found, [100.0 + i if i < rounds else i for i in range(ROUNDS)]
        )
        _rounds(folder, first=100.0)
        whole = Store(folder).read(starts, ends)
        expected = expected or whole
        assert_same(whole, expected)
        assert list((folder / "increments").iterdir()) == []
    assert at > 30


def test_a_reader_beside_a_writer_sees_whole_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two files that a reader opens, the writer does a round, or merges the day."""
    monkeypatch.setattr(writing, "MOST_INCREMENTS", 3)
    real, seen = days._read, 0
    with writer(tmp_path) as out:
        out.write(ramp())
        out.flush()
        rounds = iter(range(1, 60))

        def one_round() -> None:
            nonlocal seen
            if (i := next(rounds, None)) is not None:
                seen = i
                out.write(signals({WEB: [float(i)] * 3}, START - timedelta(hours=5)))
                out.flush()

        def between(*given: Any) -> Any:
            one_round()
            return real(*given)

        monkeypatch.setattr(days, "_read", between)
        for _ in range(20):
            before = seen
            found = Store(tmp_path).read(START - timedelta(hours=5), START)
            if before:
                row = found.of(WEB)[:3]
                assert row[0] >= before
                assert (row == row[0]).all()
    assert seen > 20


def test_an_increment_that_is_missing_is_no_gap(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
        for i in range(3):
            out.flush()
            out.write(minute(i, 1.0))
    (tmp_path / "increments" / "2026-03-01.000001.parquet").unlink()
    with pytest.raises(UnusableData, match="an increment of it is missing"):
        Store(tmp_path).read(START, ramp().ends)


def test_folders_of_the_first_version_are_read_and_go_on(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
    description = tmp_path / "telemetry.json"
    description.write_text(description.read_text().replace('"version": 2', '"version": 1'))
    (tmp_path / "increments").rmdir()
    for path in (tmp_path / "days").iterdir():
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({"trimtab.step_s": "600"}), path)
    assert_same(Store(tmp_path).read(START, ramp().ends), ramp())
    with writer(tmp_path) as out:
        assert out.write(ramp()).changed == 0
        out.write(minute(0, 5.0))
    assert '"version": 2' in description.read_text()
    assert_same(Store(tmp_path).read(START, ramp().ends), ramp())


def test_days_that_were_received_before_are_still_whose_they_are(tmp_path: Path) -> None:
    """A folder of the first version that ``listen`` wrote: its days are forgotten in time."""
    with writer(tmp_path) as out:
        out.write(ramp())
    description = tmp_path / "telemetry.json"
    description.write_text(description.read_text().replace('"version": 2', '"version": 1'))
    with StoreWriter(tmp_path, "production", STEP_S, "otlp") as theirs:
        assert_same(theirs.store.read(START, ramp().ends), ramp())
        assert theirs.retire(START + timedelta(days=9), 2, None) == 2
    assert Store(tmp_path).days() == ()


def test_two_writers_share_a_folder(tmp_path: Path) -> None:
    starts = START
    with writer(tmp_path) as ours, StoreWriter(tmp_path, "production", STEP_S, "otlp") as theirs:
        with pytest.raises(OutputFailed, match="another process is writing"):
            StoreWriter(tmp_path, "production", STEP_S, "otlp")
        theirs.write(signals({WEB: [1.0, 1.0, 1.0], EDGE: [5.0, 6.0, 7.0]}))
        ours.write(signals({WEB: [2.0, np.nan, 2.0]}))
        theirs.flush()
        ours.flush()
        theirs.write(signals({WEB: [3.0, 3.0, 3.0, 3.0]}))
    found = Store(tmp_path).read(starts, starts + 4 * STEP)
    assert found.of(WEB).tolist() == [2.0, 3.0, 2.0, 3.0]  # what a file asks for counts
    np.testing.assert_array_equal(found.of(EDGE), [5.0, 6.0, 7.0, np.nan])
    assert Store(tmp_path).measured_until() == starts + 4 * STEP
    with writer(tmp_path) as ours:  # each forgets its own
        assert ours.retire(START + timedelta(days=9), 2, None) == 1
    assert Store(tmp_path).read(starts, starts + 4 * STEP).of(WEB).tolist() == [3.0] * 4


def test_many_days_go_to_disk_as_others_come(tmp_path: Path) -> None:
    hours = signals({WEB: [float(i) for i in range(20 * 144)]})
    with writer(tmp_path) as out:
        out.write(hours)
        assert len(Store(tmp_path).days()) > 10  # a writer holds a few days only
        out.write(signals({EDGE: [1.0]}))
    found = Store(tmp_path).read(START, hours.ends)
    np.testing.assert_array_equal(found.of(WEB), hours.of(WEB))
    assert found.of(EDGE)[0] == 1.0


def test_old_days_are_kept_by_the_hour_and_then_not_at_all(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
        now = datetime(2026, 3, 9, tzinfo=UTC)
        assert out.retire(now, keep_days=20, hours_after_days=7) == 1
        assert out.retire(now, keep_days=20, hours_after_days=7) == 0
        assert out.write(ramp(first=50.0)).too_late == 36
    store = Store(tmp_path)
    hours = store.read(START, START + timedelta(hours=3), step_s=3600)
    assert hours.of(WEB).tolist() == [2.5, 8.5, 64.5]
    fine = store.read(START, START + timedelta(hours=3))
    assert np.isnan(fine.of(WEB)[:12]).all()
    assert fine.of(WEB)[12] == 62.0
    with writer(tmp_path) as out:
        assert out.retire(datetime(2026, 3, 22, tzinfo=UTC), 20, None) == 1
    assert len(store.days()) == 1


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        writer(tmp_path),
        pytest.raises(OutputFailed, match="another process is writing"),
        writer(tmp_path),
    ):
        pass
    writer(tmp_path).close()


def test_hidden_files_of_somebody_else_are_not_removed(tmp_path: Path) -> None:
    hidden = tmp_path / "theirs" / "days" / ".settings"
    hidden.parent.mkdir(parents=True)
    hidden.write_text("precious")
    with pytest.raises(FaultyInput, match="holds something else"):
        writer(tmp_path / "theirs")
    with writer(tmp_path / "mine"):
        pass
    hidden = hidden.rename(tmp_path / "mine" / "days" / ".settings")
    with writer(tmp_path / "mine"):
        pass
    assert hidden.read_text() == "precious"


@pytest.mark.parametrize("name", [".unfinished-report.odt", ".unfinished-", "increments/x.parquet",
                                  "days/2026-03-01.parquet", ".lock-theirs"])  # fmt: skip
def test_what_is_not_ours_stays_and_is_refused(tmp_path: Path, name: str) -> None:
    theirs = tmp_path / name
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("precious")
    with pytest.raises(FaultyInput, match="holds something else than telemetry"):
        writer(tmp_path)
    assert contents(tmp_path) == {theirs.name: b"precious"}


def test_only_what_a_writer_left_itself_is_removed(tmp_path: Path) -> None:
    with writer(tmp_path):
        pass
    theirs = [tmp_path / ".unfinished-novel.txt", tmp_path / "days" / ".unfinished-x.parquet",
              tmp_path / "days" / ".unfinished-2026-03-01.otlp.parquet"]  # fmt: skip
    ours = [tmp_path / ".unfinished-progress.json",
            tmp_path / "days" / ".unfinished-2026-03-01.parquet",
            tmp_path / "increments" / ".unfinished-2026-03-01.000003.parquet"]  # fmt: skip
    for path in theirs + ours:
        path.write_text("half")
    with writer(tmp_path):
        pass
    assert [path.exists() for path in theirs + ours] == [True] * 3 + [False] * 3


def test_a_description_that_is_not_ours_keeps_the_folder_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "telemetry.json").write_text('{"format": "of somebody else"}')
    (tmp_path / ".unfinished-2026-03-01.parquet").write_text("precious")
    before = contents(tmp_path)
    with pytest.raises(UnusableData, match="does not describe telemetry"):
        writer(tmp_path)
    assert contents(tmp_path) == before


def test_folders_of_something_else_are_refused(tmp_path: Path) -> None:
    with writer(tmp_path / "mine"):
        pass
    with pytest.raises(FaultyInput, match="in steps of 600 s, not 'production' of 60 s"):
        StoreWriter(tmp_path / "mine", "production", 60)
    with pytest.raises(FaultyInput, match="holds something else"):
        writer(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(FaultyInput, match="is a file"):
        writer(tmp_path / "file")
    with pytest.raises(UnusableData, match="holds no telemetry"):
        _ = Store(tmp_path).step_s
    with pytest.raises(UnusableData, match="holds no telemetry"):
        _ = Store(tmp_path / "file").step_s


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"no parquet at all"])
def test_damaged_days_are_refused(tmp_path: Path, damage: bytes) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
    store = Store(tmp_path)
    store.path(store.days()[0]).write_bytes(damage)
    with pytest.raises(UnusableData, match="2026-03-01"):
        store.read(START, ramp().ends)


def test_days_of_other_rows_are_refused(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
    first, second = map(Store(tmp_path).path, Store(tmp_path).days())
    first.write_bytes(second.read_bytes())
    with pytest.raises(UnusableData, match="not of its day"):
        Store(tmp_path).read(START, ramp().ends)
    pq.write_table(pq.read_table(second).drop_columns(["value"]), first)
    with pytest.raises(UnusableData, match="not telemetry as this version"):
        Store(tmp_path).read(START, ramp().ends)


@pytest.mark.parametrize("step_s", [b"-600", b"0", b"7"])
def test_days_of_impossible_steps_are_refused(tmp_path: Path, step_s: bytes) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
    path = Store(tmp_path).path(START.date())
    about = {b"trimtab.step_s": step_s}
    pq.write_table(pq.read_table(path).slice(0, 0).replace_schema_metadata(about), path)
    with pytest.raises(UnusableData, match="not telemetry as this version"):
        Store(tmp_path).read(START, ramp().ends)


def test_days_of_unknown_signals_are_refused(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
    path = Store(tmp_path).path(START.date())
    table = pq.read_table(path)
    other = pa.array(["mood"] * len(table)).dictionary_encode()
    pq.write_table(table.set_column(0, table.schema.field(0), other), path)
    with pytest.raises(UnusableData, match="does not know"):
        Store(tmp_path).read(START, ramp().ends)


@pytest.mark.parametrize("name", ["telemetry.json", "progress.json"])
def test_what_is_nested_without_end_is_refused(tmp_path: Path, name: str) -> None:
    with writer(tmp_path) as out:
        out.note_progress({"a": START})
    (tmp_path / name).write_text("[" * 200_000)
    with pytest.raises(UnusableData, match=name):
        _ = (Store(tmp_path).step_s, Store(tmp_path).progress())


@pytest.mark.parametrize("inside", ["days", "increments"])
def test_days_that_may_not_be_listed_are_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    with writer(tmp_path) as out:
        out.write(ramp())
    listed = os.scandir, os.listdir

    def forbidden(which: int) -> Callable[[Any], Any]:
        def opened(path: Any) -> Any:
            if Path(path) == tmp_path / inside:
                raise PermissionError(13, "Permission denied", str(path))
            return listed[which](path)

        return opened

    monkeypatch.setattr(os, "scandir", forbidden(0))
    monkeypatch.setattr(os, "listdir", forbidden(1))
    with pytest.raises(UnusableData, match="cannot be read: Permission denied"):
        Store(tmp_path).read(START, ramp().ends)


def test_progress_is_kept(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.note_progress({"a": START})
        out.note_progress({"b": START + timedelta(hours=1)})
    assert Store(tmp_path).progress() == {"a": START, "b": START + timedelta(hours=1)}
    (tmp_path / "progress.json").write_text("[1]")
    with pytest.raises(UnusableData, match=r"progress\.json is damaged"):
        Store(tmp_path).progress()


def test_a_day_that_does_not_fit_in_memory_is_refused_before_it_is_laid_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tuple(SignalKey("requests_rps", f"s{i:04d}") for i in range(3000))
    with StoreWriter(tmp_path, "many", 1) as out:
        out.write(Signals(START, 1, keys[:2], np.ones((2, 1))))
        with pytest.raises(UnusableData, match=r"3,000 series in steps of 1 s are more than"):
            out.write(Signals(START, 1, keys, np.ones((3000, 1))))
    read = partial(Store(tmp_path).read, START, START + timedelta(seconds=1))
    assert read().keys == keys[:2]
    monkeypatch.setattr("providers.telemetry.days.MOST_VALUES", 86_400)
    with pytest.raises(UnusableData, match=r"(?s)2026-03-01.*keep longer steps, or fewer series"):
        read()
