"""observe, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from optimizer.cli.exits import ExitCode
from optimizer.cli.observing import duration, moment
from providers.telemetry.writing import StoreWriter

TELEMETRY = """\
trimtab: 1
telemetry: try
sources:
  - name: history
    files: {files: ['*.csv']}
"""
EVIL = "=cmd\\e[31m"


@pytest.fixture
def telemetry(tmp_path: Path) -> Path:
    path = tmp_path / "telemetry.yaml"
    path.write_text(TELEMETRY)
    first = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=30)
    rows = [
        f"{(first + timedelta(minutes=i)).isoformat()},requests_rps,{name},{i}"
        for i in range(30) for name in ("web", EVIL) if i not in (10, 11)
    ]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(["ts,signal,service,value", *rows]))
    return path


def test_what_is_known_is_shown(
    trimtab: Callable[..., Any], telemetry: Path, tmp_path: Path
) -> None:
    out = tmp_path / "kept"
    ended = trimtab("observe", telemetry, "--out", out)
    assert ended.code == ExitCode.FINE
    row = next(line.split() for line in ended.out.splitlines() if " web " in line)
    assert row[:5] == ["requests_rps", "web", "1", "28", "2"]
    assert f"Kept in {out}." in ended.out.replace("\n", "")
    before = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    again = trimtab("observe", telemetry, "--out", out, "--last", "20m", "--format", "json")
    document = json.loads(again.out)
    assert document["format"] == "trimtab-observed"
    assert {one["steps"] for one in document["signals"]} <= {18, 19, 20}
    assert document["parts"][0]["changed"] == 0
    assert {path: path.read_bytes() for path in out.rglob("*.parquet")} == before
    assert trimtab("observe", telemetry, "--out", out, "-q").out == ""


def test_what_cannot_be_read_is_said_and_the_rest_kept(
    trimtab: Callable[..., Any], telemetry: Path, tmp_path: Path
) -> None:
    telemetry.write_text(f"{TELEMETRY}  - {{name: more, files: {{files: [b.csv, bad.csv]}}}}\n")
    (tmp_path / "bad.csv").write_text("ts,signal,service,value\n2026-03-01T00:00,x,web,1\n")
    telemetry.write_text(telemetry.read_text().replace("'*.csv'", "a.csv"))
    ended = trimtab("observe", telemetry, "--out", tmp_path / "kept")
    assert ended.code == ExitCode.PARTLY
    assert "2 parts were not read to the end" in ended.out
    assert "there is no file b.csv" in ended.out
    assert "without a time zone" in ended.out
    assert " web " in ended.out


def test_faults(trimtab: Callable[..., Any], telemetry: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    for given, said in (
        (("--last", "6"), "is no duration"),
        (("--from", "2026-03-01T00:00"), "has no time zone"),
        (("--from", "2026-03-01", "--last", "6h"), "not both"),
        (("--to", "2026-03-01", "--follow"), "leave out --to"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "nothing lies between"),
        (("--metrics", "9464"), "is no address"),
    ):
        ended = trimtab("observe", telemetry, "--out", out, *given)
        assert ended.code == ExitCode.BAD_INPUT
        assert said in " ".join(ended.err.replace("│", " ").split())
    with StoreWriter(out, "try", 60):
        ended = trimtab("observe", telemetry, "--out", out)
    assert ended.code == ExitCode.FAILED
    assert "another process is writing" in ended.err
    telemetry.write_text(TELEMETRY.replace(": try", ": other"))
    ended = trimtab("observe", telemetry, "--out", out)
    assert ended.code == ExitCode.BAD_INPUT
    assert "holds telemetry 'try'" in ended.err


def test_the_schema_is_printed(trimtab: Callable[..., Any]) -> None:
    assert json.loads(trimtab("schema", "telemetry").out)["title"] == "trimtab telemetry"


def test_durations_and_moments() -> None:
    assert duration("90s") == timedelta(seconds=90)
    assert duration("1.5h") == timedelta(minutes=90)
    assert duration("2w") == timedelta(days=14)
    assert moment("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert moment("2026-03-01T02:00:00+02:00") == datetime(2026, 3, 1, tzinfo=UTC)
