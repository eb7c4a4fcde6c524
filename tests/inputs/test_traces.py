"""Traces of demand from files, and what is said of files that are none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.signals import SignalKey, Signals
from scenarios.faults import Faults
from scenarios.traces import read_trace


def _written(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


def _read(path: Path, service: str | None = None) -> Signals:
    faults = Faults()
    found = read_trace(path, ["api", "web"], ["asia", "europe"], service, faults)
    assert not faults.found
    assert found is not None
    return found


def _said(path: Path, service: str | None = None) -> str:
    faults = Faults()
    assert read_trace(path, ["api", "web"], ["asia", "europe"], service, faults) is None
    return "\n".join(map(str, faults.found))


def test_series_are_laid_on_one_grid_and_gaps_stay_gaps(tmp_path: Path) -> None:
    path = _written(
        tmp_path,
        "ts,service,origin,rps\n"
        "2026-03-01T00:00:00Z,web,europe,1\n"
        "2026-03-01T01:00:05+01:00,web,europe,2.5\n"
        "2026-03-01T00:00:10Z,api,asia,7\n"
        "2026-03-01T00:00:15Z,web,europe,0\n",
    )
    found = _read(path)
    assert found.starts == datetime(2026, 3, 1, tzinfo=UTC)
    assert found.step_s == 5
    web, api = (SignalKey("requests_rps", *of) for of in (("web", "europe"), ("api", "asia")))
    assert found.keys == (api, web)
    assert found.of(web) == pytest.approx([1, 2.5, np.nan, 0], nan_ok=True)
    assert found.of(api) == pytest.approx([np.nan, np.nan, 7, np.nan], nan_ok=True)


def test_a_bare_trace_is_of_the_service_that_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path, "ts,rps\n2026-03-01T00:00:00Z,1\n2026-03-01T00:01:00Z,2\n")
    found = _read(path, "web")
    assert found.keys == (SignalKey("requests_rps", "web"),)
    assert found.step_s == 60
    assert "does not say of which service" in _said(path)


def test_parquet_reads_the_same(tmp_path: Path) -> None:
    ts = pd.date_range("2026-03-01", periods=50, freq="1s", tz="UTC")
    frame = pd.DataFrame({"ts": ts, "rps": np.arange(50.0), "more": "x"})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    one, other = (_read(tmp_path / name, "api") for name in ("a.csv", "a.parquet"))
    assert (one.starts, one.step_s, one.keys) == (other.starts, other.step_s, other.keys)
    assert one.values.tolist() == other.values.tolist()


def test_all_faults_are_told_with_their_lines(tmp_path: Path) -> None:
    path = _written(
        tmp_path,
        "ts,service,origin,rps\n"
        "2026-03-01T00:00:00Z,wep,europe,1\n"
        "2026-03-01T00:00:01,web,europe,2\n"
        "yesterday,web,europe,3\n"
        "2026-03-01T00:00:03Z,web,mars,-1\n"
        "2026-03-01T00:00:04Z,web,,many\n",
    )
    said = _said(path)
    for words in (
        "unknown service 'wep' (line 2)", "did you mean 'web'", "without a time zone (line 3)",
        "no timestamp (line 4)", "unknown origin 'mars' (line 5)",
        "below 0 or beyond 10^12 (line 5)", "no number (line 6)", "no origin (line 6)",
    ):  # fmt: skip
        assert words in said


MINUTE = "2026-03-01T00:{}Z,1\n"


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ((), "no rows"),
        (("00:00",), "one step only"),
        (("00:00", "00:07"), "steps of 7 s"),
        (("00:00", "01:30"), "steps of 90 s"),
        (("00:00", "01:00", "02:00", "02:30"), "between steps of 60 s (line 5)"),
        (("00:00", "01:00", "01:00"), "stands again"),
    ],
)
def test_what_makes_no_grid_is_refused(tmp_path: Path, times: tuple[str, ...], said: str) -> None:
    rows = "".join(MINUTE.format(time) for time in times)
    assert said in _said(_written(tmp_path, "ts,rps\n" + rows), "web")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "ts,rps\n", ".csv or a .parquet"),
        ("a.csv", "time,rps\n1,2\n", "missing columns: ts"),
        ("a.csv", "ts,rps,rps\n1,2,3\n", "stands twice"),
        ("a.csv", "", "not readable CSV"),
        ("a.parquet", "no", "not readable Parquet"),
        ("a.csv", None, "there is no such file"),
    ],
)
def test_files_that_are_no_traces(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    assert said in _said(path, "web")
