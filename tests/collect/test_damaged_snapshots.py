"""Snapshots that cannot be used, beside others that can."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from written_snapshots import AT, part_of, written

from models.errors import UnusableData
from models.inventory import Instance, InstanceState, Price
from models.offerings import Purchase
from providers.seam import Reading
from providers.snapshots.manifest import VERSION, Status
from providers.snapshots.reading import Snapshot, newest_in, snapshots_in
from providers.snapshots.writing import SnapshotWriter

ROOT = Path(__file__).parents[2]


def _price(usd: float = 0.1) -> Price:
    return Price("aws/us-east-1", "m5.large", Purchase.ON_DEMAND, "", usd, AT, "test")


def _three(folder: Path) -> list[Snapshot]:
    return [written(folder, [_price()], at=AT + timedelta(hours=hour)) for hour in range(3)]


def _spoil_manifest(one: Snapshot) -> None:
    (one.folder / "snapshot.json").write_text("{")


def _spoil_file(one: Snapshot) -> None:
    (one.folder / "prices.parquet").write_bytes(b"PAR1")


def _no_file(one: Snapshot) -> None:
    (one.folder / "prices.parquet").unlink()


def _no_text(one: Snapshot) -> None:
    path = one.folder / "snapshot.json"
    path.unlink()
    path.mkdir()


def _no_end(one: Snapshot) -> None:
    path = one.folder / "snapshot.json"
    path.unlink()
    path.symlink_to("/dev/zero")


def _pipe(one: Snapshot) -> None:
    path = one.folder / "snapshot.json"
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "spoil", [_spoil_manifest, _spoil_file, _no_file, _no_text, _no_end, _pipe]
)
def test_a_damaged_one_keeps_no_other_from_being_used(
    tmp_path: Path, spoil: Callable[[Snapshot], None]
) -> None:
    first, second, third = _three(tmp_path)
    spoil(third)
    heard: list[str] = []
    assert [one.folder for one in newest_in(tmp_path, heard.append, 2)] == [
        first.folder, second.folder,
    ]  # fmt: skip
    (said,) = heard
    assert "passed over" in said
    assert third.folder.name in said
    with pytest.raises(UnusableData, match=third.folder.name):
        newest_in(third.folder, heard.append)


def test_a_link_to_a_snapshot_is_no_second_one(tmp_path: Path) -> None:
    one = written(tmp_path, [_price()])
    (tmp_path / "latest").symlink_to(one.folder)
    assert [each.folder for each in snapshots_in(tmp_path, list[str]().append)] == [one.folder]


def test_half_a_character_loses_nothing(tmp_path: Path) -> None:
    labels = (("team", "pay\ud800ments"),)
    rows = [
        Instance(name, "1", "aws/us-east-1", "us-east-1a", "m5.large", Purchase.ON_DEMAND,
                 InstanceState.RUNNING, AT, labels=labels)
        for name in ("i-1", "i-\udfff2")
    ]  # fmt: skip
    kept = written(tmp_path, rows, part_of(Reading.INSTANCES)).rows(Instance)
    assert [one.id for one in kept] == ["i-1", "i-?2"]
    assert kept[0].labels == (("team", "pay?ments"),)


def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableData, match="cannot be read: File name too long"):
        newest_in(tmp_path / ("a" * 300), lambda _: None)


def test_one_in_which_no_cloud_said_anything_is_not_the_newest(tmp_path: Path) -> None:
    good = written(tmp_path, [_price()])
    failed = part_of(Reading.PRICES, Status.FAILED, "Outage: all is down")
    empty = written(tmp_path, part=failed, at=AT + timedelta(hours=1))
    heard: list[str] = []
    (found,) = newest_in(tmp_path, heard.append)
    assert found.folder == good.folder
    assert empty.folder.name in heard[0]
    assert [one.folder for one in newest_in(empty.folder, heard.append)] == [empty.folder]


def test_changed_files_are_told(tmp_path: Path) -> None:
    snapshot = written(tmp_path, [_price()])
    path = snapshot.folder / "prices.parquet"
    other = written(tmp_path / "other", [_price(0.01)])
    path.write_bytes((other.folder / "prices.parquet").read_bytes())
    with pytest.raises(UnusableData, match=r"prices\.parquet has been changed"):
        newest_in(snapshot.folder, pytest.fail)


@pytest.mark.parametrize("usd", [0.0, -0.1, math.nan, math.inf])
def test_prices_that_can_be_none_are_refused(tmp_path: Path, usd: float) -> None:
    snapshot = written(tmp_path, [_price(), _price(usd)])
    with pytest.raises(UnusableData, match=r"prices\.parquet holds 1 prices that can be none"):
        snapshot.frame("prices")


def test_parquet_that_is_damaged_inside(tmp_path: Path) -> None:
    snapshot = written(tmp_path, [_price()])
    path = snapshot.folder / "prices.parquet"
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    with pytest.raises(UnusableData, match=r"prices\.parquet is not readable Parquet"):
        snapshot.frame("prices")


def test_later_versions_may_add_but_not_change(tmp_path: Path) -> None:
    snapshot = written(tmp_path, [_price()])
    path = snapshot.folder / "snapshot.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "weather": "fine"}))
    assert Snapshot(snapshot.folder).manifest.name == "x"
    path.write_text(json.dumps({**said, "version": VERSION + 1, "parts": "other"}))
    with pytest.raises(UnusableData, match=f"is of version {VERSION + 1}"):
        _ = Snapshot(snapshot.folder).manifest


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    left, new = tmp_path / ".snapshot.trimtab-dead", tmp_path / ".snapshot.trimtab-new"
    for folder in (left, new):
        (folder / "parts").mkdir(parents=True)
        (folder / "lock").touch()
    old = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    os.utime(left, (old, old))
    with SnapshotWriter(tmp_path, "x", AT) as writer:
        os.utime(writer.work, (old, old))
        written(tmp_path)
        assert writer.work.is_dir(), "what is being written is no leftover"
        assert not left.exists()
        assert new.exists()


ENDING = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from optimizer.cli.surveying import leaving_nothing
from providers.snapshots.writing import SnapshotWriter

with leaving_nothing(), SnapshotWriter(Path(sys.argv[1]), "x", datetime.now(UTC)):
    assert list(Path(sys.argv[1]).iterdir())
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_half_written_stays(tmp_path: Path, number: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING, str(tmp_path), number.name], cwd=ROOT,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == -number, done.stderr
    assert list(tmp_path.iterdir()) == []
