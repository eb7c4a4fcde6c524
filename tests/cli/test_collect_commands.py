"""collect, diff and doctor, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optimizer.cli.exits import ExitCode

COLLECTION = """\
trimtab: 1
collect: sandbox
simulated:
  world: shop
  after_s: 60
  events: []
services: {label: service}
"""


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    path = tmp_path / "clouds.yaml"
    path.write_text(COLLECTION, encoding="utf-8")
    return path


def _with(collection: Path, events: str) -> None:
    collection.write_text(COLLECTION.replace("[]", events), encoding="utf-8")


def test_collect_says_what_it_has(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "snapshots"
    ended = trimtab("collect", collection, "--out", out)
    assert ended.code == ExitCode.FINE
    assert "aws/us-east-1" in ended.out
    assert f"Written to {out}" in ended.out
    (folder,) = out.iterdir()
    manifest = json.loads((folder / "snapshot.json").read_text())
    assert manifest["format"] == "trimtab-snapshot"
    assert {part["status"] for part in manifest["parts"]} == {"complete"}
    again = trimtab("collect", collection, "--out", out, "--format", "json")
    assert any(part["reused"] for part in json.loads(again.out)["parts"])
    fresh = trimtab("collect", collection, "--out", out, "--fresh", "--format", "json")
    assert not any(part["reused"] for part in json.loads(fresh.out)["parts"])


def test_nothing_is_taken_over_from_other_clouds(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s"
    trimtab("collect", collection, "--out", out)
    _with(collection, "[{happens: prices_move, factor: 2}]")
    other = trimtab("collect", collection, "--out", out, "--format", "json")
    assert not any(part["reused"] for part in json.loads(other.out)["parts"])
    text = collection.read_text().replace("collect: sandbox", "collect: production")
    collection.write_text(text)
    ended = trimtab("collect", collection, "--out", out)
    assert ended.code == ExitCode.BAD_INPUT
    assert "holds snapshots of 'sandbox'" in ended.err
    assert len(list(out.iterdir())) == 2


def test_collect_in_part(trimtab: Callable[..., Any], collection: Path, tmp_path: Path) -> None:
    _with(collection, "[{happens: outage, place: aws/us-east-1}]")
    ended = trimtab("collect", collection, "--out", tmp_path / "s")
    assert ended.code == ExitCode.PARTLY
    assert "aws/us-east-1 is down" in ended.out
    _with(collection, "[{happens: outage}]")
    assert "aws is down" in trimtab("collect", collection, "--out", tmp_path / "all").out
    assert trimtab("collect", collection, "--out", tmp_path / "s", "-q").out == ""


def test_collect_faults(trimtab: Callable[..., Any], collection: Path, tmp_path: Path) -> None:
    _with(collection, "[{happens: outtage}]")
    ended = trimtab("collect", collection, "--out", tmp_path / "s")
    assert ended.code == ExitCode.BAD_INPUT
    assert f"{collection}:6" in ended.err
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("outage, place: aws/us-est-1", "unknown place 'aws/us-est-1'"),
        ("no_capacity, zone: us-east-1a", "unknown zone 'us-east-1a'"),
        ("reclaim, instance_type: c5.lage", "unknown instance type 'c5.lage'"),
        ("page_breaks, reading: instance", "unknown list 'instance'"),
    ],
)  # fmt: skip
def test_events_are_about_what_the_world_has(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path, event: str, said: str
) -> None:
    _with(collection, f"\n    - {{happens: outage}}\n    - {{happens: {event}}}")
    ended = trimtab("collect", collection, "--out", tmp_path / "s")
    assert ended.code == ExitCode.BAD_INPUT
    assert f"{collection}:8: {said}\n    → did you mean" in ended.err


def test_events_start_before_they_end(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    _with(collection, "[{happens: outage, from_s: 90, to_s: 30}]")
    ended = trimtab("collect", collection, "--out", tmp_path / "s")
    assert ended.code == ExitCode.BAD_INPUT
    assert f"{collection}:6: it ends at 30 s, before it has started" in ended.err


def test_a_world_that_no_file_can_be_called(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    collection.write_text(COLLECTION.replace("world: shop", f"world: {'a' * 300}"))
    ended = trimtab("collect", collection, "--out", tmp_path / "s")
    assert ended.code == ExitCode.BAD_INPUT
    assert "cannot be read: File name too long" in ended.err


def test_diff(trimtab: Callable[..., Any], collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "s"
    trimtab("collect", collection, "--out", out)
    alone = trimtab("diff", out)
    assert alone.code == ExitCode.BAD_INPUT
    assert "two are needed" in alone.err
    _with(collection, "[{happens: prices_move, factor: 2, instance_type: c5.large}]")
    trimtab("collect", collection, "--out", out, "--fresh")
    ended = trimtab("diff", out)
    assert ended.code == ExitCode.FINE
    assert "c5.large" in ended.out
    first, second = sorted(out.iterdir())
    found = json.loads(trimtab("diff", first, second, "--format", "json").out)
    assert {change["table"] for change in found["changes"]} == {"prices"}
    assert {change["key"][1] for change in found["changes"]} == {"c5.large"}
    assert json.loads(trimtab("diff", second, second, "--format", "json").out)["changes"] == []


def test_doctor(trimtab: Callable[..., Any], collection: Path) -> None:
    assert trimtab("doctor", collection).code == ExitCode.FINE
    _with(collection, "[{happens: throttling, count: 1}]")
    ended = trimtab("doctor", collection)
    assert ended.code == ExitCode.PARTLY
    assert "ask less at once" in ended.out


def test_schema_of_collections(trimtab: Callable[..., Any]) -> None:
    assert json.loads(trimtab("schema", "collection").out)["title"] == "trimtab collection"


@pytest.mark.parametrize("columns", [50, 160])
def test_tables_fit(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path, columns: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", str(columns))
    _with(collection, "[{happens: outage, place: aws/us-east-1}]")
    ended = trimtab("collect", collection, "--out", tmp_path / "s")
    lines = [line for line in ended.out.splitlines() if not line.startswith("Written to")]
    assert max(map(len, lines)) <= columns


def test_a_damaged_snapshot_is_passed_over(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s"
    trimtab("collect", collection, "--out", out)
    (first,) = out.iterdir()
    (first / "prices.parquet").write_bytes(b"PAR1")
    again = trimtab("collect", collection, "--out", out, "--format", "json")
    assert again.code == ExitCode.FINE
    assert f"warning: passed over: {first / 'prices.parquet'} has been changed" in again.err
    assert not any(part["reused"] for part in json.loads(again.out)["parts"])
    named = trimtab("diff", first, out)
    assert named.code == ExitCode.BAD_INPUT
    assert "prices.parquet has been changed" in named.err


def test_nothing_is_compared_with_a_run_that_failed(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s"
    trimtab("collect", collection, "--out", out)
    trimtab("collect", collection, "--out", out)
    _with(collection, "[{happens: outage}]")
    failed = trimtab("collect", collection, "--out", out)
    assert failed.code == ExitCode.PARTLY
    found = trimtab("diff", out, "--format", "json")
    assert json.loads(found.out)["changes"] == []
    assert json.loads(found.out)["not_compared"] == []
    assert "passed over" in found.err


def test_folders_that_cannot_be(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "s"
    trimtab("collect", collection, "--out", out)
    (snapshot,) = out.iterdir()
    for named, said in (
        (tmp_path / "file", "is a file"),
        (snapshot, "is a snapshot itself"),
        ("", "no folder is named"),
    ):
        ended = trimtab("collect", collection, "--out", named)
        assert ended.code == ExitCode.BAD_INPUT
        assert said in ended.err
    assert list(out.iterdir()) == [snapshot]


def test_a_folder_is_for_one_collection_whatever_is_newest(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s"
    text = collection.read_text()
    trimtab("collect", collection, "--out", out)
    (mine,) = out.iterdir()
    collection.write_text(text.replace("collect: sandbox", "collect: other"))
    trimtab("collect", collection, "--out", tmp_path / "o")
    (other,) = (tmp_path / "o").iterdir()
    other.rename(out / other.name)
    ended = trimtab("collect", collection, "--out", out)
    assert ended.code == ExitCode.BAD_INPUT
    assert "holds snapshots of 'sandbox'" in ended.err
    assert mine.exists()


def test_prices_of_a_world_are_those_of_its_snapshot(
    trimtab: Callable[..., Any], collection: Path, tmp_path: Path
) -> None:
    _with(collection, "[{happens: prices_move, factor: 2}]")
    trimtab("collect", collection, "--out", tmp_path / "s")
    world = tmp_path / "world.yaml"
    world.write_text(
        "trimtab: 1\nworld: w\nsnapshot: {folder: s, use: [prices]}\n"
        "demand: {history: demand.csv}\norigins: [{name: here, near: aws/us-east-1}]\n"
        "services: [{name: web, replica: {vcpus: 1, memory_gib: 1, throughput_rps: 1}}]\n"
    )
    asked = ("--region", "aws/us-east-1", "--cheapest", "1", "--format", "json")
    listed, taken = (
        json.loads(trimtab("prices", *more, *asked).out) for more in ((), ("--world", world))
    )
    assert taken["book"].startswith("sandbox of ")
    assert listed["book"] != taken["book"]
