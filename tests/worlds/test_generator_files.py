"""What the generator writes: always the same, all or nothing, and never over something else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from models.errors import FaultyInput, OutputFailed
from scenarios.generator import generate_world

GOLDEN = {
    "demand.csv": "d9d7b39ee4cb54786a3c394841a802738d2c6a0b8e1b2616461861725dc01ef8",
    "world.yaml": "dfab1aa16678aef5341d378f4d703ad6937e38a261a32746458a8d54805fdb52",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_one_small_world_is_the_same_everywhere_and_forever(tmp_path: Path) -> None:
    generate_world(12, 24, 2026, tmp_path / "world")
    digests = {n: hashlib.sha256(b).hexdigest() for n, b in contents(tmp_path / "world").items()}
    assert digests == GOLDEN


@pytest.mark.parametrize("services", [12, 300])
def test_the_same_arguments_give_the_same_files(services: int, tmp_path: Path) -> None:
    for name in ("first", "second"):
        generate_world(services, 24, 7, tmp_path / name)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    for seed in (1, 2):
        generate_world(12, 24, seed, tmp_path / str(seed))
    first, second = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert all(first[name] != second[name] for name in first)


def test_large_worlds_keep_tables_in_parquet_beside_the_yaml(tmp_path: Path) -> None:
    generate_world(300, 48, 1, tmp_path / "large")
    assert set(contents(tmp_path / "large")) == {
        "world.yaml", "services.parquet", "dependencies.parquet", "fleet.parquet", "demand.parquet"
    }  # fmt: skip
    world = yaml.safe_load((tmp_path / "large" / "world.yaml").read_text(encoding="utf-8"))
    assert world["services"] == {"table": "services.parquet"}
    assert world["policy"]["horizon_hours"] == 48
    assert len(pd.read_parquet(tmp_path / "large" / "services.parquet")) == 300
    demand = pd.read_parquet(tmp_path / "large" / "demand.parquet")
    assert (demand.groupby(["service", "origin"]).size() == 14 * 24).all()


def test_sizes_of_services_are_heavy_tailed(tmp_path: Path) -> None:
    generate_world(2000, 24, 5, tmp_path / "world")
    demand = pd.read_parquet(tmp_path / "world" / "demand.parquet")
    peaks = np.sort(demand.groupby("service")["rps"].max())[::-1]
    assert peaks[: len(peaks) // 10].sum() > peaks.sum() / 3


def test_the_folder_that_it_is_written_to_may_exist_when_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    generate_world(3, 24, 1, tmp_path / "empty")
    assert set(contents(tmp_path / "empty")) == {"world.yaml", "demand.csv"}


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "world.yaml").write_text("precious")
    with pytest.raises(FaultyInput, match="not empty") as caught:
        generate_world(3, 24, 1, tmp_path / "mine")
    assert "does not exist" in caught.value.faults[0].suggestion
    assert contents(tmp_path / "mine") == {"world.yaml": b"precious"}


def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(FaultyInput, match="is a file"):
        generate_world(3, 24, 1, tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


def test_failure_to_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputFailed, match="could not be written"):
        generate_world(3, 24, 1, tmp_path / "file" / "world")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_failure_half_way_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the last file is written."""

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("scenarios.generator.write_text", full)
    with pytest.raises(OutputFailed, match="No space left"):
        generate_world(3, 24, 1, tmp_path / "world")
    assert list(tmp_path.iterdir()) == []


def test_arguments_out_of_range_are_all_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FaultyInput) as caught:
        generate_world(0, 745, -1, tmp_path / "world")
    assert [fault.message for fault in caught.value.faults] == [
        "hours is 745", "seed is -1", "services is 0"
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []
