"""Demand history is checked by whole columns, and its faults name lines or rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scenarios.tables
from models.errors import Fault
from models.world import Catalogue, World
from scenarios.build import build_world
from scenarios.documents import read_world

HEADER = "ts,service,origin,rps\n"
HOURS = [f"2026-03-01T{hour:02}:00:00Z" for hour in range(24)]
Faults = Callable[..., list[Fault]]


def _series(hours: list[str], service: str = "web", origin: str = "europe") -> str:
    return "".join(f"{hour},{service},{origin},10\n" for hour in hours)


GOOD = HEADER + _series(HOURS[:3])


@pytest.mark.parametrize(
    ("row", "message", "suggestion"),
    [
        ("2026-03-01T03:00:00Z,web,europe,-1", "negative rps", "0 or more"),
        ("2026-03-01T03:00:00Z,web,europe,nan", "missing or no number", "plain number"),
        ("2026-03-01T03:00:00Z,web,europe,", "missing or no number", "plain number"),
        ("2026-03-01T03:00:00Z,web,europe,12 rps", "missing or no number", "plain number"),
        ("2026-03-01T03:00:00Z,web,europe,inf", "rps that are infinite", "plain number"),
        ("2026-03-01T03:00:00Z,web,europe,1e300", "rps beyond 10^12", "plain number"),
        ("2026-03-01T03:00:00,web,europe,1", "without a time zone", "such as 2026-03-01T14:00:00Z"),
        ("2026-03-01T03:30:00Z,web,europe,1", "not on the hour", "sum up by hour"),
        ("2026-03-01T03:00:00+00:30,web,europe,1", "not on the hour", "2026-03-01T14:00:00Z"),
        ("1826-03-01T03:00:00Z,web,europe,1", "outside the years 1990 to 2099", ""),
        ("2026-02-30T03:00:00Z,web,europe,1", "what is no timestamp", "2026-03-01T14:00:00Z"),
        ("1772334000,web,europe,1", "what is no timestamp", "2026-03-01T14:00:00Z"),
        (",web,europe,1", "what is no timestamp", "2026-03-01T14:00:00Z"),
        ("2026-03-01T03:00:00Z,wbe,europe,1", "unknown service 'wbe'", "did you mean 'web'"),
        ("2026-03-01T03:00:00Z,web,europa,1", "unknown origin 'europa'", "did you mean 'europe'"),
        ("2026-03-01T01:00:00Z,web,europe,1", "timestamps run backwards", "sort each series"),
        ("2026-03-01T02:00:00Z,web,europe,1", "an hour of a series stands again", "keep one"),
        ("2026-03-01T02:00:00Z,stock,europe,1", "one hour only of 'stock' from 'europe'", "two"),
    ],
)
def test_bad_row(faults_of: Faults, row: str, message: str, suggestion: str) -> None:
    faults = faults_of(demand=f"{GOOD}{row}\n")
    fault = next(fault for fault in faults if message in fault.message)
    assert Path(fault.at.file).name == "demand.csv"
    assert fault.at.line == 5
    assert suggestion in fault.suggestion


def test_offsets_are_converted(write: Callable[..., Path], catalogue: Catalogue) -> None:
    rows = ["2026-03-01 02:00:00+02:00", "2026-03-01T01:00Z", "2026-02-28T21:00:00-05:00"]
    frame = build_world(read_world(write(demand=HEADER + _series(rows))), catalogue).history.frame
    assert [ts.isoformat() for ts in frame["ts"]] == [
        f"2026-03-01T0{hour}:00:00+00:00" for hour in (0, 1, 2)
    ]


def test_many_bad_rows_make_one_fault(faults_of: Faults) -> None:
    rows = "".join(f"{hour},web,europe,-5\n" for hour in HOURS[3:20])
    (fault,) = faults_of(demand=GOOD + rows)
    assert fault.message == "negative rps (lines 5, 6, 7 and 14 more)"


def test_lines_count_blank_lines_and_quoted_newlines(faults_of: Faults) -> None:
    demand = GOOD.replace("\n", "\n\n", 2) + "2026-03-01T03:00:00Z,web,europe,-1\n"
    (fault,) = faults_of(demand=demand)
    assert fault.at.line == 7


def test_very_long_names(faults_of: Faults) -> None:
    (fault,) = faults_of(demand=f"{GOOD}2026-03-01T03:00:00Z,{'w' * 900_000},europe,1\n")
    assert fault.at.line == 5
    assert len(fault.message) < 200


def test_many_unknown_names_are_summed_up(faults_of: Faults) -> None:
    rows = "".join(f"2026-03-01T00:00:00Z,s{i},europe,1\n" for i in range(30))
    faults = faults_of(demand=GOOD + rows)
    assert len(faults) == 21
    assert any("10 more unknown services" in fault.message for fault in faults)


def test_gaps_are_listed_by_series(faults_of: Faults) -> None:
    holes = [hour for i, hour in enumerate(HOURS) if i not in (2, 5, 6, 9, 12, 13, 14)]
    rows = _series(holes) + _series(HOURS[:20], origin="america")
    america, europe = sorted(faults_of(demand=HEADER + rows), key=lambda f: "europe" in f.message)
    assert europe.message == (
        "7 hours are missing of 'web' from 'europe': 2026-03-01T02:00Z, "
        "2026-03-01T05:00Z to 2026-03-01T06:00Z, 2026-03-01T09:00Z and 1 more gaps"
    )
    assert europe.at.line == 3
    assert america.message == (
        "4 hours are missing of 'web' from 'america': 2026-03-01T20:00Z to 2026-03-01T23:00Z"
    )
    assert "gaps: fill" in america.suggestion


def test_gaps_may_be_left_to_the_forecaster(
    write: Callable[..., Path], catalogue: Catalogue
) -> None:
    path = write({"note: counted": "gaps: fill, note: counted"}, HEADER + _series(HOURS[::5]))
    world = build_world(read_world(path), catalogue)
    assert len(world.history.frame) == 5
    assert world.starts.hour == 21


def test_series_may_start_late(write: Callable[..., Path], catalogue: Catalogue) -> None:
    rows = _series(HOURS) + _series(HOURS[20:], origin="america")
    world = build_world(read_world(write(demand=HEADER + rows)), catalogue)
    assert len(world.history.frame) == 28


def test_many_series_with_gaps_are_summed_up(write: Callable[..., Path], faults_of: Faults) -> None:
    names = [f"s{i:02}" for i in range(30)]
    services = "".join(
        f"  - {{name: {name}, replica: {{vcpus: 1, memory_gib: 1, throughput_rps: 1}}}}\n"
        for name in names
    )
    rows = "".join(_series([HOURS[0], HOURS[2]], name) for name in ["web", *names])
    faults = faults_of({"dependencies:\n": f"{services}dependencies:\n"}, HEADER + rows)
    assert len(faults) == 21
    assert any("hours are missing in 11 more series" in fault.message for fault in faults)


def test_mixed_order_of_series_is_fine(write: Callable[..., Path], catalogue: Catalogue) -> None:
    rows = "".join(
        f"{hour},web,{origin},{i}\n"
        for i, hour in enumerate(HOURS)
        for origin in ("europe", "america")
    )
    frame = build_world(read_world(write(demand=HEADER + rows)), catalogue).history.frame
    assert frame["origin"].tolist() == ["america"] * 24 + ["europe"] * 24
    assert frame["rps"].tolist() == [*range(24), *range(24)]


@pytest.mark.parametrize(
    ("demand", "message", "suggestion"),
    [
        (None, "the file 'demand.csv' does not exist", "it is looked for in"),
        ("", "the file 'demand.csv' is empty", ""),
        (HEADER, "the history holds no rows", "two hours"),
        ("ts,service,rps\n1,2,3\n", "missing columns: origin", "ts, service, rps"),
        ("ts;service;origin;rps\n", "missing columns", "separate columns with commas"),
        ("ts,service,origin,rps,rps\n1,2,3,4,5\n", "the column 'rps' stands twice", "remove"),
        (GOOD + "1,2\n", "not readable CSV", ""),
        (GOOD.encode() + b"2026-03-01T03:00:00Z,w\xff,europe,1\n", "not readable CSV", ""),
        (b"\x00" * 100, "missing columns", ""),
    ],
)
def test_unusable_file(
    faults_of: Faults, demand: str | bytes | None, message: str, suggestion: str
) -> None:
    (fault,) = faults_of(demand=demand)
    assert message in fault.message
    assert suggestion in fault.suggestion


def test_further_columns_are_left_alone(write: Callable[..., Path], catalogue: Catalogue) -> None:
    demand = "pod,ts,service,origin,rps\n" + "".join(f"x,{row}\n" for row in GOOD.split()[1:])
    assert len(build_world(read_world(write(demand=demand)), catalogue).history.frame) == 3


def test_file_beyond_the_limit(faults_of: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios.tables, "MAX_BYTES", 2**20)
    (fault,) = faults_of(demand=GOOD + "#" * 2**20)
    assert "larger than 1 MiB" in fault.message
    assert "Parquet" in fault.suggestion


def _parquet(path: Path, **columns: object) -> None:
    good = {
        "ts": pd.date_range("2026-03-01", periods=3, freq="h", tz="UTC"),
        "service": ["web"] * 3,
        "origin": ["europe"] * 3,
        "rps": [1.0, 2.0, 3.0],
    }
    frame = pd.DataFrame({**good, **columns})
    frame.to_parquet(path.parent / "demand.parquet")


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"ts": pd.date_range("2026-03-01", periods=3, freq="h", tz="Asia/Tokyo").as_unit("ns")},
        {"ts": HOURS[:3]},
        {"rps": [1, 2, 3]},
        {"service": pd.Categorical(["web"] * 3), "origin": pd.Categorical(["europe"] * 3)},
    ],
)
def test_parquet(
    write: Callable[..., Path], catalogue: Catalogue, columns: dict[str, object]
) -> None:
    path = write({"demand.csv": "demand.parquet"})
    _parquet(path, **columns)
    frame = build_world(read_world(path), catalogue).history.frame
    assert frame["rps"].tolist() == [1, 2, 3]
    assert str(frame["ts"].dtype) == "datetime64[us, UTC]"
    if "ts" not in columns:
        assert frame["ts"].iloc[-1] == pd.Timestamp("2026-03-01T02:00", tz="UTC")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ts": pd.date_range("2026-03-01", periods=3, freq="h")}, "without a time zone"),
        ({"ts": [1, 2, 3]}, "what is no timestamp"),
        ({"ts": [pd.Timestamp("2026-03-01", tz="UTC"), pd.NaT, pd.NaT]}, "what is no timestamp"),
        ({"ts": pd.date_range("2026-03-01", periods=3, freq="61min", tz="UTC")}, "on the hour"),
        ({"rps": [1, np.nan, 2]}, "rps that are missing or no number (row 2)"),
        ({"rps": ["1", "two", "3"]}, "rps that are missing or no number (row 2)"),
        ({"rps": [1, 2, -1]}, "negative rps (row 3)"),
        ({"service": ["web", None, "web"]}, "no service (row 2)"),
        ({"service": [1, 2, 3]}, "unknown service '1'"),
    ],
)
def test_faulty_parquet(
    write: Callable[..., Path], faults_of: Faults, columns: dict[str, object], message: str
) -> None:
    _parquet(write(), **columns)
    faults = faults_of({"demand.csv": "demand.parquet"})
    assert any(message in fault.message for fault in faults), [str(fault) for fault in faults]
    assert all(fault.at.file.endswith("demand.parquet") for fault in faults)


@pytest.mark.parametrize("cut", [0, 4, 100, -8, -4, -1])
def test_damaged_parquet(write: Callable[..., Path], faults_of: Faults, cut: int) -> None:
    path = write()
    _parquet(path)
    file = path.parent / "demand.parquet"
    file.write_bytes(file.read_bytes()[:cut])
    (fault,) = faults_of({"demand.csv": "demand.parquet"})
    assert "not readable Parquet" in fault.message or "is empty" in fault.message


def test_the_world_is_as_it_was_written(world: World) -> None:
    frame = world.history.frame
    assert not frame.duplicated(["ts", "service", "origin"]).any()
    assert frame.equals(frame.sort_values(["service", "origin", "ts"]))
